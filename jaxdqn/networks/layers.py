"""Layers that networks share: dense ones with noisy weights or without, normalised or not, and the dueling split."""

from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jaxdqn.fields import configuration, number, static
from jaxdqn.interfaces import Array, Key, Number

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {"relu": nn.relu, "tanh": nn.tanh}
INITIALIZERS = {"lecun_normal": nn.initializers.lecun_normal, "glorot_uniform": nn.initializers.glorot_uniform}
NOISE = "noise"  # flax's collection of what noisy layers are given


@configuration
class Noisy:
    """Factorised Gaussian noise on the weights of every dense layer but those of fractions (Fortunato et al. 2018).

    Attributes:
      scale: sigma_0, the size of the noise at the start, before it is divided by the root of a layer's inputs.
    """

    scale: float = number(0.5, at_least=0)


@configuration
class Dueling:
    """A value and advantages in place of action values: `q = v + a − mean a` (Wang et al. 2016, equation 9).

    Attributes:
      hidden: units of the hidden layers of each of the two streams.
    """

    hidden: tuple[int, ...] = static((64,), at_least=1)


@configuration
class LayerNorm:
    """Layer normalisation before the activation of each hidden layer (Ba et al. 2016; Gallici et al. 2025).

    Attributes:
      epsilon: added to the variance.
    """

    version: ClassVar[int] = 2  # raised when the same configuration learns differently

    epsilon: float = number(1e-6, above=0)


class NoisyDense(nn.Module):
    """A dense layer `(μ_w + σ_w ε_w) x + μ_b + σ_b ε_b`, with `ε_w = f(ε_in) f(ε_out)`, `ε_b = f(ε_out)` and
    `f(x) = sign(x) √|x|` (Fortunato et al. 2018, equations 9 to 11).

    The noise `f(ε)` is given, one of it for all examples of a batch; where it is not, it is zero.

    Attributes:
      features: outputs.
      scale: sigma_0.
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
    """Returns `f(ε)` for all noisy layers, in one draw: many small ones take longer to compile and to run.

    Args:
      key: consumed.
      template: the shapes of the collection `NOISE`, as `init` of the module makes it.
    """
    leaves, structure = jax.tree.flatten(template)
    noise = jax.random.normal(key, (sum(leaf.size for leaf in leaves),))
    noise = jnp.sign(noise) * jnp.sqrt(jnp.abs(noise))
    ends = np.cumsum([leaf.size for leaf in leaves])
    parts = jnp.split(noise, ends[:-1])
    return jax.tree.unflatten(structure, [part.reshape(leaf.shape) for part, leaf in zip(parts, leaves, strict=True)])


class Layers(NamedTuple):
    """The layers of one network, called inside a compact flax module, whose parameters they become.

    Attributes:
      num_actions: of the game.
      activation: after each hidden layer, a name of `ACTIVATIONS`.
      initializer: of weights without noise, a name of `INITIALIZERS`.
      noisy: noise on every dense layer; None without.
      normalisation: before each activation; None without.
      dueling: two streams at the end; None is one.
    """

    num_actions: int
    activation: str
    initializer: str
    noisy: Noisy | None
    normalisation: LayerNorm | None
    dueling: Dueling | None

    def dense(self, x: Array, features: int) -> Array:
        """Returns `[..., features]`."""
        if self.noisy is not None:
            return NoisyDense(features, self.noisy.scale)(x)
        return nn.Dense(features, kernel_init=INITIALIZERS[self.initializer]())(x)

    def hidden(self, x: Array, widths: tuple[int, ...]) -> Array:
        """Returns `[..., widths[-1]]` after so many hidden layers."""
        for features in widths:
            x = self.dense(x, features)
            if self.normalisation is not None:
                # The fast variance, E[x²] − E[x]², cancels in float32 where the mean is large.
                x = nn.LayerNorm(epsilon=self.normalisation.epsilon, use_fast_variance=False)(x)
            x = ACTIVATIONS[self.activation](x)
        return x

    def values(self, x: Array, width: int) -> Array:
        """Returns `[..., num_actions, width]`: for each action so many numbers, from one stream or two."""
        shape = (*x.shape[:-1], self.num_actions, width)
        if self.dueling is None:
            return self.dense(x, self.num_actions * width).reshape(shape)
        value = self.dense(self.hidden(x, self.dueling.hidden), width)
        advantage = self.dense(self.hidden(x, self.dueling.hidden), self.num_actions * width).reshape(shape)
        return value[..., None, :] + advantage - advantage.mean(-2, keepdims=True)
