"""Tables of a comparison: what is bold, and what each format makes of it."""

import csv
import shutil
import subprocess

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxdqn.analysis import aggregates, comparison_table, resampling, statistics, study_tables
from jaxdqn.store.record import Run
from tests.helpers import synthetic_runs


def runs_of(finals, **described):
    return [
        Run(
            synthetic_runs.facts(seed=seed, **described),
            {"steps": np.array([10, 20]), "evaluation_return": np.array([0.0, final])},
        )
        for seed, final in enumerate(finals)
    ]


def bold(table, column="catch"):
    return [label for label, cells in table.rows.items() if column in cells and cells[column].is_bold]


CLEAR = runs_of([9.0, 10.0, 11.0], algorithm="best") + runs_of([1.0, 2.0, 3.0], algorithm="worst")


def test_a_cell_is_the_statistic_with_its_interval():
    table = comparison_table.compare(CLEAR)
    expected = resampling.interval([9.0, 10.0, 11.0], statistics.iqm, np.random.default_rng(0))
    assert table.columns == ("catch",)
    assert table.rows["best"]["catch"] == (*map(float, expected), 3, True)


def test_the_best_is_bold_alone_where_intervals_are_apart():
    assert bold(comparison_table.compare(CLEAR)) == ["best"]
    assert bold(comparison_table.compare(CLEAR, lower_is_better=True)) == ["worst"]


def test_every_arm_whose_interval_overlaps_that_of_the_best_is_bold():
    between = runs_of([4.0, 7.0, 10.0], algorithm="between")
    table = comparison_table.compare([*CLEAR, *between])
    assert bold(table) == ["best", "between"]
    assert table.rows["between"]["catch"].high > table.rows["best"]["catch"].low


@given(st.lists(st.tuples(st.floats(-5, 5), st.floats(0, 3), st.floats(0, 3)), min_size=2, max_size=5))
def test_an_arm_is_bold_where_it_shares_a_value_with_the_interval_of_the_best(arms):
    cells = {
        str(i): comparison_table.Cell(point, point - down, point + up, 3) for i, (point, down, up) in enumerate(arms)
    }
    found = comparison_table._with_best(cells, lower_is_better=False)
    best = max(cells.values(), key=lambda cell: cell.point)
    for label, cell in cells.items():
        assert found[label].is_bold == (max(cell.low, best.low) <= min(cell.high, best.high))


@pytest.mark.parametrize(
    "other",
    [[], runs_of([50.0], algorithm="one run"), runs_of([-50.0], algorithm="one run")],
    ids=["one arm", "one run that is best", "one run that is not"],
)
def test_nothing_is_bold_where_no_intervals_compare(other):
    runs = runs_of([9.0, 10.0], algorithm="best") + other
    assert bold(comparison_table.compare(runs)) == []


def test_arms_without_a_finite_score_have_no_cell_and_do_not_win():
    table = comparison_table.compare([*CLEAR, *runs_of([100.0, np.nan, 100.0], algorithm="broken")])
    assert bold(table) == ["best"]
    assert "| broken | - " in comparison_table.markdown(table)
    assert "broken,catch,3,,,,false" in comparison_table.comma_separated(table)


def on_two_games():
    pong = runs_of([1000.0, 2000.0, 3000.0], algorithm="best", game="pong")
    return [*CLEAR, *pong, *runs_of([0.0, 0.0, 0.0], algorithm="worst", game="pong")]


def test_intervals_of_tables_are_those_of_the_bootstrap_seed():
    runs = runs_of([1.0, 2.0, 4.0, 9.0, 3.0, 7.0])
    for write in (comparison_table.compare, study_tables.table):
        first, again, other = (str(write(runs, bootstrap_seed=seed)) for seed in (1, 1, 2))
        assert first == again != other


def test_all_games_have_a_column_on_a_common_scale_only():
    assert comparison_table.compare(on_two_games()).columns == ("catch", "pong")
    table = comparison_table.compare(
        on_two_games(),
        transform=lambda game, scores: scores / (10 if game == "catch" else 2000),
        statistic=statistics.mean,
    )
    assert table.columns == ("catch", "pong", *(f"all games: {name}" for name in aggregates.AGGREGATES))
    assert table.rows["best"]["pong"].point == 2000.0  # as it is
    assert table.rows["best"]["all games: mean"].point == pytest.approx(1.0)
    assert table.rows["worst"]["all games: mean"].point == pytest.approx(0.1)
    assert table.rows["worst"]["all games: mean"].runs == 6
    assert "All games, median: of the mean scores of the games;" in table.reading


def test_all_games_are_aggregated_in_four_ways_side_by_side():
    skewed = [*runs_of([0.0, 0.0, 9.0, 9.0], algorithm="either"), *runs_of([1.0] * 4, algorithm="even")]
    other = [
        *runs_of([2.0, 2.0, 2.0, 2.0], algorithm="either", game="pong"),
        *runs_of([0.5] * 4, algorithm="even", game="pong"),
    ]
    table = comparison_table.compare([*skewed, *other], transform=lambda game, scores: scores / 4)
    cells = {name.removeprefix("all games: "): cell for name, cell in table.rows["either"].items() if "all" in name}
    # Normalised: 0, 0, 2.25, 2.25 on catch, with a mean of 1.125, and four times 0.5 on pong.
    expected = {"median": 0.8125, "IQM": 0.5, "mean": 0.8125, "optimality gap": (1 + 1 + 4 * 0.5) / 8}
    assert {name: cell.point for name, cell in cells.items()} == pytest.approx(expected)
    assert all(cell.low <= cell.point <= cell.high for cell in cells.values())
    for write in (comparison_table.markdown, comparison_table.latex, comparison_table.comma_separated):
        assert all(f"all games: {name}" in write(table) for name in expected)


def test_of_the_optimality_gap_less_is_better():
    table = comparison_table.compare(
        on_two_games(), transform=lambda game, scores: scores / (10 if game == "catch" else 2000)
    )
    assert (
        table.rows["best"]["all games: optimality gap"].point < table.rows["worst"]["all games: optimality gap"].point
    )
    assert bold(table, "all games: optimality gap") == bold(table, "all games: mean") == ["best"]
    by_error = comparison_table.compare(
        on_two_games(),
        transform=lambda game, scores: scores / (10 if game == "catch" else 20_000),
        lower_is_better=True,
    )
    assert bold(by_error, "all games: mean") == bold(by_error, "all games: optimality gap") == ["worst"]


@pytest.mark.parametrize("runs", [1, 2])
def test_fewer_than_three_runs_have_no_interval_and_the_table_says_why(runs):
    table = comparison_table.compare(runs_of([9.0, 11.0][:runs], algorithm="few") + CLEAR)
    cell = table.rows["few"]["catch"]
    assert np.isnan([cell.low, cell.high]).all()
    why = "No interval with fewer than 3 runs of a game"
    assert why in comparison_table.markdown(table)
    assert why in comparison_table.latex(table)
    assert f"few,catch,{runs},{cell.point!r},,,false" in comparison_table.comma_separated(table)
    assert "nan" not in comparison_table.markdown(table) + comparison_table.latex(
        table
    ) + comparison_table.comma_separated(table)
    assert why not in comparison_table.compare(CLEAR).reading


def test_an_arm_that_lacks_a_game_has_an_empty_cell_and_is_not_among_all():
    runs = [*on_two_games(), *runs_of([5.0, 6.0, 7.0], algorithm="half")]
    table = comparison_table.compare(runs, transform=lambda game, scores: scores)
    assert not any("all games" in name for name in table.rows["half"])
    assert "pong" not in table.rows["half"]
    assert "Not among all games, with different numbers of runs on the games: half." in table.reading
    assert comparison_table.latex(table).splitlines()[7].startswith("half & ")
    assert comparison_table.latex(table).splitlines()[7].endswith(r" & -- & -- \\")


def test_markdown_is_as_written():
    first, second = "9.5 (9 to 10)", "**20,000** (15,000 to 25,000)"
    table = comparison_table.Comparison(
        ("catch", "pong"),
        {
            "a|b": {
                "catch": comparison_table.Cell(9.5, 9.0, 10.0, 2),
                "pong": comparison_table.Cell(2e4, 1.5e4, 2.5e4, 2, True),
            },
            "c": {"catch": comparison_table.Cell(-0.123456, np.nan, np.nan, 1)},
        },
        "How to read it.",
    )
    assert comparison_table.markdown(table).splitlines() == [
        "| arm  | catch         | pong                          |",
        "|------|---------------|-------------------------------|",
        f"| a\\|b | {first} | {second} |",
        "| c    | -0.1235       | -                             |",
        "",
        "How to read it.",
    ]


def special():
    cells = {"50% & more_of": comparison_table.Cell(-12345.6, -13000.0, -12000.0, 4, True)}
    return comparison_table.Comparison(("50% & more_of",), {r"$x_1^2$ {~\}#": cells}, "Of 95 % and more.")


def test_latex_is_booktabs_with_special_characters_escaped():
    assert comparison_table.latex(special()).splitlines() == [
        "% Of 95 % and more.",
        r"\begin{tabular}{lr}",
        r"\toprule",
        r"arm & 50\% \& more\_of \\",
        r"\midrule",
        r"\$x\_1\textasciicircum{}2\$ \{\textasciitilde{}\textbackslash{}\}\# & "
        r"$\mathbf{-12{,}346}$ {\scriptsize ($-13{,}000$ to $-12{,}000$)} \\",
        r"\bottomrule",
        r"\end{tabular}",
    ]


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs LaTeX")
def test_latex_sets_it(tmp_path):
    document = (
        r"\documentclass{article}\usepackage{booktabs}\begin{document}"
        rf"{comparison_table.latex(special())}\end{{document}}"
    )
    (tmp_path / "t.tex").write_text(document)
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "t.tex"], cwd=tmp_path, check=False
    )
    assert done.returncode == 0


def test_csv_keeps_every_digit_and_quotes_what_must_be():
    cells = {"catch": comparison_table.Cell(1 / 3, 0.1, 2 / 3, 5, True)}
    table = comparison_table.Comparison(("catch",), {"DQN, 3 steps": cells}, "")
    (row,) = csv.DictReader(comparison_table.comma_separated(table).splitlines())
    assert row["arm"] == "DQN, 3 steps"
    assert (float(row["point"]), float(row["high"])) == (1 / 3, 2 / 3)
    assert (row["runs"], row["bold"]) == ("5", "true")
