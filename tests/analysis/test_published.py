"""Published curves: what a file says is what is read, and what cannot be read is said."""

import numpy as np
import pytest

from jaxdqn.analysis import published

HEADING = "source,algorithm,game,first_step,last_step,mean_return\n"


def written(folder, text):
    path = folder / "points.csv"
    path.write_text(text)
    return path


def test_points_are_curves_by_source_algorithm_and_game_in_order_of_steps(tmp_path):
    rows = "a,DQN,catch,200,200,2.5\na,DQN,catch,100,100,1.5\nb,DQN,catch,0,1000,7\na,PQN,catch,100,100,3\n"
    first, second, third = published.read(written(tmp_path, HEADING + rows))
    assert [curve[:3] for curve in (first, second, third)] == [
        ("a", "DQN", "catch"),
        ("b", "DQN", "catch"),
        ("a", "PQN", "catch"),
    ]
    np.testing.assert_array_equal(first.last, [100, 200])
    np.testing.assert_array_equal(first.score, [1.5, 2.5])
    np.testing.assert_array_equal(second.first, [0])


def test_a_mean_over_steps_is_a_level_line_and_later_points_are_left_out(tmp_path):
    (curve,) = published.read(written(tmp_path, HEADING + "a,DQN,catch,0,100,1\na,DQN,catch,100,200,3\n"))
    steps, scores = curve.line()
    np.testing.assert_array_equal(steps, [0, 100, 100, 200])
    np.testing.assert_array_equal(scores, [1, 1, 3, 3])
    np.testing.assert_array_equal(curve.until(150).score, [1])


@pytest.mark.parametrize("cells", ["x,100,1", "0,,1", "0,100,", "0,100,nan", "200,100,1", "-1,100,1"])
def test_a_cell_that_is_no_number_is_named_by_its_line(tmp_path, cells):
    with pytest.raises(ValueError, match="line 3: first_step, last_step"):
        published.read(written(tmp_path, f"{HEADING}a,DQN,catch,0,100,1\na,DQN,catch,{cells}\n"))


def test_a_missing_column_is_named(tmp_path):
    with pytest.raises(ValueError, match="no column 'mean_return'"):
        published.read(written(tmp_path, "source,algorithm,game,first_step,last_step\n"))
