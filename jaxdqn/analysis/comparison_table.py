"""Tables of a comparison: a row an arm, a column a game, in Markdown, LaTeX and CSV.

The best of a column is bold, and so is every arm whose interval overlaps that of the best: with these seeds, they are
not told apart. Overlap is careful: intervals of arms that differ significantly may still overlap a little.
"""

import csv
import io
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

from jaxdqn.analysis import aggregates, bootstrap_intervals, scores, statistics, study_tables
from jaxdqn.analysis.normalise import Transform
from jaxdqn.analysis.statistics import Aggregate
from jaxdqn.store.record import Run

ALL_GAMES = "all games"
READING = (
    f"{ALL_GAMES.capitalize()}: over the normalised scores of all; the median is that of the games' means, the "
    "optimality gap how far scores fall short of 1, where less is better."
)


class Cell(NamedTuple):
    """A statistic over runs, its 95 % interval, the number of runs, and whether it is bold.

    Point and interval are NaN where some run has no finite score; where a game has fewer than three, the interval is.
    """

    point: float
    low: float
    high: float
    runs: int
    is_bold: bool = False


class Comparison(NamedTuple):
    """A table: cells by arm and then by column, and the sentences to read it by."""

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

    All games together have four columns: median, IQM, mean and optimality gap. Runs that crashed are left out, and the
    reading says so. Nothing is bold in a column of one arm, or where some arm has fewer than three runs and so no
    interval to overlap.

    Args:
      runs: of any games, algorithms and settings.
      score: the curve.
      last: how many of its last points are averaged inside a run.
      statistic: over the runs of an arm on one game.
      transform: to a scale that games share, for the columns of all games, on which 1 ends the optimality gap; the
        others hold scores as they are.
      lower_is_better: as for an error.
      bootstrap_seed: of the generator of each interval.

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
        for name, aggregate in aggregates.AGGREGATES.items():
            cells = _column(together.values, together.games, aggregate, bootstrap_seed)
            is_lower = lower_is_better != (name in aggregates.LOWER_IS_BETTER)
            columns[f"{ALL_GAMES}: {name}"] = _with_best(cells, is_lower)
        left_out = together.left_out.replace("Not shown,", f"Not among {ALL_GAMES},")
    rows = {label: {name: cells[label] for name, cells in columns.items() if label in cells} for label in found.values}
    averaged = "the last evaluation" if last == 1 else f"the mean of the last {last} evaluations"
    sizes = [len(final) for by_game in found.values.values() for final in by_game.values()]
    sentences = (
        f"{statistics.name(statistic)} over seeds of {score.replace('_', ' ')}, {averaged} of a run, with its 95 % "
        f"stratified bootstrap interval; bold: the {'lowest' if lower_is_better else 'highest'} of a column, and all "
        "whose interval overlaps its own.",
        READING if len(columns) > len(found.games) else "",
        left_out,
        bootstrap_intervals.caveat(sizes),
    )
    return Comparison(tuple(columns), rows, " ".join(filter(None, sentences)))


def markdown(table: Comparison) -> str:
    """Returns a table in Markdown, aligned to be read as text too."""
    lines = [["arm", *table.columns]]
    for label, cells in table.rows.items():
        lines.append([label.replace("|", "\\|"), *(_markdown(cells.get(name)) for name in table.columns)])
    return f"{study_tables.markdown(lines)}\n{table.reading}\n"


def latex(table: Comparison) -> str:
    """Returns a table in LaTeX, to be put into a `table`; it needs `\\usepackage{booktabs}`."""
    lines = [
        f"% {table.reading}",
        rf"\begin{{tabular}}{{l{'r' * len(table.columns)}}}",
        r"\toprule",
        " & ".join(["arm", *map(escaped, table.columns)]) + r" \\",
        r"\midrule",
        *(
            " & ".join([escaped(label), *(_latex(cells.get(name)) for name in table.columns)]) + r" \\"
            for label, cells in table.rows.items()
        ),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


def comma_separated(table: Comparison) -> str:
    """Returns a table as CSV, one line a cell, with all digits; what is not known is empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["arm", "column", "runs", "point", "low", "high", "bold"])
    for label, cells in table.rows.items():
        for name, cell in cells.items():
            numbers = ["" if np.isnan(value) else repr(value) for value in (cell.point, cell.low, cell.high)]
            writer.writerow([label, name, cell.runs, *numbers, str(cell.is_bold).lower()])
    return text.getvalue()


def escaped(text: str) -> str:
    """Returns text as LaTeX sets it: its special characters are escaped."""
    special = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    return "".join(special.get(letter, f"\\{letter}" if letter in "{}$&#_%" else letter) for letter in text)


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
        estimate = statistics.bootstrap(pooled, aggregate, np.random.default_rng(bootstrap_seed))
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
    """Returns a cell with its numbers in mathematics, where a minus is not a hyphen."""
    if cell is None or np.isnan(cell.point):
        return "--"
    point, low, high = (_number(value).replace(",", "{,}") for value in cell[:3])
    point = rf"$\mathbf{{{point}}}$" if cell.is_bold else f"${point}$"
    return point if np.isnan(cell.low) else rf"{point} {{\scriptsize (${low}$ to ${high}$)}}"


def _number(value: float) -> str:
    """Returns four digits, or all of the whole part: 0.1235, -98.77, 12,346."""
    return f"{value:,.0f}" if 1e3 <= abs(value) < 1e12 else f"{value:.4g}"
