"""The settings of the classic-control games, and those that other environments of gymnasium start from.

DQN's values were chosen on seeds from 100 on, for the three games together. In `experiments/ablation.py` the same
values served Rainbow and its parts, and LunarLander.
"""

from typing import Any

from jaxdqn.exploration import EpsilonGreedy
from jaxdqn.networks.torsos import Dense
from jaxdqn.networks.value_table import Table
from jaxdqn.schedules import Linear
from jaxdqn.settings.family import Family
from jaxdqn.training.evaluate import Evaluation

STEPS = 150_000
EVALUATION = Evaluation(every=5_000, episodes=20)

SHARED: dict[str, Any] = {
    "learning_rate": 1e-3,
    "network.torso": Dense((128, 128)),
    "network.activation": "tanh",  # with relu units of this width or less, mountain_car is rarely solved
    "network.head.num_atoms": 51,
    "network.head.v_min": -100.0,
    "network.head.v_max": 100.0,
    "batch_size": 64,
    "num_updates": 5,  # for every 10 steps
    "replay.capacity": 50_000,
    "replay.importance.steps": STEPS,
    "target_update.every": 200,
    "exploration": EpsilonGreedy(Linear(start=1.0, end=0.05, steps=10_000)),
}
# purejaxql's CartPole with fewer steps a training, which fit into an evaluation period. The learning rate and λ were
# chosen on cartpole with seeds 100 and 101, from 2.5e-4 and 1e-3, and from 0.65 and 0.95.
PQN: dict[str, Any] = {
    "learning_rate": 1e-3,
    "learning_rate_schedule": Linear(start=1.0, end=0.1, steps=STEPS),
    "network.activation": "relu",
    "num_environments": 20,
    "train_every": 20 * 50,
    "batch_size": 20 * 50,
    "num_minibatches": 8,
    "replay.capacity": 20 * 50,
    "replay.lambda_": 0.95,
    "exploration": EpsilonGreedy(Linear(start=1.0, end=0.05, steps=STEPS / 5)),
}

CARTPOLE = Family(
    games=("cartpole", "cartpole_200", "gymnasium:CartPole-v*"),
    shared=SHARED,
    own={"pqn": PQN},
    steps=STEPS,
    evaluation=EVALUATION,
    source="DQN: chosen on seeds from 100 on; PQN: purejaxql, adapted; others: DQN's values, not tuned",
    result="classic_control",
)
ACROBOT = CARTPOLE._replace(games=("acrobot", "gymnasium:Acrobot-v*"))
MOUNTAIN_CAR = CARTPOLE._replace(
    games=("mountain_car", "gymnasium:MountainCar-v*"),
    own={
        "tabular_q_learning": {
            "network": Table(bins=(20, 20), low=(-1.2, -0.07), high=(0.6, 0.07)),
            "learning_rate": 0.3,
        },
        "pqn": PQN,
    },
    source="as for cartpole. 3-step returns and noisy networks, so also Rainbow, hardly ever reach the goal (ablation)",
)
GYMNASIUM = CARTPOLE._replace(
    games=("gymnasium:*",),
    steps=100_000,
    source="the settings of the classic-control games, which were chosen for no other environment: tune them",
    result="host_games",
)
