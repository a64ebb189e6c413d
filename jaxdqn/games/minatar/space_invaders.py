"""MinAtar space invaders: a cannon shoots at a block of aliens that comes down and shoots back.

Source: see `jaxdqn.games.minatar`. Actions, sticky actions and the time limit: see `rules.py`.

Rules: the cannon moves in row 9. It fires a bullet from its own cell, every fifth step at most; bullets fly up by one
row a step. Aliens move together: sideways by one column, and down by one row where one of them is at the edge ahead;
then they turn around. They move every `move_period` steps, or more often where fewer of them are left: every n steps
with n aliens. Every tenth step, the lowest alien of the column nearest to the cannon (the left one of two) fires a
bullet, which flies down by one row a step. After all moves, each alien and each of the cannon's bullets that share a
cell are removed: +1 for each. All other rewards are 0. The cannon is lost when an alien or a bullet of theirs reaches
its cell, or when aliens must move down and one is in row 9. When all 24 aliens are shot, a new block appears; the game
gets harder with each: the move period falls by 1, down to 6.
Start: the aliens fill rows 0 to 3 and columns 2 to 7 and move left; the cannon is in column 5; the move period is 12.
Nothing in this game is random, except sticky actions.
Observation, bool `[10, 10, 6]`: cannon, alien, alien while they move left, alien while they move right, the cannon's
bullet, the aliens' bullet.
Actions: 0 nothing, 1 left, 2 right, 3 fire.
Ends: terminated when the cannon is lost; truncated after `max_steps` steps.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxdqn.games.minatar import board, rules
from jaxdqn.interfaces import Array

VERSION = 1

BLOCK = np.where(board.ROWS < 4, 0b0011111100, 0).astype(np.int32)  # of aliens at the start
MOVE_PERIOD = 12
SHORTEST_MOVE_PERIOD = 6
SHOT_PERIOD = 10
RELOAD = 5

# Channels in the rendered board, RGB. A board shows aliens in the colour of their first channel.
CANNON = (255, 255, 255)
ALIEN = (106, 190, 48)
FRIENDLY_BULLET = (255, 209, 102)
ENEMY_BULLET = (214, 73, 51)


class SpaceInvadersState(NamedTuple):
    """Cannon, aliens, bullets and timers; int32 `[]` each, except the boards, int32 `[10]` (see `board.py`).

    Attributes:
      cannon: its column.
      aliens, friendly_bullets, enemy_bullets: boards.
      direction: of the aliens, -1 (left) or +1 (right).
      move_period: steps between moves of many aliens.
      move_countdown, shot_countdown: steps until the aliens move, and until one fires.
      reload_countdown: steps until the cannon can fire.
      num_ramps: how often the game has become harder.
    """

    cannon: Array
    aliens: Array
    friendly_bullets: Array
    enemy_bullets: Array
    direction: Array
    move_period: Array
    move_countdown: Array
    shot_countdown: Array
    reload_countdown: Array
    num_ramps: Array


def start(words: Array) -> SpaceInvadersState:
    """Returns the start; it is not random."""
    del words
    empty = jnp.zeros(board.SIZE, jnp.int32)
    return SpaceInvadersState(
        cannon=jnp.int32(5),
        aliens=jnp.asarray(BLOCK),
        friendly_bullets=empty,
        enemy_bullets=empty,
        direction=jnp.int32(-1),
        move_period=jnp.int32(MOVE_PERIOD),
        move_countdown=jnp.int32(MOVE_PERIOD),
        shot_countdown=jnp.int32(SHOT_PERIOD),
        reload_countdown=jnp.int32(0),
        num_ramps=jnp.int32(0),
    )


def step(
    words: Array, state: SpaceInvadersState, action: Array, *, ramping: bool = True
) -> tuple[SpaceInvadersState, Array, Array]:
    """Fires or moves the cannon, then moves bullets and aliens, and removes the aliens that are hit."""
    del words
    fires = (action == rules.FIRE) & (state.reload_countdown == 0)
    fired = jnp.where(fires, board.one_cell(board.LAST, state.cannon), 0)
    cannon = rules.move_sideways(state.cannon, action)
    friendly_bullets = _up(state.friendly_bullets | fired)
    enemy_bullets = _down(state.enemy_bullets)
    is_lost = _is_full(enemy_bullets | state.aliens, cannon)

    aliens, direction, landed = _move(state)
    is_lost |= landed | _is_full(aliens, cannon)
    moves, shoots = state.move_countdown == 0, state.shot_countdown == 0
    move_period = jnp.minimum(_count(state.aliens), state.move_period)
    enemy_bullets |= jnp.where(shoots, _shooter(aliens, cannon), 0)

    hit = aliens & friendly_bullets
    state = SpaceInvadersState(
        cannon=cannon,
        aliens=aliens ^ hit,
        friendly_bullets=friendly_bullets ^ hit,
        enemy_bullets=enemy_bullets,
        direction=direction,
        move_period=state.move_period,
        move_countdown=jnp.where(moves, move_period, state.move_countdown) - 1,
        shot_countdown=jnp.where(shoots, SHOT_PERIOD, state.shot_countdown) - 1,
        reload_countdown=rules.count_down(jnp.where(fires, RELOAD, state.reload_countdown)),
        num_ramps=state.num_ramps,
    )
    return _refill(state, ramping), _count(hit), is_lost


def draw(state: SpaceInvadersState) -> tuple[Array, ...]:
    """Returns the boards of cannon, aliens, aliens by direction, and bullets."""
    return (
        board.one_cell(board.LAST, state.cannon),
        state.aliens,
        jnp.where(state.direction < 0, state.aliens, 0),
        jnp.where(state.direction > 0, state.aliens, 0),
        state.friendly_bullets,
        state.enemy_bullets,
    )


def _move(state: SpaceInvadersState) -> tuple[Array, Array, Array]:
    """Returns the aliens after their move, their direction, and whether one had to move below row 9."""
    aliens, direction = state.aliens, state.direction
    moves = state.move_countdown == 0
    edge = jnp.where(direction < 0, 0, board.LAST)
    turns = moves & ((board.union(aliens) & board.column_word(edge)) != 0)
    moved = jnp.where(turns, jnp.roll(aliens, 1), board.shifted(aliens, direction))
    return jnp.where(moves, moved, aliens), jnp.where(turns, -direction, direction), turns & (aliens[board.LAST] != 0)


def _shooter(aliens: Array, cannon: Array) -> Array:
    """Returns the board of the alien that fires: the lowest of the column nearest to the cannon, the left of two."""
    columns = board.ROWS  # numbers 0 to 9
    has_aliens = ((board.union(aliens) >> columns) & 1) == 1
    distance = jnp.abs(columns - cannon) * board.SIZE + columns  # unique: a tie goes to the left
    column = jnp.where(has_aliens, distance, board.SIZE**2).min() % board.SIZE
    bit = 1 << column
    lowest = jnp.where((aliens & bit) != 0, board.ROWS, -1).max()
    return jnp.where(lowest == board.ROWS, bit, 0)


def _refill(state: SpaceInvadersState, ramping: bool) -> SpaceInvadersState:
    """Adds a new block of aliens when the last one is shot, and makes the game harder."""
    is_empty = board.union(state.aliens) == 0
    is_harder = is_empty & ramping & (state.move_period > SHORTEST_MOVE_PERIOD)
    return state._replace(
        aliens=jnp.where(is_empty, BLOCK, state.aliens),
        move_period=state.move_period - is_harder,
        num_ramps=state.num_ramps + is_harder,
    )


def _up(rows: Array) -> Array:
    return jnp.concatenate([rows[1:], jnp.zeros(1, jnp.int32)])


def _down(rows: Array) -> Array:
    return jnp.concatenate([jnp.zeros(1, jnp.int32), rows[:-1]])


def _is_full(rows: Array, cannon: Array) -> Array:
    """Returns whether the cannon's cell is full."""
    return ((rows[board.LAST] >> cannon) & 1) == 1


def _count(rows: Array) -> Array:
    return jax.lax.population_count(rows).sum()


RULES = rules.Rules(
    name="space_invaders",
    version=VERSION,
    actions=(rules.NOTHING, rules.LEFT, rules.RIGHT, rules.FIRE),
    colours=(CANNON, ALIEN, ALIEN, ALIEN, FRIENDLY_BULLET, ENEMY_BULLET),
    max_steps=rules.MAX_STEPS,
    num_words=0,
    start=start,
    step=step,
    step_without_ramping=functools.partial(step, ramping=False),
    draw=draw,
)
