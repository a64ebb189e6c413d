"""Schedules against the formulas of their sources in plain Python; epsilon-greedy against frequencies."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdqn import exploration, schedules


@pytest.mark.parametrize(
    ("schedule", "steps", "episodes", "epsilon"),
    [
        (schedules.Constant(0.3), 10_000, 7, 0.3),
        (schedules.Linear(1.0, 0.1, 100), 0, 0, 1.0),
        (schedules.Linear(1.0, 0.1, 100), 50, 0, 0.55),
        (schedules.Linear(1.0, 0.1, 100), 1_000, 0, 0.1),
        (schedules.ExponentialPerStep(1.0, 0.01, 0.001), 0, 9, 1.0),
        (schedules.ExponentialPerStep(1.0, 0.01, 0.001), 2_000, 9, 0.01 + 0.99 * math.exp(-2)),
        (schedules.MultiplicativePerEpisode(1.0, 0.1, 0.5), 99, 0, 1.0),
        (schedules.MultiplicativePerEpisode(1.0, 0.1, 0.5), 99, 3, 0.125),
        (schedules.MultiplicativePerEpisode(1.0, 0.1, 0.5), 99, 4, 0.1),
        (schedules.HarmonicPerEpisode(2.0), 99, 0, 2.0),
        (schedules.HarmonicPerEpisode(2.0), 99, 3, 0.5),
    ],
)
def test_a_schedule_follows_its_formula(schedule, steps, episodes, epsilon):
    value = schedule(jnp.int32(steps), jnp.int32(episodes))
    assert value.dtype == jnp.float32
    np.testing.assert_allclose(value, epsilon, rtol=1e-6)


def test_epsilon_is_the_probability_of_a_random_action():
    uniform_key, action_key = jax.random.split(jax.random.key(0))
    draws = 40_000
    q_values = jnp.tile(jnp.array([0.0, 5.0, 1.0, 2.0]), (draws, 1))
    actions = exploration.epsilon_greedy(
        q_values,
        0.4,
        jax.random.uniform(uniform_key, (draws,)),
        jax.random.randint(action_key, (draws,), 0, 4),
    )
    frequencies = np.bincount(actions, minlength=4) / draws
    # The greedy action is among the random ones; 0.01 is four standard deviations.
    np.testing.assert_allclose(frequencies, [0.1, 0.7, 0.1, 0.1], atol=0.01)


@pytest.mark.parametrize(("epsilon", "action"), [(0.0, 1), (1.0, 2)], ids=["greedy", "random"])
def test_epsilon_zero_never_and_one_always_explores(epsilon, action):
    for uniform in (0.0, 0.9999999):
        chosen = exploration.epsilon_greedy(jnp.array([0.0, 5.0, 1.0]), epsilon, jnp.float32(uniform), jnp.int32(2))
        assert chosen == action


def test_every_rule_draws_for_every_choice_and_explores_uniformly_at_random():
    for rule in (exploration.EpsilonGreedy(), exploration.GaussianNoise()):
        actions = rule.at_random(rule.draw(jax.random.key(0), (8_000, 2), 4))
        assert actions.shape == (8_000, 2)
        # 0.25 expected of 16,000; 0.015 is more than four standard deviations.
        np.testing.assert_allclose(np.bincount(actions.ravel(), minlength=4) / actions.size, 0.25, atol=0.015)


def test_gaussian_noise_chooses_as_often_as_noise_makes_an_action_largest():
    rule = exploration.GaussianNoise(schedules.Constant(0.5))
    noise = rule.draw(jax.random.key(0), (20_000,), 2)
    q_values = jnp.tile(jnp.array([0.0, 0.3]), (20_000, 1))
    actions = rule.choose(q_values, noise, jnp.int32(0), jnp.int32(0))
    # The difference of two such noises has the standard deviation 0.5 √2: P = Φ(0.3 / 0.7071) = 0.6643.
    np.testing.assert_allclose(actions.mean(), 0.6643, atol=0.014)
    assert rule.level(jnp.int32(0), jnp.int32(0)) == 0.5


def test_noise_that_has_faded_leaves_the_greedy_action():
    rule = exploration.GaussianNoise(schedules.HarmonicPerEpisode(1.0))
    noise = rule.draw(jax.random.key(0), (100,), 2)
    q_values = jnp.tile(jnp.array([0.0, 0.3]), (100, 1))
    assert (rule.choose(q_values, noise, jnp.int32(0), jnp.int32(10_000)) == 1).all()
