"""Convolutional torsos, against the same layers written with flax and with every other part of a network."""

import dataclasses
import itertools
import typing

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdqn import config_dicts
from jaxdqn.networks import torsos
from jaxdqn.networks.dueling import Dueling
from jaxdqn.networks.ensemble import Ensemble
from jaxdqn.networks.heads import Categorical, ImplicitQuantiles, ProposedFractions, Quantiles
from jaxdqn.networks.layers import LayerNorm
from jaxdqn.networks.memory import LSTM
from jaxdqn.networks.network import QNetwork
from jaxdqn.networks.noisy import Noisy
from jaxdqn.networks.torsos import Conv, Impala

PICTURES = np.random.default_rng(0).integers(0, 256, (3, 9, 8, 2)).astype(np.uint8)
SHAPE = (9, 8, 2)
CONV = Conv((3, 4), (3, 2), (2, 1), hidden=(5,))
IMPALA = Impala((1, 2), width=2, hidden=(5,))


@pytest.mark.parametrize(
    ("torso", "shape", "count"),
    [
        (torsos.MINATAR, (10, 10, 4), 132_566),
        (torsos.NATURE, (84, 84, 4), 1_687_206),
        (torsos.DATA_EFFICIENT, (84, 84, 4), 203_750),
        (Impala(), (84, 84, 4), 1_090_774),
    ],
    ids=["MinAtar", "Nature", "data-efficient", "Impala"],
)
def test_the_torso_of_a_paper_has_exactly_its_parameters(torso, shape, count):
    parameters = jax.eval_shape(QNetwork(torso).make(shape, num_actions=6).init, jax.random.key(0))
    assert sum(leaf.size for leaf in jax.tree.leaves(parameters)) == count


class OfFlax(nn.Module):
    """A network of the layers of flax, for pictures whose numbers are scaled."""

    torso: Conv | Impala
    activation: typing.Callable
    is_normalised: bool

    def activate(self, x):
        return self.activation(nn.LayerNorm(use_fast_variance=False)(x) if self.is_normalised else x)

    @nn.compact
    def __call__(self, x):
        if isinstance(self.torso, Conv):
            layers = zip(self.torso.channels, self.torso.kernel_sizes, self.torso.strides, strict=True)
            for channels, size, stride in layers:
                x = self.activate(nn.Conv(channels, (size, size), (stride, stride), self.torso.padding)(x))
        else:
            for channels in self.torso.channels:
                features = channels * self.torso.width
                x = nn.max_pool(nn.Conv(features, (3, 3))(x), (3, 3), (2, 2), "SAME")
                for _ in range(2):
                    before = x
                    x = nn.Conv(features, (3, 3))(self.activate(x))
                    x = before + nn.Conv(features, (3, 3))(self.activate(x))
            x = self.activate(x)
        x = x.reshape(len(x), -1)
        for units in self.torso.hidden:
            x = self.activate(nn.Dense(units)(x))
        return nn.Dense(2)(x)


@pytest.mark.parametrize(
    ("torso", "activation", "normalisation"),
    [
        (CONV, "relu", None),
        (dataclasses.replace(CONV, padding="SAME"), "tanh", LayerNorm()),
        (IMPALA, "relu", None),
        (IMPALA, "tanh", LayerNorm()),
    ],
    ids=["conv", "conv with normalisation", "impala", "impala with normalisation"],
)
def test_a_torso_equals_the_same_layers_of_flax(torso, activation, normalisation):
    config = QNetwork(torso, activation=activation, normalisation=normalisation)
    network = config.make(SHAPE, num_actions=2)
    parameters = jax.jit(network.init)(jax.random.key(1))["params"]
    parameters = {name: {**layer, "bias": layer["bias"] + 0.1} for name, layer in parameters.items()}
    renamed = {name.replace("Convolution", "Conv"): layer for name, layer in parameters.items()}
    of_flax = OfFlax(torso, getattr(nn, activation), normalisation is not None)
    expected = jax.jit(of_flax.apply)({"params": renamed}, PICTURES / np.float32(255))
    found = jax.jit(network.apply)({"params": parameters}, PICTURES).q_values
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("torso", [CONV, IMPALA], ids=["conv", "impala"])
def test_only_bytes_are_scaled(torso):
    network = QNetwork(torso).make(SHAPE, num_actions=2)
    parameters, apply = jax.jit(network.init)(jax.random.key(0)), jax.jit(network.apply)
    floats = PICTURES.astype(np.float32)
    of_bytes, of_floats = (apply(parameters, x).q_values for x in (PICTURES, floats / np.float32(255)))
    np.testing.assert_allclose(of_bytes, of_floats, rtol=1e-4, atol=1e-5)
    is_bright = PICTURES > 127
    same = apply(parameters, is_bright.astype(np.float32)).q_values
    np.testing.assert_array_equal(apply(parameters, is_bright).q_values, same)


def test_the_initializer_reaches_convolutional_layers():
    parameters = QNetwork(Conv((50,), (5,), (1,), hidden=()), initializer="glorot_uniform").make((5, 5, 30), 2)
    kernel = np.asarray(parameters.init(jax.random.key(0))["params"]["Convolution_0"]["kernel"])
    bound = np.sqrt(6 / (5 * 5 * (30 + 50)))
    assert 0.99 * bound < np.abs(kernel).max() <= bound


HEADS = {
    "none": None,
    "categorical": Categorical(num_atoms=3),
    "quantiles": Quantiles(num_quantiles=3),
    "implicit": ImplicitQuantiles(num_quantiles=3, num_policy_quantiles=2, num_cosines=2, hidden=(4,)),
    "proposed": ProposedFractions(num_quantiles=3, num_cosines=2, hidden=(4,)),
}


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("torso", [CONV, IMPALA], ids=["conv", "impala"])
def test_a_torso_of_pictures_goes_with_every_other_part(torso, head):
    """Shapes and dtypes only; layers are noisy where they are dense, and only there."""
    for dueling, noisy, memory in itertools.product((None, Dueling((3,))), (None, Noisy()), (None, LSTM(3))):
        if memory is not None and (noisy is not None or head == "implicit"):
            continue
        config = QNetwork(torso, memory, HEADS[head], dueling, noisy)
        network = config.make(SHAPE, num_actions=2)
        parameters = jax.eval_shape(network.init, jax.random.key(0))
        pictures = jax.ShapeDtypeStruct((4, 6, *SHAPE), jnp.uint8)
        if memory is None:
            noise = jax.eval_shape(network.noise, jax.random.key(0))
            output = jax.eval_shape(network.apply, parameters, pictures, noise)
            paths = ["/".join(key.key for key in path) for path, _ in jax.tree_util.tree_leaves_with_path(parameters)]
            assert any("kernel_sigma" in path for path in paths) == (noisy is not None)
            assert not any("Convolution" in path and "sigma" in path for path in paths)
        else:
            is_first = jax.ShapeDtypeStruct((4, 6), jnp.bool)
            start = jax.ShapeDtypeStruct((4, *network.memory.shape), jnp.float32)
            output, _ = jax.eval_shape(network.unroll, parameters, pictures, start, is_first)
        assert type(output) is network.output
        assert (output.q_values.shape, output.q_values.dtype) == ((4, 6, 2), jnp.float32)


def test_members_of_an_ensemble_may_have_convolutions():
    ensemble = Ensemble(QNetwork(CONV), num_members=2, prior_scale=1.0).make(SHAPE, num_actions=2)
    member = QNetwork(CONV).make(SHAPE, num_actions=2)
    parameters = jax.jit(ensemble.init)(jax.random.key(0))
    found = jax.jit(ensemble.apply)(parameters, PICTURES).members
    for k in range(2):
        learned, prior = (
            member.apply(jax.tree.map(lambda x, k=k: x[k], parameters[part]), PICTURES).q_values
            for part in ("members", "priors")
        )
        np.testing.assert_allclose(found[:, k], learned + prior, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("memory", [None, LSTM(3)], ids=["feed-forward", "recurrent"])
@pytest.mark.parametrize(
    ("torso", "shape", "message"),
    [
        (Conv(), (4,), r"network.torso = Conv needs pictures.* have shape \(4,\): use the torso Dense"),
        (Impala(), (7, 7), r"network.torso = Impala needs pictures.* have shape \(7, 7\)"),
        (torsos.NATURE, (16, 20, 1), r"kernels of 4 x 4 is given pictures of 3 x 4. Use smaller kernels"),
        (Conv((2, 2), (3,), (1, 1)), SHAPE, r"channels = \(2, 2\), kernel_sizes = \(3,\) and .* one number for each"),
    ],
    ids=["vector", "no channels", "too small", "lengths"],
)
def test_an_observation_or_a_torso_that_does_not_fit_raises_an_error(torso, shape, message, memory):
    with pytest.raises(ValueError, match=message):
        QNetwork(torso, memory).make(shape, num_actions=2)


@pytest.mark.parametrize("torso", [torsos.NATURE, Impala(width=2)], ids=["conv", "impala"])
def test_a_record_holds_the_torso_whole(torso):
    config = QNetwork(torso, dueling=Dueling())
    assert config_dicts.from_dict(QNetwork, config_dicts.to_dict(config)) == config
