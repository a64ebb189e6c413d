"""What is learned from rows of one environment: rewards, ends, and returns over several steps."""


def as_learned(settings, row):
    """Returns the reward and whether the step terminates, as they are learned from.

    The reward is clipped first. A time limit is a termination where `bootstrap_time_limits` is off. With a termination
    `terminal_reward` takes the reward's place.
    """
    reward = row["r_t"]
    clip = settings["reward_clip"]
    if clip is not None:
        reward = min(max(reward, -clip), clip)
    terminates = row["terminated"] or (row["truncated"] and not settings["bootstrap_time_limits"])
    if terminates and settings["terminal_reward"] is not None:
        reward = settings["terminal_reward"]
    return reward, terminates


def has_ended(row):
    """Returns whether a step was the last of its episode."""
    return row["terminated"] or row["truncated"]


def n_step(settings, rows):
    """Returns the return of a window: Sutton and Barto (2018), equation 7.1.

    Args:
      settings: a configuration, of which `discount` and the fields about rewards and ends are read.
      rows: at most n steps in a row; those after the end of an episode do not count.

    Returns:
      the discounted sum of the k rewards that count, gamma^k or 0 after a termination, and k - 1.
    """
    total, discount = 0.0, 1.0
    for place, row in enumerate(rows):
        reward, terminates = as_learned(settings, row)
        total += discount * reward
        discount *= settings["discount"]
        if terminates:
            return total, 0.0, place
        if has_ended(row):
            return total, discount, place
    return total, discount, len(rows) - 1
