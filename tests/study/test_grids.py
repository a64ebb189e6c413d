"""Grids: the points of each kind, worked out by hand."""

import math

import numpy as np
import pytest

from jaxdqn.study import grids
from jaxdqn.study.grids import Choice, LogUniform, Uniform


def test_a_mapping_is_the_product_and_a_list_is_itself():
    both = [{"a": 1, "b": 3}, {"a": 1, "b": 4}, {"a": 2, "b": 3}, {"a": 2, "b": 4}]
    assert grids.points({"a": (1, 2), "b": np.array([3, 4])}) == both
    assert grids.points(both[:2]) == both[:2]
    assert grids.points({}) == [{}]
    assert type(grids.points({"b": np.array([3, 4])})[0]["b"]) is int
    assert grids.points({"b": np.array([0.1], np.float32)}) == [{"b": 0.1}]
    assert Choice(np.array([3, 4])) == Choice((3, 4))
    assert LogUniform(np.float32(0.1), np.int64(1)) == LogUniform(0.1, 1)


def test_a_product_has_each_combination_of_points_and_the_first_grid_varies_slowest():
    pairs = [{"a": 1, "b": 3}, {"a": 2, "b": 4}]
    assert grids.product({"c": (5, 6)}, pairs) == [
        {"c": 5, "a": 1, "b": 3},
        {"c": 5, "a": 2, "b": 4},
        {"c": 6, "a": 1, "b": 3},
        {"c": 6, "a": 2, "b": 4},
    ]


def test_draws_stay_in_their_ranges_and_more_of_them_begin_with_the_same():
    ranges = {"rate": LogUniform(1e-5, 1e-1), "share": Uniform(0.2, 0.4), "n": Choice((1, 3, 5))}
    drawn = grids.draws(2_000, seed=3, ranges=ranges)
    assert drawn[:5] == grids.draws(5, seed=3, ranges=ranges)
    assert drawn[:5] != grids.draws(5, seed=4, ranges=ranges)
    rates = np.array([point["rate"] for point in drawn])
    assert ((rates >= 1e-5) & (rates < 1e-1)).all()
    np.testing.assert_allclose(np.median(rates), math.sqrt(1e-5 * 1e-1), rtol=0.3)  # the middle of the logarithms
    shares = np.array([point["share"] for point in drawn])
    assert 0.2 <= shares.min() < 0.205 < 0.395 < shares.max() < 0.4
    np.testing.assert_allclose(np.bincount([point["n"] for point in drawn])[[1, 3, 5]] / 2_000, 1 / 3, atol=0.04)


def test_a_range_is_a_value_that_does_not_change():
    assert len({Uniform(0.0, 1.0), Uniform(0.0, 1.0), LogUniform(1.0, 2.0), Choice((1, 2)), Choice((1, 2))}) == 3


def test_a_logarithmic_range_is_uniform_in_the_logarithm():
    generator = np.random.default_rng(0)
    drawn = np.log10([LogUniform(1e-4, 1e-1).draw(generator) for _ in range(3_000)])
    assert -4 <= drawn.min() < -3.98
    assert -1.02 < drawn.max() <= -1
    np.testing.assert_allclose(np.histogram(drawn, bins=3, range=(-4, -1))[0] / 3_000, 1 / 3, atol=0.04)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: grids.points({"a": 1e-3}), r"grid\['a'\] = 0.001 must hold at least one value: write \(0.001,\)"),
        (lambda: grids.points(5), r"grid = 5 must hold at least one point: write a mapping"),
        (lambda: Uniform("0", 1.0), r"both bounds must be numbers"),
        (lambda: grids.points([]), r"grid = \[\] must hold at least one point"),
        (lambda: grids.points({"a": "bc"}), r"grid\['a'\] = 'bc' must hold at least one value"),
        (lambda: grids.points([3]), r"grid holds 3, which is no point"),
        (lambda: grids.product({"a": (1,)}, {"a": (2,)}), r"'a' is set by two of the grids"),
        (lambda: LogUniform(0.0, 1.0), r"LogUniform\(low=0.0, high=1.0\): both bounds must be finite and above 0"),
        (lambda: Uniform(1.0, 1.0), r"the first below the second"),
        (lambda: Choice(()), r"there must be at least one value"),
        (lambda: Choice("ab"), r"there must be at least one value"),
        (lambda: grids.points({"a": ()}), r"grid\['a'\] = \(\) must hold at least one value"),
        (lambda: grids.points("ab"), r"grid = 'ab' must hold at least one point"),
        (lambda: grids.points([{3: 1}]), r"grid holds \{3: 1\}, which is no point"),
        (lambda: Uniform(-math.inf, 0.0), r"both bounds must be finite"),
        (lambda: Uniform(0.0, math.inf), r"both bounds must be finite"),
        (lambda: Uniform(2.0, 1.0), r"the first below the second"),
        (lambda: LogUniform(1.0, math.inf), r"both bounds must be finite and above 0"),
        (lambda: LogUniform(-1.0, 1.0), r"both bounds must be finite and above 0"),
        (lambda: LogUniform(1.0, 1.0), r"the first below the second"),
    ],
)
def test_what_is_no_grid_is_refused_in_one_sentence(make, sentence):
    with pytest.raises(ValueError, match=sentence):
        make()
