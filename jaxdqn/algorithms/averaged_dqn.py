"""Averaged DQN: the mean of the last target networks judges what comes next.

Paper: Anschel, Baram and Shimkin, "Averaged-DQN: Variance Reduction and Stabilization for Deep Reinforcement Learning",
ICML 2017, algorithm 2.
Differs from the paper: as DQN here differs from its own.
"""

from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from jaxdqn import losses, targets
from jaxdqn.config import Config
from jaxdqn.fields import configuration, part
from jaxdqn.interfaces import LossOutput, Network, Parameters, Sample
from jaxdqn.target_network import LastCopies


@configuration
class AveragedDQN:
    """Deep Q-learning towards the mean of several target networks.

    Attributes:
      error: what a temporal-difference error costs.
    """

    version: ClassVar[int] = 2  # raised when the same configuration learns differently
    num_draws: ClassVar[int | None] = None  # how many networks judge is the target's to say
    judged_by: ClassVar[type] = LastCopies

    error: losses.ErrorLoss = part(losses.SquaredError())

    def loss(
        self, network: Network, parameters: Parameters, target_parameters: Parameters, sample: Sample, chances: Any
    ) -> LossOutput:
        """Returns the loss of each transition: `error(r_t + discount_t · max_a mean_k q_t[k, a] − q_tm1[a_tm1])`.

        Args:
          network: its values are read.
          parameters: those that learn; the gradient flows through `q_tm1`.
          target_parameters: of K networks, along a leading axis.
          sample: `[B]` transitions.
          chances: a key, consumed. It is split in two: for the online network, and for the K target networks, into K.
        """
        transition, (key_tm1, key_t) = sample.transition, jax.random.split(chances)
        q_tm1 = network.apply(parameters, transition.s_tm1, network.draw(key_tm1)).q_values
        num_copies = jax.tree.leaves(target_parameters)[0].shape[0]
        q_t = jax.vmap(lambda one, key: network.apply(one, transition.s_t, network.draw(key)).q_values, out_axes=1)(
            target_parameters, jax.random.split(key_t, num_copies)
        )
        td_error = jax.vmap(targets.averaged_q_learning)(
            q_tm1, transition.a_tm1, transition.r_t, transition.discount_t, q_t
        )
        return LossOutput(self.error(td_error), jnp.abs(td_error), td_error, max_q=q_tm1.max(-1))


CONFIG = Config(algorithm=AveragedDQN(), target_update=LastCopies())
