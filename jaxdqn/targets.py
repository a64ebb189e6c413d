"""Temporal-difference errors of one transition; their callers `vmap` over a batch.

Each function returns `δ = target − q_tm1[a_tm1]`. The target is a constant: gradients flow through `q_tm1` alone.
"""

import jax

from jaxdqn.interfaces import Array


def q_learning(q_tm1: Array, a_tm1: Array, r_t: Array, discount_t: Array, q_t: Array) -> Array:
    """Returns the Q-learning error, `δ = r_t + discount_t · max_a q_t[a] − q_tm1[a_tm1]`.

    Source: Watkins and Dayan (1992), equation 1; with `q_t` of a target network, Mnih et al. (2015), algorithm 1.

    Args:
      q_tm1: float32 `[A]`, values before the action, of the parameters that learn.
      a_tm1: int32 `[]`, the action taken.
      r_t: float32 `[]`, the reward, or the discounted sum of those of n steps.
      discount_t: float32 `[]`, gamma^n, 0 where the game terminated.
      q_t: float32 `[A]`, values after the action.

    Returns:
      float32 `[]`; gradient through `q_tm1` only.
    """
    target = r_t + discount_t * q_t.max()
    return jax.lax.stop_gradient(target) - q_tm1[a_tm1]


def double_q_learning(
    q_tm1: Array, a_tm1: Array, r_t: Array, discount_t: Array, q_t_value: Array, q_t_selector: Array
) -> Array:
    """Returns the double Q-learning error, `δ = r_t + discount_t · q_t_value[argmax_a q_t_selector[a]] − q_tm1[a_tm1]`.

    Source: van Hasselt, Guez and Silver (2016), equation 4.

    Args:
      q_tm1: float32 `[A]`, values before the action, of the parameters that learn.
      a_tm1: int32 `[]`, the action taken.
      r_t: float32 `[]`, the reward, or the discounted sum of those of n steps.
      discount_t: float32 `[]`, gamma^n, 0 where the game terminated.
      q_t_value: float32 `[A]`, values after the action that judge it: the target network's.
      q_t_selector: float32 `[A]`, values after the action that choose it: the learning network's.

    Returns:
      float32 `[]`; gradient through `q_tm1` only.
    """
    target = r_t + discount_t * q_t_value[q_t_selector.argmax()]
    return jax.lax.stop_gradient(target) - q_tm1[a_tm1]
