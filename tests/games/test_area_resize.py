"""The mean of an area, against a picture that is enlarged until every new pixel covers whole ones."""

import numpy as np
import pytest

from jaxdqn.games import area_resize


@pytest.mark.parametrize(("height", "width"), [(10, 7), (4, 4), (8, 12), (5, 9)])
def test_each_new_pixel_is_the_mean_of_the_area_that_it_covers(height, width):
    picture = np.random.default_rng(0).integers(0, 256, (height, width), dtype=np.uint8)
    enlarged = picture.repeat(4, axis=0).repeat(4, axis=1).astype(float)
    means = enlarged.reshape(4, height, 4, width).mean(axis=(1, 3))
    shrunk = area_resize.make(height, width, 4)(picture)
    assert shrunk.dtype == np.uint8
    assert np.abs(shrunk - means).max() <= 0.5 + 1e-4  # which way a half is rounded is a matter of float32


def test_halves_are_rounded_to_even_numbers():
    picture = np.array([[0, 1, 1, 2]], np.uint8).repeat(2, axis=0)
    np.testing.assert_array_equal(area_resize.make(2, 4, 2)(picture), [[0, 2], [0, 2]])
