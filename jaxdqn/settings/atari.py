"""The settings of Atari games in three protocols. The name of a game says how it is played (`jaxdqn.games.atari`).

`DOPAMINE` has the values of Dopamine's JAX agents, with uniform replay for QR-DQN, and of google-research's
munchausen_rl. `NATURE` has those of the Nature paper as DQN Zoo repeats it, and of DQN Zoo's other agents. In both, PQN
has the values of purejaxql, and R2D2 those of its paper, with a smaller replay. Both have 200 million frames, 50
million steps. A million pictures need 7.6 GB.

`ATARI_100K` has 100,000 steps. Rainbow is data-efficient Rainbow (van Hasselt et al. 2019). DQN has the same values,
but epsilon and the 10-step returns of DrQ(eps) in Dopamine's labs/atari_100k, without its augmentation.

Differences from the sources: epsilon falls from the first step on, and not only after `learning_starts`. Evaluation
plays whole episodes.
"""

from typing import Any

from jaxdqn.exploration import EpsilonGreedy
from jaxdqn.losses import Huber
from jaxdqn.networks import torsos
from jaxdqn.optimizers import Adam, RMSProp
from jaxdqn.schedules import Linear
from jaxdqn.settings import minatar
from jaxdqn.settings.family import Family
from jaxdqn.training.evaluate import Evaluation

_EVERY = 61 * 4_096  # about 250,000 steps, a million frames; a multiple of PQN's 4,096 steps in each training
STEPS = 200 * _EVERY
STEPS_100K = 100_000

_LIKE_NATURE = "atari:*,sticky=0,noops=30,life_loss=true*"

_PICTURES: dict[str, Any] = {  # of all three protocols, also for DQN
    "batch_size": 32,
    "reward_clip": 1.0,
    "network.frames": 4,
    "network.head.num_atoms": 51,
    "network.head.v_min": -10.0,
    "network.head.v_max": 10.0,
    "num_environments": 1,
}
_PQN: dict[str, Any] = minatar.PQN | {
    "learning_rate": 2.5e-4,
    "learning_rate_schedule": None,
    "exploration": EpsilonGreedy(Linear(start=1.0, end=0.001, steps=STEPS / 10)),
}
_R2D2: dict[str, Any] = {
    "learning_rate": 1e-4,
    "optimizer": Adam(eps=1e-3),
    "discount": 0.997,
    "n_step": 5,
    "batch_size": 64,
    "reward_clip": None,
    "algorithm.burn_in": 40,
    "replay.capacity": 1_000_000,
    "replay.length": 120,
    "target_update.every": 10_000,
}

_QUANTILES = {"learning_rate": 5e-5, "optimizer": Adam(eps=3.125e-4)}

DOPAMINE = Family(
    games=("atari:*",),
    shared=_PICTURES
    | {
        "learning_rate": 6.25e-5,
        "optimizer": Adam(eps=1.5e-4),
        "network.torso": torsos.NATURE,
        "train_every": 4,
        "learning_starts": 20_000,
        "replay.capacity": 1_000_000,
        "replay.importance.steps": STEPS,
        "target_update.every": 8_000,
        "exploration": EpsilonGreedy(Linear(start=1.0, end=0.01, steps=250_000)),
    },
    own={
        "c51": {"learning_rate": 2.5e-4, "optimizer": Adam(eps=3.125e-4)},
        "qr_dqn": _QUANTILES | {"n_step": 3, "network.head.num_quantiles": 200},
        "iqn": _QUANTILES | {"n_step": 3, "network.head.num_quantiles": 64, "network.head.num_policy_quantiles": 32},
        "fqf": _QUANTILES | {"network.head.num_quantiles": 32},
        "munchausen_dqn": _QUANTILES,
        "munchausen_iqn": _QUANTILES | {"network.head.num_quantiles": 64, "network.head.num_policy_quantiles": 32},
        "pqn": _PQN,
        "r2d2": _R2D2,
    },
    steps=STEPS,
    evaluation=Evaluation(every=_EVERY, episodes=10, epsilon=0.001),
    source="Dopamine; PQN: purejaxql; R2D2: its paper; others: DQN's values, not tuned",
    result=None,
)

_ADAM = Adam(eps=0.01 / 32)
_END = {"exploration.epsilon.end": 0.01}
_DISTRIBUTIONS = _END | {"optimizer": _ADAM, "max_gradient_norm": 10.0}

NATURE = Family(
    games=(_LIKE_NATURE,),
    shared=_PICTURES
    | {
        "learning_rate": 2.5e-4,
        "optimizer": RMSProp(decay=0.95, eps=0.01 / 32**2, centred=True),
        "algorithm.error": Huber(1.0),
        "network.torso": torsos.NATURE,
        "train_every": 4,
        "learning_starts": 50_000,
        "replay.capacity": 1_000_000,
        "replay.importance.steps": STEPS,
        "target_update.every": 10_000,
        "exploration": EpsilonGreedy(Linear(start=1.0, end=0.1, steps=1_000_000)),
    },
    own={
        "double_dqn": _END | {"target_update.every": 30_000},
        "prioritised_dqn": _END
        | {
            "learning_rate": 2.5e-4 / 4,
            "optimizer": RMSProp(decay=0.95, eps=0.01 / 32**2 / 16, centred=True),
            "target_update.every": 30_000,
        },
        "c51": _DISTRIBUTIONS,
        "hl_gauss": _DISTRIBUTIONS,
        "qr_dqn": _DISTRIBUTIONS | {"learning_rate": 5e-5, "network.head.num_quantiles": 201},
        "iqn": _END
        | {
            "learning_rate": 5e-5,
            "optimizer": _ADAM,
            "learning_starts": 20_000,
            "network.head.num_quantiles": 64,
            "network.head.num_policy_quantiles": 64,
        },
        "fqf": _END | {"learning_rate": 5e-5, "optimizer": _ADAM, "network.head.num_quantiles": 32},
        "munchausen_iqn": _END
        | {
            "learning_rate": 5e-5,
            "optimizer": _ADAM,
            "network.head.num_quantiles": 64,
            "network.head.num_policy_quantiles": 64,
        },
        "rainbow": {
            "learning_rate": 2.5e-4 / 4,
            "optimizer": Adam(eps=0.005 / 32),
            "learning_starts": 20_000,
            "max_gradient_norm": 10.0,
            "network.noisy.scale": 0.1,
            "target_update.every": 8_000,
        },
        "pqn": _PQN,
        "r2d2": _R2D2,
    },
    steps=STEPS,
    evaluation=Evaluation(every=_EVERY, episodes=10, epsilon=0.05),
    source="Mnih et al. 2015 and DQN Zoo; PQN: purejaxql; R2D2: its paper; others: the nearest of these, not tuned",
    result=None,
)

ATARI_100K = Family(
    games=(_LIKE_NATURE,),
    shared=_PICTURES
    | {
        "learning_rate": 1e-4,
        "optimizer": Adam(eps=1.5e-4),
        "network.torso": torsos.DATA_EFFICIENT,
        "n_step": 10,
        "train_every": 1,
        "learning_starts": 1_600,
        "replay.capacity": STEPS_100K,
        "replay.importance.steps": STEPS_100K,
        "target_update.every": 2_000,
        "exploration": EpsilonGreedy(Linear(start=1.0, end=0.01, steps=5_000)),
    },
    own={
        "rainbow": {"n_step": 20, "network.noisy.scale": 0.1, "max_gradient_norm": 10.0},
        "munchausen_dqn": {"n_step": 1},
        "munchausen_iqn": {"n_step": 1},
        "pqn": _PQN
        | {
            "num_environments": 8,
            "train_every": 8 * 125,
            "batch_size": 8 * 125,
            "num_minibatches": 8,
            "replay.capacity": 8 * 125,
            "exploration": EpsilonGreedy(Linear(start=1.0, end=0.001, steps=STEPS_100K / 10)),
        },
    },
    steps=STEPS_100K,
    evaluation=Evaluation(every=20_000, episodes=20, epsilon=0.001),
    source="data-efficient Rainbow (van Hasselt et al. 2019); others: its values, epsilon as DrQ(eps), not tuned",
    result=None,
)
