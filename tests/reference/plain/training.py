"""A whole training run, from what it drew: for games that are pure functions, and for games on the host.

`tape` holds the configuration, the initial parameters, and everything that the run drew at random. All else is
computed here.
"""

import math

import numpy as np

from tests.reference.plain import exploration, replay
from tests.reference.plain.acting import Acting, evaluate
from tests.reference.plain.games import Copies
from tests.reference.plain.learning import Learner, learn
from tests.reference.plain.returns import has_ended


class Counts:
    """Steps, episodes and returns of a run."""

    def __init__(self, num_environments, num_logged):
        """Starts before the first step."""
        self.step, self.num_episodes, self.learned_at = 0, 0, 0
        self.returns, self.num_logged = [0.0] * num_environments, num_logged
        self.log = {"episode_return": [], "last_reward": [], "end_step": []}

    def add(self, rows):
        """Counts one step of all environments, and returns the returns of the episodes that ended with it."""
        self.step += len(rows)
        ended = []
        for e, row in enumerate(rows):
            if not row["is_valid"]:
                continue
            self.returns[e] += row["r_t"]
            if has_ended(row):
                self.num_episodes += 1
                self.log_episode(self.returns[e], row["r_t"])
                ended.append(self.returns[e])
                self.returns[e] = 0.0
        return ended

    def log_episode(self, episode_return, last_reward):
        """Logs an episode that ended now, if it is one of the first."""
        if len(self.log["end_step"]) < self.num_logged:
            self.log["episode_return"].append(episode_return)
            self.log["last_reward"].append(last_reward)
            self.log["end_step"].append(self.step)


class Period:
    """What curves show of one evaluation period: the episodes that ended, and each update."""

    def __init__(self):
        """Starts with nothing."""
        self.returns, self.updates = [], []

    def curves(self, settings, counts, learner, evaluation_return):
        """Returns one point of every curve."""
        return {
            "steps": counts.step,
            "updates": learner.num_updates,
            "episodes": len(self.returns),
            "episode_return": mean(self.returns),
            "evaluation_return": evaluation_return,
            "loss": mean([update["loss"] for update in self.updates]),
            "td_error": mean([update["td_error"] for update in self.updates]),
            "max_q": mean([update["max_q"] for update in self.updates]),
            "gradient_norm": mean([update["gradient_norm"] for update in self.updates]),
            "exploration": exploration.level(settings["exploration"], counts.step, counts.num_episodes),
            "value_error": math.nan,
            "value_bias": math.nan,
        }


def mean(numbers):
    """Returns the mean, NaN of nothing."""
    return sum(numbers) / len(numbers) if numbers else math.nan


def recorded(rows):
    """Returns the rows `[E]` of one step as arrays."""
    fields = {name: np.array([row[name] for row in rows]) for name in rows[0] if name != "memory"}
    has_memory = rows[0]["memory"] is not None
    return {**fields, "memory": np.array([row["memory"] for row in rows]) if has_memory else None}


def play(settings, copies, acting, learner, memory, counts, iteration):
    """Plays `train_every` steps and stores them; returns the records of rows and the returns of ended episodes.

    A step of a host game in which all copies only reset is not counted, and the next choice draws the same.
    """
    records, ended, v = [], [], 0
    while v < settings["train_every"] // settings["num_environments"]:
        explore = {name: array[v] for name, array in iteration["explore"].items()}
        actions, memories = acting.choose(
            learner.parameters,
            copies.observations(),
            explore,
            iteration["act"][v],
            counts.step,
            counts.num_episodes,
        )
        all_reset = all(copies.resetting)
        rows, acting.is_first = copies.step(actions)
        if all_reset:
            continue
        for row, remembered in zip(rows, memories, strict=True):
            row["memory"] = remembered
        memory.add(rows)
        ended += counts.add(rows)
        records.append(recorded(rows))
        v += 1
    return records, ended


def is_training_due(settings, ended):
    """Returns whether an iteration in which these episodes ended is one after which there is a training."""
    return settings["train_at"] == "steps" or len(ended) > 0


def iterate(settings, copies, acting, learner, memory, counts, period, iteration):
    """Makes one iteration, and returns its record. A training left out for want of steps counts as one in its time."""
    rows, ended = play(settings, copies, acting, learner, memory, counts, iteration)
    period.returns += ended
    updates, steps = [], []
    is_filling = counts.step <= settings["learning_starts"] or not memory.is_ready()
    learns = is_training_due(settings, ended) and not is_filling
    has_drawn = iteration["positions"] is not None
    assert learns == has_drawn, f"at step {counts.step} the reference learns: {learns}; the run drew: {has_drawn}"
    if learns:
        updates, steps, shown = learn(
            settings, learner, memory, iteration, counts.learned_at, counts.step, counts.num_episodes
        )
        period.updates += shown
    if learns or is_filling:
        counts.learned_at = counts.step
    priorities = memory.priorities
    return {
        "rows": rows,
        "updates": updates,
        "steps": steps,
        "priorities": None if priorities is None else priorities.powers.copy(),
        "max_priority": None if priorities is None else priorities.max_priority,
    }


def run(tape, game):
    """Returns the records of a whole run.

    Args:
      tape: its configuration and initial parameters, and what it drew.
      game: as `plain.games.Corridor`.

    Returns:
      a dictionary: "iterations", a record each; "curves", one for each evaluation period; "log" of the first
      episodes that ended; "state", the counts at the end.

    Raises:
      AssertionError: the run drew a position that it may not draw, or learned when it should not have.
    """
    settings, num_actions = tape["settings"], tape["num_actions"]
    copies = Copies(game, tape["starts"], is_host=tape["is_host"])
    acting, learner = Acting(settings, num_actions), Learner(settings, num_actions, tape["parameters"])
    memory = replay.make(settings)
    counts, period = Counts(settings["num_environments"], tape["num_logged"]), Period()
    records, curves = [], []
    for iteration in tape["iterations"]:
        records.append(iterate(settings, copies, acting, learner, memory, counts, period, iteration))
        if counts.step % tape["evaluation"]["every"] == 0:
            evaluation = tape["evaluations"][len(curves)]
            score = evaluate(settings, game, learner.parameters, evaluation, tape["evaluation"]["epsilon"])
            curves.append(period.curves(settings, counts, learner, score))
            period = Period()
    state = {"step": counts.step, "num_episodes": counts.num_episodes, "learned_at": counts.learned_at}
    return {"iterations": records, "curves": curves, "log": counts.log, "state": state}
