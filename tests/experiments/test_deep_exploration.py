"""Deep sea is solved by an ensemble that explores a plan at a time, and not by chance at every step."""

import dataclasses

import numpy as np

from jaxdqn import games
from jaxdqn.algorithms import bootstrapped_dqn, dqn
from jaxdqn.exploration import EpsilonGreedy
from jaxdqn.networks.ensemble import Ensemble
from jaxdqn.networks.network import QNetwork
from jaxdqn.networks.torsos import Dense
from jaxdqn.replay.uniform import Uniform
from jaxdqn.schedules import Constant
from jaxdqn.target_network import Periodic
from jaxdqn.training.evaluate import Evaluation
from tests.helpers.runs import advancing, start

STEPS = 12_000  # 1,000 episodes, a quarter of what chance alone needs to find the treasure once

SINGLE = dataclasses.replace(
    dqn.CONFIG,
    network=QNetwork(Dense((16,))),
    learning_rate=3e-3,
    exploration=EpsilonGreedy(Constant(0.2)),
    replay=Uniform(STEPS),
    batch_size=32,
    num_environments=1,
    train_every=4,
    learning_starts=128,
    target_update=Periodic(100),
)
BOOTSTRAPPED = dataclasses.replace(
    SINGLE,
    algorithm=bootstrapped_dqn.BootstrappedDQN(share=1.0),
    network=Ensemble(QNetwork(Dense((16,))), num_members=10, prior_scale=10.0),
    exploration=bootstrapped_dqn.CONFIG.exploration,
)


def greedy_return(config):
    game = games.make("deep_sea_12")
    _, curves = advancing(game, Evaluation(every=STEPS, episodes=1))(*start(game, config))
    return float(curves["evaluation_return"])


def test_following_one_member_finds_a_treasure_that_dithering_does_not():
    np.testing.assert_allclose(greedy_return(BOOTSTRAPPED), 0.99, atol=1e-6)
    np.testing.assert_allclose(greedy_return(SINGLE), 0.0, atol=0.02)
