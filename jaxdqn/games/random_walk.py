"""A random walk whose return is a distribution known outright: for learned return distributions.

Source: of this project; the biased walk is Feller, "An introduction to probability theory", volume 1, chapter XIV.

Rules: a walker makes `num_steps` steps of -1 or 1, and each step is its reward. With the right action the step is 1
with probability 3/4 and -1 with 1/4, with the other action the reverse. First action 1 is right, then they take turns.
Undiscounted, the return is where the walk ends; at a discount of 1/2 its 2^num_steps values lie evenly spaced.
Observation, float32 `[num_steps]`: 1 at the number of steps made, else 0; all 0 after the last step. Where the walker
is has no part in what comes.
Actions: 0 and 1.
Ends: terminated after exactly `num_steps` steps; never truncated.
"""

import functools
import itertools
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxdqn.games import chances
from jaxdqn.interfaces import Array, Chance, Distribution, Game, Key, TimeStep

VERSION = 1
FORWARD = 0.75  # the probability of a step of 1 with the right action


class RandomWalkState(NamedTuple):
    """How many steps were made, int32 `[]`; not called time, since the rules depend on it."""

    num_made: Array


def make(num_steps: int = 5) -> Game:
    """The walk of `num_steps` steps, called "random_walk_5" at 5.

    Raises:
      ValueError: there is no step.
    """
    if num_steps < 1:
        raise ValueError(f"random_walk needs num_steps >= 1, got {num_steps}")
    chance = Chance(
        chances.distribution([1.0, -1.0], [FORWARD, 1.0 - FORWARD]), functools.partial(step, num_steps=num_steps)
    )
    return Game(
        name=f"random_walk_{num_steps}",
        version=VERSION,
        reset=reset,
        step=chances.step(chance),
        observe=functools.partial(observe, num_steps=num_steps),
        observation_shape=(num_steps,),
        num_actions=2,
        max_steps=num_steps,
        states=lambda: RandomWalkState(jnp.arange(num_steps, dtype=jnp.int32)),
        chance=chance,
    )


def return_distribution(discount: float, num_made: int = 0, num_steps: int = 5) -> Distribution:
    """The discounted return of the optimal policy, over all walks from the step `num_made` on.

    Returns:
      Its values in ascending order, equal ones (to 1e-12) as one, at most 2^(num_steps - num_made).
    """
    walks = np.array(list(itertools.product([-1.0, 1.0], repeat=num_steps - num_made)))  # [walks, steps]
    returns = (walks @ discount ** np.arange(walks.shape[1])).round(12)
    probabilities = np.where(walks > 0, FORWARD, 1.0 - FORWARD).prod(axis=1)
    values, index = np.unique(returns, return_inverse=True)
    return Distribution(values, np.bincount(index, probabilities))


def reset(key: Key) -> RandomWalkState:
    """No step made."""
    del key
    return RandomWalkState(jnp.zeros((), jnp.int32))


def step(
    direction: Array, state: RandomWalkState, action: Array, *, num_steps: int
) -> tuple[RandomWalkState, TimeStep]:
    """Steps in the direction drawn, or in the other one with the wrong action."""
    is_right = action == right_action(state.num_made)
    reward = jnp.where(is_right, direction, -direction)
    state = RandomWalkState(state.num_made + 1)
    observation = observe(state, num_steps=num_steps)
    return state, TimeStep(observation, reward, state.num_made == num_steps, jnp.zeros((), bool))


def right_action(num_made: Array) -> Array:
    """1 in the first step, 0 in the second, and so on."""
    return (num_made + 1) % 2


def observe(state: RandomWalkState, *, num_steps: int) -> Array:
    """The number of the step to come, one-hot, float32 `[num_steps]`."""
    return (jnp.arange(num_steps, dtype=jnp.int32) == state.num_made).astype(jnp.float32)
