"""Distributions of returns: losses and targets of one transition; callers `vmap` over a batch.

Two representations. Categorical: probabilities `[M]` on fixed atoms (C51, Rainbow, HL-Gauss). Quantiles: values `[N]`
at fractions `[N]` in (0, 1) (QR-DQN, IQN, FQF). A caller chooses the action, so no function here has an axis for it.
Each function checks the ranks and shapes of its arguments, and raises AssertionError where they are others.
"""

import chex
import jax
import jax.numpy as jnp
import numpy as np

from jaxdqn.config_fields import configuration, number
from jaxdqn.interfaces import Array, Number


def project_categorical(atoms_from: Array, probabilities: Array, atoms: Array) -> Array:
    """Returns a distribution on other atoms, `out[i] = Σ_j probabilities[j] · max(1 − |clip(z_j) − atoms[i]| / Δ, 0)`.

    Source: Bellemare, Dabney and Munos (2017), equation 7 and algorithm 1. `z_j` is `atoms_from[j]`; it is clipped to
    the ends of `atoms`; Δ is the distance between neighbours. A `z_j` between two atoms is shared out by how near it
    is to each, so no mass is lost, also where it falls on an atom or where all of it falls on one point.

    Args:
      atoms_from: float32 `[N]`, in any order, equal ones allowed: `r_t + discount_t · atoms`.
      probabilities: float32 `[N]`, of `atoms_from`.
      atoms: float32 `[M]`, increasing and evenly spaced.

    Returns:
      float32 `[M]`, with the sum of `probabilities`; differentiable.
    """
    chex.assert_rank([atoms_from, atoms], 1)
    chex.assert_equal_shape([atoms_from, probabilities])
    num_atoms = atoms.shape[0]
    place = (atoms_from - atoms[0]) / (atoms[-1] - atoms[0]) * (num_atoms - 1)
    distance = jnp.abs(jnp.clip(place, 0.0, num_atoms - 1.0)[None, :] - jnp.arange(num_atoms)[:, None])  # [M, N]
    # Full float32 precision: by default, accelerators multiply matrices with fewer bits.
    return jnp.matmul(jnp.maximum(1.0 - distance, 0.0), probabilities, precision="highest")


def categorical_target(r_t: Array, discount_t: Array, probabilities_t: Array, atoms: Array) -> Array:
    """Returns the projected distribution of `r_t + discount_t · Z_t`, what C51 learns.

    Source: Bellemare, Dabney and Munos (2017), algorithm 1.

    Args:
      r_t: float32 `[]`, the reward, or the discounted sum of those of n steps.
      discount_t: float32 `[]`, gamma^n, 0 where the game terminated: all mass then lies at `r_t`.
      probabilities_t: float32 `[M]`, after the step, of the action that the caller has chosen.
      atoms: float32 `[M]`, increasing.

    Returns:
      float32 `[M]`; no gradient.
    """
    chex.assert_rank([r_t, discount_t, atoms], [0, 0, 1])
    chex.assert_equal_shape([probabilities_t, atoms])
    return jax.lax.stop_gradient(project_categorical(r_t + discount_t * atoms, probabilities_t, atoms))


def cross_entropy(target: Array, logits: Array) -> Array:
    """Returns the cross-entropy, `−Σ_i target[i] · ln softmax(logits)[i]`.

    Source: Bellemare, Dabney and Munos (2017), algorithm 1; Farebrother et al. (2024), section 3.

    Args:
      target: float32 `[M]`, probabilities.
      logits: float32 `[M]`, of the online network, for the action taken.

    Returns:
      float32 `[]`; gradient through `logits` only, `softmax(logits) − target` where `target` sums to 1.
    """
    chex.assert_rank(target, 1)
    chex.assert_equal_shape([target, logits])
    return -jnp.sum(jax.lax.stop_gradient(target) * jax.nn.log_softmax(logits))


def kl_divergence(target: Array, logits: Array) -> Array:
    """Returns the Kullback-Leibler divergence, `Σ_i target[i] · (ln target[i] − ln softmax(logits)[i])`.

    Source: Hessel et al. (2018), section "The Integrated Agent": Rainbow's priority. It is `cross_entropy` less the
    entropy of the target, so both have one gradient; unlike it, it falls to 0 as the prediction becomes right.

    Args:
      target: float32 `[M]`, probabilities, 0 allowed.
      logits: float32 `[M]`, of the online network, for the action taken.

    Returns:
      float32 `[]`, not below 0; gradient through `logits` only.
    """
    chex.assert_rank(target, 1)
    chex.assert_equal_shape([target, logits])
    target = jax.lax.stop_gradient(target)
    divergence = cross_entropy(target, logits) + jnp.sum(jax.scipy.special.xlogy(target, target))
    return jnp.maximum(divergence, 0.0)  # rounding takes the smallest below 0, which no priority may be


def hl_gauss_target(value: Array, edges: Array, *, sigma: Number) -> Array:
    """Returns a normal distribution in bins, `out[i] = (Φ(edges[i+1]) − Φ(edges[i])) / (Φ(edges[M]) − Φ(edges[0]))`.

    Source: Farebrother et al. (2024), section 3.1, HL-Gauss of Imani and White (2018); `Φ(e)` is the normal
    distribution function at `(e − value) / sigma`. A value beyond the edges counts as the nearest: far outside,
    both differences would be 0. Within about `3 sigma` of an end, the part cut off moves the mean inwards.

    Args:
      value: float32 `[]`, the target, such as `r_t + discount_t · max_a q_t[a]`.
      edges: float32 `[M + 1]`, increasing.
      sigma: the standard deviation in units of value, above 0; the paper's is 0.75 of the width of a bin.

    Returns:
      float32 `[M]`, with sum 1; no gradient. Each probability belongs to the centre of its bin.
    """
    chex.assert_rank([value, edges], [0, 1])
    value = jnp.clip(jax.lax.stop_gradient(value), edges[0], edges[-1])
    distribution = jax.scipy.special.erf((edges - value) / (np.sqrt(2.0, dtype=np.float32) * sigma))
    return jnp.diff(distribution) / (distribution[-1] - distribution[0])


def midpoints(num_quantiles: int) -> Array:
    """Returns the middles of N equal parts of (0, 1), float32 `[N]` (Dabney et al. 2018a, lemma 2)."""
    return (jnp.arange(num_quantiles, dtype=jnp.float32) + 0.5) / num_quantiles


def quantile_huber_loss(quantiles: Array, fractions: Array, target_quantiles: Array, *, kappa: Number) -> Array:
    """Returns the quantile Huber loss, `Σ_i mean_j |fractions[i] − 1{δ_ij < 0}| · L(δ_ij) / kappa`.

    Source: Dabney et al. (2018b), equation 3 (IQN). `δ_ij = target_quantiles[j] − quantiles[i]`; L is the Huber loss,
    `½ δ²` where `|δ| ≤ kappa`, else `kappa · (|δ| − ½ kappa)`. Dabney et al. (2018a), equation 10 (QR-DQN) do not
    divide by kappa; at their `kappa = 1` both agree. `kappa = 0` is plain quantile regression, their equation 8.

    Args:
      quantiles: float32 `[N]`, before the step, of the online network, for the action taken.
      fractions: float32 `[N]`, in (0, 1), those of `quantiles`.
      target_quantiles: float32 `[M]`, `r_t + discount_t ·` those after the step, equally weighted.
      kappa: at least 0.

    Returns:
      float32 `[]`; gradient through `quantiles` only. With one quantile at 1/2 and one target it is half of a Huber
      loss over kappa.
    """
    chex.assert_rank([quantiles, target_quantiles], 1)
    chex.assert_equal_shape([quantiles, fractions])
    td_errors = jax.lax.stop_gradient(target_quantiles)[None, :] - quantiles[:, None]  # [N, M]
    below = jax.lax.stop_gradient(td_errors < 0.0)
    weight = jnp.abs(jax.lax.stop_gradient(fractions)[:, None] - below)
    # The Huber loss over kappa without 0 / 0: where kappa is 0, so is the quadratic part.
    size = td_errors * jnp.sign(td_errors)  # not abs, whose slope at 0 is 1 here: a right quantile stays
    quadratic = jnp.minimum(size, kappa)
    huber = 0.5 * jnp.square(quadratic) / jnp.where(kappa > 0, kappa, 1.0) + size - quadratic
    return jnp.sum(jnp.mean(weight * huber, axis=1))


def fraction_gradient(quantiles: Array, midpoint_quantiles: Array) -> Array:
    """Returns `∂W₁ / ∂fractions[i] = 2 quantiles[i] − midpoint_quantiles[i + 1] − midpoint_quantiles[i]`.

    Source: Yang et al. (2019), proposition 1. W₁ is the distance between the distribution and the N steps that stand
    for it, each as high as the quantile in the middle of its fractions; the outermost fractions, 0 and 1, do not move.

    Args:
      quantiles: float32 `[N - 1]`, at the fractions between 0 and 1.
      midpoint_quantiles: float32 `[N]`, at the middles of neighbouring fractions, 0 and 1 among these.

    Returns:
      float32 `[N - 1]`; no gradient.
    """
    chex.assert_rank(quantiles, 1)
    chex.assert_shape(midpoint_quantiles, (quantiles.shape[0] + 1,))
    return jax.lax.stop_gradient(2.0 * quantiles - midpoint_quantiles[1:] - midpoint_quantiles[:-1])


def fraction_loss(fractions: Array, quantiles: Array, midpoint_quantiles: Array) -> Array:
    """Returns a number whose gradient is `fraction_gradient`, `Σ_i fraction_gradient[i] · fractions[i]`.

    Source: Yang et al. (2019), proposition 1. Only its gradient has a meaning; its value is no distance.

    Args:
      fractions: float32 `[N - 1]`, proposed, between 0 and 1.
      quantiles: float32 `[N - 1]`, at `fractions`.
      midpoint_quantiles: float32 `[N]`, as for `fraction_gradient`.

    Returns:
      float32 `[]`; gradient through `fractions` only.
    """
    chex.assert_rank(fractions, 1)
    chex.assert_equal_shape([fractions, quantiles])
    return jnp.sum(fraction_gradient(quantiles, midpoint_quantiles) * fractions)


def wasserstein(atoms_p: Array, probabilities_p: Array, atoms_q: Array, probabilities_q: Array) -> Array:
    """Returns the 1-Wasserstein distance, `∫ |F_p(z) − F_q(z)| dz`, the area between the distribution functions.

    Source: Bellemare, Dabney and Munos (2017), section 3.2, as an integral over values. N quantiles are atoms of
    probability 1/N each, and a known return is one atom of probability 1.

    Args:
      atoms_p: float32 `[N]`, in any order, equal ones allowed.
      probabilities_p: float32 `[N]`, with sum 1.
      atoms_q: float32 `[M]`, likewise.
      probabilities_q: float32 `[M]`, with sum 1.

    Returns:
      float32 `[]`.
    """
    chex.assert_rank([atoms_p, atoms_q], 1)
    chex.assert_equal_shape([atoms_p, probabilities_p])
    chex.assert_equal_shape([atoms_q, probabilities_q])
    atoms = jnp.concatenate([atoms_p, atoms_q])
    order = jnp.argsort(atoms)
    difference = jnp.cumsum(jnp.concatenate([probabilities_p, -probabilities_q])[order])
    return jnp.sum(jnp.abs(difference[:-1]) * jnp.diff(atoms[order]))


@configuration
class Neutral:
    """No distortion: the mean of the return decides."""

    def __call__(self, fractions: Array) -> Array:
        """Returns `fractions`."""
        return fractions


@configuration
class CVaR:
    """Conditional value at risk: the mean of the worst part of the returns decides.

    Source: Dabney et al. (2018b), "Risk-Sensitive Reinforcement Learning", CVaR.

    Attributes:
      eta: what part; 1 is neutral.
    """

    eta: float = number(0.25, above=0, at_most=1)

    def __call__(self, fractions: Array) -> Array:
        """Returns `eta · fractions`, of the shape of `fractions`."""
        return self.eta * fractions


@configuration
class Power:
    """A power of the fractions, or of what they leave of 1.

    Source: Dabney et al. (2018b), "Risk-Sensitive Reinforcement Learning", Pow.

    Attributes:
      eta: below 0 averse to risk, above 0 seeking it, 0 neutral.
    """

    eta: float = number(-2.0)

    def __call__(self, fractions: Array) -> Array:
        """Returns `f^p` if `eta ≥ 0`, else `1 − (1 − f)^p`, with `p = 1 / (1 + |eta|)`, of the shape of `fractions`."""
        power = 1.0 / (1.0 + jnp.abs(self.eta))
        return jnp.where(self.eta >= 0, fractions**power, 1.0 - (1.0 - fractions) ** power)


@configuration
class Wang:
    """A shift of the fractions, taken as those of a normal distribution.

    Source: Wang (2000); Dabney et al. (2018b), "Risk-Sensitive Reinforcement Learning", Wang.

    Attributes:
      eta: below 0 averse to risk, above 0 seeking it, 0 neutral.
    """

    eta: float = number(-0.75)

    def __call__(self, fractions: Array) -> Array:
        """Returns `Φ(Φ⁻¹(fractions) + eta)`, of the shape of `fractions`."""
        return jax.scipy.special.ndtr(jax.scipy.special.ndtri(fractions) + self.eta)


Risk = Neutral | CVaR | Power | Wang
