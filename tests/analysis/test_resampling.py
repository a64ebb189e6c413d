"""Resampling against SciPy, exhaustive enumeration, closed forms, and distributions whose truth is known."""

import itertools

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from jaxdqn.analysis import aggregates, paired, performance_profile, probability_of_improvement, resampling, statistics

X = [[2.08, 0.92, 0.53], [0.5, 0.64, 0.45], [1.23, 2.0, 0.42], [0.14, 0.22, 0.57], [0.27, 0.36, 0.34]]
Y = [
    [2.08, 0.16, 0.29],
    [0.22, 0.2, 0.57],
    [0.79, 0.3, 0.3],
    [0.04, 0.4, 1.06],
    [1.07, 0.9, 0.07],
    [1.03, 1.21, 0.28],
]
ARMS = [{"game": dict(enumerate(np.array(matrix)[:5, 0]))} for matrix in (X, Y)]
CURVES = [
    [[0.03, 0.06, 0.07], [0.02, 0.14, 0.17]],
    [[0.46, 0.63, 0.74], [0.18, 0.23, 0.62]],
    [[0.27, 0.47, 0.57], [0.28, 0.48, 0.64]],
    [[0.37, 0.52, 0.59], [0.12, 0.15, 0.19]],
]  # [runs, games, points]


def by_game(matrix):
    """Returns scores by game, `[runs, ...]` each, of rliable's `[runs, games, ...]`."""
    return {f"game {index}": scores for index, scores in enumerate(np.moveaxis(np.array(matrix), 1, 0))}


def generator(seed=0):
    return np.random.default_rng(seed)


def normal(runs):
    """Returns scores that lie as those of a normal distribution do, without skewness."""
    return scipy.stats.norm.ppf((np.arange(runs) + 0.5) / runs)


def test_replicates_are_those_of_all_possible_draws():
    scores = {"a": [0.0, 1.0, 5.0], "b": [10.0, 12.0, 13.0]}
    draws = [
        np.mean(a + b)
        for a in itertools.product(scores["a"], repeat=3)
        for b in itertools.product(scores["b"], repeat=3)
    ]
    made = resampling.replicates(
        resampling.stack(scores), statistics.pooled(statistics.mean), generator(), resamples=50_000
    )
    assert made.point == pytest.approx(41 / 6)
    levels = np.linspace(0.02, 0.98, 25)
    expected = np.quantile(draws, levels)
    np.testing.assert_allclose(
        np.quantile(made.values, levels), expected, atol=0.17
    )  # neighbouring draws lie 1/6 apart
    assert np.mean(made.values) == pytest.approx(41 / 6, abs=0.02)


def test_replicates_know_how_often_each_run_was_drawn():
    scores = generator(9).normal(size=(2, 5))
    made = resampling.replicates(scores, statistics.pooled(statistics.mean), generator(), resamples=30)
    assert [counts.shape for counts in made.times_drawn] == [(30, 5), (30, 5)]
    total = sum(counts @ of_game for counts, of_game in zip(made.times_drawn, scores, strict=True))
    np.testing.assert_allclose(made.values, total / 10)


@pytest.mark.parametrize("statistic", [statistics.mean, statistics.median, statistics.iqm])
def test_replicates_of_one_game_are_those_of_scipys_bootstrap(statistic):
    scores = generator(5).normal(size=12)
    ours = resampling.replicates(scores[None], statistics.pooled(statistic), generator(1), resamples=20_000)
    theirs = scipy.stats.bootstrap(
        (scores,),
        lambda x, axis: statistic(np.moveaxis(x, axis, 0)),
        n_resamples=20_000,
        method="percentile",
        rng=generator(2),
    ).confidence_interval
    np.testing.assert_allclose(np.quantile(ours.values, [0.025, 0.975]), theirs, atol=0.03)
    assert theirs.high - theirs.low > 0.5


def test_curves_are_resampled_run_by_run():
    runs = generator(3).normal(size=(7, 1))
    estimate = resampling.interval(np.concatenate([runs, runs, -runs], axis=1), statistics.mean, generator())
    assert estimate.low.shape == (3,)
    assert estimate.low[0] == estimate.low[1] < estimate.point[0] < estimate.high[0] == estimate.high[1]
    # Draws of points of their own would agree here only by luck.
    np.testing.assert_allclose([estimate.low[2], estimate.high[2]], [-estimate.high[0], -estimate.low[0]])


def test_points_of_a_curve_are_no_replicates():
    scores = np.tile([1.0, 2.0, 3.0, 4.0, 5.0], (3, 1))  # three runs agree wholly, at five points that differ
    estimate = resampling.interval(scores, statistics.iqm, generator())
    for part in estimate:
        np.testing.assert_allclose(part, [1.0, 2.0, 3.0, 4.0, 5.0])


def test_games_are_no_replicates():
    # Runs agree within each game: neither drawing games nor drawing from the pool would leave the mean where it is.
    estimate = resampling.interval_over_games({"a": [0.0] * 4, "b": [100.0] * 4}, statistics.mean, generator())
    assert estimate == (50.0, 50.0, 50.0)


def test_games_are_resampled_apart_from_each_other():
    runs = generator(4).normal(size=10)
    alone = resampling.interval(runs, statistics.mean, generator(), resamples=20_000)
    opposite = resampling.interval_over_games(
        {"a": runs, "b": -runs}, statistics.mean, generator(), resamples=20_000
    )  # a shared draw would cancel
    assert opposite.point == pytest.approx(0.0, abs=1e-12)
    width = (opposite.high - opposite.low) / (alone.high - alone.low)
    students = scipy.stats.t.ppf(0.975, 18) / scipy.stats.t.ppf(0.975, 9)  # two games know the spread better
    assert width == pytest.approx(students / np.sqrt(2), rel=0.05)


def test_the_pool_of_games_is_what_the_statistic_sees():
    estimate = resampling.interval_over_games({"a": [0.0, 1.0], "b": [2.0, 100.0]}, statistics.iqm, generator())
    assert estimate.point == 1.5  # the middle two of four, not the mean of two means


@pytest.mark.parametrize(
    ("confidence", "at_least", "at_most"), [(0.95, 0.90, 0.98), (0.5, 0.43, 0.59)], ids=["95 %", "50 %"]
)
def test_intervals_cover_the_truth_about_as_often_as_they_say(confidence, at_least, at_most):
    rng = generator(11)
    trials = rng.exponential(size=(20, 400))  # 400 experiments of 20 runs side by side, each with mean 1
    estimate = resampling.interval(trials, statistics.mean, rng, confidence=confidence, resamples=500)
    covered = np.mean((estimate.low <= 1.0) & (estimate.high >= 1.0))
    assert at_least < covered < at_most


def test_more_runs_make_a_narrower_interval():
    scores = generator(6).normal(size=80)
    few, many = (resampling.interval(scores[:n], statistics.iqm, generator()) for n in (20, 80))
    assert many.high - many.low == pytest.approx((few.high - few.low) / 2, rel=0.35)


def test_equal_generators_give_equal_intervals_and_others_do_not():
    scores = generator(7).normal(size=(6, 4))
    first, again, other = (resampling.interval(scores, statistics.iqm, generator(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.any(first.low != other.low)


def test_memory_bounds_change_no_result(monkeypatch):
    scores = generator(8).normal(size=(6, 4))
    whole = resampling.interval(scores, statistics.iqm, generator(), resamples=100)
    monkeypatch.setattr(resampling, "_BLOCK", 7 * scores.size)
    np.testing.assert_array_equal(resampling.interval(scores, statistics.iqm, generator(), resamples=100), whole)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_score_that_is_not_finite_is_refused_and_located(bad):
    scores = np.zeros((4, 6))
    scores[2, 5] = scores[3, 0] = bad
    with pytest.raises(ValueError, match=r"2 of 24 scores are not finite, the first at index \(2, 5\)"):
        resampling.interval(scores, statistics.iqm, generator())
    with pytest.raises(ValueError, match=r"2 of 24 scores of pong are not finite"):
        resampling.interval_over_games({"catch": np.zeros((4, 6)), "pong": scores}, statistics.iqm, generator())


@pytest.mark.parametrize(
    ("scores", "keywords", "message"),
    [
        ({"a": []}, {}, "There are no scores"),
        ({}, {}, "There are no scores"),
        ({"a": 1.0}, {}, "There are no scores"),
        ({"a": [1.0, 2.0], "b": [1.0]}, {}, r"Games differ .*'a': \(2,\), 'b': \(1,\)"),
        ({"a": [1.0]}, {"confidence": 95}, "confidence = 95 is out of range"),
        ({"a": [1.0]}, {"resamples": 0}, "resamples = 0 is out of range"),
    ],
)
def test_what_has_no_interval_is_refused(scores, keywords, message):
    with pytest.raises(ValueError, match=message):
        resampling.interval_over_games(scores, statistics.iqm, generator(), **keywords)


def test_the_aggregate_along_training_is_that_of_each_point():
    estimate = resampling.aggregate_interval(by_game(CURVES), aggregates.iqm, generator())
    np.testing.assert_allclose(estimate.point, [0.2125, 0.3325, 0.4925])  # as rliable 1.2.0 has it
    last = resampling.aggregate_interval(by_game(np.array(CURVES)[..., 2]), aggregates.iqm, generator())
    np.testing.assert_allclose([estimate.low[2], estimate.high[2]], [last.low, last.high], rtol=1e-12)


@pytest.mark.parametrize(
    ("x", "y", "expected"),
    [
        ([1.0, 2.0], [0.0, 0.5], 1.0),
        ([0.0], [0.0, 1.0, -1.0], 0.5),  # a draw, a loss and a win
        ([1.0, 1.0], [1.0], 0.5),
        ([3.0, 1.0, 0.0], [2.0, -1.0], 4 / 6),
    ],
)
def test_the_probability_of_improvement_counts_pairs(x, y, expected):
    assert probability_of_improvement.interval({"a": x}, {"a": y}, generator()).point == pytest.approx(expected)


scores = st.lists(st.integers(-3, 3).map(float), min_size=1, max_size=7)


@given(x=scores, y=scores)
def test_the_probability_of_improvement_is_scipys_mann_whitney_statistic(x, y):
    expected = scipy.stats.mannwhitneyu(x, y, method="asymptotic", use_continuity=False).statistic / (len(x) * len(y))
    forth = probability_of_improvement.interval({"a": x}, {"a": y}, generator(), resamples=5)
    back = probability_of_improvement.interval({"a": y}, {"a": x}, generator(), resamples=5)
    assert forth.point == pytest.approx(expected)
    assert back.point == pytest.approx(1 - expected)


def test_games_may_have_different_numbers_of_runs_where_only_their_order_counts():
    x, y = {"a": [1.0] * 3, "b": [1.0, 2.0, 3.0, 4.0]}, {"b": [0.0, -1.0, 0.5], "a": [2.0, 3.0, 4.0, 5.0, 6.0]}
    estimate = probability_of_improvement.interval(x, y, generator())
    assert tuple(estimate) == (0.5, 0.5, 0.5)  # lost on a, won on b, whatever is drawn


def test_the_interval_of_improvement_is_as_wide_as_delong_has_it():
    x, y = generator(3).normal(0.4, 1.0, size=40), generator(4).normal(size=30)
    wins = x[:, None] > y
    # DeLong, DeLong and Clarke-Pearson (1988): the variance of the area under a curve, over runs of either arm.
    error = np.sqrt(np.var(wins.mean(axis=1), ddof=1) / 40 + np.var(wins.mean(axis=0), ddof=1) / 30)
    estimate = probability_of_improvement.interval({"a": x}, {"a": y}, generator(), resamples=20_000)
    assert estimate.high - estimate.low == pytest.approx(2 * 1.99 * error, rel=0.08)


def test_a_difference_is_that_of_the_aggregates_and_as_wide_as_welch_has_it():
    x, y = 3.0 + normal(30), 1.0 + 2.0 * normal(20)
    estimate = resampling.difference({"a": x}, {"a": y}, aggregates.mean, generator(), resamples=20_000)
    assert estimate.point == pytest.approx(x.mean() - y.mean())
    expected = scipy.stats.ttest_ind(x, y, equal_var=False).confidence_interval()
    np.testing.assert_allclose(estimate[1:], expected, atol=0.06)
    trimmed = resampling.difference({"a": x}, {"a": y}, aggregates.iqm, generator())
    assert trimmed.point == pytest.approx(scipy.stats.trim_mean(x, 0.25) - scipy.stats.trim_mean(y, 0.25))


def test_runs_of_two_arms_are_drawn_apart():
    x = normal(12)
    apart = resampling.difference({"a": x}, {"a": x + 1.0}, aggregates.mean, generator(), resamples=4000)
    alone = resampling.interval(x, statistics.mean, generator(), resamples=4000)
    students = scipy.stats.t.ppf(0.975, 22) / scipy.stats.t.ppf(0.975, 11)
    assert apart.point == pytest.approx(-1.0)
    assert (apart.high - apart.low) / (alone.high - alone.low) == pytest.approx(np.sqrt(2) * students, rel=0.05)


@pytest.mark.parametrize("y", [{"b": [1.0]}, {}, {"a": [1.0], "b": [1.0]}])
def test_arms_of_different_games_are_refused(y):
    with pytest.raises(ValueError, match="must have the same games"):
        probability_of_improvement.interval({"a": [1.0]}, y, generator())
    with pytest.raises(ValueError, match="must have the same games"):
        resampling.difference({"a": [1.0]}, y, aggregates.mean, generator())


def test_a_score_that_is_not_finite_has_no_rank():
    with pytest.raises(ValueError, match="1 of 2 scores of a are not finite"):
        probability_of_improvement.interval({"a": [1.0, np.nan]}, {"a": [1.0]}, generator())
    with pytest.raises(ValueError, match="1 of 2 scores of a are not finite"):
        performance_profile.interval({"a": [1.0, np.nan]}, [0.0], generator())


INTERVALS = {
    "difference": lambda **given: resampling.difference(by_game(X), by_game(Y), aggregates.iqm, generator(), **given),
    "profile": lambda **given: performance_profile.interval(by_game(X), [0.5], generator(), **given),
    "improvement": lambda **given: probability_of_improvement.interval(by_game(X), by_game(Y), generator(), **given),
    "bootstrap": lambda **given: resampling.aggregate_interval(by_game(X), aggregates.iqm, generator(), **given),
    "over games": lambda **given: resampling.interval_over_games(by_game(X), statistics.iqm, generator(), **given),
    "paired": lambda **given: paired.interval(paired.differences(*ARMS), generator(), **given),
    "aggregate": lambda **given: paired.aggregate_interval(
        paired.differences(*ARMS), aggregates.iqm, generator(), **given
    ),
}


@pytest.mark.parametrize("interval", INTERVALS.values(), ids=INTERVALS)
def test_more_confidence_is_a_wider_interval(interval):
    low, high = (interval(confidence=confidence) for confidence in (0.5, 0.99))
    assert np.all(high.high - high.low > 1.5 * (low.high - low.low))


@pytest.mark.parametrize("interval", INTERVALS.values(), ids=INTERVALS)
def test_every_interval_uses_the_requested_number_of_resamples(interval):
    with pytest.raises(ValueError, match="resamples = 0 is out of range"):
        interval(resamples=0)


def test_a_score_at_the_threshold_is_not_above_it():
    assert performance_profile.interval({"a": [1.0, 2.0]}, [0.5, 1.0, 2.0], generator()).point.tolist() == [
        1.0,
        0.5,
        0.0,
    ]


@pytest.mark.parametrize("name", aggregates.AGGREGATES)
def test_curves_have_an_interval_at_each_point(name):
    curves = {f"game {index}": generator(index).normal(size=(10, 20)) for index in range(4)}
    estimate = resampling.aggregate_interval(curves, aggregates.AGGREGATES[name].aggregate, generator(), resamples=50)
    assert estimate.low.shape == estimate.high.shape == estimate.point.shape == (20,)
    assert np.all(estimate.low < estimate.high)
