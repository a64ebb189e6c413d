"""Games as pure functions: one a file, and the table of their names.

A game is an `interfaces.Game`: `reset(key) -> state`, `step(key, state, action) -> (state, TimeStep)` and
`observe(state) -> observation`. A new game is a file with a function `make` and a line in `GAMES`. The environments of
gymnasium are games too, under names such as `gymnasium:LunarLander-v3`; they step in Python.
"""

import difflib
import functools
from collections.abc import Callable
from typing import NamedTuple

from jaxdqn.games import acrobot, cartpole, catch, deep_sea, mountain_car, probes, random_walk
from jaxdqn.interfaces import AnyGame, Game

GYMNASIUM = "gymnasium:"  # before the id of an environment of gymnasium


class Entry(NamedTuple):
    """How a game is made, `() -> game`, and what it is, in one line."""

    make: Callable[[], Game]
    summary: str


GAMES: dict[str, Entry] = {
    "catch": Entry(catch.make, "a ball falls in a 10 x 10 board, catch it with the paddle; pixels"),
    "catch_noisy": Entry(functools.partial(catch.make, noise=1.0), "the same, every reward 1 too high or too low"),
    "cartpole": Entry(cartpole.make, "keep the pole upright, at most 500 steps; gymnasium's CartPole-v1"),
    "cartpole_200": Entry(functools.partial(cartpole.make, max_steps=200), "the same, at most 200 steps; CartPole-v0"),
    "mountain_car": Entry(mountain_car.make, "swing a weak car up the hill, at most 200 steps; MountainCar-v0"),
    "acrobot": Entry(acrobot.make, "swing two links up, at most 500 steps; Acrobot-v1"),
    **{
        f"deep_sea_{size}": Entry(
            functools.partial(deep_sea.make, size),
            f"one way of many leads to a treasure, {size} x {size}; bsuite's",
        )
        for size in range(4, 51, 2)
    },
    "random_walk_5": Entry(random_walk.make, "five random steps that add up; the distribution of the return is known"),
    "probe_value": Entry(probes.value, "probe: the value of a constant"),
    "probe_observation": Entry(probes.observation, "probe: a value that depends on the observation"),
    "probe_discount": Entry(probes.discount, "probe: a reward one step ahead"),
    "probe_action": Entry(probes.action, "probe: a value that depends on the action"),
    "probe_both": Entry(probes.both, "probe: the right action depends on the observation"),
    "probe_time_limit": Entry(probes.time_limit, "probe: a time limit does not end the value"),
    "probe_random_reward": Entry(probes.random_reward, "probe: a return that is a distribution"),
    "probe_memory": Entry(probes.memory, "probe: the right action depends on what was seen before"),
}


def make(name: str) -> AnyGame:
    """The game of that name.

    Args:
      name: one of `GAMES`, or `gymnasium:` and the id of an environment.

    Returns:
      A new game.

    Raises:
      ValueError: no game has that name, or the environment cannot be played here.
    """
    if name.startswith(GYMNASIUM):
        from jaxdqn.games import gymnasium

        return gymnasium.make(name)
    if name not in GAMES:
        close = difflib.get_close_matches(name, GAMES)
        hint = f" did you mean {' or '.join(repr(n) for n in close)}?" if close else ""
        raise ValueError(
            f"no game is called {name!r};{hint} games: {', '.join(GAMES)}, and gymnasium's as gymnasium:ID, such as "
            "gymnasium:LunarLander-v3"
        )
    return GAMES[name].make()
