"""Tables of stored runs, and their conversion to CSV. Rows have a fixed order; an empty cell is an unknown value.

A number that is read back as float64 equals the stored one exactly, although most curves are float32.
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

_ROWS_PER_PIECE = 1_000


class Table(NamedTuple):
    """A table.

    Attributes:
      names: names of the columns.
      rows: rows with a cell for each column: text, number, boolean, list or None.
    """

    names: tuple[str, ...]
    rows: Iterator[list[Any]]


def curves(records: Sequence[Record]) -> Table:
    """Returns the table of curves: a row for each point of each run, with its run, `steps`, and all curves.

    A curve that a run lacks is None.

    Raises, while rows are read:
      jaxdqn.store.record.DamagedResult: the curves of a run are damaged.
    """
    present = {name for record in records for name in record.facts["curves"]["names"]}
    names = ["steps", *sorted(present - {"steps"})]
    columns, settings = identity_columns(records)

    def rows() -> Iterator[list[Any]]:
        for record in records:
            yield from _rows(identity(record, settings), names, store.load(record).curves)

    return Table((*columns, *names), rows())


def episodes(records: Sequence[Record]) -> Table:
    """Returns the table of episodes: a row for each logged training episode of each run, numbered from 0.

    Runs without a log have no rows.

    Raises:
      ValueError: no run has a log.
      jaxdqn.store.record.DamagedResult: a log is damaged; raised while rows are read.
    """
    logged = [record for record in records if "episodes" in record.facts]
    if not logged:
        raise ValueError("No run has a log of its training episodes: set episodes_logged in the study.")
    names = sorted({name for record in logged for name in record.facts["episodes"]["shapes"]})
    columns, settings = identity_columns(logged)

    def rows() -> Iterator[list[Any]]:
        for record in logged:
            log = store.attachment(store.load(record), "episodes")
            for number, row in enumerate(_rows([], names, log)):
                yield [*identity(record, settings), number, *row]

    return Table((*columns, "episode", *names), rows())


def facts(records: Sequence[Record]) -> Table:
    """Returns the table of facts: a row for each run with all its facts by dotted path, in the order of the records."""
    leaves = [schema.leaves(record.facts) for record in records]
    names = tuple(dict.fromkeys(path for row in leaves for path in row))
    return Table(names, ([row.get(path) for path in names] for row in leaves))


def scores(records: Sequence[Record], *, score: str = "evaluation_return", last: int = 1) -> Table:
    """Returns the table of scores: a row for each run with its budget, how it ended, and its score.

    The score of a run that diverged is None.

    Args:
      records: facts of the runs.
      score: name of the curve.
      last: number of its last points that are averaged.

    Raises, while rows are read:
      ValueError: a run has no such curve, or fewer points.
      jaxdqn.store.record.DamagedResult: the curves of a run are damaged.
    """
    columns, settings = identity_columns(records)

    def rows() -> Iterator[list[Any]]:
        for record in records:
            has_score = record.facts["diverged_at"] is None
            final = float(by_arm.final([store.load(record)], score, last)[0]) if has_score else None
            yield [*identity(record, settings), record.facts["steps"], record.facts["diverged_at"], final]

    return Table((*columns, "steps", "diverged_at", score), rows())


def identity_columns(records: Iterable[Record | Run]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Returns the names of the columns that identify a run, and the fields of the settings in these columns."""
    settings = tuple(sorted({field for record in records for field in record.facts["settings"]}))
    columns = ("study", "game", "algorithm", *(f"settings.{field}" for field in settings), "seed", "id")
    return columns, settings


def identity(record: Record | Run, settings: Sequence[str]) -> list[Any]:
    """Returns the values of a run in the columns of `identity_columns`."""
    facts = record.facts
    values = [facts["settings"].get(field) for field in settings]
    return [facts["study"], facts["game"]["name"], facts["algorithm"], *values, facts["seed"], facts["id"]]


def csv_of(table: Table) -> Iterator[bytes]:
    """Yields a table as CSV (RFC 4180, UTF-8, line feeds) in pieces of `_ROWS_PER_PIECE` rows."""
    lines = itertools.chain([table.names], (map(_cell, row) for row in table.rows))
    for piece in iter(lambda: list(itertools.islice(lines, _ROWS_PER_PIECE)), []):
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(piece)
        yield text.getvalue().encode()


def _rows(before: list[Any], names: Sequence[str], arrays: Curves) -> Iterator[list[Any]]:
    """Yields N rows: the values `before`, then an element of each named array `[N]`; None for a missing array."""
    length = len(next(iter(arrays.values())))
    columns = [arrays[name].tolist() if name in arrays else [None] * length for name in names]
    for values in zip(*columns, strict=True):
        yield [*before, *values]


def _cell(value: Any) -> Any:
    """Returns text and numbers unchanged, an empty text for None and NaN, and all other values as JSON."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return json.dumps(value) if isinstance(value, bool | list | dict) else value
