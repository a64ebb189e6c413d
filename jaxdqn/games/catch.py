"""Catch: a ball falls, a paddle three cells wide must be under it when it lands.

Source: the class `Game` of the guide "Reinforcement Learning: Deep Q-Networks", transition for transition.

Rules: the ball starts in the top row and falls one row a step; the paddle moves in the bottom row. First the paddle
moves, then the ball falls. A ball that is in the bottom row before the step leaves the board with it: that step gives
+1 if the paddle (after its move) is under the ball and -1 otherwise. All other steps give 0.
Start: the paddle's middle is uniform over columns 1 .. columns - 3 and the ball over columns 0 .. columns - 2. The last
column of each range is missing since the source draws with exclusive upper bounds; the ranges are part of the game.
On 10 by 10 every start can be won.
Observation, float32 `[rows * columns]`: the board row by row, 1 where the ball or the paddle is, else 0. A ball in the
bottom row can hide in the paddle, so that up to three states look alike: to stay wins in all of them, but what a move
earns cannot be seen. After the last step only the paddle is left.
Actions: 0 left, 1 stay, 2 right; walls stop the paddle, whose middle stays in columns 1 .. columns - 2.
Ends: terminated after exactly `rows` steps; never truncated.

With `noise`, of this project, a fair coin adds or takes that much in every step's reward. The optimal values stay the
same, so what a learner that maximises over noisy estimates says above them is overestimation.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxdqn.games import chances
from jaxdqn.interfaces import Array, Chance, Game, Key, TimeStep

VERSION = 1

# Red, green and blue of a picture's cells: colours 229 and 235 of a terminal's 256, as the source prints them.
EMPTY = (255, 255, 175)
FULL = (38, 38, 38)


class CatchState(NamedTuple):
    """Where things are, int32 `[]` each; `ball_row` is `rows` when the ball has left the board."""

    ball_row: Array
    ball_column: Array
    paddle_column: Array  # of its middle


def make(rows: int = 10, columns: int = 10, noise: float = 0.0) -> Game:
    """Catch on a board of `rows` by `columns`.

    Args:
      rows: at least 1; an episode lasts as many steps.
      columns: at least 4, so that there is a column to start in.
      noise: by how much each reward is off, up or down.

    Returns:
      The game; it is called "catch" at 10 by 10 and "catch_5x8" at 5 by 8, "catch_noisy" with noise 1 and
      "catch_noisy_0.5" with noise 0.5.

    Raises:
      ValueError: the board is too small, or the noise negative.
    """
    if rows < 1 or columns < 4:
        raise ValueError(f"catch needs rows >= 1 and columns >= 4, got rows={rows}, columns={columns}")
    if noise < 0.0:
        raise ValueError(f"catch needs noise >= 0, got {noise}")
    quiet = functools.partial(step, rows=rows, columns=columns)
    chance = Chance(chances.distribution([noise, -noise], [0.5, 0.5]), functools.partial(_noisy, quiet=quiet))
    return Game(
        name="catch"
        + (f"_{rows}x{columns}" if (rows, columns) != (10, 10) else "")
        + ("_noisy" if noise else "")
        + (f"_{noise:g}" if noise not in (0.0, 1.0) else ""),
        version=VERSION,
        reset=functools.partial(reset, columns=columns),
        step=chances.step(chance) if noise else quiet,
        observe=functools.partial(observe, rows=rows, columns=columns),
        observation_shape=(rows * columns,),
        num_actions=3,
        max_steps=rows,
        states=functools.partial(states, rows=rows, columns=columns),
        chance=chance if noise else None,
        picture=functools.partial(picture, rows=rows, columns=columns),
    )


def reset(key: Key, *, columns: int) -> CatchState:
    """Draws the start columns of paddle and ball (upper bounds are exclusive, as in the source)."""
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
    """The board, float32 `[rows * columns]`; a ball in row `rows` is off the board and not drawn."""
    cell = jnp.arange(rows * columns, dtype=jnp.int32)
    ball = cell == state.ball_row * columns + state.ball_column
    paddle = jnp.abs(cell - ((rows - 1) * columns + state.paddle_column)) <= 1
    return (ball | paddle).astype(jnp.float32)


def states(*, rows: int, columns: int) -> CatchState:
    """Every state that can occur before the end, `[S]`: the paddle reaches its last column only after a step."""
    row, column, paddle = np.indices((rows, columns - 1, columns - 2), np.int32)
    paddle += 1
    occurs = (row > 0) | (paddle < columns - 2)
    return CatchState(jnp.asarray(row[occurs]), jnp.asarray(column[occurs]), jnp.asarray(paddle[occurs]))


def picture(state: CatchState, *, rows: int, columns: int) -> Array:
    """The board in the colours of the source, uint8 `[rows, columns, 3]`."""
    is_full = observe(state, rows=rows, columns=columns).reshape(rows, columns, 1) > 0
    return jnp.where(is_full, jnp.array([[FULL]], jnp.uint8), jnp.array([[EMPTY]], jnp.uint8))


def _noisy(
    noise: Array, state: CatchState, action: Array, *, quiet: Callable[..., tuple[CatchState, TimeStep]]
) -> tuple[CatchState, TimeStep]:
    state, time_step = quiet(None, state, action)
    return state, time_step._replace(reward=time_step.reward + noise)


def _move_paddle(paddle_column: Array, action: Array, columns: int) -> Array:
    return jnp.clip(paddle_column + action - 1, 1, columns - 2)


def _landing_reward(ball_column: Array, paddle_column: Array) -> Array:
    return jnp.where(jnp.abs(ball_column - paddle_column) <= 1, 1.0, -1.0)
