"""Aggregates over games: one number, or one curve, for the runs of an arm on all games; and the table of their names.

Agarwal et al. (2021), "Deep Reinforcement Learning at the Edge of the Statistical Precipice", Section 4. Scores are
`[games, runs, ...]` on a scale that games share (`jaxdqn.analysis.normalise`); every game has the same number of runs.
`jaxdqn.analysis.resampling` gives each aggregate its interval.
"""

from typing import TYPE_CHECKING, NamedTuple

from jaxdqn.analysis import statistics
from jaxdqn.analysis.statistics import Aggregate

if TYPE_CHECKING:
    import numpy as np

ALL_GAMES = "all games"

iqm: Aggregate = statistics.pooled(statistics.iqm)
mean: Aggregate = statistics.pooled(statistics.mean)


def median(scores: "np.ndarray") -> "np.ndarray":
    """Returns the median over games of the mean over runs, `[games, runs, ...] -> [...]`, as papers report it."""
    import numpy as np

    return np.median(np.mean(scores, axis=1), axis=0)


def optimality_gap(scores: "np.ndarray") -> "np.ndarray":
    """Returns the mean distance of scores below 1, `[games, runs, ...] -> [...]`; lower is better.

    Section 4.3: mean of max(1 - score, 0). A score above 1 does not make up for one below it.
    """
    import numpy as np

    return np.mean(np.maximum(1.0 - scores, 0.0), axis=(0, 1))


class Entry(NamedTuple):
    """An aggregate in the table: the function, what it is for a caption, and whether lower is better."""

    aggregate: Aggregate
    meaning: str
    lower_is_better: bool = False


# By the name in figures and tables. A new aggregate is a function and a line here.
AGGREGATES: dict[str, Entry] = {
    "median": Entry(median, "of the mean scores of the games"),
    "IQM": Entry(iqm, "mean of the middle half of all runs"),
    "mean": Entry(mean, "of all runs"),
    "optimality gap": Entry(
        optimality_gap, "how far the runs fall short of a score of 1, in the mean", lower_is_better=True
    ),
}


def panel(name: str) -> str:
    """Returns the title of the panel, or the heading of the column, that shows an aggregate: `all games: IQM`."""
    return f"{ALL_GAMES}: {name}"


def explanation() -> str:
    """Returns a sentence for the caption of a figure or a table that shows every aggregate of the table."""
    of_each = (
        f"{name}: {entry.meaning}{' (lower is better)' if entry.lower_is_better else ''}"
        for name, entry in AGGREGATES.items()
    )
    return f"{ALL_GAMES.capitalize()}, {'; '.join(of_each)}."


def name(aggregate: Aggregate) -> str:
    """Returns the name of an aggregate in figures and tables: that of the table, or else that of the function."""
    names = {entry.aggregate: name for name, entry in AGGREGATES.items()}
    return names.get(aggregate, getattr(aggregate, "__name__", "aggregate"))
