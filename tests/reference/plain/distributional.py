"""Distributions of returns, of one transition: projections, targets and losses."""

import math

import autograd.numpy as np

from tests.reference.plain.layers import log_softmax, stop_gradient


def project(atoms_from, probabilities, atoms):
    """Returns a distribution on other atoms: Bellemare et al. (2017), algorithm 1.

    Each value is clipped to the range and its probability shared out between the two atoms beside it.
    """
    out = [0.0] * len(atoms)
    width = (atoms[-1] - atoms[0]) / (len(atoms) - 1)
    for z, p in zip(atoms_from, probabilities, strict=True):
        place = (min(max(z, atoms[0]), atoms[-1]) - atoms[0]) / width
        lower = min(math.floor(place), len(atoms) - 1)
        upper = min(lower + 1, len(atoms) - 1)
        out[lower] += p * (1.0 - (place - lower))
        out[upper] += p * (place - lower)
    return np.array(out)


def cross_entropy(target, logits):
    """Returns `-sum_i target_i ln softmax(logits)_i`."""
    return -np.sum(target * log_softmax(logits))


def kl_divergence(target, logits):
    """Returns `sum_i target_i (ln target_i - ln softmax(logits)_i)`, where 0 ln 0 = 0."""
    log_q = stop_gradient(log_softmax(logits))
    return sum(t * (math.log(t) - log_q) for t, log_q in zip(target, log_q, strict=True) if t > 0.0)


def hl_gauss(value, atoms, smoothing):
    """Returns a normal distribution in bins around the atoms: Farebrother et al. (2024), section 3.1.

    Its deviation is `smoothing` widths of a bin. A value beyond the outermost edges counts as the nearest of them.
    """
    width = (atoms[-1] - atoms[0]) / (len(atoms) - 1)
    edges = [atoms[0] + (i - 0.5) * width for i in range(len(atoms) + 1)]
    value = min(max(value, edges[0]), edges[-1])
    below = [0.5 * (1.0 + math.erf((e - value) / (smoothing * width * math.sqrt(2.0)))) for e in edges]
    return np.array([(below[i + 1] - below[i]) / (below[-1] - below[0]) for i in range(len(atoms))])


def quantile_huber(quantiles, fractions, targets, kappa):
    """Returns `sum_i mean_j |tau_i - 1{delta_ij < 0}| L(delta_ij) / kappa`: Dabney et al. (2018b), equation 3.

    With `kappa = 0` it is quantile regression, `|delta|` in place of `L / kappa`.
    """
    total = 0.0
    for i in range(len(fractions)):
        for target in targets:
            delta = target - quantiles[i]
            size = np.abs(delta)
            if kappa == 0:
                cost = size
            elif size <= kappa:
                cost = 0.5 * delta**2 / kappa
            else:
                cost = size - 0.5 * kappa
            total = total + abs(fractions[i] - (1.0 if delta < 0 else 0.0)) * cost / len(targets)
    return total


def fraction_loss(boundaries, boundary_quantiles, quantiles):
    """Returns a number whose gradient in the inner boundaries is that of the distance W1.

    Source: Yang et al. (2019), proposition 1: `dW1 / dtau_i = 2 Z(tau_i) - Z(tau^_i) - Z(tau^_{i-1})`.
    """
    total = 0.0
    for i in range(1, len(boundaries) - 1):
        slope = 2.0 * boundary_quantiles[i - 1] - quantiles[i] - quantiles[i - 1]
        total = total + slope * boundaries[i]
    return total
