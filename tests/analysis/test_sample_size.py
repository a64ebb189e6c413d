"""How many seeds: the number of the theory where it is known, and the number that fresh runs then need."""

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxdqn.analysis import resampling, sample_size, statistics


def generator(seed=0):
    return np.random.default_rng(seed)


def normal(runs, scale=1.0, seed=0):
    """Returns scores that lie as those of a normal distribution do, with exactly its spread."""
    scores = scipy.stats.norm.ppf((np.arange(runs) + 0.5) / runs)
    scores *= scale / np.std(scores, ddof=1)
    return generator(seed).permutation(scores)


def test_the_width_of_a_mean_is_that_of_theory():
    found = sample_size.widths({"a": normal(400)}, [8, 16, 64], generator(), statistic=statistics.mean, resamples=2_000)
    expected = 2 * scipy.stats.t.ppf(0.975, [7, 15, 63]) / np.sqrt([8, 16, 64])
    assert np.all((found > 0.95 * expected) & (found < 1.1 * expected))  # no end lies inside of Student's interval


def test_the_width_is_that_of_fresh_experiments_at_any_confidence():
    for confidence in (0.5, 0.95):
        (found,) = sample_size.widths({"a": normal(400)}, [10], generator(), confidence=confidence)
        fresh = resampling.interval(
            generator(3).normal(size=(10, 200)), statistics.iqm, generator(4), confidence=confidence, resamples=1_000
        )
        assert found == pytest.approx(np.mean(fresh.high - fresh.low), rel=0.1)


def test_games_share_the_width():
    pilot = {"a": normal(200), "b": normal(200, scale=3.0)}
    (found,) = sample_size.widths(pilot, [10], generator(), statistic=statistics.mean, resamples=2_000)
    freedom = 9 * (1 + 9) ** 2 / (1 + 81)  # Welch's and Satterthwaite's
    assert found == pytest.approx(2 * scipy.stats.t.ppf(0.975, freedom) * np.sqrt((1 + 9) / 4 / 10), rel=0.08)


def test_fewer_seeds_than_have_an_interval_are_never_enough():
    found = sample_size.widths({"a": normal(9)}, [1, 2, 3], generator(), resamples=20)
    assert found[0] == found[1] == np.inf
    assert np.isfinite(found[2])


def test_a_pilot_is_not_narrower_for_being_small():
    # The spread of two runs around their mean is half the variance of scores; on average the width is not.
    pairs = generator(1).normal(size=(100, 2))
    found = [
        sample_size.widths({"a": pair}, [50], generator(), statistic=statistics.mean, resamples=50)[0] for pair in pairs
    ]
    assert np.sqrt(np.mean(np.square(found))) == pytest.approx(2 * 1.96 / np.sqrt(50), rel=0.2)


@pytest.mark.parametrize(("width", "expected"), [(1.0, 17.8), (0.5, 63.9), (100.0, 3)])
def test_the_number_of_seeds_is_that_of_theory(width, expected):
    found = sample_size.seeds_needed(
        {"a": normal(400)}, width, generator(), statistic=statistics.mean, resamples=500
    )  # n = (2 t / width)², with n - 1 degrees of freedom
    assert found == pytest.approx(np.ceil(expected), rel=0.15)


@pytest.mark.parametrize("statistic", [statistics.iqm, statistics.mean, statistics.median])
def test_fresh_runs_of_that_number_have_intervals_of_that_width(statistic):
    # The whole way: pilots of a skewed distribution ask for seeds, and these seeds are then run.
    rng, requested, got = generator(5), 0.8, []
    for _ in range(6):
        pilot = {"a": rng.gamma(2.0, size=60)}
        number = sample_size.seeds_needed(pilot, requested, rng, statistic=statistic, resamples=100)
        fresh = resampling.interval(rng.gamma(2.0, size=(number, 50)), statistic, rng, resamples=300)
        got.append(np.mean(fresh.high - fresh.low))
    assert np.mean(got) == pytest.approx(requested, rel=0.15)


@settings(max_examples=20)
@given(st.lists(st.floats(-10, 10), min_size=3, max_size=8, unique=True), st.floats(0.1, 10))
def test_the_number_of_seeds_has_no_unit(scores, factor):
    width = 0.7 * np.std(scores) + 1e-3
    one = sample_size.seeds_needed({"a": scores}, width, generator(), statistic=statistics.mean, resamples=50)
    other = sample_size.seeds_needed(
        {"a": np.array(scores) * factor},
        width * factor * (1 + 1e-9),
        generator(),
        statistic=statistics.mean,
        resamples=50,
    )
    assert other in (one, one - 1)  # as rounding may have it


def test_a_width_out_of_reach_has_no_number():
    assert sample_size.seeds_needed({"a": normal(10)}, 1e-6, generator(), resamples=10) is None


def test_equal_runs_need_as_many_seeds_as_have_an_interval():
    assert sample_size.seeds_needed({"a": [2.0, 2.0, 2.0]}, 1e-9, generator(), resamples=10) == 3


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: sample_size.seeds_needed({"a": [1.0, 2.0]}, 0.0, generator()), "width = 0.0 is out of range"),
        (lambda: sample_size.seeds_needed({"a": [1.0]}, 1.0, generator()), "two runs or more"),
        (lambda: sample_size.widths({"a": [1.0, 2.0]}, [0], generator()), r"numbers = \[0\] is out of range"),
        (lambda: sample_size.widths({"a": [1.0, 2.0]}, [2.5], generator()), "whole and positive"),
        (lambda: sample_size.widths({"a": [1.0, np.nan]}, [2], generator()), "not finite"),
    ],
)
def test_what_has_no_answer_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
