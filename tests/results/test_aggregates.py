"""Aggregates over games against rliable's numbers, and against cases one can work out.

The numbers of rliable 1.2.0 (with pandas 2.3.3, arch 7.2.0, NumPy 2.4.6) were made by

    np.random.seed(0)
    library.get_interval_estimates({"X": X}, aggregates, reps=2000)   # and so on, see each test

on the scores below, its arrays being [runs, games]. It draws from NumPy's global generator; here `Replayed` hands out
the same draws, so that intervals agree exactly and not only within the error of the bootstrap.
"""

import time

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from jaxdqn.results import aggregates, statistics

X = [[2.08, 0.92, 0.53], [0.5, 0.64, 0.45], [1.23, 2.0, 0.42], [0.14, 0.22, 0.57], [0.27, 0.36, 0.34]]
Y = [
    [2.08, 0.16, 0.29],
    [0.22, 0.2, 0.57],
    [0.79, 0.3, 0.3],
    [0.04, 0.4, 1.06],
    [1.07, 0.9, 0.07],
    [1.03, 1.21, 0.28],
]
CURVES = [
    [[0.03, 0.06, 0.07], [0.02, 0.14, 0.17]],
    [[0.46, 0.63, 0.74], [0.18, 0.23, 0.62]],
    [[0.27, 0.47, 0.57], [0.28, 0.48, 0.64]],
    [[0.37, 0.52, 0.59], [0.12, 0.15, 0.19]],
]  # [runs, games, points]


def by_game(matrix):
    """Returns scores by game, `[runs, ...]` each, of rliable's `[runs, games, ...]`."""
    return {f"game {index}": scores for index, scores in enumerate(np.moveaxis(np.array(matrix), 1, 0))}


class Replayed:
    """The draws of rliable: `np.random.choice(runs, [runs, games])` for every replicate after `np.random.seed(0)`."""

    def __init__(self):
        self.state = np.random.RandomState(0)

    def integers(self, runs, size):
        resamples, games, _ = size
        return np.stack([self.state.choice(runs, (runs, games), replace=True).T for _ in range(resamples)])


def generator(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize(
    ("matrix", "name", "point", "low", "high"),
    [
        (X, "IQM", 0.5255555555555556, 0.3788888888888889, 0.893499999999999),
        (X, "median", 0.8280000000000001, 0.41600000000000004, 1.1560000000000001),
        (X, "mean", 0.7113333333333333, 0.4559666666666667, 1.007433333333333),
        (X, "optimality gap", 0.44266666666666665, 0.30796666666666667, 0.5786666666666667),
        (Y, "IQM", 0.508, 0.273, 0.7880249999999999),
        (Y, "median", 0.5283333333333333, 0.32666666666666666, 0.8199999999999998),
        (Y, "mean", 0.6094444444444443, 0.3999861111111111, 0.8478194444444442),
        (Y, "optimality gap", 0.47111111111111115, 0.3116527777777779, 0.6317222222222219),
    ],
)
def test_aggregates_and_their_intervals_are_those_of_rliable(matrix, name, point, low, high):
    estimate = statistics.bootstrap(by_game(matrix), aggregates.AGGREGATES[name], Replayed())
    np.testing.assert_allclose(estimate, (point, low, high), rtol=1e-12)


def test_the_performance_profile_is_that_of_rliable():
    thresholds = [0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0]
    estimate = aggregates.profile(by_game(X), thresholds, Replayed())
    np.testing.assert_allclose(estimate.point, np.array([15, 13, 7, 4, 3, 2, 1]) / 15)
    np.testing.assert_allclose(estimate.low, np.array([15, 11, 3, 1, 0, 0, 0]) / 15)
    np.testing.assert_allclose(estimate.high, np.array([15, 15, 11, 7, 6, 5, 3]) / 15)


def test_the_aggregate_along_training_is_that_of_rliable():
    estimate = statistics.bootstrap(by_game(CURVES), aggregates.iqm, generator(), resamples=20_000)
    np.testing.assert_allclose(estimate.point, [0.2125, 0.3325, 0.4925])
    # rliable draws the points of a curve apart, here they share a draw: intervals agree within the bootstrap's error.
    np.testing.assert_allclose(estimate.low, [0.075, 0.1425, 0.175], atol=0.01)
    np.testing.assert_allclose(estimate.high, [0.325, 0.49, 0.642625], atol=0.01)


def test_the_probability_of_improvement_is_that_of_rliable():
    # rliable draws for all games at once, here game by game: intervals agree within the bootstrap's error.
    estimate = aggregates.probability_of_improvement(by_game(X), by_game(Y), generator(), resamples=20_000)
    assert estimate.point == pytest.approx(0.62222222222, rel=1e-9)
    assert estimate.low == pytest.approx(0.41111111, abs=0.01)
    assert estimate.high == pytest.approx(0.81666667, abs=0.01)


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
    x, y = {"a": [1.0], "b": [1.0, 2.0, 3.0]}, {"b": [0.0], "a": [2.0, 3.0]}
    estimate = aggregates.probability_of_improvement(x, y, generator())
    assert tuple(estimate) == (0.5, 0.5, 0.5)  # lost on a, won on b, whatever is drawn


def test_the_interval_of_improvement_is_that_of_drawing_runs():
    x, y, chance = np.array([0.1, 0.9, 0.4, 1.3]), np.array([0.5, 0.2, 0.8]), generator(3)
    draws = [
        np.mean(chance.choice(x, 4)[:, None] > chance.choice(y, 3))  # no ties between x and y
        for _ in range(20_000)
    ]
    estimate = aggregates.probability_of_improvement({"a": x}, {"a": y}, generator(), confidence=0.8, resamples=20_000)
    np.testing.assert_allclose(estimate[1:], np.quantile(draws, [0.1, 0.9]), atol=1 / 12 + 1e-9)
    assert 0.3 < estimate.high - estimate.low < 0.8


@pytest.mark.parametrize("y", [{"b": [1.0]}, {}, {"a": [1.0], "b": [1.0]}])
def test_arms_of_different_games_are_refused(y):
    with pytest.raises(ValueError, match="compared on the same games, not on"):
        aggregates.probability_of_improvement({"a": [1.0]}, y, generator())


def test_a_score_that_is_not_finite_has_no_rank():
    with pytest.raises(ValueError, match="1 of 2 scores of a are not finite"):
        aggregates.probability_of_improvement({"a": [1.0, np.nan]}, {"a": [1.0]}, generator())
    with pytest.raises(ValueError, match="1 of 2 scores of a are not finite"):
        aggregates.profile({"a": [1.0, np.nan]}, [0.0], generator())


def test_a_surplus_makes_up_for_no_gap():
    assert aggregates.optimality_gap(np.array([[3.0, 0.5], [1.0, 0.0]])) == pytest.approx((0 + 0.5 + 0 + 1) / 4)


def test_the_median_is_over_games():
    assert aggregates.median(np.array([[0.0, 4.0], [9.0, 9.0], [1.0, 2.0]])) == 2.0


def test_a_score_at_the_threshold_is_not_above_it():
    assert aggregates.profile({"a": [1.0, 2.0]}, [0.5, 1.0, 2.0], generator()).point.tolist() == [1.0, 0.5, 0.0]


@pytest.mark.parametrize("name", aggregates.AGGREGATES)
def test_two_thousand_replicates_of_a_benchmark_take_well_under_a_second(name):
    curves = {f"game {index}": generator(index).normal(size=(10, 20)) for index in range(4)}
    start = time.perf_counter()
    estimate = statistics.bootstrap(curves, aggregates.AGGREGATES[name], generator(), resamples=2000)
    assert time.perf_counter() - start < 0.7  # a tenth of it alone on a core
    assert estimate.low.shape == (20,)
