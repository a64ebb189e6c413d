"""The loss applied to a temporal-difference error."""

import autograd.numpy as np


def error(settings, td_error):
    """Returns the squared error, `blend delta^2`, half of it, or the Huber loss (Huber 1964), linear beyond `delta`."""
    if settings["type"] == "SquaredError":
        return settings["blend"] * td_error**2
    if settings["type"] == "HalfSquaredError":
        return td_error**2 / 2.0
    if settings["type"] == "Huber":
        size = np.abs(td_error)
        if size <= settings["delta"]:
            return 0.5 * td_error**2
        return settings["delta"] * (size - 0.5 * settings["delta"])
    raise ValueError(f"error loss {settings['type']!r} is not known")
