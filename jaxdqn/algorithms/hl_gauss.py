"""HL-Gauss: action values learned as a classification, with a normal distribution around the target.

Paper: Farebrother et al., "Stop Regressing: Training Value Functions via Classification", ICML 2024, section 3.1.
Differs from the paper: small networks and games. The target is DQN's scalar, not a distribution of returns.
"""

from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from jaxdqn import distributional, targets
from jaxdqn.config import Config
from jaxdqn.fields import configuration, number
from jaxdqn.interfaces import LossOutput, Network, Parameters, Sample
from jaxdqn.networks.heads import Categorical
from jaxdqn.networks.network import QNetwork
from jaxdqn.outputs import CategoricalOutput


@configuration
class HLGauss:
    """Q-learning with a classification loss.

    Attributes:
      smoothing: standard deviation of the target's distribution, in widths of a bin.
    """

    version: ClassVar[int] = 1  # raised when the same configuration learns differently
    num_draws: ClassVar[int | None] = 2
    reads: ClassVar[type] = CategoricalOutput

    smoothing: float = number(0.75, above=0)

    def loss(
        self, network: Network, parameters: Parameters, target_parameters: Parameters, sample: Sample, chances: Any
    ) -> LossOutput:
        """Returns the loss of each transition, the cross-entropy of `p_tm1[a_tm1]` to a normal distribution around
        `r_t + discount_t · max_a q_t[a]`, in bins around the atoms. The priority is the size of the error of the mean,
        `r_t + discount_t · max_a q_t[a] − q_tm1[a_tm1]`.

        Args:
          network: with a categorical head, whose atoms are the middles of the bins.
          parameters: those that learn; the gradient flows through the logits before the action.
          target_parameters: those that judge `s_t`.
          sample: `[B]` transitions.
          chances: noise of two passes: the online network on `s_tm1`, the target network on `s_t`.
        """
        transition, (chance_tm1, chance_t) = sample.transition, chances
        before = network.apply(parameters, transition.s_tm1, chance_tm1)
        q_t = network.apply(target_parameters, transition.s_t, chance_t).q_values
        width = before.atoms[1] - before.atoms[0]
        edges = jnp.append(before.atoms - width / 2, before.atoms[-1] + width / 2)
        td_error = jax.vmap(targets.q_learning)(
            before.q_values, transition.a_tm1, transition.r_t, transition.discount_t, q_t
        )
        q_tm1, logits = jax.vmap(lambda q, logits, a: (q[a], logits[a]))(
            before.q_values, before.logits, transition.a_tm1
        )
        target = jax.vmap(lambda value: distributional.hl_gauss_target(value, edges, sigma=self.smoothing * width))(
            td_error + q_tm1
        )
        return LossOutput(
            loss=jax.vmap(distributional.cross_entropy)(target, logits),
            priority=jnp.abs(td_error),
            td_error=td_error,
            max_q=before.q_values.max(-1),
        )


CONFIG = Config(algorithm=HLGauss(), network=QNetwork(head=Categorical(v_min=-100.0, v_max=100.0, num_atoms=101)))
