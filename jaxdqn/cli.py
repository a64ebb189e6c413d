"""The command `jaxdqn`: list what there is, or train without a script.

JAX is imported by the command that needs it, so that help comes at once.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from typing import Any

DESCRIPTION = "The Deep-Q-Network family in JAX, from a game to a figure."
EPILOG = """\
examples:
  jaxdqn list games
  jaxdqn train cartpole dqn
  jaxdqn train acrobot double_dqn --steps 150000 --seeds 10 --learning-rate 5e-4 --out my_results
  jaxdqn train catch dqn optimizer:sgd exploration:constant --exploration.epsilon 0.1
  jaxdqn train catch dqn --help      every option of the algorithm's configuration
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line; bad input ends with one sentence and exit status 2."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    parser = _parser()
    # `train GAME ALGORITHM` has options of its own, behind the names.
    is_train = arguments[:1] == ["train"] and len(arguments) >= 3 and not any(a.startswith("-") for a in arguments[:3])
    chosen = parser.parse_args(arguments[:3] if is_train else arguments)
    if chosen.command == "list":
        _list(chosen.table)
    else:
        from jaxdqn.study import train

        train.main(chosen.game, chosen.algorithm, arguments[3:])


def _parser() -> argparse.ArgumentParser:
    style = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("jaxdqn", description=DESCRIPTION, epilog=EPILOG, formatter_class=style)
    commands = parser.add_subparsers(dest="command", required=True, metavar="{list,train}")
    listing = commands.add_parser("list", help="the games or the algorithms, one line each")
    listing.add_argument("table", choices=("games", "algorithms"))
    training = commands.add_parser(
        "train",
        help="train one algorithm on one game: results, a figure and a short table",
        usage="jaxdqn train GAME ALGORITHM [--steps N] [--seeds N] [--out DIR] [any field of the configuration]",
        description="Trains an algorithm on a game over several seeds; ends in a result folder, a figure and a table.",
        epilog="`jaxdqn train GAME ALGORITHM --help` shows every option with its default.",
    )
    training.add_argument("game", metavar="GAME", help="a name from `jaxdqn list games`")
    training.add_argument("algorithm", metavar="ALGORITHM", help="a name from `jaxdqn list algorithms`")
    return parser


def _list(table: str) -> None:
    from jaxdqn.algorithms import ALGORITHMS
    from jaxdqn.games import GAMES

    tables: dict[str, Mapping[str, Any]] = {"games": GAMES, "algorithms": ALGORITHMS}
    entries = tables[table]
    width = max(map(len, entries))
    for name, entry in entries.items():
        print(f"{name:{width}}  {entry.summary}")
