"""The algorithms by name: one file each, composed from the parts, with a configuration to start from."""

from typing import NamedTuple

from jaxdqn.algorithms import double_dqn, dqn, naive_deep_q_learning, tabular_q_learning
from jaxdqn.config import Config


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
        double_dqn.CONFIG, "one network chooses the next action, the other judges it (van Hasselt et al. 2016)"
    ),
}
