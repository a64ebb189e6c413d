"""Replay of sequences: T rows in a row out of one environment, uniform or by priority."""

import numpy as np

from tests.reference.plain import draws
from tests.reference.plain.priorities import Priorities
from tests.reference.plain.returns import has_ended, n_step
from tests.reference.plain.ring import Ring, batched, places_of


class SequenceMemory:
    """Sequences that begin at any stored row that T - 1 later ones follow."""

    def __init__(self, settings):
        """Starts empty; nothing has been trained on."""
        replay = settings["replay"]
        self.settings, self.ring, self.length = settings, Ring(settings), replay["length"]
        self.by_priority, self.priorities = replay["priorities"], None
        if self.by_priority is not None:
            self.priorities = Priorities(replay["capacity"], self.by_priority["exponent"])

    def add(self, rows):
        """Adds the valid ones of the rows `[E]` of one step.

        With each a sequence is complete that begins T - 1 rows before. The one that began where it lies is gone.
        """
        for environment, count in self.ring.add(rows):
            if self.priorities is not None:
                self.priorities.remove(self.ring.slot((environment, count)))
                start = (environment, count - self.length + 1)
                if start in self.starts():
                    self.priorities.add(self.ring.slot(start))

    def starts(self):
        """Returns the places where sequences begin."""
        return self.ring.stored(self.length)

    def is_ready(self):
        """Returns whether any environment has a whole sequence."""
        return len(self.starts()) > 0

    def check_positions(self, bits, positions):
        """Checks what a run drew for a batch."""
        slots = [self.ring.slot(place) for place in self.starts()]
        if self.priorities is not None:
            for number, position in zip(bits, positions, strict=True):
                assert int(position) in slots, f"no whole sequence begins at position {position}"
                if sum(self.priorities.powers) > 0.0:
                    draws.check_proportional(self.priorities.powers, position, draws.unit(number))
        elif self.settings["replay"]["replacement"]:
            draws.check_with_replacement(slots, bits, positions)
        else:
            draws.check_without_replacement(slots, positions)

    def read(self, positions):
        """Returns the sequences that begin at slots, arrays `[B, T, ...]`; `memory` is `[B, M]` or None."""
        return batched([self.sequence(place) for place in places_of(self.ring, self.starts(), positions)])

    def sequence(self, place):
        """Returns the sequence that begins at a place, arrays `[T, ...]`."""
        rows = self.ring.rows(place, self.length)
        steps = []
        for t, row in enumerate(rows):
            r_t, discount_t, taken = n_step(self.settings, rows[t : t + self.settings["n_step"]])
            steps.append(
                {
                    "s_tm1": row["s_tm1"],
                    "a_tm1": row["a_tm1"],
                    "r_t": r_t,
                    "discount_t": discount_t,
                    "last": t + taken,
                    "s_t": rows[t + taken]["s_t"],
                    "ended": has_ended(row),
                    "is_first": t > 0 and has_ended(rows[t - 1]),
                }
            )
        return {**batched(steps), "memory": rows[0]["memory"]}

    def weights(self, positions, steps, episodes):
        """Returns the weights of a batch, `[B]`: of importance, or of a memory drawn whole."""
        number = len(self.starts())
        if self.priorities is not None:
            probabilities = [self.priorities.share(position, number) for position in positions]
            weights = draws.importance_weights(probabilities, number, self.by_priority["importance"])
        elif self.settings["replay"]["replacement"]:
            weights = np.ones(len(positions))
        else:
            weights = draws.whole_weights(positions, number, self.settings["num_minibatches"])
        return weights

    def update(self, positions, priorities):
        """Gives the sequences drawn their new priorities `[B]`."""
        if self.priorities is not None:
            self.priorities.update(positions, priorities)

    def begin_training(self, value):
        """Does nothing: no return is computed ahead."""
