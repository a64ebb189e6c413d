"""Exploration rules and their schedules. A rule is its part of a configuration, as a dictionary with its "type"."""

import math

import numpy as np

SCHEDULE_OF = {
    "EpsilonGreedy": "epsilon",
    "GaussianNoise": "scale",
    "Boltzmann": "temperature",
    "UpperConfidence": "bonus",
    "OneMember": "epsilon",
}


def scheduled(schedule, steps, episodes):
    """Returns the value of a schedule after a number of environment steps and episodes."""
    kind = schedule["type"]
    if kind == "Constant":
        return schedule["value"]
    start = schedule["start"]
    if kind == "HarmonicPerEpisode":
        return start / (episodes + 1)
    end = schedule["end"]
    if kind == "Linear":
        return start + (end - start) * min(steps / schedule["steps"], 1.0)
    if kind == "ExponentialPerStep":
        return end + (start - end) * math.exp(-schedule["rate"] * steps)
    if kind == "MultiplicativePerEpisode":
        return max(end, start * schedule["factor"] ** episodes)
    raise ValueError(f"schedule {kind!r} is not known")


def level(rule, steps, episodes):
    """Returns how much a rule explores just now: epsilon, a scale, a temperature or a bonus."""
    return scheduled(rule[SCHEDULE_OF[rule["type"]]], steps, episodes)


def first_largest(values):
    """Returns the place of the largest value, the first of equals."""
    best = 0
    for place in range(len(values)):
        if values[place] > values[best]:
            best = place
    return best


def epsilon_greedy(values, epsilon, explore):
    """Returns the random action where the uniform number is below epsilon, else the greedy one."""
    return int(explore["random_action"]) if explore["uniform"] < epsilon else first_largest(values)


def random_action(rule, explore):
    """Returns a uniformly random action, from the random numbers of one choice."""
    if rule["type"] in ("GaussianNoise", "Boltzmann"):
        return first_largest(explore["noise"])
    return int(explore["random_action"])


def intent(rule, explore):
    """Returns what a rule keeps to for an episode, from the random numbers of its first choice."""
    return int(explore["bits"]) if rule["type"] == "OneMember" else None


def choose(rule, output, explore, intent, steps, episodes):
    """Returns the action that a rule chooses.

    Args:
      rule: its part of the configuration.
      output: of the network, for one observation.
      explore: the random numbers of this choice.
      intent: bits that name the member of the episode; None for other rules.
      steps: environment steps so far.
      episodes: episodes ended so far.
    """
    kind, now = rule["type"], level(rule, steps, episodes)
    q_values = [float(q) for q in output["q_values"]]
    if kind == "EpsilonGreedy":
        return epsilon_greedy(q_values, now, explore)
    if kind in ("GaussianNoise", "Boltzmann"):
        return first_largest([q + now * float(n) for q, n in zip(q_values, explore["noise"], strict=True)])
    members = np.array(output["members"], float)
    if kind == "OneMember":
        return epsilon_greedy(members[intent % len(members)], now, explore)
    if kind == "UpperConfidence":
        return first_largest([upper_confidence(members[:, action], now) for action in range(members.shape[1])])
    raise ValueError(f"exploration rule {kind!r} is not known")


def upper_confidence(values, bonus):
    """Returns the mean of the members' values plus `bonus` standard deviations, those of the members themselves."""
    mean = sum(values) / len(values)
    variance = sum((value - mean) ** 2 for value in values) / len(values)
    return mean + bonus * math.sqrt(variance)
