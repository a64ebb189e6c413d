"""MinAtar seaquest: a submarine shoots fish and enemy submarines, picks up divers, and comes up for air.

Source: see `jaxdqn.games.minatar`. Actions, sticky actions and the time limit: see `rules.py`.

Rules: row 0 is the surface. The player moves by one cell in rows 0 to 8, and faces left or right as it last moved. It
fires a bullet from its own cell, every fifth step at most; bullets of both sides fly by one cell a step. Fish, enemy
submarines and divers enter rows 1 to 8 at one edge, move straight on, and leave at the other. Each fish or submarine
that a bullet of the player meets gives +1, and both are gone. Enemy submarines fire every 11 steps. The player is lost
when an enemy or a bullet of theirs is in its cell, before or after they move. A diver in its cell is picked up, if
there is room for it: at most 6.
Oxygen: 200 at first; it falls by 1 in each step below the surface. At 0 the player is lost in the next step. A player
that comes up with no diver is lost. With a diver it gets full oxygen and loses one diver; with 6 divers it first gets a
reward of a twentieth of its oxygen, rounded down, and loses all (so their number is then -1, as in the package; below
0, coming up is safe as well). All other rewards are 0.
An enemy appears every `spawn_period` steps, in a row that is uniform over 1 to 8: right-moving with probability 1/2, a
submarine with probability 1/3, else a fish; none appears if another enemy moves the other way in this row. A diver
appears every 30 steps, without this exception. Enemies move every `move_period + 1` steps, divers every sixth.
The game gets harder with each coming up: the spawn period falls by 1 down to 1, and every second time the move period
too, down to 2.
Start: nothing but the player, in row 0 and column 5, facing left; the spawn period is 20 and the move period 5.
Observation, bool `[10, 10, 10]`: front and back of the player, its bullet, trail (one cell behind each fish, submarine
and diver), the enemies' bullet, fish, enemy submarine, oxygen gauge and diver gauge (both in row 9), diver.
Actions: 0 nothing, 1 left, 2 up, 3 right, 4 down, 5 fire.
Ends: terminated when the player is lost; truncated after `max_steps` steps.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxdqn.game_interfaces import Game
from jaxdqn.games.minatar import board, rules
from jaxdqn.interfaces import Array

VERSION = 1

NUM_ENEMIES = 32  # slots; at most 30 enemies appear while one of them is on the board
SLOTS = np.arange(NUM_ENEMIES, dtype=np.int32)
NONE, FISH, SUBMARINE = range(3)  # kinds of enemies
DEEPEST = 8  # the lowest row of the player
MAX_OXYGEN = 200
OXYGEN_OF_A_CELL = 20  # of the gauge
MAX_DIVERS = 6
RELOAD = 5
ENEMY_RELOAD = 10
SPAWN_PERIOD = 20
DIVER_SPAWN_PERIOD = 30
MOVE_PERIOD = 5
SHORTEST_MOVE_PERIOD = 2
DIVER_MOVE_PERIOD = 5

# Channels in the rendered board, RGB.
FRONT = (255, 255, 255)
BACK = (160, 170, 180)
FRIENDLY_BULLET = (255, 209, 102)
TRAIL = (38, 66, 84)
ENEMY_BULLET = (244, 122, 158)
FISH_COLOUR = (106, 190, 48)
SUBMARINE_COLOUR = (214, 73, 51)
OXYGEN_GAUGE = (64, 156, 214)
DIVER_GAUGE = (196, 142, 40)
DIVER = (247, 147, 30)


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


def make(
    full_actions: bool = False, sticky: float = rules.STICKY, ramping: bool = True, max_steps: int = rules.MAX_STEPS
) -> Game:
    """Makes seaquest; with `ramping` it gets harder. Other arguments and errors: `rules.make_game`."""
    return rules.make_game(
        rules.Rules(
            name="seaquest",
            version=VERSION,
            actions=tuple(range(rules.NUM_ACTIONS)),
            colours=(
                *(FRONT, BACK, FRIENDLY_BULLET, TRAIL, ENEMY_BULLET),
                *(FISH_COLOUR, SUBMARINE_COLOUR, OXYGEN_GAUGE, DIVER_GAUGE, DIVER),
            ),
            max_steps=rules.MAX_STEPS,
            num_words=2,
            start=start,
            step=functools.partial(step, ramping=ramping),
            draw=draw,
        ),
        full_actions=full_actions,
        sticky=sticky,
        max_steps=max_steps,
        ramping=ramping,
    )


def start(words: Array) -> SeaquestState:
    """Returns the start; it is not random."""
    del words
    two, slots, rows = (jnp.zeros(n, jnp.int32) for n in (2, NUM_ENEMIES, board.SIZE))
    return SeaquestState(
        row=jnp.int32(0),
        column=jnp.int32(5),
        direction=jnp.int32(-1),
        oxygen=jnp.int32(MAX_OXYGEN),
        num_divers=jnp.int32(0),
        at_surface=jnp.bool_(True),
        reload_countdown=jnp.int32(0),
        spawn_countdown=jnp.int32(SPAWN_PERIOD),
        diver_countdown=jnp.int32(DIVER_SPAWN_PERIOD),
        spawn_period=jnp.int32(SPAWN_PERIOD),
        move_period=jnp.int32(MOVE_PERIOD),
        num_ramps=jnp.int32(0),
        num_spawned=jnp.int32(0),
        enemies=Enemies(*[slots] * 6),
        divers=Divers(*[two] * 4),
        bullets=Bullets(*[two] * 3),
        bullets_to_right=rows,
        bullets_to_left=rows,
    )


def step(words: Array, state: SeaquestState, action: Array, *, ramping: bool) -> tuple[SeaquestState, Array, Array]:
    """Adds objects, moves the player, bullets, divers and enemies, and comes up or uses oxygen."""
    state = _spawn_diver(words[1], _spawn_enemy(words[0], state))
    state = _move_player(state, action)
    state, hits = _move_bullets(state)
    state = _move_divers(state)
    state, further_hits, is_met = _move_enemies(state)
    state, is_shot = _move_enemy_bullets(state)
    is_lost = is_met | is_shot | (state.oxygen <= 0)
    state, reward, is_drowned = _breathe(state, ramping)
    state = state._replace(
        spawn_countdown=rules.count_down(state.spawn_countdown),
        diver_countdown=rules.count_down(state.diver_countdown),
        reload_countdown=rules.count_down(state.reload_countdown),
    )
    return state, hits + further_hits + reward, is_lost | is_drowned


def draw(state: SeaquestState) -> tuple[Array, ...]:
    """Returns the boards of the ten channels."""
    enemies, divers, bullets = state.enemies, state.divers, state.bullets
    words = board.column_word(enemies.column)
    trails = board.shifted(words, -enemies.direction)
    is_fish, is_submarine = enemies.kind == FISH, enemies.kind == SUBMARINE
    has_diver = divers.direction != 0
    diver_words = board.column_word(divers.column)
    diver_trails = board.column_word(divers.column - divers.direction)
    oxygen = (1 << (jnp.maximum(state.oxygen, 0) // OXYGEN_OF_A_CELL)) - 1
    # Divers fill columns 8, 7, ...
    aboard = (board.FULL_ROW >> 1) & ~((board.FULL_ROW >> 1) >> jnp.maximum(state.num_divers, 0))
    return (
        board.one_cell(state.row, state.column),
        board.one_cell(state.row, state.column - state.direction),
        board.scattered(bullets.row, jnp.where(bullets.direction != 0, board.column_word(bullets.column), 0)),
        board.scattered(enemies.row, jnp.where(is_fish | is_submarine, trails, 0))
        | board.scattered(divers.row, jnp.where(has_diver, diver_trails, 0)),
        state.bullets_to_right | state.bullets_to_left,
        board.scattered(enemies.row, jnp.where(is_fish, words, 0)),
        board.scattered(enemies.row, jnp.where(is_submarine, words, 0)),
        jnp.where(board.ROWS == board.LAST, oxygen, 0),
        jnp.where(board.ROWS == board.LAST, aboard, 0),
        board.scattered(divers.row, jnp.where(has_diver, diver_words, 0)),
    )


def _spawn_enemy(word: Array, state: SeaquestState) -> SeaquestState:
    """Adds an enemy when it is due, unless one in its row moves the other way."""
    enemies, is_due = state.enemies, state.spawn_countdown == 0
    row, direction, column = _entry(word)
    is_opposed = (enemies.kind != NONE) & (enemies.row == row) & (enemies.direction != direction)
    appears = is_due & ~is_opposed.any()
    kind = jnp.where(rules.below(word, 3) == 0, SUBMARINE, FISH)
    new = Enemies(kind, row, column, direction, state.move_period, jnp.int32(ENEMY_RELOAD))
    is_new = appears & (state.num_spawned % NUM_ENEMIES == SLOTS)
    return state._replace(
        enemies=_where(is_new, new, enemies),
        num_spawned=state.num_spawned + appears,
        spawn_countdown=jnp.where(is_due, state.spawn_period, state.spawn_countdown),
    )


def _spawn_diver(word: Array, state: SeaquestState) -> SeaquestState:
    """Adds a diver as the second when it is due; the one that is there already becomes the first."""
    divers, is_due = state.divers, state.diver_countdown == 0
    row, direction, column = _entry(word)
    moves_up = is_due & (divers.direction[1] != 0)
    divers = _where(moves_up, jax.tree.map(lambda x: jnp.roll(x, 1), divers), divers)
    is_new = is_due & (np.arange(2) == 1)
    return state._replace(
        divers=_where(is_new, Divers(row, column, direction, jnp.int32(DIVER_MOVE_PERIOD)), divers),
        diver_countdown=jnp.where(is_due, DIVER_SPAWN_PERIOD, state.diver_countdown),
    )


def _entry(word: Array) -> tuple[Array, Array, Array]:
    """Returns row, direction and column of an object that enters the board; bits 16 to 18 give the row."""
    row = 1 + ((word >> 16) & 7).astype(jnp.int32)
    moves_right = rules.is_right(word)
    return row, jnp.where(moves_right, 1, -1), jnp.where(moves_right, 0, board.LAST)


def _move_player(state: SeaquestState, action: Array) -> SeaquestState:
    """Fires from the player's cell, or moves the player."""
    fires = (action == rules.FIRE) & (state.reload_countdown == 0)
    is_free = state.bullets.direction == 0
    is_new = fires & is_free & jnp.stack([jnp.bool_(True), ~is_free[0]])
    return state._replace(
        bullets=_where(is_new, Bullets(state.row, state.column, state.direction), state.bullets),
        reload_countdown=jnp.where(fires, RELOAD, state.reload_countdown),
        row=rules.move_up_or_down(state.row, action, 0, DEEPEST),
        column=rules.move_sideways(state.column, action),
        direction=jnp.where(action == rules.RIGHT, 1, jnp.where(action == rules.LEFT, -1, state.direction)),
    )


def _move_bullets(state: SeaquestState) -> tuple[SeaquestState, Array]:
    """Moves the player's bullets; of several enemies in its cell a bullet hits a fish first, then the oldest."""
    bullets = state.bullets
    column = bullets.column + bullets.direction
    bullets = bullets._replace(column=column, direction=jnp.where(_is_inside(column), bullets.direction, 0))
    state = state._replace(bullets=bullets)
    return _hit(state, state.enemies.kind != NONE, _order(state))


def _move_divers(state: SeaquestState) -> SeaquestState:
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


def _move_enemies(state: SeaquestState) -> tuple[SeaquestState, Array, Array]:
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


def _move_enemy_bullets(state: SeaquestState) -> tuple[SeaquestState, Array]:
    """Moves the enemies' bullets; also returns whether one met the player, before or after its move."""
    to_right, to_left = state.bullets_to_right, state.bullets_to_left
    moved_right, moved_left = (to_right << 1) & board.FULL_ROW, to_left >> 1
    met = (to_right | to_left | moved_right | moved_left) & board.one_cell(state.row, state.column)
    return state._replace(bullets_to_right=moved_right, bullets_to_left=moved_left), (met != 0).any()


def _breathe(state: SeaquestState, ramping: bool) -> tuple[SeaquestState, Array, Array]:
    """Uses oxygen below the surface; comes up at it. Also returns the reward, and whether the player drowned."""
    is_below = state.row > 0
    comes_up = ~is_below & ~state.at_surface
    is_saved = comes_up & (state.num_divers != 0)
    brings_all = is_saved & (state.num_divers == MAX_DIVERS)
    reward = jnp.where(brings_all, state.oxygen // OXYGEN_OF_A_CELL, 0)
    is_harder = is_saved & ramping & ((state.spawn_period > 1) | (state.move_period > SHORTEST_MOVE_PERIOD))
    moves_faster = is_harder & (state.move_period > SHORTEST_MOVE_PERIOD) & (state.num_ramps % 2 == 1)
    state = state._replace(
        oxygen=jnp.where(is_saved, MAX_OXYGEN, state.oxygen - is_below),
        num_divers=jnp.where(brings_all, 0, state.num_divers) - is_saved,
        at_surface=~is_below & (state.at_surface | is_saved),
        spawn_period=state.spawn_period - (is_harder & (state.spawn_period > 1)),
        move_period=state.move_period - moves_faster,
        num_ramps=state.num_ramps + is_harder,
    )
    return state, reward, comes_up & ~is_saved


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


def _where(condition: Array, new: Any, old: Any) -> Any:
    """Returns a tuple with the fields of `new` in slots where the condition holds, else with those of `old`."""
    return jax.tree.map(lambda x, y: jnp.where(condition, x, y), new, old)
