"""The settings of the five MinAtar games.

DQN has the values of Dopamine's labs/environments/minatar, with 8 environments and half as many updates. PQN has those
of purejaxql's pqn_minatar.yaml, whose learning rate and epsilon fall over the steps of a run.
"""

from typing import Any

from jaxdqn.exploration import EpsilonGreedy
from jaxdqn.networks.layers import LayerNorm
from jaxdqn.networks.torsos import MINATAR
from jaxdqn.optimizers import Adam, RAdam
from jaxdqn.schedules import Linear
from jaxdqn.settings.family import Family
from jaxdqn.training.evaluate import Evaluation

STEPS = 1_024_000  # a multiple of PQN's 4,096 steps in each training
PQN: dict[str, Any] = {  # what purejaxql's pqn_minatar.yaml and pqn_atari.yaml share
    "optimizer": RAdam(),
    "network.normalisation": LayerNorm(),
    "network.initializer": "he_normal",
    "num_environments": 128,
    "train_every": 128 * 32,
    "batch_size": 128 * 32,
    "num_minibatches": 32,
    "num_updates": 2,
    "max_gradient_norm": 10.0,
    "replay.capacity": 128 * 32,
    "replay.lambda_": 0.65,
}

FAMILY = Family(
    games=("minatar_*",),
    shared={
        "learning_rate": 2.5e-4,
        "optimizer": Adam(eps=3.125e-4),
        "network.torso": MINATAR,
        "network.head.num_atoms": 51,
        "network.head.v_min": 0.0,  # rewards are not negative, one in two steps at most
        "network.head.v_max": 50.0,
        "batch_size": 32,
        "num_environments": 8,
        "train_every": 8,
        "learning_starts": 5_000,
        "replay.capacity": 100_000,
        "replay.importance.steps": STEPS,
        "target_update.every": 1_000,
        "exploration": EpsilonGreedy(Linear(start=1.0, end=0.01, steps=100_000)),
    },
    own={
        "pqn": PQN
        | {
            "learning_rate": 5e-4,
            "learning_rate_schedule": Linear(start=1.0, end=0.0, steps=STEPS),
            "exploration": EpsilonGreedy(Linear(start=1.0, end=0.05, steps=STEPS / 10)),
        },
    },
    steps=STEPS,
    evaluation=Evaluation(every=40_960, episodes=20),
    source="DQN: Dopamine's labs/environments/minatar; PQN: purejaxql; others: DQN's values, not tuned",
    result=None,
)
