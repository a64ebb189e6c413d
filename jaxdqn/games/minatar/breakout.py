"""MinAtar breakout: a paddle keeps a ball in play, and the ball breaks bricks.

Source: see `jaxdqn.games.minatar`. Actions, sticky actions and the time limit: see `rules.py`.

Rules: the paddle is one cell wide and moves in the bottom row, row 9. In each step the paddle moves first, then the
ball moves by one cell diagonally. Side walls and the top turn it around. Rows 1 to 3 are full of bricks. A ball that
would enter a brick's cell removes the brick and turns back vertically (its row stays, its column changes): the reward
is +1. But a ball that has just struck a brick, and targets one again in the next step, enters its cell and breaks
nothing; so it can pass through several bricks. A ball that would enter row 9 turns back vertically if the paddle is
below it, and both ways if the paddle is in the cell that it would enter; it stays in its row. Otherwise the ball is
lost. All other rewards are 0. If no brick is left when the ball would enter row 9, all 30 come back.
Start: the ball is in row 3, at the left or the right edge with probability 1/2 each, on a brick, and moves down and
inwards. The paddle is in column 4.
Observation, bool `[10, 10, 4]`: paddle, ball, trail (the cell of the ball one step before), brick.
Actions: 0 nothing, 1 left, 2 right.
Ends: terminated when the ball is lost; truncated after `max_steps` steps, because play can go on for ever.
"""

from typing import NamedTuple

import jax.numpy as jnp

from jaxdqn.games.minatar import board, rules
from jaxdqn.interfaces import Array

VERSION = 1

FIRST_BRICK_ROW, LAST_BRICK_ROW = 1, 3
ALL_BRICKS = 2**30 - 1

# Channels in the rendered board, RGB.
PADDLE = (255, 255, 255)
BALL = (255, 209, 102)
TRAIL = (110, 90, 44)
BRICK = (214, 73, 51)


class BreakoutState(NamedTuple):
    """Paddle, ball and bricks; int32 `[]` each, except the last.

    Attributes:
      paddle: its column.
      ball_row, ball_column: its cell.
      row_step, column_step: the direction of the ball, -1 (up, left) or +1 (down, right).
      previous_row, previous_column: cell of the ball one step before; at the start, its cell.
      bricks: bit `10 * (row - 1) + column` is set where a brick is.
      just_struck: bool `[]`, whether the target of the ball in the last step was a brick.
    """

    paddle: Array
    ball_row: Array
    ball_column: Array
    row_step: Array
    column_step: Array
    previous_row: Array
    previous_column: Array
    bricks: Array
    just_struck: Array


def start(words: Array) -> BreakoutState:
    """Samples the side at which the ball starts."""
    is_left = rules.is_right(words[0])  # a ball at the left edge moves right
    row, column = jnp.int32(3), jnp.where(is_left, 0, board.LAST).astype(jnp.int32)
    return BreakoutState(
        paddle=jnp.int32(4),
        ball_row=row,
        ball_column=column,
        row_step=jnp.int32(1),
        column_step=jnp.where(is_left, 1, -1).astype(jnp.int32),
        previous_row=row,
        previous_column=column,
        bricks=jnp.int32(ALL_BRICKS),
        just_struck=jnp.bool_(False),
    )


def step(words: Array, state: BreakoutState, action: Array) -> tuple[BreakoutState, Array, Array]:
    """Moves the paddle, then the ball; breaks a brick, turns the ball or loses it."""
    del words
    paddle = rules.move_sideways(state.paddle, action)
    row, column = state.ball_row + state.row_step, state.ball_column + state.column_step
    hits_side = (column < 0) | (column > board.LAST)
    column = jnp.clip(column, 0, board.LAST)

    hits_top = row < 0
    touches_brick = _has_brick(state.bricks, row, column)
    breaks_brick = touches_brick & ~state.just_struck
    at_bottom = row == board.LAST
    is_above_paddle = at_bottom & (state.ball_column == paddle)
    meets_paddle = at_bottom & ~is_above_paddle & (column == paddle)
    is_lost = at_bottom & ~is_above_paddle & ~meets_paddle

    stays_in_row = hits_top | breaks_brick | is_above_paddle | meets_paddle
    bricks = jnp.where(breaks_brick, state.bricks & ~_brick(row, column), state.bricks)
    state = BreakoutState(
        paddle=paddle,
        ball_row=jnp.where(stays_in_row, state.ball_row, row),
        ball_column=column,
        row_step=jnp.where(stays_in_row, -state.row_step, state.row_step),
        column_step=jnp.where(hits_side | meets_paddle, -state.column_step, state.column_step),
        previous_row=state.ball_row,
        previous_column=state.ball_column,
        bricks=jnp.where(at_bottom & (bricks == 0), ALL_BRICKS, bricks),
        just_struck=touches_brick,
    )
    return state, breaks_brick.astype(jnp.int32), is_lost


def draw(state: BreakoutState) -> tuple[Array, ...]:
    """Returns the boards of paddle, ball, trail and bricks."""
    shift = jnp.clip(board.ROWS - FIRST_BRICK_ROW, 0, LAST_BRICK_ROW - FIRST_BRICK_ROW) * board.SIZE
    has_bricks = (board.ROWS >= FIRST_BRICK_ROW) & (board.ROWS <= LAST_BRICK_ROW)
    return (
        board.one_cell(board.LAST, state.paddle),
        board.one_cell(state.ball_row, state.ball_column),
        board.one_cell(state.previous_row, state.previous_column),
        jnp.where(has_bricks, (state.bricks >> shift) & board.FULL_ROW, 0),
    )


def _brick(row: Array, column: Array) -> Array:
    """Returns the bit of a brick, or of any other brick where no brick can be."""
    place = jnp.clip(row, FIRST_BRICK_ROW, LAST_BRICK_ROW) - FIRST_BRICK_ROW
    return 1 << (place * board.SIZE + column)


def _has_brick(bricks: Array, row: Array, column: Array) -> Array:
    return (row >= FIRST_BRICK_ROW) & (row <= LAST_BRICK_ROW) & ((bricks & _brick(row, column)) != 0)


RULES = rules.Rules(
    name="breakout",
    version=VERSION,
    actions=(rules.NOTHING, rules.LEFT, rules.RIGHT),
    colours=(PADDLE, BALL, TRAIL, BRICK),
    max_steps=rules.MAX_STEPS,
    num_words=1,
    start=start,
    step=step,
    draw=draw,
)
