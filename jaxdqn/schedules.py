"""Schedules: a number that changes over the steps or episodes of a run, such as epsilon.

A schedule is a configuration that is called with the numbers of environment steps and episodes so far. Its numbers are
traced, so a grid over them shares one compiled program.
"""

import jax.numpy as jnp

from jaxdqn.config_fields import configuration, number
from jaxdqn.interfaces import Array


@configuration
class Constant:
    """A constant value."""

    value: float = number(0.1, at_least=0)

    def __call__(self, steps: Array, episodes: Array) -> Array:
        """Returns the value, float32 `[]`."""
        del steps, episodes
        return jnp.float32(self.value)


@configuration
class Linear:
    """Changes linearly from `start` to `end` over the first `steps` environment steps (Mnih et al. 2015)."""

    start: float = number(1.0, at_least=0)
    end: float = number(0.05, at_least=0)
    steps: float = number(10_000, above=0)

    def __call__(self, steps: Array, episodes: Array) -> Array:
        """Returns `start + (end − start) · min(steps / self.steps, 1)`, float32 `[]`."""
        del episodes
        return self.start + (self.end - self.start) * jnp.clip(steps / self.steps, 0.0, 1.0)


@configuration
class ExponentialPerStep:
    """Decays from `start` towards `end`: each environment step removes a share `rate` of the remaining distance."""

    start: float = number(1.0, at_least=0)
    end: float = number(0.01, at_least=0)
    rate: float = number(0.0001, at_least=0)

    def __call__(self, steps: Array, episodes: Array) -> Array:
        """Returns `end + (start − end) · exp(−rate · steps)`, float32 `[]`."""
        del episodes
        return self.end + (self.start - self.end) * jnp.exp(-self.rate * steps)


@configuration
class MultiplicativePerEpisode:
    """Starts at `start` and is multiplied by `factor` at the end of each episode, but never falls below `end`."""

    start: float = number(1.0, at_least=0)
    end: float = number(0.1, at_least=0)
    factor: float = number(0.995, above=0, at_most=1)

    def __call__(self, steps: Array, episodes: Array) -> Array:
        """Returns `max(end, start · factor^episodes)`, float32 `[]`."""
        del steps
        return jnp.maximum(self.end, self.start * self.factor ** episodes.astype(jnp.float32))


@configuration
class HarmonicPerEpisode:
    """Is `start` divided by the number of the current episode; the first episode has number 1."""

    start: float = number(1.0, at_least=0)

    def __call__(self, steps: Array, episodes: Array) -> Array:
        """Returns `start / (episodes + 1)`, float32 `[]`."""
        del steps
        return self.start / (episodes.astype(jnp.float32) + 1.0)


Schedule = Constant | Linear | ExponentialPerStep | MultiplicativePerEpisode | HarmonicPerEpisode
