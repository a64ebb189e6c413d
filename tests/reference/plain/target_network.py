"""How the target network follows: copies now and then, a running average, no delay, or the last K copies."""

import numpy as np


def copied(parameters):
    """Returns a copy of parameters."""
    return {path: np.array(array, float) for path, array in parameters.items()}


def init(rule, parameters):
    """Returns the first target parameters; of `LastCopies` they have a leading axis of K copies."""
    if rule["type"] != "LastCopies":
        return copied(parameters)
    return {path: np.stack([array] * rule["num_copies"]).astype(float) for path, array in parameters.items()}


def is_due(every, steps_before, steps_after):
    """Returns whether a multiple of `every` lies in (steps_before, steps_after]."""
    return any(step % every == 0 for step in range(steps_before + 1, steps_after + 1))


def update(rule, parameters, target_parameters, steps_before, steps_after):
    """Returns the target parameters after one gradient step, which stands between these environment steps."""
    kind = rule["type"]
    if kind == "Online":
        return copied(parameters)
    if kind == "Polyak":
        rate = rule["rate"]
        return {path: rate * parameters[path] + (1.0 - rate) * old for path, old in target_parameters.items()}
    if not is_due(rule["every"], steps_before, steps_after):
        return copied(target_parameters)
    if kind == "Periodic":
        return copied(parameters)
    if kind == "LastCopies":
        return {path: np.stack([parameters[path], *old[:-1]]) for path, old in target_parameters.items()}
    raise ValueError(f"target network rule {kind!r} is not known")
