"""The package `MinAtar` as an oracle: its states as those of jaxdqn's games, its random numbers from our random words.

Of each game it holds how to read a state, how to make any legal state, and the random numbers of a step in the order in
which the package asks for them.
"""

import logging
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

from jaxdqn.games import MINATAR
from jaxdqn.games.minatar import asterix, breakout, freeway, rules, seaquest_objects, space_invaders

NUM_SLOTS = seaquest_objects.NUM_ENEMIES


def load():
    """Returns the package; without it the test is skipped. It logs that seaborn, which it draws with, is missing.

    An experiment has the name of the package, and the tests have the folder of experiments on their path.
    """
    logging.disable(logging.WARNING)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "path", [folder for folder in sys.path if not folder.endswith("experiments")])
            return pytest.importorskip("minatar", reason="pip install --no-deps MinAtar==1.0.15")
    finally:
        logging.disable(logging.NOTSET)


class Answers:
    """Takes the place of a NumPy `RandomState`: gives prepared numbers in order; `left` holds those not yet used."""

    def __init__(self):
        self.left = []

    def rand(self, *shape):
        answer = self.left.pop(0)
        assert np.shape(answer) == shape
        return answer

    def randint(self, *arguments, **keywords):
        answer = self.left.pop(0)
        return answer(*arguments) if callable(answer) else answer


class Original(NamedTuple):
    """A game of the package.

    Attributes:
      rules: of the game in jaxdqn.
      answers: `(words, game) -> [random numbers]` of the next step, in the package's order; the state of the package's
        game tells whether something appears.
      read: `game -> state`, in jaxdqn's form, leaves in NumPy.
      scramble: `(game, RandomState) -> None`, makes any legal state.
      comparable: `states -> states`, batches in which equal states have equal leaves.
    """

    rules: rules.Rules
    answers: Callable[[np.ndarray, Any], list]
    read: Callable[[Any], Any]
    scramble: Callable[[Any, np.random.RandomState], None]
    comparable: Callable[[Any], Any]


def _coin(word):
    """Returns a uniform number whose half tells the highest bit: below 1/2 where the bit is set."""
    return 0.25 if word >> 31 else 0.75


def _third(word):
    return 0.2 if (word & 0xFFFF) * 3 < 2**16 else 0.6


def _rows(cells):
    return (np.asarray(cells) > 0) @ (1 << np.arange(10))


def _sign(moves_right):
    return 1 if moves_right else -1


def _one_of(random, *values):
    return values[random.randint(len(values))]


def _identity(state):
    return state


# Asterix


def _asterix_answers(words, game):
    if game.spawn_timer:
        return []
    direction, gold = _coin(words[0]), _third(words[0])
    is_full = all(entity is not None for entity in game.entities)
    return [direction, gold] if is_full else [direction, gold, lambda number: int((words[1] & 0xFFFF) * number >> 16)]


def _read_asterix(game):
    objects = [entity or (0, 0, 0, None) for entity in game.entities]
    return asterix.AsterixState(
        row=game.player_y,
        column=game.player_x,
        kinds=np.array([0 if entity is None else 2 if entity[3] else 1 for entity in game.entities]),
        columns=np.array([entity[0] for entity in objects]),
        directions=np.array([0 if entity[3] is None else _sign(entity[2]) for entity in objects]),
        spawn_countdown=game.spawn_timer,
        spawn_period=game.spawn_speed,
        move_countdown=game.move_timer,
        move_period=game.move_speed,
        ramp_countdown=game.ramp_timer,
        num_ramps=game.ramp_index,
    )


def _scramble_asterix(game, random):
    game.player_x, game.player_y = random.randint(10), random.randint(1, 9)
    is_there = random.rand(8) < _one_of(random, 0.2, 0.8, 1.0)
    sides = random.rand(8, 2) < 0.5
    game.entities = [
        [random.randint(10), i + 1, bool(sides[i, 0]), bool(sides[i, 1])] if is_there[i] else None for i in range(8)
    ]
    game.spawn_speed, game.move_speed = random.randint(1, 11), random.randint(1, 6)
    game.spawn_timer = random.randint(game.spawn_speed + 1) * random.randint(2)
    game.move_timer = random.randint(game.move_speed + 1) * random.randint(2)
    game.ramp_timer, game.ramp_index = _one_of(random, -1, 0, 50, 100), random.randint(10)


def _comparable_asterix(state):
    exists = state.kinds > 0
    return state._replace(columns=np.where(exists, state.columns, 0), directions=np.where(exists, state.directions, 0))


# Breakout: direction 0 is up and left, 1 up and right, 2 down and right, 3 down and left


def _read_breakout(game):
    cells = np.asarray(game.brick_map) > 0
    assert not cells[0].any()
    assert not cells[4:].any()
    return breakout.BreakoutState(
        paddle=game.pos,
        ball_row=game.ball_y,
        ball_column=game.ball_x,
        row_step=_sign(game.ball_dir >= 2),
        column_step=_sign(game.ball_dir in (1, 2)),
        previous_row=game.last_y,
        previous_column=game.last_x,
        bricks=int(cells[1:4].reshape(-1) @ (1 << np.arange(30))),
        just_struck=bool(game.strike),
    )


def _scramble_breakout(game, random):
    game.ball_x, game.ball_y, game.ball_dir = random.randint(10), random.randint(9), random.randint(4)
    game.last_x, game.last_y, game.strike = random.randint(10), random.randint(10), bool(random.randint(2))
    game.pos = int(np.clip(game.ball_x + random.randint(-2, 3), 0, 9))
    game.brick_map = np.zeros((10, 10))
    game.brick_map[1:4] = random.rand(3, 10) < _one_of(random, 0.0, 0.05, 0.5, 1.0)


# Freeway


def _freeway_answers(words, game):
    """Returns the new velocities if the chicken can reach row 0; else nothing is asked."""
    return [1 + ((words & 0xFFFF) * 5 >> 16).astype(np.int64), np.where(words >> 31 == 1, 0.75, 0.25)]


def _read_freeway(game):
    columns, _, countdowns, velocities = np.array(game.cars).T
    return freeway.FreewayState(game.pos, game.move_timer, columns, countdowns, velocities)


def _scramble_freeway(game, random):
    game.pos, game.move_timer = _one_of(random, 1, 1, 2, *range(1, 10)), _one_of(random, 0, 0, 1, 2, 3)
    game.terminate_timer = _one_of(random, 0, 1, 2500)
    speeds = random.randint(1, 6, 8)
    columns = np.where(random.rand(8) < 0.5, random.randint(3, 6, 8), random.randint(10, size=8))
    countdowns = random.randint(speeds + 1) * random.randint(2, size=8)
    velocities = speeds * (2 * random.randint(2, size=8) - 1)
    game.cars = [
        [int(x), i + 1, int(t), int(v)] for i, (x, t, v) in enumerate(zip(columns, countdowns, velocities, strict=True))
    ]


# Seaquest


def _seaquest_answers(words, game):
    def row(word):
        return 1 + (int(word) >> 16 & 7)

    enemy = [] if game.e_spawn_timer else [_coin(words[0]), _third(words[0]), row(words[0])]
    return enemy + ([] if game.d_spawn_timer else [_coin(words[1]), row(words[1])])


def _read_seaquest(game):
    enemies, divers, bullets = (np.zeros((n, d), np.int64) for n, d in ((NUM_SLOTS, 6), (2, 4), (2, 3)))
    # The package keeps fish and submarines in two lists; only the order within each matters.
    first = game.oxygen + game.sub_x  # any number: the first slot
    fish = [(seaquest_objects.FISH, y, x, _sign(right), wait, 0) for x, y, right, wait in game.e_fish]
    submarines = [(seaquest_objects.SUBMARINE, y, x, _sign(right), *waits) for x, y, right, *waits in game.e_subs]
    for i, enemy in enumerate(fish + submarines):
        enemies[(first + i) % NUM_SLOTS] = enemy
    number = len(game.divers)
    for i, (x, y, right, wait) in enumerate(game.divers):
        divers[2 - number + i] = y, x, _sign(right), wait
    for i, (x, y, right) in enumerate(game.f_bullets):
        bullets[i] = y, x, _sign(right)
    to_right, to_left = np.zeros((2, 10), np.int64)
    for x, y, right in game.e_bullets:
        (to_right if right else to_left)[y] |= 1 << x
    return seaquest_objects.SeaquestState(
        row=game.sub_y,
        column=game.sub_x,
        direction=_sign(game.sub_or),
        oxygen=game.oxygen,
        num_divers=game.diver_count,
        at_surface=bool(game.surface),
        reload_countdown=game.shot_timer,
        spawn_countdown=game.e_spawn_timer,
        diver_countdown=game.d_spawn_timer,
        spawn_period=game.e_spawn_speed,
        move_period=game.move_speed,
        num_ramps=game.ramp_index,
        num_spawned=first + len(fish) + len(submarines),
        enemies=seaquest_objects.Enemies(*enemies.T),
        divers=seaquest_objects.Divers(*divers.T),
        bullets=seaquest_objects.Bullets(*bullets.T),
        bullets_to_right=to_right,
        bullets_to_left=to_left,
    )


def _scramble_seaquest(game, random):
    def wait(longest, *size):
        return random.randint(longest + 1, size=size) * random.randint(2, size=size)

    game.sub_x, game.sub_y = random.randint(10), _one_of(random, 0, 0, 1, *range(9))
    # The package cannot draw the back of a player outside of the board.
    game.sub_or = game.sub_x == 9 or (game.sub_x > 0 and random.rand() < 0.5)
    game.oxygen, game.diver_count = _one_of(random, 0, 1, 19, 20, 199, 200), _one_of(random, -2, -1, 0, 1, 5, 5, 6, 6)
    game.shot_timer, game.surface, game.ramp_index = int(wait(5)), random.rand() < 0.5, random.randint(20)
    game.e_spawn_speed, game.e_spawn_timer = random.randint(1, 21), random.randint(4)
    game.d_spawn_timer, game.move_speed = random.randint(4), random.randint(2, 6)
    rows = np.array([*random.randint(1, 9, 2), max(1, game.sub_y)])

    def places(number):
        near = np.clip(game.sub_x + random.randint(-2, 3, number), 0, 9)
        columns = np.where(random.rand(number) < 0.5, near, random.randint(10, size=number))
        coins = random.rand(number) < 0.5
        return list(map(list, zip(columns.tolist(), random.choice(rows, number).tolist(), coins.tolist(), strict=True)))

    def waiting(objects, *longest):
        waits = [wait(most, len(objects)).tolist() for most in longest]
        return [[*place, *times] for place, *times in zip(objects, *waits, strict=True)]

    number = _one_of(random, 1, 8, 30)
    number_of_fish = random.randint(number + 1)
    game.e_fish, game.e_subs = waiting(places(number_of_fish), 5), waiting(places(number - number_of_fish), 5, 10)
    game.e_bullets = places(random.randint(5))
    # In play there are at most two of the player's bullets and two divers, and no two bullets share a cell.
    game.f_bullets = places(random.randint(3))
    if game.shot_timer == 0:  # it can fire another
        game.f_bullets = [bullet for bullet in game.f_bullets[:1] if bullet[1] != game.sub_y]
    elif len({bullet[1] for bullet in game.f_bullets}) == 1:
        game.f_bullets = game.f_bullets[:1]
    game.divers = waiting(places(random.randint(2 if game.d_spawn_timer == 0 else 3)), 5)
    for diver in game.divers:
        if random.rand() < 0.5:
            diver[:2] = game.sub_x, max(1, game.sub_y)


def _comparable_seaquest(state):
    """Returns states with enemies of each kind in order of age, divers in order, bullets sorted, empty slots zero."""
    enemies, kinds = np.stack(state.enemies, axis=-1), state.enemies.kind  # [B, 32, 6], [B, 32]
    age = (np.arange(NUM_SLOTS) - state.num_spawned[:, None]) % NUM_SLOTS
    order = np.argsort(np.where(kinds > 0, kinds * NUM_SLOTS + age, 4 * NUM_SLOTS), axis=1)
    enemies = np.take_along_axis(np.where(kinds[..., None] > 0, enemies, 0), order[..., None], axis=1)
    enemies[..., 5] *= enemies[..., 0] == seaquest_objects.SUBMARINE  # a fish does not fire
    divers = np.stack(state.divers, axis=-1)
    exists = divers[..., 2] != 0
    divers = np.take_along_axis(
        divers * exists[..., None], np.argsort(exists, axis=1, kind="stable")[..., None], axis=1
    )
    row, column, direction = state.bullets
    bullets = np.sort(np.where(direction != 0, 1000 * (row + 1) + 10 * column + direction, 0), axis=1)
    return state._replace(num_spawned=np.zeros(len(age)), enemies=enemies, divers=divers, bullets=bullets)


# Space invaders


def _read_space_invaders(game):
    return space_invaders.SpaceInvadersState(
        cannon=game.pos,
        aliens=_rows(game.alien_map),
        friendly_bullets=_rows(game.f_bullet_map),
        enemy_bullets=_rows(game.e_bullet_map),
        direction=game.alien_dir,
        move_period=game.enemy_move_interval,
        move_countdown=game.alien_move_timer,
        shot_countdown=game.alien_shot_timer,
        reload_countdown=game.shot_timer,
        num_ramps=game.ramp_index,
    )


def _scramble_space_invaders(game, random):
    def board(*densities):
        return (random.rand(10, 10) < _one_of(random, *densities)).astype(float)

    game.pos, game.alien_dir = random.randint(10), _one_of(random, -1, 1)
    game.alien_map = board(0.01, 0.1, 0.5) * (random.rand(10) < _one_of(random, 0.6, 1.0))
    game.alien_map[random.randint(10), random.randint(10)] = 1.0  # the package needs one
    game.f_bullet_map, game.e_bullet_map = board(0.0, 0.1, 0.6), board(0.0, 0.05)
    game.enemy_move_interval, game.ramp_index = random.randint(6, 13), random.randint(7)
    game.alien_move_timer, game.alien_shot_timer = (
        random.randint(13) * random.randint(2),
        random.randint(11) * random.randint(2),
    )
    game.shot_timer = random.randint(6) * random.randint(2)


def _no_answers(words, game):
    return []


ORIGINALS = {
    name: Original(MINATAR[name][0], *functions)
    for name, functions in {
        "asterix": (_asterix_answers, _read_asterix, _scramble_asterix, _comparable_asterix),
        "breakout": (_no_answers, _read_breakout, _scramble_breakout, _identity),
        "freeway": (_freeway_answers, _read_freeway, _scramble_freeway, _identity),
        "seaquest": (_seaquest_answers, _read_seaquest, _scramble_seaquest, _comparable_seaquest),
        "space_invaders": (_no_answers, _read_space_invaders, _scramble_space_invaders, _identity),
    }.items()
}
