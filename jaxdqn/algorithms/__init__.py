"""The algorithms by name: one file each, composed from the parts, with a configuration to start from."""

from typing import NamedTuple

from jaxdqn.algorithms import double_dqn, dqn
from jaxdqn.config import Config


class Entry(NamedTuple):
    """An algorithm of the table: a whole configuration, and what it is in one line."""

    config: Config
    summary: str


ALGORITHMS = {
    "dqn": Entry(dqn.CONFIG, "Q-learning with a deep network, replay and a target network (Mnih et al. 2015)"),
    "double_dqn": Entry(
        double_dqn.CONFIG, "one network chooses the next action, the other judges it (van Hasselt et al. 2016)"
    ),
}
