"""Temporal-difference errors against hand-worked numbers and rlax."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdqn import targets

Q_TM1 = jnp.array([1.0, 2.0, 3.0])
Q_T = jnp.array([4.0, -1.0, 0.5])
SELECTOR = jnp.array([0.0, 0.0, 7.0])
Q_T_VALUES = jnp.array([[4.0, -1.0, 0.5], [9.0, 3.0, -1.5], [0.0, 5.0, 2.0]])  # of three target networks
MUNCHAUSEN = {"temperature": 0.5, "scale": 0.9, "clip": -1.0}


@pytest.mark.parametrize(
    ("discount", "td_error"),
    [(0.5, 10.0 + 0.5 * 4.0 - 2.0), (0.0, 10.0 - 2.0)],
    ids=["bootstrap", "terminated"],
)
def test_q_learning_takes_the_largest_next_value(discount, td_error):
    assert targets.q_learning(Q_TM1, jnp.int32(1), jnp.float32(10), jnp.float32(discount), Q_T) == td_error


def test_double_q_learning_evaluates_the_action_of_the_selector():
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


def test_clipped_double_q_learning_takes_the_least_estimate_of_the_selectors_choice():
    td_error = targets.clipped_double_q_learning(
        Q_TM1, jnp.int32(0), jnp.float32(10), jnp.float32(0.5), Q_T_VALUES, SELECTOR
    )
    assert td_error == 10.0 + 0.5 * -1.5 - 1.0  # the second network evaluates action 2


def test_averaged_q_learning_takes_the_mean_before_the_largest():
    values = jnp.array([[4.0, -1.0, 0.5], [-8.0, 3.0, 1.5]])  # means -2, 1 and 1; the mean of the largest is 3.5
    td_error = targets.averaged_q_learning(Q_TM1, jnp.int32(0), jnp.float32(10), jnp.float32(0.5), values)
    assert td_error == 10.0 + 0.5 * 1.0 - 1.0


def test_one_estimate_gives_what_it_generalises():
    arguments = (Q_TM1, jnp.int32(2), jnp.float32(-1), jnp.float32(0.9))
    one = Q_T[None]
    assert targets.averaged_q_learning(*arguments, one) == targets.q_learning(*arguments, Q_T)
    clipped = targets.clipped_double_q_learning(*arguments, one, SELECTOR)
    assert clipped == targets.double_q_learning(*arguments, Q_T, SELECTOR)


def munchausen_by_hand(q_tm1, a_tm1, r_t, discount_t, q_t, q_tm1_target, temperature, scale, clip):
    """The equation with probabilities, in double precision."""

    def policy(q):
        weights = [np.exp((float(value) - float(max(q))) / temperature) for value in q]
        return [weight / sum(weights) for weight in weights]

    bonus = scale * min(max(temperature * np.log(policy(q_tm1_target)[a_tm1]), clip), 0.0)
    soft = sum(p * (float(q) - temperature * np.log(p)) for p, q in zip(policy(q_t), q_t, strict=True))
    return r_t + bonus + discount_t * soft - float(q_tm1[a_tm1])


@pytest.mark.parametrize("seed", range(3))
def test_munchausen_equals_the_equation_with_probabilities(seed):
    random = np.random.default_rng(seed)
    q_tm1, q_t, q_tm1_target = random.normal(size=(3, 4)).astype(np.float32)
    a_tm1, (r_t, discount_t) = random.integers(4), random.uniform(size=2).astype(np.float32)
    arguments = (q_tm1, a_tm1, r_t, discount_t, q_t, q_tm1_target)
    ours = targets.munchausen_q_learning(*map(jnp.asarray, arguments), **MUNCHAUSEN)
    np.testing.assert_allclose(ours, munchausen_by_hand(*arguments, **MUNCHAUSEN), rtol=1e-5, atol=1e-6)


def test_a_uniform_policy_earns_its_entropy():
    flat = jnp.full(4, 3.0)  # τ ln π = -0.5 ln 4 = -0.6931 within the clip; soft value 3 + 0.5 ln 4
    td_error = targets.munchausen_q_learning(
        jnp.zeros(4), jnp.int32(1), jnp.float32(2), jnp.float32(0.5), flat, flat, **MUNCHAUSEN
    )
    half_log_4 = 0.6931472
    np.testing.assert_allclose(td_error, 2.0 - 0.9 * half_log_4 + 0.5 * (3.0 + half_log_4), rtol=1e-6)


def test_the_bonus_is_earned_where_the_game_terminated_too():
    td_error = targets.munchausen_q_learning(
        jnp.zeros(2), jnp.int32(0), jnp.float32(2), jnp.float32(0), Q_T[:2], jnp.zeros(2), **MUNCHAUSEN
    )
    np.testing.assert_allclose(td_error, 2.0 - 0.9 * 0.5 * np.log(2), rtol=1e-6)


def test_the_bonus_is_clipped_and_never_above_zero():
    bonus = [targets.munchausen_bonus(jnp.array([50.0, -50.0]), jnp.int32(a), **MUNCHAUSEN) for a in (0, 1)]
    np.testing.assert_array_equal(bonus, np.float32([0.0, -0.9]))


@pytest.mark.parametrize("temperature", [1e-3, 1e-4])
def test_munchausen_without_bonus_tends_to_q_learning_as_the_temperature_falls(temperature):
    arguments = (Q_TM1, jnp.int32(2), jnp.float32(-1), jnp.float32(0.9), 100.0 * Q_T)
    error = targets.munchausen_q_learning(*arguments, 100.0 * SELECTOR, temperature=temperature, scale=0.0, clip=-1.0)
    np.testing.assert_allclose(error, targets.q_learning(*arguments), rtol=1e-6)


def test_equal_values_share_a_cold_policy():
    log_policy = targets.scaled_log_policy(jnp.array([1000.0, 1000.0, 0.0]), temperature=1e-4)
    np.testing.assert_allclose(log_policy, [-1e-4 * np.log(2), -1e-4 * np.log(2), -1000.0], rtol=1e-5)
    np.testing.assert_allclose(jnp.exp(log_policy / 1e-4), [0.5, 0.5, 0.0], rtol=1e-5)


def test_the_soft_value_of_other_values_is_their_mean_under_the_policy_and_its_entropy():
    log_policy = 0.5 * jnp.log(jnp.array([0.25, 0.75]))
    value = targets.soft_value(jnp.array([8.0, 4.0]), log_policy, temperature=0.5)
    np.testing.assert_allclose(value, 5.0 + 0.5 * 0.5623351, rtol=1e-6)  # the entropy of (1/4, 3/4)


def test_rescaled_double_q_learning_equals_rlax():
    td_error = targets.rescaled_double_q_learning(
        Q_TM1, jnp.int32(0), jnp.float32(10), jnp.float32(0.5), Q_T, SELECTOR, eps=1e-3
    )
    np.testing.assert_allclose(td_error, 1.419893503, rtol=1e-5)  # by transformed_n_step_q_learning's parts


X = np.float32([-250.0, -1.0, 0.0, 0.3, 20.0, 5000.0])
H = np.float32([-15.09297943, -0.41521353, 0.0, 0.14047547, 3.60257578, 74.71775055])  # rlax.signed_hyperbolic(X)
H_INVERSE = np.float32(
    [-43185.71875, -2.98780227, 0.0, 0.68814385, 422.43411255, 3209493.0]
)  # rlax.signed_parabolic(X)


def test_rescaling_and_its_inverse_equal_rlax():
    np.testing.assert_allclose(targets.signed_hyperbolic(X), H, rtol=1e-6)
    np.testing.assert_allclose(targets.signed_parabolic(X), H_INVERSE, rtol=2e-4)  # rlax's loses digits, see below


@pytest.mark.parametrize("eps", [0.0, 1e-3, 0.1])
def test_rescaling_is_undone_by_its_inverse_in_single_precision(eps):
    sizes = np.geomspace(1e-8, 1e8, 200, dtype=np.float32)
    x = np.concatenate([-sizes, [0.0], sizes]).astype(np.float32)
    there = targets.signed_hyperbolic(x, eps=eps)
    np.testing.assert_allclose(targets.signed_parabolic(there, eps=eps), x, rtol=2e-6)
    back = targets.signed_parabolic(x, eps=eps)
    np.testing.assert_allclose(targets.signed_hyperbolic(back, eps=eps), x, rtol=2e-6)


def test_the_inverse_equals_the_published_one_in_double_precision():
    y = np.float32([-300.0, -2.0, -1e-3, 1e-5, 0.5, 40.0])
    wide, eps = y.astype(np.float64), 1e-3
    root = np.sqrt(1.0 + 4.0 * eps * (np.abs(wide) + 1.0 + eps))
    published = np.sign(wide) * (((root - 1.0) / (2.0 * eps)) ** 2 - 1.0)
    np.testing.assert_allclose(targets.signed_parabolic(y), published, rtol=2e-6)


def test_rescaling_has_a_slope_at_zero():
    slope = jax.grad(targets.signed_hyperbolic)(0.0)
    np.testing.assert_allclose(slope, 0.5 + 1e-3, rtol=1e-6)
    np.testing.assert_allclose(jax.grad(targets.signed_parabolic)(0.0), 1.0 / (0.5 + 1e-3), rtol=1e-6)


R_T = np.float32([1.0, -2.0, 0.5, 3.0, 0.0])
DISCOUNT_T = np.float32([0.9, 0.9, 0.0, 0.9, 0.9])
V_T = np.float32([2.0, -1.0, 4.0, 0.5, 1.5])
TERMINATED_T = DISCOUNT_T == 0


@pytest.mark.parametrize(
    ("lambda_", "returns"),  # rlax.lambda_returns, which knows no truncation
    [
        (0.0, [2.8, -2.9, 0.5, 3.45, 1.35]),
        (0.65, [0.44683754, -2.0225, 0.5, 3.94724989, 1.35]),
        (1.0, [-0.39499992, -1.54999995, 0.5, 4.21499968, 1.35]),
    ],
)
def test_q_lambda_of_whole_episodes_equals_rlax(lambda_, returns):
    ours = targets.q_lambda(R_T, DISCOUNT_T, TERMINATED_T, V_T, lambda_=lambda_)
    np.testing.assert_allclose(ours, returns, rtol=1e-6)


def test_q_lambda_bootstraps_at_a_time_limit_and_forgets_what_follows():
    ended = jnp.array([False, True, False])
    r_t, discount_t = jnp.array([1.0, 2.0, 100.0]), jnp.full(3, 0.5)
    returns = targets.q_lambda(r_t, discount_t, ended, jnp.array([-7.0, 8.0, 300.0]), lambda_=1.0)
    np.testing.assert_array_equal(returns, [1.0 + 0.5 * (2.0 + 0.5 * 8.0), 2.0 + 0.5 * 8.0, 100.0 + 0.5 * 300.0])


def weighted_n_step_returns(r, discount, ended, v, lambda_):
    """The other definition, without recursion: n-step returns, weighted λ^(n-1) (1 − λ), the last with the rest."""
    returns = []
    for start in range(len(r)):
        total, weight_left, earned, gamma = 0.0, 1.0, 0.0, 1.0
        for t in range(start, len(r)):
            earned, gamma = earned + gamma * r[t], gamma * discount[t]
            is_last = ended[t] or t + 1 == len(r)
            weight = weight_left if is_last else weight_left * (1 - lambda_)
            total, weight_left = total + weight * (earned + gamma * v[t]), weight_left - weight
            if is_last:
                break
        returns.append(total)
    return returns


@pytest.mark.parametrize("lambda_", [0.0, 0.3, 0.95, 1.0])
@pytest.mark.parametrize("seed", range(3))
def test_q_lambda_is_the_weighted_mean_of_n_step_returns_inside_the_episode(lambda_, seed):
    random = np.random.default_rng(seed)
    r_t, v_t = random.normal(size=(2, 30)).astype(np.float32)
    terminated, truncated = random.uniform(size=(2, 30)) < 0.15
    discount_t = np.where(terminated, 0.0, 0.9).astype(np.float32)
    ended = terminated | truncated
    ours = jax.jit(targets.q_lambda)(r_t, discount_t, ended, v_t, lambda_=lambda_)
    expected = weighted_n_step_returns(r_t, discount_t, ended, v_t, lambda_)
    np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-6)


def test_no_gradient_flows_through_any_target():
    a, r, discount = jnp.int32(1), jnp.float32(1), jnp.float32(0.9)

    def errors(q_tm1, q_t, q_t_values, other):
        clipped = targets.clipped_double_q_learning(q_tm1, a, r, discount, q_t_values, other)
        averaged = targets.averaged_q_learning(q_tm1, a, r, discount, q_t_values)
        munchausen = targets.munchausen_q_learning(q_tm1, a, r, discount, q_t, other, **MUNCHAUSEN)
        rescaled = targets.rescaled_double_q_learning(q_tm1, a, r, discount, q_t, other, eps=1e-3)
        return jnp.stack([clipped, averaged, munchausen, rescaled])

    q_tm1, *rest = jax.jacobian(errors, argnums=(0, 1, 2, 3))(Q_TM1, Q_T, Q_T_VALUES, SELECTOR)
    np.testing.assert_array_equal(q_tm1, np.tile([0.0, -1.0, 0.0], (4, 1)))
    assert not any(jnp.any(gradient) for gradient in rest)

    def returned(r_t, v_t):
        return targets.q_lambda(r_t, DISCOUNT_T, TERMINATED_T, v_t, lambda_=0.5).sum()

    assert not any(jnp.any(gradient) for gradient in jax.grad(returned, argnums=(0, 1))(R_T, V_T))


def test_the_soft_value_of_quantiles_has_the_mean_of_their_values():
    quantiles = jnp.array([[1.0, 3.0], [0.0, -2.0], [5.0, 2.0]])  # [N, A], means 2 and 1
    log_policy = targets.scaled_log_policy(quantiles.mean(axis=0), temperature=0.5)
    values = jax.vmap(lambda row: targets.soft_value(row, log_policy, temperature=0.5))(quantiles)
    np.testing.assert_allclose(values.mean(), 0.5 * np.log(np.exp(2.0 / 0.5) + np.exp(1.0 / 0.5)), rtol=1e-6)
