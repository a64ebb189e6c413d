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

import jax.numpy as jnp

from jaxdqn.games.minatar import board, rules
from jaxdqn.games.minatar import seaquest_objects as objects
from jaxdqn.interfaces import Array

VERSION = 1

DEEPEST = 8  # the lowest row of the player
MAX_OXYGEN = 200
OXYGEN_OF_A_CELL = 20  # of the gauge
RELOAD = 5
SPAWN_PERIOD = 20
MOVE_PERIOD = 5
SHORTEST_MOVE_PERIOD = 2

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


def start(words: Array) -> objects.SeaquestState:
    """Returns the start; it is not random."""
    del words
    two, slots, rows = (jnp.zeros(n, jnp.int32) for n in (2, objects.NUM_ENEMIES, board.SIZE))
    return objects.SeaquestState(
        row=jnp.int32(0),
        column=jnp.int32(5),
        direction=jnp.int32(-1),
        oxygen=jnp.int32(MAX_OXYGEN),
        num_divers=jnp.int32(0),
        at_surface=jnp.bool_(True),
        reload_countdown=jnp.int32(0),
        spawn_countdown=jnp.int32(SPAWN_PERIOD),
        diver_countdown=jnp.int32(objects.DIVER_SPAWN_PERIOD),
        spawn_period=jnp.int32(SPAWN_PERIOD),
        move_period=jnp.int32(MOVE_PERIOD),
        num_ramps=jnp.int32(0),
        num_spawned=jnp.int32(0),
        enemies=objects.Enemies(*[slots] * 6),
        divers=objects.Divers(*[two] * 4),
        bullets=objects.Bullets(*[two] * 3),
        bullets_to_right=rows,
        bullets_to_left=rows,
    )


def step(
    words: Array, state: objects.SeaquestState, action: Array, *, ramping: bool = True
) -> tuple[objects.SeaquestState, Array, Array]:
    """Adds objects, moves the player, bullets, divers and enemies, and comes up or uses oxygen."""
    state = objects.spawn_diver(words[1], objects.spawn_enemy(words[0], state))
    state = _move_player(state, action)
    state, hits = objects.move_bullets(state)
    state = objects.move_divers(state)
    state, further_hits, is_met = objects.move_enemies(state)
    state, is_shot = objects.move_enemy_bullets(state)
    is_lost = is_met | is_shot | (state.oxygen <= 0)
    state, reward, is_drowned = _breathe(state, ramping)
    state = state._replace(
        spawn_countdown=rules.count_down(state.spawn_countdown),
        diver_countdown=rules.count_down(state.diver_countdown),
        reload_countdown=rules.count_down(state.reload_countdown),
    )
    return state, hits + further_hits + reward, is_lost | is_drowned


def draw(state: objects.SeaquestState) -> tuple[Array, ...]:
    """Returns the boards of the ten channels."""
    enemies, divers, bullets = state.enemies, state.divers, state.bullets
    words = board.column_word(enemies.column)
    trails = board.shifted(words, -enemies.direction)
    is_fish, is_submarine = enemies.kind == objects.FISH, enemies.kind == objects.SUBMARINE
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


def _move_player(state: objects.SeaquestState, action: Array) -> objects.SeaquestState:
    """Fires from the player's cell, or moves the player."""
    fires = (action == rules.FIRE) & (state.reload_countdown == 0)
    is_free = state.bullets.direction == 0
    is_new = fires & is_free & jnp.stack([jnp.bool_(True), ~is_free[0]])
    return state._replace(
        bullets=objects.where(is_new, objects.Bullets(state.row, state.column, state.direction), state.bullets),
        reload_countdown=jnp.where(fires, RELOAD, state.reload_countdown),
        row=rules.move_up_or_down(state.row, action, 0, DEEPEST),
        column=rules.move_sideways(state.column, action),
        direction=jnp.where(action == rules.RIGHT, 1, jnp.where(action == rules.LEFT, -1, state.direction)),
    )


def _breathe(state: objects.SeaquestState, ramping: bool) -> tuple[objects.SeaquestState, Array, Array]:
    """Uses oxygen below the surface; comes up at it. Also returns the reward, and whether the player drowned."""
    is_below = state.row > 0
    comes_up = ~is_below & ~state.at_surface
    is_saved = comes_up & (state.num_divers != 0)
    brings_all = is_saved & (state.num_divers == objects.MAX_DIVERS)
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


RULES = rules.Rules(
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
    step=step,
    step_without_ramping=functools.partial(step, ramping=False),
    draw=draw,
)
