"""The command `jaxdqn`: the whole project from the command line, without writing Python.

A command is one file of this package and one line of `COMMANDS`.
"""

import argparse
import sys
from collections.abc import Sequence

import jaxdqn
from jaxdqn import user_modules
from jaxdqn.commands import export, figure, list, pack, plan, play, run, runs, search, status, train
from jaxdqn.commands.errors import ends_quietly, system_errors_as_sentences

COMMANDS = {
    "list": list.COMMAND,
    "train": train.COMMAND,
    "plan": plan.COMMAND,
    "run": run.COMMAND,
    "search": search.COMMAND,
    "status": status.COMMAND,
    "runs": runs.COMMAND,
    "figure": figure.COMMAND,
    "export": export.COMMAND,
    "pack": pack.COMMAND,
    "play": play.COMMAND,
}
DESCRIPTION = "The Deep-Q-Network family in JAX, from a game to a figure."
EPILOG = """\
examples:
  jaxdqn list games
  jaxdqn list settings                              the settings that `train` and `search` start from
  jaxdqn train acrobot double_dqn --steps 150000 --seeds 10 --learning-rate 5e-4 --out my_results
  jaxdqn train catch dqn double_dqn c51 --steps 1e4
  jaxdqn train "gymnasium:FrozenLake-v1?is_slippery=False&map_name=8x8" dqn
  jaxdqn train gymnasium:my_envs:Maze-v0 dqn --wrapper my_envs:Pictures    modules of the current folder
  jaxdqn train my_games:corridor my_algorithms:clipped --network my_networks:Wide
  jaxdqn train catch dqn --help                     all options of the algorithm's configuration
  jaxdqn plan experiments/classic_control.py        the time and memory that a study needs
  jaxdqn run experiments/classic_control.py         the same as running the script
  jaxdqn search cartpole dqn --space learning_rate=log:1e-5:1e-1 discount=0.8:0.999 n_step=1,3
  jaxdqn status                                     all studies in results
  jaxdqn status classic_control                     a study by its name in results
  jaxdqn runs --where learning_rate=0.001 game=cartpole
  jaxdqn figure classic_control curves --where game=cartpole
  jaxdqn export results/catch --to csv --out curves.csv
  jaxdqn pack results/catch                         stores all runs in one file
  jaxdqn play catch                                 plays with trained weights, in the terminal
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line.

    Invalid input exits with status 2 after an error message of one sentence; so does an error of the operating system.
    Without a command, help is printed. Modules of the user are searched in the current folder first, as by
    `python -m jaxdqn`.
    """
    user_modules.search_current_folder()
    words = sys.argv[1:] if arguments is None else arguments
    parser = _parser()
    with ends_quietly(), system_errors_as_sentences():
        if not words:
            parser.print_help()
            return
        name, *rest = words
        options = parser.parse_args([name, *(COMMANDS[name].completed(rest) if name in COMMANDS else rest)])
        COMMANDS[options.command].main(options)


def _parser() -> argparse.ArgumentParser:
    style = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("jaxdqn", description=DESCRIPTION, epilog=EPILOG, formatter_class=style)
    parser.add_argument("--version", action="version", version=f"jaxdqn {jaxdqn.__version__}")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, command in COMMANDS.items():
        subparser = subparsers.add_parser(
            name,
            help=command.summary,
            description=command.description,
            epilog=command.epilog or None,
            usage=command.usage,
            formatter_class=style,
        )
        command.add(subparser)
    return parser
