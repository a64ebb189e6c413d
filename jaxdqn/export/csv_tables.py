"""Stored runs as tables for CSV: names of columns, and rows in a fixed order. What is not known is an empty cell.

Numbers are written so that reading them as float64 gives exactly what is stored, although most of it is float32.
"""

import csv
import io
import itertools
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from jaxdqn.analysis import by_arm
from jaxdqn.store import schema, store
from jaxdqn.store.record import Curves, Record, Run

_ROWS_A_PIECE = 1_000


class Table(NamedTuple):
    """Names of the columns, and rows of so many cells: text, numbers, booleans, lists, or None."""

    names: tuple[str, ...]
    rows: Iterator[list[Any]]


def curves(records: Sequence[Record]) -> Table:
    """Returns one row a point of every run: whose it is, `steps`, and all curves; one that a run lacks is empty.

    Raises, while rows are read:
      jaxdqn.store.record.DamagedResult: if curves cannot be trusted.
    """
    present = {name for record in records for name in record.facts["curves"]["names"]}
    names = ["steps", *sorted(present - {"steps"})]
    columns, settings = identity_columns(records)

    def rows() -> Iterator[list[Any]]:
        for record in records:
            yield from _rows(identity(record, settings), names, store.load(record).curves)

    return Table((*columns, *names), rows())


def episodes(records: Sequence[Record]) -> Table:
    """Returns one row a logged training episode of every run that has such a log, numbered from 0.

    Raises:
      ValueError: if no run has one.
      jaxdqn.store.record.DamagedResult: while rows are read, if a log cannot be trusted.
    """
    logged = [record for record in records if "episodes" in record.facts]
    if not logged:
        raise ValueError("no run has a log of its training episodes: a study keeps one with episodes_logged.")
    names = sorted({name for record in logged for name in record.facts["episodes"]["shapes"]})
    columns, settings = identity_columns(logged)

    def rows() -> Iterator[list[Any]]:
        for record in logged:
            log = store.attachment(store.load(record), "episodes")
            for number, row in enumerate(_rows([], names, log)):
                yield [*identity(record, settings), number, *row]

    return Table((*columns, "episode", *names), rows())


def facts(records: Sequence[Record]) -> Table:
    """Returns one row a run: everything that its record says, by dotted path, in the order in which it says it."""
    leaves = [schema.leaves(record.facts) for record in records]
    names = tuple(dict.fromkeys(path for row in leaves for path in row))
    return Table(names, ([row.get(path) for path in names] for row in leaves))


def scores(records: Sequence[Record], *, score: str = "evaluation_return", last: int = 1) -> Table:
    """Returns one row a run: whose it is, its budget, how it ended, and its score; none if it crashed or diverged.

    Args:
      records: of any runs.
      score: the curve.
      last: how many of its last points are averaged.

    Raises, while rows are read:
      ValueError: if a run has no such curve, or fewer points.
      jaxdqn.store.record.DamagedResult: if curves cannot be trusted.
    """
    columns, settings = identity_columns(records)

    def rows() -> Iterator[list[Any]]:
        for record in records:
            crashed = schema.crashed(record.facts)
            has_score = not crashed and record.facts["diverged_at"] is None
            final = float(by_arm.final([store.load(record)], score, last)[0]) if has_score else None
            yield [*identity(record, settings), record.facts["steps"], record.facts["diverged_at"], crashed, final]

    return Table((*columns, "steps", "diverged_at", "crashed", score), rows())


def identity_columns(records: Iterable[Record | Run]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Returns the names of the columns that identify a run, and the settings among them."""
    settings = tuple(sorted({field for record in records for field in record.facts["settings"]}))
    columns = ("study", "game", "algorithm", *(f"settings.{field}" for field in settings), "seed", "id")
    return columns, settings


def identity(record: Record | Run, settings: Sequence[str]) -> list[Any]:
    """Returns the values of a run in the columns that `identity_columns` names."""
    said = record.facts
    values = [said["settings"].get(field) for field in settings]
    return [said["study"], said["game"]["name"], said["algorithm"], *values, said["seed"], said["id"]]


def csv_of(table: Table) -> Iterator[bytes]:
    """Yields a table as CSV (RFC 4180, lines ended by a line feed, UTF-8) in pieces of many rows."""
    lines = itertools.chain([table.names], (map(_cell, row) for row in table.rows))
    for piece in iter(lambda: list(itertools.islice(lines, _ROWS_A_PIECE)), []):
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(piece)
        yield text.getvalue().encode()


def _rows(before: list[Any], names: Sequence[str], arrays: Curves) -> Iterator[list[Any]]:
    """Yields what stands before with an element of each array `[N]`, None where there is no such array."""
    length = len(next(iter(arrays.values())))
    columns = [arrays[name].tolist() if name in arrays else [None] * length for name in names]
    for values in zip(*columns, strict=True):
        yield [*before, *values]


def _cell(value: Any) -> Any:
    """Returns text and numbers as they are, nothing for what is not known, and everything else as JSON."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return json.dumps(value) if isinstance(value, bool | list | dict) else value
