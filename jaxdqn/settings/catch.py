"""The settings of catch, from the strong arm of `experiments/catch.py`, which is double DQN."""

from jaxdqn.exploration import EpsilonGreedy
from jaxdqn.networks.torsos import Dense
from jaxdqn.schedules import Linear
from jaxdqn.settings.classic_control import PQN
from jaxdqn.settings.family import Family
from jaxdqn.training.evaluate import Evaluation

STEPS = 20_000  # 2,222 games

FAMILY = Family(
    games=("catch", "catch_noisy"),
    shared={
        "learning_rate": 1e-3,
        "network.torso": Dense((128, 128)),
        "network.head.num_atoms": 101,
        "network.head.v_min": -10.0,  # a return is 1 or -1; with noisy rewards it has a standard deviation of 3
        "network.head.v_max": 10.0,
        "discount": 0.9,
        "n_step": 3,
        "batch_size": 64,
        "num_environments": 1,
        "train_every": 2,
        "learning_starts": 200,
        "replay.capacity": 20_000,
        "replay.importance.steps": STEPS,
        "target_update.every": 200,
        "exploration": EpsilonGreedy(Linear(start=1.0, end=0.02, steps=2_000)),
    },
    own={
        "munchausen_dqn": {"n_step": 1},
        "munchausen_iqn": {"n_step": 1},
        "pqn": PQN | {"exploration": EpsilonGreedy(Linear(start=1.0, end=0.02, steps=2_000))},
    },
    steps=STEPS,
    evaluation=Evaluation(every=1_000, episodes=100),
    source="double DQN with 3-step returns: arm 'strong' of experiments/catch.py; others: its values, not tuned",
    result="catch",
)
