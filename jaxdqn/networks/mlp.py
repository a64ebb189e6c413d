"""A multilayer perceptron from observations to action values, or to what a head makes of them."""

import math
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxdqn import noise as noises
from jaxdqn.fields import configuration, part, static
from jaxdqn.interfaces import Array, Key, Network, feed_forward
from jaxdqn.networks.heads import Head
from jaxdqn.networks.layers import ACTIVATIONS, INITIALIZERS, NOISE, Dueling, LayerNorm, Layers, Noisy, factorised_noise
from jaxdqn.outputs import NetworkOutput


@configuration
class MLP:
    """Fully connected layers with one activation between them; biases start at zero, but for those of noisy layers.

    Attributes:
      hidden: units of each hidden layer; empty makes the values linear in the observation.
      activation: after each hidden layer.
      initializer: of the weights, but for layers that embed fractions (LeCun normal) or propose them (Glorot uniform,
        scaled by 0.01).
      head: what is said of the return of an action; None is its mean and no more.
      dueling: a value and advantages at the end, in two streams; None is one stream.
      noisy: noise on the weights of these layers, which then have an initializer of their own; None without.
      normalisation: before each activation; None without.
    """

    hidden: tuple[int, ...] = static((64, 64), at_least=1)
    activation: str = static("relu", choices=tuple(ACTIVATIONS))
    initializer: str = static("lecun_normal", choices=tuple(INITIALIZERS))
    head: Head | None = part(None)
    dueling: Dueling | None = part(None)
    noisy: Noisy | None = part(None)
    normalisation: LayerNorm | None = part(None)

    def make(self, observation_shape: tuple[int, ...], num_actions: int) -> Network:
        """Returns the network for observations of this shape, flattened and taken as float32."""
        module = _Perceptron(self, num_actions)
        size = math.prod(observation_shape)

        def init(key: Key) -> Any:
            return {"params": module.init(key, jnp.zeros((size,)))["params"]}

        # Made while it is traced, a key starts no device: studies are made before devices are chosen.
        template = jax.eval_shape(lambda: module.init(jax.random.key(0), jnp.zeros((size,)))).get(NOISE)

        def noise(key: Key) -> _Noise:
            weights_key, head_key = jax.random.split(key)
            return _Noise(
                weights=None if template is None else factorised_noise(weights_key, template),
                head_key=head_key if self.head is not None and self.head.is_random else None,
            )

        def apply(parameters: Any, observation: Array, key: Any = None) -> Any:
            batch = observation.shape[: observation.ndim - len(observation_shape)]
            flat = observation.reshape(*batch, size).astype(jnp.float32)
            weights, head_key = noises.of_pass(key, noise) or (None, None)
            if weights is not None:
                parameters = {**parameters, NOISE: weights}
            return module.apply(parameters, flat, head_key)

        output = NetworkOutput if self.head is None else self.head.output
        return feed_forward(init, apply, output, noise)

    def layers(self, num_actions: int) -> Layers:
        """Returns what its layers are made of, for networks that end as this one does."""
        return Layers(num_actions, self.activation, self.initializer, self.noisy, self.normalisation, self.dueling)


def outcome(config: MLP, layers: Layers, features: Array, key: Key | None) -> Any:
    """Returns what the last layers and the head make of features `[..., F]`; inside a compact module."""
    if config.head is None:
        return NetworkOutput(q_values=layers.values(features, width=1)[..., 0])
    return config.head(layers, features, key)


class _Noise(NamedTuple):
    """The noise of one pass: of the weights of all layers, and a key for a head that draws for each example."""

    weights: Any
    head_key: Key | None


class _Perceptron(nn.Module):
    config: MLP
    num_actions: int

    @nn.compact
    def __call__(self, x: Array, key: Key | None = None) -> Any:
        layers = self.config.layers(self.num_actions)
        return outcome(self.config, layers, layers.hidden(x, self.config.hidden), key)
