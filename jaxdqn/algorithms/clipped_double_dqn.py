"""Clipped double DQN: the target is the lower of two networks' values of the next action.

Paper: Fujimoto, van Hoof and Meger, "Addressing Function Approximation Error in Actor-Critic Methods", ICML 2018,
equation 10.
Differs from the paper: its actor chooses the next action; here the mean of the online networks does.
"""

from typing import ClassVar

import jax
import jax.numpy as jnp

from jaxdqn import losses, noise, targets
from jaxdqn.config import Config
from jaxdqn.config_fields import configuration, part
from jaxdqn.interfaces import TRANSITIONS, Key, LossOutput, Network, Parameters, Requires, Sample
from jaxdqn.networks.ensemble import Ensemble
from jaxdqn.outputs import EnsembleOutput


@configuration
class ClippedDoubleDQN:
    """Deep Q-learning towards the least of several estimates.

    Attributes:
      error: loss applied to the TD error.
    """

    version: ClassVar[int] = 1  # raised when the same configuration learns differently
    requires: ClassVar[Requires] = TRANSITIONS._replace(output=EnsembleOutput, passes=3)

    error: losses.ErrorLoss = part(losses.SquaredError())

    def loss(
        self, network: Network, parameters: Parameters, target_parameters: Parameters, sample: Sample, key: Key
    ) -> LossOutput:
        """Returns the loss of each transition, the sum over members k of
        `error(r_t + discount_t · min_j q_t[j, a*] − q_tm1[k, a_tm1])`, where `a* = argmax_a mean_k q_t_selector[k, a]`.
        The metric `td_error` and the priority are the size of the mean error over all members.

        Args:
          network: an ensemble.
          parameters: online parameters; the gradient flows through `q_tm1`.
          target_parameters: target-network parameters, which give the value of `a*`.
          sample: `[B]` transitions.
          key: of three passes: the online network on `s_tm1`, the target network on `s_t`, the online network on
            `s_t`.
        """
        transition = sample.transition
        online_key, target_key, selector_key = noise.split(key, 3)
        before = network.apply(parameters, transition.s_tm1, online_key)
        after = network.apply(target_parameters, transition.s_t, target_key)
        selector = network.apply(parameters, transition.s_t, selector_key).q_values
        of_members = jax.vmap(targets.clipped_double_q_learning, in_axes=(0, None, None, None, None, None))
        td_errors = jax.vmap(of_members)(
            before.members, transition.a_tm1, transition.r_t, transition.discount_t, after.members, selector
        )
        td_error = td_errors.mean(-1)
        loss = self.error(td_errors).sum(-1)
        return LossOutput(
            loss=loss,
            priority=jnp.abs(td_error),
            metrics={"td_error": jnp.abs(td_error), "max_q": before.q_values.max(-1)},
        )


CONFIG = Config(algorithm=ClippedDoubleDQN(), network=Ensemble(num_members=2))
