"""Sample size: the number of seeds that an interval of a given width needs, estimated from a few pilot runs.

Experiments with n seeds are simulated: n scores are drawn from those of the pilot (Efron and Tibshirani, "An
Introduction to the Bootstrap", 1993, section 25.4), and the interval of each simulated experiment is computed. The
draws are smoothed (Silverman and Young, "The Bootstrap: To Smooth or Not to Smooth?", 1987), since the median of values
from a short list would keep its spread for every n. Few pilot runs estimate the spread badly: with twelve, the answer
is between half and twice the true number in four cases of five. Compute it again with more runs.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from jaxdqn.analysis import bootstrap_intervals, resampling, statistics
from jaxdqn.analysis.statistics import Statistic

MOST = 1000  # seeds of a game
_SIMULATED = 4_000  # runs of a game in all experiments, of which there are 20 to 200


def widths(
    pilot: Mapping[str, ArrayLike],
    numbers: ArrayLike,
    generator: np.random.Generator,
    *,
    statistic: Statistic = statistics.iqm,
    confidence: float = 0.95,
    resamples: int = 500,
) -> np.ndarray:
    """Returns the expected width of the interval for each number of seeds of a game, float64 `[numbers]`.

    It is the mean width of the intervals (`jaxdqn.analysis.bootstrap_intervals`) of simulated experiments. For fewer
    than three seeds, which have no interval, it is infinity.

    Args:
      pilot: scores by game, `[runs]` with two runs or more; or paired differences.
      numbers: of seeds of each game, whole and positive.
      generator: the only source of random numbers.
      statistic: over the pooled scores of all games.
      confidence: between 0 and 1.
      resamples: number of draws from the seeds of each simulated experiment.

    Raises:
      ValueError: if a game has fewer than two pilot runs, a score is not finite, or a number is out of range.
    """
    bootstrap_intervals.check(confidence, resamples)
    every = np.atleast_1d(np.asarray(numbers))
    if not np.issubdtype(every.dtype, np.integer) or np.any(every < 1):
        raise ValueError(f"numbers = {numbers!r} is out of range: numbers of seeds are whole and positive.")
    scores = resampling.stack(pilot)  # [games, runs]
    if scores.ndim != 2 or scores.shape[1] < 2:
        raise ValueError("A pilot needs one score for each run, and two runs or more of each game.")
    found = []
    for number in every:
        if number < bootstrap_intervals.FEWEST:
            found.append(np.inf)
            continue
        experiments = _drawn(scores, number, min(max(_SIMULATED // number, 20), 200), generator)
        made = resampling.replicates(experiments, statistics.pooled(statistic), generator, resamples)
        interval = bootstrap_intervals.interval(made, confidence)
        found.append(np.mean(interval.high - interval.low))
    return np.array(found)


def seeds_needed(
    pilot: Mapping[str, ArrayLike],
    width: float,
    generator: np.random.Generator,
    *,
    statistic: Statistic = statistics.iqm,
    confidence: float = 0.95,
    resamples: int = 500,
) -> int | None:
    """Returns the number of seeds of each game that an interval of a width needs, or None if more than `MOST`.

    The number is doubled until the expected width is small enough, and then found by bisection.

    Args:
      pilot: as `widths`.
      width: of the whole interval, in units of the score.
      generator: the only source of random numbers.
      statistic: as `widths`.
      confidence: as `widths`.
      resamples: as `widths`.

    Raises:
      ValueError: as `widths`, or if the width is not positive.
    """
    if not width > 0.0:
        raise ValueError(f"width = {width} is out of range: give a positive width.")

    def is_enough(number: int) -> bool:
        (expected,) = widths(
            pilot, [number], generator, statistic=statistic, confidence=confidence, resamples=resamples
        )
        return bool(expected <= width)

    enough = bootstrap_intervals.FEWEST
    while not is_enough(enough):
        if enough == MOST:
            return None
        enough = min(2 * enough, MOST)
    too_few = max(enough // 2, bootstrap_intervals.FEWEST - 1)
    while enough - too_few > 1:
        middle = (enough + too_few) // 2
        enough, too_few = (middle, too_few) if is_enough(middle) else (enough, middle)
    return enough


def _drawn(scores: np.ndarray, number: int, experiments: int, generator: np.random.Generator) -> np.ndarray:
    """Returns smoothed draws from the scores of each game, `[games, runs] -> [games, number, experiments]`.

    The draws are rescaled to the unbiased variance of the scores: plain draws from n runs would have (n - 1) / n of it,
    and smoothing would add to that.
    """
    num_games, num_runs = scores.shape
    size = (num_games, number, experiments)
    center = np.mean(scores, axis=1)[:, None, None]
    spread = np.std(scores, axis=1)[:, None, None]
    bandwidth = 1.06 * num_runs**-0.2  # in units of the spread: Silverman's rule
    chosen = scores[np.arange(num_games)[:, None, None], generator.integers(num_runs, size=size)]
    smooth = chosen - center + bandwidth * spread * generator.standard_normal(size)
    return center + smooth * np.sqrt(num_runs / (num_runs - 1) / (1.0 + bandwidth**2))
