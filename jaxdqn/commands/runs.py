"""`jaxdqn runs`: lists stored runs, selected by values of their fields."""

import argparse
import csv
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxdqn.commands import text_tables
from jaxdqn.commands.command import Command
from jaxdqn.commands.errors import ends_quietly, one_sentence, printable
from jaxdqn.commands.options import folder_of
from jaxdqn.spelling import counted

if TYPE_CHECKING:
    from jaxdqn.store.record import Record

FIELDS = ("id", "study", "game", "algorithm", "settings", "seed", "steps", "score", "ended")
_DESCRIPTION = """\
Lists stored runs. A field is any fact of a run, by its dotted path in the run's JSON; `configuration.` may be left out.
You can show fields and select runs by them. Further fields are `settings` and `ended` (finished or diverged).
The field `score` (last evaluation return) can only be shown.
"""
_EPILOG = """\
examples:
  jaxdqn runs                                               every run of every study in results
  jaxdqn runs results/catch --where seed=0
  jaxdqn runs --where learning_rate=0.001 game=cartpole     all conditions must hold
  jaxdqn runs --where optimizer=Adam --fields id,optimizer.eps,torso.hidden,score
  jaxdqn runs results/catch --csv > runs.csv

For other conditions than FIELD=VALUE, read a study into a data frame: jaxdqn.export.data_frame.
"""
WHERE = "select runs with this value of a field, such as learning_rate=0.001; all conditions must hold"
_CURVE = "evaluation_return"


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `jaxdqn runs`."""
    parser.add_argument(
        "folder",
        type=Path,
        nargs="?",
        default=Path("results"),
        metavar="FOLDER",
        help="folder of a study or of several studies, or name of a study in results (default: results)",
    )
    parser.add_argument("--where", nargs="+", action="extend", default=[], metavar="FIELD=VALUE", help=WHERE)
    parser.add_argument("--fields", metavar="A,B,C", help="fields to show, in this order")
    parser.add_argument("--csv", action="store_true", help="print CSV, with exact values")


def main(options: argparse.Namespace) -> None:
    """Runs the command; bad input ends with one sentence on stderr and exit status 2.

    Args:
      options: folder, where, fields, csv.
    """
    from jaxdqn.commands import select_runs

    with ends_quietly():
        with one_sentence():
            folder = folder_of(options.folder)[0]
            found, num_failed = select_runs.read(folder), select_runs.num_failed(folder)
            if options.fields is not None:
                names = tuple(name.strip() for name in options.fields.split(","))
            else:
                is_one = len({record.facts["study"] for record in found.records}) == 1 and not options.csv
                names = tuple(name for name in FIELDS if not (is_one and name == "study"))  # the table is narrow
            rows = _rows(found.records, select_runs.select(found.records, options.where), names)
        for problem in found.damaged:
            print(f"left out: {printable(problem)}", file=sys.stderr)
        if options.csv:
            csv.writer(sys.stdout, lineterminator="\n").writerows([names, *(map(_exact, row) for row in rows)])
        else:
            print(text_tables.table([names, *(list(map(_rounded, row)) for row in rows)]))
        failed = f"; {counted(num_failed, 'failed run')} without a record" if num_failed else ""
        print(f"{len(rows)} of {counted(len(found.records), 'run')}{failed}", file=sys.stderr)


def _rows(every: "Sequence[Record]", selected: "Sequence[Record]", names: Sequence[str]) -> list[list[Any]]:
    """Returns the values of the named fields, one row for each selected run."""
    from jaxdqn.commands import select_runs

    if not every:  # no field is known then, and none is unknown
        return []
    described = dict(zip(map(_key, every), select_runs.fields(every), strict=True))
    known = {"score", *(path for fields in described.values() for path in fields)}
    paths = [select_runs.resolve(name, known) for name in names]
    rows = []
    for record in selected:
        fields = described[_key(record)]
        rows.append([score(record) if path == "score" else fields.get(path) for path in paths])
    return rows


def _key(record: "Record") -> tuple[Path, str]:
    """Returns what identifies a record: two studies may have a run in common."""
    return record.folder, record.facts["id"]


def score(record: "Record") -> float | str | None:
    """Returns the last evaluation return; None if the run diverged, or the value is missing or not finite.

    Returns "damaged" if the curves of the run are damaged.
    """
    from jaxdqn.store import store
    from jaxdqn.store.record import DamagedResult

    facts = record.facts
    if facts["diverged_at"] is not None or _CURVE not in facts["curves"]["names"]:
        return None
    try:
        last = store.curve(record, _CURVE)[-1:].tolist()
    except (DamagedResult, FileNotFoundError):
        return "damaged"
    return last[0] if last and abs(last[0]) < float("inf") else None


def _rounded(value: Any) -> str:
    if value is None or value == "":
        return "-"
    # Facts are data from outside and may contain control characters of the terminal.
    return f"{value:.6g}" if isinstance(value, float) else printable(_exact(value))


def _exact(value: Any) -> str:
    """Returns a value as a cell of CSV: text unchanged, an empty text for None, all other values as JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)


COMMAND = Command("list stored runs, by any of their fields", _DESCRIPTION, add, main, epilog=_EPILOG)
