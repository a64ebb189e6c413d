"""Random steps of games sample their noise from the given distribution."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdqn.game_interfaces import RandomStep, TimeStep
from jaxdqn.games import random_steps


def test_values_are_sampled_with_their_probabilities():
    def add(number, state, action):
        zero = jnp.zeros((), bool)
        return state, TimeStep(state, state + action + number, zero, zero)

    step = random_steps.make_step(RandomStep(random_steps.distribution([-1.0, 0.25, 4.0], [0.5, 0.125, 0.375]), add))
    keys = jax.random.split(jax.random.key(0), 10_000)
    reward = jax.jit(jax.vmap(lambda key: step(key, jnp.float32(10.0), jnp.int32(100))[1].reward))(keys)
    values, counts = np.unique(reward, return_counts=True)
    assert values.tolist() == [109.0, 110.25, 114.0]
    np.testing.assert_allclose(counts / 10_000, [0.5, 0.125, 0.375], atol=0.025)  # five standard deviations


@pytest.mark.parametrize(
    "probabilities", [[0.5, 0.25], [1.0, 0.0], [1.5, -0.5], [1.0]], ids=["sum", "zero", "negative", "number"]
)
def test_invalid_probabilities_raise_an_error(probabilities):
    with pytest.raises(ValueError, match="probabilities must be positive, sum to 1 and be as many as the 2 values"):
        random_steps.distribution([1.0, 2.0], probabilities)
