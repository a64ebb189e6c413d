"""The table of results."""

import numpy as np
import pytest

from jaxdqn.analysis import resampling, statistics, study_tables
from jaxdqn.store import store
from jaxdqn.store.record import Run
from tests.helpers import synthetic_runs


def runs_of(finals, **described):
    return [
        Run(
            synthetic_runs.facts(seed=seed, **described),
            {"steps": np.array([10, 20, 30]), "evaluation_return": np.array([0.0, final - 1, final + 1])},
        )
        for seed, final in enumerate(finals)
    ]


def test_the_table_has_a_row_an_arm_with_score_interval_and_cost():
    runs = runs_of([0.0, 3.0, 5.0, 100.0], settings={"learning_rate": 0.001}) + runs_of([7.0], algorithm="double DQN")
    runs[1].facts["diverged_at"] = 5000
    runs[1].facts["cost"] = {"wall_seconds": 22.5, "compile_seconds": 1.0, "runs_at_once": 4}
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in study_tables.table(runs, last=2).splitlines()]
    assert rows[0][:6] == ["game", "algorithm", "settings", "runs", "diverged", "IQM of evaluation_return, last 2"]
    assert rows[2][:6] == ["catch", "DQN", "learning_rate 0.001", "4", "1", "2.5"]  # it counts as -1, the worst of all
    assert rows[2][7:] == ["15", "2 to 4"]
    assert rows[3] == ["catch", "double DQN", "-", "1", "0", "7", "none: 1 run", "12.5", "2"]
    expected = resampling.interval([0.0, -1.0, 5.0, 100.0], statistics.iqm, np.random.default_rng(0))
    assert rows[2][6] == f"{expected.low:.4g} to {expected.high:.4g}"


def rows_of(table):
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()]


def test_all_lines_of_a_table_are_equally_long():
    table = study_tables.table(runs_of([1.0, 2.0]) + runs_of([1.0], algorithm="a much longer name"))
    assert len({len(line) for line in table.splitlines()}) == 1


def test_no_runs_make_no_table():
    with pytest.raises(ValueError, match="No runs to tabulate"):
        study_tables.table([])


def test_the_first_step_is_where_the_statistic_of_all_runs_reaches_the_threshold():
    runs = runs_of([11.0, 11.0, 11.0]) + runs_of([3.0, 3.0, 90.0], algorithm="double DQN")
    rows = [
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in study_tables.first_reached(runs, {"catch": 10.0}, statistic=statistics.median).splitlines()
    ]
    assert rows[2] == ["catch", "DQN", "-", "3", "10", "20", "10 (10 to 10)", "100 % of 1"]
    assert rows[3] == ["catch", "double DQN", "-", "3", "10", "never", "-", "-"]


def test_a_threshold_that_is_passed_and_lost_again_says_at_how_many_later_evaluations_it_is_held():
    steps = np.arange(1, 9) * 10
    curves = ([0, 9, 0, 9, 9, 9, 0, 9], [0, 9, 9, 0, 9, 9, 0, np.nan])  # means 0, 9, 4.5, 4.5, 9, 9, 0, unknown
    runs = [
        Run(synthetic_runs.facts(seed=seed), {"steps": steps, "evaluation_return": np.array(values, float)})
        for seed, values in enumerate(curves)
    ]
    reached = study_tables.first_reached(runs, {"catch": 5.0}, statistic=statistics.mean)
    assert rows_of(reached)[0][-1] == "later also"
    assert rows_of(reached)[2][5:] == ["20", "9 (no interval: 2 runs)", "33 % of 6"]
    at_the_end = study_tables.first_reached(runs[:1], {"catch": 5.0}, statistic=statistics.mean)
    assert rows_of(at_the_end)[2][5:] == ["20", "9 (no interval: 1 run)", "67 % of 6"]
    last = [run._replace(curves={name: values[:2] for name, values in run.curves.items()}) for run in runs]
    assert rows_of(study_tables.first_reached(last, {"catch": 5.0}))[2][-1] == "-"


def test_games_without_a_threshold_are_left_out():
    assert len(study_tables.first_reached(runs_of([1.0, 2.0]), {"another": 0.0}).splitlines()) == 2


def test_windows_of_episodes_are_averaged_inside_a_seed_first(tmp_path):
    for seed, returns in enumerate(([0, 2, 4, 9], [10, 12, 14, 19], [20, 22, 24, 29])):
        attached = {"episodes": synthetic_runs.episodes(returns)}
        store.write(tmp_path, synthetic_runs.facts(seed=seed), synthetic_runs.curves(seed=seed), attached)
    runs = store.read(tmp_path).runs
    windows = {"first 2": slice(2), "last one": slice(-1, None)}
    row = study_tables.episodes(runs, windows, statistic=statistics.mean).splitlines()[2]
    assert [cell.strip() for cell in row.split("|")[1:-1]][:4] == ["catch", "DQN", "-", "3"]
    first, last = [cell.strip() for cell in row.split("|")[5:7]]
    assert first.split()[0] == "11"  # of 1, 11 and 21
    assert last.split()[0] == "19"  # of 9, 19 and 29


@pytest.mark.parametrize("window", [slice(5), slice(-5, None), slice(2, 5), slice(4, None), slice(5, None)])
def test_a_window_that_a_run_does_not_fill_is_left_blank(tmp_path, window):
    for seed, returns in enumerate((range(4), range(9), range(4))):
        attached = {"episodes": synthetic_runs.episodes(returns)}
        store.write(tmp_path, synthetic_runs.facts(seed=seed), synthetic_runs.curves(seed=seed), attached)
    runs = store.read(tmp_path).runs
    assert rows_of(study_tables.episodes(runs, {"all 4": slice(4), "more": window}))[2][4:] == ["1.5 (1.5 to 1.5)", "-"]


def test_a_run_without_an_episode_leaves_its_windows_blank(tmp_path):
    for seed, returns in enumerate(([1.0, 2.0], [], [3.0, 4.0])):
        attached = {"episodes": synthetic_runs.episodes(returns)}
        store.write(tmp_path, synthetic_runs.facts(seed=seed), synthetic_runs.curves(seed=seed), attached)
    assert rows_of(study_tables.episodes(store.read(tmp_path).runs, {"first": slice(1)}))[2][4:] == ["-"]


def test_too_few_runs_have_no_interval_in_any_table_and_it_says_so(tmp_path):
    attached = {"episodes": synthetic_runs.episodes([0, 2])}
    store.write(tmp_path, synthetic_runs.facts(), {"steps": [10], "evaluation_return": [5.0]}, attached)
    runs = store.read(tmp_path).runs
    assert rows_of(study_tables.table(runs))[2][5:7] == ["5", "none: 1 run"]
    assert rows_of(study_tables.first_reached(runs, {"catch": 5.0}))[2][5:] == ["10", "5 (no interval: 1 run)", "-"]
    assert rows_of(study_tables.episodes(runs, {"first 2": slice(2)}))[2][4:] == ["1 (no interval: 1 run)"]


def test_a_score_that_is_not_finite_is_neither_tabulated_nor_reached():
    runs = runs_of([11.0, 11.0, np.nan]) + runs_of([1.0, 2.0], algorithm="double DQN")
    runs[0].curves["evaluation_return"][0] = 1e9
    runs[1].curves["evaluation_return"][0] = np.inf
    rows = rows_of(study_tables.table(runs))
    assert rows[2][5:7] == ["-", "-"]
    assert rows[3][5] == "2.5"
    runs[2].curves["evaluation_return"][1] = 10.0
    assert rows_of(study_tables.first_reached(runs, {"catch": 10.0}))[2][5:] == ["20", "10 (10 to 10)", "0 % of 1"]
