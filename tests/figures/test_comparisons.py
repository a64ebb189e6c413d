"""Figures that compare arms: what is drawn is what the statistics say, and what is missing is said."""

import numpy as np
import pytest
import scipy.stats

from jaxdqn.analysis import aggregates as over_games
from jaxdqn.analysis import by_arm, normalise, paired, statistics
from jaxdqn.analysis.normalise import Reference
from jaxdqn.figures import (
    ablation,
    aggregates,
    heat_map,
    intervals,
    learning_curves,
    paired_differences,
    performance_profiles,
    probability_of_improvement,
    sample_efficiency,
    seeds_needed,
    style,
)
from tests.helpers import synthetic_runs

SCALE = normalise.transform({"catch": Reference(-1.0, 2.0), "pong": Reference(-1.0, 30.0)})
BEST = {"catch": 2.0, "pong": 30.0}


def runs_of(games=("catch", "pong"), algorithms=("DQN", "double DQN", "C51"), seeds=5, **described):
    return [
        synthetic_runs.run(
            game=game, algorithm=algorithm, seed=seed, best=BEST[game] * (0.6 + 0.2 * index), **described
        )
        for game in games
        for index, algorithm in enumerate(algorithms)
        for seed in range(seeds)
    ]


def finals(runs, game, algorithm):
    """Returns the last scores of an arm on the common scale, in the order of seeds."""
    chosen = [run for run in runs if (run.facts["game"]["name"], run.facts["algorithm"]) == (game, algorithm)]
    return SCALE(game, by_arm.final(sorted(chosen, key=lambda run: run.facts["seed"]), "evaluation_return"))


def entries(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def marks(panel):
    """Returns where the marks of an interval plot stand, from the top down."""
    lines = [line.get_segments()[0] for line in panel.collections if hasattr(line, "get_segments")]
    return [segment[0, 0] for segment in sorted(lines, key=lambda segment: segment[0, 1])]


SHOW = {
    "aggregates": lambda runs, **given: aggregates.aggregate_intervals(runs, SCALE, **given),
    "profiles": lambda runs, **given: performance_profiles.performance_profiles(runs, transform=SCALE, **given),
    "improvement": lambda runs, **given: probability_of_improvement.probability_of_improvement(runs, "DQN", **given),
    "efficiency": lambda runs, **given: sample_efficiency.sample_efficiency(runs, transform=SCALE, **given),
    "paired": lambda runs, **given: paired_differences.paired_differences(runs, "DQN", transform=SCALE, **given),
    "ablation": lambda runs, **given: ablation.ablation(runs, "DQN", transform=SCALE, **given),
    "seeds": lambda runs, **given: seeds_needed.seeds_needed(runs, transform=SCALE, **given),
}


def numbers(figure):
    """Returns all coordinates of lines, bands and bars."""
    lines = [line.get_xydata() for panel in figure.axes for line in panel.lines]
    paths = [path.vertices for panel in figure.axes for drawn in panel.collections for path in drawn.get_paths()]
    bars = [bar.get_extents().get_points() for panel in figure.axes for bar in panel.patches]
    return np.concatenate([*lines, *paths, *bars])


@pytest.mark.parametrize("show", SHOW.values(), ids=SHOW)
def test_draws_are_those_of_the_bootstrap_seed(show):
    first, again, other = (numbers(show(runs_of(), bootstrap_seed=seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("show", SHOW.values(), ids=SHOW)
def test_runs_of_two_protocols_are_refused_with_the_difference(show):
    runs = runs_of()
    for run in runs:
        if run.facts["algorithm"] == "C51":
            run.facts["steps"] = 40_000
    with pytest.raises(ValueError, match=r"differ in steps \(20000 and 40000\) and cannot be compared"):
        show(runs)


@pytest.mark.parametrize("show", [show for name, show in SHOW.items() if name != "efficiency"])
def test_a_score_that_is_not_finite_is_refused(show):
    runs = runs_of()
    runs[0].curves["evaluation_return"][-1] = np.nan
    with pytest.raises(ValueError, match="1 of 5 scores of catch are not finite"):
        show(runs)


@pytest.mark.parametrize("show", SHOW.values(), ids=SHOW)
def test_a_figure_of_no_runs_is_refused(show):
    with pytest.raises(ValueError, match="No runs to compare"):
        show([])


@pytest.mark.parametrize("name", ["aggregates", "profiles", "efficiency"])
def test_an_algorithm_with_unequal_games_is_not_pooled_and_this_is_told(name):
    label = SHOW[name](runs_of()[:-1]).get_label()
    assert "Not shown, with different numbers of runs on the games: C51." in label


def test_each_aggregate_has_a_panel_with_its_marks():
    runs = runs_of()
    figure = aggregates.aggregate_intervals(runs, SCALE, order=["C51"])
    assert [panel.get_title() for panel in figure.axes] == ["median", "IQM", "mean", "optimality gap"]
    scores = {name: np.array([finals(runs, game, name) for game in BEST]) for name in ("C51", "DQN", "double DQN")}
    for panel, expected in zip(
        figure.axes,
        (
            lambda x: np.median(x.mean(axis=1)),
            lambda x: scipy.stats.trim_mean(x, 0.25, axis=None),
            np.mean,
            lambda x: np.mean(np.clip(1 - x, 0, None)),
        ),
        strict=True,
    ):
        np.testing.assert_allclose(marks(panel), [expected(x) for x in scores.values()])
        assert [text.get_text() for text in panel.get_yticklabels()] == list(scores)


def test_a_profile_counts_the_runs_above_each_score():
    runs = runs_of(algorithms=("DQN", "C51"))
    figure = performance_profiles.performance_profiles(runs, transform=SCALE, thresholds=[0.0, 0.5, 0.9])
    (panel,) = figure.axes
    for line, name in zip(panel.lines, ("DQN", "C51"), strict=True):
        scores = np.concatenate([finals(runs, game, name) for game in BEST])
        np.testing.assert_allclose(line.get_ydata(), [(scores > t).mean() for t in (0.0, 0.5, 0.9)])
    assert "n = 10 per algorithm" in panel.get_ylabel()


def test_a_profile_spans_all_scores():
    (panel,) = performance_profiles.performance_profiles(runs_of(), transform=SCALE).axes
    for line in panel.lines:
        assert (line.get_ydata()[0], line.get_ydata()[-1]) == (1.0, 0.0)


def test_several_games_without_a_scale_are_not_pooled():
    with pytest.raises(ValueError, match="have no common scale"):
        performance_profiles.performance_profiles(runs_of())
    with pytest.raises(ValueError, match="have no common scale"):
        sample_efficiency.sample_efficiency(runs_of())
    assert performance_profiles.performance_profiles(runs_of(games=["catch"]))


def test_improvement_is_over_the_base():
    runs = runs_of()
    (panel,) = probability_of_improvement.probability_of_improvement(runs, "double DQN").axes
    expected = [
        np.mean(
            [
                scipy.stats.mannwhitneyu(finals(runs, game, name), finals(runs, game, "double DQN")).statistic / 25
                for game in BEST
            ]
        )
        for name in ("DQN", "C51")
    ]
    np.testing.assert_allclose(marks(panel), expected)
    assert [text.get_text() for text in panel.get_yticklabels()] == ["DQN", "C51"]
    assert panel.get_xlabel() == "P(better than double DQN)"


def test_improvement_is_over_the_common_games_and_the_caption_lists_them():
    runs = [run for run in runs_of() if (run.facts["algorithm"], run.facts["game"]["name"]) != ("C51", "pong")]
    label = probability_of_improvement.probability_of_improvement(runs, "DQN").get_label()
    assert "Not on all games: C51 on catch." in label


@pytest.mark.parametrize("name", ["improvement", "paired", "ablation"])
@pytest.mark.parametrize(
    ("algorithms", "message"),
    [
        (("double DQN", "C51"), "no arm 'DQN': there are 'double DQN', 'C51'"),
        (("DQN",), "no other arm to compare with 'DQN'"),
    ],
)
def test_a_base_that_is_not_there_or_alone_is_refused(name, algorithms, message):
    with pytest.raises(ValueError, match=message):
        SHOW[name](runs_of(algorithms=algorithms))


def test_efficiency_is_the_aggregate_along_training():
    runs = runs_of(algorithms=("DQN",))
    figure = sample_efficiency.sample_efficiency(runs, transform=SCALE, aggregate=over_games.median)
    (panel,) = figure.axes
    means = [
        SCALE(game, by_arm.curve([r for r in runs if r.facts["game"]["name"] == game], "evaluation_return")[1]).mean(0)
        for game in BEST
    ]
    np.testing.assert_allclose(panel.lines[0].get_ydata(), np.median(means, axis=0))
    np.testing.assert_array_equal(panel.lines[0].get_xdata(), synthetic_runs.STEPS)
    assert entries(figure) == ["DQN (n = 10)"]
    assert panel.get_ylabel() == "median of normalised evaluation return"


def test_points_without_a_value_of_every_run_are_blank_and_counted():
    runs = runs_of()
    runs[0].curves["evaluation_return"][3:5] = np.nan
    figure = sample_efficiency.sample_efficiency(runs, transform=SCALE)
    blank = np.isnan(figure.axes[0].lines[0].get_ydata())
    assert np.flatnonzero(blank).tolist() == [3, 4]
    assert "Blank where some run has no finite value (points: 2)." in figure.get_label()


def test_differences_are_drawn_pair_by_pair_with_their_mean():
    runs = runs_of()
    figure = paired_differences.paired_differences(runs, "DQN", transform=SCALE)
    aggregated = [f"all games: {name}" for name in over_games.AGGREGATES]
    assert [panel.get_title() for panel in figure.axes] == [*aggregated, "catch", "pong"]
    pairs = {game: finals(runs, game, "C51") - finals(runs, game, "DQN") for game in BEST}
    pairs = {"all games: mean": np.concatenate(list(pairs.values())), **pairs}
    for panel in [panel for panel in figure.axes if panel.get_title() in pairs]:
        expected = pairs[panel.get_title()]
        dots = [c.get_offsets()[:, 0] for c in panel.collections if len(c.get_offsets()) > 1]
        np.testing.assert_allclose(dots[1], expected)  # the second row
        np.testing.assert_allclose(marks(panel)[1], np.mean(expected))
        assert [text.get_text() for text in panel.get_yticklabels()] == ["double DQN", "C51"]
    assert "5 pairs per game" in figure.get_label()


def test_games_without_a_scale_have_panels_of_their_own_only():
    figure = paired_differences.paired_differences(runs_of(), "DQN")
    assert [panel.get_title() for panel in figure.axes] == ["catch", "pong"]


def test_runs_without_a_partner_are_counted():
    runs = [run for run in runs_of() if not (run.facts["algorithm"] == "C51" and run.facts["seed"] > 2)]
    runs.remove(next(run for run in runs if run.facts["algorithm"] == "double DQN"))
    label = paired_differences.paired_differences(runs, "DQN", transform=SCALE).get_label()
    assert "3 to 5 pairs per game" in label
    assert "Left out, without a partner: 5 runs." in label  # four of DQN beside C51, one beside the missing run
    assert "Not in all games, with different numbers of pairs on the games: double DQN." in label


def test_the_bars_of_an_ablation_are_the_differences_with_their_intervals():
    runs = runs_of(games=["catch"])
    (panel,) = ablation.ablation(runs, "DQN", transform=SCALE).axes
    for bar, line, name in zip(panel.patches, panel.collections, ("double DQN", "C51"), strict=True):
        arm, base = ({"catch": dict(enumerate(finals(runs, "catch", label)))} for label in (name, "DQN"))
        expected = paired.interval(paired.differences(arm, base), np.random.default_rng(0))
        assert bar.get_height() == pytest.approx(expected.point)
        np.testing.assert_allclose(line.get_segments()[0][:, 1], [expected.low, expected.high])
    assert [text.get_text() for text in panel.get_xticklabels()] == ["double DQN", "C51"]


def test_a_difference_of_iqms_is_drawn_as_such():
    runs = runs_of(algorithms=("DQN", "C51"))
    figure = paired_differences.paired_differences(runs, "DQN", transform=SCALE, statistic=statistics.iqm)
    panels = {panel.get_title(): panel for panel in figure.axes}
    scores = [np.array([finals(runs, game, name) for game in BEST]) for name in ("C51", "DQN")]
    arm, base = (scipy.stats.trim_mean(of_arm[0], 0.25) for of_arm in scores)
    np.testing.assert_allclose(marks(panels["catch"])[0], arm - base)
    assert arm - base != pytest.approx(scipy.stats.trim_mean(scores[0][0] - scores[1][0], 0.25), rel=1e-3)
    assert "Shown: IQM over seeds of the arm minus that of DQN" in figure.get_label()
    for name, entry in over_games.AGGREGATES.items():
        expected = entry.aggregate(scores[0]) - entry.aggregate(scores[1])
        np.testing.assert_allclose(marks(panels[f"all games: {name}"])[0], expected)


DRAWN_WITH_TWO = SHOW | {
    "intervals": lambda runs: intervals.intervals(runs, SCALE),
    "curves": lambda runs: learning_curves.learning_curves(runs, yscale="log", transform=lambda _, y: y - y.min() + 1),
}


@pytest.mark.parametrize("name", [name for name in DRAWN_WITH_TWO if name != "seeds"])
@pytest.mark.parametrize("seeds", [1, 2])
def test_figures_of_two_runs_have_no_interval_and_report_it(tmp_path, name, seeds):
    figure = DRAWN_WITH_TWO[name](runs_of(seeds=seeds))
    assert "No interval with fewer than 3 runs of a game" in figure.get_label()
    assert "No interval" not in DRAWN_WITH_TWO[name](runs_of(seeds=3)).get_label()
    style.save(figure, tmp_path / "a", "Whence.", ["png"])  # nothing in it warns of a NaN
    bars = [patch.get_width() * patch.get_height() for panel in figure.axes for patch in panel.patches]
    assert not bars or name == "ablation"


@pytest.mark.parametrize("name", [name for name in DRAWN_WITH_TWO if name != "seeds"])
def test_a_figure_of_few_runs_gives_the_coverage_of_its_intervals(name):
    assert "With 5 runs of a game, nominal 95 %" in DRAWN_WITH_TWO[name](runs_of(seeds=5)).get_label()
    assert "With 3 runs of a game, nominal 95 %" in DRAWN_WITH_TWO[name](runs_of(seeds=4)).get_label()
    assert "nominal" not in DRAWN_WITH_TWO[name](runs_of(["catch"], seeds=10)).get_label()


def test_intervals_have_a_panel_for_each_aggregate_over_games_and_for_each_game():
    runs = runs_of(algorithms=("DQN", "C51"))
    figure = intervals.intervals(runs, SCALE, statistic=statistics.median)
    titles = [panel.get_title() for panel in figure.axes]
    assert titles == [*(f"all games: {name}" for name in over_games.AGGREGATES), "catch", "pong"]
    scores = [np.array([finals(runs, game, name) for game in BEST]) for name in ("DQN", "C51")]
    for name, panel in zip(over_games.AGGREGATES, figure.axes, strict=False):
        np.testing.assert_allclose(marks(panel), [over_games.AGGREGATES[name].aggregate(of_arm) for of_arm in scores])
    np.testing.assert_allclose(marks(figure.axes[4]), [np.median(of_arm[0]) for of_arm in scores])
    alone = intervals.intervals(runs_of(["catch"]), SCALE)
    assert [panel.get_title() for panel in alone.axes] == ["catch"]


def on_a_grid(rates=(0.1, 0.01), ends=(0.5, 0.05), seeds=3, **described):
    return [
        synthetic_runs.run(
            settings={"rate": rate, "exploration.end": end}, seed=seed, best=100 * rate + end, **described
        )
        for rate in rates
        for end in ends
        for seed in range(seeds)
    ]


def test_a_heat_map_has_the_statistic_of_each_pair_of_values():
    runs = on_a_grid()
    figure = heat_map.heat_map(runs, ("rate", "exploration.end"))
    panel = figure.axes[0]
    (image,) = panel.images
    for column, rate in enumerate((0.01, 0.1)):
        for row, end in enumerate((0.05, 0.5)):
            chosen = [run for run in runs if run.facts["settings"] == {"rate": rate, "exploration.end": end}]
            assert image.get_array()[row, column] == pytest.approx(np.mean(by_arm.final(chosen, "evaluation_return")))
    assert [text.get_text() for text in panel.get_xticklabels()] == ["0.01", "0.1"]
    assert [text.get_text() for text in panel.get_yticklabels()] == ["0.05", "0.5"]
    assert (panel.get_xlabel(), panel.get_ylabel(), panel.get_title()) == ("rate", "end", "catch")
    assert image.origin == "lower"
    assert "IQM over seeds (n = 3)" in figure.get_label()


def test_cells_without_a_score_are_blank():
    runs = on_a_grid()[:-3]
    runs[0].curves["evaluation_return"][-1] = np.nan
    figure = heat_map.heat_map(runs, ("rate", "exploration.end"))
    mask = np.ma.getmaskarray(figure.axes[0].images[0].get_array())
    assert mask.tolist() == [[True, False], [False, True]]  # without a number, missing
    assert len(figure.axes[0].texts) == 2


def test_other_settings_and_algorithms_have_panels_of_their_own():
    runs = on_a_grid() + on_a_grid(algorithm="C51")
    figure = heat_map.heat_map(runs, ("rate", "exploration.end"))
    assert [panel.get_title() for panel in figure.axes if panel.images] == ["catch: DQN", "catch: C51"]
    for run in runs:
        run.facts["settings"]["width"] = 32 if run.facts["algorithm"] == "C51" else 64
    three = [run for run in runs if run.facts["algorithm"] == "DQN"] + on_a_grid(game="pong")
    with pytest.raises(ValueError, match="no setting 'width'"):
        heat_map.heat_map(three, ("rate", "width"))


def test_panels_on_a_common_scale_have_one_scale_of_colours():
    runs = on_a_grid() + on_a_grid(game="pong")
    raw, common = (heat_map.heat_map(runs, ("rate", "exploration.end"), transform=by) for by in (None, SCALE))
    raw, common = ([panel.images[0] for panel in figure.axes if panel.images] for figure in (raw, common))
    assert len({image.get_clim() for image in raw}) == 2
    every = np.concatenate([image.get_array().ravel() for image in common])
    assert {image.get_clim() for image in common} == {(every.min(), every.max())}


def test_one_field_is_no_interaction():
    with pytest.raises(ValueError, match="are the same: name two settings"):
        heat_map.heat_map(on_a_grid(), ("rate", "rate"))


def test_the_number_of_seeds_is_drawn_and_told():
    runs = runs_of(algorithms=("DQN", "C51"), seeds=8)
    figure = seeds_needed.seeds_needed(runs, transform=SCALE, width=1e-5)
    (panel,) = figure.axes
    for line in panel.lines[:2]:
        assert line.get_ydata()[0] > 2 * line.get_ydata()[-1] > 0
    assert "Seeds for a width of 1e-05: DQN: more than 1000; C51: more than 1000." in figure.get_label()
    assert "of 8 pilot runs" in figure.get_label()
    assert "DQN: 3; C51: 3." in seeds_needed.seeds_needed(runs, transform=SCALE, width=100.0).get_label()


def test_seeds_of_games_without_a_scale_are_drawn_separately():
    figure = seeds_needed.seeds_needed(runs_of(algorithms=("DQN",)), width=100.0)
    assert [panel.get_title() for panel in figure.axes] == ["catch", "pong"]
    assert "DQN on catch: 3; DQN on pong: 3." in figure.get_label()


def test_an_arm_of_one_run_is_no_pilot():
    runs = [*runs_of(["catch"], ["DQN"]), *runs_of(["catch"], ["C51"], seeds=1)]
    assert "Not shown, with too few runs: C51." in seeds_needed.seeds_needed(runs).get_label()
    with pytest.raises(ValueError, match="No arm has two runs on a game"):
        seeds_needed.seeds_needed(runs_of(["catch"], seeds=1))


@pytest.mark.parametrize("formats", [["pdf"], ["svg", "png"]])
def test_a_figure_is_saved_in_the_requested_formats(tmp_path, formats):
    def saved():
        paths = style.save(SHOW["improvement"](runs_of()), tmp_path / "a", "Whence.", formats)
        return {path.name: path.read_bytes() for path in paths}

    first = saved()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(first) == sorted(f"a.{name}" for name in formats)
    assert all(b"Whence." in content for content in first.values())
    assert saved() == first


def test_an_unknown_format_is_refused(tmp_path):
    with pytest.raises(ValueError, match="choose among png, svg, pdf"):
        style.save(SHOW["improvement"](runs_of()), tmp_path / "a", "", ["jpeg"])
