"""A network that remembers: dense layers, a long short-term memory, and the end of a multilayer perceptron."""

import math
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jaxdqn.fields import configuration, part, static
from jaxdqn.interfaces import Array, Key, Network, Parameters, no_noise
from jaxdqn.networks.mlp import MLP, outcome
from jaxdqn.outputs import NetworkOutput


@configuration
class Recurrent:
    """Action values that depend on all observations of the episode so far (Hausknecht and Stone 2015).

    Attributes:
      ends: the hidden layers before the memory, and what follows it: a head, dueling streams.
      units: of the memory, whose weights are LeCun normal for inputs and orthogonal for the memory itself.
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
        empty: Any = np.zeros(2 * self.units, np.float32)  # in NumPy, since it is made before devices are chosen

        def flat(observation: Array) -> Array:
            batch = observation.shape[: observation.ndim - len(observation_shape)]
            return observation.reshape(*batch, size).astype(jnp.float32)

        def init(key: Key) -> Parameters:
            return module.init(key, jnp.zeros(size), empty)

        def step(parameters: Parameters, observation: Array, memory: Array, key: Any = None) -> Any:
            del key
            return module.apply(parameters, flat(observation), memory)

        def apply(parameters: Parameters, observation: Array, key: Any = None) -> Any:
            batch = observation.shape[: observation.ndim - len(observation_shape)]
            return step(parameters, observation, jnp.zeros((*batch, 2 * self.units)), key)[0]

        def unroll(parameters: Parameters, observations: Array, memory: Array, is_first: Array, key: Any = None) -> Any:
            del key

            def remember(memory: Array, now: tuple[Array, Array]) -> tuple[Array, Array]:
                features, starts = now
                memory = jnp.where(starts[:, None], 0.0, memory)
                memory = module.apply(parameters, features, memory, method=_Memory.remember)  # type: ignore[assignment]
                return memory, memory

            # Only the memory goes step by step; what comes before and after it is one batch.
            features: Any = module.apply(parameters, flat(observations), method=_Memory.before)
            by_time = jnp.swapaxes(features, 0, 1), is_first.T
            memories = jnp.swapaxes(jax.lax.scan(remember, memory, by_time)[1], 0, 1)
            return module.apply(parameters, memories, method=_Memory.after), memories

        output = NetworkOutput if self.ends.head is None else self.ends.head.output
        return Network(init, no_noise, apply, output, empty, step, unroll)


class _Memory(nn.Module):
    config: Recurrent
    num_actions: int

    def setup(self) -> None:
        self.first = _First(self.config.ends, self.num_actions)
        self.cell = nn.OptimizedLSTMCell(self.config.units)
        self.last = _Last(self.config.ends, self.num_actions)

    def __call__(self, x: Array, memory: Array) -> tuple[Any, Array]:
        memory = self.remember(self.before(x), memory)
        return self.after(memory), memory

    def before(self, x: Array) -> Array:
        return self.first(x)

    def remember(self, features: Array, memory: Array) -> Array:
        units = self.config.units
        carry, _ = self.cell((memory[..., :units], memory[..., units:]), features)
        return jnp.concatenate(carry, axis=-1)

    def after(self, memory: Array) -> Any:
        return self.last(memory[..., self.config.units :])


class _First(nn.Module):
    config: MLP
    num_actions: int

    @nn.compact
    def __call__(self, x: Array) -> Array:
        return self.config.layers(self.num_actions).hidden(x, self.config.hidden)


class _Last(nn.Module):
    config: MLP
    num_actions: int

    @nn.compact
    def __call__(self, features: Array) -> Any:
        return outcome(self.config, self.config.layers(self.num_actions), features, None)
