"""`jaxdqn train`: a study of one game and one algorithm without a script.

Modules that take long to import are imported inside functions, so that help is instant.
"""

import argparse
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from jaxdqn.commands.command import Command
from jaxdqn.commands.errors import one_sentence
from jaxdqn.commands.options import add_running

if TYPE_CHECKING:
    from jaxdqn.commands.script import Running


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `jaxdqn train`; those after the two names depend on the algorithm."""
    parser.add_argument("game", metavar="GAME", help="a name from `jaxdqn list games`, or gymnasium:ID")
    parser.add_argument("algorithm", metavar="ALGORITHM", help="a name from `jaxdqn list algorithms`")
    parser.add_argument("rest", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)


def main(options: argparse.Namespace) -> None:
    """Trains, and prints a table of the scores and the paths of results and figure. All weights are kept.

    A name or value that is not allowed ends the program with one sentence and exit status 2, before work starts.
    """
    from jaxdqn import games
    from jaxdqn.commands import configuration_options, script
    from jaxdqn.figures.learning_curves import learning_curves
    from jaxdqn.study.spec import Study

    game, algorithm = options.game, options.algorithm
    with one_sentence():
        games.make(game)
        running, rest = parse_running(options.rest)
        try:
            given, config = configuration_options.parse(game, algorithm, rest)
        except SystemExit as ended:
            if ended.code == 0:  # tyro has printed the help of all fields
                print(_running().format_help())
            raise
        study = Study(
            name=given.name or re.sub("[^a-z0-9_-]+", "-", f"{game}-{algorithm}".lower()),
            games=(game,),
            algorithms={algorithm: config},
            seeds=range(given.seeds),
            steps=given.steps,
            evaluation=given.evaluation,
            weights_of=range(given.seeds),
        )
    script.run_and_show(study, given.out, learning_curves, running=running)


def parse_running(arguments: Sequence[str]) -> "tuple[Running, list[str]]":
    """Returns how the study is run, and the arguments that are about something else."""
    from jaxdqn.commands.script import Running

    options, rest = _running().parse_known_args(arguments)
    return Running.of(options), rest


def _running() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("jaxdqn train", usage=argparse.SUPPRESS, add_help=False, allow_abbrev=False)
    add_running(parser)
    return parser


COMMAND = Command(
    "train one algorithm on one game: results, a figure and a short table",
    "Trains an algorithm on a game with several seeds. The results are a folder of records, a figure and a table.",
    add,
    main,
    epilog="`jaxdqn train GAME ALGORITHM --help` shows every option with its default.",
    usage="jaxdqn train GAME ALGORITHM [--steps N] [--seeds N] [--out DIR] [any field of the configuration]",
)
