"""Statistics against hand-worked numbers, SciPy, exhaustive enumeration, and distributions whose truth is known."""

import itertools

import numpy as np
import pytest
import scipy.stats

from jaxdqn.analysis import statistics


def generator(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([5.0], 5.0),
        ([1.0, 2.0, 6.0], 3.0),  # too few to drop any
        ([0.0, 0.0, 4.0, 100.0], 2.0),
        ([8.0, 1.0, 7.0, 2.0, 6.0, 3.0, 5.0, 400.0], 5.25),  # 3, 5, 6 and 7: of eight, two go at each end
        ([0.0, 1.0, 2.0, 3.0, 100.0], 2.0),  # one of five
    ],
)
def test_the_interquartile_mean_is_the_mean_of_the_middle_half(scores, expected):
    assert statistics.iqm(np.array(scores)) == pytest.approx(expected)


@pytest.mark.parametrize("runs", range(1, 14))
def test_the_interquartile_mean_is_scipys_trimmed_mean_along_runs(runs):
    scores = generator(runs).standard_cauchy(size=(runs, 3))
    np.testing.assert_allclose(statistics.iqm(scores), scipy.stats.trim_mean(scores, 0.25, axis=0))


def test_statistics_reduce_the_runs_and_keep_the_points():
    scores = np.array([[1.0, 10.0, 100.0], [3.0, 30.0, 300.0], [8.0, 80.0, 800.0]])
    np.testing.assert_allclose(statistics.mean(scores), [4.0, 40.0, 400.0])
    np.testing.assert_allclose(statistics.median(scores), [3.0, 30.0, 300.0])
    np.testing.assert_allclose(statistics.iqm(scores), [4.0, 40.0, 400.0])


def test_replicates_are_those_of_all_possible_draws():
    scores = {"a": [0.0, 1.0, 5.0], "b": [10.0, 12.0, 13.0]}
    draws = [
        np.mean(a + b)
        for a in itertools.product(scores["a"], repeat=3)
        for b in itertools.product(scores["b"], repeat=3)
    ]
    made = statistics.replicates(
        statistics.stack(scores), statistics.pooled(statistics.mean), generator(), resamples=50_000
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
    made = statistics.replicates(scores, statistics.pooled(statistics.mean), generator(), resamples=30)
    assert [counts.shape for counts in made.times_drawn] == [(30, 5), (30, 5)]
    total = sum(counts @ of_game for counts, of_game in zip(made.times_drawn, scores, strict=True))
    np.testing.assert_allclose(made.values, total / 10)


@pytest.mark.parametrize("statistic", [statistics.mean, statistics.median, statistics.iqm])
def test_replicates_of_one_game_are_those_of_scipys_bootstrap(statistic):
    scores = generator(5).normal(size=12)
    ours = statistics.replicates(scores[None], statistics.pooled(statistic), generator(1), resamples=20_000)
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
    estimate = statistics.interval(np.concatenate([runs, runs, -runs], axis=1), statistics.mean, generator())
    assert estimate.low.shape == (3,)
    assert estimate.low[0] == estimate.low[1] < estimate.point[0] < estimate.high[0] == estimate.high[1]
    # Draws of points of their own would meet here only by chance.
    np.testing.assert_allclose([estimate.low[2], estimate.high[2]], [-estimate.high[0], -estimate.low[0]])


def test_points_of_a_curve_are_no_replicates():
    scores = np.tile([1.0, 2.0, 3.0, 4.0, 5.0], (3, 1))  # three runs agree wholly, at five points that differ
    estimate = statistics.interval(scores, statistics.iqm, generator())
    for part in estimate:
        np.testing.assert_allclose(part, [1.0, 2.0, 3.0, 4.0, 5.0])


def test_games_are_no_replicates():
    # Runs agree within each game: neither drawing games nor drawing from the pool would leave the mean where it is.
    estimate = statistics.interval_over_games({"a": [0.0] * 4, "b": [100.0] * 4}, statistics.mean, generator())
    assert estimate == (50.0, 50.0, 50.0)


def test_games_are_resampled_apart_from_each_other():
    runs = generator(4).normal(size=10)
    alone = statistics.interval(runs, statistics.mean, generator(), resamples=20_000)
    opposite = statistics.interval_over_games(
        {"a": runs, "b": -runs}, statistics.mean, generator(), resamples=20_000
    )  # a shared draw would cancel
    assert opposite.point == pytest.approx(0.0, abs=1e-12)
    width = (opposite.high - opposite.low) / (alone.high - alone.low)
    students = scipy.stats.t.ppf(0.975, 18) / scipy.stats.t.ppf(0.975, 9)  # two games know the spread better
    assert width == pytest.approx(students / np.sqrt(2), rel=0.05)


def test_the_pool_of_games_is_what_the_statistic_sees():
    estimate = statistics.interval_over_games({"a": [0.0, 1.0], "b": [2.0, 100.0]}, statistics.iqm, generator())
    assert estimate.point == 1.5  # the middle two of four, not the mean of two means


@pytest.mark.parametrize(
    ("confidence", "at_least", "at_most"), [(0.95, 0.90, 0.98), (0.5, 0.43, 0.59)], ids=["95 %", "50 %"]
)
def test_intervals_cover_the_truth_about_as_often_as_they_say(confidence, at_least, at_most):
    chance = generator(11)
    trials = chance.exponential(size=(20, 400))  # 400 experiments of 20 runs side by side, each with mean 1
    estimate = statistics.interval(trials, statistics.mean, chance, confidence=confidence, resamples=500)
    covered = np.mean((estimate.low <= 1.0) & (estimate.high >= 1.0))
    assert at_least < covered < at_most


def test_more_runs_make_a_narrower_interval():
    scores = generator(6).normal(size=80)
    few, many = (statistics.interval(scores[:n], statistics.iqm, generator()) for n in (20, 80))
    assert many.high - many.low == pytest.approx((few.high - few.low) / 2, rel=0.35)


def test_equal_generators_give_equal_intervals_and_others_do_not():
    scores = generator(7).normal(size=(6, 4))
    first, again, other = (statistics.interval(scores, statistics.iqm, generator(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.any(first.low != other.low)


def test_memory_bounds_change_no_result(monkeypatch):
    scores = generator(8).normal(size=(6, 4))
    whole = statistics.interval(scores, statistics.iqm, generator(), resamples=100)
    monkeypatch.setattr(statistics, "_BLOCK", 7 * scores.size)
    np.testing.assert_array_equal(statistics.interval(scores, statistics.iqm, generator(), resamples=100), whole)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_score_that_is_not_finite_is_refused_and_located(bad):
    scores = np.zeros((4, 6))
    scores[2, 5] = scores[3, 0] = bad
    with pytest.raises(ValueError, match=r"2 of 24 scores are not finite, the first at index \(2, 5\)"):
        statistics.interval(scores, statistics.iqm, generator())
    with pytest.raises(ValueError, match=r"2 of 24 scores of pong are not finite"):
        statistics.interval_over_games({"catch": np.zeros((4, 6)), "pong": scores}, statistics.iqm, generator())


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
        statistics.interval_over_games(scores, statistics.iqm, generator(), **keywords)
