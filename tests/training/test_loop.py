"""The training loop: what it plays, stores, learns and counts."""

import dataclasses
import re
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdqn import config_fields, games, schedules, target_network
from jaxdqn import learner as learning
from jaxdqn.algorithms import ALGORITHMS
from jaxdqn.exploration import EpsilonGreedy
from jaxdqn.game_interfaces import Game, TimeStep
from jaxdqn.games import exact_values
from jaxdqn.interfaces import Step, feed_forward
from jaxdqn.networks.memory import LSTM
from jaxdqn.networks.network import QNetwork
from jaxdqn.networks.torsos import Dense
from jaxdqn.optimizers import SGD
from jaxdqn.outputs import NetworkOutput
from jaxdqn.replay.rollout import Rollout
from jaxdqn.replay.sequences import Sequences
from jaxdqn.replay.uniform import Uniform
from jaxdqn.training import checkpoint, device_layout, loop, sample_and_learn
from jaxdqn.training import evaluate as evaluate_module
from jaxdqn.training import state as states
from jaxdqn.training.check_config import check
from jaxdqn.training.evaluate import Evaluation, evaluate, value_errors
from tests.helpers.runs import EVALUATION, SMALL, advancing, plain, start

pytestmark = pytest.mark.usefixtures("unoptimised")


class CodedState(NamedTuple):
    episode: jax.Array
    time: jax.Array


def coded_game():
    """Episodes that carry a random number: terminated after 3 steps if it is below 1/2, else truncated after 5."""

    def reset(key):
        return CodedState(jax.random.uniform(key), jnp.int32(0))

    def observe(state):
        return jnp.stack([state.episode, state.time.astype(jnp.float32)])

    def step(key, state, action):
        del key
        state = state._replace(time=state.time + 1)
        short = state.episode < 0.5
        reward = action.astype(jnp.float32) + 10.0
        return state, TimeStep(observe(state), reward, short & (state.time >= 3), ~short & (state.time >= 5))

    return Game("coded", 1, reset, step, observe, (2,), num_actions=2, max_steps=5)


def stored(state, config):
    """Returns the memory as `[row, environment]` arrays: s_tm1, a_tm1, r_t, terminated, truncated, s_t."""
    (packed,) = state.replay.packed
    packed = np.asarray(packed)[: int(state.replay.added[0])]
    assert packed.shape[1] == config.num_environments
    return packed[..., :2], packed[..., 2], packed[..., 3], packed[..., 4] > 0, packed[..., 5] > 0, packed[..., 6:]


@pytest.fixture(scope="module")
def coded_run():
    game, config = coded_game(), dataclasses.replace(SMALL, train_every=6, num_environments=2, learning_starts=60)
    config = dataclasses.replace(config, replay=Uniform(1_200))
    state, curves = advancing(game, Evaluation(every=600, episodes=4))(*start(game, config))
    return config, state, curves


def test_the_true_last_observation_is_stored_and_the_next_episode_follows(coded_run):
    config, state, _ = coded_run
    s_tm1, _, _, terminated, truncated, s_t = stored(state, config)
    assert len(s_tm1) == 300
    np.testing.assert_array_equal(s_t[..., 0], s_tm1[..., 0])  # a step never leaves its episode
    np.testing.assert_array_equal(s_t[..., 1], s_tm1[..., 1] + 1)
    np.testing.assert_array_equal(terminated, (s_tm1[..., 0] < 0.5) & (s_t[..., 1] == 3))
    np.testing.assert_array_equal(truncated, (s_tm1[..., 0] >= 0.5) & (s_t[..., 1] == 5))
    ended = (terminated | truncated)[:-1]
    assert terminated.any()
    assert truncated.any()
    np.testing.assert_array_equal(s_tm1[1:][~ended], s_t[:-1][~ended])
    np.testing.assert_array_equal(s_tm1[1:][ended][:, 1], 0)
    assert (s_tm1[1:][ended][:, 0] != s_t[:-1][ended][:, 0]).all()


def test_training_returns_are_those_of_the_episodes_that_ended(coded_run):
    config, state, curves = coded_run
    _, _, rewards, terminated, truncated, _ = stored(state, config)
    returns = []
    for environment in range(config.num_environments):
        total = 0.0
        for reward, ended in zip(rewards[:, environment], (terminated | truncated)[:, environment], strict=True):
            total += reward
            if ended:
                returns.append(total)
                total = 0.0
    assert curves["episodes"] == len(returns) == state.num_episodes
    np.testing.assert_allclose(curves["episode_return"], np.mean(returns), rtol=1e-5)


class DrawnState(NamedTuple):
    first: jax.Array
    now: jax.Array
    time: jax.Array


def drawing_game():
    """Shows a number drawn when the episode began, and one drawn at this step, its reward; an episode has three."""

    def observe(state):
        return jnp.stack([state.first, state.now])

    def reset(key):
        return DrawnState(*jax.random.uniform(key, (2,)), jnp.int32(0))

    def step(key, state, action):
        del action
        state = state._replace(now=jax.random.uniform(key), time=state.time + 1)
        return state, TimeStep(observe(state), state.now, jnp.bool_(False), state.time >= 3)

    return Game("drawing", 1, reset, step, observe, (2,), num_actions=2, max_steps=3)


def test_neither_two_copies_nor_two_steps_nor_two_runs_see_the_same_random_numbers():
    game = drawing_game()
    config = dataclasses.replace(SMALL, train_every=6, learning_starts=60, replay=Uniform(400))
    advance, firsts, nows = advancing(game, Evaluation(every=240, episodes=1)), [], []
    for seed in (0, 1):
        state, _ = advance(*start(game, config, seed))
        s_tm1, *_, s_t = stored(state, config)
        firsts += np.unique(s_tm1[..., 0]).tolist()
        nows += s_t[..., 1].ravel().tolist()
    assert len(set(firsts)) == len(firsts) == 2 * 2 * 40  # runs, copies and their episodes of three steps
    assert len(set(nows)) == len(nows) == 2 * 240


def test_episodes_of_an_evaluation_see_random_numbers_of_their_own():
    network = QNetwork(Dense(())).make((2,), 2)
    parameters, evaluation = network.init(jax.random.key(0)), Evaluation(every=1, episodes=400)
    first, second = (evaluate(jax.random.key(i), parameters, network, drawing_game(), evaluation) for i in (0, 1))
    returns = np.concatenate([first, second])
    assert len(set(returns)) == 800
    np.testing.assert_allclose((returns.mean(), returns.std()), (1.5, 0.5), atol=0.08)  # the sum of three uniform ones


@pytest.mark.parametrize("name", ["noisy_dqn", "iqn", "bootstrapped_dqn", "rainbow", "munchausen_iqn"])
def test_no_two_steps_updates_minibatches_or_passes_of_an_iteration_draw_the_same(name):
    config = dataclasses.replace(
        ALGORITHMS[name].config, num_updates=3, num_minibatches=2, batch_size=16, train_every=20, num_environments=5
    )
    parts = states.parts(config_fields.to_arrays(config), games.make("cartpole"), jnp.float32)
    keys = sample_and_learn.keys_of(jax.random.key(4), jnp.int32(7))
    following = sample_and_learn.keys_of(jax.random.key(4), jnp.int32(8))
    numbers, later = (sample_and_learn.draw(parts, key) for key in (keys[0], following[0]))
    assert len({tuple(data) for data in jax.random.key_data(jnp.stack(keys)).tolist()}) == 2
    assert numbers.sampling.shape == (3, 16)
    assert len(np.unique(np.concatenate([numbers.sampling, later.sampling]))) == 2 * 3 * 16
    explored = max((plain(leaf) for leaf in jax.tree.leaves(numbers.exploration)), key=lambda x: len(np.unique(x)))
    assert explored.shape[:2] == (4, 5)
    assert len(np.unique(explored)) == explored.size
    passes = numbers.learning if isinstance(numbers.learning, tuple) else (numbers.learning,)
    rows = [np.asarray(plain(leaf)) for leaf in jax.tree.leaves(numbers.acting)]
    assert all(len(leaf) == 4 for leaf in rows)
    for drawn in passes:
        for leaf in jax.tree.leaves(drawn):
            assert leaf.shape[:2] == (3, 2)
            rows.append(np.asarray(plain(leaf)).reshape(6, -1))
    different = {row.tobytes() for leaf in rows for row in leaf}
    assert len(different) == sum(map(len, rows)) >= 4 if rows else name == "bootstrapped_dqn"


@pytest.mark.parametrize(
    ("schedule", "is_greedy_from"),
    [(schedules.Linear(1.0, 0.0, 300.0), 300), (schedules.MultiplicativePerEpisode(1.0, 0.0, 1e-9), 10)],
    ids=["over steps", "over episodes"],
)
def test_epsilon_decays_while_acting(schedule, is_greedy_from):
    game = coded_game()
    config = dataclasses.replace(
        SMALL, network=QNetwork(Dense(())), learning_rate=1e-30, exploration=EpsilonGreedy(schedule), learning_starts=0
    )
    config, state = start(game, dataclasses.replace(config, replay=Uniform(400)))
    kernel = np.asarray(state.learner.parameters["params"]["Dense_0"]["kernel"])
    state, _ = advancing(game, Evaluation(every=400, episodes=1))(config, state)
    s_tm1, actions, *_ = stored(state, config)
    is_greedy = (s_tm1 @ kernel).argmax(-1) == actions
    assert is_greedy[is_greedy_from // 2 :].all()  # of two environments, so many rows
    if is_greedy_from == 300:
        assert 0.36 < is_greedy[:50].mean() - 0.5 * (1 - 5 / 6) < 0.72  # epsilon is 5/6 on average: greedy are 7/12
    else:
        assert not is_greedy[:3].all()


@pytest.mark.parametrize(
    ("change", "learned"),
    [
        ({}, {(5.0, 0.9), (6.0, 0.0), (7.0, 0.9)}),
        ({"reward_clip": 5.5}, {(5.0, 0.9), (5.5, 0.0), (5.5, 0.9)}),
        ({"terminal_reward": -1.0}, {(5.0, 0.9), (-1.0, 0.0), (7.0, 0.9)}),
        ({"bootstrap_time_limits": False}, {(5.0, 0.9), (6.0, 0.0), (7.0, 0.0)}),
        ({"bootstrap_time_limits": False, "terminal_reward": -1.0}, {(5.0, 0.9), (-1.0, 0.0)}),
        ({"discount": 0.5}, {(5.0, 0.5), (6.0, 0.0), (7.0, 0.5)}),
        ({"n_step": 2}, {(5.0 + 0.9 * 6.0, 0.0), (6.0, 0.0), (7.0, 0.9)}),
    ],
    ids=str,
)
def test_a_run_learns_from_rewards_and_ends_as_its_configuration_says(change, learned):
    """Three steps: one continues, the next terminates, and the last is at a time limit."""
    config = dataclasses.replace(SMALL, num_environments=1, replay=Uniform(20), **change)
    parts = states.parts(config, coded_game(), np.float32)
    state, observation = parts.replay.init(), jnp.zeros((1, 2))
    for reward, terminated, truncated in ((5.0, False, False), (6.0, True, False), (7.0, False, True)):
        flags = jnp.array([terminated]), jnp.array([truncated])
        step = Step(observation, jnp.zeros(1, jnp.int32), jnp.array([reward]), *flags, observation)
        state = parts.replay.add(state, step, jnp.ones(1, bool))
    bits = jax.random.bits(jax.random.key(0), (64,))
    sample = parts.replay.sample(state, bits, jnp.int32(3), jnp.int32(1)).transition
    found = {
        (round(float(r), 4), round(float(discount), 4))
        for r, discount in zip(sample.r_t, sample.discount_t, strict=True)
    }
    assert found == {(round(r, 4), discount) for r, discount in learned}


def test_play_is_random_until_learning_starts_and_greedy_after_it():
    game = coded_game()
    config = dataclasses.replace(
        SMALL,
        network=QNetwork(Dense(())),
        learning_rate=1e-30,
        exploration=EpsilonGreedy(schedules.Constant(0.0)),
        learning_starts=100,
        replay=Uniform(400),
    )
    config, state = start(game, config)
    kernel = np.asarray(state.learner.parameters["params"]["Dense_0"]["kernel"])
    state, _ = advancing(game, Evaluation(every=400, episodes=1))(config, state)
    s_tm1, actions, *_ = stored(state, config)
    greedy = (s_tm1 @ kernel).argmax(-1)
    np.testing.assert_array_equal(actions[50:], greedy[50:])  # 100 steps of 2 environments are 50 rows
    agreement = (actions[:50] == greedy[:50]).mean()
    assert 0.3 < agreement < 0.7  # 0.5 expected of 100 draws


@pytest.mark.parametrize(
    ("num_environments", "train_every", "num_updates"), [(1, 1, 1), (4, 8, 3), (2, 20, 20)], ids=str
)
def test_every_ratio_of_updates_to_steps_is_kept(num_environments, train_every, num_updates):
    game = games.make("probe_both")
    config = dataclasses.replace(
        SMALL,
        num_environments=num_environments,
        train_every=train_every,
        num_updates=num_updates,
        learning_starts=80,
        exploration=EpsilonGreedy(schedules.Linear(1.0, 0.0, 400.0)),
    )
    advance, (config, state) = advancing(game), start(game, config)
    for steps in (200, 400):
        state, curves = advance(config, state)
        assert (curves["steps"], state.step) == (steps, steps)
        assert curves["updates"] == (steps - 80) // train_every * num_updates
        assert state.replay.added.tolist() == [steps // num_environments] * num_environments
        np.testing.assert_allclose(curves["exploration"], 1 - steps / 400, atol=1e-6)


def test_the_target_is_the_network_of_the_last_multiple_of_its_period():
    game = games.make("probe_both")
    config = dataclasses.replace(SMALL, learning_starts=0, target_update=target_network.Periodic(200))
    advance = advancing(game, Evaluation(every=100, episodes=1))
    config, state = start(game, config)
    at = {0: state}
    for steps in (100, 200, 300):
        state, _ = advance(config, state)
        at[steps] = state

    def kernel(parameters):
        return np.asarray(parameters["params"]["Dense_0"]["kernel"])

    for steps, since in {100: 0, 200: 200, 300: 200}.items():
        np.testing.assert_array_equal(kernel(at[steps].learner.target_parameters), kernel(at[since].learner.parameters))
    assert not np.array_equal(kernel(at[300].learner.parameters), kernel(at[200].learner.parameters))


def test_the_first_training_has_seen_all_steps_since_the_beginning():
    game = games.make("probe_both")
    once = {"num_environments": 1, "train_every": 1, "learning_starts": 0, "target_update": target_network.Periodic(1)}
    config, state = start(game, dataclasses.replace(SMALL, **once))
    state, _ = advancing(game, Evaluation(every=1, episodes=1))(config, state)
    jax.tree.map(np.testing.assert_array_equal, state.learner.target_parameters, state.learner.parameters)


def test_the_number_of_evaluations_does_not_change_training():
    game = games.make("catch")
    config, begin = start(game, SMALL)
    often, seldom = begin, begin
    advance = advancing(game, Evaluation(every=100, episodes=2, epsilon=0.5))
    for _ in range(8):
        often, _ = advance(config, often)
    advance = advancing(game, Evaluation(every=400, episodes=5))
    for _ in range(2):
        seldom, _ = advance(config, seldom)
    trained = [plain(run._replace(best=None)) for run in (often, seldom)]  # the best of other evaluations
    jax.tree.map(np.testing.assert_array_equal, *trained)


def test_a_run_continues_from_a_checkpoint_bit_for_bit(tmp_path):
    game = games.make("catch")
    advance = advancing(game)
    config, state = start(game, SMALL)
    state, _ = advance(config, state)
    arrays = checkpoint.leaves(state)
    checkpoint.save(tmp_path / "run", arrays)
    restored = checkpoint.like_before(checkpoint.restore(tmp_path / "run"), start(game, SMALL, seed=9)[1])
    with pytest.raises(ValueError, match="already exists"):
        checkpoint.save(tmp_path / "run", arrays)
    with pytest.raises(checkpoint.Unusable, match=r"it holds .* for float32"):
        checkpoint.like_before(
            arrays, start(game, dataclasses.replace(SMALL, network=QNetwork(Dense((17,)))), seed=9)[1]
        )
    with pytest.raises(checkpoint.Unusable, match="it cannot be read"):
        checkpoint.restore(tmp_path / "nothing")
    uninterrupted, continued = state, restored
    for _ in range(2):
        uninterrupted, expected = advance(config, uninterrupted)
        continued, curves = advance(config, continued)
        jax.tree.map(np.testing.assert_array_equal, plain(curves), plain(expected))
    jax.tree.map(np.testing.assert_array_equal, plain(continued), plain(uninterrupted))


def test_divergence_is_recorded_with_its_step_and_stops_the_run():
    game = games.make("catch")
    config = dataclasses.replace(SMALL, optimizer=SGD(), learning_rate=1e20)
    advance, (config, state) = advancing(game), start(game, config)
    state, curves = advance(config, state)
    assert 40 < state.diverged_at <= 60  # at one of the first updates, which start after 40 steps
    assert np.isfinite(curves["evaluation_return"])
    frozen, curves = advance(config, state)
    assert frozen.step == 400
    assert frozen.diverged_at == state.diverged_at
    assert np.isnan(curves["loss"])
    assert np.isnan(curves["episode_return"])
    assert np.isfinite(curves["evaluation_return"])
    same = plain(frozen._replace(step=state.step))
    jax.tree.map(np.testing.assert_array_equal, same, plain(state))


def test_reported_returns_are_not_clipped():
    game = coded_game()
    config = dataclasses.replace(SMALL, reward_clip=1.0)
    _, curves = advancing(game)(*start(game, config))
    assert curves["episode_return"] >= 30.0  # three steps of at least 10
    assert curves["evaluation_return"] >= 30.0
    assert curves["max_q"] < 15.0  # what is learned is the value of rewards of 1


def test_evaluation_plays_whole_episodes_and_counts_each_once():
    game = coded_game()
    _, state = start(game, SMALL)
    network = QNetwork(Dense((16,))).make((2,), 2)
    returns = evaluate(jax.random.key(0), state.learner.parameters, network, game, Evaluation(every=1, episodes=200))
    steps = np.floor(np.asarray(returns) / 10)
    assert set(steps) == {3, 5}
    assert 70 < (steps == 3).sum() < 130  # half of 200, four standard deviations
    assert ((returns >= 10 * steps) & (returns <= 11 * steps)).all()


@pytest.mark.parametrize(("epsilon", "reward"), [(0.0, 11.0), (0.4, 10.8), (1.0, 10.5)])
def test_the_epsilon_of_evaluation_is_the_share_of_random_actions(epsilon, reward):
    game, network = coded_game(), QNetwork(Dense(())).make((2,), 2)
    parameters = {"params": {"Dense_0": {"kernel": jnp.zeros((2, 2)), "bias": jnp.array([0.0, 1.0])}}}
    evaluation = Evaluation(every=1, episodes=400, epsilon=epsilon)
    returns = np.asarray(evaluate(jax.random.key(0), parameters, network, game, evaluation))
    num_steps = np.floor(returns / 10)  # the greedy action earns 11, the other one 10
    np.testing.assert_allclose(returns.sum() / num_steps.sum(), reward, atol=0.05)  # four deviations of 1,600 steps
    if epsilon == 1.0:  # drawn anew at each step
        assert set(returns[num_steps == 3]) == {30.0, 31.0, 32.0, 33.0}


@pytest.mark.parametrize(
    "evaluation", [Evaluation(1, 1), Evaluation(1, 1, 1.0, exact_values=True), Evaluation(9, 9, 0)], ids=str
)
def test_an_evaluation_at_the_limits_is_accepted(evaluation):
    evaluation.check()
    assert (Evaluation(1, 1).epsilon, Evaluation(1, 1).exact_values) == (0.0, False)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"every": 0}, "evaluation.every = 0 must be a whole number of at least 1."),
        ({"every": 200.5}, "evaluation.every = 200.5 must be a whole number of at least 1."),
        ({"episodes": 0}, "evaluation.episodes = 0 must be a whole number of at least 1."),
        ({"epsilon": -0.01}, "evaluation.epsilon = -0.01 must be a number between 0 and 1."),
        ({"epsilon": 1.01}, "evaluation.epsilon = 1.01 must be a number between 0 and 1."),
        ({"epsilon": True}, "evaluation.epsilon = True must be a number between 0 and 1."),
        ({"exact_values": 1}, "evaluation.exact_values = 1 must be True or False."),
    ],
)
def test_an_evaluation_that_makes_no_sense_is_refused_by_name(change, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        dataclasses.replace(EVALUATION, **change).check()


@pytest.mark.parametrize(
    ("change", "steps", "sentence"),
    [
        ({"train_every": 3}, 400, "train_every = 3 must be a multiple of num_environments = 2, such as 2 or 4."),
        ({"learning_starts": 42}, 400, "learning_starts = 42 must be a multiple of train_every = 4, such as 40 or 44."),
        ({"replay": Uniform(201)}, 400, "replay.capacity = 201 must be a multiple of num_environments = 2"),
        (
            {"train_every": 48, "learning_starts": 0},
            400,
            "evaluation.every = 200 must be a multiple of train_every = 48",
        ),
        ({"num_minibatches": 3}, 400, "batch_size = 16 must be a multiple of num_minibatches = 3, such as 15 or 18."),
        ({}, 300, "steps = 300 must be a multiple of evaluation.every = 200, such as 200 or 400."),
        ({}, 0, "steps = 0 must be at least 1"),
        ({}, 2**31 + 152, "below 2\\^31"),
    ],
)
def test_counts_that_do_not_divide_are_refused_by_name(change, steps, sentence):
    with pytest.raises(ValueError, match=sentence):
        check(dataclasses.replace(SMALL, **change), games.make("catch"), EVALUATION, steps)


@pytest.mark.parametrize("name", ["rainbow", "iqn", "bootstrapped_dqn"])
def test_a_chunk_draws_the_same_random_numbers_as_its_iterations_alone(name):
    config = dataclasses.replace(ALGORITHMS[name].config, num_updates=2, num_minibatches=2)
    parts = states.parts(config_fields.to_arrays(config), games.make("cartpole"), jnp.float32)

    def draw(number):
        return sample_and_learn.draw(parts, sample_and_learn.keys_of(jax.random.key(4), number)[0])

    chunk, alone = plain(jax.jit(jax.vmap(draw))(jnp.arange(5))), jax.jit(draw)
    for i in range(5):
        jax.tree.map(lambda x, y, i=i: np.testing.assert_array_equal(x[i], y), chunk, plain(alone(i)))


@pytest.mark.equal_bits
def test_the_length_of_a_chunk_does_not_change_a_run(monkeypatch):
    config, game, states = small_pqn(num_environments=4, steps_of_each=10), games.make("catch"), []
    for longest in (128, 3, 1):  # chunks of 3 leave a part of one at the end of a period of 10 iterations
        monkeypatch.setattr(sample_and_learn, "LONGEST_CHUNK", longest)
        arrays, state = start(game, config)
        advance = advancing(game, Evaluation(every=10 * config.train_every, episodes=1))
        for _ in range(2):
            state, curves = advance(arrays, state)
        states.append(plain((state, curves)))
    assert curves["updates"] > 0
    for other in states[1:]:
        jax.tree.map(np.testing.assert_array_equal, states[0], other)


def small_pqn(num_environments, steps_of_each):
    """Returns PQN with a small network and with rollouts of this size."""
    num_steps = num_environments * steps_of_each
    return dataclasses.replace(
        ALGORITHMS["pqn"].config,
        num_environments=num_environments,
        train_every=num_steps,
        batch_size=num_steps,
        num_minibatches=4,
        num_updates=2,
        network=QNetwork(Dense((4,))),
        replay=Rollout(num_steps),
    )


@pytest.mark.parametrize(("num_bytes", "length"), [(1, 128), (2**15, 128), (2**15 + 1, 127), (2**22, 1), (2**30, 1)])
def test_chunks_are_shorter_the_more_an_iteration_draws(num_bytes, length):
    assert sample_and_learn.chunk_length(jax.ShapeDtypeStruct((num_bytes,), jnp.uint8)) == length


def test_a_run_needs_no_more_memory_than_is_planned_for_it():
    """The random numbers of 128 iterations of 4,096 steps alone are 19 MB, and drawing them takes as much again."""
    game, config = games.make("catch"), config_fields.to_arrays(small_pqn(num_environments=128, steps_of_each=32))
    state = jax.eval_shape(lambda: loop.init(config, jax.random.key(0), game=game))
    evaluation = Evaluation(every=128 * config.train_every, episodes=1)
    used = advancing(game, evaluation).lower(config, state).compile().memory_analysis()
    size = device_layout.size(config, game)
    assert used.temp_size_in_bytes < size.total < 32 * 2**20


def test_the_log_holds_the_first_episodes_in_the_order_in_which_they_ended():
    game = coded_game()
    config = dataclasses.replace(SMALL, train_every=6, learning_starts=60, replay=Uniform(1_200))
    config = config_fields.to_arrays(config)
    state = loop.init(config, jax.random.key(0), game=game, num_logged=40)
    state, _ = advancing(game, Evaluation(every=300, episodes=1))(config, state)
    _, _, rewards, terminated, truncated, _ = stored(state, config)
    ended = terminated | truncated
    episodes, total = [], np.zeros(2)
    for row in range(len(rewards)):
        total += rewards[row]
        for e in np.flatnonzero(ended[row]):
            episodes.append((total[e], rewards[row, e], 2 * (row + 1)))
            total[e] = 0.0
    assert len(episodes) > 40
    for kept, expected in zip(state.log, zip(*episodes[:40], strict=True), strict=True):
        np.testing.assert_allclose(kept, expected, rtol=1e-6)


def test_learning_at_the_end_of_an_episode_happens_in_no_other_iteration():
    game = coded_game()
    config = dataclasses.replace(SMALL, num_environments=1, train_every=1, train_at="episode_end", learning_starts=0)
    _, curves = advancing(game, Evaluation(every=120, episodes=1))(*start(game, config))
    assert 24 <= curves["episodes"] <= 40  # of 3 or 5 steps each
    assert curves["updates"] == curves["episodes"]


def test_the_error_of_exact_values_is_zero_and_a_shift_is_its_bias():
    game = games.make("catch")
    solution = exact_values.solve(game, 0.9)
    seen, looks_like = np.unique(solution.observations, axis=0, return_inverse=True)
    means = np.stack([solution.q_values[looks_like == i].mean(axis=0) for i in range(len(seen))])

    def apply(shift, observations, key=None):  # a network that knows, but for a shift
        matches = (observations[:, None] == jnp.asarray(seen)[None]).all(axis=-1)
        return NetworkOutput(jnp.asarray(means, jnp.float32)[matches.argmax(axis=1)] + shift)

    evaluation = Evaluation(every=1, episodes=1, exact_values=True)
    for shift in (0.0, 0.25, -0.5):
        error, bias = jax.jit(value_errors, static_argnums=(1, 2, 4))(
            jnp.float32(shift), feed_forward(None, apply), game, jnp.float32(0.9), evaluation
        )
        np.testing.assert_allclose(error, abs(shift), atol=1e-5)
        np.testing.assert_allclose(bias, shift, atol=1e-5)
    not_requested = value_errors(jnp.float32(0), feed_forward(None, apply), game, 0.9, EVALUATION)
    unknown = value_errors(jnp.float32(0), feed_forward(None, apply), games.make("cartpole"), 0.9, evaluation)
    assert np.isnan([*not_requested, *unknown]).all()


@pytest.mark.parametrize("sweeps", [0, 1, 3])
def test_value_iteration_ends_after_so_many_sweeps(monkeypatch, sweeps):
    monkeypatch.setattr(evaluate_module, "SWEEPS", sweeps)
    network = feed_forward(None, lambda parameters, observations, key=None: NetworkOutput(parameters))
    evaluation = Evaluation(every=1, episodes=1, exact_values=True)
    game = games.make("probe_time_limit")  # one state and a reward of 1 a step
    _, bias = value_errors(jnp.zeros((1, 1)), network, game, jnp.float32(0.9), evaluation)
    np.testing.assert_allclose(bias, -sum(0.9**i for i in range(sweeps)), rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "q_values", "error", "bias"),
    [
        ("probe_both", [[0.0, 0.0], [0.0, 0.0]], 1.0, -1.0),  # the values are [[1, -1], [-1, 1]] at -1 and at 1
        ("probe_both", [[0.5, 0.5], [-2.0, 1.0]], (0.5 + 1.5 + 1.0 + 0.0) / 4, (0.5 - 1 + 1 - 1) / 2),
        ("probe_time_limit", [[12.0]], 2.0, 2.0),  # the value is 1 / (1 - 0.9)
        # Of 128 pictures, one half has the values [1, -1], and the other half [-1, 1].
        ("probe_picture", [[0.5, -1.0]] * 128, (0.5 + 0.0 + 1.5 + 2.0) / 4, -0.5),
    ],
)
def test_value_errors_agree_with_values_by_hand(name, q_values, error, bias):
    network = feed_forward(None, lambda parameters, observations, key=None: NetworkOutput(parameters))
    evaluation = Evaluation(every=1, episodes=1, exact_values=True)
    found = value_errors(jnp.array(q_values), network, games.make(name), jnp.float32(0.9), evaluation)
    np.testing.assert_allclose(found, (error, bias), atol=1e-3)


def waiting_for_sequences(**settings):
    """A configuration whose sequences of 9 rows are longer than what is played before learning may start."""
    return dataclasses.replace(
        ALGORITHMS["r2d2"].config,
        num_environments=2,
        train_every=4,
        learning_starts=0,
        batch_size=2,
        num_minibatches=1,
        num_updates=2,
        replay=Sequences(capacity=40, length=9),
        **settings,
    )


def test_nothing_is_learned_before_there_is_a_whole_sequence():
    game = coded_game()
    step = advancing(game, Evaluation(every=4, episodes=1))
    config, state = start(game, waiting_for_sequences())
    first, points = plain(state.learner), []
    for _ in range(6):
        state, curves = step(config, state)
        points.append(
            (int(curves["steps"]), int(curves["updates"]), bool(np.isnan(curves["loss"])), int(state.learned_at))
        )
        if curves["steps"] < 20:
            jax.tree.map(np.testing.assert_array_equal, plain(state.learner), first)
    # Two rows an iteration: the fifth one brings the ninth row.
    assert points == [(n, max(0, n // 4 - 4) * 2, n < 20, n) for n in range(4, 25, 4)]


def test_actions_before_there_is_a_whole_sequence_are_the_policys():
    game = coded_game()
    network = QNetwork(Dense(()), memory=LSTM(3))
    config = waiting_for_sequences(exploration=EpsilonGreedy(schedules.Constant(0.0)), network=network)
    config, state = start(game, config)
    parameters = jax.tree.map(jnp.zeros_like, state.learner.parameters)
    parameters["params"]["last"]["Dense_0"]["bias"] = jnp.array([0.0, 1.0])
    state = state._replace(learner=state.learner._replace(parameters=parameters))
    state, _ = advancing(game, Evaluation(every=16, episodes=1))(config, state)
    actions = np.asarray(state.replay.ring.packed[0])[:8, :, 2]
    assert (actions == 1).all()


def test_the_best_parameters_are_those_at_the_first_highest_evaluation_return():
    game, evaluation = games.make("catch"), Evaluation(every=80, episodes=4)
    advance, (config, state) = advancing(game, evaluation), start(game, SMALL, seed=4)
    returns, parameters = [], []
    for _ in range(10):
        state, point = advance(config, state)
        returns.append(float(point["evaluation_return"]))
        parameters.append(plain(state.learner.parameters))
    best = int(np.argmax(returns))
    assert (best, returns.count(max(returns))) == (6, 2)  # or choose another seed
    assert (state.best.evaluation_return, state.best.step) == (max(returns), 80 * (best + 1))
    jax.tree.map(np.testing.assert_array_equal, plain(state.best.parameters), parameters[best])


@pytest.mark.parametrize(
    ("evaluation_return", "diverged_at", "step"),
    [(2.0, -1, 9), (1.0, -1, 5), (0.0, -1, 5), (np.nan, -1, 5), (2.0, 7, 5)],
    ids=["higher", "equal", "lower", "nan", "diverged"],
)
def test_only_a_higher_return_of_a_run_that_has_not_diverged_replaces_the_best(evaluation_return, diverged_at, step):
    run = states.RunState(**dict.fromkeys(states.RunState._fields))
    learner = learning.LearnerState(**dict.fromkeys(learning.LearnerState._fields))._replace(parameters={"a": 9.0})
    best = states.Best(np.float32(1.0), np.int32(5), {"a": 5.0})
    run = run._replace(step=9, learner=learner, diverged_at=diverged_at, best=best)
    found = states.with_best(run, np.float32(evaluation_return)).best
    assert (found.step, found.parameters["a"]) == (step, step)
    assert found.evaluation_return == (2.0 if step == 9 else 1.0)
