"""`jaxdqn runs`: a list of the runs in the store, of those that meet conditions, with any of their fields."""

import argparse
import csv
import json
import sys
from collections.abc import Sequence
from typing import Any

from jaxdqn.commands import query
from jaxdqn.commands.errors import ends_quietly, one_sentence, printable
from jaxdqn.commands.query import Condition, Described

FIELDS = ("id", "study", "game", "algorithm", "settings", "seed", "steps", "score", "ended", "created")


def main(options: argparse.Namespace) -> None:
    """Runs the command; bad input ends with one sentence on stderr and exit status 2.

    Args:
      options: folder, where, fields, csv; as `jaxdqn.commands.arguments.add_runs` reads them.
    """
    with ends_quietly():
        with one_sentence():
            found = query.read(options.folder)
            described = [query.describe(record) for record in found.records]
            names = FIELDS if options.fields is None else tuple(name.strip() for name in options.fields.split(","))
            rows = _rows(described, names, [query.condition(text) for text in options.where])
        for problem in found.damaged:
            print(f"left out: {printable(problem)}", file=sys.stderr)
        if options.csv:
            csv.writer(sys.stdout, lineterminator="\n").writerows([names, *(map(_exact, row) for row in rows)])
        else:
            print(_table(names, rows))
        print(f"{len(rows)} of {len(described)} runs", file=sys.stderr)


def _rows(described: Sequence[Described], names: Sequence[str], conditions: Sequence[Condition]) -> list[list[Any]]:
    """Returns the values of the named fields, one row for each run that meets the conditions."""
    if not described:  # no field is known then, and none is unknown
        return []
    known = query.paths(described)
    paths = [query.resolve(name, known) for name in names]
    return [[one.fields.get(path) for path in paths] for one in _scored(query.select(described, conditions), paths)]


def _scored(chosen: Sequence[Described], paths: Sequence[str]) -> list[Described]:
    if query.SCORE not in paths:
        return list(chosen)
    return [one if query.SCORE in one.fields else query.with_score(one) for one in chosen]


def _table(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Returns columns as wide as they must be, numbers to the right; no line ends in blanks."""
    texts = [list(names), *([_rounded(value) for value in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    to_right = [all(isinstance(row[i], int | float | None) for row in rows) for i in range(len(names))]
    lines = (
        "  ".join(
            text.rjust(width) if right else text.ljust(width)
            for text, width, right in zip(line, widths, to_right, strict=True)
        )
        for line in texts
    )
    return "\n".join(line.rstrip() for line in lines)


def _rounded(value: Any) -> str:
    if value is None or value == "":
        return "-"
    # Facts are data from outside, and a terminal obeys control characters.
    return f"{value:.6g}" if isinstance(value, float) else printable(_exact(value))


def _exact(value: Any) -> str:
    """Returns a value as a cell of CSV: text as it is, nothing for None, else as JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)
