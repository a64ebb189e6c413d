"""Double DQN: the learning network chooses the next action, the target network judges it.

Paper: van Hasselt, Guez and Silver, "Deep Reinforcement Learning with Double Q-learning", AAAI 2016, equation 4.
Differs from the paper: as DQN here differs from its own; everything else is DQN's, so that a comparison is fair.
"""

from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from jaxdqn import losses, targets
from jaxdqn.config import Config
from jaxdqn.fields import configuration, part
from jaxdqn.interfaces import LossOutput, Network, Parameters, Sample


@configuration
class DoubleDQN:
    """Double deep Q-learning.

    Attributes:
      error: what a temporal-difference error costs.
    """

    version: ClassVar[int] = 1  # raised when the same configuration learns differently
    num_draws: ClassVar[int | None] = 3

    error: losses.ErrorLoss = part(losses.SquaredError())

    def loss(
        self, network: Network, parameters: Parameters, target_parameters: Parameters, sample: Sample, chances: Any
    ) -> LossOutput:
        """Returns the loss of each transition, where `a* = argmax_a q_t_selector[a]`:
        `error(r_t + discount_t · q_t[a*] − q_tm1[a_tm1])`.

        Args:
          network: its values are read.
          parameters: those that learn, and choose `a*`; the gradient flows through `q_tm1`.
          target_parameters: those that judge `a*`.
          sample: `[B]` transitions.
          chances: noise of three passes: the online network on `s_tm1`, the target network on `s_t`, and
            the online network on `s_t`.
        """
        transition, (chance_tm1, chance_t, selector_chance) = sample.transition, chances
        q_tm1 = network.apply(parameters, transition.s_tm1, chance_tm1).q_values
        q_t = network.apply(target_parameters, transition.s_t, chance_t).q_values
        q_t_selector = network.apply(parameters, transition.s_t, selector_chance).q_values
        td_error = jax.vmap(targets.double_q_learning)(
            q_tm1, transition.a_tm1, transition.r_t, transition.discount_t, q_t, q_t_selector
        )
        return LossOutput(self.error(td_error), jnp.abs(td_error), td_error, max_q=q_tm1.max(-1))


CONFIG = Config(algorithm=DoubleDQN())
