"""Numbers in the forms in which users write them, as Python's: NumPy's scalars, whole floats, and `1e5` or `2_000`.

Studies, evaluations, configurations and options of commands read their numbers here, so that equal numbers give equal
identifiers of runs.
"""

from collections.abc import Collection
from typing import Any

import numpy as np


def plain(value: Any) -> Any:
    """Returns a scalar of NumPy or JAX as a Python number, and any other value unchanged.

    A float32 becomes the shortest decimal number that rounds to it, so `float32(0.001)` is 0.001. A run computes with
    float32, so both train the same run.
    """
    if not isinstance(value, np.generic):
        if not hasattr(value, "dtype") or getattr(value, "ndim", None) != 0:
            return value
        value = np.asarray(value)[()]
    return float(str(value)) if isinstance(value, np.floating) else value.item()


def as_whole(value: Any) -> Any:
    """Returns a whole number in any form, such as `np.int64(3)` or `1e6`, as an integer; other values unchanged."""
    value = plain(value)
    return int(value) if isinstance(value, float) and value.is_integer() else value


def is_list(values: Any) -> bool:
    """Returns whether a value is a list, a tuple, a range, an array `[N]` or the like, and no text."""
    return isinstance(values, Collection) and not isinstance(values, str) and getattr(values, "ndim", 1) > 0


def as_whole_numbers(values: Any) -> Any:
    """Returns a list or an array `[N]` as a tuple of integers; ranges and other values unchanged."""
    return tuple(map(as_whole, values)) if is_list(values) and not isinstance(values, range) else values


def whole_of(text: str) -> int:
    """Returns the whole number of a text: `2000`, `2_000`, `2e3`.

    Raises:
      ValueError: the text is no whole number.
    """
    try:
        number = as_whole(float(text)) if set("eE.") & set(text) else int(text)
    except ValueError:
        number = None
    if not isinstance(number, int):
        raise ValueError(f"{text!r} must be a whole number, such as 2000, 2_000 or 2e3.")
    return number


def number_of(text: str) -> float:
    """Returns the number of a text: `0.001`, `1e-3`, `2`.

    Raises:
      ValueError: the text is no number.
    """
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{text!r} must be a number, such as 0.001 or 1e-3.") from None
