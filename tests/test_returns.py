"""n-step returns against a loop written from the definition."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdqn import returns
from jaxdqn.rewards_and_terminations import ConfiguredReturn


def from_the_definition(rewards, terminated, truncated, available, discount):
    total, weight = 0.0, 1.0
    for i in range(min(len(rewards), available)):
        total += weight * rewards[i]
        weight *= discount
        if terminated[i]:
            return total, 0.0, i
        if truncated[i]:
            return total, weight, i
    return total, weight, i


@pytest.mark.parametrize("n", [1, 2, 5])
def test_n_step_returns_equal_the_definition(n):
    random = np.random.default_rng(n)
    rewards = random.normal(size=(400, n)).astype(np.float32)
    terminated, truncated = random.random((2, 400, n)) < 0.15
    available = random.integers(1, n + 1, 400)
    batched = jax.vmap(returns.n_step, in_axes=(0, 0, 0, 0, None))
    ours = batched(rewards, terminated, truncated, available, jnp.float32(0.9))
    expected = [from_the_definition(*row, 0.9) for row in zip(rewards, terminated, truncated, available, strict=True)]
    np.testing.assert_allclose(np.stack(ours, axis=1), expected, rtol=1e-5, atol=1e-6)


def test_a_time_limit_keeps_the_bootstrap_with_the_steps_really_taken():
    no = jnp.zeros(3, bool)
    limit = jnp.array([False, True, False])
    result = returns.n_step(jnp.ones(3), no, limit, jnp.int32(3), jnp.float32(0.5))
    assert (result.r_t, result.discount_t, result.last) == (1.5, 0.25, 1)


def test_termination_wins_over_a_time_limit_at_the_same_step():
    both = jnp.array([True])
    result = returns.n_step(jnp.ones(1), both, both, jnp.int32(1), jnp.float32(0.5))
    assert (result.r_t, result.discount_t) == (1.0, 0.0)


@pytest.mark.parametrize(
    ("options", "r_t", "discount_t"),
    [
        ({}, [2.0, 2.0, 2.0], [0.5, 0.0, 0.5]),
        ({"terminal_reward": -9.0}, [2.0, -9.0, 2.0], [0.5, 0.0, 0.5]),
        ({"bootstrap_time_limits": False}, [2.0, 2.0, 2.0], [0.5, 0.0, 0.0]),
        ({"terminal_reward": -9.0, "bootstrap_time_limits": False}, [2.0, -9.0, -9.0], [0.5, 0.0, 0.0]),
        ({"reward_clip": 1.0, "terminal_reward": -9.0}, [1.0, -9.0, 1.0], [0.5, 0.0, 0.5]),
    ],
    ids=["plain", "terminal reward", "limits end", "terminal reward at limits", "clipped before"],
)
def test_the_return_of_a_step_that_continues_terminates_or_is_cut(options, r_t, discount_t):
    learned = ConfiguredReturn(0.5, **options)
    ends = [(False, False), (True, False), (False, True)]  # terminated, truncated
    found = [learned(jnp.array([2.0]), jnp.array([t]), jnp.array([c]), jnp.int32(1)) for t, c in ends]
    assert [float(one.r_t) for one in found] == r_t
    assert [float(one.discount_t) for one in found] == discount_t


@pytest.mark.parametrize(
    ("options", "r_t", "discount_t"),
    [
        ({}, 4.0 + 0.5 * -6.0, 0.25),
        ({"reward_clip": 5.0}, 4.0 + 0.5 * -5.0, 0.25),
        ({"terminal_reward": 8.0}, 4.0 + 0.5 * -6.0, 0.25),
        ({"bootstrap_time_limits": False, "terminal_reward": 8.0, "reward_clip": 5.0}, 4.0 + 0.5 * 8.0, 0.0),
    ],
    ids=["plain", "clipped", "no terminal step", "limits end"],
)
def test_what_is_learned_from_a_window_stops_at_its_time_limit(options, r_t, discount_t):
    cut = jnp.array([False, True, False])  # the third step belongs to the next episode
    learned = ConfiguredReturn(0.5, **options)
    found = learned(jnp.array([4.0, -6.0, 100.0]), jnp.zeros(3, bool), cut, jnp.int32(3))
    assert (found.r_t, found.discount_t, found.last) == (r_t, discount_t, 1)
