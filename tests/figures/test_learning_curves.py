"""Learning curves: what is drawn is what the runs say."""

import numpy as np
import pytest
import scipy.stats
from matplotlib.collections import PolyCollection

from jaxdqn.analysis import by_arm, resampling, statistics
from jaxdqn.figures import learning_curves, style
from jaxdqn.store.record import Run
from tests.helpers import synthetic_runs


def runs_of(games=("catch",), algorithms=("DQN",), seeds=5, **described):
    return [
        synthetic_runs.run(
            game=game, algorithm=algorithm, seed=seed, best=2.0 if game == "catch" else 30.0, **described
        )
        for game in games
        for algorithm in algorithms
        for seed in range(seeds)
    ]


def entries(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_a_line_is_the_statistic_over_runs_and_its_band_the_interval():
    runs = runs_of(seeds=8)
    figure = learning_curves.learning_curves(runs)
    (panel,) = figure.axes
    (line,) = panel.lines
    steps, values = by_arm.curve(runs, "evaluation_return")
    np.testing.assert_array_equal(line.get_xdata(), steps)
    np.testing.assert_allclose(line.get_ydata(), scipy.stats.trim_mean(values, 0.25, axis=0))
    (band,) = [artist for artist in panel.collections if isinstance(artist, PolyCollection)]
    expected = resampling.interval(values, statistics.iqm, np.random.default_rng(0))
    heights = band.get_paths()[0].vertices[:, 1]
    assert heights.min() == pytest.approx(expected.low.min())
    assert heights.max() == pytest.approx(expected.high.max())
    assert "IQM over seeds" in figure.get_label()
    assert "95 % stratified bootstrap" in figure.get_label()


def test_another_statistic_is_drawn_and_named():
    runs = runs_of(seeds=4)
    figure = learning_curves.learning_curves(runs, statistic=statistics.median, score="loss", ylabel="loss")
    _, values = by_arm.curve(runs, "loss")
    np.testing.assert_allclose(figure.axes[0].lines[0].get_ydata(), np.median(values, axis=0))
    assert "median over seeds" in figure.get_label()
    assert figure.axes[0].get_ylabel() == "loss"


@pytest.mark.parametrize(
    ("games", "rows", "columns"), [(1, 1, 1), (2, 1, 2), (3, 1, 3), (4, 2, 2), (5, 2, 3), (7, 3, 3)]
)
def test_there_is_a_panel_a_game_at_most_three_in_a_row(games, rows, columns):
    names = [f"game {number}" for number in range(games)]
    figure = learning_curves.learning_curves(runs_of(names, seeds=1), title="Which?")
    assert [panel.get_title() for panel in figure.axes] == names
    grid = figure.axes[0].get_subplotspec().get_gridspec()
    assert (grid.nrows, grid.ncols) == (rows, columns)
    assert figure.get_suptitle() == "Which?"
    labelled = [panel.get_title() for panel in figure.axes if panel.get_xlabel() == "environment steps"]
    assert labelled == names[-columns:]


def test_an_algorithm_keeps_its_look_in_every_panel():
    runs = runs_of(["catch"], ["DQN", "double DQN"], 1) + runs_of(["breakout"], ["double DQN"], 1)
    figure = learning_curves.learning_curves(runs, order=["double DQN", "DQN"])
    assert entries(figure) == ["double DQN (n = 1)", "DQN (n = 1)"]
    (_, catch), (breakout,) = (panel.lines for panel in figure.axes)
    expected = style.styles(["double DQN", "DQN"])["double DQN"]
    for line in (catch, breakout):
        assert (line.get_color(), line.get_marker()) == (expected.color, expected.marker)


def test_the_legend_counts_runs():
    runs = runs_of(["catch"], ["DQN"], 5) + runs_of(["breakout"], ["DQN"], 3) + runs_of(["breakout"], ["C51"], 2)
    assert entries(learning_curves.learning_curves(runs)) == ["DQN (n = 3 to 5)", "C51 (n = 2)"]


def test_settings_are_lines_of_their_own_and_never_pooled():
    runs = runs_of(settings={"learning_rate": 0.001}) + runs_of(settings={"learning_rate": 0.01})
    figure = learning_curves.learning_curves(runs)
    assert entries(figure) == ["DQN, learning_rate 0.001 (n = 5)", "DQN, learning_rate 0.01 (n = 5)"]


def test_published_curves_are_drawn_in_their_game_and_named_once():
    line = (np.array([0.0, 50.0]), np.array([1.0, 2.0]))
    published = {"catch": {"DQN, published": line}, "breakout": {"DQN, published": line}}
    figure = learning_curves.learning_curves(runs_of(["catch", "breakout"]), published=published)
    for panel in figure.axes:
        np.testing.assert_array_equal(panel.lines[-1].get_ydata(), line[1])
        np.testing.assert_array_equal(panel.lines[-1].get_xdata(), line[0])
    assert entries(figure) == ["DQN (n = 5)", "DQN, published"]


def test_published_curves_of_a_game_without_runs_or_below_zero_on_a_log_axis_are_refused():
    line = (np.array([0.0]), np.array([-1.0]))
    with pytest.raises(ValueError, match=r"published curves for .'pong'"):
        learning_curves.learning_curves(runs_of(), published={"pong": {"DQN": line}})
    with pytest.raises(ValueError, match="published 'DQN' on catch reaches -1"):
        learning_curves.learning_curves(runs_of(), score="loss", yscale="log", published={"catch": {"DQN": line}})


def test_reference_lines_lie_at_their_values_and_are_named_once():
    references = {"catch": {"optimal": 1.0, "random": -0.6}, "breakout": {"optimal": 40.0}}
    figure = learning_curves.learning_curves(runs_of(["catch", "breakout"]), reference_lines=references)
    assert entries(figure) == ["DQN (n = 5)", "optimal", "random"]
    catch, breakout = ([line.get_ydata()[0] for line in panel.lines[1:]] for panel in figure.axes)
    assert (catch, breakout) == ([1.0, -0.6], [40.0])
    assert figure.axes[1].get_ylim()[1] > 40.0


def test_a_reference_for_a_game_without_runs_is_refused():
    with pytest.raises(ValueError, match=r"reference lines for \['pong'\], which have no runs"):
        learning_curves.learning_curves(runs_of(), reference_lines={"pong": {"optimal": 21.0}})


def test_scores_are_transformed_game_by_game_before_the_statistic():
    runs = runs_of(["catch", "breakout"], seeds=4)
    scale = {"catch": 1.0, "breakout": 10.0}
    figure = learning_curves.learning_curves(runs, transform=lambda game, values: np.exp(values / scale[game]))
    for panel, game in zip(figure.axes, scale, strict=True):
        _, values = by_arm.curve([run for run in runs if run.facts["game"]["name"] == game], "evaluation_return")
        expected = scipy.stats.trim_mean(np.exp(values / scale[game]), 0.25, axis=0)
        np.testing.assert_allclose(panel.lines[0].get_ydata(), expected)


def with_values(seed, values, **described):
    curves = {"steps": np.arange(1, len(values) + 1), "episode_return": np.array(values, np.float32)}
    return Run(synthetic_runs.facts(seed=seed, **described), curves)


def test_a_point_without_a_value_of_every_run_is_blank_and_said_to_be():
    runs = [with_values(0, [np.nan, 1.0, 2.0, np.inf]), with_values(1, [5.0, 3.0, 4.0, 1.0])]
    figure = learning_curves.learning_curves(runs, score="episode_return")
    np.testing.assert_array_equal(figure.axes[0].lines[0].get_ydata(), [np.nan, 2.0, 3.0, np.nan])
    assert "Blank where some run has no finite value (points: 2)." in figure.get_label()
    assert "Blank" not in learning_curves.learning_curves(runs_of()).get_label()


def test_a_line_passes_over_points_at_which_no_run_has_a_value_and_says_so():
    runs = [with_values(0, [1.0, np.nan, 2.0, np.inf]), with_values(1, [3.0, np.nan, 4.0, np.inf])]
    figure = learning_curves.learning_curves(runs, score="episode_return")
    (line,) = figure.axes[0].lines
    np.testing.assert_array_equal(line.get_xdata(), [1, 3, 4])
    np.testing.assert_array_equal(line.get_ydata(), [2.0, 3.0, np.nan])
    assert "Blank where some run has no finite value (points: 1)." in figure.get_label()
    assert "pass over points at which no run has a value (points: 1)." in figure.get_label()


def test_games_and_arms_without_any_value_are_not_drawn_and_said_not_to_be():
    known = [with_values(seed, [seed + 1.0, np.nan]) for seed in (0, 1)]
    unknown = [with_values(seed, [np.nan, np.nan], game="breakout") for seed in (0, 1)]
    other = [with_values(0, [np.nan, np.nan], algorithm="C51")]
    references = {"breakout": {"optimal": 3.0}, "catch": {"optimal": 1.0}}
    figure = learning_curves.learning_curves(
        unknown + known + other, score="episode_return", reference_lines=references
    )
    assert [panel.get_title() for panel in figure.axes] == ["catch"]
    np.testing.assert_array_equal(figure.axes[0].lines[0].get_ydata(), [1.5])
    assert entries(figure) == ["DQN (n = 2)", "optimal"]
    assert figure.get_label().endswith(
        "Lines pass over points at which no run has a value (points: 1). Not shown, since no point has a finite value "
        "of every run: DQN on breakout, C51 on catch."
    )


def test_no_arm_with_any_such_point_is_refused():
    runs = [with_values(0, [np.nan, 1.0]), with_values(1, [1.0, np.nan])]
    with pytest.raises(ValueError, match="No arm has a point at which every run has a finite episode_return"):
        learning_curves.learning_curves(runs, score="episode_return")


def test_a_figure_of_no_runs_is_refused():
    with pytest.raises(ValueError, match="No runs to draw: run the study first, or choose other runs"):
        learning_curves.learning_curves([])


def test_all_decades_of_a_logarithmic_axis_are_equally_high():
    runs = [with_values(seed, [100.0, 1.0, 0.5 if seed else np.nan, 0.25]) for seed in (0, 1)]
    figure = learning_curves.learning_curves(runs, score="episode_return", yscale="log")
    (panel,) = figure.axes
    heights = panel.transData.transform([(0, value) for value in (0.01, 1.0, 100.0)])[:, 1]
    assert heights[2] - heights[1] == pytest.approx(heights[1] - heights[0])
    np.testing.assert_array_equal(panel.lines[0].get_ydata(), [100.0, 1.0, np.nan, 0.25])


def test_a_band_that_reaches_zero_is_drawn_on_a_logarithmic_axis():
    runs = [with_values(seed, values) for seed, values in enumerate([[9.0, 1.0], [9.0, 3.0], [9.0, 50.0]])]
    figure = learning_curves.learning_curves(runs, score="episode_return", yscale="log")
    (panel,) = figure.axes
    (band,) = (drawn for drawn in panel.collections if isinstance(drawn, PolyCollection))
    assert np.min(band.get_paths()[0].vertices[:, 1]) < 0.0
    assert 0.1 < panel.get_ylim()[0] <= 9.0


def test_a_value_without_a_place_on_a_logarithmic_axis_is_refused():
    runs = [with_values(0, [1.0, 0.0])]
    with pytest.raises(ValueError, match=r"DQN on catch reaches 0, which a logarithmic axis cannot show"):
        learning_curves.learning_curves(runs, score="episode_return", yscale="log")
    references = {"catch": {"exact": 0.0}}
    with pytest.raises(ValueError, match=r"the line 'exact' on catch reaches 0, which a logarithmic axis"):
        learning_curves.learning_curves(runs_of(), score="loss", yscale="log", reference_lines=references)


def test_an_unknown_scale_is_refused():
    with pytest.raises(ValueError, match="yscale = 'cubic' is not known: choose 'linear' or 'log'"):
        learning_curves.learning_curves(runs_of(), yscale="cubic")


def test_one_run_with_one_point_is_drawn():
    figure = learning_curves.learning_curves([with_values(0, [1.0])], score="episode_return")
    (line,) = figure.axes[0].lines
    assert line.get_ydata().tolist() == [1.0]
    assert line.get_marker() == "o"


def test_no_runs_are_refused():
    with pytest.raises(ValueError, match="No runs to draw"):
        learning_curves.learning_curves([])


def test_ticks_of_steps_are_few_and_round():
    figure = learning_curves.learning_curves(runs_of(steps=np.arange(1, 61) * 25_000))
    figure.canvas.draw()
    (panel,) = figure.axes
    shown = [text.get_text() for text in panel.get_xticklabels() if text.get_position()[0] <= panel.get_xlim()[1]]
    assert shown == ["0", "500k", "1M", "1.5M"]
