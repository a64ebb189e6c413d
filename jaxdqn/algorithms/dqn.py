"""DQN: Q-learning with a deep network, replay and a target network.

Paper: Mnih et al., "Human-level control through deep reinforcement learning", Nature 2015, algorithm 1.
Differs from the paper: the loss is the mean over the batch, not its sum; the configuration is one for
small games, with Adam and the squared error (the paper: RMSProp, error clipping).
"""

from typing import ClassVar

import jax
import jax.numpy as jnp

from jaxdqn import losses, noise, targets
from jaxdqn.config import Config
from jaxdqn.config_fields import configuration, part
from jaxdqn.interfaces import TRANSITIONS, Key, LossOutput, Network, Parameters, Requires, Sample


@configuration
class DQN:
    """Deep Q-learning.

    Attributes:
      error: loss applied to the TD error.
    """

    version: ClassVar[int] = 1  # raised when the same configuration learns differently
    requires: ClassVar[Requires] = TRANSITIONS._replace(passes=2)

    error: losses.ErrorLoss = part(losses.SquaredError())

    def loss(
        self, network: Network, parameters: Parameters, target_parameters: Parameters, sample: Sample, key: Key
    ) -> LossOutput:
        """Returns the loss of each transition: `error(r_t + discount_t · max_a q_t[a] − q_tm1[a_tm1])`.

        Args:
          network: its values are read.
          parameters: online parameters; the gradient flows through `q_tm1`.
          target_parameters: target-network parameters, which give the values of `s_t`.
          sample: `[B]` transitions.
          key: of two passes: the online network on `s_tm1`, the target network on `s_t`.
        """
        transition, (online_key, target_key) = sample.transition, noise.split(key, 2)
        q_tm1 = network.apply(parameters, transition.s_tm1, online_key).q_values
        q_t = network.apply(target_parameters, transition.s_t, target_key).q_values
        td_error = jax.vmap(targets.q_learning)(q_tm1, transition.a_tm1, transition.r_t, transition.discount_t, q_t)
        return LossOutput(
            loss=self.error(td_error),
            priority=jnp.abs(td_error),
            metrics={"td_error": jnp.abs(td_error), "max_q": q_tm1.max(-1)},
        )


CONFIG = Config(algorithm=DQN())
