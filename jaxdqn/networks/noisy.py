"""Noisy layers: factorised Gaussian noise on the weights of dense layers (Fortunato et al. 2018)."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jaxdqn.config_fields import configuration, number
from jaxdqn.interfaces import Array, Key, Number

NOISE = "noise"  # name of the flax collection that holds the noise of noisy layers


@configuration
class Noisy:
    """Factorised Gaussian noise on the weights of every dense layer but those of fractions (Fortunato et al. 2018).

    Convolutional layers have none.

    Attributes:
      scale: σ_0; every σ starts at σ_0 / √(number of inputs of the layer).
    """

    scale: float = number(0.5, at_least=0)


class NoisyDense(nn.Module):
    """A dense layer `(μ_w + σ_w ε_w) x + μ_b + σ_b ε_b`, with `ε_w = f(ε_in) f(ε_out)`, `ε_b = f(ε_out)` and
    `f(x) = sign(x) √|x|` (Fortunato et al. 2018, equations 9 to 11).

    All examples of a batch share the noise `f(ε)`, which the collection `NOISE` holds; without it the noise is zero.

    Attributes:
      features: number of outputs.
      scale: σ_0.
    """

    features: int
    scale: Number

    @nn.compact
    def __call__(self, x: Array) -> Array:
        num_inputs = x.shape[-1]
        bound = num_inputs**-0.5

        def uniform(key: Key, shape: tuple[int, ...]) -> Array:
            return jax.random.uniform(key, shape, minval=-bound, maxval=bound)

        def constant(key: Key, shape: tuple[int, ...]) -> Array:
            del key
            return jnp.full(shape, self.scale * bound, jnp.float32)

        kernel = self.param("kernel", uniform, (num_inputs, self.features))
        bias = self.param("bias", uniform, (self.features,))
        kernel_sigma = self.param("kernel_sigma", constant, (num_inputs, self.features))
        bias_sigma = self.param("bias_sigma", constant, (self.features,))
        if self.is_initializing() or self.has_variable(NOISE, "inputs"):
            of_inputs = self.variable(NOISE, "inputs", jnp.zeros, (num_inputs,)).value
            of_outputs = self.variable(NOISE, "outputs", jnp.zeros, (self.features,)).value
            kernel = kernel + kernel_sigma * jnp.outer(of_inputs, of_outputs)
            bias = bias + bias_sigma * of_outputs
        x = x @ kernel
        return x + jnp.broadcast_to(bias, x.shape)


def factorised_noise(key: Key, template: Any) -> Any:
    """Returns `f(ε)` for all noisy layers, from one draw: many small draws take longer to compile and to run.

    Args:
      key: consumed.
      template: the collection `NOISE` of the module; its shapes are used.
    """
    leaves, structure = jax.tree.flatten(template)
    noise = jax.random.normal(key, (sum(leaf.size for leaf in leaves),))
    noise = jnp.sign(noise) * jnp.sqrt(jnp.abs(noise))
    ends = np.cumsum([leaf.size for leaf in leaves])
    parts = jnp.split(noise, ends[:-1])
    return jax.tree.unflatten(structure, [part.reshape(leaf.shape) for part, leaf in zip(parts, leaves, strict=True)])
