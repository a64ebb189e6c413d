"""Quantile regression of returns: QR-DQN at fixed fractions, IQN at fractions drawn anew. The head is the difference.

Papers: Dabney et al., "Distributional Reinforcement Learning with Quantile Regression", AAAI 2018, algorithm 1; and
"Implicit Quantile Networks for Distributional Reinforcement Learning", ICML 2018, equations 2 and 3.
Differs from the papers: as DQN here differs from its own; the loss of both is that of the second, divided by kappa.
"""

from typing import ClassVar

import jax
import jax.numpy as jnp

from jaxdqn import distributional, noise
from jaxdqn.config import Config
from jaxdqn.config_fields import configuration, number, static
from jaxdqn.interfaces import TRANSITIONS, Array, Key, LossOutput, Network, Parameters, Requires, Sample, Transition
from jaxdqn.networks.heads import ImplicitQuantiles, Quantiles
from jaxdqn.networks.network import QNetwork
from jaxdqn.networks.torsos import Dense
from jaxdqn.outputs import QuantileOutput


@configuration
class QuantileRegression:
    """Q-learning of quantiles.

    Attributes:
      kappa: the error at which the Huber loss becomes linear.
      selector: whose values choose the next action: the "target" network's, as in the papers, or the "online" one's,
        which is double Q-learning.
    """

    version: ClassVar[int] = 1  # raised when the same configuration learns differently
    requires: ClassVar[Requires] = TRANSITIONS._replace(output=QuantileOutput, passes=3)

    kappa: float = number(1.0, at_least=0)
    selector: str = static("target", choices=("target", "online"))

    def loss(
        self, network: Network, parameters: Parameters, target_parameters: Parameters, sample: Sample, key: Key
    ) -> LossOutput:
        """Returns the loss of each transition, the quantile Huber loss of `Z_tm1[a_tm1]` to
        `r_t + discount_t · Z_t[a*]`, where `a* = argmax_a q_t[a]`. The priority is the size of the mean error.

        Args:
          network: with a head of quantiles.
          parameters: online parameters; the gradient flows through the quantiles before the action.
          target_parameters: target-network parameters, which give the values of `s_t`.
          sample: `[B]` transitions.
          key: of three passes: the online network on `s_tm1`, the target network on `s_t`, the online network on
            `s_t`.
        """
        transition = sample.transition
        online_key, target_key, selector_key = noise.split(key, 3)
        before = network.apply(parameters, transition.s_tm1, online_key)
        after = network.apply(target_parameters, transition.s_t, target_key)
        q_t_selector = after.q_values
        if self.selector == "online":
            q_t_selector = network.apply(parameters, transition.s_t, selector_key).q_values
        next_quantiles = jax.vmap(lambda quantiles, q: quantiles[q.argmax()])(after.quantiles, q_t_selector)
        target = transition.r_t[:, None] + transition.discount_t[:, None] * next_quantiles
        return regression(before, transition, target, self.kappa)


def regression(before: QuantileOutput, transition: Transition, target: Array, kappa: Array | float) -> LossOutput:
    """Returns the quantile Huber loss of each transition, its priority and metrics.

    Args:
      before: of the online network, for `s_tm1`; the gradient flows through its quantiles.
      transition: `[B]` of them.
      target: float32 `[B, M]`, equally weighted.
      kappa: the error at which the loss becomes linear.
    """
    quantiles = jax.vmap(lambda quantiles, a: quantiles[a])(before.quantiles, transition.a_tm1)
    loss = jax.vmap(lambda *both: distributional.quantile_huber_loss(*both, kappa=kappa))(
        quantiles, before.fractions, target
    )
    td_error = target.mean(-1) - quantiles.mean(-1)
    return LossOutput(
        loss=loss,
        priority=jnp.abs(td_error),
        metrics={"td_error": jnp.abs(td_error), "max_q": before.q_values.max(-1)},
    )


QR_DQN = Config(algorithm=QuantileRegression(), network=QNetwork(head=Quantiles()))
IQN = Config(algorithm=QuantileRegression(), network=QNetwork(Dense((64,)), head=ImplicitQuantiles()))
