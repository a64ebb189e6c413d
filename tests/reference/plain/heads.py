"""What a network says of the return of each action, for one example: a mean, or a distribution.

Each function takes the layers of a pass, features `[F]`, and the uniform numbers of a head that draws, or None.
"""

from statistics import NormalDist

import autograd.numpy as np

from tests.reference.plain.layers import Layers, linear, log_softmax, relu, stop_gradient


def midpoints(number):
    """Returns the middles of equal parts of (0, 1): Dabney et al. (2018a), lemma 2."""
    return np.array([(2 * i + 1) / (2 * number) for i in range(number)])


def distort(risk, fractions):
    """Returns fractions as a risk measure distorts them: Dabney et al. (2018b), section 3.1."""
    kind, eta = risk["type"], risk.get("eta")
    if kind == "Neutral":
        return np.array(fractions, float)
    if kind == "CVaR":
        return np.array([eta * f for f in fractions])
    if kind == "Power":
        power = 1.0 / (1.0 + abs(eta))
        return np.array([f**power if eta >= 0 else 1.0 - (1.0 - f) ** power for f in fractions])
    if kind == "Wang":
        normal = NormalDist()
        return np.array([normal.cdf(normal.inv_cdf(f) + eta) if 0.0 < f < 1.0 else f for f in fractions])
    raise ValueError(f"risk measure {kind!r} is not known")


def mean_head(layers: Layers, features, head, numbers):
    """Returns one value for each action."""
    return {"q_values": layers.values(features, 1)[:, 0]}


def categorical_head(layers: Layers, features, head, numbers):
    """Returns probabilities of fixed returns, evenly spaced: Bellemare et al. (2017), section 4."""
    logits = layers.values(features, head["num_atoms"])
    atoms = np.linspace(head["v_min"], head["v_max"], head["num_atoms"])
    return {"q_values": np.sum(np.exp(log_softmax(logits)) * atoms, axis=-1), "logits": logits, "atoms": atoms}


def quantiles_head(layers: Layers, features, head, numbers):
    """Returns quantiles at the middles of equal intervals: Dabney et al. (2018a)."""
    quantiles = layers.values(features, head["num_quantiles"])
    fractions = midpoints(head["num_quantiles"])
    return {"q_values": np.mean(quantiles, axis=-1), "quantiles": quantiles, "fractions": fractions}


def embedded(layers: Layers, features, head, fractions):
    """Returns the features at each fraction, `[N, F]`: Dabney et al. (2018b), equation 4.

    `phi(tau) = relu(sum_i cos(pi i tau) w_i + b)`, i from 0, multiplies the features.
    """
    cosines = np.array([[np.cos(np.pi * i * f) for i in range(head["num_cosines"])] for f in fractions])
    return features * relu(linear(layers.parameters, layers.prefix + "fractions", cosines))


def quantile_function(layers: Layers, features, head, fractions):
    """Returns the quantiles at these fractions, `[A, N]`."""
    hidden = layers.hidden(embedded(layers, features, head, fractions), head["hidden"])
    return np.transpose(layers.values(hidden, 1)[:, :, 0])


def implicit_head(layers: Layers, features, head, numbers):
    """Returns quantiles at drawn fractions, and the mean at others, distorted, that the policy maximises.

    Source: Dabney et al. (2018b), equations 2 and 4 and the policy of K samples. The head draws first the fractions
    that it learns from, then the policy's.
    """
    num_learned, num_policy = head["num_quantiles"], head["num_policy_quantiles"]
    if numbers is None:
        numbers = np.concatenate([midpoints(num_learned), midpoints(num_policy)])
    assert len(numbers) == num_learned + num_policy, len(numbers)
    fractions = np.array(numbers[:num_learned], float)
    policy_fractions = distort(head["risk"], numbers[num_learned:])
    quantiles = quantile_function(layers, features, head, np.concatenate([fractions, policy_fractions]))
    q_values = np.mean(quantiles[:, num_learned:], axis=-1)
    return {"q_values": q_values, "quantiles": quantiles[:, :num_learned], "fractions": fractions}


def proposed_head(layers: Layers, features, head, numbers):
    """Returns quantiles at the middles of intervals that a layer proposes: Yang et al. (2019), section 3.

    The lengths of the intervals are a softmax; their gradient stays in the proposing layer. The layer's answer is
    multiplied by `pace`: a step of Adam moves the parameters as far as all others, and the proposal `pace` times that.
    The means weigh quantiles by the lengths of the intervals (equation 2 and section 3.1).
    """
    number = head["num_quantiles"]
    logits = head["pace"] * linear(layers.parameters, layers.prefix + "proposal", stop_gradient(features))
    log_lengths = log_softmax(logits)
    lengths = np.exp(log_lengths)
    boundaries = np.concatenate([np.zeros(1), np.cumsum(lengths)])
    entropy = -np.sum(lengths * log_lengths)

    ends = stop_gradient(boundaries)
    fractions = np.array([(ends[i] + ends[i + 1]) / 2 for i in range(number)])
    everything = quantile_function(layers, features, head, np.concatenate([fractions, ends[1:-1]]))
    quantiles = everything[:, :number]
    return {
        "q_values": np.dot(quantiles, np.diff(ends)),
        "quantiles": quantiles,
        "fractions": fractions,
        "boundaries": boundaries,
        "boundary_quantiles": stop_gradient(everything[:, number:]),
        "entropy": entropy,
    }


HEADS = {
    "Categorical": categorical_head,
    "Quantiles": quantiles_head,
    "ImplicitQuantiles": implicit_head,
    "ProposedFractions": proposed_head,
}


def outcome(layers: Layers, features, numbers):
    """Returns what the head of the network makes of features `[F]`."""
    head = layers.settings["head"]
    if head is None:
        return mean_head(layers, features, head, numbers)
    return HEADS[head["type"]](layers, features, head, numbers)
