"""The interval against SciPy's BCa, closed forms, symmetries, and runs that leave nothing to estimate."""

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxdqn.analysis import (
    aggregates,
    bootstrap_intervals,
    performance_profile,
    probability_of_improvement,
    resampling,
    statistics,
)

SKEWED = [0.3, 0.5, 0.6, 0.9, 1.1, 1.2, 1.9, 2.2, 3.8, 7.5]


def generator(seed=0):
    return np.random.default_rng(seed)


def student_z(runs, confidence=0.95):
    """Returns the replacement of the normal quantile for this number of runs of one game."""
    return scipy.stats.t.ppf(0.5 + confidence / 2, runs - 1) * np.sqrt(runs / (runs - 1))


def replicates_of(scores, statistic=statistics.mean, resamples=20_000):
    return resampling.replicates(np.array([scores]), statistics.pooled(statistic), generator(), resamples)


@pytest.mark.parametrize("name", ["mean", "root mean square"])
@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_the_ends_are_the_outer_ones_of_percentiles_scipys_bca_and_a_t_interval(name, confidence):
    power = {"mean": 1, "root mean square": 2}[name]

    def statistic(x, axis=0):
        return np.mean(np.asarray(x) ** power, axis=axis) ** (1 / power)

    z = student_z(10, confidence)
    theirs = scipy.stats.bootstrap(
        (SKEWED,), statistic, confidence_level=2 * scipy.stats.norm.cdf(z) - 1, n_resamples=40_000, rng=generator(1)
    )
    low, high = theirs.confidence_interval
    first, last = np.quantile(theirs.bootstrap_distribution, scipy.stats.norm.cdf([-z, z]))
    center, error = statistic(SKEWED), z * theirs.standard_error
    ours = resampling.interval(SKEWED, statistic, generator(2), confidence=confidence, resamples=40_000)
    assert ours.point == pytest.approx(center)
    assert ours.low == pytest.approx(min(first, low, center - error), abs=0.05)
    assert ours.high == pytest.approx(max(last, high, center + error), abs=0.15)
    if name == "mean":
        assert high > center + error + 0.2  # of these scores BCa has the upper end, and t the lower one
        assert low > center - error + 0.06


def test_of_a_mean_the_inner_part_is_students_interval():
    symmetric = scipy.stats.norm.ppf((np.arange(30) + 0.5) / 30)
    expected = scipy.stats.t.interval(0.95, 29, symmetric.mean(), scipy.stats.sem(symmetric))
    ours = bootstrap_intervals.interval(replicates_of(symmetric, resamples=40_000))
    np.testing.assert_allclose(ours[1:], expected, atol=0.02)


def test_the_influence_of_a_run_on_a_mean_is_its_distance_to_it():
    made = replicates_of(SKEWED, resamples=200_000)
    expected = (np.array(SKEWED) - np.mean(SKEWED)) / 10
    influences = bootstrap_intervals.influences_of(made.values[:, None], made.times_drawn[0])[:, 0]
    np.testing.assert_allclose(influences, expected, atol=0.01)
    # Efron (1987): of a mean, the acceleration is the skewness over 6 √n.
    exact = scipy.stats.skew(SKEWED) / (6 * np.sqrt(10))
    assert bootstrap_intervals.acceleration_of(expected[:, None])[0] == pytest.approx(exact, rel=1e-12)
    assert bootstrap_intervals.acceleration_of(influences[:, None])[0] == pytest.approx(exact, rel=0.05)


@pytest.mark.parametrize(
    ("deviations", "freedom"),
    [([2.0], 4), ([2.0, 2.0], 8), ([2.0, 0.0], 4), ([0.0, 0.0], 4), ([1.0, 2.0], 4 * 25 / 17)],
    ids=["one game", "equal games", "one game that varies", "none that varies", "unequal games"],
)
def test_games_share_degrees_of_freedom_as_welch_and_satterthwaite_have_it(deviations, freedom):
    influences = [np.array([[-1.0], [1.0], [0.0], [1.0], [-1.0]]) * deviation for deviation in deviations]
    expected = scipy.stats.t.ppf(0.975, freedom) * np.sqrt(5 / 4)
    assert bootstrap_intervals.student(influences, 0.95)[0] == pytest.approx(expected)


def test_arms_of_unequal_size_widen_by_what_each_brings():
    few, many = np.array([[-1.0], [1.0], [0.0]]), np.array([[1.0], [-1.0]] * 10)
    shares = np.array([2, 20]) / 22
    expected = scipy.stats.t.ppf(0.975, 1 / (shares[0] ** 2 / 2 + shares[1] ** 2 / 19))
    expected *= np.sqrt(shares[0] * 3 / 2 + shares[1] * 20 / 19)
    assert bootstrap_intervals.student([few, many], 0.95)[0] == pytest.approx(expected)


@given(st.lists(st.floats(-5, 5), min_size=3, max_size=9), st.floats(0.1, 10), st.floats(-5, 5))
@settings(max_examples=25)
def test_the_interval_moves_and_turns_with_the_scores(scores, factor, shift):
    x = np.array(scores)
    low, high = (bootstrap_intervals.interval(replicates_of(x, resamples=200))[i] for i in (1, 2))
    moved = bootstrap_intervals.interval(replicates_of(factor * x + shift, resamples=200))
    turned = bootstrap_intervals.interval(replicates_of(-x, resamples=200))
    np.testing.assert_allclose(moved[1:], [factor * low + shift, factor * high + shift], atol=1e-6)
    np.testing.assert_allclose(turned[1:], [-high, -low], atol=1e-6)


@pytest.mark.parametrize("runs", [1, 2])
def test_fewer_than_three_runs_have_a_point_and_no_interval(runs):
    scores = {"a": [1.0, 2.0][:runs], "b": [3.0, 5.0][:runs]}
    made = [
        resampling.interval_over_games(scores, statistics.mean, generator()),
        resampling.difference(scores, {"a": SKEWED, "b": SKEWED}, aggregates.mean, generator()),
        resampling.difference({"a": SKEWED, "b": SKEWED}, scores, aggregates.mean, generator()),
        probability_of_improvement.interval({"a": SKEWED}, {"a": scores["a"]}, generator()),
    ]
    for estimate in made:
        assert np.isfinite(estimate.point)
        assert np.isnan([estimate.low, estimate.high]).all()
    curves = resampling.interval(np.zeros((runs, 4)), statistics.iqm, generator())
    assert curves.point.shape == curves.low.shape == curves.high.shape == (4,)
    assert np.isnan(curves.low).all()


def test_the_interval_of_three_runs_is_that_of_student():
    expected = scipy.stats.t.interval(0.95, 2, loc=2.0, scale=scipy.stats.sem([3.0, 1.0, 2.0]))
    estimate = resampling.interval([3.0, 1.0, 2.0], statistics.mean, generator(), resamples=100_000)
    assert estimate.point == 2.0
    np.testing.assert_allclose(estimate[1:], expected, rtol=0.03)


@pytest.mark.parametrize("statistic", [statistics.mean, statistics.median, statistics.iqm])
def test_equal_runs_have_an_interval_without_width_at_each_point(statistic):
    scores = np.tile([0.1, -7.0, 1e9], (6, 1))
    for part in resampling.interval(scores, statistic, generator()):
        np.testing.assert_allclose(part, [0.1, -7.0, 1e9], rtol=1e-12)


def test_intervals_stay_where_the_statistic_can_be():
    rng = generator(3)
    for _ in range(20):
        x, y = rng.integers(0, 2, size=(2, 6)).astype(float)
        better = probability_of_improvement.interval({"a": x}, {"a": y}, rng, resamples=200)
        share = performance_profile.interval({"a": x}, [-0.5, 0.5, 1.5], rng, resamples=200)
        gap = resampling.aggregate_interval(
            {"a": x}, aggregates.optimality_gap, rng, resamples=200, score_range=(0.0, 1.0)
        )
        for estimate in (better, share, gap):
            assert np.all((estimate.low >= 0.0) & (estimate.low <= estimate.point))
            assert np.all((estimate.point <= estimate.high) & (estimate.high <= 1.0))
        of_any_scores = resampling.aggregate_interval({"a": x}, aggregates.optimality_gap, rng, resamples=200)
        assert of_any_scores.low >= 0.0


@pytest.mark.parametrize("statistic", [statistics.mean, statistics.median, statistics.iqm])
def test_an_interval_of_one_game_ends_with_its_runs(statistic):
    peaks = [0.0, 0.02, 0.01, 1.0, 0.99, 1.01, 0.98]
    estimate = resampling.interval(peaks, statistic, generator())
    assert min(peaks) <= estimate.low < estimate.high <= max(peaks)
    made = replicates_of(peaks, statistic, resamples=50)
    assert (made.lowest, made.highest) == (pytest.approx(0.0), pytest.approx(1.01))


def test_of_means_over_games_the_ends_are_those_of_the_worst_and_the_best_runs():
    scores = generator(8).normal(size=(3, bootstrap_intervals.WITHIN_RANGE))
    made = resampling.replicates(scores, aggregates.mean, generator(), resamples=5)
    assert made.lowest == pytest.approx(np.mean(np.min(scores, axis=1)))
    assert made.highest == pytest.approx(np.mean(np.max(scores, axis=1)))
    # A median over games, where what each game changes alone says little of what all change together.
    scores = generator(9).normal(size=(4, 10))
    made = resampling.replicates(scores, aggregates.median, generator(), resamples=5)
    assert made.lowest == pytest.approx(np.median(np.min(scores, axis=1)))
    assert made.highest == pytest.approx(np.median(np.max(scores, axis=1)))
    pairs = generator(10).normal(size=(2, 10, 3, 2))
    made = resampling.replicates(pairs, lambda both: np.mean(both[..., 0] - both[..., 1], axis=(0, 1)), generator(), 5)
    np.testing.assert_allclose(made.lowest, np.mean(np.min(pairs[..., 0] - pairs[..., 1], axis=1), axis=0))
    apart = made.minus(made)
    np.testing.assert_array_equal(apart.lowest, made.lowest - made.highest)
    np.testing.assert_array_equal(apart.highest, made.highest - made.lowest)


@pytest.mark.parametrize(
    ("aggregate", "score_range", "expected"),
    [
        (aggregates.mean, (-np.inf, np.inf), (-np.inf, np.inf)),
        (aggregates.median, (-np.inf, np.inf), (-np.inf, np.inf)),
        (aggregates.optimality_gap, (-np.inf, np.inf), (0.0, np.inf)),
        (aggregates.optimality_gap, (-1.0, 0.5), (0.5, 2.0)),
        (lambda scores: aggregates.mean(scores) - aggregates.mean(scores), (-np.inf, np.inf), (-np.inf, np.inf)),
    ],
)
def test_with_few_runs_the_ends_are_those_of_any_scores(aggregate, score_range, expected):
    scores = generator(8).normal(size=(3, bootstrap_intervals.WITHIN_RANGE - 1))
    made = resampling.replicates(scores, aggregate, generator(), resamples=5, score_range=score_range)
    assert (made.lowest, made.highest) == expected


def test_an_end_that_bca_puts_without_limit_is_the_last_replicate():
    # With an acceleration of 1 the level is Φ(w / (1 - w)), which has no end from w = 1 on.
    z, zero, one = np.array([2.0]), np.zeros(1), np.ones(1)
    assert bootstrap_intervals.corrected(z, zero, one / 2) == 1.0  # where it begins to have none
    assert bootstrap_intervals.corrected(z, zero, one) == 1.0
    assert bootstrap_intervals.corrected(-z, zero, -one) == 0.0
    assert bootstrap_intervals.corrected(-z, zero, one)[0] == pytest.approx(scipy.stats.norm.cdf(-2 / 3))


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ([10, 30], []),
        ([10, 9], ["With 5 runs of a game"]),
        ([5], ["With 5 runs of a game"]),
        ([4, 8], ["With 3 runs of a game"]),
        ([2, 10], ["No interval with fewer than 3 runs"]),
        ([1, 3], ["With 3 runs of a game", "No interval"]),
    ],
)
def test_a_caption_warns_of_few_runs(numbers, expected):
    text = bootstrap_intervals.caveat(numbers)
    assert all(sentence in text for sentence in expected)
    assert bool(text) == bool(expected)


@pytest.mark.parametrize(("confidence", "resamples"), [(0.0, 10), (1.0, 10), (95, 10), (0.9, 0)])
def test_numbers_out_of_range_are_refused(confidence, resamples):
    with pytest.raises(ValueError, match="is out of range"):
        bootstrap_intervals.check(confidence, resamples)
