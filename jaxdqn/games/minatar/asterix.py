"""MinAtar asterix: collect gold, avoid enemies.

Source: see `jaxdqn.games.minatar`. Actions, sticky actions and the time limit: see `rules.py`.

Rules: the player moves by one cell, in rows 1 to 8. Each of these rows has room for one object, gold or an enemy, which
enters at one edge, moves straight on and leaves at the other. To touch gold gives +1 and removes it; to touch an enemy
ends the episode. All other rewards are 0. In each step a new object may appear, then the player moves, then the objects
move; the player touches an object in its cell before or after the object moves.
A new object appears every `spawn_period` steps, in a row that is uniform over the empty rows (if all rows are full,
none appears). It moves right with probability 1/2, and is gold with probability 1/3. Objects move every `move_period`
steps.
The game gets harder: every 102 steps, the spawn period falls by 1, and every second time the move period too, down to
1.
Start: no objects; the player is in row 5 and column 5; the spawn period is 10 and the move period 5.
Observation, bool `[10, 10, 4]`: player, enemy, trail (one cell behind each object), gold.
Actions: 0 nothing, 1 left, 2 up, 3 right, 4 down.
Ends: terminated when the player touches an enemy; truncated after `max_steps` steps.
"""

import functools
from typing import NamedTuple

import jax.numpy as jnp

from jaxdqn.games.minatar import board, rules
from jaxdqn.interfaces import Array

VERSION = 1

NUM_SLOTS = 8
EMPTY, ENEMY, GOLD = range(3)  # kinds of objects
SPAWN_PERIOD = 10
MOVE_PERIOD = 5
RAMP_PERIOD = 100

# Channels in the rendered board, RGB.
PLAYER = (255, 255, 255)
ENEMY_COLOUR = (214, 73, 51)
TRAIL = (84, 78, 92)
GOLD_COLOUR = (255, 209, 102)


class AsterixState(NamedTuple):
    """Player, objects and timers; int32 `[]` each, except the objects, int32 `[8]`. Object i is in row i + 1.

    Attributes:
      row, column: of the player.
      kinds: EMPTY, ENEMY or GOLD.
      columns: of the objects.
      directions: of the objects, -1 (left) or +1 (right).
      spawn_countdown, move_countdown: steps until an object appears, and until the objects move.
      spawn_period, move_period: steps from one time to the next.
      ramp_countdown: steps until the game gets harder; it counts down to -1.
      num_ramps: how often the game has become harder.
    """

    row: Array
    column: Array
    kinds: Array
    columns: Array
    directions: Array
    spawn_countdown: Array
    spawn_period: Array
    move_countdown: Array
    move_period: Array
    ramp_countdown: Array
    num_ramps: Array


def start(words: Array) -> AsterixState:
    """Returns the start without objects; it is not random."""
    del words
    empty = jnp.zeros(NUM_SLOTS, jnp.int32)
    return AsterixState(
        row=jnp.int32(5),
        column=jnp.int32(5),
        kinds=empty,
        columns=empty,
        directions=empty,
        spawn_countdown=jnp.int32(SPAWN_PERIOD),
        spawn_period=jnp.int32(SPAWN_PERIOD),
        move_countdown=jnp.int32(MOVE_PERIOD),
        move_period=jnp.int32(MOVE_PERIOD),
        ramp_countdown=jnp.int32(RAMP_PERIOD),
        num_ramps=jnp.int32(0),
    )


def step(
    words: Array, state: AsterixState, action: Array, *, ramping: bool = True
) -> tuple[AsterixState, Array, Array]:
    """Adds an object, moves the player, then the objects."""
    spawns, moves = state.spawn_countdown == 0, state.move_countdown == 0
    kinds, columns, directions = _spawn(words, state, spawns)
    row, column = rules.move_up_or_down(state.row, action, 1, NUM_SLOTS), rules.move_sideways(state.column, action)

    columns_t = columns + jnp.where(moves & (kinds != EMPTY), directions, 0)
    touched = (row == board.INNER_ROWS) & ((columns == column) | (columns_t == column))
    takes_gold = touched & (kinds == GOLD)
    touches_enemy = touched & (kinds == ENEMY)
    is_gone = takes_gold | (columns_t < 0) | (columns_t > board.LAST)
    state = state._replace(
        row=row,
        column=column,
        kinds=jnp.where(is_gone, EMPTY, kinds),
        columns=columns_t,
        directions=directions,
        spawn_countdown=jnp.where(spawns, state.spawn_period, state.spawn_countdown) - 1,
        move_countdown=jnp.where(moves, state.move_period, state.move_countdown) - 1,
    )
    return (_ramp(state) if ramping else state), takes_gold.any().astype(jnp.int32), touches_enemy.any()


def draw(state: AsterixState) -> tuple[Array, ...]:
    """Returns the boards of player, enemies, trails and gold."""
    objects = board.column_word(state.columns)
    trails = board.shifted(objects, -state.directions)
    return (
        board.one_cell(state.row, state.column),
        board.from_inner_rows(jnp.where(state.kinds == ENEMY, objects, 0)),
        board.from_inner_rows(jnp.where(state.kinds == EMPTY, 0, trails)),
        board.from_inner_rows(jnp.where(state.kinds == GOLD, objects, 0)),
    )


def _spawn(words: Array, state: AsterixState, spawns: Array) -> tuple[Array, Array, Array]:
    """Returns kinds, columns and directions after a new object has appeared in a random empty row, if `spawns`."""
    is_empty = state.kinds == EMPTY
    number = jnp.cumsum(is_empty)  # of each empty row among them, from 1
    is_new = spawns & is_empty & (number == 1 + rules.below(words[1], number[-1]))
    moves_right, is_gold = rules.is_right(words[0]), rules.below(words[0], 3) == 0
    return (
        jnp.where(is_new, jnp.where(is_gold, GOLD, ENEMY), state.kinds),
        jnp.where(is_new, jnp.where(moves_right, 0, board.LAST), state.columns),
        jnp.where(is_new, jnp.where(moves_right, 1, -1), state.directions),
    )


def _ramp(state: AsterixState) -> AsterixState:
    """Counts down to the next time that the game gets harder, and makes it harder then."""
    goes_on = (state.spawn_period > 1) | (state.move_period > 1)
    is_due = goes_on & (state.ramp_countdown < 0)
    moves_faster = is_due & (state.move_period > 1) & (state.num_ramps % 2 == 1)
    return state._replace(
        spawn_period=state.spawn_period - (is_due & (state.spawn_period > 1)),
        move_period=state.move_period - moves_faster,
        ramp_countdown=jnp.where(is_due, RAMP_PERIOD, state.ramp_countdown - goes_on),
        num_ramps=state.num_ramps + is_due,
    )


RULES = rules.Rules(
    name="asterix",
    version=VERSION,
    actions=(rules.NOTHING, rules.LEFT, rules.UP, rules.RIGHT, rules.DOWN),
    colours=(PLAYER, ENEMY_COLOUR, TRAIL, GOLD_COLOUR),
    max_steps=rules.MAX_STEPS,
    num_words=2,
    start=start,
    step=step,
    step_without_ramping=functools.partial(step, ramping=False),
    draw=draw,
)
