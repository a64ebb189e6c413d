"""Deep sea: a diver sinks through a square and finds the treasure only by swimming right in every step.

Source: bsuite's deep_sea (Osband et al., "Behaviour Suite for Reinforcement Learning", ICLR 2020), deterministic, with
random action mapping. An agent that explores at random finds the treasure once in 2^size episodes.

Rules: the diver starts in the top left cell and sinks one row a step, moving one column right or left; walls stop it.
In each cell one action means right and the other left, drawn once by a fair coin and fixed for a size (`mapping`).
Right costs 0.01 / size; right in the last column, which is reached only in the last row, pays 1. All else is free.
The best return is 0.99; without the treasure the best is 0, always left.
Observation, float32 `[size, size]`: 1 in the diver's cell, else 0; all 0 after the last step.
Actions: 0 and 1; `mapping` says which one is right.
Ends: terminated after exactly `size` steps; never truncated. Nothing is random.
"""

import functools
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxdqn.interfaces import Array, Game, Key, TimeStep

VERSION = 1
MAPPING_SEED = 42
MOVE_COST = 0.01  # of an episode that always swims right

# Red, green and blue of a picture's cells.
WATER = (24, 78, 119)
DIVER = (255, 209, 102)
TREASURE = (239, 71, 111)


class DeepSeaState(NamedTuple):
    """Where the diver is, int32 `[]` each; `row` is `size` when the episode has ended."""

    row: Array
    column: Array


def make(size: int) -> Game:
    """Deep sea of `size` rows and columns, called "deep_sea_10" at size 10.

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
        picture=functools.partial(picture, size=size),
    )


def mapping(size: int) -> np.ndarray:
    """The action that means right in each cell, int32 `[size, size]`; part of the game's version.

    Drawn as bsuite draws it from its `mapping_seed`, by the generator whose numbers NumPy has frozen.
    """
    return np.random.RandomState(MAPPING_SEED).binomial(1, 0.5, (size, size)).astype(np.int32)


def reset(key: Key) -> DeepSeaState:
    """The top left cell."""
    del key
    return DeepSeaState(jnp.zeros((), jnp.int32), jnp.zeros((), jnp.int32))


def step(key: Key, state: DeepSeaState, action: Array, *, size: int) -> tuple[DeepSeaState, TimeStep]:
    """Pays for the move, moves, and sinks."""
    del key
    is_right = action == jnp.asarray(mapping(size))[state.row, state.column]
    finds = is_right & (state.column == size - 1)
    reward = finds.astype(jnp.float32) - is_right.astype(jnp.float32) * (MOVE_COST / size)
    column = jnp.clip(state.column + jnp.where(is_right, 1, -1), 0, size - 1)
    state = DeepSeaState(state.row + 1, column)
    time_step = TimeStep(observe(state, size=size), reward, state.row == size, jnp.zeros((), bool))
    return state, time_step


def observe(state: DeepSeaState, *, size: int) -> Array:
    """The diver's cell, float32 `[size, size]`; nothing below the last row."""
    index = jnp.arange(size, dtype=jnp.int32)
    return ((index[:, None] == state.row) & (index[None] == state.column)).astype(jnp.float32)


def states(*, size: int) -> DeepSeaState:
    """Every state that can occur before the end, `[S]`: after r steps the diver is in a column up to r."""
    row, column = np.tril_indices(size)
    return DeepSeaState(jnp.asarray(row, jnp.int32), jnp.asarray(column, jnp.int32))


def picture(state: DeepSeaState, *, size: int) -> Array:
    """The water, the treasure in its corner and the diver, uint8 `[size, size, 3]`."""
    sea = np.full((size, size, 3), WATER, np.uint8)
    sea[-1, -1] = TREASURE
    is_diver = observe(state, size=size)[..., None] > 0
    return jnp.where(is_diver, jnp.array([[DIVER]], jnp.uint8), jnp.asarray(sea))
