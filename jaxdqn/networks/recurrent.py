"""A network that remembers: dense layers, a long short-term memory, and the end of a multilayer perceptron."""

import math
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxdqn.configuration import configuration, part, static
from jaxdqn.interfaces import Array, Key, Network, NetworkOutput, Parameters
from jaxdqn.networks.mlp import MLP, outcome


@configuration
class Recurrent:
    """Action values that depend on all observations of the episode so far (Hausknecht and Stone 2015).

    Attributes:
      ends: the hidden layers before the memory, and what follows it: a head, dueling streams.
      units: of the memory.
    """

    ends: MLP = part(MLP(hidden=(64,)))
    units: int = static(64, at_least=1)

    def make(self, observation_shape: tuple[int, ...], num_actions: int) -> Network:
        """Returns the network for observations of this shape. Its memory is float32 `[2 · units]`, zero at first.

        Raises:
          ValueError: if its layers draw at random: a memory stored with other noise would be another's.
        """
        if self.ends.noisy is not None or (self.ends.head is not None and self.ends.head.is_random):
            raise ValueError("network.ends of a recurrent network can be neither noisy nor have a head that draws.")
        module, size = _Memory(self, num_actions), math.prod(observation_shape)
        nothing = jnp.zeros(2 * self.units)

        def flat(observation: Array) -> Array:
            batch = observation.shape[: observation.ndim - len(observation_shape)]
            return observation.reshape(*batch, size).astype(jnp.float32)

        def init(key: Key) -> Parameters:
            return module.init(key, jnp.zeros(size), nothing)

        def step(parameters: Parameters, observation: Array, memory: Array, key: Key | None = None) -> tuple[Any, Array]:
            del key
            return module.apply(parameters, flat(observation), memory)  # type: ignore[return-value]

        def apply(parameters: Parameters, observation: Array, key: Key | None = None) -> Any:
            seen = flat(observation)
            return step(parameters, seen, jnp.zeros((*seen.shape[:-1], 2 * self.units)), key)[0]

        def unroll(
            parameters: Parameters, observations: Array, memory: Array, is_first: Array, key: Key | None = None
        ) -> tuple[Any, Array]:
            del key

            def one(memory: Array, now: tuple[Array, Array]) -> tuple[Array, tuple[Any, Array]]:
                observation, starts = now
                output, memory = module.apply(  # type: ignore[misc]
                    parameters, observation, jnp.where(starts[:, None], 0.0, memory)
                )
                return memory, (output, memory)

            by_time = jnp.swapaxes(flat(observations), 0, 1), is_first.T
            _, answers = jax.lax.scan(one, memory, by_time)
            return jax.tree.map(lambda x: jnp.swapaxes(x, 0, 1), answers)

        output = NetworkOutput if self.ends.head is None else self.ends.head.output
        return Network(init, apply, output, False, nothing, step, unroll)


class _Memory(nn.Module):
    config: Recurrent
    num_actions: int

    @nn.compact
    def __call__(self, x: Array, memory: Array) -> tuple[Any, Array]:
        config = self.config
        layers = config.ends.layers(self.num_actions)
        features = layers.hidden(x, config.ends.hidden)
        carry = memory[..., : config.units], memory[..., config.units :]
        carry, features = nn.OptimizedLSTMCell(config.units)(carry, features)
        return outcome(config.ends, layers, features, None), jnp.concatenate(carry, axis=-1)
