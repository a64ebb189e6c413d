"""Pairs: what two arms owe to their common seed is in neither the difference nor its interval."""

import numpy as np
import pytest
import scipy.stats

from jaxdqn.analysis import aggregates, paired, resampling, statistics


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
    alone = resampling.interval(list(arm["a"].values()), statistics.mean, generator())
    assert alone.high - alone.low > 50.0


def arms_of(x, y):
    return paired.differences({"a": dict(enumerate(x))}, {"a": dict(enumerate(y))})


def test_the_interval_of_a_difference_of_means_is_the_paired_t_interval_of_many_runs():
    x, y = generator(3).normal(size=(2, 60)) + generator(4).normal(size=60)
    expected = scipy.stats.ttest_rel(x, y).confidence_interval()
    ours = paired.interval(arms_of(x, y), generator(), resamples=20_000)
    np.testing.assert_allclose(ours, [np.mean(x) - np.mean(y), *expected], atol=0.03)
    assert expected.high - expected.low > 0.5


def test_a_difference_of_iqms_is_a_difference_of_iqms():
    x, y = np.array([0.0, 5.0, 6.0, 100.0]), np.array([9.0, 1.0, 2.0, 3.0])
    estimate = paired.interval(arms_of(x, y), generator(), statistic=statistics.iqm)
    assert estimate.point == 5.5 - 2.5
    assert statistics.iqm(x - y) == 4.0  # another number: that of the differences
    assert paired.interval(arms_of(x, y), generator(), statistic=statistics.median).point == 3.0


def test_the_two_runs_of_a_seed_are_drawn_together():
    # The IQM of an arm that is another plus 7 is 7 more, whatever is drawn, so long as the same is drawn of both.
    x = generator(5).gamma(1.0, size=9)
    low, high = paired.interval(arms_of(x + 7.0, x), generator(), statistic=statistics.iqm)[1:]
    np.testing.assert_allclose([low, high], 7.0)


@pytest.mark.parametrize("name", aggregates.AGGREGATES)
def test_every_aggregate_has_a_paired_difference(name):
    aggregate, (x, y) = aggregates.AGGREGATES[name].aggregate, generator(6).gamma(1.0, size=(2, 2, 8))
    arm, base = ({"a": dict(enumerate(z[0])), "b": dict(enumerate(z[1]))} for z in (x, y))
    estimate = paired.aggregate_interval(paired.differences(arm, base), aggregate, generator())
    assert estimate.point == pytest.approx(aggregate(x) - aggregate(y))
    assert estimate.low < estimate.point < estimate.high


def test_differences_of_curves_have_an_interval_at_each_point():
    x, y = generator(7).normal(size=(2, 6, 3))
    curves = paired.interval(arms_of(x, y), generator(), statistic=statistics.iqm)
    for point in range(3):
        alone = paired.interval(arms_of(x[:, point], y[:, point]), generator(), statistic=statistics.iqm)
        np.testing.assert_allclose([part[point] for part in curves], alone)


def test_games_are_pooled_and_drawn_apart():
    arm, base = (
        {"a": dict.fromkeys(range(4), a), "b": dict.fromkeys(range(4), b)} for a, b in ((1.0, 5.0), (0.0, 0.0))
    )
    assert paired.interval(paired.differences(arm, base), generator()) == (3.0, 3.0, 3.0)


def test_pairs_on_some_games_are_those_of_these_games():
    arm = {"a": {0: 1.0, 1: 2.0}, "b": {0: 3.0}}
    found = paired.on(paired.differences(arm, {"a": {1: 0.0, 0: 0.0}, "b": {0: 1.0}}), ["b"])
    assert (found.seeds, found.by_game["b"].tolist(), list(found.arm)) == ({"b": (0,)}, [2.0], ["b"])


@pytest.mark.parametrize(
    ("base", "message"),
    [({"b": {0: 1.0}}, "share no game: they have a and b"), ({"a": {1: 1.0}}, "share no seed on a")],
)
def test_what_has_no_pairs_is_refused(base, message):
    with pytest.raises(ValueError, match=message):
        paired.differences({"a": {0: 1.0}}, base)
