"""Statistics against hand-worked numbers and SciPy, and the table of their names."""

import numpy as np
import pytest
import scipy.stats

from jaxdqn.analysis import statistics


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
    scores = np.random.default_rng(runs).standard_cauchy(size=(runs, 3))
    np.testing.assert_allclose(statistics.iqm(scores), scipy.stats.trim_mean(scores, 0.25, axis=0))


def test_statistics_reduce_the_runs_and_keep_the_points():
    scores = np.array([[1.0, 10.0, 100.0], [3.0, 30.0, 300.0], [8.0, 80.0, 800.0]])
    np.testing.assert_allclose(statistics.mean(scores), [4.0, 40.0, 400.0])
    np.testing.assert_allclose(statistics.median(scores), [3.0, 30.0, 300.0])
    np.testing.assert_allclose(statistics.iqm(scores), [4.0, 40.0, 400.0])


def test_a_statistic_has_the_name_of_the_table_or_of_its_function(monkeypatch):
    def lowest(scores):
        return scores.min(axis=0)

    assert [statistics.name(statistic) for statistic in (statistics.iqm, statistics.mean)] == ["IQM", "mean"]
    assert statistics.name(lowest) == "lowest"
    monkeypatch.setitem(statistics.STATISTICS, "worst run", lowest)
    assert statistics.name(lowest) == "worst run"
