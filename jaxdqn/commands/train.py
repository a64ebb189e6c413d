"""`jaxdqn train`: runs a study of one game and one algorithm without a script.

Slow modules are imported inside functions, so `--help` is fast.
"""

import argparse
import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from jaxdqn.commands.command import Command
from jaxdqn.commands.errors import one_sentence
from jaxdqn.commands.options import add_run_options, add_wrappers

if TYPE_CHECKING:
    from jaxdqn.commands.script import RunOptions


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `jaxdqn train`. Options after the two names depend on the algorithm."""
    parser.add_argument("game", metavar="GAME", help="a name from `jaxdqn list games`")
    parser.add_argument("algorithm", metavar="ALGORITHM", help="a name from `jaxdqn list algorithms`")
    parser.add_argument("rest", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)


def main(options: argparse.Namespace) -> None:
    """Trains, then prints a table of scores and the paths of results and figure. All weights are stored.

    An invalid name or value ends the command with one sentence and exit status 2, before any training.
    """
    from jaxdqn import games, settings
    from jaxdqn.commands import configuration_options, script
    from jaxdqn.figures.learning_curves import learning_curves
    from jaxdqn.games import names
    from jaxdqn.study.spec import Study

    algorithm = options.algorithm
    with one_sentence():
        run_options, wrappers, rest = parse_run_options(options.rest)
        game = names.wrapped(options.game, wrappers)
        games.make(game)
        try:
            given, config = configuration_options.parse(game, algorithm, rest)
        except SystemExit as ended:
            if ended.code == 0:  # tyro has printed the help of all fields
                print(_parser().format_help())
            raise
        study = Study(
            name=given.name or re.sub("[^a-z0-9_-]+", "-", f"{game}-{algorithm}".lower()),
            games=(game,),
            algorithms={algorithm: config},
            seeds=range(given.seeds),
            steps=given.steps,
            evaluation=given.evaluation,
            weights_of=range(given.seeds),
            base_settings=given.settings,
        )
    family = settings.named(given.settings)
    if not family.holds(game):
        print(f"note: the settings {given.settings} are meant for {' '.join(family.games)}", file=sys.stderr)
    script.run_and_show(study, given.out, learning_curves, options=run_options)


def parse_run_options(arguments: Sequence[str]) -> "tuple[RunOptions, list[str], list[str]]":
    """Returns the options for running the study, the wrappers of the game, and the other arguments."""
    from jaxdqn.commands.script import RunOptions

    options, rest = _parser().parse_known_args(arguments)
    return RunOptions.of(options), options.wrapper, rest


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("jaxdqn train", usage=argparse.SUPPRESS, add_help=False, allow_abbrev=False)
    add_wrappers(parser.add_argument_group("environment"))
    add_run_options(parser)
    return parser


COMMAND = Command(
    "train one algorithm on one game; write records, a figure and a table",
    "Trains an algorithm on a game with several seeds, from the settings of `jaxdqn list settings` for this game. The "
    "results are a folder of records, a figure and a table.",
    add,
    main,
    epilog="`jaxdqn train GAME ALGORITHM --help` shows all options with their defaults.",
    usage="jaxdqn train GAME ALGORITHM [--settings NAME] [--steps N] [--seeds N] [--out DIR] [any field of the "
    "configuration]",
)
