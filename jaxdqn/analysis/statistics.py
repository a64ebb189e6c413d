"""Statistics over seeds: one number, or one curve, for the runs of an arm; and the table of their names.

Agarwal et al. (2021), "Deep Reinforcement Learning at the Edge of the Statistical Precipice", Section 4. The first axis
of every array is the runs. `jaxdqn.analysis.resampling` gives each statistic its interval.

Help lists the names, so that this file and `aggregates` do not import NumPy, which takes longer than all of help.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

Statistic = Callable[["np.ndarray"], "np.ndarray"]  # [runs, ...] -> [...]
Aggregate = Callable[["np.ndarray"], "np.ndarray"]  # [games, runs, ...] -> [...]


def mean(scores: "np.ndarray") -> "np.ndarray":
    """Returns the mean over runs, `[runs, ...] -> [...]`."""
    import numpy as np

    return np.mean(scores, axis=0)


def median(scores: "np.ndarray") -> "np.ndarray":
    """Returns the median over runs, `[runs, ...] -> [...]`."""
    import numpy as np

    return np.median(scores, axis=0)


def iqm(scores: "np.ndarray") -> "np.ndarray":
    """Returns the interquartile mean over runs, `[runs, ...] -> [...]`: the mean of the middle half.

    Section 4.3. ⌊n / 4⌋ runs are dropped at each end, as `scipy.stats.trim_mean(scores, 0.25)` does. With fewer than
    four runs none is dropped, and the result is the mean.
    """
    import numpy as np

    dropped = len(scores) // 4
    kept = np.sort(scores, axis=0)[dropped : len(scores) - dropped]
    return np.mean(kept, axis=0)


# By the name in figures and tables. A new statistic is a function and a line here.
STATISTICS: dict[str, Statistic] = {"IQM": iqm, "mean": mean, "median": median}


def name(statistic: Statistic) -> str:
    """Returns the name of a statistic in figures and tables: that of the table, or else that of the function."""
    names = {function: name for name, function in STATISTICS.items()}
    return names.get(statistic, getattr(statistic, "__name__", "statistic"))


def pooled(statistic: Statistic) -> Aggregate:
    """Returns the statistic over the runs of all games together, `[games, runs, ...] -> [...]`."""

    def aggregate(scores: "np.ndarray") -> "np.ndarray":
        return statistic(scores.reshape(-1, *scores.shape[2:]))

    return aggregate
