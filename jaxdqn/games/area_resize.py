"""Shrinks grey pictures by area: each new pixel is the mean of the area that it covers in the old picture.

The result equals OpenCV's INTER_AREA bit by bit, which needs a package of 70 MB: sums are in float32, along the rows
first, from left to right and from top to bottom, and halves are rounded to even numbers.
"""

from collections.abc import Callable

import numpy as np

_LEAST = 1e-3  # OpenCV leaves out a smaller part of a pixel


def make(height: int, width: int, size: int) -> Callable[[np.ndarray], np.ndarray]:
    """Returns the function `uint8 [height, width] -> uint8 [size, size]` that shrinks pictures.

    Args:
      height: of the pictures, in pixels, at least `size`.
      width: of the pictures, in pixels, at least `size`.
      size: height and width of the results, in pixels.
    """
    columns, of_columns = _parts(width, size, other=height)
    rows, of_rows = _parts(height, size, other=size)

    def shrink(picture: np.ndarray) -> np.ndarray:
        # Rows are gathered faster than columns, so the picture is turned before and after.
        turned = np.ascontiguousarray(picture.T).astype(np.float32)
        narrow = np.ascontiguousarray(_weighted_sum(turned, columns, of_columns).T)  # [height, size]
        return np.rint(_weighted_sum(narrow, rows, of_rows)).astype(np.uint8)

    return shrink


def _weighted_sum(rows: np.ndarray, indices: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Returns `Σ_k weights[k] · rows[indices[k]]`, added in the order of k."""
    total = rows[indices[0]] * weights[0]
    for index, weight in zip(indices[1:], weights[1:], strict=True):
        total += rows[index] * weight
    return total


def _parts(length: int, size: int, other: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the old pixels that each new pixel covers along one side, and their shares of it.

    Args:
      length: of the side, in old pixels.
      size: of the side, in new pixels.
      other: length of the other side, for which the shares are repeated: a product with a column is slower.

    Returns:
      Indices, int `[K, size]`, and weights, float32 `[K, size, other]`, of at most K pixels in ascending order. Unused
      places have the weight 0.
    """
    scale = length / size
    start, pixel = np.arange(size)[:, None] * scale, np.arange(length)
    covered = np.clip(np.minimum(start + scale, pixel + 1) - np.maximum(start, pixel), 0, 1)  # [size, length]
    covered[covered <= _LEAST] = 0
    most = int(np.count_nonzero(covered, axis=1).max())
    indices = np.sort(np.argsort(-covered, axis=1, kind="stable")[:, :most], axis=1)
    weights = np.take_along_axis(covered, indices, axis=1) / scale
    return indices.T.copy(), weights.T[..., None].astype(np.float32).repeat(other, axis=2)
