"""Formats of tables, as written."""

import numpy as np
import pytest

from jaxdqn.analysis import table_formats
from jaxdqn.analysis.bootstrap_intervals import Interval

ROWS = [("arm", "catch"), ("a|b", "1.5"), ("c", "-")]


def test_markdown_is_aligned_and_escapes_bars():
    assert table_formats.markdown(ROWS).splitlines() == [
        "| arm  | catch |",
        "|------|-------|",
        "| a\\|b | 1.5   |",
        "| c    | -     |",
    ]


def test_latex_is_a_tabular_of_booktabs():
    assert table_formats.latex([("arm", "catch"), ("a", "$1$")]).splitlines() == [
        r"\begin{tabular}{lr}",
        r"\toprule",
        r"arm & catch \\",
        r"\midrule",
        r"a & $1$ \\",
        r"\bottomrule",
        r"\end{tabular}",
    ]


def test_text_for_latex_is_escaped():
    assert table_formats.latex_text(r"50% & x_1^2 {~\}#$") == (
        r"50\% \& x\_1\textasciicircum{}2 \{\textasciitilde{}\textbackslash{}\}\#\$"
    )


def test_csv_quotes_commas():
    assert (
        table_formats.comma_separated([("arm", "point"), ("DQN, 3 steps", "0.5")]) == 'arm,point\n"DQN, 3 steps",0.5\n'
    )


@pytest.mark.parametrize(
    ("low", "high", "num_runs", "text"),
    [
        (1.0, 4.25, 9, "3 (1 to 4.25)"),
        (np.nan, np.nan, 2, "3 (no interval: 2 runs)"),
        (np.nan, np.nan, 1, "3 (no interval: 1 run)"),
    ],
)
def test_an_interval_is_in_brackets_and_a_missing_one_is_explained(low, high, num_runs, text):
    assert table_formats.in_brackets(Interval(np.array(3.0), np.array(low), np.array(high)), num_runs) == text
