"""The settings of LunarLander, from the strong arm of `experiments/lunar_lander.py`, which is double DQN."""

from jaxdqn.exploration import EpsilonGreedy
from jaxdqn.networks.torsos import Dense
from jaxdqn.schedules import Linear
from jaxdqn.settings.classic_control import PQN
from jaxdqn.settings.family import Family
from jaxdqn.target_network import Polyak
from jaxdqn.training.evaluate import Evaluation

STEPS = 300_000

FAMILY = Family(
    games=("gymnasium:LunarLander-v*",),
    shared={
        "learning_rate": 5e-4,
        "network.torso": Dense((128, 128)),
        "network.head.num_atoms": 51,
        "network.head.v_min": -100.0,  # contains all discounted returns except bad crashes
        "network.head.v_max": 100.0,
        "n_step": 5,
        "batch_size": 64,
        "num_environments": 4,
        "train_every": 8,
        "num_updates": 4,
        "learning_starts": 2_000,
        "replay.capacity": 100_000,
        "replay.importance.steps": STEPS,
        "target_update": Polyak(0.005),
        "exploration": EpsilonGreedy(Linear(start=1.0, end=0.02, steps=40_000)),
    },
    own={
        "munchausen_dqn": {"n_step": 1},
        "munchausen_iqn": {"n_step": 1},
        "pqn": PQN,
    },
    steps=STEPS,
    evaluation=Evaluation(every=15_000, episodes=10),
    source="double DQN with 5-step returns: arm 'strong' of experiments/lunar_lander.py; others: its values, not tuned",
    result="lunar_lander",
)
