"""The rows that a memory holds: those of each environment in its own ring, the oldest overwritten first."""

import numpy as np

from tests.reference.plain import frames
from tests.reference.plain.returns import has_ended, n_step


class Ring:
    """All rows ever added, of which the newest `rows_each` of each environment are stored.

    The observations of a stored row are stacks of those of its episode, if the network sees more than one.

    A row has a place (environment, count of that environment's rows before it) for ever, and a slot
    `(count mod rows_each) * E + environment` while it is stored.
    """

    def __init__(self, settings):
        """Starts empty."""
        self.settings = settings
        self.num_environments = settings["num_environments"]
        self.rows_each = settings["replay"]["capacity"] // self.num_environments
        self.history = [[] for _ in range(self.num_environments)]
        self.episodes = [None] * self.num_environments  # the observations of the episode under way

    def add(self, rows):
        """Adds the valid ones of the rows `[E]` of one step, and returns their places."""
        places = []
        for environment, row in enumerate(rows):
            if row["is_valid"]:
                places.append((environment, len(self.history[environment])))
                self.history[environment].append(self.stacked(environment, row))
        return places

    def stacked(self, environment, row):
        """Returns a row with stacks for observations, and adds its observation to its episode."""
        number, before = frames.number_of(self.settings["network"]), self.episodes[environment] or [row["s_tm1"]]
        after = [*before, row["s_t"]]
        self.episodes[environment] = None if has_ended(row) else after
        return {**row, "s_tm1": frames.stack(before, number), "s_t": frames.stack(after, number)}

    def slot(self, place):
        """Returns where a row lies."""
        environment, count = place
        return (count % self.rows_each) * self.num_environments + environment

    def stored(self, length=1):
        """Returns the places with which `length` stored rows begin: environment by environment, oldest first."""
        places = []
        for environment, history in enumerate(self.history):
            oldest = max(0, len(history) - self.rows_each)
            places += [(environment, count) for count in range(oldest, len(history) - length + 1)]
        return places

    def rows(self, place, length):
        """Returns up to `length` rows from a place on, fewer at the newest one."""
        environment, count = place
        return self.history[environment][count : count + length]

    def transition(self, place):
        """Returns the transition over up to n steps that begins at a place."""
        window = self.rows(place, self.settings["n_step"])
        r_t, discount_t, last = n_step(self.settings, window)
        first = window[0]
        return {
            "s_tm1": first["s_tm1"],
            "a_tm1": first["a_tm1"],
            "r_t": r_t,
            "discount_t": discount_t,
            "s_t": window[last]["s_t"],
            "indices": self.slot(place),
        }


def batched(examples):
    """Returns one dictionary of arrays `[B, ...]` from a list of dictionaries; None stays None."""
    return {
        name: None if examples[0][name] is None else np.array([example[name] for example in examples])
        for name in examples[0]
    }


def places_of(ring, stored, positions):
    """Returns the places of slots, all of which must be among the stored ones."""
    by_slot = {ring.slot(place): place for place in stored}
    for position in positions:
        assert int(position) in by_slot, f"position {position} holds nothing that could be drawn"
    return [by_slot[int(position)] for position in positions]
