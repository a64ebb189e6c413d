"""Aggregates over games: one number, or one curve, for what an algorithm does on all of them, each with its interval.

Agarwal et al. (2021), "Deep Reinforcement Learning at the Edge of the Statistical Precipice", Section 4, with the
numbers of its library rliable. Scores are by game, `[runs]`, on a scale that games share (`jaxdqn.analysis.normalise`);
every game has as many runs. Runs are drawn game by game; games are not drawn.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from jaxdqn.analysis import bootstrap_intervals, statistics
from jaxdqn.analysis.bootstrap_intervals import Interval, Replicates
from jaxdqn.analysis.statistics import Aggregate

iqm: Aggregate = statistics.pooled(statistics.iqm)
mean: Aggregate = statistics.pooled(statistics.mean)


def median(scores: np.ndarray) -> np.ndarray:
    """Returns the median over games of the mean over runs, `[games, runs, ...] -> [...]`, as papers report it."""
    return np.median(np.mean(scores, axis=1), axis=0)


def optimality_gap(scores: np.ndarray) -> np.ndarray:
    """Returns by how much scores fall short of 1 on average, `[games, runs, ...] -> [...]`: less is better.

    Section 4.3. A score above 1 does not make up for one below it.
    """
    return np.mean(np.maximum(1.0 - scores, 0.0), axis=(0, 1))


AGGREGATES: dict[str, Aggregate] = {"median": median, "IQM": iqm, "mean": mean, "optimality gap": optimality_gap}


LOWER_IS_BETTER = frozenset({"optimality gap"})


def difference(
    x: Mapping[str, ArrayLike],
    y: Mapping[str, ArrayLike],
    aggregate: Aggregate,
    generator: np.random.Generator,
    *,
    confidence: float = 0.95,
    resamples: int = 2000,
) -> Interval:
    """Returns the aggregate of X minus that of Y, and its interval: a difference of IQMs, say.

    Runs of X and of Y are drawn apart. Where runs are pairs, with seeds in common, take `jaxdqn.analysis.paired`.

    Args:
      x: by game, `[N]` or `[N, points]`, on a scale that games share; every game has as many runs.
      y: by the same games, `[M]` or `[M, points]`.
      aggregate: over games and runs.
      generator: the only source of chance.
      confidence: between 0 and 1.
      resamples: how many draws.

    Raises:
      ValueError: if the games of X and Y differ, or as `statistics.bootstrap`.
    """
    bootstrap_intervals.check(confidence, resamples)
    _check_games(x, y)
    of_x, of_y = (statistics.replicates(statistics.stack(z), aggregate, generator, resamples) for z in (x, y))
    return bootstrap_intervals.interval(of_x.minus(of_y), confidence)


def profile(
    scores: Mapping[str, ArrayLike],
    thresholds: ArrayLike,
    generator: np.random.Generator,
    *,
    confidence: float = 0.95,
    resamples: int = 2000,
) -> Interval:
    """Returns the share of runs whose score is above each threshold, and its pointwise interval, each `[thresholds]`.

    Section 4.2, equation 1: the run-score distribution. Where one profile lies above another everywhere, its algorithm
    is better whatever the statistic.

    Args:
      scores: by game, `[runs]`.
      thresholds: `[thresholds]`, on the same scale.
      generator: the only source of chance.
      confidence: between 0 and 1.
      resamples: how many draws.

    Raises:
      ValueError: as `statistics.bootstrap`.
    """
    stacked = dict(zip(scores, statistics.stack(scores), strict=True))
    is_above = {game: values[:, None] > np.asarray(thresholds) for game, values in stacked.items()}
    return statistics.bootstrap(
        is_above, mean, generator, confidence=confidence, resamples=resamples, score_range=(0.0, 1.0)
    )


def probability_of_improvement(
    x: Mapping[str, ArrayLike],
    y: Mapping[str, ArrayLike],
    generator: np.random.Generator,
    *,
    confidence: float = 0.95,
    resamples: int = 2000,
) -> Interval:
    """Returns the probability that a run of X scores more than one of Y, averaged over games, and its interval.

    Section 4.3: of a game it is the Mann-Whitney statistic, (Σ 1[xᵢ > yⱼ] + ½ Σ 1[xᵢ = yⱼ]) / (N M). Only the order of
    scores within a game counts, so that they need no common scale. Runs of X and of Y are drawn apart.

    Args:
      x: by game, `[N]`; games may differ in N.
      y: by the same games, `[M]`.
      generator: the only source of chance.
      confidence: between 0 and 1.
      resamples: how many draws.

    Raises:
      ValueError: if the games of X and Y differ, or there are no scores, or one is not finite.
    """
    bootstrap_intervals.check(confidence, resamples)
    _check_games(x, y)
    points, values, strata, extremes = [], [], [], []
    for game in x:
        (xs,), (ys,) = statistics.stack({game: x[game]}), statistics.stack({game: y[game]})  # [N], [M]
        wins = 0.5 * (np.sign(xs[:, None] - ys) + 1.0)  # 1, ½ where equal, or 0
        points.append(np.mean(wins))
        # How often each run is drawn stands for the draws themselves: [resamples, N] and [resamples, M].
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


def _check_games(x: Mapping[str, ArrayLike], y: Mapping[str, ArrayLike]) -> None:
    if set(x) != set(y) or not x:
        raise ValueError(f"Two arms are compared on the same games, not on {sorted(x)} and {sorted(y)}.")
