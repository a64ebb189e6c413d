"""Tables of action values, with one row for each cell of a grid over the observations."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxdqn.config_fields import configuration, static
from jaxdqn.interfaces import Array, Key, Network, Parameters, feed_forward
from jaxdqn.outputs import NetworkOutput


@configuration
class Table:
    """Action values in a table, all zero at first. An observation outside of the grid belongs to the nearest cell.

    Attributes:
      bins: number of cells along each dimension of the flattened observation.
      low: lower end of the grid in each dimension, in units of the observation.
      high: upper end of the grid in each dimension.
    """

    bins: tuple[int, ...] = static((40, 40), at_least=1)
    low: tuple[float, ...] = static((-1.0, -1.0))
    high: tuple[float, ...] = static((1.0, 1.0))

    def make(
        self, observation_shape: tuple[int, ...], num_actions: int, observation_dtype: np.typing.DTypeLike = np.float32
    ) -> Network:
        """Returns the table for observations of this shape; their dtype has no effect.

        Raises:
          ValueError: the grid does not fit the observation, or is empty in some dimension.
        """
        del observation_dtype
        size = math.prod(observation_shape)
        if not len(self.bins) == len(self.low) == len(self.high) == size:
            raise ValueError(
                f"network.bins, low and high have {len(self.bins)}, {len(self.low)} and {len(self.high)} numbers: "
                f"observations of shape {observation_shape} need {size} of each."
            )
        if any(low >= high for low, high in zip(self.low, self.high, strict=True)):
            raise ValueError(f"network.low = {self.low} must be below network.high = {self.high} in every dimension.")
        bins, low, high = np.array(self.bins), np.array(self.low, np.float32), np.array(self.high, np.float32)
        # Cells are numbered with the last dimension running fastest.
        strides = np.append(np.cumprod(bins[:0:-1])[::-1], 1).astype(np.int32)

        def init(key: Key) -> Parameters:
            del key
            return {"params": {"values": jnp.zeros((math.prod(self.bins), num_actions))}}

        def look_up(parameters: Parameters, flat: Array) -> Array:
            place = (flat - low) / (high - low) * bins.astype(np.float32)
            cell = jnp.clip(jnp.floor(place).astype(jnp.int32), 0, bins - 1)
            return jnp.asarray(parameters["params"]["values"])[(cell * strides).sum()]

        def apply(parameters: Parameters, observation: Array, key: Any = None) -> NetworkOutput:
            del key
            batch = observation.shape[: observation.ndim - len(observation_shape)]
            flat = observation.reshape(-1, size).astype(jnp.float32)
            q_values = jax.vmap(look_up, in_axes=(None, 0))(parameters, flat)
            return NetworkOutput(q_values=q_values.reshape(*batch, num_actions))

        return feed_forward(init, apply)
