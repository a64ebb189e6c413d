"""MinAtar freeway: a chicken crosses a road with eight lanes of cars, again and again.

Source: see `jaxdqn.games.minatar`. Actions, sticky actions and the time limit: see `rules.py`.

Rules: the chicken is in column 4. It starts in row 9 and moves up or down by one row; after each move it must wait, so
it moves every third step at most (it waits at the start too; in row 9, moving down costs the wait as well). When it
reaches row 0 the reward is +1, it returns to row 9, and every car gets a new speed. All other rewards are 0. Rows 1 to
8 have one car each. A car with speed s waits for s steps and then moves by one cell, so 1 is the fastest; it leaves the
board on one side and enters on the other. In each step the chicken moves first, then the cars. A chicken that meets a
car, before or after the car moves, returns to row 9.
Start: cars are in column 0. Speeds are uniform over 1 to 5, directions over left and right, also after a crossing.
Observation, bool `[10, 10, 7]`: chicken, car, and the trails of cars with speed 1 to 5 (one cell behind the car).
Actions: 0 nothing, 1 up, 2 down.
Ends: truncated after 2,501 steps, as many as in the package; never terminated. The package and most others call this
limit terminal; `bootstrap_time_limits=False` trains like that.
"""

from typing import NamedTuple

import jax.numpy as jnp

from jaxdqn.games.minatar import board, rules
from jaxdqn.interfaces import Array

VERSION = 1

MAX_STEPS = 2_501
NUM_CARS = 8
MAX_SPEED = 5
CHICKEN_COLUMN = 4
CHICKEN_WAIT = 3

# Channels in the rendered board, RGB; the trail of a fast car is bright.
CHICKEN = (255, 255, 255)
CAR = (214, 73, 51)
TRAILS = ((247, 183, 51), (201, 148, 40), (155, 114, 31), (110, 80, 22), (70, 52, 16))


class FreewayState(NamedTuple):
    """Chicken and cars. Car i is in row i + 1.

    Attributes:
      row: int32 `[]`, of the chicken.
      wait: int32 `[]`, steps until the chicken can move.
      columns: int32 `[8]`, of the cars.
      countdowns: int32 `[8]`, steps until a car moves.
      velocities: int32 `[8]`, the speed of a car, positive if it moves right.
    """

    row: Array
    wait: Array
    columns: Array
    countdowns: Array
    velocities: Array


def start(words: Array) -> FreewayState:
    """Samples the velocities of the cars."""
    velocities = _sample_velocities(words)
    return FreewayState(
        row=jnp.int32(board.LAST),
        wait=jnp.int32(CHICKEN_WAIT),
        columns=jnp.zeros(NUM_CARS, jnp.int32),
        countdowns=jnp.abs(velocities),
        velocities=velocities,
    )


def step(words: Array, state: FreewayState, action: Array) -> tuple[FreewayState, Array, Array]:
    """Moves the chicken, then the cars."""
    moves = (state.wait == 0) & ((action == rules.UP) | (action == rules.DOWN))
    row = jnp.where(moves, rules.move_up_or_down(state.row, action, 0, board.LAST), state.row)
    wait = jnp.where(moves, CHICKEN_WAIT, state.wait)
    crossed = row == 0
    row = jnp.where(crossed, board.LAST, row)
    velocities = jnp.where(crossed, _sample_velocities(words), state.velocities)
    countdowns = jnp.where(crossed, jnp.abs(velocities), state.countdowns)

    car_moves = countdowns == 0
    columns = _wrapped(state.columns + jnp.where(car_moves, jnp.sign(velocities), 0))
    met = (row == board.INNER_ROWS) & ((state.columns == CHICKEN_COLUMN) | (columns == CHICKEN_COLUMN))
    state = FreewayState(
        row=jnp.where(met.any(), board.LAST, row),
        wait=rules.count_down(wait),
        columns=columns,
        countdowns=jnp.where(car_moves, jnp.abs(velocities), countdowns - 1),
        velocities=velocities,
    )
    return state, crossed.astype(jnp.int32), jnp.bool_(False)


def draw(state: FreewayState) -> tuple[Array, ...]:
    """Returns the boards of chicken, cars, and trails of each speed."""
    speeds = board.from_inner_rows(jnp.abs(state.velocities))
    trails = board.from_inner_rows(1 << _wrapped(state.columns - jnp.sign(state.velocities)))
    return (
        board.one_cell(state.row, jnp.int32(CHICKEN_COLUMN)),
        board.from_inner_rows(1 << state.columns),
        *(jnp.where(speeds == speed, trails, 0) for speed in range(1, MAX_SPEED + 1)),
    )


def _sample_velocities(words: Array) -> Array:
    speeds = 1 + rules.below(words, MAX_SPEED)
    return jnp.where(rules.is_right(words), speeds, -speeds)


def _wrapped(columns: Array) -> Array:
    """Returns columns -1 .. 10 as cells of the board: what leaves on one side enters on the other."""
    return jnp.where(columns < 0, board.LAST, jnp.where(columns > board.LAST, 0, columns))


RULES = rules.Rules(
    name="freeway",
    version=VERSION,
    actions=(rules.NOTHING, rules.UP, rules.DOWN),
    colours=(CHICKEN, CAR, *TRAILS),
    max_steps=MAX_STEPS,
    num_words=NUM_CARS,
    start=start,
    step=step,
    draw=draw,
)
