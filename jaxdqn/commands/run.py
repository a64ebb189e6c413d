"""`jaxdqn run`: runs the script of an experiment, in the same way as `python SCRIPT`."""

import argparse
import pathlib
import runpy
import sys

from jaxdqn.commands.command import Command
from jaxdqn.commands.errors import one_sentence


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `jaxdqn run`. Options after the script are options of the script."""
    parser.add_argument("script", type=pathlib.Path, metavar="SCRIPT", help="the script of an experiment")
    parser.add_argument("rest", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)


def main(options: argparse.Namespace) -> None:
    """Runs the script. If it cannot be imported, the command exits with status 2 after one sentence."""
    from jaxdqn.study import load_script

    with one_sentence():
        load_script.imported(options.script)  # a second import, so that only errors of the input end here
    sys.argv = [str(options.script), *options.rest]
    sys.path.insert(0, str(options.script.parent.resolve()))
    runpy.run_path(str(options.script), run_name="__main__")


COMMAND = Command(
    "run or continue a study: the same as running its script",
    "Trains the missing runs of a study, then draws its figures.",
    add,
    main,
    epilog="`jaxdqn run SCRIPT --help` shows all options.",
    usage="jaxdqn run SCRIPT [--out DIR] [any option of the script]",
)
