"""What networks answer with: action values `q_values`, and what they are made of. `A` is the number of actions."""

from typing import NamedTuple

from jax import Array


class NetworkOutput(NamedTuple):
    """What every network names, so that acting and evaluation do not know the algorithm: `q_values` `[..., A]`."""

    q_values: Array


class CategoricalOutput(NamedTuple):
    """Distributions of the return over fixed values.

    Attributes:
      q_values: float32 `[..., A]`, their means.
      logits: float32 `[..., A, N]`, of the probabilities.
      atoms: float32 `[N]`, the values, in rising order and evenly spaced.
    """

    q_values: Array
    logits: Array
    atoms: Array


class QuantileOutput(NamedTuple):
    """Distributions of the return as quantiles.

    Attributes:
      q_values: float32 `[..., A]`, what the policy maximises: the mean, or a distorted one.
      quantiles: float32 `[..., A, N]`, the return that is not exceeded with probability `fractions`.
      fractions: float32 `[..., N]`, in (0, 1).
    """

    q_values: Array
    quantiles: Array
    fractions: Array


class FractionOutput(NamedTuple):
    """Quantiles at fractions that the network proposes itself.

    Attributes:
      q_values: float32 `[..., A]`, the mean of the step function that the quantiles are.
      quantiles: float32 `[..., A, N]`, at the middles of the proposed intervals.
      fractions: float32 `[..., N]`, those middles, no gradient.
      boundaries: float32 `[..., N + 1]`, the proposed ends of the intervals, from 0 to 1; their gradient reaches the
        proposal alone.
      boundary_quantiles: float32 `[..., A, N - 1]`, at the inner boundaries, no gradient.
      entropy: float32 `[...]`, of the lengths of the intervals.
    """

    q_values: Array
    quantiles: Array
    fractions: Array
    boundaries: Array
    boundary_quantiles: Array
    entropy: Array


class EnsembleOutput(NamedTuple):
    """Action values of several members, `[..., K, A]`, and their mean, `q_values` `[..., A]`."""

    q_values: Array
    members: Array


AnyOutput = NetworkOutput | CategoricalOutput | QuantileOutput | FractionOutput | EnsembleOutput
