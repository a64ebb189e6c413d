"""Priorities of what a memory holds, as powers by slot, and the largest one so far (Schaul et al. 2016)."""

import numpy as np

SMALLEST = 2.0**-126


class Priorities:
    """The power of the priority in each slot, 0 where nothing can be drawn.

    Attributes:
      exponent: alpha.
      powers: `[slots]`.
      max_priority: the largest priority so far, without the exponent; what is new has this one.
    """

    def __init__(self, num_slots, exponent):
        """Starts with nothing that could be drawn."""
        self.exponent, self.powers, self.max_priority = exponent, np.zeros(num_slots), 1.0

    def power(self, priority):
        """Returns `priority^exponent`, where 0^0 is 1; below the smallest normal float32 it is 0."""
        value = float(priority) ** self.exponent
        return value if value >= SMALLEST else 0.0

    def add(self, slot):
        """Gives what is new in a slot the largest priority so far."""
        self.powers[slot] = self.power(self.max_priority)

    def remove(self, slot):
        """Takes the priority of a slot away."""
        self.powers[slot] = 0.0

    def update(self, positions, priorities):
        """Sets priorities `[B]`; of equal positions the largest counts."""
        largest = {}
        for position, priority in zip(positions, priorities, strict=True):
            largest[int(position)] = max(float(priority), largest.get(int(position), 0.0))
        for position, priority in largest.items():
            self.powers[position] = self.power(priority)
            self.max_priority = max(self.max_priority, priority)

    def share(self, position, number):
        """Returns what part of all powers lies in a slot; where all are 0, each of the `number` has the same."""
        total = sum(self.powers)
        return self.powers[int(position)] / total if total > 0.0 else 1.0 / number
