"""Random steps of games: one `RandomStep` gives both the step of a game and the list of its outcomes."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxdqn.game_interfaces import DiscreteDistribution, RandomStep, TimeStep
from jaxdqn.interfaces import Array, Key


def distribution(values: Sequence[float], probabilities: Sequence[float]) -> DiscreteDistribution:
    """Makes the distribution of a number that takes these values with these probabilities, `[N]` each.

    Raises:
      ValueError: the lengths differ, a probability is not positive, or the probabilities do not sum to 1.
    """
    if len(values) != len(probabilities) or min(probabilities) <= 0.0 or abs(sum(probabilities) - 1.0) > 1e-12:
        raise ValueError(
            f"probabilities must be positive, sum to 1 and be as many as the {len(values)} values, "
            f"got {list(probabilities)}"
        )
    return DiscreteDistribution(np.array(values, np.float64), np.array(probabilities, np.float64))


def make_step(random_step: RandomStep) -> Callable[[Key, Any, Array], tuple[Any, TimeStep]]:
    """Makes a game's step, `(key, state, action) -> (state, TimeStep)`: it samples the noise and applies it."""
    values, probabilities = random_step.noise

    def step(key: Key, state: Any, action: Array) -> tuple[Any, TimeStep]:
        index = jax.random.choice(key, len(values), p=jnp.asarray(probabilities, jnp.float32))
        return random_step.step(jnp.asarray(values, jnp.float32)[index], state, action)

    return step
