"""Outputs of networks. All have the action values `q_values`; `A` is the number of actions."""

from typing import NamedTuple

from jax import Array


class NetworkOutput(NamedTuple):
    """Action values, `q_values` `[..., A]`. All outputs have this field, which acting and evaluation use."""

    q_values: Array


class CategoricalOutput(NamedTuple):
    """Distributions of the return over fixed atoms.

    Attributes:
      q_values: float32 `[..., A]`, means of the distributions.
      logits: float32 `[..., A, N]`, of the probabilities.
      atoms: float32 `[N]`, values of the return, ascending and evenly spaced.
    """

    q_values: Array
    logits: Array
    atoms: Array


class QuantileOutput(NamedTuple):
    """Distributions of the return as quantiles.

    Attributes:
      q_values: float32 `[..., A]`, maximised by the policy: the mean, or a distorted mean.
      quantiles: float32 `[..., A, N]`, quantiles of the return at `fractions`.
      fractions: float32 `[..., N]`, in (0, 1).
    """

    q_values: Array
    quantiles: Array
    fractions: Array


class FractionOutput(NamedTuple):
    """Quantiles at fractions that the network proposes.

    Attributes:
      q_values: float32 `[..., A]`, mean of the step function with these quantiles.
      quantiles: float32 `[..., A, N]`, at the midpoints of the proposed intervals.
      fractions: float32 `[..., N]`, these midpoints; no gradient flows.
      boundaries: float32 `[..., N + 1]`, proposed boundaries of the intervals, from 0 to 1; their gradient flows into
        the fraction proposal only.
      boundary_quantiles: float32 `[..., A, N - 1]`, at the inner boundaries; no gradient flows.
      entropy: float32 `[...]`, of the lengths of the intervals.
    """

    q_values: Array
    quantiles: Array
    fractions: Array
    boundaries: Array
    boundary_quantiles: Array
    entropy: Array


class EnsembleOutput(NamedTuple):
    """Action values of K members, `members` `[..., K, A]`, and their mean, `q_values` `[..., A]`."""

    q_values: Array
    members: Array


AnyOutput = NetworkOutput | CategoricalOutput | QuantileOutput | FractionOutput | EnsembleOutput
