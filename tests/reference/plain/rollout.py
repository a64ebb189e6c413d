"""Replay of one training: all steps since the last training, with lambda-returns computed once before it."""

from tests.reference.plain import draws
from tests.reference.plain.returns import has_ended, n_step
from tests.reference.plain.ring import Ring, batched, places_of


def lambda_return(rewards, discounts, values, lambda_):
    """Returns `sum_{n<N} (1 - lambda) lambda^(n-1) G^(n) + lambda^(N-1) G^(N)` of the first of N steps.

    Source: Sutton and Barto (2018), equation 12.3; Gallici et al. (2025), section 3.3; Peng and Williams (1996).
    `G^(n)` is the n-step return with the bootstrap `values[n - 1]`.
    """
    total, earned, discount = 0.0, 0.0, 1.0
    for n, (reward, factor, value) in enumerate(zip(rewards, discounts, values, strict=True), start=1):
        earned += discount * reward
        discount *= factor
        share = 1.0 if n == len(rewards) else 1.0 - lambda_
        total += share * lambda_ ** (n - 1) * (earned + discount * value)
    return total


class RolloutMemory:
    """The stored steps that were added since the last training began; a training reads all of them in each batch."""

    def __init__(self, settings):
        """Starts empty."""
        self.settings, self.ring, self.priorities = settings, Ring(settings), None
        self.num_trained = [0] * settings["num_environments"]
        self.returns = {}

    def add(self, rows):
        """Adds the valid ones of the rows `[E]` of one step."""
        self.ring.add(rows)

    def is_ready(self):
        """Returns whether there is anything to draw."""
        return len(self.ring.stored()) > 0

    def begin_training(self, value):
        """Computes the return of each step since the last training; `value` maps an observation to its value."""
        places = [place for place in self.ring.stored() if place[1] >= self.num_trained[place[0]]]
        self.returns = {place: self.return_of(place, value) for place in places}
        self.num_trained = [len(history) for history in self.ring.history]

    def return_of(self, place, value):
        """Returns the lambda-return of a step: over the rest of its episode, or up to the newest step."""
        rows = self.ring.rows(place, self.ring.rows_each)
        ends = [t for t, row in enumerate(rows) if has_ended(row)]
        rows = rows[: ends[0] + 1] if ends else rows
        steps = [n_step(self.settings, [row]) for row in rows]
        values = [value(row["s_t"]) for row in rows]
        lambda_ = self.settings["replay"]["lambda_"]
        return lambda_return([step[0] for step in steps], [step[1] for step in steps], values, lambda_)

    def check_positions(self, bits, positions):
        """Checks what a run drew for a batch: every step, in the order of its random bits, and again from the first.

        With one minibatch, whose order does not matter, the steps come in their own order.
        """
        slots = [self.ring.slot(place) for place in self.returns]
        draws.check_without_replacement(slots, positions)
        if self.settings["num_minibatches"] > 1:
            slots = [slot for _, slot in sorted(zip(bits, slots, strict=False), key=lambda pair: int(pair[0]))]
        assert [int(position) for position in positions[: len(slots)]] == slots, "the bits draw another order"

    def read(self, positions):
        """Returns the steps in slots with their returns, arrays `[B, ...]`."""
        examples = []
        for place in places_of(self.ring, list(self.returns), positions):
            (row,) = self.ring.rows(place, 1)
            steps = {"s_tm1": row["s_tm1"], "a_tm1": row["a_tm1"], "return_t": self.returns[place]}
            examples.append({**steps, "indices": self.ring.slot(place)})
        return batched(examples)

    def weights(self, positions, steps, episodes):
        """Returns the weights of a batch, `[B]`."""
        return draws.whole_weights(positions, len(self.returns), self.settings["num_minibatches"])

    def update(self, positions, priorities):
        """Does nothing: all steps stay as likely."""
