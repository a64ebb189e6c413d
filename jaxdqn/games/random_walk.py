"""A random walk with a known distribution of the return, for agents that learn return distributions.

Source: this project; the biased walk is in Feller, "An introduction to probability theory", volume 1, chapter XIV.

Rules: a walker makes `num_steps` steps of -1 or 1; each step is its reward. With the right action, the step is 1 with
probability 3/4 and -1 with probability 1/4. With the other action, the probabilities are exchanged. Action 1 is right
in the first step, action 0 in the second, and so on. Without discount, the return is the final position of the walker.
With a discount of 1/2, the return has 2^num_steps evenly spaced values.
Observation, float32 `[num_steps]`: 1 at the number of steps made, else 0; all 0 after the last step. The position of
the walker does not affect later rewards, so it is not observed.
Actions: 0 and 1.
Ends: terminated after exactly `num_steps` steps; never truncated.
"""

import functools
import itertools
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxdqn.game_interfaces import DiscreteDistribution, Game, RandomStep, TimeStep
from jaxdqn.games import random_steps
from jaxdqn.interfaces import Array, Key

VERSION = 1
FORWARD = 0.75  # probability of a step of 1 with the right action


class RandomWalkState(NamedTuple):
    """Number of steps made, int32 `[]`. The field is not called `time`, because the rules depend on it."""

    num_made: Array


def make(num_steps: int = 5) -> Game:
    """Makes the walk of `num_steps` steps; its name is "random_walk_5" with 5 steps.

    Raises:
      ValueError: the number of steps is below 1.
    """
    if num_steps < 1:
        raise ValueError(f"random_walk needs num_steps >= 1, got {num_steps}")
    random_step = RandomStep(
        random_steps.distribution([1.0, -1.0], [FORWARD, 1.0 - FORWARD]), functools.partial(step, num_steps=num_steps)
    )
    return Game(
        name=f"random_walk_{num_steps}",
        version=VERSION,
        reset=reset,
        step=random_steps.make_step(random_step),
        observe=functools.partial(observe, num_steps=num_steps),
        observation_shape=(num_steps,),
        num_actions=2,
        max_steps=num_steps,
        states=lambda: RandomWalkState(jnp.arange(num_steps, dtype=jnp.int32)),
        random_step=random_step,
    )


def return_distribution(discount: float, num_made: int = 0, num_steps: int = 5) -> DiscreteDistribution:
    """Returns the distribution of the discounted return of the optimal policy, from step `num_made` on.

    Returns:
      The values in ascending order, at most 2^(num_steps - num_made); values that are equal to 12 decimals are merged.
    """
    walks = np.array(list(itertools.product([-1.0, 1.0], repeat=num_steps - num_made)))  # [walks, steps]
    returns = (walks @ discount ** np.arange(walks.shape[1])).round(12)
    probabilities = np.where(walks > 0, FORWARD, 1.0 - FORWARD).prod(axis=1)
    values, index = np.unique(returns, return_inverse=True)
    return DiscreteDistribution(values, np.bincount(index, probabilities))


def reset(key: Key) -> RandomWalkState:
    """Returns the state before the first step."""
    del key
    return RandomWalkState(jnp.zeros((), jnp.int32))


def step(
    direction: Array, state: RandomWalkState, action: Array, *, num_steps: int
) -> tuple[RandomWalkState, TimeStep]:
    """Steps in the sampled direction with the right action, else in the opposite one."""
    is_right = action == right_action(state.num_made)
    reward = jnp.where(is_right, direction, -direction)
    state = RandomWalkState(state.num_made + 1)
    observation = observe(state, num_steps=num_steps)
    return state, TimeStep(observation, reward, state.num_made == num_steps, jnp.zeros((), bool))


def right_action(num_made: Array) -> Array:
    """Returns the action that is right: 1 in the first step, 0 in the second, and so on."""
    return (num_made + 1) % 2


def observe(state: RandomWalkState, *, num_steps: int) -> Array:
    """Returns the index of the next step as one-hot, float32 `[num_steps]`."""
    return (jnp.arange(num_steps, dtype=jnp.int32) == state.num_made).astype(jnp.float32)
