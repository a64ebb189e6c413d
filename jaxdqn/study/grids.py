"""Grids: the settings that a study tries, as points. A point holds values of some fields, by dotted path.

A mapping from fields to values is the grid of all combinations. Any other grid is a list of points, written out or
returned by these functions. Lists are joined with `+`, and multiplied with `product`.

    product({"learning_rate": (1e-3, 1e-4)}, [{"batch_size": 32, "n_step": 1}, {"batch_size": 64, "n_step": 3}])
    draws(20, seed=0, ranges={"learning_rate": LogUniform(1e-5, 1e-2), "n_step": Choice((1, 3, 5))})
"""

import dataclasses
import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxdqn import plain_numbers

Point = dict[str, Any]
Grid = Mapping[str, Sequence[Any]] | Sequence[Mapping[str, Any]]


@dataclasses.dataclass(frozen=True)
class Uniform:
    """The uniform distribution between two bounds."""

    low: float
    high: float

    def __post_init__(self) -> None:
        _make_plain(self)
        if not -math.inf < self.low < self.high < math.inf:
            raise ValueError(f"{self}: both bounds must be finite, the first below the second.")

    def draw(self, generator: np.random.Generator) -> float:
        """Returns a random value."""
        return float(generator.uniform(self.low, self.high))


@dataclasses.dataclass(frozen=True)
class LogUniform:
    """The distribution between two positive bounds with uniform logarithm."""

    low: float
    high: float

    def __post_init__(self) -> None:
        _make_plain(self)
        if not 0.0 < self.low < self.high < math.inf:
            raise ValueError(f"{self}: both bounds must be finite and above 0, the first below the second.")

    def draw(self, generator: np.random.Generator) -> float:
        """Returns a random value."""
        return float(math.exp(generator.uniform(math.log(self.low), math.log(self.high))))


@dataclasses.dataclass(frozen=True)
class Choice:
    """The uniform distribution over listed values: numbers, names or parts."""

    values: Sequence[Any]

    def __post_init__(self) -> None:
        if not plain_numbers.is_list(self.values) or not len(self.values):
            raise ValueError(f"{self}: there must be at least one value, in a tuple.")
        object.__setattr__(self, "values", tuple(map(plain_numbers.plain, self.values)))

    def draw(self, generator: np.random.Generator) -> Any:
        """Returns a random value."""
        return self.values[int(generator.integers(len(self.values)))]


Range = Uniform | LogUniform | Choice


def points(grid: Grid) -> list[Point]:
    """Returns the points of a grid, with NumPy's numbers as Python's.

    Raises:
      ValueError: naming a field without values, or an entry that is no point.
    """
    if isinstance(grid, Mapping):
        for path, values in grid.items():
            if not plain_numbers.is_list(values):
                raise ValueError(f"grid[{path!r}] = {values!r} must hold at least one value: write ({values!r},).")
            if not len(values):
                raise ValueError(f"grid[{path!r}] = {values!r} must hold at least one value.")
        grid = [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]
    if not plain_numbers.is_list(grid) or not len(grid):
        raise ValueError(
            f"grid = {grid!r} must hold at least one point: write a mapping from fields to values, such as "
            "{'learning_rate': (1e-3, 1e-4)}, or leave it out."
        )
    for point in grid:
        if not isinstance(point, Mapping) or not all(isinstance(path, str) for path in point):
            raise ValueError(f"grid holds {point!r}, which is no point: a point is a mapping from fields to values.")
    return [{path: plain_numbers.plain(value) for path, value in point.items()} for point in grid]


def product(*grids: Grid) -> list[Point]:
    """Returns every combination of a point of each grid; the first varies slowest.

    Raises:
      ValueError: if two of them set the same field.
    """
    combined: list[Point] = []
    for combination in itertools.product(*map(points, grids)):
        paths = [path for point in combination for path in point]
        for path in paths:
            if paths.count(path) > 1:
                raise ValueError(f"{path!r} is set by two of the grids that are multiplied.")
        combined.append({path: value for point in combination for path, value in point.items()})
    return combined


def draws(number: int, *, seed: int, ranges: Mapping[str, Range]) -> list[Point]:
    """Returns random points with independent fields. A larger number begins with the same points.

    Args:
      number: of points.
      seed: of the generator.
      ranges: distribution of each field.
    """
    generator = np.random.default_rng(seed)
    return points([{path: range_.draw(generator) for path, range_ in ranges.items()} for _ in range(number)])


def _make_plain(bounds: Uniform | LogUniform) -> None:
    """Turns NumPy's bounds into Python's; raises ValueError if one is no number."""
    for name in ("low", "high"):
        value = plain_numbers.plain(getattr(bounds, name))
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"{bounds}: both bounds must be numbers.")
        object.__setattr__(bounds, name, value)
