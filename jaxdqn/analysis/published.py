"""Published results: curves that others published, from a file of points such as `results/reference/minatar.csv`."""

import csv
import math
import pathlib
from typing import NamedTuple

import numpy as np

COLUMNS = ("source", "algorithm", "game", "first_step", "last_step", "mean_return")


class Curve(NamedTuple):
    """A published curve.

    Attributes:
      source: name of the publication in `sources.csv` beside the file.
      algorithm: name in the publication.
      game: name of the game here.
      first: int64 `[P]`, first environment step of each point; a value at one step has `first` equal to `last`.
      last: int64 `[P]`, last environment step of each point, ascending.
      score: float64 `[P]`, mean return over the steps of a point and over runs.
    """

    source: str
    algorithm: str
    game: str
    first: np.ndarray
    last: np.ndarray
    score: np.ndarray

    def until(self, step: int) -> "Curve":
        """Returns the points that end at the step or before."""
        kept = self.last <= step
        return self._replace(first=self.first[kept], last=self.last[kept], score=self.score[kept])

    def line(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns steps and scores of a line, float64 `[2P]` each; a mean over steps is a level part of the line."""
        return np.stack([self.first, self.last], -1).ravel().astype(float), np.repeat(self.score, 2)


def read(path: pathlib.Path) -> tuple[Curve, ...]:
    """Returns the curves of a file of points, in the order of the file.

    Raises:
      ValueError: a column is missing, or a cell is no number; the message names file and line.
      OSError: the file cannot be read.
    """
    points: dict[tuple[str, str, str], list[tuple[int, int, float]]] = {}
    with path.open(newline="", encoding="utf-8") as file:
        rows = csv.DictReader(file)
        missing = [name for name in COLUMNS if name not in (rows.fieldnames or ())]
        if missing:
            raise ValueError(f"{path} has no column {missing[0]!r}: its columns must be {', '.join(COLUMNS)}.")
        for row in rows:
            try:
                point = int(row["first_step"]), int(row["last_step"]), float(row["mean_return"])
            except (TypeError, ValueError):
                point = (0, -1, math.nan)
            if not 0 <= point[0] <= point[1] or not math.isfinite(point[2]):
                raise ValueError(
                    f"{path}, line {rows.line_num}: first_step, last_step and mean_return must be numbers, "
                    "and the steps in order."
                )
            points.setdefault((row["source"], row["algorithm"], row["game"]), []).append(point)
    return tuple(Curve(*key, *map(np.array, zip(*sorted(members), strict=True))) for key, members in points.items())
