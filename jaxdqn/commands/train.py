"""`jaxdqn train`: a study of one game and one algorithm without a script, any field of its configuration an option."""

import argparse
import dataclasses
import pathlib
import re
import typing
from collections.abc import Sequence
from typing import Annotated, Any

import tyro

from jaxdqn import games
from jaxdqn.algorithms import configuration_of
from jaxdqn.commands import script
from jaxdqn.commands.errors import one_sentence
from jaxdqn.commands.options import add_running
from jaxdqn.config import Config
from jaxdqn.figures.learning_curves import learning_curves
from jaxdqn.study.spec import Study
from jaxdqn.training.evaluate import Evaluation


@dataclasses.dataclass(frozen=True)
class Options:
    """What is not in the configuration.

    Attributes:
      steps: budget of each run, in environment steps.
      seeds: number of runs, with seeds 0, 1, ...
      out: folder for the results.
      name: of the study, and of its folder in `out`; default: game and algorithm.
      evaluation: when and how runs are evaluated.
    """

    steps: int = 100_000
    seeds: int = 5
    out: pathlib.Path = pathlib.Path("runs")
    name: str | None = None
    evaluation: Evaluation = Evaluation(every=5_000, episodes=20)  # noqa: RUF009  # frozen


def main(game: str, algorithm: str, arguments: Sequence[str]) -> None:
    """Trains, and prints a table of the scores and where results and figure are. All weights are kept.

    A name or value that is not allowed ends the program with one sentence and exit status 2, before work starts.
    """
    with one_sentence():
        games.make(game)
        running, rest = parse_running(arguments)
        try:
            options, config = parse(game, algorithm, rest)
        except SystemExit as ended:
            if ended.code == 0:  # all fields have been explained
                print(_running().format_help())
            raise
        study = Study(
            name=options.name or re.sub("[^a-z0-9_-]+", "-", f"{game}-{algorithm}".lower()),
            games=(game,),
            algorithms={algorithm: config},
            seeds=range(options.seeds),
            steps=options.steps,
            evaluation=options.evaluation,
            weights_of=range(options.seeds),
        )
    script.run_and_show(study, options.out, learning_curves, running=running)


def parse_running(arguments: Sequence[str]) -> tuple[script.Running, list[str]]:
    """Returns how the study is to be run, and the arguments that say something else."""
    running, rest = _running().parse_known_args(arguments)
    return script.Running.of(running), rest


def parse(game: str, algorithm: str, arguments: Sequence[str]) -> tuple[Options, Config]:
    """Returns the options, and the algorithm's configuration with what the arguments change of it.

    Raises:
      ValueError: naming an algorithm or an option that does not exist.
    """
    default = configuration_of(algorithm)
    # The declared type of `algorithm` is a protocol; its options are those of the type it has here.
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
        description=f"Trains {algorithm} on {game}; ends in a result folder, a figure and a table.",
        args=arguments,
        default=everything(Options(), configuration()),
        config=(tyro.conf.CascadeSubcommandArgs,),
        return_unknown_args=True,
    )
    if unknown:
        raise ValueError(f"there is no option {unknown[0]!r}; `jaxdqn train {game} {algorithm} --help` lists them all.")
    return parsed.options, Config(**{name: getattr(parsed.config, name) for name in names})


def _running() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("jaxdqn train", usage=argparse.SUPPRESS, add_help=False, allow_abbrev=False)
    add_running(parser)
    return parser
