"""The corridor of `plain.games` as a game in JAX and as an environment of gymnasium."""

import functools
from typing import NamedTuple

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
from gymnasium import spaces

from jaxdqn.game_interfaces import Game, TimeStep


class State(NamedTuple):
    position: jax.Array
    time: jax.Array


def observe(state):
    return jnp.stack([state.position / jnp.float32(6), state.time / jnp.float32(7)])


def observe_picture(state):
    """Returns a picture uint8 `[4, 4, 2]` that shows position and time."""
    rows, columns = np.indices((4, 4))
    first = 37 * rows + 11 * columns * columns + 41 * state.position
    second = 53 * rows * columns + 7 * rows + 29 * state.time
    return (jnp.stack([first, second], axis=-1) % 256).astype(jnp.uint8)


def reset(key):
    return State(jax.random.randint(key, (), 2, 5), jnp.int32(0))


def step(key, state, action, *, observe=observe):
    del key
    state = State(state.position + action - 1, state.time + 1)
    is_right, is_left = state.position == 6, state.position == 0
    reward = jnp.where(is_right, 3.0, jnp.where(is_left, -2.0, jnp.where(action == 1, 0.25, -0.125)))
    return state, TimeStep(observe(state), reward, is_right | is_left, state.time == 7)


GAME = Game("corridor", 1, reset, step, observe, (2,), num_actions=3, max_steps=7)
IN_PICTURES = GAME._replace(
    name="corridor_in_pictures",
    step=functools.partial(step, observe=observe_picture),
    observe=observe_picture,
    observation_shape=(4, 4, 2),
)


class Corridor(gymnasium.Env):
    """The same rules. `starts` are the positions at which its episodes started, `start` that of the last seeded one."""

    observation_space = spaces.Box(0, 2, (2,), np.float32)
    action_space = spaces.Discrete(3)

    def __init__(self):
        self.starts = []

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.position, self.time = int(self.np_random.integers(2, 5)), 0
        self.starts.append(self.position)
        self.start = self.start if seed is None else self.position
        return self.observation(), {}

    def step(self, action):
        self.position, self.time = self.position + int(action) - 1, self.time + 1
        reward = {6: 3.0, 0: -2.0}.get(self.position, 0.25 if action == 1 else -0.125)
        return self.observation(), reward, self.position in (0, 6), self.time == 7, {}

    def observation(self):
        return np.array([np.float32(self.position) / np.float32(6), np.float32(self.time) / np.float32(7)])


gymnasium.register("Corridor-v0", Corridor)
