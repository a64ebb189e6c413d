"""How many seeds: from a few pilot runs, how wide the interval over a given number of seeds will be.

The pilot's scores stand for the distribution of scores (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993,
section 25.4): so many of them are drawn as there are to be seeds, and the statistic over such draws varies as it will
over other seeds. The draws are smoothed (Silverman and Young, "The Bootstrap: To Smooth or Not to Smooth?", 1987), as
a median of values from a short list would keep a width however many are drawn. Few pilot runs know the spread badly:
from twelve, the answer lies between half and twice the truth four times in five. Ask again once there are more.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from jaxdqn.analysis import bootstrap_intervals, statistics
from jaxdqn.analysis.statistics import Statistic

MOST = 1000  # seeds of a game
_SIMULATED = 4_000  # runs of a game, of at least 20 and at most 200 experiments: the more runs, the steadier a width


def widths(
    pilot: Mapping[str, ArrayLike],
    numbers: ArrayLike,
    generator: np.random.Generator,
    *,
    statistic: Statistic = statistics.iqm,
    confidence: float = 0.95,
    resamples: int = 500,
) -> np.ndarray:
    """Returns how wide the interval over so many seeds of each game is expected to be, float64 `[numbers]`.

    Experiments with so many seeds are simulated, and the interval of each is made as figures and tables make it
    (`jaxdqn.analysis.bootstrap_intervals`); the mean of their widths is returned. Fewer than three seeds have no
    interval: infinity.

    Args:
      pilot: scores by game, `[runs]` with two runs or more; or paired differences.
      numbers: of seeds of each game, whole and positive.
      generator: the only source of chance.
      statistic: over the pooled scores of all games.
      confidence: between 0 and 1.
      resamples: how many draws of the seeds of each simulated experiment.

    Raises:
      ValueError: if there are too few pilot runs, one is not finite, or a number is out of range.
    """
    bootstrap_intervals.check(confidence, resamples)
    every = np.atleast_1d(np.asarray(numbers))
    if not np.issubdtype(every.dtype, np.integer) or np.any(every < 1):
        raise ValueError(f"numbers = {numbers!r} is out of range: numbers of seeds are whole and positive.")
    scores = statistics.stack(pilot)  # [games, runs]
    if scores.ndim != 2 or scores.shape[1] < 2:
        raise ValueError("A pilot needs one score a run and two runs or more of each game: one run has no spread.")
    found = []
    for number in every:
        if number < bootstrap_intervals.FEWEST:
            found.append(np.inf)
            continue
        experiments = _drawn(scores, number, min(max(_SIMULATED // number, 20), 200), generator)
        made = statistics.replicates(experiments, statistics.pooled(statistic), generator, resamples)
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
    """Returns how many seeds of each game an interval of a width needs, or None if more than `MOST`.

    Numbers are doubled until the expected width is small enough, and then narrowed down.

    Args:
      pilot: as `widths`.
      width: of the whole interval, in units of the score.
      generator: the only source of chance.
      statistic: as `widths`.
      confidence: as `widths`.
      resamples: as `widths`.

    Raises:
      ValueError: as `widths`, or if the width is not positive.
    """
    if not width > 0.0:
        raise ValueError(f"width = {width} is out of range: an interval has a positive width.")

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

    Of n runs the variance around their own mean is (n - 1) / n of that of scores, which draws from them would keep, and
    the smoothing would add to it: draws have the unbiased variance.
    """
    num_games, num_runs = scores.shape
    size = (num_games, number, experiments)
    center = np.mean(scores, axis=1)[:, None, None]
    spread = np.std(scores, axis=1)[:, None, None]
    bandwidth = 1.06 * num_runs**-0.2  # in units of the spread: Silverman's rule
    chosen = scores[np.arange(num_games)[:, None, None], generator.integers(num_runs, size=size)]
    smooth = chosen - center + bandwidth * spread * generator.standard_normal(size)
    return center + smooth * np.sqrt(num_runs / (num_runs - 1) / (1.0 + bandwidth**2))
