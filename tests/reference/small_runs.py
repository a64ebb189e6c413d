"""Configurations, tapes and rows that are small enough to compute with by hand."""

import numpy as np

from tests.reference.plain.games import row


def settings(**changed):
    """Returns tabular Q-learning whose table has a row for each position of the corridor, with fields changed."""
    table = {"type": "Table", "bins": [7, 1], "low": [-1 / 12, -1.0], "high": [13 / 12, 2.0]}
    usual = {
        "algorithm": {"type": "TabularQLearning"},
        "learning_rate": 0.5,
        "learning_rate_schedule": None,
        "discount": 0.5,
        "n_step": 1,
        "batch_size": 1,
        "num_minibatches": 1,
        "train_every": 1,
        "train_at": "steps",
        "num_updates": 1,
        "num_environments": 1,
        "learning_starts": 0,
        "max_gradient_norm": None,
        "reward_clip": None,
        "terminal_reward": None,
        "bootstrap_time_limits": True,
        "network": table,
        "optimizer": {"type": "SGD"},
        "exploration": {"type": "EpsilonGreedy", "epsilon": {"type": "Constant", "value": 0.0}},
        "target_update": {"type": "Online"},
        "replay": {"type": "Uniform", "capacity": 1, "replacement": True},
    }
    return {**usual, **changed}


def tape(config, starts, actions, *, positions=None, is_host=False, every=1000):
    """Returns a tape whose random actions are given, `[iterations, V, E]`; positions `[iterations, U, B]` or None."""
    iterations = []
    for i, random_action in enumerate(actions):
        shape = np.shape(random_action)
        slots = None if positions is None else np.array(positions[i])
        iterations.append(
            {
                "explore": {"uniform": np.full(shape, 0.5), "random_action": np.array(random_action)},
                "act": [None] * shape[0],
                "positions": slots,
                "bits": slots,
                "update": [[None] * config["num_minibatches"]] * config["num_updates"],
                "fresh": None,
            }
        )
    return {
        "settings": config,
        "num_actions": 3,
        "observation_shape": (2,),
        "evaluation": {"every": every, "episodes": 2, "epsilon": 0.0, "exact_values": False},
        "is_host": is_host,
        "num_logged": 2,
        "parameters": {"params/values": np.zeros((7, 3))},
        "starts": starts,
        "iterations": iterations,
        "evaluations": [{"starts": [3, 4], "uniform": np.zeros((7, 2)), "random_action": np.full((7, 2), 2)}] * 9,
    }


def rows_of(rewards, ends, *, is_valid=None):
    """Returns rows of one environment: row i has observations i and i + 1; `ends` has "t", "l" or "" for each."""
    valid = is_valid or [True] * len(rewards)
    rows = []
    for i, (reward, end) in enumerate(zip(rewards, ends, strict=True)):
        rows.append(row(np.array([i]), i % 3, reward, end == "t", end == "l", np.array([i + 1]), is_valid=valid[i]))
        rows[-1]["memory"] = np.array([10.0 * i])
    return rows
