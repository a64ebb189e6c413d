"""Scaling: medians where most runs solved the game, and the others apart and counted."""

import numpy as np
import pytest

from jaxdqn.figures import episodes_to_solve
from jaxdqn.store import store
from tests.helpers import synthetic_runs

SIZES = {"deep_sea_4": 4, "deep_sea_6": 6}


def stored(folder, game, algorithm, first):
    """Returns a run for each seed, of 200 episodes, which all succeed from the `first` on, an index."""
    runs = []
    for seed, index in enumerate(first):
        facts = synthetic_runs.facts(game=game, algorithm=algorithm, seed=seed)
        returns = np.arange(200) >= index
        store.write(folder, facts, synthetic_runs.curves(), {"episodes": synthetic_runs.episodes(returns)})
        runs.append(store.find(folder, facts["id"]))
    return runs


def draw(folder):
    runs = stored(folder, "deep_sea_4", "DQN", [10, 20, 30, 40, 50, 60])
    runs += stored(folder, "deep_sea_6", "DQN", [100, 120, 999, 999, 999, 999])
    law = ("$2^N$", lambda size: 2.0**size)
    return episodes_to_solve.scaling(runs, SIZES, lambda returns: returns > 0.5, law=law)


def test_a_line_has_the_median_and_a_gap_where_most_runs_are_unsolved(tmp_path):
    (panel,) = draw(tmp_path).axes
    (line,) = [line for line in panel.lines if line.get_marker() == "o" and len(line.get_xdata()) == 2]
    np.testing.assert_array_equal(line.get_xdata(), [4, 6])
    np.testing.assert_array_equal(line.get_ydata(), [45, np.nan])  # solved with the tenth success
    assert panel.get_yscale() == "log"


def test_unsolved_runs_are_counted_above_the_end_of_training(tmp_path):
    (panel,) = draw(tmp_path).axes
    (count,) = panel.texts
    assert count.get_text() == "4"
    assert (count.xy[0], count.xy[1] > 200) == (6, True)
    dots = np.concatenate([dots.get_offsets() for dots in panel.collections if hasattr(dots, "get_sizes")])
    assert sorted(map(tuple, dots)) == [(4, y) for y in (20, 30, 40, 50, 60, 70)] + [(6, 110), (6, 130)]


def test_the_law_is_drawn_and_named(tmp_path):
    figure = draw(tmp_path)
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["DQN (n = 6)", "$2^N$", "end of training", "unsolved, with their number"]
    (law,) = [line for line in figure.axes[0].lines if len(line.get_xdata()) > 2]
    np.testing.assert_allclose(law.get_ydata(), 2.0 ** np.asarray(law.get_xdata()))


def test_a_game_without_a_size_is_an_error(tmp_path):
    runs = stored(tmp_path, "deep_sea_8", "DQN", [10])
    with pytest.raises(ValueError, match="deep_sea_8"):
        episodes_to_solve.scaling(runs, SIZES, lambda returns: returns > 0.5)
