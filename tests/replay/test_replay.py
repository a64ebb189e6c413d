"""Uniform replay, with transitions whose fields encode their step and environment."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdqn.replay import hashing, ring
from jaxdqn.replay.uniform import Uniform, numbers
from jaxdqn.rewards_and_terminations import ConfiguredReturn
from tests.helpers.coded_steps import coded_step

pytestmark = pytest.mark.usefixtures("unoptimised")

DISCOUNT = 0.5
COUNTS = (jnp.int32(0), jnp.int32(0))  # steps and episodes, which uniform replay ignores


def filled(steps, capacity=24, num_environments=2, n_step=1, reward_clip=None, dtype=np.float32, replacement=True):
    replay = Uniform(capacity, replacement).make(
        coded_step(0, num_environments, dtype), n_step, ConfiguredReturn(jnp.float32(DISCOUNT), reward_clip)
    )
    state, add = replay.init(), jax.jit(replay.add)
    for time in range(steps):
        state = add(state, coded_step(time, num_environments, dtype), jnp.ones(num_environments, bool))
    return replay, state


def everything(replay, state, draws=4_000):
    """Samples until every stored transition has occurred, and returns the distinct transitions by their code."""
    sample = jax.jit(replay.sample)(state, jax.random.bits(jax.random.key(1), (draws,)), *COUNTS)
    codes = np.asarray(sample.transition.a_tm1)
    first = np.unique(codes, return_index=True)[1]
    return {int(codes[i]): jax.tree.map(lambda x, i=i: np.asarray(x)[i], sample.transition) for i in first}, codes


@pytest.mark.parametrize("steps", [1, 7, 12, 13, 30, 36], ids=lambda steps: f"after_{steps}_rows")
def test_exactly_the_newest_transitions_are_stored(steps):
    replay, state = filled(steps)
    found, _ = everything(replay, state)
    rows = range(max(0, steps - 12), steps)  # 24 transitions of 2 environments are 12 rows
    assert sorted(found) == [time * 10 + environment for time in rows for environment in (0, 1)]
    for code, transition in found.items():
        np.testing.assert_array_equal(transition.s_tm1, [code, -code])
        np.testing.assert_array_equal(transition.s_t, [code + 10, -code - 10])
        assert transition.r_t == code


def test_transitions_are_sampled_equally_often():
    replay, state = filled(steps=20)
    _, codes = everything(replay, state, draws=48_000)
    counts = np.unique(codes, return_counts=True)[1]
    expected = 48_000 / 24
    chi_squared = ((counts - expected) ** 2 / expected).sum()
    assert len(counts) == 24
    assert chi_squared < 49.7  # 23 degrees of freedom: exceeded once in a thousand


@pytest.mark.parametrize("steps", [4, 12, 31])
def test_n_step_windows_stop_at_the_end_of_the_episode_and_at_the_newest_row(steps):
    replay, state = filled(steps, n_step=3)
    found, _ = everything(replay, state)
    for code, transition in found.items():
        start, environment = divmod(code, 10)
        stop = min(start + 3, steps, (start // 5 + 1) * 5)  # rows start .. stop - 1
        length = stop - start
        rewards = [time * 10 + environment for time in range(start, stop)]
        terminated = stop % 5 == 0 and (stop - 1) // 5 % 2 == 0
        np.testing.assert_allclose(transition.r_t, sum(DISCOUNT**i * r for i, r in enumerate(rewards)), rtol=1e-6)
        assert transition.discount_t == (0.0 if terminated else DISCOUNT**length)
        assert transition.s_t[0] == (stop - 1) * 10 + environment + 10


def test_a_time_limit_keeps_the_bootstrap_and_termination_cuts_it():
    found, _ = everything(*filled(steps=10))
    assert found[40].discount_t == 0.0  # row 4 terminated
    assert found[90].discount_t == DISCOUNT  # row 9 was truncated


def test_rewards_are_clipped_one_by_one_before_they_are_summed():
    found, _ = everything(*filled(steps=3, n_step=3, reward_clip=jnp.float32(15.0)))
    assert found[0].r_t == 0.0 + DISCOUNT * 10.0 + DISCOUNT**2 * 15.0  # the rewards are 0, 10 and 20


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.float32])
def test_observations_keep_their_type(dtype):
    replay, state = filled(steps=3, dtype=dtype)
    sample = jax.jit(replay.sample)(state, jax.random.bits(jax.random.key(0), (5,)), *COUNTS)
    assert sample.transition.s_tm1.dtype == sample.transition.s_t.dtype == dtype
    assert sample.transition.a_tm1.dtype == jnp.int32
    code = np.asarray(sample.transition.a_tm1)
    np.testing.assert_array_equal(sample.transition.s_tm1[:, 0], code.astype(dtype))


def test_the_contents_equal_those_of_flashbax():
    flashbax = pytest.importorskip("flashbax")
    theirs = flashbax.make_item_buffer(max_length=24, min_length=2, sample_batch_size=24, add_batches=True)
    ours, _ = everything(*filled(steps=31))
    with jax.numpy_rank_promotion("allow"):
        their_state = theirs.init(jax.tree.map(lambda x: x[0], coded_step(0, 2)))
        for time in range(31):
            their_state = theirs.add(their_state, coded_step(time, 2))
        draws = [theirs.sample(their_state, jax.random.key(i)).experience.a_tm1 for i in range(40)]
    assert sorted(ours) == np.unique(np.stack(draws)).tolist()


def draw_batches(replay, state, num_batches, batch_size):
    bits = jax.random.bits(jax.random.key(2), (num_batches, batch_size))
    return jax.jit(jax.vmap(lambda bits: replay.sample(state, bits, *COUNTS)))(bits)


def test_without_replacement_no_transition_is_sampled_twice_and_every_pair_is_equally_likely():
    replay, state = filled(steps=3, replacement=False)  # 6 transitions: 15 pairs
    sample = draw_batches(replay, state, num_batches=15_000, batch_size=2)
    pairs = np.sort(sample.transition.a_tm1, axis=1)
    assert (pairs[:, 0] < pairs[:, 1]).all()
    counts = np.unique(pairs, axis=0, return_counts=True)[1]
    assert len(counts) == 15
    assert ((counts - 1_000) ** 2 / 1_000).sum() < 36.1  # 14 degrees of freedom: exceeded once in a thousand
    assert (sample.weight == 1).all()


@pytest.mark.parametrize("batch_size", [6, 10])
def test_without_replacement_a_memory_no_larger_than_the_batch_is_returned_whole(batch_size):
    replay, state = filled(steps=3, replacement=False)
    sample = jax.jit(replay.sample)(state, jax.random.bits(jax.random.key(0), (batch_size,)), *COUNTS)
    drawn = np.asarray(sample.weight) > 0
    assert sorted(np.asarray(sample.transition.a_tm1)[drawn]) == [0, 1, 10, 11, 20, 21]
    mean = (sample.weight * sample.transition.r_t).mean()
    np.testing.assert_allclose(mean, np.mean([0, 1, 10, 11, 20, 21]), rtol=1e-6)


def test_a_memory_returned_whole_in_one_minibatch_is_in_the_order_of_storage():
    random_bits = jax.random.bits(jax.random.key(0), (5,))
    chosen, weight = numbers(random_bits, jnp.int32(3), replacement=False, num_minibatches=1)
    assert chosen.tolist() == [0, 1, 2, 0, 1]
    np.testing.assert_allclose(weight, [5 / 3, 5 / 3, 5 / 3, 0, 0], rtol=1e-6)


@pytest.mark.parametrize(("steps", "num_minibatches"), [(1, 4), (2, 4), (3, 2), (4, 4)])
def test_each_minibatch_of_a_small_memory_has_a_mean_over_distinct_transitions(steps, num_minibatches):
    config = Uniform(24, replacement=False)
    replay = config.make(coded_step(0, 2), 1, ConfiguredReturn(jnp.float32(DISCOUNT)), num_minibatches)
    state = replay.init()
    for time in range(steps):
        state = jax.jit(replay.add)(state, coded_step(time, 2), jnp.ones(2, bool))
    orders = set()
    for seed in range(9):
        sample = jax.jit(replay.sample)(state, jax.random.bits(jax.random.key(seed), (8,)), *COUNTS)
        codes, weight = np.asarray(sample.transition.a_tm1), np.asarray(sample.weight)
        orders.add(tuple(codes))
        size = 8 // num_minibatches
        seen = []
        for start in range(0, 8, size):
            counted = weight[start : start + size] > 0
            different = codes[start : start + size][counted]
            assert len(set(different)) == len(different) == min(2 * steps, size)
            np.testing.assert_allclose(weight[start : start + size].mean(), 1.0)
            assert len(set(weight[start : start + size][counted])) == 1
            seen += different.tolist()
        assert len(set(seen)) == 2 * steps  # the batch contains all transitions
    assert len(orders) > 1  # epochs differ


def test_a_cut_keeps_the_bootstrap_even_if_time_limits_do_not():
    learned = ConfiguredReturn(jnp.float32(DISCOUNT), terminal_reward=-9.0, bootstrap_time_limits=False)
    example = coded_step(0, 2)._replace(cut=jnp.zeros(2, bool))
    replay = Uniform(24).make(example, 3, learned)
    state = replay.init()
    for time in range(4):
        state = jax.jit(replay.add)(state, coded_step(time, 2)._replace(cut=jnp.zeros(2, bool)), jnp.ones(2, bool))
        if time == 1:
            state = ring.cut(state, example)
    found, _ = everything(replay, state)
    assert (found[0].r_t, found[0].discount_t, found[0].s_t[0]) == (0 + DISCOUNT * 10, DISCOUNT**2, 20)
    assert (found[10].r_t, found[10].discount_t, found[10].s_t[0]) == (10, DISCOUNT, 20)
    assert (found[20].r_t, found[20].discount_t) == (20 + DISCOUNT * 30, DISCOUNT**2)


def test_environments_that_only_reset_store_nothing_and_transitions_remain_equally_likely():
    replay = Uniform(24).make(coded_step(0, 2), 2, ConfiguredReturn(jnp.float32(DISCOUNT)))
    state, kept = replay.init(), []
    for time in range(9):
        is_valid = np.array([True, time in (2, 3, 8)])
        state = jax.jit(replay.add)(state, coded_step(time, 2), jnp.asarray(is_valid))
        kept += [time * 10 + e for e in (0, 1) if is_valid[e]]
    assert state.added.tolist() == [9, 3]
    sample = jax.jit(replay.sample)(state, jax.random.bits(jax.random.key(0), (24_000,)), *COUNTS)
    codes, counts = np.unique(sample.transition.a_tm1, return_counts=True)
    assert codes.tolist() == sorted(kept)
    assert ((counts - 2_000) ** 2 / 2_000).sum() < 31.3  # 11 degrees of freedom: exceeded once in a thousand
    # A window continues with the environment's next stored step, never with another environment's.
    of_row_2 = np.flatnonzero(np.asarray(sample.transition.a_tm1) == 21)[0]
    assert sample.transition.r_t[of_row_2] == 21 + DISCOUNT * 31


def test_sampling_under_vmap_ends_while_the_memory_is_smaller_than_the_batch(monkeypatch):
    replay, state = filled(steps=3, replacement=False)  # 6 transitions
    two_states = jax.tree.map(lambda x: jnp.stack([x, x]), state)
    rounds, while_loop = [], jax.lax.while_loop

    def bounded(condition, body, start):
        """Runs `while_loop` for at most 1,000 rounds and counts them."""
        number, end = while_loop(
            lambda carry: (carry[0] < 1_000) & condition(carry[1]),
            lambda carry: (carry[0] + 1, body(carry[1])),
            (jnp.int32(0), start),
        )
        jax.debug.callback(lambda number: rounds.append(int(number)), number)
        return end

    monkeypatch.setattr(jax.lax, "while_loop", bounded)
    sample = jax.jit(jax.vmap(lambda state, bits: replay.sample(state, bits, *COUNTS)))(
        two_states, jax.random.bits(jax.random.key(0), (2, 10))
    )
    jax.effects_barrier()
    assert (sample.weight > 0).sum(axis=1).tolist() == [6, 6]
    assert max(rounds) < 1_000


def test_mixed_bits_equal_those_of_murmur_hash_3():
    # Its hash of the empty string is the finalizer of the seed; values are published for the seeds 1 and 2^32 - 1.
    seeds = np.uint32([0, 1, 2**32 - 1])
    before = seeds - np.uint32(0x9E3779B9)
    np.testing.assert_array_equal(hashing.mixed(jnp.asarray(before)), np.uint32([0, 0x514E28B7, 0x81F16F39]))
