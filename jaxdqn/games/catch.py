"""Catch: a ball falls, and a paddle three cells wide must be under it when it lands.

Source: the class `Game` of the guide "Reinforcement Learning: Deep Q-Networks"; every transition is the same.

Rules: the ball starts in the top row and falls one row a step. The paddle moves in the bottom row. In each step the
paddle moves first, then the ball falls. A ball that is in the bottom row before the step leaves the board in this step:
the reward is +1 if the paddle (after its move) is under the ball, and -1 otherwise. All other rewards are 0.
Start: the column of the paddle's middle is uniform over 1 .. columns - 3, and the column of the ball is uniform over
0 .. columns - 2. The last column of each range is missing because the source samples with exclusive upper bounds. These
ranges are part of the game. On a board of 10 by 10, every start can be won.
Observation, float32 `[rows * columns]`: the board row by row, 1 where the ball or the paddle is, else 0. The paddle can
hide a ball in the bottom row, so up to three states have the same observation: staying wins in all of them, but the
observation does not tell the reward of a move. After the last step the observation contains only the paddle.
Actions: 0 left, 1 stay, 2 right. Walls stop the paddle; its middle stays in columns 1 .. columns - 2.
Ends: terminated after exactly `rows` steps; never truncated.

With `noise` (an addition of this project), each reward is raised or lowered by that amount, with probability 1/2 each.
The optimal values stay the same, so the excess of a learner's estimates over them is overestimation.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxdqn.game_interfaces import Game, RandomStep, TimeStep
from jaxdqn.games import random_steps
from jaxdqn.interfaces import Array, Key

VERSION = 1

# Cells of the rendered board, RGB: colours 229 and 235 of a terminal's 256 colours, as the source prints them.
EMPTY = (255, 255, 175)
FULL = (38, 38, 38)


class CatchState(NamedTuple):
    """Positions, int32 `[]` each; `ball_row` is `rows` when the ball has left the board."""

    ball_row: Array
    ball_column: Array
    paddle_column: Array  # of its middle


def make(rows: int = 10, columns: int = 10, noise: float = 0.0) -> Game:
    """Makes catch on a board of `rows` by `columns`.

    Args:
      rows: at least 1; an episode has this many steps.
      columns: at least 4, so that at least one start column exists.
      noise: amount by which each reward is raised or lowered, at least 0.

    Returns:
      The game. Its name is "catch" at 10 by 10, "catch_5x8" at 5 by 8, "catch_noisy" with noise 1 and
      "catch_noisy_0.5" with noise 0.5.

    Raises:
      ValueError: the board is too small, or the noise is negative.
    """
    if rows < 1 or columns < 4:
        raise ValueError(f"catch needs rows >= 1 and columns >= 4, got rows={rows}, columns={columns}")
    if noise < 0.0:
        raise ValueError(f"catch needs noise >= 0, got {noise}")
    noiseless_step = functools.partial(step, rows=rows, columns=columns)
    random_step = RandomStep(
        random_steps.distribution([noise, -noise], [0.5, 0.5]),
        functools.partial(_noisy_step, noiseless_step=noiseless_step),
    )
    return Game(
        name="catch"
        + (f"_{rows}x{columns}" if (rows, columns) != (10, 10) else "")
        + ("_noisy" if noise else "")
        + (f"_{noise:g}" if noise not in (0.0, 1.0) else ""),
        version=VERSION,
        reset=functools.partial(reset, columns=columns),
        step=random_steps.make_step(random_step) if noise else noiseless_step,
        observe=functools.partial(observe, rows=rows, columns=columns),
        observation_shape=(rows * columns,),
        num_actions=3,
        max_steps=rows,
        states=functools.partial(states, rows=rows, columns=columns),
        random_step=random_step if noise else None,
        render_board=functools.partial(render_board, rows=rows, columns=columns),
    )


def reset(key: Key, *, columns: int) -> CatchState:
    """Samples the start columns of paddle and ball (upper bounds are exclusive, as in the source)."""
    lowest, highest = np.array([1, 0]), np.array([columns - 2, columns - 1])
    paddle_column, ball_column = jax.random.randint(key, (2,), lowest, highest, jnp.int32)
    return CatchState(jnp.zeros((), jnp.int32), ball_column, paddle_column)


def step(key: Key | None, state: CatchState, action: Array, *, rows: int, columns: int) -> tuple[CatchState, TimeStep]:
    """Moves the paddle, then drops the ball."""
    del key
    paddle_column = _move_paddle(state.paddle_column, action, columns)
    landed = state.ball_row == rows - 1
    reward = jnp.where(landed, _landing_reward(state.ball_column, paddle_column), 0.0)
    state = CatchState(state.ball_row + 1, state.ball_column, paddle_column)
    observation = observe(state, rows=rows, columns=columns)
    return state, TimeStep(observation, reward.astype(jnp.float32), landed, jnp.zeros((), bool))


def observe(state: CatchState, *, rows: int, columns: int) -> Array:
    """Returns the board, float32 `[rows * columns]`; a ball in row `rows` has left the board and is not shown."""
    cell = jnp.arange(rows * columns, dtype=jnp.int32)
    ball = cell == state.ball_row * columns + state.ball_column
    paddle = jnp.abs(cell - ((rows - 1) * columns + state.paddle_column)) <= 1
    return (ball | paddle).astype(jnp.float32)


def states(*, rows: int, columns: int) -> CatchState:
    """Returns every state before the end of an episode, `[S]`; the paddle is never in its last column at the start."""
    row, column, paddle = np.indices((rows, columns - 1, columns - 2), np.int32)
    paddle += 1
    occurs = (row > 0) | (paddle < columns - 2)
    return CatchState(jnp.asarray(row[occurs]), jnp.asarray(column[occurs]), jnp.asarray(paddle[occurs]))


def render_board(state: CatchState, *, rows: int, columns: int) -> Array:
    """Returns the board in the colours of the source, uint8 `[rows, columns, 3]`."""
    is_full = observe(state, rows=rows, columns=columns).reshape(rows, columns, 1) > 0
    return jnp.where(is_full, jnp.array([[FULL]], jnp.uint8), jnp.array([[EMPTY]], jnp.uint8))


def _noisy_step(
    noise: Array, state: CatchState, action: Array, *, noiseless_step: Callable[..., tuple[CatchState, TimeStep]]
) -> tuple[CatchState, TimeStep]:
    state, time_step = noiseless_step(None, state, action)
    return state, time_step._replace(reward=time_step.reward + noise)


def _move_paddle(paddle_column: Array, action: Array, columns: int) -> Array:
    return jnp.clip(paddle_column + action - 1, 1, columns - 2)


def _landing_reward(ball_column: Array, paddle_column: Array) -> Array:
    return jnp.where(jnp.abs(ball_column - paddle_column) <= 1, 1.0, -1.0)
