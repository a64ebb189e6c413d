"""Exploration: how an action follows from action values, chance, and a schedule.

A rule is a configuration with four functions: `draw` makes all the chance of many choices in one call, `choose`
turns action values and a part of that chance into actions, `at_random` turns that chance alone into uniformly random
ones, and `level` says how much is explored just now.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxdqn import schedules
from jaxdqn.configuration import configuration, part
from jaxdqn.interfaces import Array, Key, Number
from jaxdqn.schedules import Schedule


def epsilon_greedy(q_values: Array, epsilon: Number, uniform: Array, random_action: Array) -> Array:
    """Returns a random action with probability epsilon, else the one of the largest value (the first of equals).

    Source: Sutton and Barto (2018), section 2.2.

    Args:
      q_values: float32 `[..., A]`.
      epsilon: probability; above 1 it is as 1.
      uniform: float32 `[...]`, drawn from [0, 1): explores where it is below epsilon.
      random_action: int32 `[...]`, drawn from all actions, the greedy one among them.

    Returns:
      int32 `[...]`, no gradient.
    """
    return jnp.where(uniform < epsilon, random_action, q_values.argmax(-1)).astype(jnp.int32)


class EpsilonGreedyNoise(NamedTuple):
    """What epsilon-greedy draws for each choice: a uniform number in [0, 1), and an action. Both `[...]`."""

    uniform: Array
    random_action: Array


@configuration
class EpsilonGreedy:
    """A random action with probability epsilon, else the greedy one.

    Attributes:
      epsilon: over the run.
    """

    epsilon: Schedule = part(schedules.Linear())

    def draw(self, key: Key, shape: tuple[int, ...], num_actions: int) -> EpsilonGreedyNoise:
        """Returns the chance of choices of this shape. `key` is consumed."""
        uniform_key, action_key = jax.random.split(key)
        uniform = jax.random.uniform(uniform_key, shape)
        return EpsilonGreedyNoise(uniform, jax.random.randint(action_key, shape, 0, num_actions))

    def choose(self, q_values: Array, noise: EpsilonGreedyNoise, steps: Array, episodes: Array) -> Array:
        """Returns int32 `[...]` from `q_values` `[..., A]`, no gradient."""
        return epsilon_greedy(q_values, self.epsilon(steps, episodes), *noise)

    def at_random(self, noise: EpsilonGreedyNoise) -> Array:
        """Returns uniformly random actions, int32 `[...]`."""
        return noise.random_action

    def level(self, steps: Array, episodes: Array) -> Array:
        """Returns epsilon, float32 `[]`."""
        return self.epsilon(steps, episodes)


@configuration
class GaussianNoise:
    """The action whose value is largest after noise: `argmax_a (q[a] + scale · N(0, 1))`.

    Attributes:
      scale: standard deviation of the noise over the run, in units of the action values.
    """

    scale: Schedule = part(schedules.HarmonicPerEpisode())

    def draw(self, key: Key, shape: tuple[int, ...], num_actions: int) -> Array:
        """Returns standard normal numbers, float32 `[*shape, A]`. `key` is consumed."""
        return jax.random.normal(key, (*shape, num_actions))

    def choose(self, q_values: Array, noise: Array, steps: Array, episodes: Array) -> Array:
        """Returns int32 `[...]` from `q_values` `[..., A]`, no gradient."""
        return (q_values + self.scale(steps, episodes) * noise).argmax(-1).astype(jnp.int32)

    def at_random(self, noise: Array) -> Array:
        """Returns uniformly random actions, int32 `[...]`: where independent numbers of one kind are largest."""
        return noise.argmax(-1).astype(jnp.int32)

    def level(self, steps: Array, episodes: Array) -> Array:
        """Returns the scale, float32 `[]`."""
        return self.scale(steps, episodes)


Exploration = EpsilonGreedy | GaussianNoise
