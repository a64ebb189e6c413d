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
