"""A game that hides what it asks for: solved with a memory, and by no network without one."""

import dataclasses

import pytest

from jaxdqn import schedules
from jaxdqn.algorithms import r2d2
from jaxdqn.exploration import EpsilonGreedy
from jaxdqn.games import probes
from jaxdqn.networks.mlp import MLP
from jaxdqn.networks.recurrent import Recurrent
from jaxdqn.replay.sequences import Priorities, Sequences
from jaxdqn.training.evaluate import Evaluation
from runs import SMALL, advancing, start

PROBE = probes.MEMORY_PROBES["probe_memory"]
R2D2 = dataclasses.replace(
    SMALL,
    algorithm=r2d2.R2D2(burn_in=2),
    learning_rate=5e-3,
    train_every=8,
    exploration=EpsilonGreedy(schedules.Constant(0.3)),
    network=Recurrent(MLP((16,)), units=16),
    replay=Sequences(capacity=2_000, length=8, priorities=Priorities()),
)


@pytest.mark.parametrize(("config", "score"), [(R2D2, PROBE.best), (SMALL, PROBE.best_memoryless)], ids=["R2D2", "DQN"])
def test_only_a_network_that_remembers_knows_the_sign_that_was_shown(config, score):
    game = PROBE.make()
    config, state = start(game, config)
    _, curves = advancing(game, Evaluation(every=8_000, episodes=400))(config, state)
    # A memoryless agent wins or loses 1 by a fair coin: 0.2 is four standard deviations of 400 games.
    assert abs(curves.evaluation_return - score) < 0.2
