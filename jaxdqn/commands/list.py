"""`jaxdqn list`: the games, the algorithms or the settings, one line each."""

import argparse
import textwrap

from jaxdqn.commands import text_tables
from jaxdqn.commands.command import Command


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `jaxdqn list`."""
    parser.add_argument("table", choices=("games", "algorithms", "settings"), help="the table to print")


def main(options: argparse.Namespace) -> None:
    """Prints a table."""
    rows = {"games": _games, "algorithms": _algorithms, "settings": _settings}[options.table]()
    width = max(map(len, rows))
    for name, summary in rows.items():
        print(textwrap.fill(f"{name:{width}}  {summary}", text_tables.width(), subsequent_indent=" " * (width + 2)))


def _games() -> dict[str, str]:
    from jaxdqn.games import GAMES, PREFIXES

    kinds = {prefix + kind.names: kind.summary for prefix, kind in PREFIXES.items()}
    own = {"MODULE:NAME": "a game of your own: a jaxdqn.game_interfaces.Game, or a function that returns one"}
    return {name: entry.summary for name, entry in GAMES.items()} | kinds | own


def _algorithms() -> dict[str, str]:
    from jaxdqn.algorithms import ALGORITHMS

    own = {"MODULE:NAME": "an algorithm of your own: a Config, or a configuration with a method `loss`"}
    return {name: entry.summary for name, entry in ALGORITHMS.items()} | own


def _settings() -> dict[str, str]:
    from jaxdqn.settings import FAMILIES

    results = {name: f" (results/{family.result})" if family.result else "" for name, family in FAMILIES.items()}
    return {name: f"{' '.join(family.games)}: {family.source}{results[name]}" for name, family in FAMILIES.items()}


COMMAND = Command(
    "list the games, the algorithms or the settings, one line each",
    "Lists the games, the algorithms or the settings, one line each. Settings are values that work for a family of "
    "games. Their line names the games, the source of the values, and the results that show how well they do.",
    add,
    main,
)
