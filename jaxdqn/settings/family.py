"""The settings of one family of games, and the configuration of an algorithm that follows from them."""

import dataclasses
import fnmatch
from collections.abc import Mapping
from typing import Any, NamedTuple

from jaxdqn import config_fields
from jaxdqn.algorithms import configuration_of, dqn
from jaxdqn.config import Config, Network
from jaxdqn.games import names
from jaxdqn.networks.dueling import Dueling
from jaxdqn.networks.ensemble import Ensemble
from jaxdqn.networks.heads import ImplicitQuantiles, ProposedFractions
from jaxdqn.networks.memory import LSTM
from jaxdqn.networks.network import QNetwork
from jaxdqn.networks.torsos import Conv, Dense, Impala
from jaxdqn.training.evaluate import Evaluation

_OF_A_TRAINING = ("n_step", "num_updates", "num_minibatches")


class Family(NamedTuple):
    """Games that share settings, and these settings.

    Attributes:
      games: patterns of their names, as of files: `*` stands for any characters.
      shared: values of fields by dotted path, as for DQN. `apply` says which of them another algorithm takes.
      own: by name of an algorithm, values that it has instead of or besides the shared ones.
      steps: budget of a run, in environment steps.
      evaluation: when and how a run is evaluated.
      source: where the values come from: a publication, public code, or the search that found them.
      result: folder of the committed result that shows how well they do, in `results/`; None if there is none.
    """

    games: tuple[str, ...]
    shared: Mapping[str, Any]
    own: Mapping[str, Mapping[str, Any]]
    steps: int
    evaluation: Evaluation
    source: str
    result: str | None

    def holds(self, game: str) -> bool:
        """Returns whether the game with this name is of the family, whatever arguments its environment has."""
        plain = names.without_arguments(game)
        return any(fnmatch.fnmatchcase(plain, pattern) for pattern in self.games)

    def configuration(self, algorithm: str) -> Config:
        """Returns the configuration of the algorithm of that name with these settings.

        Raises:
          ValueError: no algorithm has this name.
        """
        return self.apply(algorithm, configuration_of(algorithm))

    def apply(self, algorithm: str, config: Config) -> Config:
        """Returns the configuration of an algorithm with these settings.

        A shared value replaces the algorithm's value of this field if the algorithm has there what DQN has. Where it
        differs from DQN, the difference is a part of the algorithm, such as the exploration of noisy networks, and
        stays. An algorithm with a `train_every` of its own also keeps `n_step` and the numbers of updates. Fields of
        the network are those of each member in an ensemble. The last hidden layer of a shared torso belongs to the part
        behind the torso, if the algorithm has one: the streams of dueling, the memory, or the head of IQN or FQF.

        Args:
          algorithm: its name in `jaxdqn.algorithms.ALGORITHMS`.
          config: its configuration there, or a variant of it.

        Raises:
          ValueError: `own` names a field that the configuration does not have.
        """
        of_dqn, before = config_fields.paths(dqn.CONFIG), config_fields.paths(config)
        kept = () if config.train_every == dqn.CONFIG.train_every else _OF_A_TRAINING
        network = "network.member." if isinstance(config.network, Ensemble) else "network."
        for path, value in self.shared.items():
            at = path.replace("network.", network)
            if path == "network.torso":
                config = dataclasses.replace(config, network=_with_torso(config.network, value))
            elif path not in kept and at in before and before[at] == of_dqn.get(path, before[at]):
                config = config_fields.replace_at(config, at, value)
        for path, value in self.own.get(algorithm, {}).items():
            config = config_fields.replace_at(config, path, value)
        return config


def _with_torso(network: Network, torso: Dense | Conv | Impala) -> Network:
    """Returns a network with another torso, whose last hidden layer is that of the part behind the torso."""
    if isinstance(network, Ensemble):
        member: Any = _with_torso(network.member, torso)
        return dataclasses.replace(network, member=member)
    if not isinstance(network, QNetwork):
        return network  # a table
    *first, last = torso.hidden
    shorter = dataclasses.replace(torso, hidden=tuple(first))
    if network.dueling is not None:
        return dataclasses.replace(network, torso=shorter, dueling=Dueling((last,)))
    if network.memory is not None:
        return dataclasses.replace(network, torso=shorter, memory=LSTM(last))
    if isinstance(network.head, ImplicitQuantiles | ProposedFractions):
        return dataclasses.replace(network, torso=shorter, head=dataclasses.replace(network.head, hidden=(last,)))
    return dataclasses.replace(network, torso=torso)
