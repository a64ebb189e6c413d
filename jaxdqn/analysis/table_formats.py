"""Formats of tables: rows of text in Markdown, LaTeX and CSV, and a number with its interval as the text of a cell."""

import csv
import io
from collections.abc import Sequence

import numpy as np

from jaxdqn.analysis.bootstrap_intervals import Interval
from jaxdqn.spelling import counted

Rows = Sequence[Sequence[str]]  # the first row is the heading


def markdown(rows: Rows) -> str:
    """Returns a table in Markdown, with aligned columns."""
    cells = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["| " + " | ".join(map(str.ljust, row, widths)) + " |" for row in cells]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines) + "\n"


def latex(rows: Rows) -> str:
    """Returns a `tabular` in LaTeX from cells that are LaTeX already; it needs `\\usepackage{booktabs}`."""
    heading, *others = (" & ".join(row) + r" \\" for row in rows)
    columns = "l" + "r" * (len(rows[0]) - 1)
    lines = [rf"\begin{{tabular}}{{{columns}}}", r"\toprule", heading, r"\midrule", *others, r"\bottomrule"]
    return "\n".join([*lines, r"\end{tabular}"]) + "\n"


def latex_text(text: str) -> str:
    """Returns text for LaTeX, with its special characters escaped."""
    special = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    return "".join(special.get(letter, f"\\{letter}" if letter in "{}$&#_%" else letter) for letter in text)


def comma_separated(rows: Rows) -> str:
    """Returns a table as CSV."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def in_brackets(estimate: Interval, num_runs: int, digits: str = ".4g") -> str:
    """Returns a statistic and its interval as text: `3 (1 to 4)`, or `3 (no interval: 2 runs)`.

    Args:
      estimate: of one number.
      num_runs: the number of runs behind it.
      digits: the format of a number.
    """
    return f"{estimate.point:{digits}} ({ends(estimate, digits) or 'no interval: ' + counted(num_runs, 'run')})"


def ends(estimate: Interval, digits: str = ".4g") -> str:
    """Returns the ends of an interval as text, `1 to 4`; an empty string if there is no interval."""
    return "" if np.isnan(estimate.low) else f"{estimate.low:{digits}} to {estimate.high:{digits}}"
