"""PQN: Q-learning with neither replay nor target network, from λ-returns of many parallel environments.

Paper: Gallici et al., "Simplifying Deep Temporal Difference Learning", ICLR 2025, algorithm 1, with λ-returns.
Each training phase uses only the newest sequence of each environment. Layer normalisation stabilises training in place
of a target network.
Differs from the authors' code: minibatches are whole sequences of some environments, not single steps of all of them;
λ-returns are computed for each minibatch with the parameters of that moment, not once before; the squared error has no
factor 1/2, so that gradients reach `max_gradient_norm` twice as soon; the learning rate does not fall.
"""

from typing import ClassVar

import jax
import jax.numpy as jnp

from jaxdqn import losses, noise, optimizers, schedules, target_network, targets
from jaxdqn.config import Config
from jaxdqn.config_fields import configuration, number, part
from jaxdqn.exploration import EpsilonGreedy
from jaxdqn.interfaces import TRANSITIONS, Key, LossOutput, Network, Parameters, Requires, Sample, Sequence
from jaxdqn.networks.layers import LayerNorm
from jaxdqn.networks.network import QNetwork
from jaxdqn.replay.sequences import Sequences


@configuration
class PQN:
    """Q-learning from λ-returns.

    Attributes:
      error: loss applied to the TD error.
      lambda_: weight of longer returns: 0 gives the 1-step return, 1 the return of the whole sequence.
    """

    version: ClassVar[int] = 2  # raised when the same configuration learns differently
    # λ already weighs longer returns.
    requires: ClassVar[Requires] = TRANSITIONS._replace(sample=Sequence, max_n_step=1, passes=2)

    error: losses.ErrorLoss = part(losses.SquaredError())
    lambda_: float = number(0.65, at_least=0, at_most=1)

    def loss(
        self, network: Network, parameters: Parameters, target_parameters: Parameters, sample: Sample, key: Key
    ) -> LossOutput:
        """Returns the loss of each sequence, the mean over its new steps of `error(G_t − q_tm1[a_tm1])`, where `G_t`
        are the λ-returns with values `max_a q_t[a]`.

        Args:
          network: its values are read.
          parameters: online parameters; the gradient flows through `q_tm1`.
          target_parameters: give the values of `s_t`; equal to `parameters`, since there is no target network.
          sample: `[B]` sequences.
          key: of two passes: the online network on `s_tm1`, the target network on `s_t`.
        """
        sequence, (online_key, target_key) = sample.transition, noise.split(key, 2)
        q_tm1 = network.apply(parameters, sequence.s_tm1, online_key).q_values
        v_t = network.apply(target_parameters, sequence.s_t, target_key).q_values.max(-1)
        returns = jax.vmap(lambda *arguments: targets.q_lambda(*arguments, lambda_=self.lambda_))(
            sequence.r_t, sequence.discount_t, sequence.ended, v_t
        )
        td_error = returns - jnp.take_along_axis(q_tm1, sequence.a_tm1[..., None], axis=-1)[..., 0]
        return LossOutput(
            loss=losses.mean_over(sequence.is_new, self.error(td_error)),
            priority=losses.mean_over(sequence.is_new, jnp.abs(td_error)),
            metrics={
                "td_error": losses.mean_over(sequence.is_new, jnp.abs(td_error)),
                "max_q": losses.mean_over(sequence.is_new, q_tm1.max(-1)),
            },
        )


CONFIG = Config(
    algorithm=PQN(),
    num_environments=32,
    train_every=32 * 64,
    learning_starts=0,
    batch_size=32,
    num_minibatches=16,
    num_updates=4,
    max_gradient_norm=10.0,
    network=QNetwork(normalisation=LayerNorm()),
    optimizer=optimizers.RAdam(),
    target_update=target_network.Online(),
    exploration=EpsilonGreedy(schedules.Linear(end=0.1, steps=50_000)),
    replay=Sequences(capacity=32 * 64, length=64, replacement=False, only_new=True),
)
