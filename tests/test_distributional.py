"""Distributions of returns against hand-worked numbers, loops written from the papers, scipy and rlax's numbers."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdqn import config_fields, distributional, losses

ATOMS = np.float32([-2.0, -1.0, 0.0, 1.0, 2.0, 3.0])


def algorithm_1(atoms_from, probabilities, atoms):
    """Bellemare et al. (2017), for evenly spaced atoms; mass on the grid, which the paper's lines lose, stays there."""
    width, projected = atoms[1] - atoms[0], np.zeros(len(atoms))
    for atom, probability in zip(atoms_from, probabilities, strict=True):
        b = (min(max(float(atom), atoms[0]), atoms[-1]) - atoms[0]) / width
        lower, upper = math.floor(b), math.ceil(b)
        if lower == upper:
            projected[lower] += probability
        else:
            projected[lower] += probability * (upper - b)
            projected[upper] += probability * (b - lower)
    return projected


@pytest.mark.parametrize(
    ("atom", "projected"),
    [
        (0.0, [0, 0, 1, 0, 0, 0]),
        (3.0, [0, 0, 0, 0, 0, 1]),
        (-2.0, [1, 0, 0, 0, 0, 0]),
        (0.25, [0, 0, 0.75, 0.25, 0, 0]),
        (-99.0, [1, 0, 0, 0, 0, 0]),
        (99.0, [0, 0, 0, 0, 0, 1]),
    ],
    ids=["on the grid", "on the last", "on the first", "between", "below", "above"],
)
def test_a_point_goes_to_its_neighbours(atom, projected):
    ours = distributional.project_categorical(jnp.array([atom]), jnp.array([1.0]), ATOMS)
    np.testing.assert_array_equal(ours, projected)


def test_the_projection_equals_rlax():
    projected = [0.1, 0.2, 0.22500001, 0.15000001, 0.125, 0.2]  # rlax.categorical_l2_project
    atoms_from = jnp.array([-7.0, -1.0, 0.25, 1.5, 2.0, 9.0])
    probabilities = jnp.array([0.1, 0.2, 0.3, 0.15, 0.05, 0.2])
    ours = distributional.project_categorical(atoms_from, probabilities, ATOMS)
    np.testing.assert_allclose(ours, projected, rtol=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_the_projection_follows_the_loop_and_keeps_mass_and_mean(seed):
    random = np.random.default_rng(seed)
    atoms = np.linspace(-10, 10, 51, dtype=np.float32)
    probabilities = random.dirichlet(np.ones(51)).astype(np.float32)
    atoms_from = (random.choice([0.0, 0.5, 1.0]) + random.uniform(0.1, 0.9) * atoms).astype(np.float32)
    ours = distributional.project_categorical(atoms_from, probabilities, atoms)
    np.testing.assert_allclose(ours, algorithm_1(atoms_from, probabilities, atoms), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(ours.sum(), probabilities.sum(), rtol=1e-6)
    mean = (probabilities.astype(float) * atoms_from).sum()
    np.testing.assert_allclose((np.asarray(ours) * atoms).sum(), mean, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("num_atoms", [21, 51, 101])
def test_no_mass_is_lost_where_every_atom_falls_on_its_own_grid(num_atoms):
    atoms = jnp.linspace(-10.0, 10.0, num_atoms)
    probabilities = jax.nn.softmax(jnp.sin(jnp.arange(num_atoms, dtype=jnp.float32)))
    ours = distributional.categorical_target(jnp.float32(0), jnp.float32(1), probabilities, atoms)
    np.testing.assert_allclose(ours, probabilities, atol=1e-6)
    np.testing.assert_allclose(ours.sum(), 1.0, rtol=1e-6)


def test_a_terminal_target_is_the_reward_alone():
    probabilities = jnp.array([0.1, 0.2, 0.3, 0.2, 0.1, 0.1])
    target = distributional.categorical_target(jnp.float32(1.5), jnp.float32(0), probabilities, ATOMS)
    np.testing.assert_allclose(target, [0, 0, 0, 0.5, 0.5, 0], rtol=1e-6)


LOGITS = jnp.array([1.0, 0.0, -1.0, 2.0, 0.5, 0.3])
LOGITS_T = jnp.array([0.5, -0.5, 0.0, 1.0, 2.0, 0.1])


def test_the_loss_of_c51_equals_rlax():
    probabilities = jax.nn.softmax(LOGITS_T)
    target = distributional.categorical_target(jnp.float32(0.4), jnp.float32(0.9), probabilities, ATOMS)
    np.testing.assert_allclose(
        distributional.cross_entropy(target, LOGITS), 2.08482146, rtol=1e-6
    )  # categorical_q_learning


def test_the_cross_entropy_pulls_the_prediction_to_the_target_and_leaves_the_target():
    target = jnp.array([0.0, 0.5, 0.5, 0.0, 0.0, 0.0])
    of_target, of_logits = jax.grad(distributional.cross_entropy, argnums=(0, 1))(target, LOGITS)
    np.testing.assert_array_equal(of_target, np.zeros(6))
    np.testing.assert_allclose(of_logits, jax.nn.softmax(LOGITS) - target, rtol=1e-5, atol=1e-7)
    of_kl = jax.grad(distributional.kl_divergence, argnums=(0, 1))(target, LOGITS)
    np.testing.assert_array_equal(of_kl, (of_target, of_logits))


def test_no_gradient_flows_through_the_target_of_c51():
    def target(r_t, probabilities):
        return distributional.categorical_target(r_t, jnp.float32(0.9), probabilities, ATOMS)[3]

    gradients = jax.grad(target, argnums=(0, 1))(jnp.float32(0.4), jax.nn.softmax(LOGITS_T))
    assert not any(jnp.any(gradient) for gradient in gradients)


def test_the_divergence_of_a_half_from_a_quarter():
    target, logits = jnp.array([0.5, 0.5, 0.0]), jnp.log(jnp.array([0.25, 0.5, 0.25]))
    np.testing.assert_allclose(distributional.kl_divergence(target, logits), 0.5 * np.log(2), rtol=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_the_divergence_of_a_right_prediction_is_zero_and_never_below(seed):
    logits = jax.random.normal(jax.random.key(seed), (200, 51)) * 3
    divergence = jax.vmap(distributional.kl_divergence)(jax.nn.softmax(logits), logits)
    np.testing.assert_allclose(divergence, np.zeros(200), atol=2e-6)
    assert divergence.min() >= 0


EDGES = np.linspace(-10, 10, 52, dtype=np.float32)
WIDTH = 20 / 51
CENTERS = (EDGES[:-1] + EDGES[1:]) / 2


@pytest.mark.parametrize("value", [-9.9, -3.0, 0.0, 0.123, 7.5])
def test_hl_gauss_equals_a_loop_with_the_error_function(value):
    sigma = 0.75 * WIDTH
    below = [0.5 * (1 + math.erf((float(edge) - value) / (math.sqrt(2) * sigma))) for edge in EDGES]
    expected = [(high - low) / (below[-1] - below[0]) for low, high in itertools.pairwise(below)]
    ours = distributional.hl_gauss_target(jnp.float32(value), EDGES, sigma=sigma)
    np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("share", [0.5, 0.75, 2.0])
def test_the_mean_of_hl_gauss_is_its_value_away_from_the_ends(share):
    values = jnp.linspace(-5.0, 5.0, 101)
    targets = jax.vmap(lambda value: distributional.hl_gauss_target(value, EDGES, sigma=share * WIDTH))(values)
    means = targets @ CENTERS
    np.testing.assert_allclose(means, values, atol=2e-3 if share == 0.5 else 1e-4)


@pytest.mark.parametrize("value", [-1e6, -10.0, 10.0, 11.0, 1e6])
@pytest.mark.parametrize("sigma", [1e-3, 0.3, 1e3])
def test_hl_gauss_is_a_distribution_at_and_beyond_the_ends(value, sigma):
    ours = distributional.hl_gauss_target(jnp.float32(value), EDGES, sigma=sigma)
    np.testing.assert_allclose(ours.sum(), 1.0, rtol=1e-4)
    assert ours.min() >= 0
    if sigma < 1:
        assert ours.argmax() == (0 if value < 0 else 50)


def test_a_narrow_hl_gauss_is_one_bin_and_a_target():
    value = CENTERS[7]
    ours = distributional.hl_gauss_target(value, EDGES, sigma=1e-3)
    np.testing.assert_array_equal(ours, np.eye(51)[7])
    beside = value + 0.1  # in the middle of a bin the slope would be 0 anyway
    assert jax.grad(lambda v: distributional.hl_gauss_target(v, EDGES, sigma=0.3)[7])(beside) == 0


def quantile_huber_by_hand(quantiles, fractions, target_quantiles, kappa):
    total = 0.0
    for quantile, fraction in zip(quantiles, fractions, strict=True):
        for target in target_quantiles:
            delta = float(target) - float(quantile)
            if kappa == 0:
                over_kappa = abs(delta)
            elif abs(delta) <= kappa:
                over_kappa = 0.5 * delta**2 / kappa
            else:
                over_kappa = abs(delta) - 0.5 * kappa
            total += abs(float(fraction) - (delta < 0)) * over_kappa / len(target_quantiles)
    return total


def test_the_fraction_that_weighs_an_error_is_that_of_the_learning_quantile():
    quantiles, fractions, target = jnp.array([0.0, 10.0]), jnp.array([0.1, 0.9]), jnp.array([4.0, 6.0, 8.0])
    # Errors of the first are 4, 6 and 8, weighed 0.1; of the second -6, -4 and -2, weighed |0.9 - 1|.
    loss = distributional.quantile_huber_loss(quantiles, fractions, target, kappa=0.0)
    np.testing.assert_allclose(loss, 0.1 * 6.0 + 0.1 * 4.0, rtol=1e-6)
    swapped = distributional.quantile_huber_loss(quantiles, fractions[::-1], target, kappa=0.0)
    np.testing.assert_allclose(swapped, 0.9 * 6.0 + 0.9 * 4.0, rtol=1e-6)
    slope = jax.grad(distributional.quantile_huber_loss)(quantiles, fractions, target, kappa=1.0)
    np.testing.assert_allclose(slope, [-0.1, 0.1], rtol=1e-6)


@pytest.mark.parametrize(
    ("kappa", "loss"),  # rlax.quantile_regression_loss, which does not divide by kappa
    [(0.0, 1.83124995), (0.5, 0.76953125 / 0.5), (1.0, 1.28203130), (2.0, 1.82890630 / 2.0)],
)
def test_the_quantile_loss_equals_rlax_over_kappa(kappa, loss):
    quantiles, fractions = jnp.array([-1.0, 0.5, 2.0]), jnp.array([0.1, 0.5, 0.7])
    ours = distributional.quantile_huber_loss(quantiles, fractions, jnp.array([0.0, 3.0, -2.0, 0.75]), kappa=kappa)
    np.testing.assert_allclose(ours, loss, rtol=1e-6)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kappa", [0.0, 0.3, 1.0])
def test_the_quantile_loss_equals_a_loop_and_is_compiled_once_for_every_kappa(kappa, seed):
    random = np.random.default_rng(seed)
    quantiles, target = random.normal(size=7).astype(np.float32), random.normal(size=5).astype(np.float32)
    fractions = random.uniform(size=7).astype(np.float32)
    ours = jax.jit(distributional.quantile_huber_loss)(quantiles, fractions, target, kappa=jnp.float32(kappa))
    np.testing.assert_allclose(ours, quantile_huber_by_hand(quantiles, fractions, target, kappa), rtol=1e-5)


@pytest.mark.parametrize("td_error", [-3.0, -0.4, 0.0, 0.7, 2.5])
@pytest.mark.parametrize("kappa", [0.5, 1.0])
def test_one_quantile_in_the_middle_costs_half_of_huber_over_kappa(td_error, kappa):
    huber = losses.Huber(delta=kappa)
    fraction, target = distributional.midpoints(1), jnp.array([1.0])

    def quantile_loss(quantile):
        return distributional.quantile_huber_loss(quantile[None], fraction, target, kappa=kappa)

    quantile = jnp.float32(1.0 - td_error)
    np.testing.assert_allclose(quantile_loss(quantile), 0.5 * huber(1.0 - quantile) / kappa, rtol=1e-6)
    slope = jax.grad(lambda q: 0.5 * huber(1.0 - q) / kappa)(quantile)
    np.testing.assert_allclose(jax.grad(quantile_loss)(quantile), slope, rtol=1e-6)


@pytest.mark.parametrize("kappa", [0.0, 1.0])
def test_the_gradient_of_the_quantile_loss_flows_through_the_quantiles_only(kappa):
    def loss(quantiles, fractions, target):
        return distributional.quantile_huber_loss(quantiles, fractions, target, kappa=kappa)

    arguments = (jnp.array([0.0, 2.0]), jnp.array([0.25, 0.75]), jnp.array([0.0, 2.0]))  # two errors are 0
    quantiles, *rest = jax.grad(loss, argnums=(0, 1, 2))(*arguments)
    assert jnp.isfinite(quantiles).all()
    np.testing.assert_allclose(quantiles, [-0.125, 0.125], rtol=1e-6)
    assert not any(jnp.any(gradient) for gradient in rest)


def test_the_quantile_loss_is_least_at_the_quantiles_of_the_target():
    target = jnp.arange(1.0, 100.0)  # its quartiles are 25, 50 and 75
    fractions, quantiles = jnp.array([0.25, 0.5, 0.75]), jnp.array([25.0, 50.0, 75.0])
    slope = jax.grad(distributional.quantile_huber_loss)(quantiles, fractions, target, kappa=0.0)
    np.testing.assert_allclose(slope, np.zeros(3), atol=0.01)


def test_midpoints_are_in_the_middle_of_equal_parts():
    np.testing.assert_allclose(distributional.midpoints(4), [0.125, 0.375, 0.625, 0.875])


QUANTILE_FUNCTIONS = {
    "uniform": lambda f: 4.0 * f - 1.0,
    "square": lambda f: 5.0 * f**2,
    "exponential": lambda f: -np.log1p(-0.999 * f),
}


def distance_to_steps(inner, quantile_function, num_points=20_000):
    """The 1-Wasserstein error of Yang et al. (2019), equation 3, as a sum over midpoints of small parts."""
    fractions, total = np.concatenate([[0.0], inner, [1.0]]), 0.0
    for low, high in itertools.pairwise(fractions):
        places = low + (np.arange(num_points) + 0.5) / num_points * (high - low)
        step = quantile_function((low + high) / 2)
        total += np.mean(np.abs(quantile_function(places) - step)) * (high - low)
    return total


@pytest.mark.parametrize("name", QUANTILE_FUNCTIONS)
def test_the_gradient_of_the_fractions_is_that_of_the_distance(name):
    quantile_function, inner, nudge = QUANTILE_FUNCTIONS[name], np.array([0.1, 0.3, 0.45, 0.8]), 1e-4
    fractions = np.concatenate([[0.0], inner, [1.0]])
    middles = (fractions[1:] + fractions[:-1]) / 2
    measured = []
    for i in range(len(inner)):
        at = [distance_to_steps(inner + sign * nudge * np.eye(len(inner))[i], quantile_function) for sign in (1, -1)]
        measured.append((at[0] - at[1]) / (2 * nudge))
    quantiles, middle_quantiles = (np.float32(quantile_function(places)) for places in (inner, middles))
    gradient = jax.grad(distributional.fraction_loss)(jnp.float32(inner), quantiles, middle_quantiles)
    np.testing.assert_allclose(gradient, measured, rtol=1e-3, atol=1e-5)
    np.testing.assert_array_equal(gradient, distributional.fraction_gradient(quantiles, middle_quantiles))


def test_the_gradient_of_the_fractions_is_exact_and_flows_nowhere_else():
    quantiles, middles = jnp.array([1.0, 5.0]), jnp.array([0.0, 2.0, 10.0])
    gradients = jax.grad(distributional.fraction_loss, argnums=(0, 1, 2))(jnp.array([0.2, 0.7]), quantiles, middles)
    np.testing.assert_array_equal(gradients[0], [2.0 * 1 - 2 - 0, 2.0 * 5 - 10 - 2])
    np.testing.assert_array_equal(gradients[1], np.zeros(2))
    np.testing.assert_array_equal(gradients[2], np.zeros(3))


def test_the_distance_of_two_points_is_how_far_they_are_apart():
    one = jnp.array([1.0])
    assert distributional.wasserstein(jnp.array([-2.0]), one, jnp.array([5.0]), one) == 7


def test_the_distance_of_quantiles_is_the_mean_distance_in_order():
    p, q, weights = jnp.array([3.0, 0.0, 1.0]), jnp.array([5.0, 2.0, 1.0]), jnp.full(3, 1 / 3)
    np.testing.assert_allclose(distributional.wasserstein(p, weights, q, weights), (1 + 1 + 2) / 3, rtol=1e-6)
    np.testing.assert_allclose(distributional.wasserstein(p, weights, p[::-1], weights), 0, atol=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_the_distance_of_weighted_atoms_equals_scipy(seed):
    stats = pytest.importorskip("scipy.stats")
    random = np.random.default_rng(seed)
    p, q = random.normal(size=6).round(1).astype(np.float32), random.normal(size=9).round(1).astype(np.float32)
    weights_p, weights_q = (random.dirichlet(np.ones(n)).astype(np.float32) for n in (6, 9))
    ours = distributional.wasserstein(p, weights_p, q, weights_q)
    np.testing.assert_allclose(ours, stats.wasserstein_distance(p, q, weights_p, weights_q), rtol=1e-5)


FRACTIONS = jnp.array([0.0, 0.25, 0.5, 0.75, 1.0])


@pytest.mark.parametrize(
    ("risk", "distorted"),
    [
        (distributional.Neutral(), [0.0, 0.25, 0.5, 0.75, 1.0]),
        (distributional.CVaR(0.25), [0.0, 0.0625, 0.125, 0.1875, 0.25]),
        (distributional.CVaR(1.0), [0.0, 0.25, 0.5, 0.75, 1.0]),
        (distributional.Power(1.0), [0.0, 0.5, 0.70710678, 0.86602540, 1.0]),  # square roots
        (distributional.Power(-1.0), [0.0, 0.13397460, 0.29289322, 0.5, 1.0]),
        (distributional.Power(0.0), [0.0, 0.25, 0.5, 0.75, 1.0]),
        (distributional.Wang(-0.75), [0.0, 0.0771524, 0.2266274, 0.4699044, 1.0]),  # scipy.stats.norm
        (distributional.Wang(0.0), [0.0, 0.25, 0.5, 0.75, 1.0]),
    ],
    ids=repr,
)
def test_risk_distorts_fractions(risk, distorted):
    np.testing.assert_allclose(risk(FRACTIONS), distorted, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(jax.jit(lambda risk, f: risk(f))(risk, FRACTIONS), risk(FRACTIONS), rtol=1e-6)


@pytest.mark.parametrize("risk", [distributional.CVaR(), distributional.Power(), distributional.Wang()], ids=repr)
def test_risk_is_averse_by_default_and_keeps_the_order(risk):
    config_fields.check(risk)
    fractions = jnp.linspace(0.01, 0.99, 99)
    assert (risk(fractions) < fractions).all()
    assert (jnp.diff(risk(fractions)) > 0).all()


@pytest.mark.parametrize("eta", [0.0, 1.5, -0.1])
def test_the_part_of_a_conditional_value_at_risk_lies_between_nothing_and_all(eta):
    with pytest.raises(ValueError, match="eta"):
        config_fields.check(distributional.CVaR(eta))
