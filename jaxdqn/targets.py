"""Temporal-difference errors of one transition, and what they are made of; callers `vmap` over a batch.

Each function called `..._q_learning` returns `δ = target − q_tm1[a_tm1]`. The target is a constant: gradients flow
through `q_tm1` alone. `q_lambda` returns the targets of a sequence, for data that is learned from in order.

Each function checks the ranks of its arguments, and raises AssertionError where a batch is given for one transition.
"""

import chex
import jax
import jax.numpy as jnp

from jaxdqn.interfaces import Array, Number


def q_learning(q_tm1: Array, a_tm1: Array, r_t: Array, discount_t: Array, q_t: Array) -> Array:
    """Returns the Q-learning error, `δ = r_t + discount_t · max_a q_t[a] − q_tm1[a_tm1]`.

    Source: Watkins and Dayan (1992), equation 1; with `q_t` of a target network, Mnih et al. (2015), algorithm 1.

    Args:
      q_tm1: float32 `[A]`, values before the action, of the online network.
      a_tm1: int32 `[]`, the action taken.
      r_t: float32 `[]`, the reward, or the discounted sum of those of n steps.
      discount_t: float32 `[]`, gamma^n, 0 where the game terminated.
      q_t: float32 `[A]`, values after the action.

    Returns:
      float32 `[]`; gradient through `q_tm1` only.
    """
    _check_transition(q_tm1, a_tm1, r_t, discount_t, q_t)
    target = r_t + discount_t * q_t.max()
    return jax.lax.stop_gradient(target) - q_tm1[a_tm1]


def double_q_learning(
    q_tm1: Array, a_tm1: Array, r_t: Array, discount_t: Array, q_t_value: Array, q_t_selector: Array
) -> Array:
    """Returns the double Q-learning error, `δ = r_t + discount_t · q_t_value[argmax_a q_t_selector[a]] − q_tm1[a_tm1]`.

    Source: van Hasselt, Guez and Silver (2016), equation 4.

    Args:
      q_tm1: float32 `[A]`, values before the action, of the online network.
      a_tm1: int32 `[]`, the action taken.
      r_t: float32 `[]`, the reward, or the discounted sum of those of n steps.
      discount_t: float32 `[]`, gamma^n, 0 where the game terminated.
      q_t_value: float32 `[A]`, values after the action, of the target network, for the value.
      q_t_selector: float32 `[A]`, values after the action, of the online network, for its choice.

    Returns:
      float32 `[]`; gradient through `q_tm1` only.
    """
    _check_transition(q_tm1, a_tm1, r_t, discount_t, q_t_value, q_t_selector)
    target = r_t + discount_t * q_t_value[q_t_selector.argmax()]
    return jax.lax.stop_gradient(target) - q_tm1[a_tm1]


def clipped_double_q_learning(
    q_tm1: Array, a_tm1: Array, r_t: Array, discount_t: Array, q_t_values: Array, q_t_selector: Array
) -> Array:
    """Returns the error of the least estimate, `δ = r_t + discount_t · min_k q_t_values[k, a*] − q_tm1[a_tm1]`.

    Source: Fujimoto, van Hoof and Meger (2018), equation 10. Their actor chooses the action before the critics evaluate
    it; so here `a* = argmax_a q_t_selector[a]` comes first and the minimum second. With the minimum first, each action
    would be evaluated by another critic, and the maximum would favour overestimates again.

    Args:
      q_tm1: float32 `[A]`, values before the action, of the online network.
      a_tm1: int32 `[]`, the action taken.
      r_t: float32 `[]`, the reward, or the discounted sum of those of n steps.
      discount_t: float32 `[]`, gamma^n, 0 where the game terminated.
      q_t_values: float32 `[K, A]`, values after the action, of K target networks.
      q_t_selector: float32 `[A]`, values after the action, of the online network, for its choice.

    Returns:
      float32 `[]`; gradient through `q_tm1` only. With `K = 1` it is `double_q_learning`.
    """
    _check_transition(q_tm1, a_tm1, r_t, discount_t, q_t_selector)
    chex.assert_shape(q_t_values, (None, *q_tm1.shape))
    target = r_t + discount_t * q_t_values[:, q_t_selector.argmax()].min()
    return jax.lax.stop_gradient(target) - q_tm1[a_tm1]


def averaged_q_learning(q_tm1: Array, a_tm1: Array, r_t: Array, discount_t: Array, q_t_values: Array) -> Array:
    """Returns the error of the mean estimate, `δ = r_t + discount_t · max_a mean_k q_t_values[k, a] − q_tm1[a_tm1]`.

    Source: Anschel, Baram and Shimkin (2017), algorithm 2 (Averaged-DQN): the K last target networks.

    Args:
      q_tm1: float32 `[A]`, values before the action, of the online network.
      a_tm1: int32 `[]`, the action taken.
      r_t: float32 `[]`, the reward, or the discounted sum of those of n steps.
      discount_t: float32 `[]`, gamma^n, 0 where the game terminated.
      q_t_values: float32 `[K, A]`, values after the action, of K target networks.

    Returns:
      float32 `[]`; gradient through `q_tm1` only. With `K = 1` it is `q_learning`.
    """
    chex.assert_shape(q_t_values, (None, *q_tm1.shape))
    return q_learning(q_tm1, a_tm1, r_t, discount_t, q_t_values.mean(axis=0))


def munchausen_q_learning(
    q_tm1: Array,
    a_tm1: Array,
    r_t: Array,
    discount_t: Array,
    q_t: Array,
    q_tm1_target: Array,
    *,
    temperature: Number,
    scale: Number,
    clip: Number,
) -> Array:
    """Returns the Munchausen error, `δ = r_t + bonus + discount_t · Σ_a π(a) (q_t[a] − τ ln π(a)) − q_tm1[a_tm1]`.

    Source: Vieillard, Pietquin and Geist (2020), equation 2; `π = softmax(q_t / τ)`, τ is the temperature, and
    `munchausen_bonus` is the bonus. With `scale = 0` it is their soft DQN, equation 1, which tends to `q_learning`
    as the temperature falls.

    Args:
      q_tm1: float32 `[A]`, values before the action, of the online network.
      a_tm1: int32 `[]`, the action taken.
      r_t: float32 `[]`, the reward. The bonus is defined for one step, so n-step returns are not supported.
      discount_t: float32 `[]`, gamma, 0 where the game terminated, where the bonus stays.
      q_t: float32 `[A]`, values after the action, of the target network.
      q_tm1_target: float32 `[A]`, values before the action, of the target network.
      temperature: τ, above 0.
      scale: α, how much of the log-policy is added to the reward.
      clip: l0, the lower bound of `τ ln π`, below 0.

    Returns:
      float32 `[]`; gradient through `q_tm1` only.
    """
    _check_transition(q_tm1, a_tm1, r_t, discount_t, q_t, q_tm1_target)
    bonus = munchausen_bonus(q_tm1_target, a_tm1, temperature=temperature, scale=scale, clip=clip)
    value = soft_value(q_t, scaled_log_policy(q_t, temperature=temperature), temperature=temperature)
    return jax.lax.stop_gradient(r_t + bonus + discount_t * value) - q_tm1[a_tm1]


def munchausen_bonus(q_tm1_target: Array, a_tm1: Array, *, temperature: Number, scale: Number, clip: Number) -> Array:
    """Returns what Munchausen learning adds to the reward, `α · clip(τ ln π(a_tm1), l0, 0)`.

    Source: Vieillard, Pietquin and Geist (2020), the clipped log-policy of M-DQN; `π = softmax(q_tm1_target / τ)`.

    Args:
      q_tm1_target: float32 `[A]`, values before the action, of the target network; with quantiles, their means.
      a_tm1: int32 `[]`, the action taken.
      temperature: τ, above 0.
      scale: α.
      clip: l0, below 0.

    Returns:
      float32 `[]`, not above 0; a caller stops its gradient, as `munchausen_q_learning` does.
    """
    chex.assert_rank([q_tm1_target, a_tm1], [1, 0])
    chex.assert_type(a_tm1, int)
    return scale * jnp.clip(scaled_log_policy(q_tm1_target, temperature=temperature)[a_tm1], clip, 0.0)


def scaled_log_policy(q: Array, *, temperature: Number) -> Array:
    """Returns the log-policy of a softmax in units of value, `τ ln π(a) = q[a] − τ ln Σ_b exp(q[b] / τ)`.

    Source: Vieillard, Pietquin and Geist (2020), as their code computes it. The largest value is taken away before the
    division by τ, so nothing overflows and the differences keep their digits at any temperature.

    Args:
      q: float32 `[A]`, values.
      temperature: τ, above 0.

    Returns:
      float32 `[A]`, not above 0; differentiable.
    """
    chex.assert_rank(q, 1)
    below_best = q - q.max()
    return below_best - temperature * jax.nn.logsumexp(below_best / temperature)


def soft_value(values: Array, scaled_log_policy: Array, *, temperature: Number) -> Array:
    """Returns the value of a policy with its entropy, `Σ_a π(a) (values[a] − τ ln π(a))`.

    Source: Vieillard, Pietquin and Geist (2020), equation 1. A caller with quantiles maps it over their rows, with the
    one policy that follows from their means (M-IQN).

    Args:
      values: float32 `[A]`.
      scaled_log_policy: float32 `[A]`, `τ ln π`, as the function of that name returns it.
      temperature: τ, above 0.

    Returns:
      float32 `[]`; differentiable.
    """
    chex.assert_rank(values, 1)
    chex.assert_equal_shape([values, scaled_log_policy])
    return jnp.sum(jnp.exp(scaled_log_policy / temperature) * (values - scaled_log_policy))


def rescaled_double_q_learning(
    q_tm1: Array, a_tm1: Array, r_t: Array, discount_t: Array, q_t_value: Array, q_t_selector: Array, *, eps: Number
) -> Array:
    """Returns the error of rescaled values, `δ = h(r_t + discount_t · h⁻¹(q_t_value[a*])) − q_tm1[a_tm1]`.

    Source: Kapturowski et al. (2019), section 2.3; Pohlen et al. (2018), "Transformed Bellman Operator". The networks
    learn `h` of the return, `signed_hyperbolic`; `a* = argmax_a q_t_selector[a]`, the same before and after h, which is
    increasing.

    Args:
      q_tm1: float32 `[A]`, rescaled values before the action, of the online network.
      a_tm1: int32 `[]`, the action taken.
      r_t: float32 `[]`, the reward, not rescaled, or the discounted sum of those of n steps.
      discount_t: float32 `[]`, gamma^n, 0 where the game terminated.
      q_t_value: float32 `[A]`, rescaled values after the action, of the target network, for the value.
      q_t_selector: float32 `[A]`, rescaled values after the action, of the online network, for its choice.
      eps: the slope that `h` tends to.

    Returns:
      float32 `[]`; gradient through `q_tm1` only.
    """
    _check_transition(q_tm1, a_tm1, r_t, discount_t, q_t_value, q_t_selector)
    value = signed_parabolic(q_t_value[q_t_selector.argmax()], eps=eps)
    target = signed_hyperbolic(r_t + discount_t * value, eps=eps)
    return jax.lax.stop_gradient(target) - q_tm1[a_tm1]


def signed_hyperbolic(x: Array, *, eps: Number = 1e-3) -> Array:
    """Returns the rescaled value, `h(x) = sign(x) (√(|x| + 1) − 1) + eps · x`.

    Source: Pohlen et al. (2018), "Transformed Bellman Operator". Written without the difference of near numbers:
    `√(|x| + 1) − 1` is `|x| / (√(|x| + 1) + 1)`.

    Args:
      x: float32, of any shape.
      eps: keeps the inverse Lipschitz; at least 0.

    Returns:
      float32 of the shape of `x`; differentiable.
    """
    chex.assert_type(x, float)
    return x / (jnp.sqrt(jnp.abs(x) + 1.0) + 1.0) + eps * x


def signed_parabolic(y: Array, *, eps: Number = 1e-3) -> Array:
    """Returns the inverse, `h⁻¹(y) = sign(y) (((√(1 + 4 eps (|y| + 1 + eps)) − 1) / 2 eps)² − 1)`.

    Source: Pohlen et al. (2018), proposition A.2. Computed as `w (|w| + 2)`, where `|w| = √(|h⁻¹(y)| + 1) − 1` is the
    root of `eps w² + (1 + 2 eps) w = |y|`, in the form that subtracts nothing and allows `eps = 0`.

    Args:
      y: float32, of any shape.
      eps: as for `signed_hyperbolic`.

    Returns:
      float32 of the shape of `y`; differentiable.
    """
    chex.assert_type(y, float)
    slope = 1.0 + 2.0 * eps
    w = 2.0 * y / (slope + jnp.sqrt(slope * slope + 4.0 * eps * jnp.abs(y)))
    return w * (jnp.abs(w) + 2.0)


def q_lambda(r_t: Array, discount_t: Array, ended_t: Array, v_t: Array, *, lambda_: Number) -> Array:
    """Returns the λ-returns of a sequence, `G_t = r_t + discount_t · (λ · G_{t+1} + (1 − λ) · v_t)`.

    Source: Gallici et al. (2025), the targets of PQN: Peng's Q(λ) (Peng and Williams 1996), which follows the actions
    taken, greedy or not. After the last step of an episode, and of the sequence, the next return belongs
    to another game: there `G_t = r_t + discount_t · v_t`. `λ = 0` is one step; `λ = 1` all rewards up to such a step.
    On eight steps with one termination and one truncation, Stoix and CleanRL give the same returns, while purejaxql
    (issue 12), jaxnasium and rejax (issues 34 and 35) give others: some bootstrap from the observation of another step,
    or continue past the truncation.

    Args:
      r_t: float32 `[T]`, rewards in order of time, each after its step.
      discount_t: float32 `[T]`, gamma, 0 only where the game terminated.
      ended_t: bool `[T]`, the episode ended with this step: terminated or truncated.
      v_t: float32 `[T]`, `max_a q[a]` of the observation after the step, before any reset.
      lambda_: λ in [0, 1].

    Returns:
      float32 `[T]`; no gradient.
    """
    chex.assert_rank(r_t, 1)
    chex.assert_equal_shape([r_t, discount_t, ended_t, v_t])
    chex.assert_type(ended_t, bool)

    def step(g_next: Array, now: tuple[Array, Array, Array, Array]) -> tuple[Array, Array]:
        r, discount, ended, v = now
        g = r + discount * jnp.where(ended, v, lambda_ * g_next + (1.0 - lambda_) * v)
        return g, g

    _, g_t = jax.lax.scan(step, v_t[-1], (r_t, discount_t, ended_t, v_t), reverse=True)
    return jax.lax.stop_gradient(g_t)


def _check_transition(q_tm1: Array, a_tm1: Array, r_t: Array, discount_t: Array, *values: Array) -> None:
    """Raises AssertionError unless these are one transition, with action values `[A]`."""
    chex.assert_rank([q_tm1, a_tm1, r_t, discount_t], [1, 0, 0, 0])
    chex.assert_equal_shape([q_tm1, *values])
    chex.assert_type([q_tm1, a_tm1], [float, int])
