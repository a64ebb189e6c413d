"""Munchausen DQN and IQN: the logarithm of the policy is added to the reward, and the target is soft.

Paper: Vieillard, Pietquin and Geist, "Munchausen Reinforcement Learning", NeurIPS 2020, equations 1 and 2.
Differs from the paper: as DQN and IQN here differ from their own. One step only: the bonus belongs to one action, so
with longer returns it would be missing for the others.
"""

from typing import ClassVar

import jax
import jax.numpy as jnp

from jaxdqn import losses, noise, targets
from jaxdqn.algorithms.quantile import regression
from jaxdqn.config import Config
from jaxdqn.config_fields import configuration, number, part
from jaxdqn.interfaces import TRANSITIONS, Key, LossOutput, Network, Parameters, Requires, Sample
from jaxdqn.networks.heads import ImplicitQuantiles
from jaxdqn.networks.network import QNetwork
from jaxdqn.networks.torsos import Dense
from jaxdqn.outputs import QuantileOutput


@configuration
class MunchausenDQN:
    """Deep Q-learning with a soft target and a bonus of the log-policy.

    Attributes:
      error: loss applied to the TD error.
      temperature: tau, of the policy, in units of the action values.
      scale: alpha, how much of `tau ln pi` is added to the reward.
      clip: l0, the lower bound of `tau ln pi`.
    """

    version: ClassVar[int] = 1  # raised when the same configuration learns differently
    requires: ClassVar[Requires] = TRANSITIONS._replace(passes=3, max_n_step=1)

    error: losses.ErrorLoss = part(losses.SquaredError())
    temperature: float = number(0.03, above=0)
    scale: float = number(0.9, at_least=0, at_most=1)
    clip: float = number(-1.0, below=0)

    def loss(
        self, network: Network, parameters: Parameters, target_parameters: Parameters, sample: Sample, key: Key
    ) -> LossOutput:
        """Returns the loss of each transition: `error(r_t + bonus + discount_t · soft value of q_t − q_tm1[a_tm1])`.

        Args:
          network: its values are read.
          parameters: online parameters; the gradient flows through `q_tm1`.
          target_parameters: target-network parameters, for the values of `s_t` and the policy of the bonus.
          sample: `[B]` transitions.
          key: of three passes: the online network on `s_tm1`, the target network on `s_t`, the target network on
            `s_tm1`.
        """
        transition = sample.transition
        online_key, target_key, bonus_key = noise.split(key, 3)
        q_tm1 = network.apply(parameters, transition.s_tm1, online_key).q_values
        q_t = network.apply(target_parameters, transition.s_t, target_key).q_values
        q_tm1_target = network.apply(target_parameters, transition.s_tm1, bonus_key).q_values
        td_error = jax.vmap(
            lambda *arguments: targets.munchausen_q_learning(
                *arguments, temperature=self.temperature, scale=self.scale, clip=self.clip
            )
        )(q_tm1, transition.a_tm1, transition.r_t, transition.discount_t, q_t, q_tm1_target)
        return LossOutput(
            loss=self.error(td_error),
            priority=jnp.abs(td_error),
            metrics={"td_error": jnp.abs(td_error), "max_q": q_tm1.max(-1)},
        )


@configuration
class MunchausenIQN:
    """Quantile regression with a soft target and a bonus of the log-policy.

    Attributes:
      kappa: the error at which the Huber loss becomes linear.
      temperature: tau, of the policy, in units of the action values.
      scale: alpha, how much of `tau ln pi` is added to the reward.
      clip: l0, the lower bound of `tau ln pi`.
    """

    version: ClassVar[int] = 1  # raised when the same configuration learns differently
    requires: ClassVar[Requires] = TRANSITIONS._replace(output=QuantileOutput, passes=3, max_n_step=1)

    kappa: float = number(1.0, at_least=0)
    temperature: float = number(0.03, above=0)
    scale: float = number(0.9, at_least=0, at_most=1)
    clip: float = number(-1.0, below=0)

    def loss(
        self, network: Network, parameters: Parameters, target_parameters: Parameters, sample: Sample, key: Key
    ) -> LossOutput:
        """Returns the loss of each transition, the quantile Huber loss of `Z_tm1[a_tm1]` to
        `r_t + bonus + discount_t · Σ_a π(a) (Z_t[a] − τ ln π(a))`, with the policy of the target network's values.

        Args:
          network: with a head of quantiles.
          parameters: online parameters; the gradient flows through the quantiles before the action.
          target_parameters: target-network parameters, for the quantiles of `s_t` and both policies.
          sample: `[B]` transitions.
          key: of three passes: the online network on `s_tm1`, the target network on `s_t`, the target network on
            `s_tm1`.
        """
        transition = sample.transition
        online_key, target_key, bonus_key = noise.split(key, 3)
        before = network.apply(parameters, transition.s_tm1, online_key)
        after = network.apply(target_parameters, transition.s_t, target_key)
        q_tm1_target = network.apply(target_parameters, transition.s_tm1, bonus_key).q_values
        bonus = jax.vmap(
            lambda q, a: targets.munchausen_bonus(q, a, temperature=self.temperature, scale=self.scale, clip=self.clip)
        )(q_tm1_target, transition.a_tm1)
        log_policy = jax.vmap(lambda q: targets.scaled_log_policy(q, temperature=self.temperature))(after.q_values)
        soft = jax.vmap(  # over the batch, and over the quantiles of one state
            jax.vmap(lambda z, log: targets.soft_value(z, log, temperature=self.temperature), in_axes=(1, None))
        )(after.quantiles, log_policy)
        target = (transition.r_t + bonus)[:, None] + transition.discount_t[:, None] * soft
        return regression(before, transition, target, self.kappa)


DQN = Config(algorithm=MunchausenDQN())
IQN = Config(algorithm=MunchausenIQN(), network=QNetwork(Dense((64,)), head=ImplicitQuantiles()))
