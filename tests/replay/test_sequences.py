"""Replay of sequences, with steps whose fields encode their time and environment."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdqn.replay import ring, sum_tree
from jaxdqn.replay.sequences import Priorities, Sequences
from jaxdqn.rewards_and_terminations import ConfiguredReturn
from tests.helpers.coded_steps import coded_step

pytestmark = pytest.mark.usefixtures("unoptimised")

DISCOUNT = 0.5
COUNTS = (jnp.int32(0), jnp.int32(0))  # steps and episodes, which this replay ignores
ROWS, LENGTH, EPISODE = 8, 3, 5  # rows of an environment, length of a sequence, length of an episode
ALL = jnp.ones(2, bool)


def step_with_memory(time):
    code = time * 10.0 + np.arange(2)
    memory = np.stack([code, -code, code / 2], axis=1)
    return coded_step(time, 2)._replace(memory=jnp.asarray(memory, jnp.float32))


def made(n_step=1, **settings):
    config = Sequences(capacity=2 * ROWS, length=LENGTH, **settings)
    replay = config.make(step_with_memory(0), n_step, ConfiguredReturn(jnp.float32(DISCOUNT)))
    return replay._replace(
        add=jax.jit(replay.add),
        sample=jax.jit(lambda state, bits: replay.sample(state, bits, *COUNTS)),
        update=jax.jit(replay.update),
    )


def filled(replay, steps, is_valid=lambda time: ALL):
    state = replay.init()
    for time in range(steps):
        state = replay.add(state, step_with_memory(time), is_valid(time))
    return state


def samples(replay, state, num_samples=2_000, seed=1):
    """Returns a large sample and the first step of each of its sequences, as `time * 10 + environment`."""
    sample = jax.device_get(replay.sample(state, jax.random.bits(jax.random.key(seed), (num_samples,))))
    return sample, sample.transition.a_tm1[:, 0]


def starts(steps, first=0):
    """Returns all starts of whole sequences after a number of rows; the oldest rows are overwritten."""
    times = range(max(first, steps - ROWS), steps - LENGTH + 1)
    return [time * 10 + environment for time in times for environment in (0, 1)]


@pytest.fixture(scope="module", params=[1, 2])
def uniform(request):
    return request.param, made(request.param)


@pytest.mark.parametrize("steps", [3, 8, 13, 16])
def test_a_sequence_equals_a_loop_over_its_steps(uniform, steps):
    n_step, replay = uniform
    sample, first = samples(replay, filled(replay, steps))
    assert sorted(set(first.tolist())) == starts(steps)  # every start, and none across the newest step
    for i in np.unique(first, return_index=True)[1]:
        sequence = jax.tree.map(lambda x, i=i: x[i], sample.transition)
        time, environment = divmod(int(first[i]), 10)
        codes = [(time + t) * 10 + environment for t in range(LENGTH)]
        assert sequence.a_tm1.tolist() == codes
        assert sequence.s_tm1.tolist() == [[code, -code] for code in codes]
        assert sequence.memory.tolist() == [codes[0], -codes[0], codes[0] / 2]
        assert sequence.ended.tolist() == [(time + t) % EPISODE == EPISODE - 1 for t in range(LENGTH)]
        assert sequence.is_first.tolist() == [False] + [(time + t) % EPISODE == 0 for t in range(1, LENGTH)]
        for t in range(LENGTH):
            reward, discount, last = 0.0, 1.0, t
            for k in range(n_step):
                if t + k == LENGTH:
                    break
                last, now = t + k, time + t + k
                reward, discount = reward + discount * codes[last], discount * DISCOUNT
                if now % EPISODE == EPISODE - 1:
                    discount *= now // EPISODE % 2  # episodes alternate between termination and time limit
                    break
            assert (sequence.r_t[t], sequence.discount_t[t], sequence.last[t]) == (reward, discount, last)
            assert sequence.s_t[t].tolist() == [codes[last] + 10, -codes[last] - 10]
    np.testing.assert_array_equal(sample.weight, np.ones(len(first)))


def test_environments_that_skip_rows_keep_their_order():
    """The second environment stores only every other row."""
    replay = made()
    sample, first = samples(replay, filled(replay, 13, lambda time: jnp.array([True, time % 2 == 0])))
    codes = sample.transition.a_tm1
    steps = np.diff(codes, axis=1)
    assert (steps[first % 10 == 0] == 10).all()
    assert (steps[first % 10 == 1] == 20).all()
    assert set(first[first % 10 == 1].tolist()) == {time * 10 + 1 for time in (0, 2, 4, 6, 8)}


def test_sequences_are_sampled_equally_often():
    replay = made()
    _, first = samples(replay, filled(replay, 13), num_samples=24_000)
    counts = np.unique(first, return_counts=True)[1]
    assert len(counts) == 12
    assert ((counts - 2_000) ** 2 / 2_000).sum() < 31.3  # 11 degrees of freedom: exceeded once in a thousand


def test_a_sequence_needs_as_many_rows_as_it_is_long():
    replay = made()
    assert replay.min_rows == LENGTH
    state = filled(replay, 4, lambda time: jnp.array([True, time == 0]))
    assert replay.size(state).tolist() == [4, 1]
    assert sorted(set(samples(replay, state)[1].tolist())) == [0, 10]  # of the environment with enough rows


@pytest.mark.parametrize("num_minibatches", [1, 2])
def test_without_replacement_the_one_sequence_of_each_environment_is_sampled_once(num_minibatches):
    config = Sequences(capacity=2 * LENGTH, length=LENGTH, replacement=False)
    replay = config.make(step_with_memory(0), 1, ConfiguredReturn(jnp.float32(DISCOUNT)), num_minibatches)
    state, orders = replay.init(), set()
    for time in range(2 * LENGTH + 9):
        state = jax.jit(replay.add)(state, step_with_memory(time), ALL)
        if time + 1 < LENGTH:
            continue
        sample = jax.jit(replay.sample)(state, jax.random.bits(jax.random.key(time), (2,)), *COUNTS)
        newest = (time - LENGTH + 1) * 10
        first = (sample.transition.a_tm1[:, 0] - newest).tolist()
        assert sorted(first) == [0, 1]
        assert sample.weight.tolist() == [1.0, 1.0]
        orders.add(tuple(first))
    assert len(orders) == num_minibatches  # minibatches of one sequence occur in both orders


def test_returns_stop_at_a_cut_and_the_step_before_it_is_unchanged():
    config = Sequences(capacity=2 * ROWS, length=LENGTH)
    learned = ConfiguredReturn(jnp.float32(DISCOUNT), terminal_reward=-9.0, bootstrap_time_limits=False)
    example = step_with_memory(0)._replace(cut=jnp.zeros(2, bool))
    replay = config.make(example, 2, learned)
    state = replay.init()
    for time in range(LENGTH):
        state = jax.jit(replay.add)(state, step_with_memory(time)._replace(cut=jnp.zeros(2, bool)), ALL)
        if time == 1:
            state = state._replace(ring=ring.cut(state.ring, example))
    sequence = jax.jit(replay.sample)(state, jnp.zeros(1, jnp.uint32), *COUNTS).transition
    assert sequence.ended.tolist() == [[False, True, False]]
    assert sequence.is_first.tolist() == [[False, False, True]]
    assert sequence.r_t.tolist() == [[0 + DISCOUNT * 10, 10, 20]]
    assert sequence.discount_t.tolist() == [[DISCOUNT**2, DISCOUNT, DISCOUNT]]
    assert sequence.last.tolist() == [[1, 1, 2]]


@pytest.fixture(scope="module")
def prioritised():
    return made(priorities=Priorities(exponent=2.0, importance=1.0))


@pytest.mark.parametrize("steps", [3, 8, 13, 16])
def test_exactly_the_starts_of_whole_sequences_have_a_priority(prioritised, steps):
    state = filled(prioritised, steps)
    slots = [code // 10 % ROWS * 2 + code % 10 for code in starts(steps)]
    leaves = np.asarray(sum_tree.get(state.tree, jnp.arange(2 * ROWS)))
    assert np.flatnonzero(leaves).tolist() == sorted(slots)
    assert set(leaves[slots].tolist()) == {1.0}
    assert sorted(set(samples(prioritised, state)[1].tolist())) == starts(steps)


def test_sequences_are_sampled_in_proportion_to_a_power_of_their_priority(prioritised):
    state = filled(prioritised, 13)
    sample, first = samples(prioritised, state)
    priority = 1.0 + sample.transition.a_tm1[:, 0] % 7
    state = prioritised.update(state, jnp.asarray(sample.indices), jnp.asarray(priority))
    assert state.max_priority == priority.max()
    sample, first = samples(prioritised, state, num_samples=24_000, seed=2)
    codes, counts = np.unique(first, return_counts=True)
    assert codes.tolist() == starts(13)
    power = (1.0 + codes % 7) ** 2.0
    expected = 24_000 * power / power.sum()
    assert ((counts - expected) ** 2 / expected).sum() < 31.3
    rare = power.min() / (1.0 + first % 7) ** 2.0  # with importance 1, the weight is the inverse of the probability
    np.testing.assert_allclose(sample.weight, rare, rtol=1e-5)


def test_overwritten_sequences_are_never_sampled_and_new_ones_have_the_largest_priority(prioritised):
    state = filled(prioritised, 13)
    sample, first = samples(prioritised, state)
    state = prioritised.update(state, jnp.asarray(sample.indices), jnp.full(len(first), 3.0))
    for time in (13, 14):
        state = jax.jit(prioritised.add)(state, step_with_memory(time), jnp.array([True, time == 13]))
    _, first = samples(prioritised, state)
    old = [time * 10 + environment for time, environment in [(5, 0), (5, 1), (6, 0)]]
    new = [110, 111, 120]
    assert sorted(set(first.tolist())) == sorted({*starts(13), *new} - set(old))
    leaves = np.asarray(sum_tree.get(state.tree, jnp.arange(2 * ROWS)))
    assert sorted(leaves.tolist()) == [0.0] * 4 + [9.0] * 12


def test_an_invalid_step_changes_no_priority(prioritised):
    state = filled(prioritised, 13)
    sample, first = samples(prioritised, state)
    state = prioritised.update(state, jnp.asarray(sample.indices), jnp.asarray(2.0 + first % 7))
    after = jax.jit(prioritised.add)(state, step_with_memory(13), jnp.zeros(2, bool))
    np.testing.assert_array_equal(*(sum_tree.get(tree, jnp.arange(2 * ROWS)) for tree in (after.tree, state.tree)))


def test_exponent_zero_gives_equal_weights():
    replay = made(priorities=Priorities(exponent=0.0))
    state = filled(replay, 8)
    sample, first = samples(replay, state)
    state = replay.update(state, jnp.asarray(sample.indices), jnp.asarray(first, jnp.float32))
    sample, first = samples(replay, state)
    assert sorted(set(first.tolist())) == starts(8)
    np.testing.assert_array_equal(sample.weight, np.ones(len(first)))
