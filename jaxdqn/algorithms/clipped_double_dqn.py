"""Clipped double DQN: of two networks, the one that thinks less of the next action judges it.

Paper: Fujimoto, van Hoof and Meger, "Addressing Function Approximation Error in Actor-Critic Methods", ICML 2018,
equation 10.
Differs from the paper: its actor chooses the next action; here that is the mean of the learning networks.
"""

from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from jaxdqn import losses, targets
from jaxdqn.config import Config
from jaxdqn.fields import configuration, part
from jaxdqn.interfaces import LossOutput, Network, Parameters, Sample
from jaxdqn.networks.ensemble import Ensemble
from jaxdqn.outputs import EnsembleOutput


@configuration
class ClippedDoubleDQN:
    """Deep Q-learning towards the least of several estimates.

    Attributes:
      error: what a temporal-difference error costs.
    """

    version: ClassVar[int] = 1  # raised when the same configuration learns differently
    num_draws: ClassVar[int | None] = 3
    reads: ClassVar[type] = EnsembleOutput

    error: losses.ErrorLoss = part(losses.SquaredError())

    def loss(
        self, network: Network, parameters: Parameters, target_parameters: Parameters, sample: Sample, chances: Any
    ) -> LossOutput:
        """Returns the loss of each transition, the sum over members k of
        `error(r_t + discount_t · min_j q_t[j, a*] − q_tm1[k, a_tm1])`, where `a* = argmax_a mean_k q_t_selector[k, a]`.
        The error that is reported is the mean over all members, and the priority is its size.

        Args:
          network: an ensemble.
          parameters: those that learn; the gradient flows through `q_tm1`.
          target_parameters: those that judge `a*`.
          sample: `[B]` transitions.
          chances: noise of three passes: the online network on `s_tm1`, the target network on `s_t`, and
            the online network on `s_t`.
        """
        transition, (chance_tm1, chance_t, selector_chance) = sample.transition, chances
        before = network.apply(parameters, transition.s_tm1, chance_tm1)
        after = network.apply(target_parameters, transition.s_t, chance_t)
        selector = network.apply(parameters, transition.s_t, selector_chance).q_values
        of_members = jax.vmap(targets.clipped_double_q_learning, in_axes=(0, None, None, None, None, None))
        td_errors = jax.vmap(of_members)(
            before.members, transition.a_tm1, transition.r_t, transition.discount_t, after.members, selector
        )
        td_error = td_errors.mean(-1)
        loss = self.error(td_errors).sum(-1)
        return LossOutput(loss, jnp.abs(td_error), td_error, max_q=before.q_values.max(-1))


CONFIG = Config(algorithm=ClippedDoubleDQN(), network=Ensemble(num_members=2))
