"""The algorithms by name: one file each, composed from the parts, with a configuration to start from."""

import dataclasses
from typing import NamedTuple

from jaxdqn import own_parts
from jaxdqn.algorithms import (
    averaged_dqn,
    bootstrapped_dqn,
    c51,
    clipped_double_dqn,
    double_dqn,
    dqn,
    dueling_dqn,
    fqf,
    hl_gauss,
    munchausen,
    n_step_dqn,
    naive_deep_q_learning,
    noisy_dqn,
    pqn,
    prioritised_dqn,
    quantile,
    r2d2,
    rainbow,
    tabular_q_learning,
)
from jaxdqn.config import Config
from jaxdqn.spelling import not_known
from jaxdqn.user_modules import is_part


class Entry(NamedTuple):
    """An algorithm of the table: a whole configuration, and what it is in one line."""

    config: Config
    summary: str


ALGORITHMS = {
    "tabular_q_learning": Entry(tabular_q_learning.CONFIG, "a table of values, moved after every step (Watkins 1992)"),
    "naive_deep_q_learning": Entry(
        naive_deep_q_learning.CONFIG, "a deep network without replay or target network, the usual first try"
    ),
    "dqn": Entry(dqn.CONFIG, "Q-learning with a deep network, replay and a target network (Mnih et al. 2015)"),
    "double_dqn": Entry(
        double_dqn.CONFIG, "one network chooses the next action, the other evaluates it (van Hasselt et al. 2016)"
    ),
    "dueling_dqn": Entry(dueling_dqn.CONFIG, "the value of a state and the advantages apart (Wang et al. 2016)"),
    "prioritised_dqn": Entry(
        prioritised_dqn.CONFIG, "surprising transitions are replayed more often (Schaul et al. 2016)"
    ),
    "n_step_dqn": Entry(n_step_dqn.CONFIG, "returns over three steps (Sutton 1988; Hessel et al. 2018)"),
    "noisy_dqn": Entry(noisy_dqn.CONFIG, "weights with learned noise explore (Fortunato et al. 2018)"),
    "clipped_double_dqn": Entry(
        clipped_double_dqn.CONFIG, "the target is the lower of two networks' values (Fujimoto et al. 2018)"
    ),
    "averaged_dqn": Entry(
        averaged_dqn.CONFIG, "the target is the mean of the last target networks (Anschel et al. 2017)"
    ),
    "c51": Entry(c51.CONFIG, "probabilities of fixed returns (Bellemare et al. 2017)"),
    "qr_dqn": Entry(quantile.QR_DQN, "quantiles of the return at fixed fractions (Dabney et al. 2018a)"),
    "iqn": Entry(quantile.IQN, "quantiles of the return at drawn fractions (Dabney et al. 2018b)"),
    "fqf": Entry(fqf.CONFIG, "quantiles of the return at proposed fractions (Yang et al. 2019)"),
    "hl_gauss": Entry(hl_gauss.CONFIG, "values learned as a classification (Farebrother et al. 2024)"),
    "munchausen_dqn": Entry(munchausen.DQN, "the log-policy is added to the reward (Vieillard et al. 2020)"),
    "munchausen_iqn": Entry(munchausen.IQN, "the same with quantiles at drawn fractions (Vieillard et al. 2020)"),
    "rainbow": Entry(rainbow.CONFIG, "six of these parts at once (Hessel et al. 2018)"),
    "bootstrapped_dqn": Entry(
        bootstrapped_dqn.CONFIG, "an ensemble with priors, one member followed an episode (Osband et al. 2016, 2018)"
    ),
    "pqn": Entry(pqn.CONFIG, "lambda-returns of parallel games, no replay, no target network (Gallici et al. 2025)"),
    "r2d2": Entry(r2d2.CONFIG, "a network that remembers, trained on sequences (Kapturowski et al. 2019)"),
}


def configuration_of(name: str) -> Config:
    """Returns the configuration to start from of the algorithm of that name.

    Args:
      name: of the table, or `module:name` of a `Config` or of a loss of your own; a loss replaces that of DQN.

    Raises:
      ValueError: the table has no such name, and the message suggests similar names and lists the table; or your own
        algorithm cannot be imported, or is something else.
    """
    if is_part(name):
        own = own_parts.named(name)
        if isinstance(own, Config):
            return own
        if not hasattr(own, "loss"):
            raise ValueError(f"{name} is a {type(own).__name__}: it must be a Config, or have a method `loss`.")
        return dataclasses.replace(dqn.CONFIG, algorithm=own)
    if name not in ALGORITHMS:
        raise ValueError(not_known("no algorithm is called", name, ALGORITHMS))
    return ALGORITHMS[name].config
