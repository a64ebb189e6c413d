"""Deep sea: a diver sinks through a square grid and finds a treasure only if it swims right in every step.

Source: bsuite's deep_sea (Osband et al., "Behaviour Suite for Reinforcement Learning", ICLR 2020), deterministic, with
random action mapping. A uniformly random policy finds the treasure once in 2^size episodes.

Rules: the diver starts in the top left cell. Each step moves it one row down and one column right or left; walls stop
it. In each cell one action means right and the other means left. This mapping is random, but fixed for each size
(`mapping`). A move to the right costs 0.01 / size. A move to the right in the last column gives +1; the diver reaches
that column only in the last row. All other rewards are 0. The best return is 0.99. The best return without the treasure
is 0, by always moving left.
Observation, float32 `[size, size]`: 1 in the diver's cell, else 0; all 0 after the last step.
Actions: 0 and 1; `mapping` gives the action that means right.
Ends: terminated after exactly `size` steps; never truncated. Starts and steps are not random.
"""

import functools
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxdqn.game_interfaces import Game, TimeStep
from jaxdqn.interfaces import Array, Key

VERSION = 1
MAPPING_SEED = 42
MOVE_COST = 0.01  # total cost of an episode that always moves right

# Cells of the rendered board, RGB.
WATER = (24, 78, 119)
DIVER = (255, 209, 102)
TREASURE = (239, 71, 111)


class DeepSeaState(NamedTuple):
    """Position of the diver, int32 `[]` each; `row` is `size` when the episode has ended."""

    row: Array
    column: Array


def make(size: int) -> Game:
    """Makes deep sea with `size` rows and columns; its name is "deep_sea_10" at size 10.

    Raises:
      ValueError: the size is below 2.
    """
    if size < 2:
        raise ValueError(f"deep_sea needs size >= 2, got {size}")
    return Game(
        name=f"deep_sea_{size}",
        version=VERSION,
        reset=reset,
        step=functools.partial(step, size=size),
        observe=functools.partial(observe, size=size),
        observation_shape=(size, size),
        num_actions=2,
        max_steps=size,
        states=functools.partial(states, size=size),
        render_board=functools.partial(render_board, size=size),
    )


def mapping(size: int) -> np.ndarray:
    """Returns the action that means right in each cell, int32 `[size, size]`; it is part of the game's version.

    It is sampled as bsuite samples it from `mapping_seed`: with the legacy NumPy generator, whose stream never changes.
    """
    return np.random.RandomState(MAPPING_SEED).binomial(1, 0.5, (size, size)).astype(np.int32)


def reset(key: Key) -> DeepSeaState:
    """Returns the top left cell."""
    del key
    return DeepSeaState(jnp.zeros((), jnp.int32), jnp.zeros((), jnp.int32))


def step(key: Key, state: DeepSeaState, action: Array, *, size: int) -> tuple[DeepSeaState, TimeStep]:
    """Pays the cost of the move, moves the diver sideways, and lowers it by one row."""
    del key
    is_right = action == jnp.asarray(mapping(size))[state.row, state.column]
    finds_treasure = is_right & (state.column == size - 1)
    reward = finds_treasure.astype(jnp.float32) - is_right.astype(jnp.float32) * (MOVE_COST / size)
    column = jnp.clip(state.column + jnp.where(is_right, 1, -1), 0, size - 1)
    state = DeepSeaState(state.row + 1, column)
    time_step = TimeStep(observe(state, size=size), reward, state.row == size, jnp.zeros((), bool))
    return state, time_step


def observe(state: DeepSeaState, *, size: int) -> Array:
    """Returns the diver's cell as one-hot, float32 `[size, size]`; all 0 when the episode has ended."""
    index = jnp.arange(size, dtype=jnp.int32)
    return ((index[:, None] == state.row) & (index[None] == state.column)).astype(jnp.float32)


def states(*, size: int) -> DeepSeaState:
    """Returns every state before the end of an episode, `[S]`: after r steps the diver is in column 0 to r."""
    row, column = np.tril_indices(size)
    return DeepSeaState(jnp.asarray(row, jnp.int32), jnp.asarray(column, jnp.int32))


def render_board(state: DeepSeaState, *, size: int) -> Array:
    """Returns water, treasure and diver in colour, uint8 `[size, size, 3]`."""
    sea = np.full((size, size, 3), WATER, np.uint8)
    sea[-1, -1] = TREASURE
    is_diver = observe(state, size=size)[..., None] > 0
    return jnp.where(is_diver, jnp.array([[DIVER]], jnp.uint8), jnp.asarray(sea))
