"""C51: the distribution of the return, as probabilities of fixed values.

Paper: Bellemare, Dabney and Munos, "A Distributional Perspective on Reinforcement Learning", ICML 2017, algorithm 1.
Differs from the paper: as DQN here differs from its own. The range of the values is the head's and must hold the
discounted returns of the game.
"""

from typing import ClassVar

import jax
import jax.numpy as jnp

from jaxdqn import distributional, noise
from jaxdqn.config import Config
from jaxdqn.config_fields import configuration, static
from jaxdqn.interfaces import TRANSITIONS, Key, LossOutput, Network, Parameters, Requires, Sample
from jaxdqn.networks.heads import Categorical
from jaxdqn.networks.network import QNetwork
from jaxdqn.outputs import CategoricalOutput


@configuration
class C51:
    """Q-learning of categorical distributions.

    Attributes:
      selector: whose means choose the next action: the "target" network's, as in the paper, or the "online" one's,
        which is double Q-learning.
    """

    version: ClassVar[int] = 1  # raised when the same configuration learns differently
    requires: ClassVar[Requires] = TRANSITIONS._replace(output=CategoricalOutput, passes=3)

    selector: str = static("target", choices=("target", "online"))

    def loss(
        self, network: Network, parameters: Parameters, target_parameters: Parameters, sample: Sample, key: Key
    ) -> LossOutput:
        """Returns the loss of each transition, the cross-entropy of `p_tm1[a_tm1]` to the projection of
        `r_t + discount_t · Z_t[a*]`, where `a* = argmax_a E Z_t[a]`. The priority is the Kullback-Leibler divergence;
        the TD error is the mean of the projected target less `q_tm1[a_tm1]`.

        Args:
          network: with a categorical head.
          parameters: online parameters; the gradient flows through the logits before the action.
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
        logits = jax.vmap(lambda logits, a: logits[a])(before.logits, transition.a_tm1)
        probabilities = jax.nn.softmax(jax.vmap(lambda logits, q: logits[q.argmax()])(after.logits, q_t_selector))
        target = jax.vmap(distributional.categorical_target, in_axes=(0, 0, 0, None))(
            transition.r_t, transition.discount_t, probabilities, after.atoms
        )
        q_tm1 = jax.vmap(lambda q, a: q[a])(before.q_values, transition.a_tm1)
        return LossOutput(
            loss=jax.vmap(distributional.cross_entropy)(target, logits),
            priority=jax.vmap(distributional.kl_divergence)(target, logits),
            metrics={
                "td_error": jnp.abs(jnp.matmul(target, after.atoms, precision="highest") - q_tm1),
                "max_q": before.q_values.max(-1),
            },
        )


CONFIG = Config(algorithm=C51(), network=QNetwork(head=Categorical(v_min=-100.0, v_max=100.0, num_atoms=101)))
