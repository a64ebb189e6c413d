"""A corridor with two ends, and copies of it side by side as a vector environment of gymnasium steps them."""

from typing import NamedTuple

import numpy as np

LENGTH = 7
TIME_LIMIT = 7


class State(NamedTuple):
    """Where the player stands, from 0 to 6, and how many steps it has made."""

    position: int
    time: int


class Corridor:
    """The corridor as functions of its state. Actions are 0 left, 1 stay, 2 right.

    The right end gives 3, the left end -2, and both terminate; staying gives 0.25, moving -0.125. After seven steps
    the episode is truncated, also where it has just terminated.
    """

    num_actions = 3
    observation_shape = (2,)

    @staticmethod
    def start(position):
        """Returns the first state of an episode that starts at this position."""
        assert position in (2, 3, 4), f"an episode starts at position {position}, allowed are 2, 3 and 4"
        return State(int(position), 0)

    @staticmethod
    def observe(state):
        """Returns `[position / 6, time / 7]`, rounded to float32 as the game rounds it."""
        position = np.float32(state.position) / np.float32(LENGTH - 1)
        time = np.float32(state.time) / np.float32(TIME_LIMIT)
        return np.array([position, time], dtype=float)

    @staticmethod
    def step(state, action):
        """Returns (state, reward, terminated, truncated)."""
        assert action in (0, 1, 2), f"the corridor has no action {action}"
        position, time = state.position + int(action) - 1, state.time + 1
        if position == LENGTH - 1:
            reward, terminated = 3.0, True
        elif position == 0:
            reward, terminated = -2.0, True
        else:
            reward, terminated = (0.25 if action == 1 else -0.125), False
        return State(position, time), reward, terminated, time == TIME_LIMIT


class CorridorInPictures(Corridor):
    """The same corridor; observations are pictures of 4 x 4 cells with two channels of bytes."""

    observation_shape = (4, 4, 2)

    @staticmethod
    def observe(state):
        """Returns a picture; its cells are `37 i + 11 j^2 + 41 position` and `53 i j + 7 i + 29 time`, modulo 256."""
        picture = np.zeros((4, 4, 2))
        for i in range(4):
            for j in range(4):
                picture[i, j, 0] = (37 * i + 11 * j * j + 41 * state.position) % 256
                picture[i, j, 1] = (53 * i * j + 7 * i + 29 * state.time) % 256
        return picture


class Copies:
    """Copies of a game whose episodes begin anew: at once in a JAX game, with the next step in a host game.

    Attributes:
      states: the present state of each copy.
      resetting: for each copy, whether its next step only resets it (NEXT_STEP autoreset of gymnasium).
    """

    def __init__(self, game, starts, *, is_host):
        """Starts the first episode of each copy; `starts` lists for each copy where its episodes start."""
        self.game, self.is_host = game, is_host
        self.starts = [list(of_copy) for of_copy in starts]
        self.states = [self.next_start(copy) for copy in range(len(starts))]
        self.resetting = [False] * len(starts)

    def next_start(self, copy):
        """Returns the state with which the next episode of a copy starts."""
        assert self.starts[copy], f"the tape has too few starts for environment {copy}"
        return self.game.start(self.starts[copy].pop(0))

    def observations(self):
        """Returns the present observation of each copy, `[E, S]`."""
        return np.array([self.game.observe(state) for state in self.states])

    def step(self, actions):
        """Returns the rows of one step of all copies, and whether each copy's next observation is a first one."""
        rows, is_first = [], []
        for copy, action in enumerate(actions):
            before = self.game.observe(self.states[copy])
            if self.resetting[copy]:
                self.states[copy] = self.next_start(copy)
                self.resetting[copy] = False
                after = self.game.observe(self.states[copy])
                rows.append(row(before, action, 0.0, False, False, after, is_valid=False))
                is_first.append(True)
                continue
            self.states[copy], reward, terminated, truncated = self.game.step(self.states[copy], action)
            after = self.game.observe(self.states[copy])
            rows.append(row(before, action, reward, terminated, truncated, after, is_valid=True))
            ended = terminated or truncated
            if ended and self.is_host:
                self.resetting[copy] = True
            elif ended:
                self.states[copy] = self.next_start(copy)
            is_first.append(ended and not self.is_host)
        return rows, is_first


def row(s_tm1, a_tm1, r_t, terminated, truncated, s_t, *, is_valid):
    """Returns one step of one environment as the memory stores it."""
    return {
        "s_tm1": s_tm1,
        "a_tm1": int(a_tm1),
        "r_t": float(r_t),
        "terminated": bool(terminated),
        "truncated": bool(truncated),
        "s_t": s_t,
        "memory": None,
        "is_valid": is_valid,
    }
