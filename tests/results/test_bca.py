"""The interval against SciPy's BCa, closed forms, symmetries, and runs that leave nothing to estimate."""

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxdqn.results import aggregates, bca, paired, statistics

SKEWED = [0.3, 0.5, 0.6, 0.9, 1.1, 1.2, 1.9, 2.2, 3.8, 7.5]


def generator(seed=0):
    return np.random.default_rng(seed)


def student_z(runs, confidence=0.95):
    """Returns what stands for the normal quantile with so many runs of one game."""
    return scipy.stats.t.ppf(0.5 + confidence / 2, runs - 1) * np.sqrt(runs / (runs - 1))


def replicates_of(scores, statistic=statistics.mean, resamples=20_000):
    return statistics.replicates(np.array([scores]), statistics.pooled(statistic), generator(), resamples)


@pytest.mark.parametrize("statistic", [statistics.mean, np.std], ids=["mean", "standard deviation"])
@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_the_ends_are_the_outer_ones_of_scipys_bca_and_percentiles_at_students_level(statistic, confidence):
    def of_axis(x, axis):
        return statistic(x, axis=axis) if statistic is np.std else np.mean(x, axis=axis)

    level = 2 * scipy.stats.norm.cdf(student_z(10, confidence)) - 1
    bca_ends, percentiles = (
        scipy.stats.bootstrap(
            (SKEWED,), of_axis, confidence_level=level, n_resamples=40_000, method=method, rng=generator(1)
        ).confidence_interval
        for method in ("BCa", "percentile")
    )
    ours = statistics.interval(SKEWED, lambda x: of_axis(x, 0), generator(2), confidence=confidence, resamples=40_000)
    assert ours.low == pytest.approx(min(bca_ends.low, percentiles.low), abs=0.06)
    assert ours.high == pytest.approx(max(bca_ends.high, percentiles.high), abs=0.12)
    assert bca_ends.high - percentiles.high > 0.25  # of these scores the two differ
    assert percentiles.low < bca_ends.low - 0.02


def test_the_influence_of_a_run_on_a_mean_is_its_distance_to_it():
    made = replicates_of(SKEWED, resamples=200_000)
    expected = (np.array(SKEWED) - np.mean(SKEWED)) / 10
    influences = bca.influences_of(made.values[:, None], made.times_drawn[0])[:, 0]
    np.testing.assert_allclose(influences, expected, atol=0.01)
    # Efron (1987): of a mean, the acceleration is the skewness over 6 √n.
    exact = scipy.stats.skew(SKEWED) / (6 * np.sqrt(10))
    assert bca.acceleration_of(expected[:, None])[0] == pytest.approx(exact, rel=1e-12)
    assert bca.acceleration_of(influences[:, None])[0] == pytest.approx(exact, rel=0.05)


@pytest.mark.parametrize(
    ("deviations", "freedom"),
    [([2.0], 4), ([2.0, 2.0], 8), ([2.0, 0.0], 4), ([0.0, 0.0], 4), ([1.0, 2.0], 4 * 25 / 17)],
    ids=["one game", "equal games", "one game that varies", "none that varies", "unequal games"],
)
def test_games_share_degrees_of_freedom_as_welch_and_satterthwaite_have_it(deviations, freedom):
    influences = [np.array([[-1.0], [1.0], [0.0], [1.0], [-1.0]]) * deviation for deviation in deviations]
    expected = scipy.stats.t.ppf(0.975, freedom) * np.sqrt(5 / 4)
    assert bca.student(influences, 0.95)[0] == pytest.approx(expected)


def test_arms_of_unequal_size_widen_by_what_each_brings():
    few, many = np.array([[-1.0], [1.0], [0.0]]), np.array([[1.0], [-1.0]] * 10)
    shares = np.array([2, 20]) / 22
    expected = scipy.stats.t.ppf(0.975, 1 / (shares[0] ** 2 / 2 + shares[1] ** 2 / 19))
    expected *= np.sqrt(shares[0] * 3 / 2 + shares[1] * 20 / 19)
    assert bca.student([few, many], 0.95)[0] == pytest.approx(expected)


@given(st.lists(st.floats(-5, 5), min_size=3, max_size=9), st.floats(0.1, 10), st.floats(-5, 5))
@settings(max_examples=25, deadline=None)
def test_the_interval_moves_and_turns_with_the_scores(scores, factor, shift):
    x = np.array(scores)
    low, high = (bca.interval(replicates_of(x, resamples=200))[i] for i in (1, 2))
    moved = bca.interval(replicates_of(factor * x + shift, resamples=200))
    turned = bca.interval(replicates_of(-x, resamples=200))
    np.testing.assert_allclose(moved[1:], [factor * low + shift, factor * high + shift], atol=1e-6)
    np.testing.assert_allclose(turned[1:], [-high, -low], atol=1e-6)


@pytest.mark.parametrize("runs", [1, 2])
def test_fewer_than_three_runs_have_a_point_and_no_interval(runs):
    scores = {"a": [1.0, 2.0][:runs], "b": [3.0, 5.0][:runs]}
    made = [
        statistics.interval_over_games(scores, statistics.mean, generator()),
        aggregates.difference(scores, {"a": SKEWED, "b": SKEWED}, aggregates.mean, generator()),
        aggregates.difference({"a": SKEWED, "b": SKEWED}, scores, aggregates.mean, generator()),
        aggregates.probability_of_improvement({"a": SKEWED}, {"a": scores["a"]}, generator()),
    ]
    for estimate in made:
        assert np.isfinite(estimate.point)
        assert np.isnan([estimate.low, estimate.high]).all()
    curves = statistics.interval(np.zeros((runs, 4)), statistics.iqm, generator())
    assert curves.point.shape == curves.low.shape == curves.high.shape == (4,)
    assert np.isnan(curves.low).all()


def test_three_runs_have_an_interval():
    assert tuple(statistics.interval([3.0, 1.0, 2.0], statistics.mean, generator())) == (2.0, 1.0, 3.0)


@pytest.mark.parametrize("statistic", [statistics.mean, statistics.median, statistics.iqm])
def test_equal_runs_have_an_interval_without_width_at_each_point(statistic):
    scores = np.tile([0.1, -7.0, 1e9], (6, 1))
    for part in statistics.interval(scores, statistic, generator()):
        np.testing.assert_allclose(part, [0.1, -7.0, 1e9], rtol=1e-12)


def test_intervals_stay_where_the_statistic_can_be():
    chance = generator(3)
    for _ in range(20):
        x, y = chance.integers(0, 2, size=(2, 6)).astype(float)
        better = aggregates.probability_of_improvement({"a": x}, {"a": y}, chance, resamples=200)
        share = aggregates.profile({"a": x}, [-0.5, 0.5, 1.5], chance, resamples=200)
        gap = statistics.bootstrap({"a": x}, aggregates.optimality_gap, chance, resamples=200)
        for estimate in (better, share, gap):
            assert np.all((estimate.low >= 0.0) & (estimate.low <= estimate.point))
            assert np.all((estimate.point <= estimate.high) & (estimate.high <= 1.0))
        paired_gap = paired.bootstrap(
            paired.differences({"a": dict(enumerate(x))}, {"a": dict(enumerate(y))}),
            aggregates.optimality_gap,
            chance,
            resamples=200,
        )
        assert -1.0 <= paired_gap.low <= paired_gap.high <= 1.0


def test_an_end_that_bca_puts_without_limit_is_the_last_replicate():
    # With an acceleration of 1 the level is Φ(w / (1 - w)), which has no end from w = 1 on.
    z, zero, one = np.array([2.0]), np.zeros(1), np.ones(1)
    assert bca.corrected(z, zero, one) == 1.0
    assert bca.corrected(-z, zero, -one) == 0.0
    assert bca.corrected(-z, zero, one)[0] == pytest.approx(scipy.stats.norm.cdf(-2 / 3))


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ([10, 30], []),
        ([10, 9], ["With 5 runs of a game"]),
        ([5], ["With 5 runs of a game"]),
        ([4, 8], ["With 3 runs of a game"]),
        ([2, 10], ["No interval where there are fewer than 3 runs"]),
        ([1, 3], ["With 3 runs of a game", "No interval"]),
    ],
)
def test_a_caption_warns_of_few_runs(numbers, expected):
    text = bca.caveat(numbers)
    assert all(sentence in text for sentence in expected)
    assert bool(text) == bool(expected)


@pytest.mark.parametrize(("confidence", "resamples"), [(0.0, 10), (1.0, 10), (95, 10), (0.9, 0)])
def test_numbers_out_of_range_are_refused(confidence, resamples):
    with pytest.raises(ValueError, match="is out of range"):
        bca.check(confidence, resamples)
