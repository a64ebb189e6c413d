"""Replay memories of transitions, uniform and prioritised; `make` also knows those of sequences and of rollouts.

A memory is given the positions that a run drew. `check_positions` raises AssertionError where they are not legal ones.
"""

import numpy as np

from tests.reference.plain import draws
from tests.reference.plain.exploration import scheduled
from tests.reference.plain.priorities import Priorities
from tests.reference.plain.ring import Ring, batched, places_of
from tests.reference.plain.rollout import RolloutMemory
from tests.reference.plain.sequences import SequenceMemory


def make(settings):
    """Returns the empty memory of a configuration."""
    kinds = {
        "Uniform": UniformMemory,
        "Prioritised": PrioritisedMemory,
        "Sequences": SequenceMemory,
        "Rollout": RolloutMemory,
    }
    return kinds[settings["replay"]["type"]](settings)


class UniformMemory:
    """Transitions that are all as likely."""

    def __init__(self, settings):
        """Starts empty."""
        self.settings, self.ring, self.priorities = settings, Ring(settings), None

    def add(self, rows):
        """Adds the valid ones of the rows `[E]` of one step."""
        self.ring.add(rows)

    def is_ready(self):
        """Returns whether there is anything to draw."""
        return len(self.ring.stored()) > 0

    def check_positions(self, bits, positions):
        """Checks what a run drew for a batch."""
        slots = [self.ring.slot(place) for place in self.ring.stored()]
        if self.settings["replay"]["replacement"]:
            draws.check_with_replacement(slots, bits, positions)
        else:
            draws.check_without_replacement(slots, positions)

    def read(self, positions):
        """Returns the transitions that begin at slots, arrays `[B, ...]`."""
        places = places_of(self.ring, self.ring.stored(), positions)
        return batched([self.ring.transition(place) for place in places])

    def weights(self, positions, steps, episodes):
        """Returns the importance weights of a batch, `[B]`."""
        if self.settings["replay"]["replacement"]:
            return np.ones(len(positions))
        return draws.whole_weights(positions, len(self.ring.stored()), self.settings["num_minibatches"])

    def update(self, positions, priorities):
        """Does nothing: all transitions stay as likely."""

    def begin_training(self, value):
        """Does nothing: no return is computed ahead."""


class PrioritisedMemory:
    """Transitions that are drawn in proportion to a power of their priority (Schaul et al. 2016)."""

    def __init__(self, settings):
        """Starts empty."""
        self.settings, self.ring = settings, Ring(settings)
        self.priorities = Priorities(settings["replay"]["capacity"], settings["replay"]["exponent"])

    def add(self, rows):
        """Adds the valid ones of the rows `[E]` of one step, with the largest priority so far."""
        for place in self.ring.add(rows):
            self.priorities.add(self.ring.slot(place))

    def is_ready(self):
        """Returns whether there is anything to draw."""
        return len(self.ring.stored()) > 0

    def check_positions(self, bits, positions):
        """Checks what a run drew for a batch."""
        slots = [self.ring.slot(place) for place in self.ring.stored()]
        mix = self.settings["replay"]["uniform_mix"]
        draws.check_stratified(self.priorities.powers, slots, bits, positions, mix)

    def read(self, positions):
        """Returns the transitions that begin at slots, arrays `[B, ...]`."""
        places = places_of(self.ring, self.ring.stored(), positions)
        return batched([self.ring.transition(place) for place in places])

    def weights(self, positions, steps, episodes):
        """Returns the importance weights of a batch, `[B]`, with the exponent of these counts."""
        number, mix = len(self.ring.stored()), self.settings["replay"]["uniform_mix"]
        probabilities = []
        for position in positions:
            probabilities.append((1.0 - mix) * self.priorities.share(position, number) + mix / number)
        beta = scheduled(self.settings["replay"]["importance"], steps, episodes)
        return draws.importance_weights(probabilities, number, beta)

    def update(self, positions, priorities):
        """Gives what was drawn its new priorities `[B]`."""
        self.priorities.update(positions, priorities)

    def begin_training(self, value):
        """Does nothing: no return is computed ahead."""
