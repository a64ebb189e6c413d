"""The loop for host games: what it plays, stores, learns and counts; and that it is the loop of JAX games otherwise."""

import dataclasses
import functools
from typing import NamedTuple

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from jaxdqn import config_fields, games, learner, schedules
from jaxdqn.algorithms import pqn, r2d2
from jaxdqn.exploration import EpsilonGreedy
from jaxdqn.game_interfaces import Game, HostGame, TimeStep
from jaxdqn.games import environment_vectors
from jaxdqn.interfaces import Step
from jaxdqn.networks.memory import LSTM
from jaxdqn.networks.network import QNetwork
from jaxdqn.networks.torsos import Dense
from jaxdqn.optimizers import SGD
from jaxdqn.replay.rollout import Rollout
from jaxdqn.replay.sequences import Sequences
from jaxdqn.replay.uniform import Uniform
from jaxdqn.rewards_and_terminations import ConfiguredReturn
from jaxdqn.target_network import Online
from jaxdqn.training import (
    host_checkpoint,
    host_environments,
    host_evaluate,
    host_loop,
    host_programs,
    host_state,
    loop,
)
from jaxdqn.training.acting import ActorState
from jaxdqn.training.evaluate import Evaluation
from tests.helpers import faulty_games, host_games
from tests.helpers.runs import SMALL, advancing, plain

pytestmark = pytest.mark.usefixtures("unoptimised")

EVALUATION = Evaluation(every=200, episodes=2)


@functools.cache
def shared_programs(observation_shape, observation_dtype, num_actions):
    """Returns the functions of all games of one kind: they see nothing else of a game, and are compiled once."""
    return host_programs.make(
        HostGame("any", 1, None, None, observation_shape, observation_dtype, num_actions, max_steps=None)
    )


class Runner:
    """A run on a host game that continues with `advance`."""

    def __init__(self, game, config, seed=0, evaluation=EVALUATION, num_logged=0):
        self.game, self.config, self.evaluation = game, config, evaluation
        self.programs = shared_programs(game.observation_shape, game.observation_dtype, game.num_actions)
        self.host = host_loop.init(
            config, seed, game=game, programs=self.programs, evaluation=evaluation, num_logged=num_logged
        )

    def advance(self):
        self.host, curves = host_loop.advance(
            self.host, game=self.game, programs=self.programs, evaluation=self.evaluation
        )
        return jax.device_get(curves)

    @property
    def state(self):
        return self.host.state

    def q_values(self, observations):
        network = learner.make(self.config, self.game).network
        return np.asarray(network.apply(self.state.learner.parameters, np.asarray(observations, np.float32)).q_values)


def own(name):
    return games.make(f"gymnasium:tests.helpers.host_games:{name}-v0")


def rings(state, size=2):
    """Returns the memory as one array `[rows, ...]` an environment: s_tm1, a_tm1, r_t, terminated, truncated, s_t."""
    (packed,), added = state.replay.packed, np.asarray(state.replay.added)
    rows = [np.asarray(packed)[: added[e], e] for e in range(len(added))]
    return [
        (r[:, :size], r[:, size], r[:, size + 1], r[:, size + 2] > 0, r[:, size + 3] > 0, r[:, size + 4 : 2 * size + 4])
        for r in rows
    ]


def played(begins, num_rows):
    """Plays copies of Counter, the first episodes of which have these numbers, in a plain loop.

    Returns, of `num_rows` steps of all copies, the transitions `(s_tm1, r_t, terminated, truncated, s_t)` of each copy,
    and the episodes `(return, last reward, steps of all copies)` in the order in which they ended. A copy whose episode
    has ended takes a step to reset; a step in which all reset is none.
    """
    copies = [host_games.Counter() for _ in begins]
    at = [copy.reset(seed=begin)[0] for copy, begin in zip(copies, begins, strict=True)]
    is_over, totals = [False] * len(copies), [0.0] * len(copies)
    transitions, episodes, row = [[] for _ in copies], [], 0
    while row < num_rows:
        row += not all(is_over)
        for e, copy in enumerate(copies):
            if is_over[e]:
                at[e], is_over[e], totals[e] = copy.reset()[0], False, 0.0
                continue
            seen, reward, terminated, truncated, _ = copy.step(0)
            transitions[e].append((at[e], reward, terminated, truncated, seen))
            at[e], is_over[e], totals[e] = seen, terminated or truncated, totals[e] + reward
            if is_over[e]:
                episodes.append((totals[e], reward, row * len(copies)))
    return transitions, episodes


@pytest.fixture(scope="module", params=[1, 3], ids=["alone", "three side by side"])
def counted(request):
    """A run on copies of Counter over 240 steps, the one point of its curves, and what a plain loop sees."""
    number = request.param
    config = dataclasses.replace(
        SMALL, num_environments=number, train_every=12, learning_starts=24, replay=Uniform(1_200)
    )
    run = Runner(own("Counter"), config, evaluation=Evaluation(every=240, episodes=4), num_logged=30)
    curves = run.advance()
    begins = [int(s_tm1[0, 0]) for s_tm1, *_ in rings(run.state)]
    return run, curves, *played(begins, 240 // number)


def test_every_transition_is_stored_once_and_no_reset_is(counted):
    run, _, transitions, _ = counted
    for stored, expected in zip(rings(run.state), transitions, strict=True):
        s_tm1, _, *others = stored
        for ours, theirs in zip((s_tm1, *others), zip(*expected, strict=True), strict=True):
            np.testing.assert_array_equal(ours, np.stack(theirs))
    num_stored = run.state.replay.added.sum()
    if len(transitions) == 1:
        assert num_stored == 240  # a reset of all copies at once is not counted
    else:
        assert 150 < num_stored < 240  # one beside other copies' steps is


def test_training_returns_and_the_log_are_those_of_the_episodes_that_ended(counted):
    run, curves, _, episodes = counted
    assert len(episodes) > 30
    assert (curves["steps"], curves["updates"]) == (240, (240 - 24) // 12)
    assert curves["episodes"] == run.state.num_episodes == len(episodes)
    np.testing.assert_allclose(curves["episode_return"], np.mean([episode[0] for episode in episodes]), rtol=1e-6)
    for kept, expected in zip(run.state.log, zip(*episodes[:30], strict=True), strict=True):
        np.testing.assert_array_equal(kept, expected)


def test_a_time_limit_keeps_the_bootstrap_and_no_reset_row_is_sampled(counted):
    run, _, transitions, _ = counted
    number, flags = len(transitions), np.zeros(len(transitions), bool)
    observations, zeros = np.zeros((number, 2), np.float32), np.zeros(number, np.float32)
    example = Step(observations, flags.astype(np.int32), zeros, flags, flags, observations)
    memory = run.config.replay.make(example, 1, ConfiguredReturn(run.config.discount))
    sample = memory.sample(run.state.replay, jax.random.bits(jax.random.key(0), (5_000,)), run.state.step, 0).transition
    episode, time = np.asarray(sample.s_t).T
    over = time == 3 + episode % 3
    np.testing.assert_array_equal(sample.s_tm1, np.stack([episode, time - 1], axis=1))
    np.testing.assert_array_equal(sample.discount_t, np.where(over & (episode % 2 == 0), 0, np.float32(0.9)))
    assert (over & (episode % 2 == 1)).any()


def test_a_lost_life_ends_an_episode_for_learning_and_acting_and_not_for_returns(monkeypatch):
    firsts, after_step = [], ActorState.after_step

    def recording(actor, ended):
        firsts.append(ended.copy())
        return after_step(actor, ended)

    monkeypatch.setattr(ActorState, "after_step", recording)
    run = Runner(own("Lives"), SMALL, evaluation=Evaluation(every=120, episodes=2), num_logged=20)
    curves = run.advance()
    for s_tm1, _, _, terminated, truncated, s_t in rings(run.state):
        assert len(s_tm1) == 60
        np.testing.assert_array_equal(terminated, s_t[:, 0] % 2 == 0)
        np.testing.assert_array_equal(s_tm1[1:, 0], np.where(s_t == 6, 0, s_t)[:-1, 0])  # the game goes on
        assert not truncated.any()
    assert (curves["episodes"], curves["episode_return"], curves["evaluation_return"]) == (20, 6.0, 6.0)
    np.testing.assert_array_equal(run.state.log.end_step, np.repeat(np.arange(12, 121, 12), 2))
    # Steps 2 and 4 lose a life, and step 7 only resets; both copies do the same.
    expected = [step % 7 in (2, 4, 0) for step in range(1, len(firsts) + 1)]
    np.testing.assert_array_equal(firsts, np.stack([expected, expected], axis=1))


def test_an_evaluation_counts_one_episode_of_every_copy(counted):
    run, curves, *_ = counted
    seeds = [copy.unwrapped.np_random_seed for copy in run.host.evaluation_environments.env.envs]
    assert len(set(seeds)) == 4
    lengths = [3 + seed % 3 for seed in seeds]  # the rewards are 1, 2, ...
    assert curves["evaluation_return"] == np.mean([n * (n + 1) / 2 for n in lengths])


def test_no_two_evaluations_play_the_same_episodes():
    run = Runner(
        games.make("gymnasium:tests.helpers.host_games:Counter-v0"), SMALL, evaluation=Evaluation(every=20, episodes=4)
    )
    seeds = []
    for _ in range(3):
        run.advance()
        seeds += [copy.unwrapped.np_random_seed for copy in run.host.evaluation_environments.env.envs]
    assert len(set(seeds)) == 12


@pytest.mark.parametrize(("epsilon", "mean"), [(0.0, 9.0), (0.4, 7.2), (1.0, 4.5)])
def test_the_epsilon_of_evaluation_is_the_share_of_random_actions(epsilon, mean):
    config = dataclasses.replace(SMALL, network=QNetwork(Dense(())), learning_rate=1e-30)
    run = Runner(own("Pair"), config, evaluation=Evaluation(every=20, episodes=100, epsilon=epsilon))
    parameters = {"params": {"Dense_0": {"kernel": jnp.zeros((2, 2)), "bias": jnp.array([0.0, 1.0])}}}
    learner = run.state.learner._replace(parameters=parameters)
    run.host = run.host._replace(state=run.state._replace(learner=learner))
    # An episode has nine steps, and each earns its action; 0.6 is four standard deviations.
    np.testing.assert_allclose(run.advance()["evaluation_return"], mean, atol=0.6)


@pytest.fixture(scope="module")
def cartpole():
    return Runner(games.make("gymnasium:CartPole-v1"), SMALL)


@pytest.mark.parametrize("environments", [1, 2, 4, 9])
def test_the_number_of_environments_does_not_change_an_evaluation(cartpole, environments):
    evaluation, sizes = Evaluation(every=200, episodes=5, epsilon=0.3), []

    def returns(evaluation):
        sizes.append(evaluation.num_environments)
        vector = cartpole.game.make_vector(evaluation.num_environments)
        host = cartpole.host._replace(evaluation_environments=vector)
        return host_evaluate.evaluate(host, cartpole.programs, evaluation).tolist()

    expected = returns(evaluation)
    assert len(set(expected)) > 2
    assert returns(dataclasses.replace(evaluation, environments=environments)) == expected
    assert sizes == [5, min(5, environments)]


def test_evaluation_makes_as_many_environments_as_it_may(monkeypatch):
    made, game = [], own("Counter")

    def make_vector(number, asynchronous=False):
        made.append(number)
        return game.make_vector(number, asynchronous)

    Runner(game._replace(make_vector=make_vector), SMALL, evaluation=Evaluation(every=200, episodes=3, environments=2))
    assert made == [2, 2]


def test_one_environment_can_serve_training_and_evaluation_and_the_training_episode_is_cut_and_not_ended():
    made, game = [], own("RandomReward")

    def make_vector(number, asynchronous=False):
        made.append(number)
        return game.make_vector(number, asynchronous)

    config = dataclasses.replace(SMALL, num_environments=1, learning_starts=8)
    evaluation = Evaluation(every=8, episodes=2, environments=1)
    run = Runner(game._replace(make_vector=make_vector), config, evaluation=evaluation)
    for _ in range(2):
        run.advance()
        assert len(run.host.history.actions) == 0
        assert not run.state.game.resetting.any()
        assert run.state.episode_return.tolist() == [0.0]
    assert made == [1]
    assert run.host.history.renewed_at == (8, 16)
    assert run.state.num_episodes == 0
    rows = np.asarray(run.state.replay.packed[0])[:16, 0]
    assert rows[:, -1].tolist() == ([0] * 7 + [1]) * 2  # cut
    assert not rows[:, 3:5].any()  # neither terminated nor truncated


def test_resuming_takes_the_same_actions_again_however_many_there_are():
    number = 2**17  # half of the actions do not fit in 16 bits
    environment = faulty_games.changed(action_space=spaces.Discrete(number))
    vector = functools.partial(environment_vectors.make, "game", environment)
    game = games.make("gymnasium:tests.helpers.faulty_games:Sound-v0")._replace(num_actions=number, make_vector=vector)
    config = dataclasses.replace(SMALL, learning_starts=300, network=QNetwork(Dense((4,))))
    run = Runner(game, config, evaluation=Evaluation(every=204, episodes=1))
    run.advance()
    arguments = {"game": game, "programs": run.programs, "evaluation": run.evaluation}
    assert run.state.episode_return.min() > 0  # the sum of the actions of the episode under way
    resumed = host_checkpoint.load(host_checkpoint.save(run.host, game), config, 0, **arguments)
    assert resumed.history.renewed_at == ()
    assert resumed.history.actions == run.host.history.actions


def test_actions_that_fit_in_16_bits_are_kept_in_16_bits():
    assert [host_state.action_type(number) for number in (2, 2**16, 2**16 + 1)] == [np.uint16, np.uint16, np.uint32]


def test_an_action_of_training_and_evaluation_is_of_the_type_of_its_space(monkeypatch):
    seen = []
    monkeypatch.setattr(faulty_games.Sound, "reward", lambda self, action: seen.append(type(action)) or 1.0)
    game = games.make("gymnasium:tests.helpers.faulty_games:Sound-v0")
    Runner(game, dataclasses.replace(SMALL, learning_starts=8), evaluation=Evaluation(every=20, episodes=1)).advance()
    assert set(seen) == {np.int64}
    assert len(seen) == 20 + 10


def test_too_many_environments_are_an_error_that_names_both_numbers():
    game = own("OneState")

    def make_vector(number, asynchronous=False):
        if number == 3:
            raise OSError("Address already in use")
        return game.make_vector(number, asynchronous)

    with pytest.raises(host_environments.EnvironmentFailure) as failure:
        Runner(game._replace(make_vector=make_vector), SMALL, evaluation=Evaluation(every=200, episodes=3))
    reason = failure.value.text().strip().splitlines()[-1]
    assert "evaluation needs 3 environments beside the 2 of training (Address already in use)" in reason
    assert "lower evaluation.environments" in reason


def test_the_ratio_of_updates_to_steps_is_kept():
    config = dataclasses.replace(
        SMALL,
        train_every=20,
        num_updates=20,
        learning_starts=60,
        replay=Uniform(240),
        exploration=EpsilonGreedy(schedules.Linear(1.0, 0.0, 240.0)),
    )
    run = Runner(own("Counter"), config, evaluation=Evaluation(every=120, episodes=2))
    for steps in (120, 240):
        curves = run.advance()
        assert (curves["steps"], run.state.step) == (steps, steps)
        assert curves["updates"] == (steps - 60) // 20 * 20
        np.testing.assert_allclose(curves["exploration"], 1 - steps / 240, atol=1e-6)


def test_learning_at_the_end_of_an_episode_happens_in_no_other_iteration():
    config = dataclasses.replace(SMALL, train_at="episode_end")
    run = Runner(own("Counter"), config, num_logged=80)
    curves = run.advance()
    ends = run.state.log.end_step[run.state.log.end_step > 0]
    assert len(ends) == curves["episodes"] < 80
    iterations = set((ends[ends > 40] - 1) // 4)  # of 4 steps each, the first 40 steps without learning
    assert curves["updates"] == len(iterations) < 40


def test_play_is_random_until_learning_starts_and_greedy_after_it():
    config = dataclasses.replace(
        SMALL,
        num_environments=1,
        network=QNetwork(Dense(())),
        learning_rate=1e-30,
        exploration=EpsilonGreedy(schedules.Constant(0.0)),
        learning_starts=100,
        replay=Uniform(400),
    )
    run = Runner(games.make("gymnasium:CartPole-v1"), config, evaluation=Evaluation(every=400, episodes=2))
    kernel = np.asarray(run.state.learner.parameters["params"]["Dense_0"]["kernel"])
    run.advance()
    ((s_tm1, actions, *_),) = rings(run.state, size=4)
    greedy = (s_tm1 @ kernel).argmax(-1)
    np.testing.assert_array_equal(actions[100:], greedy[100:])
    assert 0 < greedy[100:].mean() < 1
    assert 0.3 < (actions[:100] == greedy[:100]).mean() < 0.7  # 0.5 expected of 100 draws


def test_a_schedule_over_episodes_moves_on_at_the_step_after_an_end():
    config = dataclasses.replace(
        SMALL,
        num_environments=1,
        network=QNetwork(Dense(())),
        learning_rate=1e-30,
        train_every=100,  # ends fall between trainings
        exploration=EpsilonGreedy(schedules.MultiplicativePerEpisode(1.0, 0.0, 1e-9)),  # greedy from the second on
        learning_starts=0,
        replay=Uniform(200),
    )
    run = Runner(games.make("gymnasium:CartPole-v1"), config)
    kernel = np.asarray(run.state.learner.parameters["params"]["Dense_0"]["kernel"])
    run.advance()
    ((s_tm1, actions, _, terminated, *_),) = rings(run.state, size=4)
    greedy, end = (s_tm1 @ kernel).argmax(-1), int(terminated.argmax()) + 1
    np.testing.assert_array_equal(actions[end:], greedy[end:])
    assert 8 <= end < 80
    assert (actions[:end] != greedy[:end]).sum() > 2


def test_pictures_are_stored_byte_for_byte():
    network = QNetwork(Dense((16,)), frames=2)
    config = dataclasses.replace(SMALL, num_environments=1, learning_starts=20, replay=Uniform(60), network=network)
    run = Runner(own("Image"), config, evaluation=Evaluation(every=60, episodes=2))
    alone = gymnasium.make("Image-v0")  # 9 steps an episode
    copy = run.host.environments.unwrapped.envs[0].unwrapped
    pictures = [alone.reset(seed=copy.np_random_seed)[0]]
    assert run.advance()["updates"] == 10
    for row in range(60):
        pictures.append(alone.step(0)[0])
        if row % 9 == 8:
            pictures.append(alone.reset()[0])
    stored = np.asarray(run.state.replay.frames).reshape(-1, 4, 4, 3)
    assert stored.dtype == np.uint8
    np.testing.assert_array_equal(stored[: len(pictures)], pictures)
    assert not stored[len(pictures) :].any()


def test_every_function_is_compiled_once():
    game = own("Counter")
    programs = host_programs.make(game)
    host_loop.compile(SMALL, game=game, programs=programs, evaluation=EVALUATION)
    for seed, rate in ((0, 0.01), (1, 0.02)):
        config = dataclasses.replace(SMALL, learning_rate=rate)
        host = host_loop.init(config, seed, game=game, programs=programs, evaluation=EVALUATION)
        for _ in range(2):
            host, _ = host_loop.advance(host, game=game, programs=programs, evaluation=EVALUATION)
    assert [function._cache_size() for function in programs] == [1] * len(programs)


@pytest.mark.parametrize(("name", "values"), [("OneState", [[10.0, 10.0]]), ("TwoSteps", [[0.9, 0.9], [0.0, 1.0]])])
def test_a_probe_reaches_its_closed_form(name, values):
    config = dataclasses.replace(SMALL, exploration=EpsilonGreedy(schedules.Constant(1.0)))
    run = Runner(own(name), config, evaluation=Evaluation(every=12_000, episodes=2))
    curves = run.advance()
    observations = [[1.0]] if name == "OneState" else [[0.0], [1.0]]
    np.testing.assert_allclose(run.q_values(observations), values, atol=0.1)
    assert curves["evaluation_return"] == {"OneState": 4.0, "TwoSteps": 1.0}[name]  # greedy, whatever was played


def test_one_seed_is_one_run_and_another_is_another():
    ends = []
    for seed in (3, 3, 4):
        run = Runner(games.make("gymnasium:CartPole-v1"), SMALL, seed=seed)
        curves = [run.advance() for _ in range(2)]
        ends.append((plain((run.state.learner, run.state.replay)), curves))
    jax.tree.map(np.testing.assert_array_equal, ends[0], ends[1])
    assert not np.array_equal(ends[0][0][1].packed[0], ends[2][0][1].packed[0])


def test_the_number_of_evaluations_does_not_change_training():
    game = games.make("gymnasium:CartPole-v1")
    often = Runner(game, SMALL, evaluation=Evaluation(every=100, episodes=1, epsilon=0.5))
    seldom = Runner(game, SMALL, evaluation=Evaluation(every=800, episodes=3))
    for _ in range(8):
        often.advance()
    seldom.advance()
    ours, theirs = (plain((run.state.learner, run.state.replay)) for run in (often, seldom))
    jax.tree.map(np.testing.assert_array_equal, ours, theirs)


class Corridor(NamedTuple):
    place: jax.Array
    time: jax.Array


def corridor(ends=True):
    """Walk right to place 3 to earn 1, at most 9 steps long; nothing in it is random. `ends` says whether 3 ends it."""

    def step(key, state, action):
        del key
        state = Corridor(jnp.maximum(state.place + 2 * action - 1, 0), state.time + 1)
        is_there = state.place == 3
        terminated = is_there & ends
        seen = TimeStep(observe(state), is_there.astype(jnp.float32), terminated, ~terminated & (state.time == 9))
        return state, seen

    def observe(state):
        return jnp.stack([state.place, state.time]).astype(jnp.float32)

    return Game("corridor", 1, lambda key: Corridor(jnp.int32(0), jnp.int32(0)), step, observe, (2,), 2, 9)


class Twin(gymnasium.Env):
    """A game in JAX as an environment of gymnasium."""

    def __init__(self, game, play):
        self.game, self.play, self.action_space = game, play, gymnasium.spaces.Discrete(game.num_actions)
        self.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, game.observation_shape, np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.at = self.game.reset(jax.random.key(0))
        return np.asarray(self.game.observe(self.at)), {}

    def step(self, action):
        self.at, seen = self.play(self.at, np.int32(action))
        return (np.asarray(seen.observation), *(part.item() for part in seen[1:]), {})


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"num_environments": 2, "num_updates": 3, "n_step": 2, "learning_starts": 0},
        {"train_at": "episode_end", "num_minibatches": 4, "bootstrap_time_limits": False, "terminal_reward": -1.0},
        {
            "algorithm": pqn.PQN(),
            "replay": Rollout(capacity=40),
            "target_update": Online(),
            "train_every": 40,
            "learning_starts": 0,
            "batch_size": 40,
            "num_minibatches": 4,
            "num_updates": 2,
            "learning_rate_schedule": schedules.Linear(1.0, 0.0, 600),
        },
    ],
    ids=["every few steps", "several updates, two in step", "at the end of episodes", "PQN"],
)
def test_both_loops_train_alike(change):
    """All that is random is the agent's, which both loops draw alike; without Adam, which would make rounding large.

    Noise, ensembles and quantiles of both loops are compared with the plain reference (`tests/reference`).
    """
    config = dataclasses.replace(SMALL, **{"num_environments": 1, "optimizer": SGD()} | change)
    game = corridor(ends=config.num_environments == 1)  # copies that end together reset together, which is no step
    advance, arrays = advancing(game, EVALUATION), config_fields.to_arrays(config)
    play = jax.jit(functools.partial(game.step, jax.random.key(0)))

    def make_vector(number, asynchronous=False):
        del asynchronous
        return SyncVectorEnv([lambda: Twin(game, play)] * number, autoreset_mode=AutoresetMode.NEXT_STEP)

    twin = HostGame("twin", 1, make_vector, None, game.observation_shape, np.float32, game.num_actions, game.max_steps)
    run = Runner(twin, config, num_logged=30)
    state = jax.jit(functools.partial(loop.init, game=game, num_logged=30))(arrays, jax.random.key(0))
    for _ in range(3):
        state, curves = advance(arrays, state)
        ours = run.advance()
        for name in (
            "steps",
            "updates",
            "episodes",
            "episode_return",
            "evaluation_return",
            "loss",
            "max_q",
            "exploration",
        ):
            np.testing.assert_allclose(ours[name], curves[name], rtol=1e-4, err_msg=name)
    jax.tree.map(
        functools.partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-5),
        plain((run.state.learner, without_cuts(run.state.replay), run.state.log)),
        plain((state.learner, state.replay, state.log)),
    )


def without_cuts(replay):
    """Returns a memory without the last column of its rows, which a JAX game does not need; here nothing was cut."""
    inner = getattr(replay, "ring", replay)
    assert not any(np.asarray(rows)[..., -1].any() for rows in inner.packed)
    inner = inner._replace(packed=tuple(rows[..., :-1] for rows in inner.packed))
    return replay._replace(ring=inner) if hasattr(replay, "ring") else inner


def test_a_run_that_diverges_is_not_trained_on():
    config = dataclasses.replace(SMALL, optimizer=SGD(), learning_rate=1e30, network=QNetwork(Dense((16,))))
    run = Runner(games.make("gymnasium:CartPole-v1"), config)
    run.advance()
    assert 40 < int(run.state.diverged_at) <= 100
    parameters = plain(run.state.learner.parameters)
    curves = run.advance()
    assert curves["steps"] == run.state.step == 400
    assert np.isnan(curves["loss"])
    jax.tree.map(np.testing.assert_array_equal, plain(run.state.learner.parameters), parameters)


def test_an_evaluation_episode_that_does_not_end_is_cut(monkeypatch):
    monkeypatch.setattr(host_evaluate, "LONGEST_EVALUATION", 30)
    assert Runner(own("Endless"), SMALL).advance()["evaluation_return"] == 30.0


def test_an_error_of_an_environment_carries_its_traceback():
    run = Runner(own("Crash"), SMALL)
    run.advance()  # 100 of the 150 steps that each copy has
    with pytest.raises(host_environments.EnvironmentFailure) as failure:
        run.advance()
    text = failure.value.text()
    assert "RuntimeError: the engine exploded" in text
    assert "host_games.py" in text


def test_pqn_learns_only_from_steps_of_the_iteration_that_has_ended(monkeypatch):
    """Copies of Counter reset apart, so that some add fewer steps than others."""
    number, rows = 3, 12
    samples = []
    make = Rollout.make

    def recording(self, *arguments):
        replay = make(self, *arguments)

        def sample(state, *rest):
            drawn = replay.sample(state, *rest)
            jax.debug.callback(lambda *seen: samples.append(jax.device_get(seen)), drawn.indices, drawn.weight)
            return drawn

        return replay._replace(sample=sample)

    monkeypatch.setattr(Rollout, "make", recording)
    config = dataclasses.replace(
        pqn.CONFIG,
        num_environments=number,
        train_every=number * rows,
        batch_size=number * rows,
        num_minibatches=1,
        num_updates=1,
        network=QNetwork(Dense((4,))),
        replay=Rollout(capacity=number * rows),
    )
    game = own("Counter")
    run = Runner(game, config, evaluation=Evaluation(every=number * rows, episodes=1))
    run.programs = host_programs.make(game)  # of its own: those that are shared do not record
    before, num_repeated = np.zeros(number, int), 0
    for _ in range(4):
        run.advance()
        jax.effects_barrier()
        added = np.asarray(run.state.replay.ring.added)
        new = {e: range(before[e], added[e]) for e in range(number)}
        slots = [row % rows * number + e for e, of_copy in new.items() for row in of_copy]
        ((indices, weight),) = samples
        samples.clear()
        assert sorted(indices[weight > 0]) == sorted(slots)
        assert set(indices) == set(slots)
        before, num_repeated = added, num_repeated + (weight == 0).sum()
    assert num_repeated > 0


def test_nothing_is_learned_on_host_games_before_there_is_a_whole_sequence():
    config = dataclasses.replace(
        r2d2.CONFIG,
        num_environments=3,
        train_every=6,
        learning_starts=0,
        batch_size=2,
        network=QNetwork(Dense((4,)), memory=LSTM(3)),
        replay=Sequences(capacity=60, length=7),
    )
    game = own("Counter")
    run = Runner(game, config, evaluation=Evaluation(every=6, episodes=1))
    run.programs = host_programs.make(game)
    for _ in range(8):
        updates = int(run.state.learner.num_updates)
        curves = run.advance()
        can_sample = int(run.state.replay.ring.added.max()) >= 7
        assert int(curves["updates"]) == updates + can_sample
        assert run.state.learned_at == run.state.step
    assert 0 < int(curves["updates"]) < 8


def test_the_best_parameters_are_those_at_the_first_highest_evaluation_return():
    run, seen = Runner(games.make("gymnasium:CartPole-v1"), SMALL), []
    for _ in range(3):
        curves = run.advance()
        seen.append((float(curves["evaluation_return"]), plain(run.state.learner.parameters)))
    best = max(range(3), key=lambda i: seen[i][0])
    assert best < 2
    assert (run.state.best.evaluation_return, run.state.best.step) == (seen[best][0], 200 * (best + 1))
    jax.tree.map(np.testing.assert_array_equal, plain(run.state.best.parameters), seen[best][1])
