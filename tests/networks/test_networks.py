import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdqn import config_dicts
from jaxdqn.config_fields import configuration, static
from jaxdqn.networks.dueling import Dueling
from jaxdqn.networks.ensemble import Ensemble
from jaxdqn.networks.heads import Categorical, ImplicitQuantiles, ProposedFractions, Quantiles
from jaxdqn.networks.layers import LayerNorm
from jaxdqn.networks.memory import LSTM
from jaxdqn.networks.network import QNetwork
from jaxdqn.networks.noisy import Noisy, factorised_noise
from jaxdqn.networks.torsos import Dense
from jaxdqn.networks.value_table import Table


@pytest.mark.parametrize(
    ("hidden", "count"),
    [((), 12 * 3 + 3), ((5,), 12 * 5 + 5 + 5 * 3 + 3), ((5, 4), 12 * 5 + 5 + 5 * 4 + 4 + 4 * 3 + 3)],
)
def test_a_dense_network_has_exactly_its_parameters(hidden, count):
    parameters = QNetwork(Dense(hidden)).make((3, 4), num_actions=3).init(jax.random.key(0))
    assert sum(leaf.size for leaf in jax.tree.leaves(parameters)) == count


@pytest.mark.parametrize(("activation", "function"), [("relu", lambda x: np.maximum(x, 0)), ("tanh", np.tanh)])
def test_a_dense_network_equals_its_layers_written_out(activation, function):
    network = QNetwork(Dense((5, 4)), activation=activation).make((3, 4), num_actions=2)
    parameters = network.init(jax.random.key(0))
    observation = np.random.default_rng(0).normal(size=(7, 3, 4)).astype(np.float32)
    layers = [jax.tree.map(np.asarray, parameters["params"][f"Dense_{i}"]) for i in range(3)]
    x = observation.reshape(7, 12)
    for layer in layers[:-1]:
        x = function(x @ layer["kernel"] + layer["bias"])
    expected = x @ layers[-1]["kernel"] + layers[-1]["bias"]
    np.testing.assert_allclose(network.apply(parameters, observation).q_values, expected, rtol=1e-5, atol=1e-6)


def test_leading_axes_are_batch_axes():
    network = QNetwork(Dense((5,))).make((2,), num_actions=3)
    parameters = network.init(jax.random.key(0))
    observations = jax.random.normal(jax.random.key(1), (4, 6, 2))
    together = network.apply(parameters, observations).q_values
    assert together.shape == (4, 6, 3)
    alone = network.apply(parameters, observations[2, 3]).q_values
    np.testing.assert_allclose(together[2, 3], alone, rtol=1e-5, atol=1e-6)


def test_integer_observations_are_taken_as_numbers():
    network = QNetwork(Dense((5,))).make((2,), num_actions=3)
    parameters = network.init(jax.random.key(0))
    pixels = jnp.array([3, 200], jnp.uint8)
    same = network.apply(parameters, pixels.astype(jnp.float32)).q_values
    np.testing.assert_array_equal(network.apply(parameters, pixels).q_values, same)


def test_glorot_uniform_weights_fill_their_range():
    parameters = QNetwork(Dense((300,)), initializer="glorot_uniform").make((200,), 2).init(jax.random.key(0))
    kernel = np.asarray(parameters["params"]["Dense_0"]["kernel"])
    bound = np.sqrt(6 / (200 + 300))
    assert np.abs(kernel).max() <= bound
    np.testing.assert_allclose(kernel.std(), bound / np.sqrt(3), rtol=0.02)


@pytest.mark.parametrize(("initializer", "variance"), [("lecun_normal", 1.0), ("he_normal", 2.0)])
def test_weights_start_normal_with_a_variance_in_proportion_to_the_inputs_and_biases_at_zero(initializer, variance):
    network = QNetwork(Dense((300, 150)), initializer=initializer).make((200,), 2)
    parameters = network.init(jax.random.key(0))["params"]
    for layer, num_inputs in (("Dense_0", 200), ("Dense_1", 300)):
        kernel = np.asarray(parameters[layer]["kernel"]) * np.sqrt(num_inputs / variance)
        np.testing.assert_allclose((kernel.mean(), kernel.std()), (0.0, 1.0), atol=0.02)
        # A normal distribution cut at two standard deviations and stretched to a variance of one: at 2 / 0.8796.
        assert 2.2 < np.abs(kernel).max() < 2.28
        assert not np.any(parameters[layer]["bias"])


def test_another_key_gives_other_weights_and_each_layer_its_own():
    init = jax.jit(QNetwork(Dense((4, 4, 4))).make((4,), 4).init)
    kernels = [
        np.asarray(layer["kernel"]).tobytes() for key in (FIRST, SECOND) for layer in init(key)["params"].values()
    ]
    assert len(set(kernels)) == len(kernels) == 8


@pytest.mark.parametrize(
    ("observation", "cell"),
    [
        ([-1.0, 0.0], 0),
        ([-0.01, 0.0], 0),
        ([0.0, 0.0], 3),
        ([0.5, 9.99], 5),
        ([-7.0, 5.0], 1),
        ([7.0, 77.0], 5),
        ([-0.5, 77.0], 2),
        ([7.0, -1.0], 3),
    ],
)
def test_a_table_looks_up_the_cell_of_its_grid(observation, cell):
    table = Table(bins=(2, 3), low=(-1.0, 0.0), high=(1.0, 10.0)).make((2,), num_actions=2)
    assert table.init(jax.random.key(0))["params"]["values"].tolist() == [[0.0, 0.0]] * 6
    parameters = {"params": {"values": jnp.arange(12.0).reshape(6, 2)}}
    expected = [2.0 * cell, 2.0 * cell + 1]
    assert table.apply(parameters, jnp.array(observation)).q_values.tolist() == expected
    batch = jnp.tile(jnp.array(observation), (3, 1))
    assert table.apply(parameters, batch).q_values.tolist() == [expected] * 3


def test_a_table_numbers_the_cells_of_three_dimensions_with_the_last_running_fastest():
    table = Table(bins=(2, 3, 4), low=(0.0, -3.0, 10.0), high=(2.0, 3.0, 50.0)).make((3,), num_actions=2)
    parameters = {"params": {"values": jnp.arange(48.0).reshape(24, 2)}}
    apply = jax.jit(table.apply)
    for place in np.ndindex(2, 3, 4):
        middle = [0.5 + place[0], -2.0 + 2.0 * place[1], 15.0 + 10.0 * place[2]]
        cell = np.ravel_multi_index(place, (2, 3, 4))
        assert apply(parameters, jnp.array(middle)).q_values.tolist() == [2.0 * cell, 2.0 * cell + 1]
    two_axes = apply(parameters, jnp.tile(jnp.array(middle), (5, 6, 1))).q_values
    assert two_axes.shape == (5, 6, 2)


def test_a_table_looks_pictures_up_by_all_their_pixels():
    table = Table(bins=(2, 2), low=(0.0, 0.0), high=(2.0, 2.0)).make((1, 2), num_actions=1)
    parameters = {"params": {"values": jnp.arange(4.0)[:, None]}}
    pictures = jnp.array([[[0, 0]], [[0, 1]], [[1, 0]], [[1, 1]]], jnp.uint8)
    assert table.apply(parameters, pictures).q_values[:, 0].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        (Table(bins=(2,)), r"observations of shape \(2,\) need 2 of each"),
        (Table(low=(0.0,)), r"have 2, 1 and 2 numbers"),
        (Table(high=(1.0, 1.0, 1.0)), r"have 2, 2 and 3 numbers"),
        (Table(bins=(2, 2, 2), low=(0.0,) * 3, high=(1.0,) * 3), r"need 2 of each"),
        (Table(low=(0.0, 1.0), high=(1.0, 1.0)), r"must be below network.high"),
    ],
)
def test_a_grid_that_does_not_fit_is_refused(table, sentence):
    with pytest.raises(ValueError, match=sentence):
        table.make((2,), num_actions=2)


def with_random(tree, seed=7):
    """Returns parameters of the same shapes, all of them random: none is zero or one."""
    leaves, structure = jax.tree.flatten(tree)
    random = np.random.default_rng(seed)
    return jax.tree.unflatten(structure, [jnp.asarray(random.normal(size=x.shape), jnp.float32) for x in leaves])


def made(config):
    """Returns a compiled network for observations `[3]` and 2 actions, and random parameters."""
    network = config.make((3,), num_actions=2)
    parameters = with_random(jax.eval_shape(network.init, jax.random.key(0)))
    compiled = {name: jax.jit(getattr(network, name)) for name in ("apply", "step")}
    return network._replace(**compiled), parameters


OBSERVATIONS = np.random.default_rng(3).normal(size=(5, 3)).astype(np.float32)
FIRST, SECOND = jax.random.key(1), jax.random.key(2)


def test_a_dueling_network_adds_centred_advantages_to_a_value():
    network, parameters = made(QNetwork(Dense((4,)), dueling=Dueling((6,))))
    layers = [jax.tree.map(np.asarray, parameters["params"][f"Dense_{i}"]) for i in range(5)]

    def dense(x, i):
        return x @ layers[i]["kernel"] + layers[i]["bias"]

    shared = np.maximum(dense(OBSERVATIONS, 0), 0)
    value = dense(np.maximum(dense(shared, 1), 0), 2)
    advantage = dense(np.maximum(dense(shared, 3), 0), 4)
    q_values = network.apply(parameters, OBSERVATIONS).q_values
    np.testing.assert_allclose(q_values, value + advantage - advantage.mean(1, keepdims=True), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(q_values.mean(1), value[:, 0], rtol=1e-4, atol=1e-5)


def test_noise_is_of_the_key_and_one_for_all_examples():
    network, parameters = made(QNetwork(Dense((4,)), noisy=Noisy()))
    noises = None, *map(network.noise, (FIRST, FIRST, SECOND))
    quiet, first, again, second = (network.apply(parameters, OBSERVATIONS, noise).q_values for noise in noises)
    np.testing.assert_array_equal(first, again)
    for one, other in ((quiet, first), (quiet, second), (first, second)):
        assert not np.any(np.isclose(one, other, rtol=1e-4))
    same = network.apply(parameters, np.tile(OBSERVATIONS[:1], (4, 1)), noises[1]).q_values
    np.testing.assert_array_equal(same, np.tile(same[:1], (4, 1)))
    np.testing.assert_allclose(same[0], first[0], rtol=1e-5)


def test_without_noise_weights_are_their_means():
    network, parameters = made(QNetwork(Dense((4,)), noisy=Noisy()))
    plain = {
        "params": {
            name.removeprefix("Noisy"): {"kernel": layer["kernel"], "bias": layer["bias"]}
            for name, layer in parameters["params"].items()
        }
    }
    expected = QNetwork(Dense((4,))).make((3,), 2).apply(plain, OBSERVATIONS).q_values
    np.testing.assert_allclose(network.apply(parameters, OBSERVATIONS).q_values, expected, rtol=1e-5, atol=1e-6)


def test_noise_follows_the_equation_and_differs_between_layers():
    template = {"a": {"inputs": jnp.zeros(40_000), "outputs": jnp.zeros(40_000)}, "b": {"inputs": jnp.zeros(40_000)}}
    noise = jax.jit(lambda key: factorised_noise(key, template))(FIRST)
    parts = [np.asarray(x) for x in jax.tree.leaves(noise)]
    for part in parts:  # f(x) = sign(x) √|x| of a standard normal x
        assert abs(part.mean()) < 0.02
        np.testing.assert_allclose((part**2).mean(), np.sqrt(2 / np.pi), rtol=0.02)
        np.testing.assert_allclose((part**4).mean(), 1.0, rtol=0.05)
    assert np.abs(np.corrcoef(parts) - np.eye(3)).max() < 0.03


def test_noise_at_the_start_has_the_size_that_it_says():
    parameters = QNetwork(Dense((4,)), noisy=Noisy(scale=0.7)).make((3,), 2).init(FIRST)["params"]
    for layer, inputs in (("NoisyDense_0", 3), ("NoisyDense_1", 4)):
        for name in ("kernel_sigma", "bias_sigma"):
            np.testing.assert_allclose(parameters[layer][name], 0.7 / np.sqrt(inputs), rtol=1e-6)
        for name in ("kernel", "bias"):
            assert np.abs(parameters[layer][name]).max() <= 1 / np.sqrt(inputs)


def test_weights_under_noise_start_uniform_between_the_roots_of_the_inputs():
    parameters = QNetwork(Dense((300,)), noisy=Noisy()).make((25,), 2).init(FIRST)["params"]["NoisyDense_0"]
    for name in ("kernel", "bias"):
        weights = np.asarray(parameters[name]) * np.sqrt(25)
        assert -1 <= weights.min() < -0.97
        assert 0.97 < weights.max() <= 1
        np.testing.assert_allclose(weights.std(), 1 / np.sqrt(3), rtol=0.1)


@pytest.mark.parametrize("mean", [0.0, 1000.0])  # a variance by E[x²] - E[x]² would have no digit left of the second
def test_layers_are_normalised_before_the_activation(mean):
    network, parameters = made(QNetwork(Dense((4,)), normalisation=LayerNorm()))
    parameters["params"]["Dense_0"]["bias"] += mean
    x = (
        OBSERVATIONS @ parameters["params"]["Dense_0"]["kernel"]
        + np.asarray(parameters["params"]["Dense_0"]["bias"])[None]
    )
    norm = jax.tree.map(np.asarray, parameters["params"]["LayerNorm_0"])
    x = (x - x.mean(1, keepdims=True)) / np.sqrt(np.asarray(x).var(1, keepdims=True) + 1e-6)
    x = np.maximum(x * norm["scale"][None] + norm["bias"][None], 0)
    expected = x @ parameters["params"]["Dense_1"]["kernel"] + np.asarray(parameters["params"]["Dense_1"]["bias"])[None]
    np.testing.assert_allclose(
        network.apply(parameters, OBSERVATIONS).q_values, expected, rtol=1e-4, atol=1e-5 + 1e-6 * mean
    )


def test_a_categorical_head_returns_probabilities_and_their_mean():
    network, parameters = made(QNetwork(Dense((4,)), head=Categorical(num_atoms=5, v_min=-1.0, v_max=3.0)))
    output = network.apply(parameters, OBSERVATIONS)
    assert output.logits.shape == (5, 2, 5)
    np.testing.assert_allclose(output.atoms, [-1, 0, 1, 2, 3], atol=1e-6)
    weight = np.exp(np.asarray(output.logits, np.float64))
    mean = (weight * np.arange(-1, 4)).sum(-1) / weight.sum(-1)
    np.testing.assert_allclose(output.q_values, mean, rtol=1e-5, atol=1e-6)


def test_the_mean_of_a_categorical_head_has_all_digits_on_every_machine():
    network = QNetwork(Dense((4,)), head=Categorical(num_atoms=5)).make((3,), num_actions=2)
    steps = jax.make_jaxpr(network.apply)(jax.eval_shape(network.init, FIRST), OBSERVATIONS).eqns
    *layers, mean = (step.params["precision"] for step in steps if step.primitive.name == "dot_general")
    assert layers == [None, None]
    assert mean == (jax.lax.Precision.HIGHEST, jax.lax.Precision.HIGHEST)


def test_quantiles_at_fixed_fractions_have_the_mean_as_value():
    network, parameters = made(QNetwork(Dense((4,)), head=Quantiles(num_quantiles=4)))
    output = network.apply(parameters, OBSERVATIONS)
    np.testing.assert_allclose(output.fractions, np.tile([0.125, 0.375, 0.625, 0.875], (5, 1)))
    np.testing.assert_allclose(output.q_values, output.quantiles.mean(-1), rtol=1e-6)
    assert jax.tree.leaves(network.noise(FIRST)) == []


IMPLICIT = QNetwork(
    Dense((4,)), head=ImplicitQuantiles(num_quantiles=3, num_policy_quantiles=2, num_cosines=6, hidden=(5,))
)


def test_implicit_fractions_are_drawn_for_each_example_and_are_midpoints_without_noise():
    network, parameters = made(IMPLICIT)
    equal, noises = np.tile(OBSERVATIONS[:1], (5, 1)), (None, network.noise(FIRST), network.noise(SECOND))
    quiet, first, second = (network.apply(parameters, equal, noise) for noise in noises)
    np.testing.assert_allclose(quiet.fractions, np.tile([1 / 6, 1 / 2, 5 / 6], (5, 1)), rtol=1e-6)
    np.testing.assert_array_equal(quiet.q_values, np.tile(quiet.q_values[:1], (5, 1)))
    drawn = np.concatenate([first.fractions.ravel(), second.fractions.ravel()])
    assert len(np.unique(drawn)) == 30
    assert 0 <= drawn.min() < drawn.max() < 1
    assert len(np.unique(first.q_values[:, 0])) > 1  # so are the policy's; some features are zero at any fraction


def test_implicit_quantiles_equal_the_equation():
    network, parameters = made(IMPLICIT)
    output = network.apply(parameters, OBSERVATIONS, network.noise(FIRST))
    p = jax.tree.map(np.asarray, parameters["params"])

    def dense(x, name):
        return x @ p[name]["kernel"] + p[name]["bias"]

    features = np.maximum(dense(OBSERVATIONS, "Dense_0"), 0)
    cosines = np.cos(np.pi * np.arange(6) * np.asarray(output.fractions)[..., None])
    embedding = np.maximum(dense(cosines, "fractions"), 0)  # [5, 3, 4]
    hidden = np.maximum(dense(features[:, None] * embedding, "Dense_1"), 0)
    expected = dense(hidden, "Dense_2").swapaxes(1, 2)
    np.testing.assert_allclose(output.quantiles, expected, rtol=1e-3, atol=1e-4)


PROPOSED = QNetwork(Dense((4,)), head=ProposedFractions(num_quantiles=4, num_cosines=6, hidden=(5,), pace=1.0))


def test_proposed_fractions_rise_from_zero_to_one():
    network, parameters = made(PROPOSED)
    output = network.apply(parameters, OBSERVATIONS)
    boundaries = np.asarray(output.boundaries)
    assert boundaries.shape == (5, 5)
    assert (np.diff(boundaries, axis=1) > 0).all()
    np.testing.assert_array_equal(boundaries[:, [0, -1]], np.tile([0.0, 1.0], (5, 1)))
    np.testing.assert_allclose(output.fractions, (boundaries[:, 1:] + boundaries[:, :-1]) / 2, rtol=1e-5)
    lengths = np.diff(boundaries, axis=1)
    np.testing.assert_allclose(output.entropy, -(lengths * np.log(lengths)).sum(1), rtol=1e-4)
    mean = (np.asarray(output.quantiles) * lengths[:, None]).sum(-1)
    np.testing.assert_allclose(output.q_values, mean, rtol=1e-4, atol=1e-5)


def test_boundaries_follow_from_the_proposal_at_its_pace():
    network, parameters = made(dataclasses.replace(PROPOSED, head=dataclasses.replace(PROPOSED.head, pace=0.25)))
    p = jax.tree.map(np.asarray, parameters["params"])
    features = np.maximum(OBSERVATIONS @ p["Dense_0"]["kernel"] + p["Dense_0"]["bias"], 0)
    weight = np.exp(0.25 * (features @ p["proposal"]["kernel"] + p["proposal"]["bias"]))
    inner = np.cumsum(weight / weight.sum(1, keepdims=True), axis=1)[:, :-1]
    np.testing.assert_allclose(network.apply(parameters, OBSERVATIONS).boundaries[:, 1:-1], inner, rtol=1e-4)


def test_the_first_proposal_is_nearly_uniform_and_differs_between_states():
    config = QNetwork(Dense((64,)), head=ProposedFractions(num_quantiles=8, pace=1.0))
    network = config.make((3,), num_actions=2)
    parameters = jax.jit(network.init)(FIRST)
    kernel = np.asarray(parameters["params"]["proposal"]["kernel"])
    bound = np.sqrt(3 * 1e-4 / ((64 + 8) / 2))  # uniform, with a variance of 1e-4 over the mean of inputs and outputs
    assert 0.97 * bound < np.abs(kernel).max() <= bound
    lengths = np.diff(jax.jit(network.apply)(parameters, OBSERVATIONS).boundaries)
    np.testing.assert_allclose(lengths, 1 / 8, rtol=0.05)
    assert len(np.unique(lengths[:, 0])) == 5


def test_the_proposal_and_the_rest_learn_apart():
    network, parameters = made(PROPOSED)

    @jax.jit
    def gradients(parameters):
        def parts(parameters):
            output = network.apply(parameters, OBSERVATIONS)
            of_proposal = output.entropy.sum() + (output.boundaries * jnp.arange(5)[None]).sum()
            return of_proposal, output.quantiles.sum() + output.q_values.sum(), output.boundary_quantiles.sum()

        return jax.jacrev(parts)(parameters)

    proposal, rest, nothing = (jax.tree.map(lambda x: np.abs(x).sum(), g["params"]) for g in gradients(parameters))
    assert all(x > 0 for x in jax.tree.leaves(proposal.pop("proposal")))
    assert all(x == 0 for x in jax.tree.leaves(proposal))
    assert all(x == 0 for x in jax.tree.leaves((rest.pop("proposal"), nothing)))
    assert all(x > 0 for x in jax.tree.leaves(rest))


def test_members_of_an_ensemble_differ_and_priors_are_not_learned():
    network = Ensemble(QNetwork(Dense((4,))), num_members=3, prior_scale=2.0).make((3,), num_actions=2)
    parameters = jax.jit(network.init)(FIRST)
    kernels = [
        *parameters["members"]["params"]["Dense_0"]["kernel"],
        *parameters["priors"]["params"]["Dense_0"]["kernel"],
    ]
    assert len({kernel.tobytes() for kernel in map(np.asarray, kernels)}) == 6
    output = jax.jit(network.apply)(parameters, OBSERVATIONS)
    member = jax.jit(QNetwork(Dense((4,))).make((3,), 2).apply)
    for k in range(3):
        learned, prior = (
            member(jax.tree.map(lambda x, k=k: x[k], parameters[part]), OBSERVATIONS).q_values
            for part in ("members", "priors")
        )
        np.testing.assert_allclose(output.members[:, k], learned + 2.0 * prior, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(output.q_values, output.members.mean(1), rtol=1e-5, atol=1e-6)
    gradient = jax.jit(jax.grad(lambda p: jnp.square(network.apply(p, OBSERVATIONS).members).sum()))(parameters)
    assert all(not np.any(x) for x in jax.tree.leaves(gradient["priors"]))
    assert all(np.any(x) for x in jax.tree.leaves(gradient["members"]))


@pytest.mark.parametrize("prior_scale", [None, 0.0])
def test_without_a_scale_there_are_no_priors_and_at_zero_they_have_no_effect(prior_scale):
    network = Ensemble(QNetwork(Dense((4,))), num_members=2, prior_scale=prior_scale).make((3,), num_actions=2)
    parameters = network.init(FIRST)
    assert set(parameters) == ({"members"} if prior_scale is None else {"members", "priors"})
    bare = Ensemble(QNetwork(Dense((4,))), num_members=2).make((3,), num_actions=2)
    expected = bare.apply({"members": parameters["members"]}, OBSERVATIONS).members
    np.testing.assert_allclose(network.apply(parameters, OBSERVATIONS).members, expected, rtol=1e-6)


def test_noise_reaches_the_members_and_not_their_priors():
    network, parameters = made(Ensemble(QNetwork(Dense((4,)), noisy=Noisy()), num_members=2, prior_scale=1.0))
    silent = parameters | {"members": jax.tree.map(jnp.zeros_like, parameters["members"])}
    for drawn in (network.noise(FIRST), network.noise(SECOND)):
        one, other = (network.apply(silent, OBSERVATIONS, noise).members for noise in (None, drawn))
        np.testing.assert_array_equal(one, other)


def test_each_member_has_noise_of_its_own():
    network, parameters = made(Ensemble(QNetwork(Dense((4,)), noisy=Noisy()), num_members=2))
    equal = {"members": jax.tree.map(lambda x: jnp.stack([x[0], x[0]]), parameters["members"])}
    noises = None, network.noise(FIRST)
    quiet, noisy = (np.asarray(network.apply(equal, OBSERVATIONS, noise).members) for noise in noises)
    np.testing.assert_array_equal(quiet[:, 0], quiet[:, 1])
    assert not np.any(np.isclose(noisy[:, 0], noisy[:, 1], rtol=1e-4))


@configuration
class Filters:
    """A torso of a user: a convolution, and one dense layer after it."""

    num_filters: int = static(2)

    def __call__(self, layers, observation, observation_shape):
        assert observation.shape[-3:] == observation_shape == (3, 3, 1)
        x = nn.relu(nn.Conv(self.num_filters, (2, 2), padding="VALID")(observation / 255.0))
        return layers.hidden(x.reshape(*x.shape[:-3], -1), (4,))


PICTURES = np.random.default_rng(5).integers(0, 256, (2, 5, 3, 3, 1)).astype(np.uint8)


def test_a_torso_may_be_a_configuration_from_elsewhere():
    config = QNetwork(Filters(), noisy=Noisy(), head=Quantiles(num_quantiles=2))
    network = config.make((3, 3, 1), num_actions=2)
    parameters = network.init(FIRST)
    assert {name: layer["kernel"].shape for name, layer in parameters["params"].items()} == {
        "Conv_0": (2, 2, 1, 2),
        "NoisyDense_0": (8, 4),
        "NoisyDense_1": (4, 4),
    }
    assert network.apply(parameters, PICTURES, network.noise(SECOND)).quantiles.shape == (2, 5, 2, 2)
    assert config_dicts.to_dict(config)["torso"] == {"type": "tests.networks.test_networks:Filters", "num_filters": 2}


def test_a_memory_follows_any_torso():
    network = QNetwork(Filters(), memory=LSTM(5)).make((3, 3, 1), num_actions=2)
    parameters = network.init(FIRST)
    assert set(parameters["params"]) == {"first", "cell", "last"}
    is_first = np.eye(5, dtype=bool)[[0, 2]]
    output, memories = network.unroll(parameters, PICTURES, jnp.zeros((2, 10)), is_first)
    assert (output.q_values.shape, memories.shape) == ((2, 5, 2), (2, 5, 10))
    anew = network.apply(parameters, PICTURES[1, 2]).q_values
    np.testing.assert_allclose(output.q_values[1, 2], anew, rtol=1e-5, atol=1e-6)


def test_the_values_of_a_recurrent_network_depend_on_earlier_observations():
    network, parameters = made(QNetwork(Dense((4,)), memory=LSTM(5)))
    nothing = jnp.zeros((5, 10))
    assert network.memory.shape == (10,)
    assert not np.any(network.memory)
    first, memory = network.step(parameters, OBSERVATIONS, nothing)
    np.testing.assert_array_equal(network.apply(parameters, OBSERVATIONS).q_values, first.q_values)
    second, _ = network.step(parameters, OBSERVATIONS, memory)
    assert not np.any(np.isclose(first.q_values, second.q_values, rtol=1e-4))


@pytest.mark.parametrize("random", [QNetwork(Dense((4,)), noisy=Noisy()), IMPLICIT])
def test_a_recurrent_network_draws_nothing(random):
    with pytest.raises(ValueError, match=r"network.memory needs network.noisy = None and a network.head without"):
        dataclasses.replace(random, memory=LSTM()).make((3,), num_actions=2)


def test_an_ensemble_has_no_memory():
    with pytest.raises(ValueError, match=r"network.member.memory must be None"):
        Ensemble(QNetwork(memory=LSTM())).make((3,), num_actions=2)
