"""Temporal-difference errors against hand-worked numbers and rlax."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdqn import targets

Q_TM1 = jnp.array([1.0, 2.0, 3.0])
Q_T = jnp.array([4.0, -1.0, 0.5])
SELECTOR = jnp.array([0.0, 0.0, 7.0])


@pytest.mark.parametrize(
    ("discount", "td_error"),
    [(0.5, 10.0 + 0.5 * 4.0 - 2.0), (0.0, 10.0 - 2.0)],
    ids=["bootstrap", "terminated"],
)
def test_q_learning_takes_the_largest_next_value(discount, td_error):
    assert targets.q_learning(Q_TM1, jnp.int32(1), jnp.float32(10), jnp.float32(discount), Q_T) == td_error


def test_double_q_learning_judges_the_selectors_choice():
    td_error = targets.double_q_learning(Q_TM1, jnp.int32(0), jnp.float32(10), jnp.float32(0.5), Q_T, SELECTOR)
    assert td_error == 10.0 + 0.5 * 0.5 - 1.0  # the selector prefers action 2, which is worth 0.5


def test_double_q_learning_with_one_network_is_q_learning():
    arguments = (Q_TM1, jnp.int32(2), jnp.float32(-1), jnp.float32(0.9), Q_T)
    assert targets.double_q_learning(*arguments, Q_T) == targets.q_learning(*arguments)


def test_the_gradient_flows_through_the_value_before_the_action_only():
    def error(q_tm1, q_t, selector):
        return targets.double_q_learning(q_tm1, jnp.int32(1), jnp.float32(1), jnp.float32(0.9), q_t, selector)

    q_tm1, q_t, selector = jax.grad(error, argnums=(0, 1, 2))(Q_TM1, Q_T, SELECTOR)
    np.testing.assert_array_equal(q_tm1, [0.0, -1.0, 0.0])
    np.testing.assert_array_equal(q_t, np.zeros(3))
    np.testing.assert_array_equal(selector, np.zeros(3))


def test_both_errors_equal_rlax_on_random_transitions():
    rlax = pytest.importorskip("rlax")
    random = np.random.default_rng(0)
    q_tm1, q_t, selector = random.normal(size=(3, 500, 4)).astype(np.float32)
    a_tm1 = random.integers(0, 4, 500).astype(np.int32)
    r_t, discount_t = random.normal(size=(2, 500)).astype(np.float32)
    ours = jax.vmap(targets.q_learning)(q_tm1, a_tm1, r_t, discount_t, q_t)
    np.testing.assert_allclose(ours, jax.vmap(rlax.q_learning)(q_tm1, a_tm1, r_t, discount_t, q_t), rtol=1e-6)
    ours = jax.vmap(targets.double_q_learning)(q_tm1, a_tm1, r_t, discount_t, q_t, selector)
    theirs = jax.vmap(rlax.double_q_learning)(q_tm1, a_tm1, r_t, discount_t, q_t, selector)
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)
