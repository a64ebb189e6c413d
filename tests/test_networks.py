import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdqn.networks.mlp import MLP
from jaxdqn.networks.table import Table


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


def test_glorot_uniform_weights_fill_their_range():
    parameters = MLP((300,), initializer="glorot_uniform").make((200,), 2).init(jax.random.key(0))
    kernel = np.asarray(parameters["params"]["Dense_0"]["kernel"])
    bound = np.sqrt(6 / (200 + 300))
    assert np.abs(kernel).max() <= bound
    np.testing.assert_allclose(kernel.std(), bound / np.sqrt(3), rtol=0.02)


@pytest.mark.parametrize(
    ("observation", "cell"),
    [([-1.0, 0.0], 0), ([-0.01, 0.0], 0), ([0.0, 0.0], 3), ([0.5, 9.99], 5), ([-7.0, 5.0], 1), ([7.0, 77.0], 5)],
)
def test_a_table_looks_up_the_cell_of_its_grid(observation, cell):
    table = Table(bins=(2, 3), low=(-1.0, 0.0), high=(1.0, 10.0)).make((2,), num_actions=2)
    assert table.init(jax.random.key(0))["params"]["values"].tolist() == [[0.0, 0.0]] * 6
    parameters = {"params": {"values": jnp.arange(12.0).reshape(6, 2)}}
    expected = [2.0 * cell, 2.0 * cell + 1]
    assert table.apply(parameters, jnp.array(observation)).q_values.tolist() == expected
    batch = jnp.tile(jnp.array(observation), (3, 1))
    assert table.apply(parameters, batch).q_values.tolist() == [expected] * 3


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        (Table(bins=(2,)), r"observations of shape \(2,\) need 2 of each"),
        (Table(low=(0.0, 1.0), high=(1.0, 1.0)), r"must be below network.high"),
    ],
)
def test_a_grid_that_does_not_fit_is_refused(table, sentence):
    with pytest.raises(ValueError, match=sentence):
        table.make((2,), num_actions=2)
