"""Bootstrapped DQN with randomised priors: an ensemble, one member of which is followed for a whole episode.

Papers: Osband et al., "Deep Exploration via Bootstrapped DQN", NeurIPS 2016, algorithm 1; Osband, Aslanides and
Cassirer, "Randomized Prior Functions for Deep Reinforcement Learning", NeurIPS 2018.
Differs from the papers: members share no layers, so no gradient needs to be scaled down. Which members learn from a
transition is a function of its slot in replay, so nothing is stored for it and it never changes. Evaluation is
greedy in the mean of the members; there is no vote.
"""

from typing import ClassVar

import jax
import jax.numpy as jnp

from jaxdqn import exploration, losses, noise, targets
from jaxdqn.config import Config
from jaxdqn.config_fields import configuration, number, part
from jaxdqn.interfaces import TRANSITIONS, Array, Key, LossOutput, Network, Parameters, Requires, Sample
from jaxdqn.networks.ensemble import Ensemble
from jaxdqn.outputs import EnsembleOutput
from jaxdqn.replay import hashing


@configuration
class BootstrappedDQN:
    """Double deep Q-learning of each member of an ensemble, on transitions of its own.

    Attributes:
      error: loss applied to the TD error.
      share: the probability that a member learns from a transition.
    """

    version: ClassVar[int] = 1  # raised when the same configuration learns differently
    requires: ClassVar[Requires] = TRANSITIONS._replace(output=EnsembleOutput, passes=3)

    error: losses.ErrorLoss = part(losses.SquaredError())
    share: float = number(0.5, above=0, at_most=1)

    def loss(
        self, network: Network, parameters: Parameters, target_parameters: Parameters, sample: Sample, key: Key
    ) -> LossOutput:
        """Returns the loss of each transition, the sum over the members k that learn from it of double DQN's, where
        each member evaluates its own greedy action `a*_k`: `error(r_t + discount_t · q_t[k, a*_k] − q_tm1[k, a_tm1])`.
        The metric `td_error` and the priority are the size of the mean error over all members.

        Args:
          network: an ensemble.
          parameters: online parameters; the gradient flows through `q_tm1`.
          target_parameters: target-network parameters, which give the value of `a*_k`.
          sample: `[B]` transitions.
          key: of three passes: the online network on `s_tm1`, the target network on `s_t`, the online network on
            `s_t`.
        """
        transition = sample.transition
        online_key, target_key, selector_key = noise.split(key, 3)
        before = network.apply(parameters, transition.s_tm1, online_key)
        after = network.apply(target_parameters, transition.s_t, target_key)
        selector = network.apply(parameters, transition.s_t, selector_key)
        of_members = jax.vmap(targets.double_q_learning, in_axes=(0, None, None, None, 0, 0))
        td_errors = jax.vmap(of_members)(
            before.members, transition.a_tm1, transition.r_t, transition.discount_t, after.members, selector.members
        )
        learns = mask(sample.indices, td_errors.shape[-1], self.share)
        td_error = td_errors.mean(-1)
        loss = (learns * self.error(td_errors)).sum(-1)
        return LossOutput(
            loss=loss,
            priority=jnp.abs(td_error),
            metrics={"td_error": jnp.abs(td_error), "max_q": before.q_values.max(-1)},
        )


def mask(indices: Array, num_members: int, share: Array | float) -> Array:
    """Returns whether each member learns from what lies at each place of replay, bool `[B, num_members]`."""
    member = jnp.arange(num_members, dtype=jnp.uint32)
    numbers = indices[:, None].astype(jnp.uint32) * jnp.uint32(num_members) + member[None]
    return (hashing.mixed(hashing.mixed(numbers)) >> 8).astype(
        jnp.float32
    ) * 2.0**-24 < share  # [0, 1), not rounded up to 1


CONFIG = Config(algorithm=BootstrappedDQN(), network=Ensemble(prior_scale=3.0), exploration=exploration.OneMember())
