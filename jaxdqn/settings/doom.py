"""The settings of Doom's scenarios."""

from jaxdqn.exploration import EpsilonGreedy
from jaxdqn.losses import Huber
from jaxdqn.networks.layers import LayerNorm
from jaxdqn.networks.torsos import DATA_EFFICIENT
from jaxdqn.optimizers import Adam
from jaxdqn.schedules import Linear
from jaxdqn.settings.family import Family
from jaxdqn.training.evaluate import Evaluation

STEPS = 100_000

FAMILY = Family(
    games=("doom:*",),
    shared={
        "learning_rate": 2.5e-4,
        "optimizer": Adam(eps=1.5e-4),
        "algorithm.error": Huber(1.0),
        "network.torso": DATA_EFFICIENT,  # trains several times faster than the torso of the Nature paper
        "network.frames": 4,
        # Returns of basic are between -400 and 100; those of health_gathering reach 400 when discounted.
        "network.head.num_atoms": 101,
        "network.head.v_min": -500.0,
        "network.head.v_max": 500.0,
        "batch_size": 32,
        "num_environments": 4,
        "train_every": 4,
        "learning_starts": 2_000,
        "replay.capacity": 50_000,
        "replay.importance.steps": STEPS,
        "target_update.every": 1_000,
        "exploration": EpsilonGreedy(Linear(start=1.0, end=0.05, steps=20_000)),
    },
    own={
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
    evaluation=Evaluation(every=10_000, episodes=20),
    source="DQN: the first values tried on doom:basic; PQN: like CleanRL's on Atari; others: DQN's values, not tuned",
    result="doom",
)
