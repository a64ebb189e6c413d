"""Prioritised replay: frequencies, weights and priorities, against a memory in plain NumPy."""

import dataclasses

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdqn import games
from jaxdqn.replay import sum_tree
from jaxdqn.replay.prioritised import Prioritised
from jaxdqn.replay.uniform import Uniform
from jaxdqn.rewards_and_terminations import ConfiguredReturn
from jaxdqn.schedules import Constant, Linear
from tests.helpers.coded_steps import coded_step
from tests.helpers.runs import SMALL, advancing, start

pytestmark = pytest.mark.usefixtures("unoptimised")

COUNTS = (jnp.int32(0), jnp.int32(0))
SETTINGS = Prioritised(24, exponent=0.6, importance=Constant(0.5), uniform_mix=0.1)


def make(settings=SETTINGS, num_environments=2, n_step=1):
    return settings.make(coded_step(0, num_environments), n_step, ConfiguredReturn(jnp.float32(0.5)))


def filled(replay, steps, num_environments=2):
    state, add = replay.init(), jax.jit(replay.add)
    for time in range(steps):
        state = add(state, coded_step(time, num_environments), jnp.ones(num_environments, bool))
    return state


def draw(replay, state, num_batches, batch_size, counts=COUNTS):
    """Returns a sample with fields `[num_batches, batch_size]`."""
    bits = jax.random.bits(jax.random.key(0), (num_batches, batch_size))
    return jax.jit(jax.vmap(lambda bits: replay.sample(state, bits, *counts)))(bits)


def leaves_of(state):
    return np.asarray(state.tree.nodes)[int(state.tree.starts[-1]) :].reshape(-1)


def priorities_of(state, exponent=0.6):
    """Returns priorities: the leaves without the exponent."""
    return leaves_of(state).astype(np.float64) ** (1 / exponent)


class Plain:
    """The memory of the paper in plain NumPy loops and float64."""

    def __init__(self, num_rows, num_environments, alpha, beta, mix):
        self.num_rows, self.num_environments = num_rows, num_environments
        self.alpha, self.beta, self.mix, self.largest = alpha, beta, mix, 1.0
        self.code, self.priority = {}, {}  # by slot
        self.added = [0] * num_environments

    def add(self, time, is_valid):
        for environment in range(self.num_environments):
            if is_valid[environment]:
                slot = self.added[environment] % self.num_rows * self.num_environments + environment
                self.code[slot], self.priority[slot] = time * 10 + environment, self.largest
                self.added[environment] += 1

    def update(self, indices, priority):
        for slot in set(indices):
            self.priority[slot] = max(p for i, p in zip(indices, priority, strict=True) if i == slot)
        self.largest = max(self.largest, *priority)

    def probability(self):
        powers = {slot: p**self.alpha for slot, p in self.priority.items()}
        total, stored = sum(powers.values()), len(powers)
        return {slot: (1 - self.mix) * power / total + self.mix / stored for slot, power in powers.items()}

    def weights(self, indices):
        probability = self.probability()
        raw = np.array([(len(probability) * probability[slot]) ** -self.beta for slot in indices])
        return raw / raw.max()


def test_replay_equals_a_memory_in_plain_numpy_through_wrapping_resets_and_updates():
    replay = make(n_step=2)
    plain, state = Plain(num_rows=12, num_environments=2, alpha=0.6, beta=0.5, mix=0.1), replay.init()
    generator = np.random.default_rng(0)
    add, sample, update = jax.jit(replay.add), jax.jit(replay.sample), jax.jit(replay.update)
    for time in range(40):
        is_valid = np.array([True, time % 3 != 1])
        state = add(state, coded_step(time, 2), jnp.asarray(is_valid))
        plain.add(time, is_valid)
        batch = sample(state, jax.random.bits(jax.random.key(time), (8,)), *COUNTS)
        indices = batch.indices.tolist()
        assert [plain.code[slot] for slot in indices] == batch.transition.a_tm1.tolist()
        np.testing.assert_allclose(batch.weight, plain.weights(indices), rtol=1e-4)
        priority = generator.exponential(size=8).astype(np.float32) * 3
        state = update(state, batch.indices, jnp.asarray(priority))
        plain.update(indices, priority.tolist())
        leaves = priorities_of(state)
        assert set(np.flatnonzero(leaves)) == set(plain.priority)
        for slot, expected in plain.priority.items():
            np.testing.assert_allclose(leaves[slot], expected, rtol=1e-5)
        np.testing.assert_allclose(sum_tree.total(state.tree), leaves_of(state).sum(), rtol=1e-6)
        assert state.max_priority == np.float32(plain.largest)


@pytest.mark.parametrize("batch_size", [1, 8, 30])
@pytest.mark.parametrize("mix", [0.0, 0.1, 0.7, 1.0])
def test_transitions_are_sampled_with_their_probabilities(mix, batch_size):
    replay = make(dataclasses.replace(SETTINGS, uniform_mix=mix))
    state = filled(replay, steps=17)
    priority = jnp.asarray(np.random.default_rng(1).exponential(size=24), jnp.float32).at[5].set(0.0)
    state = replay.update(state, jnp.arange(24), priority)
    plain = Plain(12, 2, alpha=0.6, beta=0.5, mix=mix)
    plain.priority = dict(enumerate(priority.tolist()))
    expected = np.array([plain.probability()[slot] for slot in range(24)])
    num_draws = 48_000
    sample = draw(replay, state, num_draws // batch_size, batch_size)
    counts = np.bincount(np.asarray(sample.indices).reshape(-1), minlength=24)
    assert (counts[5] == 0) == (mix == 0)
    expected *= counts.sum()
    is_drawn = expected > 0
    # Stratified samples vary less than independent ones, which exceed this once in a thousand (23 degrees of freedom).
    assert ((counts - expected)[is_drawn] ** 2 / expected[is_drawn]).sum() < 49.7


def test_each_range_has_one_sample():
    """With 24 equal priorities, a batch of 24 has each slot once, and a batch of 12 has one of each two neighbours."""
    replay = make(dataclasses.replace(SETTINGS, uniform_mix=0.0))
    state = filled(replay, steps=12)
    assert (np.sort(draw(replay, state, 50, 24).indices, axis=1) == np.arange(24)).all()
    half = np.sort(draw(replay, state, 50, 12).indices, axis=1)
    assert (half // 2 == np.arange(12)).all()
    assert len(np.unique(half, axis=0)) > 45


@pytest.mark.parametrize("num_minibatches", [2, 3, 4, 6])
def test_every_minibatch_covers_the_whole_memory(num_minibatches):
    replay = make(dataclasses.replace(SETTINGS, uniform_mix=0.0))
    indices = np.asarray(draw(replay, filled(replay, steps=12), 1, 24).indices)[0]
    of_minibatch = indices.reshape(num_minibatches, -1)
    assert abs(of_minibatch.mean(axis=1) - 11.5).max() < 4  # in the order of slots, two halves would deviate by 6
    assert (of_minibatch.max(axis=1) - of_minibatch.min(axis=1)).min() >= 12


def test_all_random_bits_find_a_stored_transition():
    """The first and the last value of every range find a stored transition, also if the memory is not full."""
    replay = make()
    for steps in (1, 5, 12, 13):
        state = filled(replay, steps)
        for word in (0, 2**32 - 1):
            sample = jax.jit(replay.sample)(state, jnp.full(16, word, jnp.uint32), *COUNTS)
            time, environment = np.divmod(np.asarray(sample.transition.a_tm1), 10)
            assert (time >= max(0, steps - 12)).all()
            assert (time < steps).all()
            assert set(environment) <= {0, 1}
            assert np.isfinite(sample.weight).all()


def test_new_transitions_have_exactly_the_largest_priority_so_far():
    replay = make()
    state = filled(replay, steps=1)
    np.testing.assert_allclose(priorities_of(state)[:3], [1, 1, 0])
    state = replay.update(state, jnp.array([0, 1]), jnp.array([0.25, 7.3]))
    state = replay.update(state, jnp.array([1]), jnp.array([0.5]))  # no transition has 7.3 any more
    state = jax.jit(replay.add)(state, coded_step(1, 2), jnp.array([True, False]))
    np.testing.assert_allclose(priorities_of(state)[:4], [0.25, 0.5, 7.3, 0], rtol=1e-5)
    assert state.max_priority == np.float32(7.3)


def test_an_overwritten_transition_loses_its_priority():
    replay = make(num_environments=1, settings=dataclasses.replace(SETTINGS, capacity=4))
    state = filled(replay, steps=4, num_environments=1)
    state = replay.update(state, jnp.arange(4), jnp.array([0.1, 0.2, 0.3, 0.4]))
    state = jax.jit(replay.add)(state, coded_step(4, 1), jnp.array([True]))
    np.testing.assert_allclose(priorities_of(state)[:4], [1, 0.2, 0.3, 0.4], rtol=1e-5)


def test_exponent_zero_samples_uniformly_with_equal_weights():
    replay = make(dataclasses.replace(SETTINGS, exponent=0.0, uniform_mix=0.0))
    state = filled(replay, steps=8)  # 16 of 24 slots
    state = replay.update(state, jnp.arange(16), jnp.arange(16.0))  # one of them has priority 0
    sample = draw(replay, state, 1_000, 16)
    assert (sample.weight == 1).all()
    assert (np.bincount(np.asarray(sample.indices).reshape(-1), minlength=24) == [1_000] * 16 + [0] * 8).all()


def test_all_transitions_are_equally_likely_if_all_priorities_are_zero():
    replay = make(dataclasses.replace(SETTINGS, uniform_mix=0.0))
    state = replay.update(filled(replay, steps=6), jnp.arange(12), jnp.zeros(12))
    sample = draw(replay, state, 1_000, 12)
    counts = np.bincount(np.asarray(sample.indices).reshape(-1), minlength=24)
    assert (counts[12:] == 0).all()
    assert ((counts[:12] - 1_000) ** 2 / 1_000).sum() < 31.3  # 11 degrees of freedom: exceeded once in a thousand
    assert (sample.weight == 1).all()


@pytest.mark.parametrize(("steps", "beta"), [(0, 0.4), (50, 0.7), (100, 1.0), (900, 1.0)])
def test_importance_follows_its_schedule(steps, beta):
    replay = make(dataclasses.replace(SETTINGS, importance=Linear(0.4, 1.0, 100), uniform_mix=0.0, exponent=1.0))
    state = filled(replay, steps=1)
    state = replay.update(state, jnp.array([0, 1]), jnp.array([1.0, 3.0]))
    sample = jax.jit(replay.sample)(state, jax.random.bits(jax.random.key(0), (8,)), jnp.int32(steps), jnp.int32(0))
    expected = np.where(np.asarray(sample.indices) == 0, 1.0, 3.0**-beta)  # probabilities 1/4 and 3/4
    np.testing.assert_allclose(sample.weight, expected, rtol=1e-5)
    assert sorted(sample.indices.tolist()) == [0, 0, 1, 1, 1, 1, 1, 1]


def test_weighted_mean_with_full_importance_equals_the_mean_of_uniform_replay():
    replay = make(dataclasses.replace(SETTINGS, importance=Constant(1.0), exponent=1.0))
    state = filled(replay, steps=12)
    priority = jnp.asarray(np.random.default_rng(2).uniform(0.2, 5, 24), jnp.float32)
    sample = draw(replay, replay.update(state, jnp.arange(24), priority), 1, 200_000)
    mean = (sample.weight * sample.transition.r_t).sum() / sample.weight.sum()
    np.testing.assert_allclose(mean, np.mean([10 * t + e for t in range(12) for e in (0, 1)]), rtol=2e-3)


def test_each_of_a_million_transitions_can_be_sampled():
    """With equal priorities, rows of 16 leaves are sampled equally often, and slots as often as random ones."""
    million = 1_000_000
    settings = Prioritised(million, exponent=1.0, importance=Constant(1.0), uniform_mix=0.0)
    replay = make(settings, num_environments=1)
    state = replay.init()
    ones = jnp.ones(million)
    tree = jax.jit(sum_tree.set)(state.tree, jnp.arange(million, dtype=jnp.int32), ones)
    state = state._replace(ring=state.ring._replace(added=jnp.array([million], jnp.int32)), tree=tree)
    bits = jax.random.bits(jax.random.key(3), (16_000, 128))
    indices = np.asarray(jax.lax.map(lambda bits: replay.sample(state, bits, *COUNTS).indices, bits)).reshape(-1)
    counts = np.bincount(indices, minlength=million)
    # 2.048 samples a slot, almost Poisson: a share of e^-2.048 of the slots is empty, and the variance is the mean.
    np.testing.assert_allclose((counts == 0).mean(), np.exp(-2.048), rtol=0.01)
    np.testing.assert_allclose(counts.var(), 2.048, rtol=0.01)
    rows = counts.reshape(-1, 16).sum(axis=1)
    np.testing.assert_allclose(rows.var(), 16 * 2.048, rtol=0.03)


@pytest.mark.parametrize("n_step", [1, 3])
def test_transitions_equal_those_of_uniform_replay(n_step):
    replay = make(n_step=n_step)
    uniform = Uniform(24).make(coded_step(0, 2), n_step, ConfiguredReturn(jnp.float32(0.5)))
    states = filled(replay, steps=31), filled(uniform, steps=31)
    samples = [draw(*pair, 1, 2_000) for pair in zip((replay, uniform), states, strict=True)]
    found = []
    for sample in samples:
        first = np.unique(np.asarray(sample.indices)[0], return_index=True)[1]
        assert len(first) == 24
        found.append(jax.tree.map(lambda x, first=first: np.asarray(x)[0, first], sample.transition))
    chex.assert_trees_all_equal(*found)


@pytest.mark.parametrize("num_minibatches", [1, 4])
def test_training_updates_the_priorities_of_sampled_transitions(num_minibatches):
    game = games.make("probe_both")
    config = dataclasses.replace(SMALL, replay=Prioritised(200), num_minibatches=num_minibatches)
    config, state = start(game, config)
    state, curves = advancing(game)(config, state)
    leaves = leaves_of(state.replay)
    assert np.isfinite(curves["loss"])
    assert (leaves[:200] > 0).all()
    assert (leaves[200:] == 0).all()
    assert len(np.unique(leaves)) > 50


@pytest.mark.parametrize("priority_of", [lambda sample: sample.transition.r_t, lambda sample: sample.weight])
def test_updates_in_a_loop_are_made_in_place(priority_of):
    replay = make(Prioritised(1_000_000), num_environments=1)

    def loop(state, bits):
        def step(state, bits):
            state = replay.add(state, coded_step(0, 1), jnp.ones(1, bool))
            sample = replay.sample(state, bits, *COUNTS)
            return replay.update(state, sample.indices, priority_of(sample)), sample.weight.sum()

        return jax.lax.scan(step, state, bits)

    state = jax.eval_shape(replay.init)
    compiled = jax.jit(loop, donate_argnums=0).lower(state, jnp.zeros((10, 32), jnp.uint32)).compile()
    assert compiled.memory_analysis().temp_size_in_bytes < 200_000  # the leaves alone are 4 MB
