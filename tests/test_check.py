"""Parts that do not understand one another are refused by name before anything is compiled."""

import dataclasses

import pytest

from jaxdqn import exploration, games, target_network
from jaxdqn.algorithms import ALGORITHMS
from jaxdqn.networks.ensemble import Ensemble
from jaxdqn.networks.heads import Categorical, Quantiles
from jaxdqn.networks.mlp import MLP
from jaxdqn.networks.recurrent import Recurrent
from jaxdqn.replay.sequences import Sequences
from jaxdqn.replay.uniform import Uniform
from jaxdqn.training.check import check
from jaxdqn.training.evaluate import Evaluation


def checked(name, change):
    config = dataclasses.replace(ALGORITHMS[name].config, **change)
    steps = max(10_000, config.train_every) // config.train_every * config.train_every
    check(config, games.make("catch"), Evaluation(every=steps, episodes=1), steps)


@pytest.mark.parametrize("name", [name for name in ALGORITHMS if name != "tabular_q_learning"])  # its grid fits no game
def test_every_algorithm_as_it_stands_in_the_table_fits_together(name):
    checked(name, {})


@pytest.mark.parametrize(
    ("name", "change", "sentence"),
    [
        ("c51", {"network": MLP()}, "algorithm = C51 needs a network that answers with CategoricalOutput"),
        ("qr_dqn", {"network": MLP(head=Categorical())}, "needs a network that answers with QuantileOutput"),
        ("dqn", {"exploration": exploration.OneMember()}, "exploration = OneMember needs a network that answers with"),
        ("dqn", {"replay": Sequences()}, "algorithm = DQN learns from transitions, and replay = Sequences samples"),
        ("pqn", {"replay": Uniform(32 * 64)}, "algorithm = PQN learns from sequences, and replay = Uniform samples"),
        ("dqn", {"target_update": target_network.LastCopies()}, "LastCopies does not fit algorithm = DQN"),
        ("averaged_dqn", {"target_update": target_network.Polyak()}, "Polyak does not fit algorithm = AveragedDQN"),
        ("munchausen_dqn", {"n_step": 3}, "n_step = 3 is more than algorithm = MunchausenDQN allows for, which is 1."),
        ("pqn", {"n_step": 3}, "n_step = 3 is more than algorithm = PQN allows for, which is 1."),
        ("r2d2", {"replay": Sequences(length=4)}, "burn_in = 4 leaves nothing to learn from of sequences of"),
        ("r2d2", {"network": MLP()}, "algorithm = R2D2 needs a network that remembers"),
        ("dqn", {"network": Recurrent()}, "algorithm = DQN learns nothing of a memory: set network to MLP"),
        ("pqn", {"network": Recurrent()}, "algorithm = PQN learns nothing of a memory: set network to MLP"),
        (
            "c51",
            {"network": MLP(head=Categorical(v_min=1.0, v_max=1.0))},
            "network.head.v_min = 1.0 must be below network.head.v_max = 1.0.",
        ),
        (
            "r2d2",
            {"network": Recurrent(ends=MLP(head=Categorical(v_min=2.0, v_max=1.0)))},
            "network.ends.head.v_min = 2.0 must be below network.ends.head.v_max = 1.0.",
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
        ("dqn", {"network": MLP(head=Quantiles())}),
        ("r2d2", {"n_step": 1, "network": Recurrent(ends=MLP(head=Categorical()))}),
    ],
)
def test_what_an_algorithm_does_not_read_is_its_networks_own(name, change):
    checked(name, change)
