"""Replay of the steps of one training, with steps whose fields encode their time and environment."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdqn.replay.rollout import Rollout
from jaxdqn.rewards_and_terminations import ConfiguredReturn
from tests.helpers.coded_steps import coded_step
from tests.reference.plain.rollout import lambda_return

pytestmark = pytest.mark.usefixtures("unoptimised")

ROWS, DISCOUNT, LAMBDA = 8, 0.5, 0.65
COUNTS = (jnp.int32(0), jnp.int32(0))  # steps and episodes, which this replay ignores
ALL = jnp.ones(2, bool)


def value(observation):
    return 3.0 * observation[..., 0] + 1.0


def made(num_minibatches=2, example=None, **settings):
    example = coded_step(0, 2) if example is None else example
    replay = Rollout(2 * ROWS, LAMBDA).make(
        example, 1, ConfiguredReturn(jnp.float32(DISCOUNT), **settings), num_minibatches
    )
    return replay._replace(
        add=jax.jit(replay.add),
        before_training=jax.jit(lambda state: replay.before_training(state, value)),
        sample=jax.jit(lambda state, seed: replay.sample(state, bits(seed), *COUNTS)),
    )


def bits(seed):
    return jax.random.bits(jax.random.key(seed), (2 * ROWS,))


def added(replay, state, times, is_valid=lambda time: ALL):
    for time in times:
        state = replay.add(state, coded_step(time, 2, episode=3), is_valid(time))
    return state


def returns_of(times, environment):
    """Returns the forward view: the λ-return of each of these steps within its episode of three steps, by code."""
    found = {}
    for place, time in enumerate(times):
        steps = [t for t in times[place:] if t // 3 == time // 3]
        codes = [t * 10 + environment for t in steps]
        ends = [t % 3 == 2 and t // 3 % 2 == 0 for t in steps]  # terminated; every other episode is truncated
        discounts = [0.0 if end else DISCOUNT for end in ends]
        found[codes[0]] = lambda_return(codes, discounts, [3.0 * (code + 10) + 1.0 for code in codes], LAMBDA)
    return found


def test_each_step_comes_once_with_the_lambda_return_of_the_forward_view():
    """Eight steps of each environment: one episode terminates, one is truncated, and one goes on."""
    replay = made()
    state = replay.before_training(added(replay, replay.init(), range(ROWS)))
    sample = jax.device_get(replay.sample(state, 0))
    expected = returns_of(range(ROWS), 0) | returns_of(range(ROWS), 1)
    assert sorted(sample.transition.a_tm1) == sorted(expected)
    for code, s_tm1, return_t in zip(
        sample.transition.a_tm1, sample.transition.s_tm1, sample.transition.return_t, strict=True
    ):
        assert s_tm1.tolist() == [code, -code]
        np.testing.assert_allclose(return_t, expected[code], rtol=1e-5)
    assert sample.weight.tolist() == [1.0] * 2 * ROWS


def test_the_random_bits_shuffle_single_steps():
    replay = made()
    state = replay.before_training(added(replay, replay.init(), range(ROWS)))
    by_number = np.asarray([time * 10 + environment for environment in (0, 1) for time in range(ROWS)])
    for seed in range(3):
        np.testing.assert_array_equal(
            replay.sample(state, seed).transition.a_tm1, by_number[np.argsort(bits(seed), kind="stable")]
        )
    one = made(num_minibatches=1)
    np.testing.assert_array_equal(one.sample(state, 0).transition.a_tm1, by_number)


def test_the_returns_of_a_training_stay_until_the_next_one_and_then_its_steps_are_gone():
    replay = made()
    state = replay.before_training(added(replay, replay.init(), range(ROWS)))
    first = replay.sample(state, 0)
    state = replay.update(state, first.indices, jnp.ones(2 * ROWS))
    assert sorted(replay.sample(state, 1).transition.return_t) == sorted(first.transition.return_t)
    times = range(ROWS, ROWS + 3)
    state = replay.before_training(added(replay, state, times))
    sample = replay.sample(state, 0)
    expected = returns_of(times, 0) | returns_of(times, 1)
    assert set(sample.transition.a_tm1.tolist()) == set(expected)
    np.testing.assert_allclose(
        sample.transition.return_t, [expected[code] for code in sample.transition.a_tm1.tolist()], rtol=1e-5
    )


def test_more_steps_than_fit_in_leave_the_newest():
    replay = made()
    state = replay.before_training(added(replay, replay.init(), range(ROWS + 5)))
    times = range(5, ROWS + 5)
    assert sorted(replay.sample(state, 0).transition.a_tm1.tolist()) == sorted(
        returns_of(times, 0) | returns_of(times, 1)
    )


@pytest.mark.parametrize(("num_minibatches", "num_valid"), [(2, 5), (2, 1), (4, 2)])
def test_a_batch_repeats_steps_where_a_copy_spent_steps_on_resets(num_minibatches, num_valid):
    """Each minibatch is a mean over distinct steps, and no step that was not valid or is old is among them."""
    replay = made(num_minibatches)
    state = replay.before_training(added(replay, replay.init(), range(2 * ROWS)))
    times = range(2 * ROWS, 3 * ROWS)
    valid = set(times[:num_valid])
    state = added(replay, state, times, lambda time: jnp.array([time in times[:1], time in valid]))
    sample = jax.device_get(replay.sample(replay.before_training(state), 0))
    expected = returns_of(times[:1], 0) | returns_of(times[:num_valid], 1)
    codes, total = sample.transition.a_tm1.tolist(), num_valid + 1
    assert sorted(codes[:total]) == sorted(expected)
    assert codes == [codes[i % total] for i in range(2 * ROWS)]
    np.testing.assert_allclose(sample.transition.return_t, [expected[code] for code in codes], rtol=1e-5)
    size = 2 * ROWS // num_minibatches
    for start in range(0, 2 * ROWS, size):
        weight, part = sample.weight[start : start + size], codes[start : start + size]
        np.testing.assert_allclose(weight.mean(), 1.0, rtol=1e-6)
        counted = [code for code, w in zip(part, weight, strict=True) if w > 0]
        assert sorted(counted) == sorted(set(part))


def test_rewards_and_ends_are_those_of_the_configuration_and_a_cut_ends_a_return():
    example = coded_step(0, 2)._replace(cut=jnp.zeros(2, bool))
    replay = made(example=example, reward_clip=1.0, bootstrap_time_limits=False, terminal_reward=-9.0)
    state = replay.init()
    for time in range(ROWS):
        step = coded_step(time, 2, episode=3)
        state = replay.add(state, step._replace(cut=jnp.full(2, time == 6)), ALL)
    sample = jax.device_get(replay.sample(replay.before_training(state), 0))
    by_code = dict(zip(sample.transition.a_tm1.tolist(), sample.transition.return_t.tolist(), strict=True))
    assert by_code[20] == by_code[50] == -9.0  # terminated, and at the time limit
    assert by_code[60] == 1.0 + DISCOUNT * (3 * 70 + 1)  # cut: the bootstrap stays
    assert by_code[70] == 1.0 + DISCOUNT * (3 * 80 + 1)  # the newest
