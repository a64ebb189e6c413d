"""Random steps made from what is left to chance, so that a game's `step` and its enumeration cannot disagree."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxdqn.interfaces import Array, Chance, Distribution, Key, TimeStep


def distribution(values: Sequence[float], probabilities: Sequence[float]) -> Distribution:
    """The distribution of a number that takes these values with these probabilities, `[N]` each.

    Raises:
      ValueError: the probabilities are not as many as the values, one is not positive, or their sum is not 1.
    """
    if len(values) != len(probabilities) or min(probabilities) <= 0.0 or abs(sum(probabilities) - 1.0) > 1e-12:
        raise ValueError(
            f"a distribution needs a positive probability for each of its values, 1 in sum, got {list(probabilities)} "
            f"for {list(values)}"
        )
    return Distribution(np.array(values, np.float64), np.array(probabilities, np.float64))


def step(chance: Chance) -> Callable[[Key, Any, Array], tuple[Any, TimeStep]]:
    """The step of a game, `(key, state, action) -> (state, TimeStep)`: draws a number and goes on with it."""
    values, probabilities = chance.distribution

    def random_step(key: Key, state: Any, action: Array) -> tuple[Any, TimeStep]:
        drawn = jax.random.choice(key, len(values), p=jnp.asarray(probabilities, jnp.float32))
        return chance.step(jnp.asarray(values, jnp.float32)[drawn], state, action)

    return random_step
