"""`jaxdqn train`: runs a study of one game and one or several algorithms without a script.

Slow modules are imported inside functions, so `--help` is fast.
"""

import argparse
import itertools
import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from jaxdqn.commands.command import Command
from jaxdqn.commands.errors import one_sentence
from jaxdqn.commands.options import add_run_options, add_wrappers

if TYPE_CHECKING:
    from jaxdqn.commands.configuration_options import Options
    from jaxdqn.commands.run_study import RunOptions
    from jaxdqn.study.spec import Study

_MOST_CHARACTERS = 80  # of a name made from algorithms; names of files have at most 255


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `jaxdqn train`. Options after the two names depend on the algorithm."""
    parser.add_argument("game", metavar="GAME", help="a name from `jaxdqn list games`")
    parser.add_argument("algorithm", metavar="ALGORITHM", help="one or several names from `jaxdqn list algorithms`")
    rest = parser.add_argument("rest", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    rest.required = False  # otherwise the error without arguments names it


def main(options: argparse.Namespace) -> None:
    """Trains, then prints a table of scores and the paths of results and figure. All weights are stored.

    An invalid name or value ends the command with one sentence and exit status 2, before any training.
    """
    from jaxdqn import games, settings
    from jaxdqn.commands import script
    from jaxdqn.figures.learning_curves import learning_curves
    from jaxdqn.games import names

    with one_sentence():
        run_options, wrappers, rest = parse_run_options(options.rest)
        game = names.wrapped(options.game, wrappers)
        games.make(game)
        algorithms, arguments = _split([options.algorithm, *rest])
        given, study = _study(game, algorithms, arguments)
    family = settings.named(given.settings)
    if not family.holds(game):
        print(f"note: the settings {given.settings} are meant for {' '.join(family.games)}", file=sys.stderr)
    script.run_and_show(study, given.out, learning_curves, with_others=True, options=run_options)


def _split(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Returns the names of the algorithms, and the options, which begin with `-` or choose a part."""
    from jaxdqn.commands import configuration_options

    first, *rest = words
    others = list(itertools.takewhile(lambda word: not (word[:1] == "-" or configuration_options.is_part(word)), rest))
    return list(dict.fromkeys([first, *others])), rest[len(others) :]


def _study(game: str, algorithms: Sequence[str], arguments: Sequence[str]) -> "tuple[Options, Study]":
    """Returns the options and the study that the arguments describe. Lines on stderr name the counts that it rounds up.

    Raises:
      ValueError: a name or a value is invalid. The message names an option as it was typed.
    """
    from jaxdqn.commands import configuration_options
    from jaxdqn.commands.configuration_options import as_typed, is_given, option_of
    from jaxdqn.study.spec import Study
    from jaxdqn.training import round_counts

    configs = {}
    for algorithm in algorithms:
        try:
            given, configs[algorithm] = configuration_options.parse(game, algorithm, arguments)
        except SystemExit as ended:
            if ended.code == 0:  # tyro has printed the help of all fields
                print(_parser().format_help())
            raise
        except ValueError as error:
            if len(algorithms) == 1 or "has no option" not in str(error):
                raise
            remedy = "Options apply to all algorithms: train each with its own options and one --name."
            raise ValueError(f"{error} {remedy}") from None
    derive = is_given("--steps", arguments) and not is_given("--evaluation.every", arguments)
    try:
        fitted = round_counts.fitted(list(configs.values()), given.steps, given.evaluation, derive_period=derive)
        study = Study(
            name=given.name or _name(game, algorithms),
            games=(game,),
            algorithms=dict(zip(configs, fitted.configs, strict=True)),
            seeds=range(given.seeds),
            steps=fitted.steps,
            evaluation=fitted.evaluation,
            weights_of=range(given.seeds),
            base_settings=given.settings,
        )
    except ValueError as error:
        message = re.sub(r"^algorithms\['(.*?)'\]: ", "" if len(algorithms) == 1 else r"\1: ", str(error))
        config = next((configs[name] for name in configs if message.startswith(f"{name}: ")), configs[algorithms[0]])
        raise ValueError(as_typed(message, config, arguments)) from None
    for change in fitted.changes:
        value = f"{option_of(change.field)} {change.value:_} instead of {change.given:_}"
        print(f"note: {value}: {change.reason}", file=sys.stderr)
    for label, config in study.algorithms.items():
        if config.learning_starts >= study.steps:
            of = f"{label}: " if len(algorithms) > 1 else ""
            value = f"--learning-starts {config.learning_starts:_}"
            print(f"note: {of}nothing is learned in {study.steps:_} steps: give less than {value}", file=sys.stderr)
    return given, study


def _name(game: str, algorithms: Sequence[str]) -> str:
    """Returns a name for a study: its game and algorithms, or the number of those that make it too long."""
    names = list(algorithms)
    while len(names) > 1 and len("-".join([game, *names])) > _MOST_CHARACTERS:
        names.pop()
    more = [f"and_{len(algorithms) - len(names)}_more"] if len(names) < len(algorithms) else []
    return re.sub("[^a-z0-9_-]+", "-", "-".join([game, *names, *more]).lower())


def parse_run_options(arguments: Sequence[str]) -> "tuple[RunOptions, list[str], list[str]]":
    """Returns the options for running the study, the wrappers of the game, and the other arguments."""
    from jaxdqn.commands.run_study import RunOptions

    options, rest = _parser().parse_known_args(arguments)
    return RunOptions.of(options), options.wrapper, rest


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("jaxdqn train", usage=argparse.SUPPRESS, add_help=False, allow_abbrev=False)
    add_wrappers(parser.add_argument_group("environment"))
    add_run_options(parser)
    return parser


_EPILOG = """\
`jaxdqn train GAME ALGORITHM --help` shows all options with their defaults. Options apply to all algorithms.

examples:
  jaxdqn train catch dqn                                    20,000 steps, 5 seeds
  jaxdqn train catch dqn double_dqn c51 --steps 1e4         three algorithms in one figure
  jaxdqn train catch dqn --learning-rate 0.01               again with another value: a second arm in the same figure
"""

COMMAND = Command(
    "train algorithms on a game; write records, a figure and a table",
    "Trains algorithms on a game with several seeds, from the settings of `jaxdqn list settings` for this game. The "
    "results are a folder of records, a figure and a table. Runs of the folder with different settings are arms of one "
    "figure.",
    add,
    main,
    epilog=_EPILOG,
    usage="jaxdqn train GAME ALGORITHM [ALGORITHM ...] [--settings NAME] [--steps N] [--seeds N] [--out DIR] [any "
    "field of the configuration]",
)
