"""`jaxdqn run`: the script of an experiment, as Python runs it."""

import argparse
import pathlib
import runpy
import sys

from jaxdqn.commands.command import Command
from jaxdqn.commands.errors import one_sentence


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `jaxdqn run`; those after the script belong to the script."""
    parser.add_argument("script", type=pathlib.Path, metavar="SCRIPT", help="the script of an experiment")
    parser.add_argument("rest", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)


def main(options: argparse.Namespace) -> None:
    """Runs the script. A script that cannot be imported is refused in one sentence."""
    from jaxdqn.study import scripts

    with one_sentence():
        scripts.imported(options.script)  # twice, which takes a second: later errors are errors of the work itself
    sys.argv = [str(options.script), *options.rest]
    sys.path.insert(0, str(options.script.parent.resolve()))
    runpy.run_path(str(options.script), run_name="__main__")


COMMAND = Command(
    "run a study, or continue it: the same as running its script",
    "Runs the missing runs of a study, and draws its figures.",
    add,
    main,
    epilog="`jaxdqn run SCRIPT --help` shows every option.",
    usage="jaxdqn run SCRIPT [--out DIR] [any option of the script]",
)
