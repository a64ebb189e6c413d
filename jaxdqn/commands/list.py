"""`jaxdqn list`: the games or the algorithms, one line each."""

import argparse
from collections.abc import Mapping
from typing import Any

from jaxdqn.commands.command import Command


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `jaxdqn list`."""
    parser.add_argument("table", choices=("games", "algorithms"), help="the table to print")


def main(options: argparse.Namespace) -> None:
    """Prints a table."""
    from jaxdqn.algorithms import ALGORITHMS
    from jaxdqn.games import GAMES, PREFIXES

    tables: dict[str, Mapping[str, Any]] = {"games": GAMES, "algorithms": ALGORITHMS}
    entries = tables[options.table]
    width = max(map(len, entries))
    for name, entry in entries.items():
        print(f"{name:{width}}  {entry.summary}")
    if options.table == "games":
        for prefix, kind in PREFIXES.items():
            print(f"{prefix + kind.names:{width}}  {kind.summary}")


COMMAND = Command(
    "list the games or the algorithms, one line each",
    "Lists the games or the algorithms, one line each.",
    add,
    main,
)
