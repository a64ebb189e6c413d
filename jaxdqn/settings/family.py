"""The settings of one family of games, and the configuration of an algorithm that follows from them."""

import fnmatch
from collections.abc import Mapping
from typing import Any, NamedTuple

from jaxdqn import config_fields
from jaxdqn.config import Config


class Family(NamedTuple):
    """Games that share settings, and these settings.

    Attributes:
      games: patterns of their names, as of files: `*` stands for any characters.
      shared: values of fields by dotted path, for every algorithm whose configuration has the field.
      own: by name of an algorithm, values that replace or add to the shared ones.
      steps: budget of a run, in environment steps.
      evaluate_every: environment steps between evaluations.
      source: where the values come from: a publication, public code, or the search that found them.
      result: folder of the committed result that shows how well they do, in `results/`.
    """

    games: tuple[str, ...]
    shared: Mapping[str, Any]
    own: Mapping[str, Mapping[str, Any]]
    steps: int
    evaluate_every: int
    source: str
    result: str

    def holds(self, game: str) -> bool:
        """Returns whether the game with this name is of the family."""
        return any(fnmatch.fnmatchcase(game, pattern) for pattern in self.games)

    def apply(self, algorithm: str, config: Config) -> Config:
        """Returns the algorithm's configuration with these settings.

        Raises:
          ValueError: `own` names a field that the configuration does not have.
        """
        fields = config_fields.paths(config)
        own = self.own.get(algorithm, {})
        for path, value in {**{path: value for path, value in self.shared.items() if path in fields}, **own}.items():
            config = config_fields.replace_at(config, path, value)
        return config
