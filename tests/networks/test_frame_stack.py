"""Networks that see stacked frames: acting on single frames equals applying the network to stacks."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdqn.game_interfaces import observation_dtype
from jaxdqn.games import make as make_game
from jaxdqn.networks.ensemble import Ensemble
from jaxdqn.networks.memory import LSTM
from jaxdqn.networks.network import QNetwork
from jaxdqn.networks.noisy import Noisy
from jaxdqn.networks.torsos import Dense
from jaxdqn.training.acting import initial_memory
from jaxdqn.training.evaluate import Evaluation, value_errors

BASE = QNetwork(Dense((5,)), frames=3)
RECURRENT = dataclasses.replace(BASE, memory=LSTM(4))
FEED_FORWARD = {
    "dense": BASE,
    "noisy": dataclasses.replace(BASE, noisy=Noisy()),
    "ensemble": Ensemble(BASE, num_members=2, prior_scale=0.5),
}


def stacks(frames, number):
    """Returns for each time `[T, E, ...]` the last `number` frames along the last axis; zeros before the start."""
    padded = np.concatenate([np.zeros_like(frames[: number - 1]), frames])
    return np.stack([np.concatenate(padded[t : t + number], axis=-1) for t in range(len(frames))])


def frames_of(shape, dtype):
    return np.random.default_rng(0).integers(0, 2, (6, 2, *shape)).astype(dtype)  # six times, two environments


@pytest.mark.parametrize("name", FEED_FORWARD)
@pytest.mark.parametrize(("shape", "dtype"), [((4,), np.float32), ((3, 2, 2), np.uint8), ((3, 2, 2), bool)])
def test_acting_on_single_frames_equals_the_network_on_stacks(name, shape, dtype):
    network = FEED_FORWARD[name].make(shape, 3, dtype)
    frames, parameters, memory = frames_of(shape, dtype), network.init(jax.random.key(0)), initial_memory(network, 2)
    assert network.frames == 3
    assert network.unroll is None  # stacked frames do not make it recurrent
    assert network.stored_memory(memory) is None  # replay rebuilds the frames
    for frame, stack in zip(frames, stacks(frames, 3), strict=True):
        assert memory.frames.dtype == dtype
        output, memory = network.step(parameters, jnp.asarray(frame), memory)
        np.testing.assert_array_equal(output.q_values, network.apply(parameters, jnp.asarray(stack)).q_values)
        np.testing.assert_array_equal(memory.frames, stack[..., shape[-1] :])


def test_a_network_with_a_memory_unrolls_stacks_as_it_acts_on_single_frames():
    network, frames = RECURRENT.make((2,), 3), frames_of((2,), np.float32)
    parameters, memory = network.init(jax.random.key(0)), initial_memory(network, 2)
    values, stored = [], []
    for frame in frames:
        output, memory = network.step(parameters, jnp.asarray(frame), memory)
        values.append(output.q_values)
        stored.append(network.stored_memory(memory))
    by_environment = jnp.asarray(np.swapaxes(stacks(frames, 3), 0, 1))
    output, memories = network.unroll(parameters, by_environment, jnp.zeros((2, 8)), jnp.zeros((2, 6), bool))
    np.testing.assert_allclose(output.q_values, np.stack(values, axis=1), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(memories, np.stack(stored, axis=1), rtol=1e-5, atol=1e-6)
    output, after = network.unroll_step(parameters, by_environment[:, 3], stored[2])
    np.testing.assert_allclose(output.q_values, values[3], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(after, stored[3], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("config", [*FEED_FORWARD.values(), RECURRENT], ids=[*FEED_FORWARD, "recurrent"])
def test_parameters_are_those_of_a_network_for_the_shape_of_a_stack(config):
    def single(config):
        if isinstance(config, Ensemble):
            return dataclasses.replace(config, member=single(config.member))
        return dataclasses.replace(config, frames=1)

    ours = config.make((3, 2, 2), 3).init(jax.random.key(7))
    theirs = single(config).make((3, 2, 6), 3).init(jax.random.key(7))
    jax.tree.map(np.testing.assert_array_equal, ours, theirs)


def test_one_frame_is_no_memory():
    network = QNetwork(Dense((5,))).make((4,), 3)
    assert network.memory == ()
    assert network.frames == 1


def test_a_frame_of_another_type_than_the_network_was_made_for_is_refused():
    network = BASE.make((4,), 3)
    parameters = network.init(jax.random.key(0))
    with pytest.raises(
        ValueError, match="made for observations of type float32, and got uint8: pass observation_dtype"
    ):
        network.step(parameters, jnp.zeros(4, jnp.uint8), network.memory)


def test_observations_without_an_axis_cannot_be_stacked():
    with pytest.raises(ValueError, match=r"network.frames = 3 needs observations with an axis"):
        BASE.make((), 3)


def test_value_errors_take_each_observation_for_the_first_of_an_episode():
    game = make_game("probe_both")
    both, newest = (QNetwork(Dense(()), frames=frames).make((1,), 2) for frames in (2, 1))
    parameters = both.init(jax.random.key(0))
    alone = {"params": {"Dense_0": {**parameters["params"]["Dense_0"]}}}
    alone["params"]["Dense_0"]["kernel"] = parameters["params"]["Dense_0"]["kernel"][1:]  # what is seen after zeros
    evaluation = Evaluation(every=1, episodes=1, exact_values=True)
    found, expected = (
        value_errors(values, network, game, jnp.float32(0.9), evaluation)
        for values, network in ((parameters, both), (alone, newest))
    )
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert np.isfinite(found).all()


def test_the_dtype_of_observations_is_found_for_both_kinds_of_games():
    assert observation_dtype(make_game("probe_both")) == np.float32
    assert observation_dtype(make_game("gymnasium:tests.helpers.host_games:Image-v0")) == np.uint8
