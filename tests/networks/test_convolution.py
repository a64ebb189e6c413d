"""Convolution and pooling against those of JAX and flax."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdqn.networks.convolution import Convolution, convolve, max_pool

# Height, width and channels of the picture; height, width and number of the kernels; stride; padding.
CASES = {
    "MinAtar": ((10, 10, 4), (3, 3, 5), 1, "VALID"),
    "kernel twice the stride": ((14, 12, 2), (8, 8, 3), 4, "VALID"),
    "cells left over": ((11, 9, 3), (4, 4, 2), 3, "VALID"),
    "stride over the kernel": ((9, 8, 2), (2, 2, 3), 3, "VALID"),
    "oblong kernel": ((7, 9, 3), (2, 5, 4), 2, "VALID"),
    "one patch": ((5, 4, 1), (5, 4, 2), 1, "VALID"),
    "one cell": ((4, 6, 3), (1, 1, 2), 1, "VALID"),
    "same": ((6, 5, 2), (3, 3, 4), 1, "SAME"),
    "same, odd size, stride 2": ((7, 9, 2), (3, 3, 2), 2, "SAME"),
    "same, even kernel": ((8, 5, 1), (4, 2, 3), 2, "SAME"),
    "many channels": ((6, 5, 16), (3, 2, 4), 1, "SAME"),
    "many channels, stride 2": ((7, 8, 17), (3, 3, 2), 2, "VALID"),
    "many channels in squares, cells left over": ((13, 10, 5), (4, 6, 3), 2, "VALID"),
    "one square for each cell": ((11, 10, 2), (5, 5, 3), 5, "SAME"),
    "same, kernel over the picture": ((2, 3, 2), (5, 5, 2), 1, "SAME"),
}


def normal(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def of_jax(x, kernel, stride, padding):
    numbers = ("NHWC", "HWIO", "NHWC")
    return jax.lax.conv_general_dilated(
        x, kernel, (stride, stride), padding, dimension_numbers=numbers, precision="highest"
    )


@pytest.mark.parametrize("case", CASES)
def test_values_and_gradients_equal_the_convolution_of_jax(case):
    shape, (*size, features), stride, padding = CASES[case]
    x, kernel = normal(0, 2, *shape), normal(1, *size, shape[-1], features)
    weight = normal(2, *jax.eval_shape(lambda: of_jax(x, kernel, stride, padding)).shape)

    @jax.jit
    def both(x, kernel, weight):
        ours = jax.vjp(lambda x, kernel: convolve(x, kernel, stride, padding), x, kernel)
        of_xla = jax.vjp(lambda x, kernel: of_jax(x, kernel, stride, padding), x, kernel)
        return [(y, *gradients(weight)) for y, gradients in (ours, of_xla)]

    for one, other in zip(*both(x, kernel, weight), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5 * np.abs(other).max())


def test_kernels_side_by_side_and_in_a_loop_equal_each_alone():
    x, kernels = normal(0, 3, 6, 7, 2), normal(1, 4, 3, 3, 2, 5)

    @jax.jit
    def gradient(x, kernel):
        return jax.grad(lambda x, kernel: jnp.square(convolve(x, kernel, 2, "SAME")).sum(), (0, 1))(x, kernel)

    together = jax.jit(jax.vmap(gradient, in_axes=(None, 0)))(x, kernels)
    in_loop = jax.jit(lambda x, kernels: jax.lax.scan(lambda x, kernel: (x, gradient(x, kernel)), x, kernels)[1])
    for found in (together, in_loop(x, kernels)):
        for i, kernel in enumerate(kernels):
            for one, other in zip(found, gradient(x, kernel), strict=True):
                np.testing.assert_allclose(one[i], other, rtol=1e-5, atol=1e-5 * np.abs(other).max())


def test_all_axes_before_the_picture_are_batch_axes():
    x, kernel = normal(0, 2, 3, 5, 6, 2), normal(1, 3, 3, 2, 4)
    both = jax.jit(lambda x: (convolve(x, kernel, 2, "SAME"), max_pool(x, 2, 2, "SAME")))
    for together, alone in zip(both(x), both(x[1, 2]), strict=True):
        np.testing.assert_allclose(together[1, 2], alone, rtol=1e-5, atol=1e-6)


def test_no_convolution_of_xla_is_used():
    """It would be slow in a loop on a CPU, and as a grouped convolution for kernels side by side."""
    x, kernel = normal(0, 2, 8, 8, 2), normal(1, 3, 3, 2, 4)

    def loss(x, kernel):
        return max_pool(convolve(x, kernel), 2, 2).sum()

    steps = str(jax.make_jaxpr(jax.grad(loss, (0, 1)))(x, kernel))
    assert "dot_general" in steps
    assert not any(name in steps for name in ("conv_general_dilated", "reduce_window", "select_and_scatter"))


@pytest.mark.parametrize(
    ("shape", "size", "stride", "padding"),
    [
        ((7, 8, 2), 3, 2, "SAME"),
        ((8, 7, 2), 3, 2, "SAME"),
        ((5, 5, 1), 2, 1, "VALID"),
        ((7, 9, 2), 3, 2, "VALID"),
    ],
)
def test_pooling_equals_that_of_flax(shape, size, stride, padding):
    x = normal(0, 2, *shape) - 5.0  # a padding of zeros would be the largest
    window = {"window_shape": (size, size), "strides": (stride, stride), "padding": padding}
    weight = normal(1, *jax.eval_shape(lambda: nn.max_pool(x, **window)).shape)

    @jax.jit
    def both(x, weight):
        ours = jax.vjp(lambda x: max_pool(x, size, stride, padding), x)
        of_flax = jax.vjp(lambda x: nn.max_pool(x, **window), x)
        return [(y, *gradient(weight)) for y, gradient in (ours, of_flax)]

    for one, other in zip(*both(x, weight), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-6)


def test_equal_values_share_the_gradient_of_their_maximum():
    gradient = jax.grad(lambda x: max_pool(x, 2, 2).sum())(jnp.zeros((2, 2, 1)))
    np.testing.assert_allclose(gradient, np.full((2, 2, 1), 0.25))


def test_the_layer_equals_that_of_flax():
    x = normal(0, 2, 7, 6, 3)
    ours = Convolution(4, 3, 2, "SAME", nn.initializers.lecun_normal())
    of_flax = nn.Conv(4, (3, 3), (2, 2), "SAME")
    parameters = ours.init(jax.random.key(0), x)
    jax.tree.map(np.testing.assert_array_equal, parameters, of_flax.init(jax.random.key(0), x))
    parameters["params"]["bias"] = normal(1, 4)
    np.testing.assert_allclose(ours.apply(parameters, x), of_flax.apply(parameters, x), rtol=1e-4, atol=1e-5)
