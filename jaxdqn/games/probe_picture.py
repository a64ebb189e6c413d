"""Probe of convolution: the right action depends on a shape in a picture, not on its place.

Source: this project.
Observation, uint8 `[10, 10, 1]`: a bar, which is three cells of 255; all others are 0. The bar lies or stands at a
random place where its middle cell is not at the edge. No weighted sum of the cells tells the two apart: three lying
bars, one under the other, cover the same nine cells as three standing bars side by side. Kernels of 3 x 3 see a whole
bar.
Actions: 0 if the bar lies, 1 if it stands.
Reward: 1 if the action matches the bar, else -1.
Ends: terminated in its only step, never truncated.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxdqn.game_interfaces import Game, TimeStep
from jaxdqn.interfaces import Array, Key

VERSION = 1
SIZE = 10  # height and width of the picture


class PictureState(NamedTuple):
    """A bar: 1 if it stands and 0 if it lies, then row and column of its middle cell; int32 `[]` each."""

    stands: Array
    row: Array
    column: Array


def make() -> Game:
    """Makes the probe in which the right action depends on the bar in the picture."""
    rows, columns, _ = np.indices((SIZE, SIZE, 1))

    def reset(key: Key) -> PictureState:
        return PictureState(*jax.random.randint(key, (3,), np.array([0, 1, 1]), np.array([2, SIZE - 1, SIZE - 1])))

    def step(key: Key, state: PictureState, action: Array) -> tuple[PictureState, TimeStep]:
        del key
        reward = jnp.where(action == state.stands, jnp.float32(1.0), -1.0)
        return state, TimeStep(observe(state), reward, jnp.ones((), bool), jnp.zeros((), bool))

    def observe(state: PictureState) -> Array:
        below, beside = jnp.abs(rows - state.row), jnp.abs(columns - state.column)
        is_lit = (below <= state.stands) & (beside <= 1 - state.stands)
        return jnp.where(is_lit, jnp.uint8(255), jnp.uint8(0))

    def states() -> PictureState:
        stands, row, column = np.indices((2, SIZE - 2, SIZE - 2), np.int32).reshape(3, -1)
        return PictureState(jnp.asarray(stands), jnp.asarray(row + 1), jnp.asarray(column + 1))

    return Game("probe_picture", VERSION, reset, step, observe, (SIZE, SIZE, 1), 2, 1, states)
