"""The loop for host games: what it plays, stores, learns and counts; and that it is the loop of JAX games otherwise."""

import dataclasses
import functools
from typing import NamedTuple

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from jaxdqn import games, learner, schedules
from jaxdqn.exploration import EpsilonGreedy
from jaxdqn.interfaces import Game, HostGame, Step, TimeStep
from jaxdqn.networks.mlp import MLP
from jaxdqn.optimizers import SGD
from jaxdqn.replay.uniform import Uniform
from jaxdqn.returns import AsLearned
from jaxdqn.training import host_loop, loop
from jaxdqn.training.evaluate import Evaluation
from runs import SMALL, advancing, plain, start

EVALUATION = Evaluation(every=200, episodes=2)


class Runner:
    """A run on a host game that goes on by `advance`."""

    def __init__(self, game, config, seed=0, evaluation=EVALUATION, num_logged=0):
        self.game, self.config, self.evaluation = game, config, evaluation
        self.programs = host_loop.programs(game)
        self.host = host_loop.init(
            config, seed, game=game, programs=self.programs, num_evaluated=evaluation.episodes, num_logged=num_logged
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
    return games.make(f"gymnasium:host_games:{name}-v0")


def rings(state):
    """Returns the memory as one array `[rows, ...]` an environment: s_tm1, a_tm1, r_t, terminated, truncated, s_t."""
    (packed,), added = state.replay.packed, np.asarray(state.replay.added)
    rows = [np.asarray(packed)[: added[e], e] for e in range(len(added))]
    return [(r[:, :2], r[:, 2], r[:, 3], r[:, 4] > 0, r[:, 5] > 0, r[:, 6:]) for r in rows]


@pytest.mark.parametrize("num_environments", [1, 3])
def test_every_transition_is_stored_once_and_no_reset_is(num_environments):
    config = dataclasses.replace(
        SMALL, num_environments=num_environments, train_every=12, learning_starts=24, replay=Uniform(1_200)
    )
    run = Runner(own("Counter"), config, evaluation=Evaluation(every=240, episodes=2))
    run.advance()
    stored = rings(run.state)
    for s_tm1, _, r_t, terminated, truncated, s_t in stored:
        # What a loop over the environment alone sees: episode n lasts 3 + n % 3 steps, even ones terminate.
        begin = int(s_tm1[0, 0])
        expected = [(n, time) for n in range(begin, 100) for time in range(3 + n % 3)][: len(s_tm1)]
        np.testing.assert_array_equal(s_tm1, expected)
        np.testing.assert_array_equal(s_t, [(episode, time + 1) for episode, time in expected])
        np.testing.assert_array_equal(r_t, s_t[:, 1])
        over = s_t[:, 1] == 3 + s_t[:, 0] % 3
        np.testing.assert_array_equal(terminated, over & (s_t[:, 0] % 2 == 0))
        np.testing.assert_array_equal(truncated, over & (s_t[:, 0] % 2 == 1))
    num_stored = sum(len(ring[0]) for ring in stored)
    if num_environments == 1:
        assert num_stored == 240  # a reset of all copies at once is not counted
    else:
        assert 150 < num_stored < 240  # one beside other copies' steps is


def test_a_time_limit_keeps_the_bootstrap_and_no_reset_row_is_sampled():
    config = dataclasses.replace(SMALL, replay=Uniform(400))
    run = Runner(own("Counter"), config)
    run.advance()
    memory = config.replay.make(*_memory_arguments(run))
    sample = memory.sample(run.state.replay, jax.random.bits(jax.random.key(0), (5_000,))).transition
    episode, time = np.asarray(sample.s_t).T
    over = time == 3 + episode % 3
    np.testing.assert_array_equal(sample.s_tm1[:, 0], episode)
    np.testing.assert_array_equal(sample.discount_t == 0, over & (episode % 2 == 0))
    assert (over & (episode % 2 == 1)).any()


def _memory_arguments(run):
    flags = np.zeros(2, bool)
    observations = np.zeros((2, 2), np.float32)
    example = Step(observations, np.zeros(2, np.int32), np.zeros(2, np.float32), flags, flags, observations)
    return example, 1, AsLearned(run.config.discount)


@pytest.mark.parametrize(("name", "values"), [("OneState", [[10.0, 10.0]]), ("TwoSteps", [[0.9, 0.9], [0.0, 1.0]])])
def test_a_probe_reaches_its_closed_form(name, values):
    config = dataclasses.replace(SMALL, exploration=EpsilonGreedy(schedules.Constant(1.0)))
    run = Runner(own(name), config, evaluation=Evaluation(every=16_000, episodes=1))
    run.advance()
    observations = [[1.0]] if name == "OneState" else [[0.0], [1.0]]
    np.testing.assert_allclose(run.q_values(observations), values, atol=0.1)


def test_training_returns_and_the_log_are_those_of_the_episodes_that_ended():
    run = Runner(own("Counter"), dataclasses.replace(SMALL, num_environments=1), num_logged=20)
    curves = run.advance()
    begin = int(rings(run.state)[0][0][0, 0])
    lengths = [3 + n % 3 for n in range(begin, 100)]
    returns = [n * (n + 1) / 2 for n in lengths]  # the rewards are 1, 2, ...
    ends = np.cumsum(lengths)
    num_ended = int((ends <= 200).sum())
    assert curves.episodes == run.state.num_episodes == num_ended == 50
    np.testing.assert_allclose(curves.episode_return, np.mean(returns[:num_ended]))
    np.testing.assert_array_equal(run.state.log.episode_return, returns[:20])
    np.testing.assert_array_equal(run.state.log.last_reward, lengths[:20])
    np.testing.assert_array_equal(run.state.log.end_step, ends[:20])


def test_one_seed_is_one_run_and_another_is_another():
    ends = []
    for seed in (3, 3, 4):
        run = Runner(games.make("gymnasium:CartPole-v1"), SMALL, seed=seed)
        curves = [run.advance() for _ in range(2)]
        ends.append((plain((run.state.learner, run.state.replay)), curves))
    jax.tree.map(np.testing.assert_array_equal, ends[0], ends[1])
    assert not np.array_equal(ends[0][0][1].packed[0], ends[2][0][1].packed[0])


def test_how_often_one_evaluates_does_not_change_what_is_trained():
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


def corridor():
    """Walk right to earn 1 and end, at most 9 steps long: it starts alike and nothing in it is random."""

    def step(key, state, action):
        del key
        state = Corridor(jnp.maximum(state.place + 2 * action - 1, 0), state.time + 1)
        is_there = state.place == 3
        seen = TimeStep(observe(state), is_there.astype(jnp.float32), is_there, ~is_there & (state.time == 9))
        return state, seen

    def observe(state):
        return jnp.stack([state.place, state.time]).astype(jnp.float32)

    return Game("corridor", 1, lambda key: Corridor(jnp.int32(0), jnp.int32(0)), step, observe, (2,), 2, 9)


class Twin(gymnasium.Env):
    """A game in JAX as an environment of gymnasium."""

    def __init__(self, game):
        self.game, self.action_space = game, gymnasium.spaces.Discrete(game.num_actions)
        self.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, game.observation_shape, np.float32)
        self.play = jax.jit(functools.partial(game.step, jax.random.key(0)))

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
        {"num_updates": 3, "n_step": 2, "learning_starts": 0},
        {"train_at": "episode_end", "num_minibatches": 4, "bootstrap_time_limits": False, "terminal_reward": -1.0},
    ],
    ids=["every few steps", "several updates", "at the end of episodes"],
)
def test_both_loops_train_alike(change):
    """All chance is the agent's, which both loops draw alike; without Adam, which would make rounding large."""
    game = corridor()
    config = dataclasses.replace(SMALL, num_environments=1, optimizer=SGD(), **change)
    assert config.train_every == 4
    advance, (arrays, state) = advancing(game), start(game, config)

    def make_vector(number, asynchronous=False):
        del asynchronous
        return SyncVectorEnv([lambda: Twin(game)] * number, autoreset_mode=AutoresetMode.NEXT_STEP)

    twin = HostGame("twin", 1, make_vector, None, game.observation_shape, np.float32, game.num_actions, game.max_steps)
    run = Runner(twin, config, num_logged=30)
    state = loop.init(arrays, jax.random.key(0), game=game, num_logged=30)
    for _ in range(3):
        state, curves = advance(arrays, state)
        ours = run.advance()
        for name in ("steps", "updates", "episodes", "episode_return", "loss", "max_q", "exploration"):
            np.testing.assert_allclose(getattr(ours, name), getattr(curves, name), rtol=1e-4, err_msg=name)
    jax.tree.map(
        functools.partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-5),
        plain((run.state.learner, run.state.replay, run.state.log)),
        plain((state.learner, state.replay, state.log)),
    )


def test_a_run_that_diverges_is_not_trained_on():
    config = dataclasses.replace(SMALL, optimizer=SGD(), learning_rate=1e30, network=MLP((16,)))
    run = Runner(games.make("gymnasium:CartPole-v1"), config)
    run.advance()
    assert 40 < int(run.state.diverged_at) <= 100
    parameters = plain(run.state.learner.parameters)
    curves = run.advance()
    assert curves.steps == run.state.step == 400
    assert np.isnan(curves.loss)
    jax.tree.map(np.testing.assert_array_equal, plain(run.state.learner.parameters), parameters)


def test_an_evaluation_episode_that_does_not_end_is_cut(monkeypatch):
    monkeypatch.setattr(host_loop, "LONGEST_EVALUATION", 30)
    assert Runner(own("Endless"), SMALL).advance().evaluation_return == 30.0


def test_an_error_of_an_environment_carries_its_traceback():
    run = Runner(own("Crash"), SMALL)
    run.advance()  # 100 of the 150 steps that each copy has
    with pytest.raises(host_loop.Crash) as crash:
        run.advance()
    text = crash.value.text()
    assert "RuntimeError: the engine exploded" in text
    assert "host_games.py" in text
