"""Averaged DQN: the target is the mean of the last target networks.

Paper: Anschel, Baram and Shimkin, "Averaged-DQN: Variance Reduction and Stabilization for Deep Reinforcement Learning",
ICML 2017, algorithm 2.
Differs from the paper: as DQN here differs from its own.
"""

from typing import ClassVar

import jax
import jax.numpy as jnp

from jaxdqn import losses, targets
from jaxdqn.config import Config
from jaxdqn.config_fields import configuration, part
from jaxdqn.interfaces import TRANSITIONS, Key, LossOutput, Network, Parameters, Requires, Sample
from jaxdqn.target_network import LastCopies


@configuration
class AveragedDQN:
    """Deep Q-learning towards the mean of several target networks.

    Attributes:
      error: loss applied to the TD error.
    """

    version: ClassVar[int] = 2  # raised when the same configuration learns differently
    # No number of passes: `target_update` sets the number of target networks.
    requires: ClassVar[Requires] = TRANSITIONS._replace(target_copies=True)

    error: losses.ErrorLoss = part(losses.SquaredError())

    def loss(
        self, network: Network, parameters: Parameters, target_parameters: Parameters, sample: Sample, key: Key
    ) -> LossOutput:
        """Returns the loss of each transition: `error(r_t + discount_t · max_a mean_k q_t[k, a] − q_tm1[a_tm1])`.

        Args:
          network: its values are read.
          parameters: online parameters; the gradient flows through `q_tm1`.
          target_parameters: of K target networks, along a leading axis.
          sample: `[B]` transitions.
          key: consumed; one half for the online network, the other split into one for each target network.
        """
        transition, (online_key, target_key) = sample.transition, jax.random.split(key)
        q_tm1 = network.apply(parameters, transition.s_tm1, online_key).q_values
        num_copies = jax.tree.leaves(target_parameters)[0].shape[0]
        q_t = jax.vmap(lambda one, key: network.apply(one, transition.s_t, key).q_values, out_axes=1)(
            target_parameters, jax.random.split(target_key, num_copies)
        )
        td_error = jax.vmap(targets.averaged_q_learning)(
            q_tm1, transition.a_tm1, transition.r_t, transition.discount_t, q_t
        )
        return LossOutput(
            loss=self.error(td_error),
            priority=jnp.abs(td_error),
            metrics={"td_error": jnp.abs(td_error), "max_q": q_tm1.max(-1)},
        )


CONFIG = Config(algorithm=AveragedDQN(), target_update=LastCopies())
