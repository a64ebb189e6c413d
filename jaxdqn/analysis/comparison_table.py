"""The comparison table: one row for each arm, one column for each game, in Markdown, LaTeX and CSV.

The best arm of a column is bold, and so is every arm whose interval overlaps that of the best. The rule is cautious:
intervals of arms that differ significantly may still overlap a little.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import numpy as np

from jaxdqn.analysis import aggregates, bootstrap_intervals, resampling, scores, statistics, table_formats
from jaxdqn.analysis.normalise import Transform
from jaxdqn.analysis.statistics import Aggregate
from jaxdqn.store.record import Run


class Cell(NamedTuple):
    """A statistic over runs, its 95 % interval, the number of runs, and whether it is bold.

    Point and interval are NaN if some run has no finite score; the interval is NaN if a game has fewer than three runs.
    """

    point: float
    low: float
    high: float
    runs: int
    is_bold: bool = False


class Comparison(NamedTuple):
    """A table: cells by arm and then by column, and the sentences that explain it."""

    columns: tuple[str, ...]
    rows: dict[str, dict[str, Cell]]
    reading: str


def compare(
    runs: Iterable[Run],
    *,
    score: str = "evaluation_return",
    last: int = 1,
    statistic: statistics.Statistic = statistics.iqm,
    transform: Transform | None = None,
    lower_is_better: bool = False,
    bootstrap_seed: int = 0,
) -> Comparison:
    """Returns the final scores of arms on each game, with intervals, and on all games if these have a common scale.

    All games together have a column for each aggregate (`jaxdqn.analysis.aggregates`).
    Nothing is bold in a column of one arm, or if some arm has fewer than three runs and so no interval.

    Args:
      runs: of any games, algorithms and settings.
      score: the curve.
      last: number of its last points that are averaged in each run.
      statistic: over the runs of an arm on one game.
      transform: of the scores of a game to a scale that games share, for the columns of all games; columns of single
        games have scores without transform. Without it there are no columns of all games.
      lower_is_better: whether the lowest score is the best, as for an error.
      bootstrap_seed: seed of the generator of each interval.

    Raises:
      ValueError: if there are no runs, or they do not form arms or follow several protocols.
    """
    runs = list(runs)
    found = scores.final(runs, score=score, last=last)
    of_game = statistics.pooled(statistic)
    columns = {
        game: _with_best(_column(found.values, (game,), of_game, bootstrap_seed), lower_is_better)
        for game in found.games
    }
    left_out = found.left_out
    if transform is not None and len(found.games) > 1:
        together = scores.pooled(scores.final(runs, score=score, last=last, transform=transform))
        for name, entry in aggregates.AGGREGATES.items():
            cells = _column(together.values, together.games, entry.aggregate, bootstrap_seed)
            columns[aggregates.panel(name)] = _with_best(cells, lower_is_better != entry.lower_is_better)
        left_out = together.left_out.replace("Not shown,", f"Not among {aggregates.ALL_GAMES},")
    rows = {label: {name: cells[label] for name, cells in columns.items() if label in cells} for label in found.values}
    averaged = "the last evaluation" if last == 1 else f"the mean of the last {last} evaluations"
    sizes = [len(final) for by_game in found.values.values() for final in by_game.values()]
    sentences = (
        f"{statistics.name(statistic)} over seeds of {score.replace('_', ' ')}, {averaged} of a run, with its 95 % "
        f"stratified bootstrap interval. Bold: the {'lowest' if lower_is_better else 'highest'} score of a column, and "
        "all scores whose interval overlaps its interval.",
        aggregates.explanation() if len(columns) > len(found.games) else "",
        left_out,
        bootstrap_intervals.caveat(sizes),
    )
    return Comparison(tuple(columns), rows, " ".join(filter(None, sentences)))


def markdown(table: Comparison) -> str:
    """Returns a table in Markdown, with the explanation below it."""
    return f"{table_formats.markdown([_heading(table), *_rows(table, _markdown)])}\n{table.reading}\n"


def latex(table: Comparison) -> str:
    """Returns a `tabular` in LaTeX, with the explanation as a comment; it needs `\\usepackage{booktabs}`."""
    escaped = [[table_formats.latex_text(cell) for cell in _heading(table)]]
    escaped += [[table_formats.latex_text(label), *cells] for label, *cells in _rows(table, _latex)]
    return f"% {table.reading}\n{table_formats.latex(escaped)}"


def comma_separated(table: Comparison) -> str:
    """Returns a table as CSV, one line for each cell, with all digits; unknown numbers are empty."""
    rows = [["arm", "column", "runs", "point", "low", "high", "bold"]]
    for label, cells in table.rows.items():
        for name, cell in cells.items():
            numbers = ["" if np.isnan(value) else repr(value) for value in (cell.point, cell.low, cell.high)]
            rows.append([label, name, str(cell.runs), *numbers, str(cell.is_bold).lower()])
    return table_formats.comma_separated(rows)


def _heading(table: Comparison) -> list[str]:
    return ["arm", *table.columns]


def _rows(table: Comparison, text: Callable[[Cell | None], str]) -> list[list[str]]:
    return [[label, *(text(cells.get(name)) for name in table.columns)] for label, cells in table.rows.items()]


def _column(
    values: Mapping[str, Mapping[str, np.ndarray]],
    games: tuple[str, ...],
    aggregate: Aggregate,
    bootstrap_seed: int,
) -> dict[str, Cell]:
    """Returns the cell of each arm that has runs on all of these games."""
    cells = {}
    for label, by_game in values.items():
        if not set(games) <= set(by_game):
            continue
        pooled = {game: by_game[game] for game in games}
        number = sum(map(len, pooled.values()))
        if not all(np.all(np.isfinite(final)) for final in pooled.values()):
            cells[label] = Cell(np.nan, np.nan, np.nan, number)
            continue
        estimate = resampling.aggregate_interval(pooled, aggregate, np.random.default_rng(bootstrap_seed))
        cells[label] = Cell(float(estimate.point), float(estimate.low), float(estimate.high), number)
    return cells


def _with_best(cells: Mapping[str, Cell], lower_is_better: bool) -> dict[str, Cell]:
    known = [cell for cell in cells.values() if not np.isnan(cell.point)]
    if len(known) < 2 or any(np.isnan(cell.low) for cell in known):
        return dict(cells)
    best = (min if lower_is_better else max)(known, key=lambda cell: cell.point)
    return {
        label: cell._replace(is_bold=bool(cell.low <= best.high and best.low <= cell.high))
        for label, cell in cells.items()
    }


def _markdown(cell: Cell | None) -> str:
    if cell is None or np.isnan(cell.point):
        return "-"
    point = f"**{_number(cell.point)}**" if cell.is_bold else _number(cell.point)
    return point if np.isnan(cell.low) else f"{point} ({_number(cell.low)} to {_number(cell.high)})"


def _latex(cell: Cell | None) -> str:
    """Returns a cell with its numbers in math mode, so that a minus is not set as a hyphen."""
    if cell is None or np.isnan(cell.point):
        return "--"
    point, low, high = (_number(value).replace(",", "{,}") for value in cell[:3])
    point = rf"$\mathbf{{{point}}}$" if cell.is_bold else f"${point}$"
    return point if np.isnan(cell.low) else rf"{point} {{\scriptsize (${low}$ to ${high}$)}}"


def _number(value: float) -> str:
    """Returns a number with four digits, or with all digits of its whole part: 0.1235, -98.77, 12,346."""
    return f"{value:,.0f}" if 1e3 <= abs(value) < 1e12 else f"{value:.4g}"
