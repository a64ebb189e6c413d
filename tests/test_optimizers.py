"""Optimizers against loops written from their papers, with all numbers traced."""

import fractions
import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxdqn import optimizers
from jaxdqn.config_fields import configuration, number

GRADIENTS = np.random.default_rng(0).normal(size=(20, 3)) * [0.01, 1.0, 10.0]
RATE = 0.1


def parameters_after(transformation_of, config):
    """Applies GRADIENTS from zero; the configuration is a traced argument, as in a grid."""

    @jax.jit
    def follow(config, rate):
        transformation = transformation_of(config, rate)
        parameters = jnp.zeros(3)
        state = transformation.init(parameters)
        for gradient in GRADIENTS:
            changes, state = transformation.update(jnp.float32(gradient), state, parameters)
            parameters = optax.apply_updates(parameters, changes)
        return parameters

    return follow(config, RATE)


def test_adam_equals_algorithm_1_of_its_paper():
    b1, b2, eps = 0.8, 0.95, 1e-3
    first, second, expected = np.zeros(3), np.zeros(3), np.zeros(3)
    for time, gradient in enumerate(GRADIENTS, start=1):
        first = b1 * first + (1 - b1) * gradient
        second = b2 * second + (1 - b2) * gradient**2
        expected -= RATE * (first / (1 - b1**time)) / (np.sqrt(second / (1 - b2**time)) + eps)
    ours = parameters_after(lambda config, rate: config.make(rate), optimizers.Adam(b1, b2, eps))
    np.testing.assert_allclose(ours, expected, rtol=1e-5)


def test_radam_equals_algorithm_2_of_its_paper_with_its_authors_threshold():
    b1, b2, eps, num_rectified = 0.8, 0.95, 1e-3, 0
    first, second, expected, rho_end = np.zeros(3), np.zeros(3), np.zeros(3), 2 / (1 - b2) - 1
    for time, gradient in enumerate(GRADIENTS, start=1):
        first = b1 * first + (1 - b1) * gradient
        second = b2 * second + (1 - b2) * gradient**2
        rho = rho_end - 2 * time * b2**time / (1 - b2**time)
        change = first / (1 - b1**time)
        if rho >= 5:
            num_rectified += 1
            short = (rho - 4) * (rho - 2) * rho_end / ((rho_end - 4) * (rho_end - 2) * rho)
            change *= np.sqrt(short) / (np.sqrt(second / (1 - b2**time)) + eps)
        expected -= RATE * change
    assert 0 < num_rectified < len(GRADIENTS)
    ours = parameters_after(lambda config, rate: config.make(rate), optimizers.RAdam(b1, b2, eps))
    np.testing.assert_allclose(ours, expected, rtol=1e-4)


@pytest.mark.parametrize("b2", [0.0, 0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999])
def test_the_rectification_of_radam_is_exact_to_float32(b2):
    for time in (1, 2, 5, 6, 7, 30, 400, 600, 5_000, 100_000):
        exact, end = fractions.Fraction(float(np.float32(b2))), None
        if time <= 600:
            power = exact**time
        else:  # an exact fraction would be too long; no cancellation occurs here
            power = fractions.Fraction(math.exp(time * math.log1p(float(exact) - 1)) if b2 else 0.0)
        end = 2 / (1 - exact) - 1
        rho = end - 2 * time * power / (1 - power)
        factor, is_rectified = optimizers.rectification(jnp.int32(time), jnp.float32(b2))
        assert bool(is_rectified) == (rho >= 5)
        if rho >= 5:
            expected = math.sqrt((rho - 4) * (rho - 2) * end / ((end - 4) * (end - 2) * rho))
            np.testing.assert_allclose(factor, expected, rtol=2e-5)


@pytest.mark.parametrize("centred", [False, True])
def test_rmsprop_equals_its_definition(centred):
    decay, eps = 0.9, 0.01
    square, mean, expected = np.zeros(3), np.zeros(3), np.zeros(3)
    for gradient in GRADIENTS:
        square = decay * square + (1 - decay) * gradient**2
        mean = decay * mean + (1 - decay) * gradient
        expected -= RATE * gradient / np.sqrt(square - centred * mean**2 + eps)
    ours = parameters_after(lambda config, rate: config.make(rate), optimizers.RMSProp(decay, eps, centred))
    np.testing.assert_allclose(ours, expected, rtol=1e-4)


def test_sgd_follows_the_gradient():
    ours = parameters_after(lambda config, rate: config.make(rate), optimizers.SGD())
    np.testing.assert_allclose(ours, -RATE * GRADIENTS.sum(axis=0), rtol=1e-5)


def test_clipping_scales_the_whole_gradient_and_only_if_its_norm_is_too_large():
    def clipped_sgd(config, rate):
        return optimizers.transformation(config, rate, max_gradient_norm=2.0)

    lengths = np.linalg.norm(GRADIENTS, axis=1, keepdims=True)
    assert (lengths < 2).any()
    assert (lengths > 2).any()
    expected = -RATE * (GRADIENTS * np.minimum(1.0, 2.0 / lengths)).sum(axis=0)
    np.testing.assert_allclose(parameters_after(clipped_sgd, optimizers.SGD()), expected, rtol=1e-4)


@configuration
class DecayOfKernels:
    """An optimizer of a user: weight decay for matrices only, and no learning in the layer `frozen`."""

    decay: float = number(0.5, at_least=0)

    def make(self, learning_rate):
        def label(path, _):
            return "none" if path[0].key == "frozen" else "all"

        adamw = optax.adamw(
            learning_rate, weight_decay=self.decay, mask=lambda tree: jax.tree.map(lambda x: x.ndim > 1, tree)
        )
        return optax.multi_transform(
            {"all": adamw, "none": optax.set_to_zero()}, lambda tree: jax.tree_util.tree_map_with_path(label, tree)
        )


def after_one_update(optimizer, parameters, gradient, max_gradient_norm=None):
    transformation = optimizers.transformation(optimizer, RATE, max_gradient_norm)
    state = transformation.init(parameters)
    changes, state = transformation.update(gradient, state, parameters)
    return optax.apply_updates(parameters, changes), state


@pytest.mark.parametrize("max_gradient_norm", [None, 1e3])
def test_an_optimizer_of_the_user_gets_the_tree_with_its_shapes_and_names(max_gradient_norm):
    layer = {"kernel": jnp.ones((2, 3)), "bias": jnp.ones(3)}
    parameters = {"free": layer, "frozen": layer}
    gradient = jax.tree.map(jnp.zeros_like, parameters)  # so that the decay alone moves anything
    after, _ = after_one_update(DecayOfKernels(decay=0.5), parameters, gradient, max_gradient_norm)
    np.testing.assert_allclose(after["free"]["kernel"], 1 - RATE * 0.5)
    for layer, name in (("free", "bias"), ("frozen", "kernel"), ("frozen", "bias")):
        np.testing.assert_array_equal(after[layer][name], 1.0)


@pytest.mark.parametrize("optimizer", [optimizers.Adam(), optimizers.RAdam(), optimizers.RMSProp(centred=True)])
def test_optimizers_of_the_package_keep_one_vector_of_all_parameters(optimizer):
    parameters = {"kernel": jnp.ones((2, 3)), "bias": jnp.ones(3)}
    _, state = after_one_update(optimizer, parameters, parameters)
    assert {leaf.shape for leaf in jax.tree.leaves(state)} <= {(9,), ()}
    assert sum(leaf.shape == (9,) for leaf in jax.tree.leaves(state)) == 2
