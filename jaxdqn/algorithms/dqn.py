"""DQN: Q-learning with a deep network, replay and a target network.

Paper: Mnih et al., "Human-level control through deep reinforcement learning", Nature 2015, algorithm 1.
Differs from the paper: the loss is the mean over the batch, not its sum; the configuration is one for
small games, with Adam and the squared error (the paper: RMSProp, error clipping).
"""

from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from jaxdqn import losses, targets
from jaxdqn.config import Config
from jaxdqn.fields import configuration, part
from jaxdqn.interfaces import LossOutput, Network, Parameters, Sample


@configuration
class DQN:
    """Deep Q-learning.

    Attributes:
      error: what a temporal-difference error costs.
    """

    version: ClassVar[int] = 1  # raised when the same configuration learns differently
    num_draws: ClassVar[int | None] = 2

    error: losses.ErrorLoss = part(losses.SquaredError())

    def loss(
        self, network: Network, parameters: Parameters, target_parameters: Parameters, sample: Sample, chances: Any
    ) -> LossOutput:
        """Returns the loss of each transition: `error(r_t + discount_t · max_a q_t[a] − q_tm1[a_tm1])`.

        Args:
          network: its values are read.
          parameters: those that learn; the gradient flows through `q_tm1`.
          target_parameters: those that judge `s_t`.
          sample: `[B]` transitions.
          chances: noise of two passes: the online network on `s_tm1`, the target network on `s_t`.
        """
        transition, (chance_tm1, chance_t) = sample.transition, chances
        q_tm1 = network.apply(parameters, transition.s_tm1, chance_tm1).q_values
        q_t = network.apply(target_parameters, transition.s_t, chance_t).q_values
        td_error = jax.vmap(targets.q_learning)(q_tm1, transition.a_tm1, transition.r_t, transition.discount_t, q_t)
        return LossOutput(self.error(td_error), jnp.abs(td_error), td_error, max_q=q_tm1.max(-1))


CONFIG = Config(algorithm=DQN())
