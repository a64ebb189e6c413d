"""Aggregates against rliable 1.2.0, by the numbers that `rliable_values.py` recorded of it."""

import json
import pathlib

import numpy as np
import pytest

from jaxdqn.analysis import aggregates, performance_profile, probability_of_improvement, resampling

RECORDED = json.loads(pathlib.Path(__file__).with_name("rliable_values.json").read_text())
ARRAYS = RECORDED["arrays"]
NAMES = ("few runs", "many runs", "one game", "two peaks", "other peaks")


def by_game(name):
    """Returns scores by game, `[runs]` each, of rliable's `[runs, games]`."""
    return {f"game {index}": scores for index, scores in enumerate(np.array(ARRAYS[name]["scores"]).T)}


class Replayed:
    """The draws of rliable: `np.random.choice(runs, [runs, games])` for every replicate after `np.random.seed(0)`."""

    def __init__(self):
        self.state = np.random.RandomState(0)

    def integers(self, runs, size):
        resamples, games, _ = size
        return np.stack([self.state.choice(runs, (runs, games), replace=True).T for _ in range(resamples)])


def test_all_that_was_recorded_is_compared():
    assert RECORDED["versions"]["rliable"] == "1.2.0"
    assert tuple(ARRAYS) == NAMES
    assert set(ARRAYS["few runs"]["points"]) == set(aggregates.AGGREGATES)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("aggregate", aggregates.AGGREGATES)
def test_aggregates_and_those_of_the_same_draws_are_rliables(name, aggregate):
    stacked = resampling.stack(by_game(name))
    expected = np.array(ARRAYS[name]["replicates"][aggregate])
    made = resampling.replicates(stacked, aggregates.AGGREGATES[aggregate].aggregate, Replayed(), len(expected))
    assert made.point == pytest.approx(ARRAYS[name]["points"][aggregate], rel=1e-12)
    np.testing.assert_allclose(made.values, expected, rtol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_the_performance_profile_is_rliables(name):
    found = performance_profile.interval(by_game(name), RECORDED["thresholds"], np.random.default_rng(0), resamples=5)
    np.testing.assert_allclose(found.point, ARRAYS[name]["profile"], rtol=1e-12)


@pytest.mark.parametrize(("x", "y", "expected"), RECORDED["probability of improvement"])
def test_the_probability_of_improvement_is_rliables(x, y, expected):
    found = probability_of_improvement.interval(by_game(x), by_game(y), np.random.default_rng(0), resamples=5)
    assert found.point == pytest.approx(expected, rel=1e-12)
