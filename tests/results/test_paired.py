"""Pairs: what two arms owe to their common seed is in neither the difference nor its interval."""

import numpy as np
import pytest
import scipy.stats

from jaxdqn.results import paired, statistics


def generator(seed=0):
    return np.random.default_rng(seed)


def test_differences_are_of_equal_seeds_whatever_their_order():
    pairs = paired.differences({"a": {3: 1.0, 1: 5.0}}, {"a": {1: 2.0, 3: 4.0}})
    assert pairs.seeds == {"a": (1, 3)}
    assert pairs.by_game["a"].tolist() == [3.0, -3.0]
    assert pairs.unpaired == 0


def test_runs_without_a_partner_are_counted_and_left_out():
    arm = {"a": {0: 1.0, 1: 2.0, 2: 9.0}, "only here": {0: 1.0, 1: 1.0}}
    pairs = paired.differences(arm, {"a": {1: 1.0, 2: 1.0, 7: 0.0}})
    assert pairs.by_game.keys() == {"a"}
    assert pairs.by_game["a"].tolist() == [1.0, 8.0]
    assert pairs.unpaired == 4  # seeds 0 and 7 of the game in common, and two runs of the other game


def test_curves_are_subtracted_point_by_point():
    pairs = paired.differences({"a": {0: [1.0, 2.0]}}, {"a": {0: [0.5, 5.0]}})
    assert pairs.by_game["a"].tolist() == [[0.5, -3.0]]


def test_what_the_seed_brings_to_both_arms_cancels():
    luck = generator(1).normal(scale=100.0, size=12)
    base = {"a": dict(enumerate(luck))}
    arm = {"a": dict(enumerate(luck + 3.0 + generator(2).normal(scale=0.5, size=12)))}
    estimate = paired.interval(paired.differences(arm, base), generator())
    assert 2.4 < estimate.low < 3.0 < estimate.high < 3.6
    alone = statistics.interval(list(arm["a"].values()), statistics.mean, generator())
    assert alone.high - alone.low > 50.0


def test_the_interval_is_scipys_paired_bootstrap():
    x, y = generator(3).normal(size=(2, 15))
    theirs = scipy.stats.bootstrap(
        (x, y),
        lambda x, y, axis: np.mean(x - y, axis=axis),
        paired=True,
        n_resamples=20_000,
        method="percentile",
        rng=generator(4),
    ).confidence_interval
    pairs = paired.differences({"a": dict(enumerate(x))}, {"a": dict(enumerate(y))})
    ours = paired.interval(pairs, generator(), resamples=20_000)
    np.testing.assert_allclose(ours, [np.mean(x) - np.mean(y), *theirs], atol=0.03)


def test_games_are_pooled_and_drawn_apart():
    pairs = paired.differences({"a": {0: 1.0, 1: 1.0}, "b": {0: 5.0, 1: 5.0}}, {"a": {0: 0, 1: 0}, "b": {0: 0, 1: 0}})
    assert paired.interval(pairs, generator()) == (3.0, 3.0, 3.0)


@pytest.mark.parametrize(
    ("base", "message"),
    [({"b": {0: 1.0}}, "share no game: they have a and b"), ({"a": {1: 1.0}}, "share no seed on a")],
)
def test_what_has_no_pairs_is_refused(base, message):
    with pytest.raises(ValueError, match=message):
        paired.differences({"a": {0: 1.0}}, base)
