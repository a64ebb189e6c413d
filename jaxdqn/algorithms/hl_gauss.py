"""HL-Gauss: action values learned as a classification, with a normal distribution around the target.

Paper: Farebrother et al., "Stop Regressing: Training Value Functions via Classification", ICML 2024, section 3.1.
Differs from the paper: small networks and games. The target is DQN's scalar, not a distribution of returns.
"""

from typing import ClassVar

import jax
import jax.numpy as jnp

from jaxdqn import distributional, noise, targets
from jaxdqn.config import Config
from jaxdqn.config_fields import configuration, number
from jaxdqn.interfaces import TRANSITIONS, Key, LossOutput, Network, Parameters, Requires, Sample
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
    requires: ClassVar[Requires] = TRANSITIONS._replace(output=CategoricalOutput, passes=2)

    smoothing: float = number(0.75, above=0)

    def loss(
        self, network: Network, parameters: Parameters, target_parameters: Parameters, sample: Sample, key: Key
    ) -> LossOutput:
        """Returns the loss of each transition, the cross-entropy of `p_tm1[a_tm1]` to a normal distribution around
        `r_t + discount_t · max_a q_t[a]`, in bins around the atoms. The priority is the size of the error of the mean,
        `r_t + discount_t · max_a q_t[a] − q_tm1[a_tm1]`.

        Args:
          network: with a categorical head, whose atoms are the middles of the bins.
          parameters: online parameters; the gradient flows through the logits before the action.
          target_parameters: target-network parameters, which give the values of `s_t`.
          sample: `[B]` transitions.
          key: of two passes: the online network on `s_tm1`, the target network on `s_t`.
        """
        transition, (online_key, target_key) = sample.transition, noise.split(key, 2)
        before = network.apply(parameters, transition.s_tm1, online_key)
        q_t = network.apply(target_parameters, transition.s_t, target_key).q_values
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
            metrics={"td_error": jnp.abs(td_error), "max_q": before.q_values.max(-1)},
        )


CONFIG = Config(algorithm=HLGauss(), network=QNetwork(head=Categorical(v_min=-100.0, v_max=100.0, num_atoms=101)))
