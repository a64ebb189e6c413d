"""Aggregates over games against cases one can work out; `test_rliable.py` has the numbers of rliable."""

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from jaxdqn.analysis import aggregates, paired, statistics

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


def test_the_aggregate_along_training_is_that_of_each_point():
    estimate = statistics.bootstrap(by_game(CURVES), aggregates.iqm, generator())
    np.testing.assert_allclose(estimate.point, [0.2125, 0.3325, 0.4925])  # as rliable 1.2.0 has it
    last = statistics.bootstrap(by_game(np.array(CURVES)[..., 2]), aggregates.iqm, generator())
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
    assert aggregates.probability_of_improvement({"a": x}, {"a": y}, generator()).point == pytest.approx(expected)


scores = st.lists(st.integers(-3, 3).map(float), min_size=1, max_size=7)


@given(x=scores, y=scores)
def test_the_probability_of_improvement_is_scipys_mann_whitney_statistic(x, y):
    expected = scipy.stats.mannwhitneyu(x, y, method="asymptotic", use_continuity=False).statistic / (len(x) * len(y))
    forth = aggregates.probability_of_improvement({"a": x}, {"a": y}, generator(), resamples=5)
    back = aggregates.probability_of_improvement({"a": y}, {"a": x}, generator(), resamples=5)
    assert forth.point == pytest.approx(expected)
    assert back.point == pytest.approx(1 - expected)


def test_games_may_have_different_numbers_of_runs_where_only_their_order_counts():
    x, y = {"a": [1.0] * 3, "b": [1.0, 2.0, 3.0, 4.0]}, {"b": [0.0, -1.0, 0.5], "a": [2.0, 3.0, 4.0, 5.0, 6.0]}
    estimate = aggregates.probability_of_improvement(x, y, generator())
    assert tuple(estimate) == (0.5, 0.5, 0.5)  # lost on a, won on b, whatever is drawn


def test_the_interval_of_improvement_is_as_wide_as_delong_has_it():
    x, y = generator(3).normal(0.4, 1.0, size=40), generator(4).normal(size=30)
    wins = x[:, None] > y
    # DeLong, DeLong and Clarke-Pearson (1988): the variance of the area under a curve, over runs of either arm.
    error = np.sqrt(np.var(wins.mean(axis=1), ddof=1) / 40 + np.var(wins.mean(axis=0), ddof=1) / 30)
    estimate = aggregates.probability_of_improvement({"a": x}, {"a": y}, generator(), resamples=20_000)
    assert estimate.high - estimate.low == pytest.approx(2 * 1.99 * error, rel=0.08)


def test_a_difference_is_that_of_the_aggregates_and_as_wide_as_welch_has_it():
    x, y = 3.0 + normal(30), 1.0 + 2.0 * normal(20)
    estimate = aggregates.difference({"a": x}, {"a": y}, aggregates.mean, generator(), resamples=20_000)
    assert estimate.point == pytest.approx(x.mean() - y.mean())
    expected = scipy.stats.ttest_ind(x, y, equal_var=False).confidence_interval()
    np.testing.assert_allclose(estimate[1:], expected, atol=0.06)
    trimmed = aggregates.difference({"a": x}, {"a": y}, aggregates.iqm, generator())
    assert trimmed.point == pytest.approx(scipy.stats.trim_mean(x, 0.25) - scipy.stats.trim_mean(y, 0.25))


def test_runs_of_two_arms_are_drawn_apart():
    x = normal(12)
    apart = aggregates.difference({"a": x}, {"a": x + 1.0}, aggregates.mean, generator(), resamples=4000)
    alone = statistics.interval(x, statistics.mean, generator(), resamples=4000)
    students = scipy.stats.t.ppf(0.975, 22) / scipy.stats.t.ppf(0.975, 11)
    assert apart.point == pytest.approx(-1.0)
    assert (apart.high - apart.low) / (alone.high - alone.low) == pytest.approx(np.sqrt(2) * students, rel=0.05)


@pytest.mark.parametrize("y", [{"b": [1.0]}, {}, {"a": [1.0], "b": [1.0]}])
def test_arms_of_different_games_are_refused(y):
    with pytest.raises(ValueError, match="compared on the same games, not on"):
        aggregates.probability_of_improvement({"a": [1.0]}, y, generator())
    with pytest.raises(ValueError, match="compared on the same games, not on"):
        aggregates.difference({"a": [1.0]}, y, aggregates.mean, generator())


def test_a_score_that_is_not_finite_has_no_rank():
    with pytest.raises(ValueError, match="1 of 2 scores of a are not finite"):
        aggregates.probability_of_improvement({"a": [1.0, np.nan]}, {"a": [1.0]}, generator())
    with pytest.raises(ValueError, match="1 of 2 scores of a are not finite"):
        aggregates.profile({"a": [1.0, np.nan]}, [0.0], generator())


def test_a_surplus_makes_up_for_no_gap():
    assert aggregates.optimality_gap(np.array([[3.0, 0.5], [1.0, 0.0]])) == pytest.approx((0 + 0.5 + 0 + 1) / 4)


def test_the_median_is_over_games():
    assert aggregates.median(np.array([[0.0, 4.0], [9.0, 9.0], [1.0, 2.0]])) == 2.0


INTERVALS = {
    "difference": lambda **given: aggregates.difference(by_game(X), by_game(Y), aggregates.iqm, generator(), **given),
    "profile": lambda **given: aggregates.profile(by_game(X), [0.5], generator(), **given),
    "improvement": lambda **given: aggregates.probability_of_improvement(by_game(X), by_game(Y), generator(), **given),
    "bootstrap": lambda **given: statistics.bootstrap(by_game(X), aggregates.iqm, generator(), **given),
    "over games": lambda **given: statistics.interval_over_games(by_game(X), statistics.iqm, generator(), **given),
    "paired": lambda **given: paired.interval(paired.differences(*ARMS), generator(), **given),
    "aggregate": lambda **given: paired.bootstrap(paired.differences(*ARMS), aggregates.iqm, generator(), **given),
}


@pytest.mark.parametrize("interval", INTERVALS.values(), ids=INTERVALS)
def test_more_confidence_is_a_wider_interval(interval):
    low, high = (interval(confidence=confidence) for confidence in (0.5, 0.99))
    assert np.all(high.high - high.low > 1.5 * (low.high - low.low))


@pytest.mark.parametrize("interval", INTERVALS.values(), ids=INTERVALS)
def test_every_interval_heeds_how_many_draws_are_asked_for(interval):
    with pytest.raises(ValueError, match="resamples = 0 is out of range"):
        interval(resamples=0)


def test_a_score_at_the_threshold_is_not_above_it():
    assert aggregates.profile({"a": [1.0, 2.0]}, [0.5, 1.0, 2.0], generator()).point.tolist() == [1.0, 0.5, 0.0]


@pytest.mark.parametrize("name", aggregates.AGGREGATES)
def test_curves_have_an_interval_at_each_point(name):
    curves = {f"game {index}": generator(index).normal(size=(10, 20)) for index in range(4)}
    estimate = statistics.bootstrap(curves, aggregates.AGGREGATES[name], generator(), resamples=50)
    assert estimate.low.shape == estimate.high.shape == estimate.point.shape == (20,)
    assert np.all(estimate.low < estimate.high)
