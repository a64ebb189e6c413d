"""Small runs whose every iteration is compared with the plain reference, and the fields that they set.

Between them every field of every configuration is set away from its default. Most play the game in JAX; some play the
same game on the host.
"""

import dataclasses
from typing import Any, NamedTuple

from jaxdqn import after_update, distributional, exploration, losses, optimizers, schedules, target_network
from jaxdqn.algorithms import (
    averaged_dqn,
    bootstrapped_dqn,
    c51,
    clipped_double_dqn,
    double_dqn,
    dqn,
    fqf,
    hl_gauss,
    munchausen,
    naive_deep_q_learning,
    pqn,
    quantile,
    r2d2,
    rainbow,
    tabular_q_learning,
)
from jaxdqn.config import Config
from jaxdqn.networks.dueling import Dueling
from jaxdqn.networks.ensemble import Ensemble
from jaxdqn.networks.heads import Categorical, ImplicitQuantiles, ProposedFractions, Quantiles
from jaxdqn.networks.layers import LayerNorm
from jaxdqn.networks.memory import LSTM
from jaxdqn.networks.network import QNetwork
from jaxdqn.networks.noisy import Noisy
from jaxdqn.networks.torsos import Conv, Dense, Impala
from jaxdqn.networks.value_table import Table
from jaxdqn.replay.prioritised import Prioritised
from jaxdqn.replay.rollout import Rollout
from jaxdqn.replay.sequences import Priorities, Sequences
from jaxdqn.replay.uniform import Uniform

ADAM = optimizers.Adam(b1=0.8, b2=0.97, eps=1e-2)  # a large eps: where a gradient is tiny, rounding stays tiny
BASE = Config(
    algorithm=dqn.DQN(),
    learning_rate=0.01,
    discount=0.9,
    batch_size=6,
    train_every=4,
    num_environments=2,
    learning_starts=8,
    network=QNetwork(Dense((4, 3))),
    optimizer=ADAM,
    exploration=exploration.EpsilonGreedy(schedules.Linear(0.9, 0.2, 60)),
    target_update=target_network.Periodic(10),
    replay=Uniform(40),
)
IMPLICIT = ImplicitQuantiles(num_quantiles=4, num_policy_quantiles=3, num_cosines=5, hidden=(4,))
CATEGORICAL = Categorical(num_atoms=7, v_min=-3.0, v_max=4.0)


class Trial(NamedTuple):
    """A run that is compared.

    Attributes:
      config: of the run.
      epsilon: of its evaluation.
      is_host: whether the game steps in Python.
      is_in_pictures: whether the game in JAX shows pictures.
    """

    config: Config
    epsilon: float = 0.0
    is_host: bool = False
    is_in_pictures: bool = False


def with_(base: Config = BASE, **settings: Any) -> Config:
    """Returns the configuration with other settings."""
    return dataclasses.replace(base, **settings)


TRIALS = {
    "dqn": Trial(
        with_(
            algorithm=dqn.DQN(losses.SquaredError(blend=0.7)),
            num_updates=2,
            n_step=3,
            reward_clip=1.5,
        ),
        epsilon=0.3,
    ),
    "dqn without replacement, at the end of episodes, on the host": Trial(
        with_(
            num_environments=3,
            train_every=6,
            learning_starts=0,
            n_step=2,
            terminal_reward=-5.0,
            bootstrap_time_limits=False,
            train_at="episode_end",
            batch_size=24,
            num_minibatches=3,
            optimizer=optimizers.RMSProp(decay=0.8, eps=1e-2, centred=True),
            exploration=exploration.EpsilonGreedy(schedules.ExponentialPerStep(0.9, 0.2, 0.01)),
            target_update=target_network.Periodic(7),
            replay=Uniform(60, replacement=False),
            after_update=after_update.ShrinkAndPerturb(every=6),
        ),
        epsilon=0.4,
        is_host=True,
    ),
    "dqn with stacked frames": Trial(
        with_(n_step=3, network=QNetwork(Dense((4, 3)), frames=3), replay=Uniform(24)),
        epsilon=0.3,
    ),
    "dqn with convolutions over stacked pictures": Trial(
        with_(
            batch_size=3,  # the reference convolves patch by patch
            network=QNetwork(
                Conv((2, 3), kernel_sizes=(2, 3), strides=(1, 2), padding="SAME", hidden=(3,)),
                normalisation=LayerNorm(epsilon=0.1),  # small, it makes rounding larger where there are two channels
                frames=2,
            ),
        ),
        is_in_pictures=True,
    ),
    "double dqn with a residual network": Trial(
        with_(
            algorithm=double_dqn.DoubleDQN(),
            batch_size=3,
            network=QNetwork(Impala(channels=(1,), width=3, hidden=(4,))),
        ),
        is_in_pictures=True,
    ),
    "double dqn": Trial(
        with_(
            algorithm=double_dqn.DoubleDQN(losses.Huber(delta=0.4)),
            learning_rate_schedule=schedules.MultiplicativePerEpisode(1.0, 0.3, 0.9),
            num_updates=3,
            max_gradient_norm=0.2,
            network=QNetwork(Dense((4, 3)), activation="tanh", initializer="glorot_uniform"),
            exploration=exploration.EpsilonGreedy(schedules.MultiplicativePerEpisode(0.8, 0.3, 0.9)),
            target_update=target_network.Polyak(0.1),
            after_update=after_update.ShrinkAndPerturb(every=12, layers=(), shrink=0.6, perturb=0.3),
        )
    ),
    "dueling dqn on the host": Trial(
        with_(
            algorithm=double_dqn.DoubleDQN(),
            num_environments=1,
            train_every=2,
            learning_starts=4,
            network=QNetwork(Dense((4,)), dueling=Dueling((3,)), normalisation=LayerNorm(epsilon=1e-2)),
            exploration=exploration.GaussianNoise(schedules.HarmonicPerEpisode(2.0)),
        ),
        is_host=True,
    ),
    "prioritised dqn": Trial(
        with_(
            num_minibatches=2,
            batch_size=8,
            replay=Prioritised(
                24, exponent=0.8, importance=schedules.MultiplicativePerEpisode(0.9, 0.3, 0.8), uniform_mix=0.2
            ),
        )
    ),
    "noisy dqn": Trial(
        with_(
            network=QNetwork(Dense((4, 3)), noisy=Noisy(scale=0.7)),
            optimizer=optimizers.RAdam(b1=0.8, b2=0.97, eps=1e-2),
            exploration=exploration.EpsilonGreedy(schedules.Constant(0.05)),
        ),
        epsilon=0.1,
    ),
    "noisy dqn on the host": Trial(
        with_(num_environments=2, network=QNetwork(Dense((4,)), noisy=Noisy()), num_updates=2, num_minibatches=2),
        is_host=True,
    ),
    "clipped double dqn": Trial(
        with_(
            algorithm=clipped_double_dqn.ClippedDoubleDQN(losses.Huber(delta=0.7)),
            network=Ensemble(QNetwork(Dense((3,))), num_members=2),
            exploration=exploration.UpperConfidence(schedules.Constant(0.5)),
        )
    ),
    "averaged dqn": Trial(
        with_(
            algorithm=averaged_dqn.AveragedDQN(losses.Huber(delta=0.6)),
            target_update=target_network.LastCopies(every=6, num_copies=3),
            exploration=exploration.Boltzmann(schedules.Linear(1.0, 0.2, 50)),
            after_update=after_update.Reset(every=7, layers=("Dense_1", "params/Dense_2")),
        )
    ),
    "c51": Trial(
        with_(algorithm=c51.C51(selector="online"), network=QNetwork(Dense((4,)), head=CATEGORICAL), n_step=2)
    ),
    "qr dqn": Trial(
        with_(
            algorithm=quantile.QuantileRegression(kappa=0.5, selector="online"),
            network=QNetwork(Dense((4,)), head=Quantiles(num_quantiles=5)),
        )
    ),
    "iqn": Trial(
        with_(
            algorithm=quantile.QuantileRegression(kappa=0.6),
            network=QNetwork(Dense((4,)), head=dataclasses.replace(IMPLICIT, risk=distributional.CVaR(0.5))),
        )
    ),
    "iqn with power on the host": Trial(
        with_(
            algorithm=quantile.QuantileRegression(selector="online"),
            network=QNetwork(Dense((3,)), head=dataclasses.replace(IMPLICIT, risk=distributional.Power(-1.5))),
        ),
        is_host=True,
    ),
    "noisy iqn": Trial(
        with_(
            algorithm=quantile.QuantileRegression(),
            network=QNetwork(Dense((3,)), head=IMPLICIT, noisy=Noisy()),
            num_minibatches=2,
        )
    ),
    "fqf": Trial(
        with_(
            algorithm=fqf.FQF(kappa=0.7, entropy=0.02),
            network=QNetwork(
                Dense((4,)), head=ProposedFractions(num_quantiles=4, num_cosines=5, hidden=(4,), pace=0.3)
            ),
        )
    ),
    "hl gauss": Trial(
        with_(algorithm=hl_gauss.HLGauss(smoothing=0.9), network=QNetwork(Dense((4,)), head=CATEGORICAL))
    ),
    "munchausen dqn": Trial(
        with_(
            algorithm=munchausen.MunchausenDQN(losses.Huber(delta=0.8), temperature=0.1, scale=0.7, clip=-0.4),
            optimizer=optimizers.SGD(),
        )
    ),
    "munchausen iqn": Trial(
        with_(
            algorithm=munchausen.MunchausenIQN(kappa=0.8, temperature=0.1, scale=0.7, clip=-0.4),
            network=QNetwork(Dense((4,)), head=dataclasses.replace(IMPLICIT, risk=distributional.Wang(-0.4))),
        )
    ),
    "rainbow": Trial(
        with_(
            rainbow.compose(rainbow.PARTS, BASE, head=CATEGORICAL, n_step=2),
            replay=Prioritised(capacity=40, exponent=0.5),
        )
    ),
    "bootstrapped dqn on the host": Trial(
        with_(
            algorithm=bootstrapped_dqn.BootstrappedDQN(losses.Huber(delta=0.9), share=0.6),
            network=Ensemble(QNetwork(Dense((3,))), num_members=3, prior_scale=0.8),
            exploration=exploration.OneMember(schedules.Constant(0.2)),
            num_environments=3,
            train_every=6,
            learning_starts=6,
            replay=Uniform(60),
        ),
        is_host=True,
    ),
    "bootstrapped dqn": Trial(
        with_(
            algorithm=bootstrapped_dqn.BootstrappedDQN(),
            network=Ensemble(QNetwork(Dense((3,))), num_members=3, prior_scale=1.5),
            exploration=exploration.OneMember(),
        )
    ),
    "pqn": Trial(
        with_(
            pqn.CONFIG,
            algorithm=pqn.PQN(losses.Huber(delta=1.1)),
            learning_rate=0.02,
            learning_rate_schedule=schedules.Linear(1.0, 0.1, 150),
            num_environments=4,
            train_every=20,
            batch_size=20,
            num_minibatches=4,
            num_updates=2,
            max_gradient_norm=0.5,
            network=QNetwork(Dense((4,)), normalisation=LayerNorm(), noisy=Noisy()),
            target_update=target_network.Polyak(0.3),
            replay=Rollout(capacity=20, lambda_=0.8),
        )
    ),
    "pqn on the host": Trial(
        with_(
            pqn.CONFIG,
            learning_rate=0.01,
            num_environments=3,
            learning_rate_schedule=schedules.ExponentialPerStep(1.0, 0.3, 0.01),
            train_every=18,
            batch_size=18,
            num_minibatches=3,
            num_updates=2,
            network=QNetwork(Dense((4,))),
            optimizer=ADAM,
            replay=Rollout(capacity=18),
        ),
        is_host=True,
    ),
    "r2d2": Trial(
        with_(
            algorithm=r2d2.R2D2(losses.Huber(delta=0.7), burn_in=2, eps=0.01, eta=0.7),
            n_step=2,
            batch_size=4,
            network=QNetwork(Dense((4,)), memory=LSTM(3), dueling=Dueling((3,))),
            replay=Sequences(capacity=40, length=6, priorities=Priorities(exponent=0.7, importance=0.5)),
        )
    ),
    "r2d2 with stacked frames on the host": Trial(
        with_(
            algorithm=r2d2.R2D2(burn_in=0),
            learning_starts=0,
            batch_size=4,
            network=QNetwork(Dense((3,)), memory=LSTM(3), frames=2),
            replay=Sequences(capacity=40, length=5, replacement=False),
        ),
        is_host=True,
    ),
    "tabular q-learning": Trial(
        with_(
            tabular_q_learning.CONFIG,
            learning_rate=0.3,
            discount=0.9,
            network=Table(bins=(7, 4), low=(-0.1, 0.0), high=(1.1, 1.2)),
            exploration=exploration.GaussianNoise(schedules.Constant(0.5)),
        ),
        epsilon=0.2,
    ),
    "naive deep q-learning": Trial(with_(naive_deep_q_learning.CONFIG, discount=0.9, network=QNetwork(Dense((4,))))),
}
