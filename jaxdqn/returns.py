"""Returns over several steps."""

from typing import NamedTuple

import chex
import jax.numpy as jnp

from jaxdqn.interfaces import Array, Number


class NStepReturn(NamedTuple):
    """The steps really taken out of a window of n, and what they earned.

    Attributes:
      r_t: float32 `[]`, the discounted sum of the rewards.
      discount_t: float32 `[]`, gamma to the number of steps taken; 0 if the last of them terminated.
      last: int32 `[]`, the place in the window of the last step taken, whose `s_t` the target bootstraps from.
    """

    r_t: Array
    discount_t: Array
    last: Array


def n_step(rewards: Array, terminated: Array, truncated: Array, available: Array, discount: Number) -> NStepReturn:
    """Returns the n-step return of one window, cut at the end of the episode and at the newest step stored.

    Source: Sutton and Barto (2018), equation 7.1: `r_t = Σ_{i<k} γ^i r_i` and `discount_t = γ^k`, where k ≤ n counts
    the steps up to the first that ended the episode, or up to the newest. A time limit ends the window but keeps
    the bootstrap.

    Args:
      rewards: float32 `[n]`, in order of time.
      terminated: bool `[n]`.
      truncated: bool `[n]`.
      available: int32 `[]`, how many steps of the window have been taken yet, at least 1.
      discount: float32 `[]`, gamma for one step.
    """
    chex.assert_rank([rewards, available], [1, 0])
    chex.assert_equal_shape([rewards, terminated, truncated])
    chex.assert_type([terminated, truncated], bool)
    n = rewards.shape[0]
    ended = terminated | truncated
    taken, r_t, discount_t, last = jnp.bool_(True), jnp.float32(0.0), jnp.float32(1.0), jnp.int32(0)
    bootstrap = jnp.bool_(True)
    for i in range(n):  # unrolled: n is small, and the order of the additions is that of the equation
        r_t = r_t + jnp.where(taken, discount_t * rewards[i], 0.0)
        discount_t = jnp.where(taken, discount_t * discount, discount_t)
        bootstrap = bootstrap & ~(taken & terminated[i])
        last = jnp.where(taken, i, last)
        taken = taken & ~ended[i] & (i + 1 < available)
    return NStepReturn(r_t, jnp.where(bootstrap, discount_t, 0.0), last)
