"""One update of a linear network against the gradient worked out by hand."""

import dataclasses
import functools
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdqn import config_fields, games, learner, noise, optimizers, schedules, target_network
from jaxdqn.algorithms import ALGORITHMS
from jaxdqn.interfaces import TRANSITIONS, LossOutput, Requires, Sample, Transition
from jaxdqn.networks.network import QNetwork
from jaxdqn.networks.torsos import Dense
from jaxdqn.training import loop
from tests.helpers.runs import SMALL

LINEAR = dataclasses.replace(
    SMALL,
    network=QNetwork(Dense(())),
    optimizer=optimizers.SGD(),
    learning_rate=0.1,
    target_update=target_network.Polyak(0.5),
)
KEY = jax.random.key(0)  # of a network without noise


@pytest.fixture
def sample():
    random = np.random.default_rng(0)
    s_tm1, s_t = random.normal(size=(2, 6, 4)).astype(np.float32)
    transition = Transition(
        s_tm1=s_tm1,
        a_tm1=np.int32([0, 1, 1, 0, 1, 0]),
        r_t=np.arange(6, dtype=np.float32),
        discount_t=np.float32([0.9, 0.9, 0, 0.9, 0, 0.9]),
        s_t=s_t,
    )
    return Sample(transition, np.arange(6), weight=np.float32([1, 1, 1, 1, 0.5, 0]))


def test_an_update_follows_the_gradient_of_the_weighted_mean_loss(sample):
    learning = learner.make(LINEAR, games.make("cartpole"))
    before = learning.init(jax.random.key(0))
    after, info = learning.update(before, sample, KEY, jnp.int32(0), jnp.int32(4), jnp.int32(0))

    dense = jax.tree.map(np.asarray, before.parameters["params"]["Dense_0"])
    kernel, bias = dense["kernel"], dense["bias"]
    s_tm1, a_tm1, r_t, discount_t, s_t = sample.transition
    one_hot = np.eye(2)[a_tm1]
    td_error = r_t + discount_t * (s_t @ kernel + bias).max(1) - ((s_tm1 @ kernel + bias) * one_hot).sum(1)
    upstream = (-2 * td_error * sample.weight / 6)[:, None] * one_hot
    np.testing.assert_allclose(info.loss, np.mean(sample.weight * td_error**2), rtol=1e-5)
    np.testing.assert_allclose(info.metrics["td_error"], np.abs(td_error).mean(), rtol=1e-5)
    np.testing.assert_allclose(info.priority, np.abs(td_error), rtol=1e-4)
    np.testing.assert_allclose(info.metrics["max_q"], (s_tm1 @ kernel + bias).max(1).mean(), rtol=1e-5)
    gradient = np.concatenate([(s_tm1.T @ upstream).ravel(), upstream.sum(0)])
    np.testing.assert_allclose(info.gradient_norm, np.linalg.norm(gradient), rtol=1e-5)

    learned = after.parameters["params"]["Dense_0"]
    np.testing.assert_allclose(learned["kernel"], kernel - 0.1 * s_tm1.T @ upstream, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(learned["bias"], bias - 0.1 * upstream.sum(0), rtol=1e-4, atol=1e-6)
    target = after.target_parameters["params"]["Dense_0"]
    np.testing.assert_allclose(target["kernel"], (kernel + np.asarray(learned["kernel"])) / 2, rtol=1e-5)
    assert after.num_updates == 1


def test_a_transition_of_weight_zero_teaches_nothing(sample):
    learning = learner.make(LINEAR, games.make("cartpole"))
    state = learning.init(jax.random.key(0))
    other = sample.transition.r_t.copy()
    other[5] = 1e6
    changed = sample._replace(transition=sample.transition._replace(r_t=other))
    steps = jnp.int32(0), jnp.int32(4), jnp.int32(0)
    np.testing.assert_array_equal(
        learning.update(state, sample, KEY, *steps)[0].parameters["params"]["Dense_0"]["kernel"],
        learning.update(state, changed, KEY, *steps)[0].parameters["params"]["Dense_0"]["kernel"],
    )


def test_minibatches_are_updates_one_after_the_other(sample):
    # Copies at multiples of 2 steps: of three updates between 0 and 4 steps, the second and the third pass one.
    config = dataclasses.replace(LINEAR, target_update=target_network.Periodic(2))
    game = games.make("cartpole")
    split = learner.make(dataclasses.replace(config, batch_size=6, num_minibatches=3), game)
    state = split.init(jax.random.key(0))
    at_once, info = split.update(state, sample, KEY, jnp.int32(0), jnp.int32(4), jnp.int32(0))
    single, priorities = learner.make(config, game), []
    for start, before, after in ((0, 0, 1), (2, 1, 2), (4, 2, 4)):
        part = jax.tree.map(lambda x, start=start: x[start : start + 2], sample)
        state, one = single.update(state, part, KEY, jnp.int32(before), jnp.int32(after), jnp.int32(0))
        priorities += one.priority.tolist()
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), at_once, state)
    np.testing.assert_allclose(info.priority, priorities, rtol=1e-5)
    assert at_once.num_updates == 3


def test_a_gradient_longer_than_its_largest_norm_is_shortened_to_it_after_it_was_measured(sample):
    game, steps = games.make("cartpole"), (jnp.int32(0), jnp.int32(4), jnp.int32(0))
    free = learner.make(LINEAR, game)
    before = free.init(jax.random.key(0))
    unclipped, measured = free.update(before, sample, KEY, *steps)
    clipping = learner.make(dataclasses.replace(LINEAR, max_gradient_norm=0.25), game)
    after, info = clipping.update(clipping.init(jax.random.key(0)), sample, KEY, *steps)

    def moved(state):
        changes = jax.tree.map(lambda new, old: np.asarray(new) - np.asarray(old), state.parameters, before.parameters)
        return np.concatenate([leaf.ravel() for leaf in jax.tree.leaves(changes)])

    assert info.gradient_norm == measured.gradient_norm > 1
    np.testing.assert_allclose(np.linalg.norm(moved(after)), 0.1 * 0.25, rtol=1e-4)  # learning rate times norm
    shorter = moved(unclipped) * 0.25 / measured.gradient_norm
    np.testing.assert_allclose(moved(after), shorter, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("optimizer", [optimizers.SGD(), optimizers.Adam(), optimizers.RAdam(), optimizers.RMSProp()])
def test_a_schedule_is_a_factor_on_the_learning_rate_at_the_steps_and_episodes_before_the_update(sample, optimizer):
    def moved(steps, episodes, **settings):
        learning = learner.make(dataclasses.replace(LINEAR, optimizer=optimizer, **settings), games.make("cartpole"))
        state = learning.init(jax.random.key(0))
        for _ in range(6):  # RAdam begins to normalise at the sixth
            state, _ = learning.update(state, sample, KEY, jnp.int32(steps), jnp.int32(6), jnp.int32(episodes))
        return state.parameters["params"]["Dense_0"]["kernel"]

    for settings in (
        {"learning_rate_schedule": schedules.Linear(1.0, 0.0, 8)},
        {"learning_rate_schedule": schedules.HarmonicPerEpisode(1.0)},
    ):
        np.testing.assert_allclose(moved(4, 1, **settings), moved(0, 0, learning_rate=0.05), rtol=1e-5)


def test_each_minibatch_has_the_learning_rate_of_its_share_of_the_steps(sample):
    config = dataclasses.replace(LINEAR, batch_size=6, num_minibatches=3)
    schedule = schedules.Linear(1.0, 0.0, 8)
    game = games.make("cartpole")
    split = learner.make(dataclasses.replace(config, learning_rate_schedule=schedule), game)
    state = split.init(jax.random.key(0))
    at_once, _ = split.update(state, sample, KEY, jnp.int32(0), jnp.int32(6), jnp.int32(0))
    for start, rate in ((0, 0.1), (2, 0.075), (4, 0.05)):  # from steps 0, 2 and 4 on
        part = jax.tree.map(lambda x, start=start: x[start : start + 2], sample)
        one = learner.make(dataclasses.replace(LINEAR, learning_rate=rate), game)
        state, _ = one.update(state, part, KEY, jnp.int32(0), jnp.int32(0), jnp.int32(0))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), at_once, state)


@config_fields.configuration
class Plain:
    """A loss without a gradient, whose loss, priority and metrics differ."""

    version: ClassVar[int] = 1
    requires: ClassVar[Requires] = TRANSITIONS

    def loss(self, network, parameters, target_parameters, sample, key):
        number = jnp.arange(6.0)
        return LossOutput(loss=number, priority=7.0 + number, metrics={"one": -10.0 - number, "other": 20.0 + number})


@pytest.mark.parametrize("num_minibatches", [1, 3])
def test_replay_gets_the_priorities_of_the_loss_and_metrics_are_means_over_the_batch(sample, num_minibatches):
    config = dataclasses.replace(LINEAR, algorithm=Plain(), batch_size=6, num_minibatches=num_minibatches)
    learning = learner.make(config, games.make("cartpole"))
    if num_minibatches > 1:
        sample = jax.tree.map(lambda x: np.repeat(x, num_minibatches, axis=0), sample)
    state = learning.init(jax.random.key(0))
    _, info = learning.update(state, sample, KEY, jnp.int32(0), jnp.int32(4), jnp.int32(0))
    weight = sample.weight.reshape(num_minibatches, 6)
    np.testing.assert_array_equal(info.priority, np.tile(np.arange(7.0, 13.0), num_minibatches))
    np.testing.assert_allclose(info.loss, (weight * np.arange(6.0)[None]).mean(), rtol=1e-6)
    np.testing.assert_allclose(info.gradient_norm, 0.0)
    assert set(info.metrics) == {"one", "other"}
    np.testing.assert_allclose((info.metrics["one"], info.metrics["other"]), (-12.5, 22.5), rtol=1e-6)


@pytest.mark.parametrize("num_minibatches", [1, 2])
@pytest.mark.parametrize("name", ["noisy_dqn", "iqn", "bootstrapped_dqn", "averaged_dqn", "r2d2"])
def test_an_update_with_noise_drawn_ahead_equals_that_with_its_key(name, num_minibatches):
    config = dataclasses.replace(ALGORITHMS[name].config, batch_size=6, num_minibatches=num_minibatches)
    parts = loop.parts_of(config_fields.to_arrays(config), games.make("cartpole"))
    state = parts.learner.init(jax.random.key(0))
    sample = parts.replay.sample(parts.replay.init(), jnp.zeros(6, jnp.uint32), jnp.int32(0), jnp.int32(0))
    update = jax.jit(lambda key: parts.learner.update(state, sample, key, jnp.int32(0), jnp.int32(4), jnp.int32(0)))
    ahead, with_key = update(parts.learner.noise(KEY)), update(KEY)
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-6), ahead, with_key)


def test_noise_of_another_number_of_passes_is_refused():
    with pytest.raises(ValueError, match="noise of 2 passes was drawn ahead, and the loss makes 3"):
        noise.split((None, None), 3)
