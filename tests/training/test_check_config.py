"""Parts that do not understand one another are refused by name before anything is compiled."""

import dataclasses
import re

import pytest

from jaxdqn import exploration, games, target_network
from jaxdqn.algorithms import ALGORITHMS, r2d2
from jaxdqn.networks.ensemble import Ensemble
from jaxdqn.networks.heads import Categorical, Quantiles
from jaxdqn.networks.memory import LSTM
from jaxdqn.networks.network import QNetwork
from jaxdqn.replay.rollout import Rollout
from jaxdqn.replay.sequences import Sequences
from jaxdqn.replay.uniform import Uniform
from jaxdqn.training.check_config import check
from jaxdqn.training.evaluate import Evaluation
from tests.helpers.runs import SMALL

RECURRENT = QNetwork(memory=LSTM())


def checked(name, change):
    config = dataclasses.replace(ALGORITHMS[name].config, **change)
    steps = max(10_000, config.train_every) // config.train_every * config.train_every
    check(config, games.make("catch"), Evaluation(every=steps, episodes=1), steps)


@pytest.mark.parametrize("name", [name for name in ALGORITHMS if name != "tabular_q_learning"])  # its grid fits no game
def test_every_configuration_of_the_table_passes_the_checks(name):
    checked(name, {})


@pytest.mark.parametrize(
    ("name", "change", "sentence"),
    [
        ("c51", {"network": QNetwork()}, "algorithm = C51 needs a network that returns CategoricalOutput"),
        ("qr_dqn", {"network": QNetwork(head=Categorical())}, "needs a network that returns QuantileOutput"),
        (
            "dqn",
            {"exploration": exploration.OneMember()},
            "exploration = OneMember needs a network that returns",
        ),
        ("dqn", {"replay": Sequences()}, "algorithm = DQN learns from transitions, and replay = Sequences samples"),
        ("pqn", {"replay": Uniform(32 * 64)}, "algorithm = PQN learns from returns, and replay = Uniform samples"),
        (
            "dqn",
            {"replay": Rollout(10), "batch_size": 10},
            "algorithm = DQN learns from transitions, and replay = Rollout samples",
        ),
        ("dqn", {"target_update": target_network.LastCopies()}, "LastCopies does not fit algorithm = DQN"),
        ("averaged_dqn", {"target_update": target_network.Polyak()}, "Polyak does not fit algorithm = AveragedDQN"),
        ("munchausen_dqn", {"n_step": 3}, "n_step = 3 is too large for algorithm = MunchausenDQN, which allows 1."),
        (
            "pqn",
            {"replay": Rollout(2 * 32 * 64)},
            "replay = Rollout learns from all steps of one training at once: replay.capacity = 4_096 must equal "
            "train_every = 2_048.",
        ),
        ("pqn", {"batch_size": 1_024}, "at once: batch_size = 1_024 must equal train_every = 2_048."),
        ("pqn", {"n_step": 3}, "n_step = 3 is too large for replay = Rollout, which allows 1."),
        (
            "r2d2",
            {"replay": Sequences(length=4)},
            "R2D2 needs sequences of at least 5 steps: replay.length = 4.",
        ),
        ("r2d2", {"network": QNetwork()}, "algorithm = R2D2 needs a network with a memory"),
        ("r2d2", {"network": QNetwork(frames=4)}, "algorithm = R2D2 needs a network with a memory"),
        (
            "dqn",
            {"network": RECURRENT},
            "algorithm = DQN cannot train a memory: set network.memory to None, or algorithm",
        ),
        (
            "pqn",
            {"network": RECURRENT},
            "algorithm = PQN cannot train a memory: set network.memory to None, or algorithm",
        ),
        (
            "c51",
            {"network": QNetwork(head=Categorical(v_min=1.0, v_max=1.0))},
            "network.head.v_min = 1.0 must be below network.head.v_max = 1.0.",
        ),
        (
            "r2d2",
            {"network": QNetwork(memory=LSTM(), head=Categorical(v_min=2.0, v_max=1.0))},
            "network.head.v_min = 2.0 must be below network.head.v_max = 1.0.",
        ),
    ],
)
def test_parts_that_do_not_fit_are_refused_by_name(name, change, sentence):
    with pytest.raises(ValueError, match=sentence):
        checked(name, change)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("double_dqn", {"network": Ensemble(), "exploration": exploration.UpperConfidence()}),
        ("dqn", {"network": QNetwork(head=Quantiles())}),
        ("dqn", {"network": QNetwork(frames=4)}),  # stacked frames do not make a network recurrent
        ("r2d2", {"n_step": 1, "network": QNetwork(memory=LSTM(), head=Categorical())}),
    ],
)
def test_an_algorithm_takes_networks_that_return_more_than_it_requires(name, change):
    checked(name, change)


def counts(change, every=200, steps=400):
    check(dataclasses.replace(SMALL, **change), games.make("catch"), Evaluation(every=every, episodes=1), steps)


MOST = 2**31
SEQUENCES = {"algorithm": r2d2.R2D2(burn_in=0), "network": RECURRENT}


@pytest.mark.parametrize(
    ("change", "every", "steps"),
    [
        ({}, MOST - 4, MOST - 4),
        ({"n_step": 100}, 200, 400),  # of two environments with 100 transitions each
        (SEQUENCES | {"replay": Sequences(capacity=200, length=100)}, 200, 400),
        ({"num_updates": MOST // 4 - 1}, 200, 400),
        ({"num_minibatches": 2, "num_updates": MOST // 8 - 1}, 200, 400),
        ({"train_at": "episode_end", "num_updates": MOST // 400}, 200, 400),
    ],
    ids=str,
)
def test_counts_at_the_limits_are_accepted(change, every, steps):
    counts(change, every, steps)


@pytest.mark.parametrize(
    ("change", "every", "steps", "sentence"),
    [
        ({}, MOST, MOST, "steps = 2_147_483_648 must be at least 1 and below 2^31."),
        ({"n_step": 101}, 200, 400, "n_step = 101 is more than replay.capacity = 200 holds of each of 2"),
        (SEQUENCES | {"replay": Sequences(capacity=200, length=101)}, 200, 400, "replay.length = 101 is more than"),
        ({"num_updates": MOST // 4}, 200, 400, "num_updates = 536_870_912 times num_minibatches = 1 is too much for 4"),
        ({"num_minibatches": 2, "num_updates": MOST // 8}, 200, 400, "times num_minibatches = 2 is too much for 4"),
        ({"train_at": "episode_end", "num_updates": MOST // 400 + 1}, 200, 400, "is too much for 400 steps"),
        ({"train_every": 6}, 200, 400, "learning_starts = 40 must be a multiple of train_every = 6, such as 36 or 42."),
        ({"train_every": 80, "learning_starts": 40}, 800, 800, "of train_every = 80, such as 80."),
        ({"replay": Uniform(201)}, 200, 400, "replay.capacity = 201 must be a multiple of num_environments = 2"),
    ],
)
def test_counts_beyond_the_limits_are_refused_with_a_remedy(change, every, steps, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        counts(change, every, steps)
