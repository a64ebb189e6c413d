"""Optimizers on dictionaries of arrays: Adam, rectified Adam, RMSProp, plain descent, and the clip of a norm."""

import math

import numpy as np


def norm(gradient):
    """Returns the length of all arrays as one vector."""
    return math.sqrt(sum(float(np.sum(np.square(array))) for array in gradient.values()))


def clip(max_norm, gradient):
    """Returns the gradient, shortened to `max_norm` where it is longer; None leaves it (Pascanu et al. 2013)."""
    length = norm(gradient)
    if max_norm is None or length <= max_norm:
        return dict(gradient)
    return {path: array * (max_norm / length) for path, array in gradient.items()}


def init(settings, parameters):
    """Returns the state of an optimizer: a count and two running means, all zero."""
    zeros = {path: np.zeros_like(array, dtype=float) for path, array in parameters.items()}
    return {"count": 0, "mean": zeros, "square": {path: array.copy() for path, array in zeros.items()}}


def running(old, new, decay):
    """Returns `decay old + (1 - decay) new`, array by array."""
    return {path: decay * old[path] + (1.0 - decay) * new[path] for path in old}


def update(settings, gradient, state, learning_rate):
    """Returns what to add to the parameters, and the new state."""
    kind = settings["type"]
    if kind == "SGD":
        return {path: -learning_rate * array for path, array in gradient.items()}, dict(state)
    if kind == "RMSProp":
        return rmsprop(settings, gradient, state, learning_rate)
    if kind in ("Adam", "RAdam"):
        return adam(settings, gradient, state, learning_rate, rectified=kind == "RAdam")
    raise ValueError(f"optimizer {kind!r} is not known")


def rmsprop(settings, gradient, state, learning_rate):
    """Tieleman and Hinton (2012); centred: Graves (2013), equations 38 to 40. `eps` is inside of the root."""
    decay, eps = settings["decay"], settings["eps"]
    mean = running(state["mean"], gradient, decay)
    square = running(state["square"], {path: array**2 for path, array in gradient.items()}, decay)
    changes = {}
    for path, array in gradient.items():
        variance = square[path] - mean[path] ** 2 if settings["centred"] else square[path]
        changes[path] = -learning_rate * array / np.sqrt(variance + eps)
    return changes, {"count": state["count"] + 1, "mean": mean, "square": square}


def rectification(count, b2):
    """Returns `r_t` of rectified Adam (Liu et al. 2020, algorithm 2), or None where rho_t is below 5."""
    rho_end = 2.0 / (1.0 - b2) - 1.0
    rho = rho_end - 2.0 * count * b2**count / (1.0 - b2**count)
    if rho < 5.0:
        return None
    return math.sqrt((rho - 4.0) * (rho - 2.0) * rho_end / ((rho_end - 4.0) * (rho_end - 2.0) * rho))


def adam(settings, gradient, state, learning_rate, *, rectified):
    """Kingma and Ba (2015), algorithm 1; rectified: Liu et al. (2020), algorithm 2, which begins as momentum."""
    b1, b2, eps = settings["b1"], settings["b2"], settings["eps"]
    count = state["count"] + 1
    mean = running(state["mean"], gradient, b1)
    square = running(state["square"], {path: array**2 for path, array in gradient.items()}, b2)
    factor = rectification(count, b2) if rectified else 1.0
    changes = {}
    for path in gradient:
        direction = mean[path] / (1.0 - b1**count)
        if factor is not None:
            direction = factor * direction / (np.sqrt(square[path] / (1.0 - b2**count)) + eps)
        changes[path] = -learning_rate * direction
    return changes, {"count": count, "mean": mean, "square": square}
