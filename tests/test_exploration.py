"""Schedules against the formulas of their sources in plain Python; epsilon-greedy against frequencies."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdqn import exploration, schedules
from jaxdqn.outputs import EnsembleOutput, NetworkOutput


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


RULES = (
    exploration.EpsilonGreedy(),
    exploration.GaussianNoise(),
    exploration.Boltzmann(),
    exploration.UpperConfidence(),
    exploration.OneMember(),
)


def test_every_rule_draws_for_every_choice_and_explores_uniformly_at_random():
    for rule in RULES:
        actions = rule.random_action(rule.draw(jax.random.key(0), (8_000, 2), 4))
        assert actions.shape == (8_000, 2)
        # 0.25 expected of 16,000; 0.015 is more than four standard deviations.
        np.testing.assert_allclose(np.bincount(actions.ravel(), minlength=4) / actions.size, 0.25, atol=0.015)


def test_the_level_is_the_schedule_of_the_rule_and_so_is_what_choosing_uses():
    schedule = schedules.Linear(4.0, 0.0, 10.0)  # 4 at the start, 1 after 7.5 steps and 0 from 10 on
    rules = (
        exploration.EpsilonGreedy(schedule),
        exploration.GaussianNoise(schedule),
        exploration.Boltzmann(schedule),
        exploration.UpperConfidence(schedule),
        exploration.OneMember(schedule),
    )
    output = EnsembleOutput(jnp.tile(MEMBERS.mean(0), (400, 1)), jnp.tile(MEMBERS, (400, 1, 1)))
    for rule in rules:
        levels = [float(rule.current_value(jnp.float32(steps), jnp.int32(0))) for steps in (0.0, 7.5, 10.0)]
        assert levels == [4.0, 1.0, 0.0]
        noise = rule.draw(jax.random.key(0), (400,), 2)
        policy = jnp.zeros(400, jnp.uint32) if isinstance(rule, exploration.OneMember) else rule.episode_policy(noise)
        early, late = (rule.choose(output, noise, policy, jnp.int32(steps), jnp.int32(0)) for steps in (0, 10))
        assert early.dtype == late.dtype == jnp.int32
        greedy = 1 if isinstance(rule, exploration.OneMember) else 0  # of the first member, or of the mean
        assert (late == greedy).all()
        if not isinstance(rule, exploration.UpperConfidence):  # its bonus draws nothing
            assert 100 < (early != greedy).sum() < 300


def test_epsilon_beside_a_member_is_the_share_of_random_actions():
    rule = exploration.OneMember(schedules.Constant(0.4))
    output = EnsembleOutput(jnp.tile(MEMBERS.mean(0), (20_000, 1)), jnp.tile(MEMBERS, (20_000, 1, 1)))
    noise = rule.draw(jax.random.key(0), (20_000,), 2)
    actions = rule.choose(output, noise, jnp.zeros(20_000, jnp.uint32), jnp.int32(0), jnp.int32(0))
    np.testing.assert_allclose((actions == 1).mean(), 0.8, atol=0.012)  # four deviations
    np.testing.assert_array_equal(rule.random_action(noise), noise.epsilon_greedy.random_action)


def test_each_member_is_intended_as_often_as_another():
    policy = exploration.OneMember().episode_policy(exploration.OneMember().draw(jax.random.key(0), (30_000,), 2))
    np.testing.assert_allclose(np.bincount(np.asarray(policy) % 3) / 30_000, 1 / 3, atol=0.012)


def test_gaussian_noise_chooses_as_often_as_noise_makes_an_action_largest():
    rule = exploration.GaussianNoise(schedules.Constant(0.5))
    noise = rule.draw(jax.random.key(0), (20_000,), 2)
    q_values = jnp.tile(jnp.array([0.0, 0.3]), (20_000, 1))
    actions = rule.choose(NetworkOutput(q_values), noise, (), jnp.int32(0), jnp.int32(0))
    # The difference of two such noises has the standard deviation 0.5 √2: P = Φ(0.3 / 0.7071) = 0.6643.
    np.testing.assert_allclose(actions.mean(), 0.6643, atol=0.014)
    assert rule.current_value(jnp.int32(0), jnp.int32(0)) == 0.5


def test_noise_that_has_faded_leaves_the_greedy_action():
    rule = exploration.GaussianNoise(schedules.HarmonicPerEpisode(1.0))
    noise = rule.draw(jax.random.key(0), (100,), 2)
    q_values = jnp.tile(jnp.array([0.0, 0.3]), (100, 1))
    assert (rule.choose(NetworkOutput(q_values), noise, (), jnp.int32(0), jnp.int32(10_000)) == 1).all()


def test_boltzmann_chooses_with_the_probabilities_of_a_softmax():
    rule = exploration.Boltzmann(schedules.Constant(0.5))
    q_values = np.array([0.0, 0.3, -0.4])
    noise = rule.draw(jax.random.key(0), (40_000,), 3)
    actions = rule.choose(NetworkOutput(jnp.tile(q_values, (40_000, 1))), noise, (), jnp.int32(0), jnp.int32(0))
    expected = np.exp(q_values / 0.5) / np.exp(q_values / 0.5).sum()
    np.testing.assert_allclose(np.bincount(actions, minlength=3) / 40_000, expected, atol=0.01)  # four deviations


def test_a_temperature_of_zero_is_greedy():
    rule = exploration.Boltzmann(schedules.Constant(0.0))
    noise = rule.draw(jax.random.key(0), (100,), 2)
    output = NetworkOutput(jnp.tile(jnp.array([0.0, 1e-6]), (100, 1)))
    assert (rule.choose(output, noise, (), jnp.int32(0), jnp.int32(0)) == 1).all()


MEMBERS = jnp.array([[0.0, 1.0], [4.0, 1.5]])  # two members: means 2 and 1.25, deviations 2 and 0.25


@pytest.mark.parametrize(("members", "bonus", "action"), [(MEMBERS, 1.0, 0), (-MEMBERS, 0.0, 1), (-MEMBERS, 1.0, 0)])
def test_upper_confidence_adds_the_spread_of_the_members(members, bonus, action):
    rule = exploration.UpperConfidence(schedules.Constant(bonus))
    output = EnsembleOutput(members.mean(0)[None], members[None])
    assert rule.choose(output, jnp.zeros(1, jnp.int32), (), jnp.int32(0), jnp.int32(0)) == action


def test_one_member_decides_for_as_long_as_the_policy_is_kept():
    rule = exploration.OneMember()
    output = EnsembleOutput(jnp.tile(MEMBERS.mean(0), (500, 1)), jnp.tile(MEMBERS, (500, 1, 1)))
    first, second = (rule.draw(jax.random.key(i), (500,), 2) for i in (0, 1))
    policy = rule.episode_policy(first)
    actions = rule.choose(output, first, policy, jnp.int32(0), jnp.int32(0))
    np.testing.assert_array_equal(actions, np.where(np.asarray(policy) % 2, 0, 1))  # member 1 prefers action 0
    assert 200 < actions.sum() < 300
    np.testing.assert_array_equal(rule.choose(output, second, policy, jnp.int32(9), jnp.int32(3)), actions)
