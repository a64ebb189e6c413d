"""The options of `jaxdqn train GAME ALGORITHM`: one option for each field of the algorithm's configuration."""

import dataclasses
import pathlib
import typing
from collections.abc import Sequence
from typing import Annotated, Any

import tyro

from jaxdqn.algorithms import configuration_of
from jaxdqn.config import Config
from jaxdqn.training.evaluate import Evaluation


@dataclasses.dataclass(frozen=True)
class Options:
    """The options of a study that are not fields of the configuration.

    Attributes:
      steps: environment steps of each run.
      seeds: number of runs, with seeds 0, 1, ...
      out: folder for the results.
      name: name of the study and of its folder in `out`. By default game and algorithm.
      evaluation: when and how runs are evaluated.
    """

    steps: int = 100_000
    seeds: int = 5
    out: pathlib.Path = pathlib.Path("runs")
    name: str | None = None
    evaluation: Evaluation = Evaluation(every=5_000, episodes=20)  # noqa: RUF009  # frozen


def parse(game: str, algorithm: str, arguments: Sequence[str]) -> tuple[Options, Config]:
    """Returns the options, and the algorithm's configuration with the changes that the arguments make.

    Raises:
      ValueError: the algorithm or an option does not exist. The message names it.
    """
    default = configuration_of(algorithm)
    # The declared type of `algorithm` is a protocol. The options come from the type of the default.
    types = typing.get_type_hints(Config) | {"algorithm": type(default.algorithm)}
    names = [field.name for field in dataclasses.fields(Config)]
    rows = [(name, types[name], dataclasses.field(default=getattr(default, name))) for name in names]
    configuration: Any = dataclasses.make_dataclass("Configuration", rows, frozen=True)
    configuration.__doc__ = Config.__doc__  # the help of its fields
    unprefixed = tyro.conf.arg(name="")
    everything = dataclasses.make_dataclass(
        "Everything",
        [("options", Annotated[Options, unprefixed]), ("config", Annotated[configuration, unprefixed])],
    )
    parsed, unknown = tyro.cli(
        everything,
        prog=f"jaxdqn train {game} {algorithm}",
        description=f"Trains {algorithm} on {game}; writes a result folder, a figure and a table.",
        args=arguments,
        default=everything(Options(), configuration()),
        config=(tyro.conf.CascadeSubcommandArgs,),
        return_unknown_args=True,
    )
    if unknown:
        raise ValueError(
            f"there is no option {unknown[0]!r}: `jaxdqn train {game} {algorithm} --help` lists all options."
        )
    return parsed.options, Config(**{name: getattr(parsed.config, name) for name in names})
