"""Connect three and connect four: who first has three or four discs in a row wins; the opponent moves at random.

Source: "Connect Four" (Milton Bradley 1974), by the usual rules. Connect three, on 3 rows and 4 columns, is small
enough for exact values.

Rules: a disc that is dropped into a column falls to its lowest empty cell. In each step the agent drops a disc, then
the opponent drops one into a uniformly random column that is not full.
Start: with probability 1/2 the opponent has dropped a disc already, into a uniformly random column.
Reward: 1 for a row of the agent's discs, across, down or diagonally; -1 for a row of the opponent's; else 0.
Observation, float32 `[2 * rows * columns]`: the cells row by row from the top, 1 where the agent's discs are, then the
same for the opponent's.
Actions: the column. A full column is illegal (`Game.legal_actions`).
Ends: terminated after a row, and when the board is full; never truncated.
"""

import functools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxdqn.game_interfaces import Game, RandomStep, TimeStep
from jaxdqn.games import random_steps
from jaxdqn.interfaces import Array, Key

VERSION = 1

AGENT, OPPONENT = 1, 2
# Cells of the rendered board, RGB: empty, the agent's disc, the opponent's disc.
COLOURS = ((24, 48, 120), (250, 210, 60), (215, 60, 50))


class ConnectState(NamedTuple):
    """The board, int32 `[rows, columns]`, top row first: 0 where empty, else `AGENT` or `OPPONENT`."""

    board: Array


def make(rows: int = 3, columns: int = 4, length: int = 3) -> Game:
    """Makes the game on a board of `rows` by `columns`, where `length` discs in a row win.

    Returns:
      The game. Its name is "connect_three" at the default values, "connect_four" at 6, 7 and 4, and otherwise such as
      "connect_3_of_4x4". It lists its states, for exact values, on a board of at most 12 cells.

    Raises:
      ValueError: no row of this length fits on the board.
    """
    if not 2 <= length <= max(rows, columns) or min(rows, columns) < 1:
        raise ValueError(f"connect needs 2 <= length <= max(rows, columns), got {rows}, {columns} and {length}")
    lines = _lines(rows, columns, length)
    # A multiple of each number of columns that can be left, so that its remainder is uniform.
    num_replies = math.lcm(*range(1, columns + 1))
    replies = random_steps.distribution(range(num_replies), [1 / num_replies] * num_replies)
    random_step = RandomStep(replies, functools.partial(step, lines=lines))
    names = {(3, 4, 3): "connect_three", (6, 7, 4): "connect_four"}
    return Game(
        name=names.get((rows, columns, length), f"connect_{length}_of_{rows}x{columns}"),
        version=VERSION,
        reset=functools.partial(reset, rows=rows, columns=columns),
        step=random_steps.make_step(random_step),
        observe=observe,
        observation_shape=(2 * rows * columns,),
        num_actions=columns,
        max_steps=-(-rows * columns // 2),
        states=functools.partial(states, rows=rows, columns=columns, lines=lines) if rows * columns <= 12 else None,
        random_step=random_step,
        render_board=render_board,
        legal_actions=legal_actions,
    )


def reset(key: Key, *, rows: int, columns: int) -> ConnectState:
    """Samples whether the opponent begins, and its column."""
    board = jnp.zeros((rows, columns), jnp.int32)
    column = jax.random.randint(key, (), 0, 2 * columns)  # as often on the board as beyond it, where no disc is dropped
    return ConnectState(_drop(board, column, OPPONENT))


def step(reply: Array, state: ConnectState, action: Array, *, lines: np.ndarray) -> tuple[ConnectState, TimeStep]:
    """Drops the agent's disc, then the opponent's.

    Of the N columns that are not full, the opponent's disc falls into number `reply` modulo N.
    """
    board = _drop(state.board, action, AGENT)
    is_won = _has_line(board, AGENT, lines)
    is_open = board[0] == 0
    goes_on = ~is_won & is_open.any()
    number = reply.astype(jnp.int32) % jnp.maximum(is_open.sum(), 1)
    column = (is_open & (jnp.cumsum(is_open) == number + 1)).argmax()
    board = jnp.where(goes_on, _drop(board, column, OPPONENT), board)
    is_lost = _has_line(board, OPPONENT, lines)
    state, reward = ConnectState(board), is_won.astype(jnp.float32) - is_lost
    terminated = is_won | is_lost | (board != 0).all()
    return state, TimeStep(observe(state), reward, terminated, jnp.zeros((), bool))


def observe(state: ConnectState) -> Array:
    """Returns the cells of the agent's discs, then those of the opponent's, float32 `[2 * rows * columns]`."""
    return jnp.stack([state.board == AGENT, state.board == OPPONENT]).astype(jnp.float32).reshape(-1)


def legal_actions(state: ConnectState) -> Array:
    """Returns the columns that are not full, bool `[columns]`."""
    return state.board[0] == 0


def states(*, rows: int, columns: int, lines: np.ndarray) -> ConnectState:
    """Returns every state before the end of an episode, `[S]`, move by move."""
    empty = np.zeros((1, rows, columns), np.int32)
    boards = np.concatenate([empty, _all_drops(empty, OPPONENT)])
    found = []
    while len(boards):
        found.append(boards)
        for player in (AGENT, OPPONENT):
            boards = _all_drops(boards, player)
            has_line = (boards.reshape(-1, rows * columns)[:, lines] == player).all(-1).any(-1)
            boards = boards[~has_line & (boards == 0).any((1, 2))]
        boards = np.unique(boards, axis=0)
    return ConnectState(jnp.asarray(np.concatenate(found)))


def render_board(state: ConnectState) -> Array:
    """Returns the board in colours, uint8 `[rows, columns, 3]`."""
    return jnp.asarray(COLOURS, jnp.uint8)[state.board]


def _lines(rows: int, columns: int, length: int) -> np.ndarray:
    """Returns the cells of every possible row of discs, int `[L, length]`; cells are numbered from the top left."""
    lines = []
    for down, right in ((0, 1), (1, 0), (1, 1), (1, -1)):
        place = np.arange(length)[:, None] * (down, right)
        for start in np.ndindex(rows, columns):
            row, column = (start + place).T
            if (row < rows).all() and (column >= 0).all() and (column < columns).all():
                lines.append(row * columns + column)
    return np.array(lines)


def _has_line(board: Array, player: int, lines: np.ndarray) -> Array:
    return (board.reshape(-1)[lines] == player).all(-1).any()


def _drop(board: Array, column: Array, player: int) -> Array:
    """Returns the board with a disc more; the same board if the column is full or does not exist."""
    rows, columns = board.shape
    is_column = jnp.arange(columns) == column
    row = rows - 1 - ((board != 0) & is_column[None]).sum()
    is_cell = (jnp.arange(rows) == row)[:, None] & is_column[None]
    return jnp.where(is_cell, player, board)


def _all_drops(boards: np.ndarray, player: int) -> np.ndarray:
    """Returns the boards after each legal drop on each board, `[N, rows, columns]`."""
    results = []
    for column in range(boards.shape[2]):
        after = boards[boards[:, 0, column] == 0].copy()
        row = after.shape[1] - 1 - (after[:, :, column] != 0).sum(1)
        after[np.arange(len(after)), row, column] = player
        results.append(after)
    return np.concatenate(results)
