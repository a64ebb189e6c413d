"""The ring that stores each frame once gives the samples of whole stacks, and those of a plain list of episodes."""

import collections

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdqn.interfaces import Step
from jaxdqn.replay import frame_ring, ring, sum_tree
from jaxdqn.replay.prioritised import Prioritised
from jaxdqn.replay.rollout import Rollout
from jaxdqn.replay.sequences import Priorities, Sequences
from jaxdqn.replay.uniform import Uniform
from jaxdqn.rewards_and_terminations import ConfiguredReturn

E, NUM_STEPS, NUM_FIRST = 3, 75, 15  # environments; steps, and how many of them are stored before the cut
DISCOUNT, BATCH_SIZE = 0.5, 12
Case = collections.namedtuple("Case", "replay n_step frames dtype shape", defaults=[np.uint8, (3, 2, 2)])
Played = collections.namedtuple("Played", "frames time reward terminated truncated")  # frames: of the whole episode

CASES = {
    "uniform": Case(Uniform(30), 1, 1),
    "uniform without replacement": Case(Uniform(30, replacement=False), 3, 4, bool),
    "uniform, vectors": Case(Uniform(30), 3, 4, np.float32, (4,)),
    "prioritised": Case(Prioritised(30, uniform_mix=0.3), 3, 4),
    "sequences": Case(Sequences(30, length=4), 3, 1, bool),
    "prioritised sequences": Case(Sequences(30, length=4, priorities=Priorities()), 1, 4),
    "rollout": Case(Rollout(30), 1, 4),
}


def stack(frames, time, number):
    """Returns the last `number` frames up to one of an episode along the last axis; zeros before its start."""
    padded = [np.zeros_like(frames[0])] * (number - 1) + frames[: time + 1]
    return np.concatenate(padded[-number:], axis=-1)


def play(case, mean_length):
    """Returns steps of single frames, the same steps with stacks, their validity, and what each environment played.

    The action of a step is its number among the valid steps of its environment. Episodes end at random; some steps are
    invalid; after the first steps, all episodes are cut.
    """
    rng, rows = np.random.default_rng(1), []
    is_valid = rng.random((NUM_STEPS, E)) < 0.9
    played, episodes = [[] for _ in range(E)], [None] * E
    empty = np.zeros(case.shape, case.dtype)
    for time in range(NUM_STEPS):
        row = []
        if time == NUM_FIRST:
            episodes = [None] * E
        for e in range(E):
            if not is_valid[time, e]:
                nothing = stack([empty], 0, case.frames)
                row.append((empty, nothing, 0, 0.0, False, False, empty, nothing))
                continue
            frames = episodes[e] or [rng.integers(0, 2 if case.dtype == bool else 200, case.shape).astype(case.dtype)]
            frames.append(rng.integers(0, 2 if case.dtype == bool else 200, case.shape).astype(case.dtype))
            now, chance, reward = len(frames) - 2, rng.random() * mean_length, rng.integers(1, 9)
            terminated, truncated = chance < 0.5, 0.5 <= chance < 1.0
            both = (frames[now], stack(frames, now, case.frames)), (frames[-1], stack(frames, now + 1, case.frames))
            row.append((*both[0], len(played[e]), reward, terminated, truncated, *both[1]))
            played[e].append(Played(frames, now, reward, terminated, truncated))
            episodes[e] = None if terminated or truncated else frames
        rows.append([np.stack(column) for column in zip(*row, strict=True)])
    single, whole, action, reward, *ends, next_single, next_whole = (np.stack(x) for x in zip(*rows, strict=True))
    rest = action.astype(np.int32), reward.astype(np.float32), *ends
    no = np.zeros((NUM_STEPS, E), bool)
    return (
        Step(single, *rest, next_single, cut=no),
        Step(whole, *rest, next_whole, cut=no),
        is_valid,
        played,
    )


def samples(case, steps, is_valid, frames):
    """Returns the last state, and the sample and the sizes after each step that follows the cut."""
    replay = case.replay.make(jax.tree.map(lambda x: x[0], steps), case.n_step, ConfiguredReturn(DISCOUNT), 1, frames)
    bits = jax.random.bits(jax.random.key(0), (NUM_STEPS, BATCH_SIZE))
    priorities = jax.random.uniform(jax.random.key(1), (NUM_STEPS, BATCH_SIZE))

    def value(stacks):
        return stacks.reshape(E, -1).astype(jnp.float32) @ jnp.arange(stacks[0].size, dtype=jnp.float32)

    def add_and_sample(state, inputs):
        step, is_valid, bits, priorities, is_training = inputs
        state = replay.add(state, step, is_valid)
        state = jax.lax.cond(is_training, lambda: replay.before_training(state, value), lambda: state)
        sample = replay.sample(state, bits, jnp.int32(0), jnp.int32(0))
        state = replay.update(state, sample.indices, priorities)
        return state, (sample, replay.size(state))

    @jax.jit
    def all_samples():
        inputs = steps, is_valid, bits, priorities, jnp.arange(NUM_STEPS) % 4 == 0
        first, later = jax.tree.map(lambda x: x[:NUM_FIRST], inputs), jax.tree.map(lambda x: x[NUM_FIRST:], inputs)
        state, _ = jax.lax.scan(lambda state, x: (replay.add(state, *x[:2]), None), replay.init(), first)
        return jax.lax.scan(add_and_sample, replay.cut(state), later)

    return jax.device_get(all_samples())


def expected_transition(case, played, action, num_added):
    """Returns the transition over up to n steps from a step on, in NumPy, when `num_added` steps are stored."""
    window = [played[action]]
    for later in played[action + 1 : min(action + case.n_step, num_added)]:
        if later.frames is not window[0].frames:
            break
        window.append(later)
    last = window[-1]
    r_t = sum(DISCOUNT**i * step.reward for i, step in enumerate(window))
    discount_t = 0.0 if last.terminated else DISCOUNT ** len(window)
    first = stack(window[0].frames, window[0].time, case.frames)
    return first, r_t, discount_t, stack(last.frames, last.time + 1, case.frames)


def assert_as_played(case, found, is_valid, played):
    """Asserts that every sampled transition is that of the plain list of episodes."""
    sample, sizes = found
    num_added = np.cumsum(is_valid, axis=0)[NUM_FIRST:]
    for time, added in enumerate(num_added):
        transition = jax.tree.map(lambda x, time=time: x[time], sample.transition)
        for i, slot in enumerate(sample.indices[time]):
            e, action = slot % E, transition.a_tm1[i]
            assert added[e] - sizes[time, e] <= action < added[e]
            expected = expected_transition(case, played[e], action, added[e])
            fields = transition.s_tm1[i], transition.r_t[i], transition.discount_t[i], transition.s_t[i]
            for ours, theirs in zip(fields, expected, strict=True):
                np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("name", CASES)
def test_samples_equal_those_of_whole_stacks_to_the_bit(monkeypatch, name):
    case = CASES[name]
    single, whole, is_valid, played = play(case, mean_length=5.0)
    state, found = samples(case, single, is_valid, case.frames)
    assert isinstance(getattr(state, "ring", state), frame_ring.FrameRingState)
    monkeypatch.setattr(frame_ring, "choose", lambda *arguments, **_: ring.make(*arguments[:4]))
    state, expected = samples(case, whole, is_valid, 1)
    assert isinstance(getattr(state, "ring", state), ring.RingState)
    assert (found[1] == np.minimum(np.cumsum(is_valid, axis=0)[NUM_FIRST:], 10)).all()  # nothing dropped out
    for ours, theirs in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape)
        np.testing.assert_array_equal(ours, theirs)
    if isinstance(case.replay, Uniform | Prioritised):
        assert_as_played(case, found, is_valid, played)


@pytest.mark.parametrize(
    "case",
    [
        Case(Prioritised(60, uniform_mix=0.3), 3, 4),
        Case(Sequences(60, length=4, priorities=Priorities(exponent=0.0)), 1, 3),
    ],
    ids=["prioritised", "prioritised sequences"],
)
def test_a_step_whose_frames_are_overwritten_leaves_with_its_priority(monkeypatch, case):
    monkeypatch.setattr(frame_ring, "_LEAST_SPARE", 2)
    single, _, is_valid, played = play(case, mean_length=2.0)
    state, found = samples(case, single, is_valid, case.frames)
    size, length = found[1][-1], getattr(case.replay, "length", 1)
    assert (size < 20).all()  # of 20 rows each
    assert (size >= 11).all()  # a step needs at most two frames of its own
    tree = jax.tree.map(jnp.asarray, state.tree)
    leaves = np.asarray(sum_tree.get(tree, jnp.arange(60))).reshape(20, E)
    for e in range(E):
        oldest, added = state.ring.oldest[e], state.ring.added[e]
        with_priority = [row % 20 for row in range(oldest, added - length + 1)]
        assert sorted(np.flatnonzero(leaves[:, e])) == sorted(with_priority)
    if length == 1:
        assert_as_played(case, found, is_valid, played)
    else:
        for time, slots in enumerate(found[0].indices):
            actions, s_t = found[0].transition.a_tm1[time], found[0].transition.s_t[time]
            for i, slot in enumerate(slots):
                steps = [played[slot % E][action] for action in actions[i]]
                np.testing.assert_array_equal(s_t[i], [stack(step.frames, step.time + 1, 3) for step in steps])


def test_the_newest_steps_that_a_replay_needs_never_drop_out(monkeypatch):
    monkeypatch.setattr(frame_ring, "_LEAST_SPARE", 0)
    example = jax.tree.map(lambda x: x[0], play(CASES["sequences"], mean_length=5.0)[0])
    learned = ConfiguredReturn(DISCOUNT)
    for num_kept, num_frames in ((1, 32 + 2 + 4 + 2), (20, 32 + 8 + 4 + 2), (32, 32 + 32 + 4 + 2)):
        made = frame_ring.choose(example, 32 * E, 1, learned, 4, num_kept)
        assert jax.eval_shape(made.init).frames.shape == (num_frames, E, 2)  # 12 booleans are two bytes
    for replay, num_frames in ((Sequences(32 * E, length=20), 32 + 8 + 3), (Rollout(32 * E), 32 + 32 + 3)):
        made = replay.make(example, 1, learned)
        assert jax.eval_shape(made.init).ring.frames.shape[0] == num_frames


def example_of(shape, dtype, num_environments=8):
    """Returns the shapes of a step of a host game."""

    def zeros():
        flags, observations = jnp.zeros(num_environments, bool), jnp.zeros((num_environments, *shape), dtype)
        action, reward = jnp.zeros(num_environments, jnp.int32), jnp.zeros(num_environments)
        return Step(observations, action, reward, flags, flags, observations, cut=flags)

    return jax.eval_shape(zeros)


@pytest.mark.parametrize(
    ("shape", "dtype", "frames", "most"),
    [((84, 84, 1), jnp.uint8, 4, 7.6e9), ((10, 10, 10), jnp.bool_, 1, 160e6), ((10, 10, 4), jnp.bool_, 1, 80e6)],
    ids=["Atari", "MinAtar seaquest", "MinAtar breakout"],
)
@pytest.mark.parametrize("num_environments", [8, 128])
def test_a_million_transitions_fit(shape, dtype, frames, most, num_environments):
    example = example_of(shape, dtype, num_environments)
    if dtype == jnp.bool_:  # of a game in JAX
        example = example._replace(cut=None)

    def init():
        empty = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), example)
        return Prioritised(1_000_064).make(empty, 3, ConfiguredReturn(DISCOUNT), 1, frames).init()

    num_bytes = sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(jax.eval_shape(init)))
    assert 0.9 * most < num_bytes < most


def test_the_memory_is_changed_in_place():
    shape, num_environments = (40, 40, 1), 2
    example = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), example_of(shape, jnp.uint8, num_environments))
    replay = Prioritised(2_000).make(example, 3, ConfiguredReturn(DISCOUNT), 1, 4)

    def loop(state, steps, bits):
        def step(state, inputs):
            step, bits = inputs
            state = replay.add(state, step, jnp.ones(num_environments, bool))
            sample = replay.sample(state, bits, jnp.int32(0), jnp.int32(0))
            return replay.update(state, sample.indices, sample.weight), sample.transition.s_t.sum()

        return jax.lax.scan(step, state, (steps, bits))

    state = jax.eval_shape(replay.init)
    inputs = jax.tree.map(lambda x: jax.ShapeDtypeStruct((9, *x.shape), x.dtype), (example, jnp.zeros(4, jnp.uint32)))
    compiled = jax.jit(loop, donate_argnums=0).lower(state, *inputs).compile()
    frames = state.ring.frames
    assert compiled.memory_analysis().temp_size_in_bytes < frames.size / 10


@pytest.mark.parametrize(
    ("shape", "frames", "kind"),
    [
        ((4,), 1, ring.RingState),
        ((4,), 2, frame_ring.FrameRingState),
        ((5, 5), 1, ring.RingState),
        ((5, 5, 2), 1, frame_ring.FrameRingState),
    ],
)
def test_pictures_and_stacks_are_stored_once_and_vectors_as_before(shape, frames, kind):
    example = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), example_of(shape, jnp.float32, 2))
    for replay in (Uniform(20), Prioritised(20), Sequences(20, length=4)):
        state = replay.make(example, 1, ConfiguredReturn(DISCOUNT), 1, frames).init()
        assert type(getattr(state, "ring", state)) is kind
