"""The probability that a run of one arm scores more than a run of another, with its interval.

Agarwal et al. (2021), "Deep Reinforcement Learning at the Edge of the Statistical Precipice", Section 4.3.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from jaxdqn.analysis import bootstrap_intervals, resampling
from jaxdqn.analysis.bootstrap_intervals import Interval, Replicates


def interval(
    x: Mapping[str, ArrayLike],
    y: Mapping[str, ArrayLike],
    generator: np.random.Generator,
    *,
    confidence: float = 0.95,
    resamples: int = 2000,
) -> Interval:
    """Returns the probability that a run of X scores more than one of Y, averaged over games, and its interval.

    Section 4.3: of a game it is the Mann-Whitney statistic, (Σ 1[xᵢ > yⱼ] + ½ Σ 1[xᵢ = yⱼ]) / (N M). Only the order of
    scores within a game counts, so they need no common scale. Runs of X and of Y are drawn independently.

    Args:
      x: by game, `[N]`; games may differ in N.
      y: by the same games, `[M]`.
      generator: the only source of random numbers.
      confidence: between 0 and 1.
      resamples: number of draws.

    Raises:
      ValueError: if the games of X and Y differ, or there are no scores, or one is not finite.
    """
    bootstrap_intervals.check(confidence, resamples)
    resampling.check_games(x, y)
    points, values, strata, extremes = [], [], [], []
    for game in x:
        (xs,), (ys,) = resampling.stack({game: x[game]}), resampling.stack({game: y[game]})  # [N], [M]
        wins = 0.5 * (np.sign(xs[:, None] - ys) + 1.0)  # 1, ½ where equal, or 0
        points.append(np.mean(wins))
        # Counts of each run replace the draws themselves: [resamples, N] and [resamples, M].
        of_x, of_y = (
            bootstrap_intervals.times_drawn(generator.integers(number, size=(resamples, number)), number)
            for number in wins.shape
        )
        values.append(np.sum((of_x @ wins) * of_y, axis=1) / wins.size)
        strata += [of_x, of_y]
        extremes.append(
            (np.min(wins), np.max(wins)) if min(wins.shape) >= bootstrap_intervals.WITHIN_RANGE else (0.0, 1.0)
        )
    return bootstrap_intervals.interval(
        Replicates(np.mean(points), np.mean(values, axis=0), strata, *np.mean(extremes, axis=0)), confidence
    )
