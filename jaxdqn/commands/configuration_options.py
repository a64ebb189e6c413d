"""The options of `jaxdqn train GAME ALGORITHM`: one option for each field of the algorithm's configuration."""

import argparse
import dataclasses
import pathlib
import typing
from collections.abc import Sequence
from typing import Annotated, Any

import tyro

from jaxdqn import config_fields, settings
from jaxdqn.commands import own_part_options
from jaxdqn.commands.options import add_settings
from jaxdqn.config import Config
from jaxdqn.training.evaluate import Evaluation


@dataclasses.dataclass(frozen=True)
class Options:
    """The options of a study that are not fields of the configuration.

    Attributes:
      settings: settings that all other options start from, a name from `jaxdqn list settings`. By default those of the
        game.
      steps: environment steps of each run.
      evaluation: when and how runs are evaluated.
      seeds: number of runs, with seeds 0, 1, ...
      out: folder for the results.
      name: name of the study and of its folder in `out`. By default game and algorithm.
    """

    settings: str
    steps: int
    evaluation: Evaluation
    seeds: int = 5
    out: pathlib.Path = pathlib.Path("runs")
    name: str | None = None


def parse(game: str, algorithm: str, arguments: Sequence[str]) -> tuple[Options, Config]:
    """Returns the options, and the configuration with the settings and the changes that the arguments make.

    Raises:
      ValueError: the algorithm, the settings or an option do not exist. The message names them.
    """
    base = _base_settings(arguments) or settings.name_for(game)
    family = settings.named(base)
    default, own, arguments = own_part_options.take(family.configuration(algorithm), arguments)
    # The declared type of `algorithm` is a protocol. The options come from the type of the default, as for own parts.
    declared = typing.get_type_hints(Config)
    types = declared | {name: type(part) for name, part in vars(default).items() if _is_own(part, declared[name])}
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
        description=f"Trains {algorithm} on {game}; writes a result folder, a figure and a table. The defaults below "
        f"are the settings {base} of `jaxdqn list settings`. A part of your own is an option, too: --network "
        "my_module:MyNetwork.",
        args=arguments,
        default=everything(Options(base, family.steps, family.evaluation), configuration()),
        config=(tyro.conf.CascadeSubcommandArgs,),
        return_unknown_args=True,
    )
    if unknown:
        raise ValueError(
            f"there is no option {unknown[0]!r}: `jaxdqn train {game} {algorithm} --help` lists all options."
        )
    config = Config(**{name: getattr(parsed.config, name) for name in names})
    for path, part in own.items():
        config = config_fields.replace_at(config, path, part)
    return parsed.options, config


def _is_own(part: Any, declared: Any) -> bool:
    """Returns whether a part has a type that its field does not declare."""
    return dataclasses.is_dataclass(part) and type(part) not in (declared, *typing.get_args(declared))


def _base_settings(arguments: Sequence[str]) -> str | None:
    """Returns the value of `--settings`, which decides the defaults of all other options; None if it is not given."""
    parser = argparse.ArgumentParser("jaxdqn train", usage=argparse.SUPPRESS, add_help=False, allow_abbrev=False)
    add_settings(parser)
    found: str | None = parser.parse_known_args(arguments)[0].settings
    return found
