"""PQN: Q-learning with neither replay nor target network, from λ-returns of many parallel environments.

Paper: Gallici et al., "Simplifying Deep Temporal Difference Learning", ICLR 2025, algorithm 1, with λ-returns.
A training computes the λ-returns of the newest steps once. Then it learns from all these steps in several epochs, each
in minibatches of shuffled single steps. Layer normalisation stabilises training in place of a target network.
Differs from the authors' code: λ-returns bootstrap at a time limit, from the observation before the reset. The return
of the second newest step bootstraps from its own next observation; their code (mttga/purejaxql, issue 12) takes the
observation after the newest step, and passes a part of this error on to earlier steps.
The configuration is one for small games, with the rollouts of the authors for CartPole. Its learning rate falls to a
tenth, so that a long run goes on learning; theirs falls to 0 at the end of the run.
"""

from typing import ClassVar

import jax.numpy as jnp

from jaxdqn import losses, noise, optimizers, schedules, target_network
from jaxdqn.config import Config
from jaxdqn.config_fields import configuration, part
from jaxdqn.exploration import EpsilonGreedy
from jaxdqn.interfaces import TRANSITIONS, Key, LossOutput, Network, Parameters, Requires, Return, Sample
from jaxdqn.networks.layers import LayerNorm
from jaxdqn.networks.network import QNetwork
from jaxdqn.replay.rollout import Rollout


@configuration
class PQN:
    """Q-learning from λ-returns, which replay computes before each training.

    Attributes:
      error: loss applied to the TD error.
    """

    version: ClassVar[int] = 3  # raised when the same configuration learns differently
    requires: ClassVar[Requires] = TRANSITIONS._replace(sample=Return, passes=1)

    error: losses.ErrorLoss = part(losses.HalfSquaredError())

    def loss(
        self, network: Network, parameters: Parameters, target_parameters: Parameters, sample: Sample, key: Key
    ) -> LossOutput:
        """Returns the loss of each step, `error(G_t − q_tm1[a_tm1])`, where `G_t` is its λ-return.

        Args:
          network: its values are read.
          parameters: online parameters; the gradient flows through `q_tm1`.
          target_parameters: unused; the λ-returns contain the values of `s_t`.
          sample: `[B]` steps with their returns.
          key: of one pass, on `s_tm1`.
        """
        del target_parameters
        step, (online_key,) = sample.transition, noise.split(key, 1)
        q_tm1 = network.apply(parameters, step.s_tm1, online_key).q_values
        td_error = step.return_t - jnp.take_along_axis(q_tm1, step.a_tm1[:, None], axis=-1)[:, 0]
        return LossOutput(
            loss=self.error(td_error),
            priority=jnp.abs(td_error),
            metrics={"td_error": jnp.abs(td_error), "max_q": q_tm1.max(-1)},
        )


CONFIG = Config(
    algorithm=PQN(),
    learning_rate_schedule=schedules.Linear(end=0.1, steps=500_000),
    num_environments=32,
    train_every=32 * 64,
    learning_starts=0,
    batch_size=32 * 64,
    num_minibatches=16,
    num_updates=4,
    max_gradient_norm=10.0,
    network=QNetwork(normalisation=LayerNorm()),
    optimizer=optimizers.RAdam(),
    target_update=target_network.Online(),
    exploration=EpsilonGreedy(schedules.Linear(end=0.1, steps=50_000)),
    replay=Rollout(capacity=32 * 64),
)
