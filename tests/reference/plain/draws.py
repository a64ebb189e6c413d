"""Which positions a memory may draw for a batch: checks of what a run drew, and the weights that belong to it."""

import numpy as np

GOLDEN_RATIO = (1.0 + 5.0**0.5) / 2.0
TOLERANCE = 1e-4


def mixed(bits):
    """Returns other uniform bits of 32: a Weyl step and the finalizer of MurmurHash3."""
    bits = (int(bits) + 0x9E3779B9) % 2**32
    bits = ((bits ^ (bits >> 16)) * 0x85EBCA6B) % 2**32
    bits = ((bits ^ (bits >> 13)) * 0xC2B2AE35) % 2**32
    return bits ^ (bits >> 16)


def unit(bits):
    """Returns the upper 24 of 32 bits as a number in [0, 1)."""
    return (int(bits) >> 8) * 2.0**-24


def check_with_replacement(slots, bits, positions):
    """Checks that the positions are those of the numbers `bits mod total`, in order.

    Args:
      slots: of all numbers in order.
      bits: `[B]`.
      positions: `[B]`, which the run drew.
    """
    expected = [slots[int(number) % len(slots)] for number in bits]
    drawn = [int(position) for position in positions]
    assert drawn == expected, f"the bits draw the slots {expected}, the run drew {drawn}"


def check_without_replacement(slots, positions):
    """Checks that nothing is drawn twice, or that a memory smaller than a batch is drawn whole, again and again.

    It is then drawn in any order, and in the same order again.
    """
    positions, total, batch_size = [int(position) for position in positions], len(slots), len(positions)
    for position in positions:
        assert position in slots, f"position {position} holds nothing that could be drawn"
    if total > batch_size:
        assert len(set(positions)) == batch_size, f"positions {positions} repeat one without replacement"
        return
    order = positions[:total]
    assert sorted(order) == sorted(slots), f"the first {total} positions {order} are not all that is stored"
    for place, position in enumerate(positions):
        expected = order[place % total]
        assert position == expected, f"position {place} of a memory drawn whole is {position}, expected {expected}"


def whole_weights(positions, total, num_minibatches):
    """Returns the weights of uniform draws, `[B]`: 1, unless a small memory was drawn whole, without replacement.

    Then each distinct example of a minibatch counts once in its mean: the first of equals has the weight
    `minibatch size / number of distinct ones`, the others 0.
    """
    batch_size = len(positions)
    weights = np.ones(batch_size)
    if total > batch_size:
        return weights
    size = batch_size // num_minibatches
    for start in range(0, batch_size, size):
        minibatch = [int(position) for position in positions[start : start + size]]
        for place, position in enumerate(minibatch):
            is_repeated = position in minibatch[:place]
            weights[start + place] = 0.0 if is_repeated else size / len(set(minibatch))
    return weights


def check_proportional(leaves, position, share):
    """Checks that the running sum of `leaves` passes `share` of the total at this position, up to rounding."""
    total, before = sum(leaves), sum(leaves[: int(position)])
    lower, upper = before / total, (before + leaves[int(position)]) / total
    assert leaves[int(position)] > 0.0, f"position {position} has priority 0 and was drawn"
    assert lower - TOLERANCE <= share <= upper + TOLERANCE, (
        f"position {position} owns [{lower}, {upper}] of all priorities, the draw was {share}"
    )


def strata(batch_size):
    """Returns which of B equal ranges each example of a batch draws from.

    Multiples of the golden ratio, modulo 1, are spread evenly; the ranges come in the order of these.
    """
    spread = [(place * GOLDEN_RATIO) % 1.0 for place in range(batch_size)]
    return [sum(other < own for other in spread) for own in spread]


def check_stratified(leaves, slots, bits, positions, uniform_mix):
    """Checks draws of prioritised replay, Schaul et al. (2016), appendix B.2.1.

    A number of the unit interval below `uniform_mix` draws uniformly, by other bits; the rest of the interval is
    proportional to the priorities.

    Args:
      leaves: of each slot, the power of its priority, 0 where nothing is stored.
      slots: of all that is stored, by number.
      bits: `[B]`.
      positions: `[B]`, which the run drew.
      uniform_mix: share of uniform draws.
    """
    for stratum, number, position in zip(strata(len(bits)), bits, positions, strict=True):
        share = (stratum + unit(number)) / len(bits)
        assert int(position) in slots, f"position {position} holds nothing that could be drawn"
        if abs(share - uniform_mix) < 1e-6 or sum(leaves) == 0.0:
            continue
        if share < uniform_mix:
            expected = slots[mixed(number) % len(slots)]
            assert int(position) == expected, f"the uniform part draws slot {expected}, the run drew {position}"
        else:
            check_proportional(leaves, position, (share - uniform_mix) / (1.0 - uniform_mix))


def importance_weights(probabilities, total, exponent):
    """Returns `(N P)^-beta` over its maximum in the batch: Schaul et al. (2016), section 3.4."""
    raw = [(total * probability) ** -exponent for probability in probabilities]
    return np.array([weight / max(raw) for weight in raw])
