"""The plain targets and distributions against numbers worked out by hand."""

import math

import numpy as np

from tests.reference.plain import distributional, errors, losses, rollout, sequence_losses, soft
from tests.reference.small_networks import LINEAR, SQUARED


def test_a_projection_shares_a_value_out_between_its_neighbours():
    out = distributional.project([0.25, -7.0, 1.0, 2.0], [0.4, 0.1, 0.2, 0.3], np.array([0.0, 1.0, 2.0]))
    np.testing.assert_allclose(out, [0.1 + 0.3, 0.1 + 0.2, 0.3])


def test_a_normal_distribution_in_bins():
    # edges -1/2, 1/2, 3/2, 5/2; deviation 1 around 1: the middle bin holds 0.3829249225 of 0.8663855975
    out = distributional.hl_gauss(1.0, np.array([0.0, 1.0, 2.0]), 1.0)
    np.testing.assert_allclose(out, [0.2789, 0.4422, 0.2789], atol=1e-3)
    np.testing.assert_allclose(out[1], 0.3829249225480263 / 0.8663855974622838)


def test_the_quantile_huber_loss_by_hand():
    # errors 3 and -0.5 at 1/4: |1/4| (2 (3 - 1)) and |1/4 - 1| (0.125), over kappa 2 and two targets
    loss = distributional.quantile_huber([0.0], [0.25], [3.0, -0.5], 2.0)
    np.testing.assert_allclose(loss, (0.25 * 4.0 + 0.75 * 0.125) / 2.0 / 2.0)
    np.testing.assert_allclose(distributional.quantile_huber([0.0], [0.25], [3.0, -0.5], 0), (0.75 + 0.375) / 2)


def test_the_divergence_is_the_cross_entropy_less_the_entropy():
    target, logits = np.array([0.5, 0.5, 0.0]), np.zeros(3)
    np.testing.assert_allclose(distributional.cross_entropy(target, logits), math.log(3))
    np.testing.assert_allclose(distributional.kl_divergence(target, logits), math.log(3) - math.log(2))


def test_the_slope_of_the_fraction_loss_is_that_of_the_distance():
    # Z(tau) = tau^2, so W1 of one inner fraction t is a known integral; at the best t its slope is 0
    def slope(t):
        boundaries, inner = np.array([0.0, t, 1.0]), np.array([t**2])
        middles = np.array([(t / 2) ** 2, ((1 + t) / 2) ** 2])
        step = 1e-6
        moved = distributional.fraction_loss(boundaries + np.array([0, step, 0]), inner, middles)
        return (moved - distributional.fraction_loss(boundaries, inner, middles)) / step

    def distance(t):
        grid = (np.arange(400_000) + 0.5) / 400_000
        return np.mean(np.abs(grid**2 - np.where(grid < t, (t / 2) ** 2, ((1 + t) / 2) ** 2)))

    for t in (0.3, 0.7):
        np.testing.assert_allclose(slope(t), (distance(t + 1e-3) - distance(t - 1e-3)) / 2e-3, atol=1e-3)


def test_soft_values_and_the_bonus_by_hand():
    # q = tau ln 3 and 0: pi = 3/4 and 1/4
    q_values = [2.0 * math.log(3), 0.0]
    np.testing.assert_allclose(soft.value([1.0, 5.0], q_values, 2.0), 2.0 + 2.0 * 0.5623351446188083)
    algorithm = {"temperature": 2.0, "scale": 0.5, "clip": -1.0}
    np.testing.assert_allclose(soft.bonus(q_values, 0, algorithm), math.log(0.75))
    np.testing.assert_allclose(soft.bonus(q_values, 1, algorithm), -0.5)


def test_the_rescaling_has_its_inverse():
    np.testing.assert_allclose(sequence_losses.rescaled(-3.0, 0.01), -1.03)
    for eps in (0.0, 0.001, 0.5):
        for x in (-7.0, 0.0, 0.3, 100.0):
            np.testing.assert_allclose(sequence_losses.unscaled(sequence_losses.rescaled(x, eps), eps), x, atol=1e-9)


def test_lambda_returns_by_hand():
    assert rollout.lambda_return([1.0, 2.0, 4.0], [0.5, 0.5, 0.0], [8.0, 16.0, 32.0], 0.5) == (
        0.5 * (1 + 4) + 0.25 * (1 + 1 + 0.25 * 16) + 0.25 * (1 + 1 + 1)
    )


def test_the_mask_is_one_half_of_the_members_on_average_and_nested_in_its_share():
    for index in range(50):
        few, many = losses.mask(index, 4, 0.3), losses.mask(index, 4, 0.8)
        assert all(m or not f for f, m in zip(few, many, strict=True))
    assert abs(np.mean([losses.mask(index, 4, 0.5) for index in range(1000)]) - 0.5) < 0.03


def constant(*rows):
    """Returns the parameters of linear networks whose values are these whatever the state, along a leading axis."""
    return {"params/Dense_0/kernel": np.zeros((len(rows), 1, 2)), "params/Dense_0/bias": np.array(rows)}


STEP = {
    "s_tm1": np.ones((1, 1)),
    "a_tm1": np.array([1]),
    "r_t": np.array([1.0]),
    "discount_t": np.array([0.5]),
    "s_t": np.ones((1, 1)),
}


def test_the_average_of_the_copies_comes_before_the_maximum():
    settings = {"algorithm": {"type": "AveragedDQN", "error": SQUARED}, "network": LINEAR}
    online = {path: array[0] for path, array in constant([7.0, 2.0]).items()}
    # means 3 and 2, not the maxima 6 and 4
    out = losses.loss(settings, 2, online, constant([6.0, 0.0], [0.0, 4.0]), STEP, [])
    np.testing.assert_allclose(out["td_error"], [1.0 + 0.5 * 3.0 - 2.0])
    np.testing.assert_allclose(out["max_q"], [7.0])


def test_the_lowest_critic_evaluates_the_action_with_the_highest_mean_of_the_online_members():
    ensemble = {"type": "Ensemble", "member": LINEAR, "num_members": 2, "prior_scale": None}
    huber = {"type": "Huber", "delta": 1.0}
    settings = {"algorithm": {"type": "ClippedDoubleDQN", "error": huber}, "network": ensemble}
    online = {"members/" + path: array for path, array in constant([9.0, 1.0], [1.0, 4.0]).items()}  # action 0: mean 5
    target = {"members/" + path: array for path, array in constant([2.0, 8.0], [3.0, 9.0]).items()}
    out = losses.loss(settings, 2, online, target, STEP, [])
    # the target is 1 + 0.5 * 2 = 2: errors 1 and -2
    np.testing.assert_allclose(out["loss"], [0.5 + 1.5])
    np.testing.assert_allclose(out["td_error"], [-0.5])
    np.testing.assert_allclose(out["max_q"], [5.0])


def test_the_error_losses_by_hand():
    assert errors.error({"type": "SquaredError", "blend": 0.25}, 4.0) == 4.0
    assert errors.error({"type": "HalfSquaredError"}, 4.0) == 8.0
    assert errors.error({"type": "Huber", "delta": 2.0}, -1.0) == 0.5
    assert errors.error({"type": "Huber", "delta": 2.0}, -3.0) == 4.0
