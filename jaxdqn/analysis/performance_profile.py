"""Performance profiles: the share of runs whose score is above a threshold, with its interval.

Agarwal et al. (2021), "Deep Reinforcement Learning at the Edge of the Statistical Precipice", Section 4.2.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from jaxdqn.analysis import aggregates, resampling
from jaxdqn.analysis.bootstrap_intervals import Interval


def interval(
    scores: Mapping[str, ArrayLike],
    thresholds: ArrayLike,
    generator: np.random.Generator,
    *,
    confidence: float = 0.95,
    resamples: int = 2000,
) -> Interval:
    """Returns the share of runs whose score is above each threshold, and the interval of the share at each threshold.

    Agarwal et al. (2021), Section 4.2, equation 1: the run-score distribution. If the profile of one algorithm is
    nowhere below that of another, the algorithm is not worse for any statistic that grows with the scores.

    Args:
      scores: by game, `[runs]`. Every game has the same number of runs.
      thresholds: `[thresholds]`, on the same scale as the scores.
      generator: the only source of random numbers.
      confidence: between 0 and 1.
      resamples: number of draws with replacement.

    Returns:
      An `Interval` with `point` (the share), `low` and `high` (the ends of its interval), each float64 `[thresholds]`.
      Each interval holds for its own threshold, not for all thresholds together.

    Raises:
      ValueError: as `resampling.aggregate_interval`.
    """
    stacked = dict(zip(scores, resampling.stack(scores), strict=True))
    is_above = {game: values[:, None] > np.asarray(thresholds) for game, values in stacked.items()}
    return resampling.aggregate_interval(
        is_above, aggregates.mean, generator, confidence=confidence, resamples=resamples, score_range=(0.0, 1.0)
    )
