"""The interval of every figure and table, from bootstrap replicates: the widest of percentile, BCa and t.

Runs are drawn with replacement, and the statistic of each draw is computed: these are its replicates. With few runs the
quantiles of the replicates at 2.5 and 97.5 % (Efron 1979) contain the true value too rarely. Each end here is the outer
one of three:

- The percentile: the quantile of the replicates.
- BCa (Efron, "Better Bootstrap Confidence Intervals", JASA, 1987): a quantile of the replicates at a level corrected by
  their median bias and the acceleration. The acceleration is one sixth of the skewness of the influences of runs; an
  influence is the covariance of the replicates with the number of times that the run was drawn (Efron and Narasimhan,
  "The Automatic Construction of Bootstrap Confidence Intervals", JCGS, 2020), which exists for a median, too, and needs
  no further evaluation.
- t with the bootstrap's standard error: it covers the true value if few runs show no variation in one direction, for
  example since none of them failed, and if the bias is badly estimated. With seven runs or more it is limited to the
  values that the statistic can have for draws of these runs. With fewer, whose range often misses the true value, it is
  limited to the values that the statistic can have for any scores: a probability stays between 0 and 1.

All use Student's quantile (Hesterberg, "What Teachers Should Know About the Bootstrap", The American Statistician,
2015): the spread of draws of n runs is √((n - 1) / n) of that of runs, and it is estimated, so that √(n / (n - 1)) t
replaces the normal z. Strata have the degrees of freedom of Welch and Satterthwaite.

`experiments/interval_coverage.py` measures how often the intervals contain the true value. For nominal 95 %:

    runs of a game   IQM         mean        median      optimality gap
     3               70 to 98    65 to 97    54 to 99    45 to 96
     5               84 to 99    49 to 97    57 to 100   45 to 97
    10               96 to 100   65 to 99    80 to 100   65 to 99
    20               96 to 100   86 to 98    87 to 100   86 to 98

These are the lowest and the highest over 24 cases: normal, skewed and very skewed scores, and scores of runs of which
6, 7 or 9 of 10 solve the game; for one game, four games, the difference of two arms, and the difference of pairs. With
10 runs all are at least 94 %, except: means of skewed (93.7 % for one game) and of very skewed scores (89 to 93 %);
means and optimality gaps if 9 of 10 runs solve the game (65 % for one game, where all ten do in one case of three; 90
to 94 % for pairs); the median over four games of the last two kinds (80 and 87 %). Intervals of an IQM are wide rather
than narrow: 98 % in the median case.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

FEWEST = 3  # runs of a game; with fewer there is no interval
FEW = 10  # runs of a game; with fewer the coverage is below the nominal one
WITHIN_RANGE = 7  # runs of a game; with at least so many an interval is limited to values of draws of them
MEASURED = {  # coverage of nominal 95 % intervals, by runs of a game; see above
    3: "45 to 99 % of simulations (in the median case 95 %)",
    5: "45 to 100 % of simulations (in the median case 96 %)",
    10: "65 to 100 % (97 %)",
}


class Interval(NamedTuple):
    """A statistic of the runs and its interval, each float64 `[...]`; the ends are NaN if there is no interval."""

    point: np.ndarray
    low: np.ndarray
    high: np.ndarray


class Replicates(NamedTuple):
    """A statistic of the runs, and of draws from them.

    Attributes:
      point: float64 `[...]`, statistic of the runs themselves.
      values: float64 `[resamples, ...]`, statistic of each draw.
      times_drawn: number of times that each run is in each draw, `[resamples, runs]` for each stratum: the runs of a
        game, or of an arm on a game. Strata are drawn independently.
      lowest: float64 `[...]`, lowest possible value of the statistic: over draws of these runs if there are seven or
        more, else over any scores (-inf for a mean, 0 for a probability).
      highest: float64 `[...]`, highest possible value of the statistic.
    """

    point: np.ndarray
    values: np.ndarray
    times_drawn: Sequence[np.ndarray]
    lowest: np.ndarray
    highest: np.ndarray

    def minus(self, other: "Replicates") -> "Replicates":
        """Returns the difference to another statistic, whose runs were drawn independently of these."""
        strata = (*self.times_drawn, *other.times_drawn)
        lowest, highest = self.lowest - other.highest, self.highest - other.lowest
        return Replicates(self.point - other.point, self.values - other.values, strata, lowest, highest)


def interval(replicates: Replicates, confidence: float = 0.95) -> Interval:
    """Returns the statistic and its interval; the ends are NaN if a stratum has fewer than three runs.

    Each end is the outermost of the ends of three intervals: percentile, BCa and Student's t (see the module).

    Args:
      replicates: the statistic of the runs, float64 `[...]`, and the statistic of each resample, float64
        `[resamples, ...]`. A resample draws as many runs from each stratum as the stratum has, with replacement.
      confidence: float between 0 and 1, the intended probability that the interval contains the true value.

    Returns:
      An `Interval` with `point`, `low` and `high`, each float64 `[...]`.
    """
    from scipy import special

    point = np.asarray(replicates.point, np.float64)
    if min(counts.shape[1] for counts in replicates.times_drawn) < FEWEST:
        return Interval(point, np.full_like(point, np.nan), np.full_like(point, np.nan))
    values = replicates.values.reshape(len(replicates.values), -1)  # [resamples, points]
    influences = [influences_of(values, counts) for counts in replicates.times_drawn]  # [runs, points] each
    z = student(influences, confidence)
    bias, acceleration = median_bias(values, point.ravel()), acceleration_of(np.concatenate(influences))
    ordered, error = np.sort(values, axis=0), z * np.std(values, axis=0)
    lowest = np.minimum(ordered[0], np.ravel(replicates.lowest))
    highest = np.maximum(ordered[-1], np.ravel(replicates.highest))
    lower = np.minimum(special.ndtr(-z), corrected(-z, bias, acceleration))
    upper = np.maximum(special.ndtr(z), corrected(z, bias, acceleration))
    low = np.minimum(at(ordered, lower), np.maximum(point.ravel() - error, lowest))
    high = np.maximum(at(ordered, upper), np.minimum(point.ravel() + error, highest))
    return Interval(point, low.reshape(point.shape), high.reshape(point.shape))


def caveat(numbers: Iterable[int]) -> str:
    """Returns a warning for a caption about intervals of few runs; an empty string if all have ten runs or more.

    Args:
      numbers: number of runs of a game, for everything that is shown.
    """
    sizes = set(numbers)
    few = [size for size in sizes if FEWEST <= size < FEW]
    sentences = []
    if few:
        measured = max(size for size in MEASURED if size <= min(few))
        sentences.append(
            f"With {measured} runs of a game, nominal 95 % intervals contained the true value in {MEASURED[measured]}; "
            f"with {FEW} in {MEASURED[FEW]}."
        )
    if any(FEWEST <= size < WITHIN_RANGE for size in sizes):
        sentences.append(f"With fewer than {WITHIN_RANGE}, an interval may contain scores that the game cannot give.")
    if any(size < FEWEST for size in sizes):
        sentences.append(f"No interval with fewer than {FEWEST} runs of a game.")
    return " ".join(sentences)


def check(confidence: float, resamples: int) -> None:
    """Checks the arguments of an interval.

    Raises:
      ValueError: naming the one that is out of range.
    """
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"confidence = {confidence} is out of range: give a number between 0 and 1, such as 0.95.")
    if resamples < 1:
        raise ValueError(f"resamples = {resamples} is out of range: give at least 1, usually 2000.")


def times_drawn(drawn: np.ndarray, number: int) -> np.ndarray:
    """Returns the number of times that each run is in each draw, float64 `[resamples, number]`.

    Args:
      drawn: indices of runs, `[resamples, runs]`.
      number: the number of runs.
    """
    cells = drawn + number * np.arange(len(drawn))[:, None]
    counts = np.bincount(cells.ravel(), minlength=number * len(drawn))
    return counts.reshape(len(drawn), number).astype(np.float64)


def student(influences: Sequence[np.ndarray], confidence: float) -> np.ndarray:
    """Returns the replacement of the normal quantile, √(n / (n - 1)) t, float64 `[points]`; 2.38 for ten runs.

    Strata are weighted by their variances v: the degrees of freedom are (Σ v)² / Σ (v² / (n - 1)). If all variances are
    zero, they are those of the smallest stratum.

    Args:
      influences: influences of the runs of each stratum, `[runs, points]`.
      confidence: between 0 and 1.
    """
    from scipy import special

    sizes = np.array([len(stratum) for stratum in influences], np.float64)[:, None]
    smallest = np.arange(len(sizes))[:, None] == np.argmin(sizes)
    variances = np.array([np.sum(stratum**2, axis=0) for stratum in influences])  # [strata, points]
    largest = np.max(variances, axis=0)
    shares = np.where(largest > 0.0, variances / np.where(largest > 0.0, largest, 1.0), smallest)
    shares /= np.sum(shares, axis=0)
    freedom = 1.0 / np.sum(shares**2 / (sizes - 1.0), axis=0)
    return special.stdtrit(freedom, 0.5 + 0.5 * confidence) * np.sqrt(np.sum(shares * sizes / (sizes - 1.0), axis=0))


def influences_of(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Returns the covariance of the replicates with the number of times each run was drawn, `[runs, points]`."""
    return (counts - 1.0).T @ (values - np.mean(values, axis=0)) / len(values)


def median_bias(values: np.ndarray, point: np.ndarray) -> np.ndarray:
    """Returns the normal quantile of the share of replicates below the statistic, a tie as half, `[points]`."""
    from scipy import special

    rounding = 1e-9 * np.ptp(values, axis=0)  # sums of equal runs differ by their order
    below = np.mean(values < point - rounding, axis=0) + 0.5 * np.mean(np.abs(values - point) <= rounding, axis=0)
    return special.ndtri(np.clip(below, 0.5 / len(values), 1.0 - 0.5 / len(values)))


def acceleration_of(influences: np.ndarray) -> np.ndarray:
    """Returns Σ u³ / (6 (Σ u²)^(3/2)) over the runs of all strata, `[points]`; 0 if all influences are 0."""
    size = np.sqrt(np.sum(influences**2, axis=0))
    return np.sum((influences / np.where(size > 0.0, size, 1.0)) ** 3, axis=0) / 6.0


def corrected(z: np.ndarray, bias: np.ndarray, acceleration: np.ndarray) -> np.ndarray:
    """Returns BCa's level, Φ(z₀ + (z₀ + z) / (1 - a (z₀ + z))), `[points]`; 0 or 1 if it is unlimited."""
    from scipy import special

    moved = bias + z
    scale = 1.0 - acceleration * moved
    return np.where(
        scale > 0.0, special.ndtr(bias + moved / np.where(scale > 0.0, scale, 1.0)), np.where(z > 0.0, 1.0, 0.0)
    )


def at(ordered: np.ndarray, level: np.ndarray) -> np.ndarray:
    """Returns a quantile of each sorted column, at a level of its own, `[resamples, points], [points] -> [points]`."""
    place = level * (len(ordered) - 1)
    before = np.floor(place).astype(np.int64)
    low, high = (np.take_along_axis(ordered, row[None], axis=0)[0] for row in (before, np.ceil(place).astype(np.int64)))
    return low + (place - before) * (high - low)
