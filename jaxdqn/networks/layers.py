"""Layers of torsos and heads: dense or noisy, with layer normalisation or without, and the dueling streams."""

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
NOISE = "noise"  # name of the flax collection that holds the noise of noisy layers


@configuration
class Noisy:
    """Factorised Gaussian noise on the weights of every dense layer but those of fractions (Fortunato et al. 2018).

    Attributes:
      scale: σ_0; every σ starts at σ_0 / √(number of inputs of the layer).
    """

    scale: float = number(0.5, at_least=0)


@configuration
class Dueling:
    """Two streams, a value and advantages: `q = v + a − mean_a a` (Wang et al. 2016, equation 9).

    Attributes:
      hidden: units of each hidden layer of a stream; both streams have the same.
    """

    hidden: tuple[int, ...] = static((64,), at_least=1)


@configuration
class LayerNorm:
    """Layer normalisation before the activation of each hidden layer (Ba et al. 2016; Gallici et al. 2025).

    Attributes:
      epsilon: added to the variance before its root is taken.
    """

    version: ClassVar[int] = 2  # raised when the same configuration learns differently

    epsilon: float = number(1e-6, above=0)


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


class Layers(NamedTuple):
    """Makes the layers of one network. Call the methods inside a compact flax module, which holds the parameters.

    Attributes:
      num_actions: number of actions of the game, A.
      activation: a name of `ACTIVATIONS`, applied after each hidden layer.
      initializer: a name of `INITIALIZERS`, of the weights of layers without noise.
      noisy: noise on the weights of every dense layer; None is none.
      normalisation: before each activation; None is none.
      dueling: two streams at the end; None is one stream.
    """

    num_actions: int
    activation: str
    initializer: str
    noisy: Noisy | None
    normalisation: LayerNorm | None
    dueling: Dueling | None

    def dense(self, x: Array, features: int) -> Array:
        """Returns the output `[..., features]` of one linear layer, noisy where the network is."""
        if self.noisy is not None:
            return NoisyDense(features, self.noisy.scale)(x)
        return nn.Dense(features, kernel_init=INITIALIZERS[self.initializer]())(x)

    def hidden(self, x: Array, widths: tuple[int, ...]) -> Array:
        """Returns features `[..., widths[-1]]`, after hidden layers of these widths."""
        for features in widths:
            x = self.dense(x, features)
            if self.normalisation is not None:
                # The fast variance, E[x²] − E[x]², cancels in float32 where the mean is large.
                x = nn.LayerNorm(epsilon=self.normalisation.epsilon, use_fast_variance=False)(x)
            x = ACTIVATIONS[self.activation](x)
        return x

    def values(self, x: Array, width: int) -> Array:
        """Returns `width` numbers for each action, `[..., A, width]`, from one stream or from the two of dueling."""
        shape = (*x.shape[:-1], self.num_actions, width)
        if self.dueling is None:
            return self.dense(x, self.num_actions * width).reshape(shape)
        value = self.dense(self.hidden(x, self.dueling.hidden), width)
        advantage = self.dense(self.hidden(x, self.dueling.hidden), self.num_actions * width).reshape(shape)
        return value[..., None, :] + advantage - advantage.mean(-2, keepdims=True)
