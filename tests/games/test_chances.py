"""Random steps draw what their chance says."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdqn.games import chances
from jaxdqn.interfaces import Chance, TimeStep


def test_values_are_drawn_with_their_probabilities():
    def add(number, state, action):
        zero = jnp.zeros((), bool)
        return state, TimeStep(state, state + action + number, zero, zero)

    step = chances.step(Chance(chances.distribution([-1.0, 0.25, 4.0], [0.5, 0.125, 0.375]), add))
    keys = jax.random.split(jax.random.key(0), 10_000)
    reward = jax.jit(jax.vmap(lambda key: step(key, jnp.float32(10.0), jnp.int32(100))[1].reward))(keys)
    values, counts = np.unique(reward, return_counts=True)
    assert values.tolist() == [109.0, 110.25, 114.0]
    np.testing.assert_allclose(counts / 10_000, [0.5, 0.125, 0.375], atol=0.025)  # five standard deviations


@pytest.mark.parametrize(
    "probabilities", [[0.5, 0.25], [1.0, 0.0], [1.5, -0.5], [1.0]], ids=["sum", "zero", "negative", "number"]
)
def test_what_is_no_distribution_is_refused(probabilities):
    with pytest.raises(ValueError, match="a positive probability for each"):
        chances.distribution([1.0, 2.0], probabilities)
