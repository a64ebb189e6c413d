"""Aggregates over games against cases one can work out; `test_rliable.py` has the numbers of rliable."""

import numpy as np
import pytest

from jaxdqn.analysis import aggregates


def test_a_surplus_makes_up_for_no_gap():
    assert aggregates.optimality_gap(np.array([[3.0, 0.5], [1.0, 0.0]])) == pytest.approx((0 + 0.5 + 0 + 1) / 4)


def test_the_median_is_over_games():
    assert aggregates.median(np.array([[0.0, 4.0], [9.0, 9.0], [1.0, 2.0]])) == 2.0


def test_the_table_gives_names_and_the_sentence_of_a_caption():
    assert aggregates.name(aggregates.iqm) == "IQM"
    assert aggregates.panel("IQM") == "all games: IQM"
    assert aggregates.explanation() == (
        "All games, median: of the mean scores of the games; IQM: mean of the middle half of all runs; mean: of all "
        "runs; optimality gap: how far the runs fall short of a score of 1, in the mean (lower is better)."
    )


def test_lower_is_better_for_the_optimality_gap_only():
    assert [name for name, entry in aggregates.AGGREGATES.items() if entry.lower_is_better] == ["optimality gap"]
