import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdqn.networks.mlp import MLP


@pytest.mark.parametrize(
    ("hidden", "count"),
    [((), 12 * 3 + 3), ((5,), 12 * 5 + 5 + 5 * 3 + 3), ((5, 4), 12 * 5 + 5 + 5 * 4 + 4 + 4 * 3 + 3)],
)
def test_an_mlp_has_exactly_its_parameters(hidden, count):
    parameters = MLP(hidden).make((3, 4), num_actions=3).init(jax.random.key(0))
    assert sum(leaf.size for leaf in jax.tree.leaves(parameters)) == count


@pytest.mark.parametrize(("activation", "function"), [("relu", lambda x: np.maximum(x, 0)), ("tanh", np.tanh)])
def test_an_mlp_equals_its_layers_written_out(activation, function):
    network = MLP((5, 4), activation).make((3, 4), num_actions=2)
    parameters = network.init(jax.random.key(0))
    observation = np.random.default_rng(0).normal(size=(7, 3, 4)).astype(np.float32)
    layers = [jax.tree.map(np.asarray, parameters["params"][f"Dense_{i}"]) for i in range(3)]
    x = observation.reshape(7, 12)
    for layer in layers[:-1]:
        x = function(x @ layer["kernel"] + layer["bias"])
    expected = x @ layers[-1]["kernel"] + layers[-1]["bias"]
    np.testing.assert_allclose(network.apply(parameters, observation).q_values, expected, rtol=1e-5, atol=1e-6)


def test_leading_axes_are_batch_axes():
    network = MLP((5,)).make((2,), num_actions=3)
    parameters = network.init(jax.random.key(0))
    observations = jax.random.normal(jax.random.key(1), (4, 6, 2))
    together = network.apply(parameters, observations).q_values
    assert together.shape == (4, 6, 3)
    alone = network.apply(parameters, observations[2, 3]).q_values
    np.testing.assert_allclose(together[2, 3], alone, rtol=1e-5, atol=1e-6)


def test_integer_observations_are_taken_as_numbers():
    network = MLP((5,)).make((2,), num_actions=3)
    parameters = network.init(jax.random.key(0))
    pixels = jnp.array([3, 200], jnp.uint8)
    same = network.apply(parameters, pixels.astype(jnp.float32)).q_values
    np.testing.assert_array_equal(network.apply(parameters, pixels).q_values, same)
