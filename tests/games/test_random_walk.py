"""Returns of the random walk against values computed by hand, simulation and value iteration."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdqn.games import exact_values, random_walk

NUM_WALKS = 20_000


def _play(game, actions):
    """Returns rewards `[NUM_WALKS, steps]` of many episodes with these actions."""

    def step(state, now):
        key, action = now
        return game.step(key, state, action)

    def episode(keys):
        start = random_walk.RandomWalkState(jnp.int32(0))
        return jax.lax.scan(step, start, (keys, jnp.int32(actions)))[1].reward

    return np.asarray(jax.jit(jax.vmap(episode))(jax.random.split(jax.random.key(0), (NUM_WALKS, len(actions)))))


def test_two_steps_by_hand():
    values, probabilities = random_walk.return_distribution(discount=0.5, num_steps=2)
    assert values.tolist() == [-1.5, -0.5, 0.5, 1.5]
    assert probabilities.tolist() == [1 / 16, 3 / 16, 3 / 16, 9 / 16]


def test_undiscounted_return_is_binomial():
    values, probabilities = random_walk.return_distribution(discount=1.0)
    assert values.tolist() == [-5, -3, -1, 1, 3, 5]
    binomial = [math.comb(5, k) * 0.75**k * 0.25 ** (5 - k) for k in range(6)]
    np.testing.assert_allclose(probabilities, binomial, rtol=1e-12)


def test_return_after_the_last_step_is_zero():
    values, probabilities = random_walk.return_distribution(discount=0.9, num_made=5)
    assert (values.tolist(), probabilities.tolist()) == ([0.0], [1.0])


@pytest.mark.parametrize("discount", [0.5, 0.9, 1.0])
def test_simulated_returns_have_the_declared_distribution(discount):
    rewards = _play(random_walk.make(), [1, 0, 1, 0, 1])
    played = (rewards @ discount ** np.arange(5)).round(5)
    values, probabilities = random_walk.return_distribution(discount)
    assert set(np.unique(played)) == set(values.round(5))
    counts = np.unique(played, return_counts=True)[1]
    # The chi-squared statistic lies within five standard deviations of its mean.
    expected, freedom = NUM_WALKS * probabilities, len(values) - 1
    assert abs(((counts - expected) ** 2 / expected).sum() - freedom) < 5 * np.sqrt(2 * freedom)


def test_wrong_actions_reverse_the_drift():
    rewards = _play(random_walk.make(), [0, 1, 1, 1, 0])
    drift = np.array([-0.5, -0.5, 0.5, -0.5, -0.5])
    np.testing.assert_allclose(rewards.mean(axis=0), drift, atol=5 * np.sqrt(0.75 / NUM_WALKS))


@pytest.mark.parametrize("discount", [0.0, 0.5, 0.9, 1.0])
def test_optimal_values_equal_the_mean_returns(discount):
    num_steps = 4
    solution = exact_values.solve(random_walk.make(num_steps), discount)
    best = [random_walk.return_distribution(discount, num_made, num_steps) for num_made in range(num_steps)]
    means = np.array([values @ probabilities for values, probabilities in best])
    np.testing.assert_allclose(solution.q_values.max(axis=1), means, rtol=1e-9)
    assert solution.q_values.argmax(axis=1).tolist() == [1, 0, 1, 0]
    np.testing.assert_allclose(np.ptp(solution.q_values, axis=1), 1.0, rtol=1e-9)  # a step is 0.5 or -0.5 on average


def test_walk_without_steps_raises_an_error():
    with pytest.raises(ValueError, match="num_steps >= 1, got 0"):
        random_walk.make(0)
