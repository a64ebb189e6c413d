"""Value iteration against values computed by hand, and its errors."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdqn import games
from jaxdqn.game_interfaces import Game, RandomStep, TimeStep
from jaxdqn.games import catch, exact_values, random_steps
from jaxdqn.interfaces import Array, feed_forward
from jaxdqn.outputs import NetworkOutput
from jaxdqn.training import evaluate


class Place(NamedTuple):
    place: Array


class PlaceAndTime(NamedTuple):
    place: Array
    time: Array


def _corridor(num_places=3, listed=(0, 1, 2), noise=0.0, exit_reward=10.0, is_noise_known=False):
    """Makes a corridor of places 0 .. num_places - 1. Action 0 stays (reward 0). Action 1 moves on (reward -1).

    Action 1 leaves the corridor from the last place. With probability `noise`, action 1 stays; `is_noise_known` lists
    this noise in `random_step`.
    """

    def observe(state):
        return state.place[None].astype(jnp.float32)

    def step(key, state, action):
        return move(jax.random.uniform(key) < noise, state, action)

    def move(slips, state, action):
        goes = (action == 1) & (slips == 0)
        leaves = goes & (state.place == num_places - 1)
        reward = jnp.where(leaves, exit_reward, jnp.where(goes, -1.0, 0.0))
        state = Place(state.place + goes)
        return state, TimeStep(observe(state), reward, leaves, jnp.zeros((), bool))

    def states():
        return Place(jnp.array(listed, jnp.int32))

    slips = random_steps.distribution([0.0, 1.0], [1 - noise, noise]) if is_noise_known else None
    known = RandomStep(slips, move) if is_noise_known else None
    return Game("corridor", 1, lambda key: Place(jnp.int32(0)), step, observe, (1,), 2, 100, states, known)


def _by_state(solution):
    rows = zip(*(leaf.tolist() for leaf in solution.states), strict=True)
    return dict(zip(rows, solution.q_values.tolist(), strict=True))


def test_one_row_of_catch_by_hand():
    # Four columns: the paddle starts in column 1 and can move to 2. The wall stops it, so left equals stay.
    values = _by_state(exact_values.solve(catch.make(rows=1, columns=4), discount=0.9))
    assert values == {(0, 0, 1): [1, 1, -1], (0, 1, 1): [1, 1, 1], (0, 2, 1): [1, 1, 1]}


def test_two_rows_of_catch_by_hand():
    # The ball is over column 0, the paddle in column 2 of 5: one of the two moves must go left.
    values = _by_state(exact_values.solve(catch.make(rows=2, columns=5), discount=0.5))
    assert values[0, 0, 2] == [0.5, 0.5, -0.5]
    assert values[1, 0, 1] == [1, 1, -1]
    assert values[1, 0, 2] == [1, -1, -1]
    assert values[1, 0, 3] == [-1, -1, -1]


@pytest.mark.parametrize(
    ("discount", "expected"),
    [
        # q(2) = [discount v(2), 10]; q(1) = [discount v(1), -1 + discount v(2)]; q(0) likewise.
        (1.0, [[8, 8], [9, 9], [10, 10]]),
        (0.5, [[0.5, 1], [2, 4], [5, 10]]),
        (0.0, [[0, -1], [0, -1], [0, 10]]),
    ],
)
def test_corridor_by_hand(discount, expected):
    np.testing.assert_allclose(exact_values.solve(_corridor(), discount).q_values, expected, rtol=1e-12)


def test_slippery_corridor_by_hand():
    # v(2) = 0.75 x 10 + 0.25 x 0.5 v(2), v(1) = 0.75 x (-1 + 0.5 v(2)) + 0.25 x 0.5 v(1), and v(0) likewise.
    value = np.array([120 / 343, 138 / 49, 60 / 7])
    solution = exact_values.solve(_corridor(noise=0.25, is_noise_known=True), discount=0.5)
    np.testing.assert_allclose(solution.q_values, np.stack([0.5 * value, value], axis=1), rtol=1e-10)


def test_evaluation_reports_zero_error_for_the_exact_values_of_a_random_game():
    game = _corridor(noise=0.25, is_noise_known=True)
    network = feed_forward(None, lambda parameters, observations, key=None: NetworkOutput(parameters))
    q_values = jnp.asarray(exact_values.solve(game, 0.9).q_values, jnp.float32)
    evaluation = evaluate.Evaluation(every=1, episodes=1, exact_values=True)
    errors = evaluate.value_errors(q_values, network, game, jnp.float32(0.9), evaluation)
    np.testing.assert_allclose(errors, 0.0, atol=1e-4)


def test_staying_for_ever_beats_a_costly_exit():
    solution = exact_values.solve(_corridor(exit_reward=-10.0), discount=1.0)
    np.testing.assert_array_equal(solution.q_values, [[0, -1], [0, -1], [0, -10]])


def test_solution_lists_the_states_in_their_order_in_numpy():
    game = catch.make(rows=3, columns=6)
    solution = exact_values.solve(game, discount=0.9)
    num_states = len(solution.states.ball_row)
    assert solution.q_values.dtype == np.float64
    assert solution.q_values.shape == (num_states, 3)
    assert solution.observations.shape == (num_states, 18)
    for i in (0, num_states - 1):
        state = jax.tree.map(lambda leaf, i=i: leaf[i], solution.states)
        np.testing.assert_array_equal(solution.observations[i], game.observe(state))


def test_time_limit_does_not_end_the_value():
    # The probe pays 1 in every step. Its value is 10; it would be 6.5 if the time limit of 10 steps ended it.
    solution = exact_values.solve(games.make("probe_time_limit"), discount=0.9)
    np.testing.assert_allclose(solution.q_values, [[10.0]], rtol=1e-12)


def test_rewards_without_end_raise_an_error_at_discount_one():
    with pytest.raises(ValueError, match=r"'probe_time_limit' did not converge .* smaller discount"):
        exact_values.solve(games.make("probe_time_limit"), discount=1.0)


@pytest.mark.parametrize("discount", [-0.1, 1.1, float("nan")])
def test_discount_outside_zero_to_one_raises_an_error(discount):
    with pytest.raises(ValueError, match=r"discount must lie in \[0, 1\], got"):
        exact_values.solve(_corridor(), discount)


def test_game_without_states_raises_an_error():
    with pytest.raises(ValueError, match=r"'cartpole' does not list its states.*Game\.states"):
        exact_values.solve(games.make("cartpole"), discount=0.9)


def test_unlisted_noise_raises_an_error():
    with pytest.raises(ValueError, match="'corridor' has random steps"):
        exact_values.solve(_corridor(noise=0.5), discount=0.9)


def test_unlisted_successor_of_a_rare_outcome_raises_an_error():
    game = _corridor(noise=1.0 - 1e-9, listed=(0, 1), is_noise_known=True)  # it moves on once in a billion steps
    with pytest.raises(ValueError, match=r"'corridor' reaches 1 states .* the first is \[2\.0\]"):
        exact_values.solve(game, discount=0.9)


def test_unlisted_successor_raises_an_error():
    with pytest.raises(ValueError, match=r"'corridor' reaches 1 states .* the first is \[2\.0\]"):
        exact_values.solve(_corridor(listed=(0, 1)), discount=0.9)


def test_state_listed_twice_raises_an_error():
    with pytest.raises(ValueError, match="'corridor' lists a state more than once"):
        exact_values.solve(_corridor(listed=(0, 1, 1, 2)), discount=0.9)


def test_states_that_differ_only_in_time_raise_an_error():
    corridor = _corridor()
    timed = corridor._replace(states=lambda: PlaceAndTime(jnp.zeros(2, jnp.int32), jnp.arange(2, dtype=jnp.int32)))
    with pytest.raises(ValueError, match="rename the field `time`"):
        exact_values.solve(timed, discount=0.9)


def test_minus_zero_and_zero_are_the_same_state():
    def step(key, state, action):
        state = Place(-state.place)
        return state, TimeStep(state.place[None], jnp.float32(1.0), jnp.zeros((), bool), jnp.zeros((), bool))

    mirror = _corridor()._replace(step=step, states=lambda: Place(jnp.zeros(1)))
    np.testing.assert_allclose(exact_values.solve(mirror, discount=0.5).q_values, [[2.0, 2.0]], rtol=1e-12)
