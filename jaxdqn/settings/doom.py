"""The settings of Doom's scenarios, chosen on `doom:basic` with seed 100.

There, DQN learned nothing within 24,000 steps with the Huber loss, or with an update every 8 steps and a discount of
0.99. The Huber loss leads to values near the median of the returns, and most steps of random play only cost.
"""

from jaxdqn.exploration import EpsilonGreedy
from jaxdqn.networks.layers import LayerNorm
from jaxdqn.networks.torsos import DATA_EFFICIENT
from jaxdqn.optimizers import Adam
from jaxdqn.schedules import Linear
from jaxdqn.settings.family import Family
from jaxdqn.training.evaluate import Evaluation

STEPS = 50_000

FAMILY = Family(
    games=("doom:*",),
    shared={
        "learning_rate": 5e-4,
        "optimizer": Adam(eps=1.5e-4),
        "discount": 0.95,
        "n_step": 5,
        "network.torso": DATA_EFFICIENT,  # trains several times faster than the torso of the Nature paper
        # Discounted returns of basic and health_gathering are between -100 and 110.
        "network.head.num_atoms": 101,
        "network.head.v_min": -150.0,
        "network.head.v_max": 150.0,
        "batch_size": 32,
        "num_environments": 4,
        "train_every": 4,
        "learning_starts": 800,
        "replay.capacity": 50_000,
        "replay.importance.steps": STEPS,
        "target_update.every": 500,
        "exploration": EpsilonGreedy(Linear(start=1.0, end=0.05, steps=10_000)),
    },
    own={
        "munchausen_dqn": {"n_step": 1},
        "munchausen_iqn": {"n_step": 1},
        "pqn": {
            "learning_rate": 2.5e-4,
            "learning_rate_schedule": Linear(start=1.0, end=0.1, steps=STEPS),
            "network.normalisation": LayerNorm(),
            "num_environments": 8,
            "train_every": 8 * 125,
            "batch_size": 8 * 125,
            "num_minibatches": 8,
            "num_updates": 2,
            "replay.capacity": 8 * 125,
        },
    },
    steps=STEPS,
    evaluation=Evaluation(every=5_000, episodes=20),
    source="DQN: five settings tried on doom:basic with seed 100; PQN: like CleanRL's on Atari; others: DQN's values, "
    "not tuned",
    result="doom",
)
