"""Double DQN: the online network chooses the next action, the target network evaluates it.

Paper: van Hasselt, Guez and Silver, "Deep Reinforcement Learning with Double Q-learning", AAAI 2016, equation 4.
Differs from the paper: the same differences as `dqn.py`, see there. Everything but the target equals `dqn.py`, so that
a comparison of the two is fair.
"""

from typing import ClassVar

import jax
import jax.numpy as jnp

from jaxdqn import losses, noise, targets
from jaxdqn.config import Config
from jaxdqn.config_fields import configuration, part
from jaxdqn.interfaces import TRANSITIONS, Key, LossOutput, Network, Parameters, Requires, Sample


@configuration
class DoubleDQN:
    """Double deep Q-learning.

    Attributes:
      error: loss applied to the TD error.
    """

    version: ClassVar[int] = 1  # raised when the same configuration learns differently
    requires: ClassVar[Requires] = TRANSITIONS._replace(passes=3)  # passes through a network in `loss`, each with noise

    error: losses.ErrorLoss = part(losses.SquaredError())

    def loss(
        self, network: Network, parameters: Parameters, target_parameters: Parameters, sample: Sample, key: Key
    ) -> LossOutput:
        """Returns the loss of each transition, where `a* = argmax_a q_t_selector[a]`:
        `error(r_t + discount_t · q_t[a*] − q_tm1[a_tm1])`.

        At a terminal step `discount_t` is 0. The learner multiplies the losses by the importance weights of the sample
        and averages them (`learner.py`).

        Args:
          network: its values are read.
          parameters: online parameters, which choose `a*`; the gradient flows through `q_tm1`.
          target_parameters: target-network parameters, which give the value of `a*`.
          sample: `[B]` transitions.
          key: of three passes: the online network on `s_tm1`, the target network on `s_t`, the online network on
            `s_t`.
        """
        transition = sample.transition
        online_key, target_key, selector_key = noise.split(key, 3)
        q_tm1 = network.apply(parameters, transition.s_tm1, online_key).q_values
        q_t = network.apply(target_parameters, transition.s_t, target_key).q_values
        q_t_selector = network.apply(parameters, transition.s_t, selector_key).q_values
        td_error = jax.vmap(targets.double_q_learning)(
            q_tm1, transition.a_tm1, transition.r_t, transition.discount_t, q_t, q_t_selector
        )
        return LossOutput(
            loss=self.error(td_error),
            priority=jnp.abs(td_error),
            metrics={"td_error": jnp.abs(td_error), "max_q": q_tm1.max(-1)},
        )


CONFIG = Config(algorithm=DoubleDQN())
