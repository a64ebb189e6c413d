"""The state of MinAtar seaquest, and the moves of its enemies, divers and bullets. `seaquest.py` has the rules."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxdqn.games.minatar import board, rules
from jaxdqn.interfaces import Array

NUM_ENEMIES = 32  # slots; at most 30 enemies appear while one of them is on the board
SLOTS = np.arange(NUM_ENEMIES, dtype=np.int32)
NONE, FISH, SUBMARINE = range(3)  # kinds of enemies
MAX_DIVERS = 6
ENEMY_RELOAD = 10
DIVER_SPAWN_PERIOD = 30
DIVER_MOVE_PERIOD = 5


class Enemies(NamedTuple):
    """Fish and enemy submarines, int32 `[32]` each, in the order in which they appeared: see `num_spawned`."""

    kind: Array  # NONE, FISH or SUBMARINE
    row: Array
    column: Array
    direction: Array  # -1 (left) or +1 (right)
    move_countdown: Array
    shot_countdown: Array  # of a submarine


class Divers(NamedTuple):
    """Divers, int32 `[2]` each; the second appeared last."""

    row: Array
    column: Array
    direction: Array  # -1 or +1, or 0 where there is none
    move_countdown: Array


class Bullets(NamedTuple):
    """The player's bullets, int32 `[2]` each, in any order: the first leaves before a third can be fired."""

    row: Array
    column: Array
    direction: Array  # -1 or +1, or 0 where there is none


class SeaquestState(NamedTuple):
    """Player, objects and timers; int32 `[]` each, except as named.

    Attributes:
      row, column, direction: of the player; -1 faces left, +1 right.
      oxygen, num_divers: of the player.
      at_surface: bool `[]`, whether the player has come up and not gone down since.
      reload_countdown: steps until the player can fire.
      spawn_countdown, diver_countdown: steps until an enemy, and until a diver appears.
      spawn_period, move_period: of enemies.
      num_ramps: how often the game has become harder.
      num_spawned: of enemies. Enemy number n is in slot n % 32.
      enemies, divers, bullets: `Enemies`, `Divers`, `Bullets`.
      bullets_to_right, bullets_to_left: int32 `[10]`, boards of the enemies' bullets (see `board.py`).
    """

    row: Array
    column: Array
    direction: Array
    oxygen: Array
    num_divers: Array
    at_surface: Array
    reload_countdown: Array
    spawn_countdown: Array
    diver_countdown: Array
    spawn_period: Array
    move_period: Array
    num_ramps: Array
    num_spawned: Array
    enemies: Enemies
    divers: Divers
    bullets: Bullets
    bullets_to_right: Array
    bullets_to_left: Array


def spawn_enemy(word: Array, state: SeaquestState) -> SeaquestState:
    """Adds an enemy when it is due, unless one in its row moves the other way."""
    enemies, is_due = state.enemies, state.spawn_countdown == 0
    row, direction, column = _entry(word)
    is_opposed = (enemies.kind != NONE) & (enemies.row == row) & (enemies.direction != direction)
    appears = is_due & ~is_opposed.any()
    kind = jnp.where(rules.below(word, 3) == 0, SUBMARINE, FISH)
    new = Enemies(kind, row, column, direction, state.move_period, jnp.int32(ENEMY_RELOAD))
    is_new = appears & (state.num_spawned % NUM_ENEMIES == SLOTS)
    return state._replace(
        enemies=where(is_new, new, enemies),
        num_spawned=state.num_spawned + appears,
        spawn_countdown=jnp.where(is_due, state.spawn_period, state.spawn_countdown),
    )


def spawn_diver(word: Array, state: SeaquestState) -> SeaquestState:
    """Adds a diver as the second when it is due; the one that is there already becomes the first."""
    divers, is_due = state.divers, state.diver_countdown == 0
    row, direction, column = _entry(word)
    moves_up = is_due & (divers.direction[1] != 0)
    divers = where(moves_up, jax.tree.map(lambda x: jnp.roll(x, 1), divers), divers)
    is_new = is_due & (np.arange(2) == 1)
    return state._replace(
        divers=where(is_new, Divers(row, column, direction, jnp.int32(DIVER_MOVE_PERIOD)), divers),
        diver_countdown=jnp.where(is_due, DIVER_SPAWN_PERIOD, state.diver_countdown),
    )


def move_bullets(state: SeaquestState) -> tuple[SeaquestState, Array]:
    """Moves the player's bullets; of several enemies in its cell a bullet hits a fish first, then the oldest."""
    bullets = state.bullets
    column = bullets.column + bullets.direction
    bullets = bullets._replace(column=column, direction=jnp.where(_is_inside(column), bullets.direction, 0))
    state = state._replace(bullets=bullets)
    return _hit(state, state.enemies.kind != NONE, _order(state))


def move_divers(state: SeaquestState) -> SeaquestState:
    """Picks up divers in the player's cell, before or after they move; the newest first, while there is room."""
    divers, room = state.divers, MAX_DIVERS - state.num_divers
    exists, moves = divers.direction != 0, divers.move_countdown == 0
    column = divers.column + jnp.where(moves, divers.direction, 0)
    is_met = exists & (divers.row == state.row) & ((divers.column == state.column) | (column == state.column))
    is_taken = is_met & (jnp.stack([is_met[1].astype(jnp.int32), jnp.int32(0)]) < room)
    return state._replace(
        divers=divers._replace(
            column=column,
            direction=jnp.where(is_taken | ~_is_inside(column), 0, divers.direction),
            move_countdown=jnp.where(moves, DIVER_MOVE_PERIOD, divers.move_countdown - 1),
        ),
        num_divers=state.num_divers + is_taken.sum(),
    )


def move_enemies(state: SeaquestState) -> tuple[SeaquestState, Array, Array]:
    """Moves fish and submarines; also returns how many moved into a bullet, and whether one met the player.

    Of several enemies that move into the same bullet, it hits a submarine first, then the newest. A submarine that is
    hit or leaves in this step can still fire in it; where it left, its bullet leaves too.
    """
    enemies = state.enemies
    exists = enemies.kind != NONE
    moves = exists & (enemies.move_countdown == 0)
    column = enemies.column + jnp.where(moves, enemies.direction, 0)
    is_inside = _is_inside(column)
    is_in_row = enemies.row == state.row
    met_before, met_after = is_in_row & (enemies.column == state.column), is_in_row & (column == state.column)
    shoots = (enemies.kind == SUBMARINE) & (enemies.shot_countdown == 0)
    fired = jnp.where(shoots, board.column_word(column), 0)
    to_right, order = enemies.direction > 0, _order(state)
    state = state._replace(
        enemies=enemies._replace(
            kind=jnp.where(is_inside, enemies.kind, NONE),
            column=column,
            move_countdown=jnp.where(moves, state.move_period, enemies.move_countdown - 1),
            shot_countdown=jnp.where(enemies.shot_countdown == 0, ENEMY_RELOAD, enemies.shot_countdown - 1),
        ),
        bullets_to_right=state.bullets_to_right | board.scattered(enemies.row, jnp.where(to_right, fired, 0)),
        bullets_to_left=state.bullets_to_left | board.scattered(enemies.row, jnp.where(to_right, 0, fired)),
    )
    state, hits = _hit(state, moves & is_inside & ~met_after, -order)
    return state, hits, (exists & (met_before | met_after)).any()


def move_enemy_bullets(state: SeaquestState) -> tuple[SeaquestState, Array]:
    """Moves the enemies' bullets; also returns whether one met the player, before or after its move."""
    to_right, to_left = state.bullets_to_right, state.bullets_to_left
    moved_right, moved_left = (to_right << 1) & board.FULL_ROW, to_left >> 1
    met = (to_right | to_left | moved_right | moved_left) & board.one_cell(state.row, state.column)
    return state._replace(bullets_to_right=moved_right, bullets_to_left=moved_left), (met != 0).any()


def where(condition: Array, new: Any, old: Any) -> Any:
    """Returns a tuple with the fields of `new` in slots where the condition holds, else with those of `old`."""
    return jax.tree.map(lambda x, y: jnp.where(condition, x, y), new, old)


def _entry(word: Array) -> tuple[Array, Array, Array]:
    """Returns row, direction and column of an object that enters the board; bits 16 to 18 give the row."""
    row = 1 + ((word >> 16) & 7).astype(jnp.int32)
    moves_right = rules.is_right(word)
    return row, jnp.where(moves_right, 1, -1), jnp.where(moves_right, 0, board.LAST)


def _order(state: SeaquestState) -> Array:
    """Returns numbers that put fish before submarines, and older before newer enemies, int32 `[32]`."""
    return state.enemies.kind * NUM_ENEMIES + (SLOTS - state.num_spawned) % NUM_ENEMIES


def _hit(state: SeaquestState, can_be_hit: Array, order: Array) -> tuple[SeaquestState, Array]:
    """Removes each bullet of the player that is in the cell of an enemy, and the first of these enemies.

    Two bullets are never in the same cell, so they do not compete for an enemy.
    """
    bullets, enemies = state.bullets, state.enemies
    in_cell = (
        can_be_hit[None]
        & (bullets.direction != 0)[:, None]
        & (bullets.row[:, None] == enemies.row[None])
        & (bullets.column[:, None] == enemies.column[None])
    )
    behind_all = 3 * NUM_ENEMIES
    first = jnp.where(in_cell, order[None], behind_all).min(axis=1)
    is_hit = (in_cell & (order[None] == first[:, None])).any(axis=0)
    hits = first < behind_all
    state = state._replace(
        enemies=enemies._replace(kind=jnp.where(is_hit, NONE, enemies.kind)),
        bullets=bullets._replace(direction=jnp.where(hits, 0, bullets.direction)),
    )
    return state, hits.sum()


def _is_inside(column: Array) -> Array:
    return (column >= 0) & (column <= board.LAST)
