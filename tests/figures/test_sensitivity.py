"""Sensitivity: the final score of every setting, where the setting says."""

import numpy as np
import pytest
import scipy.stats

from jaxdqn.analysis import by_arm, resampling, statistics
from jaxdqn.figures import sensitivity
from tests.helpers import synthetic_runs

RATES = [0.01, 0.0001, 0.001]  # not sorted, as an order of appearance may be


def runs_of(algorithms=("DQN",), values=RATES, field="learning_rate", seeds=6, games=("catch",), **more):
    return [
        synthetic_runs.run(game=game, algorithm=algorithm, settings={field: value, **more}, seed=seed)
        for game in games
        for algorithm in algorithms
        for value in values
        for seed in range(seeds)
    ]


def entries(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def finals(runs, field, value, last):
    return by_arm.final([run for run in runs if run.facts["settings"][field] == value], "evaluation_return", last)


def test_a_line_joins_the_final_scores_in_order_of_the_setting():
    runs = runs_of()
    figure = sensitivity.sensitivity(runs, last=5)
    (panel,) = figure.axes
    (line,) = panel.lines
    expected = [scipy.stats.trim_mean(finals(runs, "learning_rate", rate, 5), 0.25) for rate in sorted(RATES)]
    np.testing.assert_allclose(line.get_xdata(), sorted(RATES))
    np.testing.assert_allclose(line.get_ydata(), expected)
    assert panel.get_xscale() == "log"
    assert panel.get_xlabel() == "learning rate"
    assert [text.get_text() for text in panel.get_xticklabels()] == ["1e-4", "1e-3", "1e-2"]
    assert "the mean of its last 5 evaluations" in figure.get_label()
    assert entries(figure) == ["DQN (n = 6)"]


def test_every_run_is_a_dot_and_the_bar_is_the_interval():
    runs = runs_of(seeds=7)
    (panel,) = sensitivity.sensitivity(runs).axes
    *dots, bars = [panel.collections[index] for index in (0, 1, 2, 3)]
    for collection, rate in zip(dots, sorted(RATES), strict=True):
        np.testing.assert_allclose(
            np.sort(collection.get_offsets()[:, 1]), np.sort(finals(runs, "learning_rate", rate, 1))
        )
    for bar, rate in zip(bars.get_segments(), sorted(RATES), strict=True):
        scores = finals(runs, "learning_rate", rate, 1)
        expected = resampling.interval(scores, statistics.iqm, np.random.default_rng(0))
        np.testing.assert_allclose(bar[:, 1], [expected.low, expected.high])


def test_algorithms_are_drawn_side_by_side_at_their_value():
    figure = sensitivity.sensitivity(runs_of(["a", "b", "c"], seeds=1))
    places = np.log10([line.get_xdata() for line in figure.axes[0].lines])  # [algorithms, values]
    assert np.all(np.diff(places, axis=0) > 0)
    np.testing.assert_allclose(places[1], [-4, -3, -2])
    assert np.all(np.abs(places - [-4, -3, -2]) < 0.25)  # a quarter of the way to the next value


def test_a_setting_that_can_be_zero_has_a_linear_axis():
    (panel,) = sensitivity.sensitivity(runs_of(values=[0.0, 0.5, 1.0], field="replay.exponent"), "replay.exponent").axes
    assert panel.get_xscale() == "linear"
    assert panel.get_xlabel() == "exponent"
    assert panel.lines[0].get_xdata().tolist() == [0.0, 0.5, 1.0]


def test_one_value_of_the_setting_is_drawn():
    (panel,) = sensitivity.sensitivity(runs_of(values=[0.001], seeds=1)).axes
    np.testing.assert_allclose(panel.lines[0].get_xdata(), [0.001])


def test_other_settings_become_lines_of_their_own():
    figure = sensitivity.sensitivity(runs_of(width=32, seeds=2) + runs_of(width=64, seeds=2))
    assert entries(figure) == ["DQN, width 32 (n = 2)", "DQN, width 64 (n = 2)"]
    assert [len(line.get_xdata()) for line in figure.axes[0].lines] == [3, 3]


def test_panels_share_the_values_of_the_setting_and_nothing_else():
    runs = runs_of(games=["catch"], values=[0.001, 0.01]) + runs_of(games=["breakout"], values=[0.0001, 0.001])
    figure = sensitivity.sensitivity(runs, transform=lambda game, scores: scores + (100 if game == "breakout" else 0))
    catch, breakout = figure.axes
    assert catch.get_xticks().tolist() == breakout.get_xticks().tolist() == [0.0001, 0.001, 0.01]
    assert catch.lines[0].get_ydata().max() < 10 < breakout.lines[0].get_ydata().min()


def test_many_values_have_few_tick_labels():
    (panel,) = sensitivity.sensitivity(runs_of(values=[2.0**n for n in range(-14, -4)], seeds=1)).axes
    assert 3 <= len(panel.get_xticks()) <= 6
    assert len(panel.lines[0].get_xdata()) == 10


def test_a_setting_that_runs_do_not_have_is_refused_with_those_they_have():
    with pytest.raises(ValueError, match="no setting 'rate': the settings are learning_rate"):
        sensitivity.sensitivity(runs_of(), "rate")


def test_a_setting_without_a_place_on_an_axis_is_refused():
    with pytest.raises(ValueError, match="optimizer = 'adam' is no number"):
        sensitivity.sensitivity(runs_of(values=["adam"], field="optimizer"), "optimizer")


def test_a_figure_of_no_runs_is_refused():
    with pytest.raises(ValueError, match="No runs to draw: run the study first, or choose other runs"):
        sensitivity.sensitivity([])


def test_a_score_that_is_not_finite_is_refused():
    runs = runs_of(seeds=2)
    runs[0].curves["evaluation_return"][-1] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        sensitivity.sensitivity(runs)


@pytest.mark.parametrize(
    ("values", "texts"),
    [((1, 64), ["1", "64"]), ((0.5, 0.01), ["0.5", "0.01"]), ((1.25e-5, 0.001), ["1.25e-5", "1e-3"])],
)
def test_values_are_written_short_and_in_one_form(values, texts):
    assert sensitivity._short(values) == texts
