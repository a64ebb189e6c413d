"""The last observations of an episode side by side, as Mnih et al. (2015) stack four frames."""

import numpy as np


def number_of(network):
    """Returns how many observations a network sees at once."""
    return network.get("member", network).get("frames", 1)


def stack(observations, number):
    """Returns the last `number` observations along their last axis, oldest first, with zeros before the first one."""
    first = np.asarray(observations[0], float)
    missing = [np.zeros(first.shape)] * max(0, number - len(observations))
    return np.concatenate([*missing, *observations[-number:]], axis=-1)
