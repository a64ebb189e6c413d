"""A game that hides what it asks for: solved with a memory, and by no network without one."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

from jaxdqn import games, schedules
from jaxdqn.algorithms import r2d2
from jaxdqn.exploration import EpsilonGreedy
from jaxdqn.games import probes
from jaxdqn.networks.memory import LSTM
from jaxdqn.networks.network import QNetwork
from jaxdqn.networks.torsos import Dense
from jaxdqn.replay.sequences import Priorities, Sequences
from jaxdqn.training import host_loop, host_programs
from jaxdqn.training.evaluate import Evaluation
from tests.helpers.runs import SMALL, advancing, start

pytestmark = pytest.mark.usefixtures("unoptimised")

PROBE = probes.MEMORY_PROBES["probe_memory"]
R2D2 = dataclasses.replace(
    SMALL,
    algorithm=r2d2.R2D2(burn_in=2),
    learning_rate=5e-3,
    train_every=8,
    exploration=EpsilonGreedy(schedules.Constant(0.3)),
    network=QNetwork(Dense((16,)), memory=LSTM(16)),
    replay=Sequences(capacity=2_000, length=8, priorities=Priorities()),
)


STACKED = dataclasses.replace(SMALL, network=QNetwork(Dense((16,)), frames=4))  # the sign is the oldest of four


@pytest.mark.parametrize(
    ("config", "score"),
    [(R2D2, PROBE.best), (STACKED, PROBE.best), (SMALL, PROBE.best_memoryless)],
    ids=["R2D2", "DQN with four frames", "DQN"],
)
def test_only_a_network_that_remembers_knows_the_sign_that_was_shown(config, score):
    game = PROBE.make()
    config, state = start(game, config)
    _, curves = advancing(game, Evaluation(every=8_000, episodes=400))(config, state)
    # A memoryless agent wins or loses 1 by a fair coin: 0.2 is four standard deviations of 400 games.
    assert abs(curves["evaluation_return"] - score) < 0.2


FILLING = dataclasses.replace(
    R2D2, num_environments=3, train_every=6, learning_starts=60, replay=Sequences(90, length=4)
)


def stored_by_the_loop_for_jax_games():
    game = PROBE.make()
    config, state = start(game, FILLING)
    state, _ = advancing(game, Evaluation(every=60, episodes=1))(config, state)
    return game, state


def stored_by_the_loop_for_host_games():
    game = games.make("gymnasium:tests.helpers.host_games:Counter-v0")  # copies that are not in step, and reset apart
    programs = host_programs.make(game)
    host = host_loop.init(FILLING, 0, game=game, programs=programs, evaluation=Evaluation(every=1, episodes=1))
    host, _ = host_loop.advance(host, game=game, programs=programs, evaluation=Evaluation(every=60, episodes=1))
    return game, host.state


@pytest.mark.parametrize("stored", [stored_by_the_loop_for_jax_games, stored_by_the_loop_for_host_games])
def test_the_stored_memory_is_what_the_episode_so_far_leaves(stored):
    game, state = stored()
    network = FILLING.network.make(game.observation_shape, game.num_actions)
    size = game.observation_shape[0]
    packed, added = np.asarray(state.replay.ring.packed[0]), np.asarray(state.replay.ring.added)
    for e in range(3):
        rows = packed[: added[e], e]  # s_tm1, a_tm1, r_t, terminated, truncated, s_t, memory; of a host game cut
        assert len(rows) > 12
        is_first = np.append(True, (rows[:-1, size + 2] + rows[:-1, size + 3]) > 0)
        assert is_first.sum() > 2
        _, after = network.unroll(
            state.learner.parameters, rows[None, :, :size], jnp.zeros((1, 32)), jnp.asarray(is_first)[None]
        )
        before = np.where(is_first[:, None], 0.0, np.roll(after[0], 1, axis=0))
        np.testing.assert_allclose(rows[:, 2 * size + 4 : 2 * size + 36], before, atol=1e-5)
        assert np.abs(before).max() > 0.01
