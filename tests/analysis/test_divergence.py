"""A diverged run never wins: not in a table, not in a figure, whatever the parameters it diverged with score."""

import numpy as np
import pytest

from jaxdqn.analysis import by_arm, comparison_table, divergence, scores, statistics, study_tables, time_to_solve
from jaxdqn.commands import runs as listing
from jaxdqn.commands import select_runs
from jaxdqn.export import csv_tables as export_tables
from jaxdqn.figures import heat_map, intervals, learning_curves, sensitivity, training_episodes
from jaxdqn.store import store
from jaxdqn.store.record import Run
from tests.helpers import synthetic_runs

STEPS = np.array([10, 20, 30, 40])
WORST = -7.0  # of all evaluations below, of a run that did not diverge


def literal(returns, *, settings=None, **described):
    curves = {"steps": STEPS, "evaluation_return": np.array(returns, np.float32), "loss": np.ones(4, np.float32)}
    return Run(synthetic_runs.facts(settings=settings or {}, **described), curves)


def two_arms():
    """Returns two arms: a plain one, and one of which one seed of two diverges at step 20 and then scores best."""
    return [
        literal([-7, 1, 2, 3], seed=0, algorithm="plain", settings={"learning_rate": 0.1}),
        literal([-6, 2, 3, 5], seed=1, algorithm="plain", settings={"learning_rate": 0.1}),
        literal([-5, 0, 1, 2], seed=0, algorithm="fast", settings={"learning_rate": 10.0}),
        literal([-5, 900, 900, 900], seed=1, algorithm="fast", settings={"learning_rate": 10.0}, diverged_at=20),
    ]


def test_from_its_divergence_on_a_run_has_the_worst_return_that_any_run_of_its_game_had():
    elsewhere = literal([-99, -99, -99, -99], game="another")
    *others, diverged, same_game = divergence.as_worst([*two_arms(), elsewhere])
    assert diverged.curves["evaluation_return"].tolist() == [-5, WORST, WORST, WORST]
    assert np.isnan(diverged.curves["loss"]).tolist() == [False, True, True, True]
    assert diverged.curves["steps"].tolist() == STEPS.tolist()
    for run, before in zip([*others, same_game], [*two_arms()[:3], elsewhere], strict=True):
        assert run.curves["evaluation_return"].tolist() == before.curves["evaluation_return"].tolist()


def test_what_diverged_parameters_score_may_be_the_worst_of_all_and_is_never_raised():
    runs = [literal([1, 2, 3, 4], seed=0), literal([1, 2, -50, -40], seed=1, diverged_at=30)]
    assert divergence.as_worst(runs)[1].curves["evaluation_return"].tolist() == [1, 2, -50, -50]


def test_twice_is_as_once():
    once = divergence.as_worst(two_arms())
    for first, second in zip(once, divergence.as_worst(once), strict=True):
        np.testing.assert_array_equal(first.curves["evaluation_return"], second.curves["evaluation_return"])


@pytest.mark.parametrize("last", [1, 3, 4])
def test_a_final_score_is_the_worst_return_also_where_it_averages_points_before_the_divergence(last):
    arms = by_arm.compared(two_arms())
    (members,) = (members for arm, members in arms.items() if arm.algorithm == "fast")
    assert by_arm.final(members, "evaluation_return", last)[1] == WORST


def test_a_divergence_after_the_last_point_counts_as_well():
    runs = [literal([-7, 1, 1, 1], seed=0), literal([0, 0, 0, 900], seed=1, diverged_at=40)]
    assert by_arm.final(runs, "evaluation_return").tolist() == [1, WORST]
    runs[1].facts["diverged_at"] = 5_000
    assert by_arm.final(runs, "evaluation_return").tolist() == [1, WORST]


def test_one_run_of_one_is_said_in_the_singular():
    run = literal([0, 0, 0, 900], diverged_at=40)
    assert (
        divergence.sentence([run], "fast") == "1 of 1 run of fast diverged and counts as the worst score of the game."
    )


def test_a_table_counts_them_says_so_and_does_not_print_them_bold():
    third = {"seed": 2, "algorithm": "plain", "settings": {"learning_rate": 0.1}}
    runs = [*two_arms(), literal([0, 0, 0, 4], **third)]
    runs.append(literal([0, 0, 0, 3], seed=2, algorithm="fast", settings={"learning_rate": 10.0}))
    table = comparison_table.compare(runs, statistic=statistics.median)
    assert (table.rows["fast"]["catch"].point, table.rows["plain"]["catch"].point) == (2.0, 4.0)
    assert table.rows["plain"]["catch"].is_bold
    assert "1 of 3 runs of fast on catch diverged and counts as the worst score of the game." in table.reading
    text = study_tables.table(runs, statistic=statistics.mean)
    assert [cell.strip() for cell in text.splitlines()[3].split("|")[4:7]] == ["3", "1", f"{(2 + 3 + WORST) / 3:.4g}"]
    assert "1 of 3 runs of fast, learning_rate 10.0 diverged and counts as the worst score of the game." in text
    assert "diverged and" not in study_tables.table(runs[:2])


def test_it_reaches_no_threshold():
    rows = [
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in study_tables.first_reached(two_arms(), {"catch": 100.0}, statistic=statistics.mean).splitlines()
    ]
    assert rows[0][4] == "diverged"
    assert [(row[1], row[4], row[6]) for row in rows[2:]] == [("plain", "0", "never"), ("fast", "1", "never")]


def test_scores_that_figures_are_drawn_from_hold_the_worst_return_and_the_sentence():
    for found in (scores.final(two_arms()), scores.along(two_arms())[1]):
        assert np.max(found.values["fast"]["catch"]) == 2
        assert "1 of 2 runs of fast on catch diverged and counts as the worst score" in found.left_out


def test_figures_draw_the_worst_return_and_say_so():
    runs = two_arms()
    for figure in (
        learning_curves.learning_curves(runs, statistic=statistics.mean),
        sensitivity.sensitivity(runs, statistic=statistics.mean),
        heat_map.heat_map(
            [run._replace(facts=run.facts | {"settings": run.facts["settings"] | {"other": 1}}) for run in runs],
            ("learning_rate", "other"),
            statistic=statistics.mean,
        ),
        intervals.intervals(runs, lambda _, values: values, statistic=statistics.mean),
    ):
        assert "1 of 2 runs of fast" in figure.get_label()
        assert "diverged and counts as the worst score of the game" in figure.get_label()
    (panel,) = learning_curves.learning_curves(runs, statistic=statistics.mean, order=("fast", "plain")).axes
    assert panel.get_lines()[1].get_ydata().tolist() == [-5, WORST / 2, (1 + WORST) / 2, (2 + WORST) / 2]


def test_of_a_curve_that_is_no_return_it_has_no_value_any_more():
    figure = learning_curves.learning_curves(two_arms(), score="loss")
    assert "1 of 2 runs of fast on catch diverged and has no loss from then on." in figure.get_label()
    assert "Blank where some run has no finite value (points: 3)" in figure.get_label()


def logged(folder, returns, **described):
    facts = synthetic_runs.facts(**described)
    store.write(folder, facts, synthetic_runs.curves(), {"episodes": synthetic_runs.episodes(returns)})
    return store.find(folder, facts["id"])


def test_training_episodes_go_on_with_the_worst_score_of_the_game(tmp_path):
    runs = [
        logged(tmp_path, [-3, 1, 2, 3], seed=0),
        logged(tmp_path, [9, 9], seed=1, diverged_at=500),
        logged(tmp_path, [-4, 0, 0, 0], seed=0, algorithm="C51"),
    ]
    of_dqn, _ = training_episodes.episode_curves(runs, window=1, statistic=statistics.mean, order=("DQN", "C51")).axes
    assert of_dqn.get_lines()[0].get_ydata().tolist() == [3, 5, -1, -0.5]
    text = study_tables.episodes(runs, {"first 2": slice(2), "last 2": slice(-2, None)}, statistic=statistics.mean)
    row = [cell.strip().split(" ")[0] for cell in text.splitlines()[2].split("|")[1:-1]]
    assert row[4:] == ["1", f"{(-1 - 4) / 2:g}", f"{(2.5 - 4) / 2:g}"]


def test_it_never_solved_its_game_and_does_not_shorten_how_long_others_were_seen(tmp_path):
    runs = [logged(tmp_path, [1.0] * 50, seed=0), logged(tmp_path, [1.0] * 20, seed=1, diverged_at=9)]
    times, seen = time_to_solve.times(runs, lambda returns: returns > 0)
    assert times.tolist() == [10, np.inf]
    assert seen == 50
    row = time_to_solve.table(runs, lambda returns: returns > 0).splitlines()[2]
    assert [cell.strip() for cell in row.split("|")[1:6]] == ["catch", "DQN", "1", "1 of 2", "never"]


def test_listed_and_exported_it_has_no_score(tmp_path):
    store.write(tmp_path, synthetic_runs.facts(diverged_at=500), synthetic_runs.curves())
    (record,) = store.read_facts(tmp_path).records
    assert listing.score(record) is None
    (row,) = export_tables.scores([record]).rows
    assert row[-1] is None


def test_committed_results_name_every_run_that_diverged(request):
    """No run of these studies did; if one does, their tables are to be read again with this rule in mind."""
    results = request.config.rootpath / "results"
    found = [one.facts["id"] for one in select_runs.read(results).records if one.facts["diverged_at"]]
    assert found == []
