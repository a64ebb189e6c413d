"""Intervals by resampling: a statistic over seeds and its interval, for one game, several games and two arms.

Agarwal et al. (2021), "Deep Reinforcement Learning at the Edge of the Statistical Precipice", Section 4. The first axis
of every array is the runs. Seeds are the unit of replication: evaluation episodes are averaged inside a run before, and
a curve is resampled as a whole, since its points are not independent. Runs are drawn game by game; games are not drawn.
`jaxdqn.analysis.bootstrap_intervals` makes every interval from the draws, and says how often it holds the true value.

A score that is NaN or infinite is refused everywhere: to leave it out would report only the runs that went well.
"""

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from jaxdqn.analysis import bootstrap_intervals, statistics
from jaxdqn.analysis.bootstrap_intervals import Interval, Replicates
from jaxdqn.analysis.statistics import Aggregate, Statistic

_BLOCK = 4_000_000  # numbers resampled at a time: bounds memory (32 MB), changes no result


def interval(
    scores: ArrayLike,
    statistic: Statistic,
    generator: np.random.Generator,
    *,
    confidence: float = 0.95,
    resamples: int = 2000,
) -> Interval:
    """Returns a statistic over the runs of one game and its interval.

    Runs are drawn with replacement, and the statistic of each draw is computed;
    `jaxdqn.analysis.bootstrap_intervals` makes the interval from these. Whole runs are drawn: all points of a curve
    share a draw, and the band is pointwise. Nominal 95 % intervals of one game hold the true mean of normal scores in
    95 to 96 % of cases with 3, 5, 10 and 20 runs, and the true IQM in 95, 98, 98 and 97 %. Fewer than three runs have
    no interval: its ends are NaN.

    Args:
      scores: `[runs]`, or curves `[runs, points]`.
      statistic: reduces the first axis, such as `statistics.iqm`.
      generator: the only source of random numbers; equal generators give equal intervals.
      confidence: between 0 and 1.
      resamples: number of draws.

    Raises:
      ValueError: if a score is not finite, there are no runs, or a keyword is out of range.
    """
    return interval_over_games({"": scores}, statistic, generator, confidence=confidence, resamples=resamples)


def interval_over_games(
    scores: Mapping[str, ArrayLike],
    statistic: Statistic,
    generator: np.random.Generator,
    *,
    confidence: float = 0.95,
    resamples: int = 2000,
) -> Interval:
    """Returns a statistic over the pooled scores of all games and its interval over stratified draws.

    Section 4.1: from the n runs of each game, n are drawn with replacement; then the statistic is taken over all scores
    together. Games are not drawn: the interval is about other seeds, not about other games.

    Args:
      scores: by game, `[runs]` or `[runs, points]`, on a scale that games share. Every game has the same number
        of runs, since otherwise one game would weigh more than another.
      statistic: reduces the first axis, such as `statistics.iqm`.
      generator: the only source of random numbers.
      confidence: between 0 and 1.
      resamples: number of draws.

    Raises:
      ValueError: as `interval`, or if games differ in shape.
    """
    return aggregate_interval(
        scores, statistics.pooled(statistic), generator, confidence=confidence, resamples=resamples
    )


def aggregate_interval(
    scores: Mapping[str, ArrayLike],
    aggregate: Aggregate,
    generator: np.random.Generator,
    *,
    confidence: float = 0.95,
    resamples: int = 2000,
    score_range: tuple[float, float] = (-np.inf, np.inf),
) -> Interval:
    """Returns an aggregate over games and runs and its interval over stratified draws.

    Section 4.1, as `interval_over_games`, for an aggregate that is not a statistic of the pooled scores, such as a
    median over games.

    Args:
      scores: by game, `[runs]` or `[runs, points]`, on a scale that games share; every game has the same
        number of runs.
      aggregate: reduces the first two axes, of games and of runs, and works on each point of the others alone.
      generator: the only source of random numbers.
      confidence: between 0 and 1.
      resamples: number of draws.
      score_range: lowest and highest score that a run can have, such as (0, 1) for a share.

    Raises:
      ValueError: as `interval`, or if games differ in shape.
    """
    bootstrap_intervals.check(confidence, resamples)
    return bootstrap_intervals.interval(
        replicates(stack(scores), aggregate, generator, resamples, score_range), confidence
    )


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

    Runs of X and of Y are drawn independently. For pairs of runs with equal seeds, use `jaxdqn.analysis.paired`.

    Args:
      x: by game, `[N]` or `[N, points]`, on a scale that games share; every game has the same number
        of runs.
      y: by the same games, `[M]` or `[M, points]`.
      aggregate: over games and runs.
      generator: the only source of random numbers.
      confidence: between 0 and 1.
      resamples: number of draws.

    Raises:
      ValueError: if the games of X and Y differ, or as `aggregate_interval`.
    """
    bootstrap_intervals.check(confidence, resamples)
    check_games(x, y)
    of_x, of_y = (replicates(stack(z), aggregate, generator, resamples) for z in (x, y))
    return bootstrap_intervals.interval(of_x.minus(of_y), confidence)


def replicates(
    stacked: np.ndarray,
    aggregate: Aggregate,
    generator: np.random.Generator,
    resamples: int = 2000,
    score_range: tuple[float, float] = (-np.inf, np.inf),
) -> Replicates:
    """Returns an aggregate of the runs, and the same aggregate of draws of the runs of each game.

    Args:
      stacked: float64 `[games, runs, ...]`.
      aggregate: as `aggregate_interval`.
      generator: the only source of random numbers.
      resamples: number of draws.
      score_range: as `aggregate_interval`.
    """
    num_games, num_runs = stacked.shape[:2]
    drawn = generator.integers(num_runs, size=(resamples, num_games, num_runs))
    game = np.arange(num_games)[:, None, None]  # broadcasts against the runs drawn of it
    point = np.asarray(aggregate(stacked), np.float64)
    block = max(1, _BLOCK // stacked.size)
    values = []
    for start in range(0, resamples, block):
        chosen = np.moveaxis(drawn[start : start + block], 0, -1)  # [games, runs, block]
        values.append(aggregate(stacked[game, chosen]))  # [block, ...]
    counts = [bootstrap_intervals.times_drawn(drawn[:, index], num_runs) for index in range(num_games)]
    within = num_runs >= bootstrap_intervals.WITHIN_RANGE
    extremes = _extremes(stacked, aggregate) if within else _range(stacked, aggregate, score_range)
    return Replicates(point, np.concatenate(values), counts, *extremes)


def _range(
    stacked: np.ndarray, aggregate: Aggregate, score_range: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the lowest and highest value of an aggregate over all scores in a range; infinite if it has no limit."""
    with np.errstate(invalid="ignore"):  # a difference of infinite aggregates is NaN: it has no limit
        ends = [aggregate(np.full_like(stacked, score)) for score in score_range]
    lowest, highest = np.min(ends, axis=0), np.max(ends, axis=0)
    return np.where(np.isnan(lowest), -np.inf, lowest), np.where(np.isnan(highest), np.inf, highest)


def _extremes(stacked: np.ndarray, aggregate: Aggregate) -> tuple[np.ndarray, np.ndarray]:
    """Returns the lowest and highest value of an aggregate over all draws of these runs.

    In these draws one run of each game is drawn every time: the run whose own value is lowest or highest. This is exact
    for an aggregate that is monotone in the score of each run, as means, medians and IQMs are.
    """
    least: list[np.ndarray] = []
    most: list[np.ndarray] = []
    for scores in stacked:  # [runs, ...]
        of_one = aggregate(scores[None, None])  # the value of each run alone
        for rows, extreme in ((least, np.argmin), (most, np.argmax)):
            run = extreme(of_one, axis=0)
            run = run.reshape(1, *run.shape, *(1,) * (scores.ndim - of_one.ndim))
            rows.append(np.take_along_axis(scores, np.broadcast_to(run, (1, *scores.shape[1:])), axis=0))
    return aggregate(np.stack(least)), aggregate(np.stack(most))


def stack(scores: Mapping[str, ArrayLike]) -> np.ndarray:
    """Returns the scores of all games as one array, float64 `[games, runs, ...]`.

    Raises:
      ValueError: if there are none, games differ in shape, or a score is not finite.
    """
    arrays = {game: np.asarray(values, np.float64) for game, values in scores.items()}
    if not arrays or any(values.size == 0 or values.ndim == 0 for values in arrays.values()):
        raise ValueError("There are no scores: give at least one game, with at least one run.")
    shapes = {game: values.shape for game, values in arrays.items()}
    if len(set(shapes.values())) > 1:
        raise ValueError(f"Games differ in their numbers of runs or points, {shapes}: give equal numbers.")
    for game, values in arrays.items():
        bad = np.argwhere(~np.isfinite(values))
        if len(bad):
            where = f" of {game}" if game else ""
            raise ValueError(
                f"{len(bad)} of {math.prod(values.shape)} scores{where} are not finite, the first at index "
                f"{tuple(bad[0].tolist())} (run first): leave out the run or the point, and report that."
            )
    return np.stack(list(arrays.values()))


def check_games(x: Mapping[str, ArrayLike], y: Mapping[str, ArrayLike]) -> None:
    """Raises ValueError unless two arms have the same games, at least one."""
    if set(x) != set(y) or not x:
        raise ValueError(f"Two arms must have the same games to be compared: they have {sorted(x)} and {sorted(y)}.")
