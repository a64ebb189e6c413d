"""Torsos: the first layers of a network, from an observation to features."""

import math
from typing import Protocol

import jax.numpy as jnp

from jaxdqn.config_fields import configuration, static
from jaxdqn.interfaces import Array
from jaxdqn.networks.layers import Layers


class Torso(Protocol):
    """The type of a torso: a configuration that maps an observation to features.

    Any class with the decorator `jaxdqn.config_fields.configuration` and this method is a torso, also
    one in your own file.
    """

    def __call__(self, layers: Layers, observation: Array, observation_shape: tuple[int, ...]) -> Array:
        """Returns features, float32 `[..., F]`; gradients flow through them to the parameters.

        The network calls this method inside a compact flax module: every layer that the method makes, such as
        `layers.dense(x, 64)` or `nn.Conv(32, (8, 8))(x)`, gets its parameters there.

        Args:
          layers: makes layers with the activation, initializer, noise and normalisation of the network.
          observation: `[..., *observation_shape]`, as the game gives it: of any dtype, neither cast nor scaled.
          observation_shape: shape of one observation. All axes before it are batch axes.
        """
        ...


@configuration
class Dense:
    """Fully connected layers over the flattened observation, taken as float32.

    Attributes:
      hidden: units of each hidden layer; an empty tuple returns the flattened observation itself.
    """

    hidden: tuple[int, ...] = static((64, 64), at_least=1)

    def __call__(self, layers: Layers, observation: Array, observation_shape: tuple[int, ...]) -> Array:
        """Returns features float32 `[..., hidden[-1]]`; see `Torso`."""
        batch = observation.shape[: observation.ndim - len(observation_shape)]
        flat = observation.reshape(*batch, math.prod(observation_shape)).astype(jnp.float32)
        return layers.hidden(flat, self.hidden)
