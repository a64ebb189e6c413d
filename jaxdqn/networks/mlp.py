"""A multilayer perceptron from observations to action values."""

import math
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxdqn.configuration import configuration, static
from jaxdqn.interfaces import Array, Network, NetworkOutput

ACTIVATIONS = {"relu": nn.relu, "tanh": nn.tanh}
INITIALIZERS = {"lecun_normal": nn.initializers.lecun_normal, "glorot_uniform": nn.initializers.glorot_uniform}


@configuration
class MLP:
    """Fully connected layers with one activation between them; biases start at zero.

    Attributes:
      hidden: units of each hidden layer; empty makes the values linear in the observation.
      activation: after each hidden layer.
      initializer: of the weights.
    """

    hidden: tuple[int, ...] = static((64, 64), at_least=1)
    activation: str = static("relu", choices=tuple(ACTIVATIONS))
    initializer: str = static("lecun_normal", choices=tuple(INITIALIZERS))

    def make(self, observation_shape: tuple[int, ...], num_actions: int) -> Network:
        """Returns the network for observations of this shape, flattened and taken as float32."""
        module = _Perceptron(self.hidden, self.activation, self.initializer, num_actions)
        size = math.prod(observation_shape)

        def init(key: Array) -> Any:
            return module.init(key, jnp.zeros((size,)))

        def apply(parameters: Any, observation: Array) -> NetworkOutput:
            batch = observation.shape[: observation.ndim - len(observation_shape)]
            flat = observation.reshape(*batch, size).astype(jnp.float32)
            return NetworkOutput(q_values=module.apply(parameters, flat))  # type: ignore[arg-type]

        return Network(init, apply)


class _Perceptron(nn.Module):
    hidden: tuple[int, ...]
    activation: str
    initializer: str
    num_actions: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        initializer = INITIALIZERS[self.initializer]()
        for units in self.hidden:
            x = ACTIVATIONS[self.activation](nn.Dense(units, kernel_init=initializer)(x))
        return nn.Dense(self.num_actions, kernel_init=initializer)(x)
