"""FQF: quantiles at fractions that a layer of the network learns to propose.

Paper: Yang et al., "Fully Parameterized Quantile Function for Distributional Reinforcement Learning", NeurIPS 2019,
section 3 and algorithm 1.
Differs from the paper: one optimizer for both losses. The proposal moves slower than the rest by the factor that its
head names, in place of an RMSProp of its own with a far smaller learning rate. The target's quantiles lie
at the fractions that the target network proposes for `s_t`; in the loss they count alike, whatever the lengths of
their intervals, which count in the means alone.
"""

from typing import ClassVar

import jax
import jax.numpy as jnp

from jaxdqn import distributional, noise
from jaxdqn.config import Config
from jaxdqn.config_fields import configuration, number
from jaxdqn.interfaces import TRANSITIONS, Key, LossOutput, Network, Parameters, Requires, Sample
from jaxdqn.networks.heads import ProposedFractions
from jaxdqn.networks.network import QNetwork
from jaxdqn.networks.torsos import Dense
from jaxdqn.outputs import FractionOutput


@configuration
class FQF:
    """Q-learning of quantiles at proposed fractions.

    Attributes:
      kappa: the error at which the Huber loss becomes linear.
      entropy: how much the entropy of the intervals counts, which keeps them from collapsing.
    """

    version: ClassVar[int] = 1  # raised when the same configuration learns differently
    requires: ClassVar[Requires] = TRANSITIONS._replace(output=FractionOutput, passes=2)

    kappa: float = number(1.0, at_least=0)
    entropy: float = number(0.001, at_least=0)

    def loss(
        self, network: Network, parameters: Parameters, target_parameters: Parameters, sample: Sample, key: Key
    ) -> LossOutput:
        """Returns the loss of each transition: the quantile Huber loss of `Z_tm1[a_tm1]` to
        `r_t + discount_t · Z_t[a*]` at the middles of the proposed intervals, the fraction loss, and the entropy of the
        proposal less. The priority is the size of the error of the means,
        `r_t + discount_t · max_a q_t[a] − q_tm1[a_tm1]`.

        Args:
          network: with a head of proposed fractions.
          parameters: online parameters; the gradient flows through the quantiles before the action and the proposal.
          target_parameters: target-network parameters, which give the values of `s_t`.
          sample: `[B]` transitions.
          key: of two passes: the online network on `s_tm1`, the target network on `s_t`.
        """
        transition, (online_key, target_key) = sample.transition, noise.split(key, 2)
        before = network.apply(parameters, transition.s_tm1, online_key)
        after = network.apply(target_parameters, transition.s_t, target_key)
        next_quantiles = jax.vmap(lambda quantiles, q: quantiles[q.argmax()])(after.quantiles, after.q_values)
        target = transition.r_t[:, None] + transition.discount_t[:, None] * next_quantiles
        quantiles, at_boundaries, q_tm1 = jax.vmap(lambda *fields_a: tuple(x[fields_a[-1]] for x in fields_a[:-1]))(
            before.quantiles, before.boundary_quantiles, before.q_values, transition.a_tm1
        )
        loss = jax.vmap(lambda *both: distributional.quantile_huber_loss(*both, kappa=self.kappa))(
            quantiles, before.fractions, target
        )
        proposal = jax.vmap(distributional.fraction_loss)(before.boundaries[:, 1:-1], at_boundaries, quantiles)
        td_error = transition.r_t + transition.discount_t * after.q_values.max(-1) - q_tm1
        return LossOutput(
            loss=loss + proposal - self.entropy * before.entropy,
            priority=jnp.abs(td_error),
            metrics={"td_error": jnp.abs(td_error), "max_q": before.q_values.max(-1)},
        )


CONFIG = Config(algorithm=FQF(), network=QNetwork(Dense((64,)), head=ProposedFractions()))
