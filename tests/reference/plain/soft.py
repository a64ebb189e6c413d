"""Values of soft policies: Vieillard, Pietquin and Geist (2020), equations 1 and 2."""

import math


def scaled_log_policy(q_values, temperature):
    """Returns `tau ln pi(a) = q[a] - tau ln sum_b exp(q[b] / tau)` for each action."""
    largest = max(q_values)
    total = sum(math.exp((q - largest) / temperature) for q in q_values)
    return [q - largest - temperature * math.log(total) for q in q_values]


def value(values, q_values, temperature):
    """Returns `sum_a pi(a) (values[a] - tau ln pi(a))`, where pi is the softmax of `q_values / tau`."""
    total = 0.0
    for own, log_policy in zip(values, scaled_log_policy(q_values, temperature), strict=True):
        total += math.exp(log_policy / temperature) * (own - log_policy)
    return total


def bonus(q_values, action, algorithm):
    """Returns what is added to the reward, `alpha clip(tau ln pi(a), l0, 0)`."""
    log_policy = scaled_log_policy(q_values, algorithm["temperature"])[int(action)]
    return algorithm["scale"] * min(max(log_policy, algorithm["clip"]), 0.0)
