"""Boards of 10 x 10 cells as ten words, int32 `[10]`: bit c of the word of a row is the cell in column c.

One operation handles all cells of a row: a shift moves them, `&` finds collisions, a bit count counts objects. This
makes the games several times faster than boolean arrays do.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from jaxdqn.interfaces import Array

SIZE = 10
LAST = SIZE - 1  # the last row, and the last column
FULL_ROW = 2**SIZE - 1
ROWS = np.arange(SIZE, dtype=np.int32)
INNER_ROWS = np.arange(1, LAST, dtype=np.int32)  # rows 1 to 8

BACKGROUND = (0, 0, 0)  # RGB


def column_word(column: Array) -> Array:
    """Returns words whose one bit is the column, of the same shape; 0 where the column is -1 or 10."""
    return ((1 << (column + 1)) >> 1) & FULL_ROW


def one_cell(row: Array | int, column: Array) -> Array:
    """Returns the board with one full cell, int32 `[10]`; an empty board if the column is -1 or 10."""
    return jnp.where(row == ROWS, column_word(column), 0)


def shifted(words: Array, direction: Array) -> Array:
    """Moves the objects of rows by one column, right where `direction` is positive; the edge removes them."""
    return jnp.where(direction > 0, (words << 1) & FULL_ROW, words >> 1)


def union(words: Array) -> Array:
    """Returns the bitwise or of words `[N, ...]` over their first axis."""
    return jax.lax.reduce(words, jnp.int32(0), jax.lax.bitwise_or, (0,))


def scattered(rows: Array, words: Array) -> Array:
    """Returns the board of objects, int32 `[10]`: the union of the words `[N]`, each in its row `[N]`."""
    return union(jnp.where(rows[:, None] == ROWS[None], words[:, None], 0))


def from_inner_rows(words: Array) -> Array:
    """Returns the board whose rows 1 to 8 are the words, int32 `[8]`; rows 0 and 9 are empty."""
    return jnp.pad(words, 1)


def observation(channels: Sequence[Array]) -> Array:
    """Returns the cells of C boards, bool `[10, 10, C]`: row, column, channel."""
    words = jnp.stack(channels, axis=-1)
    return ((words[:, None, :] >> ROWS[None, :, None]) & 1) > 0


def picture(cells: Array, colours: Sequence[tuple[int, int, int]]) -> Array:
    """Returns cells `[10, 10, C]` in the colours of their channels, uint8 `[10, 10, 3]`.

    Of several channels in one cell, the first is shown.
    """
    background = jnp.ones((SIZE, SIZE, 1), bool)
    first = jnp.argmax(jnp.concatenate([cells, background], axis=-1), axis=-1)
    return jnp.asarray([*colours, BACKGROUND], jnp.uint8)[first]
