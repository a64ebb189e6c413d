"""Paired comparisons: two arms that share seeds are compared seed by seed.

Two runs with the same seed share their initial weights and their first episodes. The effect of these cancels in the
difference, so that its interval can be narrower than with independent runs.

A difference of IQMs is the IQM of the arm minus the IQM of the base, with both runs of a seed drawn together. It is not
the IQM of the differences; the two numbers are equal for the mean only.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from jaxdqn.analysis import bootstrap_intervals, resampling, statistics
from jaxdqn.analysis.bootstrap_intervals import Interval
from jaxdqn.analysis.statistics import Aggregate, Statistic

ScoresBySeed = Mapping[str, Mapping[int, ArrayLike]]  # by game, then by seed: a score, or a curve [points]


class Pairs(NamedTuple):
    """Runs of two arms, seed by seed.

    Attributes:
      arm: the scores of the first arm: for each game an array, float64 `[seeds]` or `[seeds, points]`, in the order of
        `seeds`.
      base: the scores of the arm that it is compared with, in the same form.
      seeds: for each game the seeds that both arms have.
      unpaired: number of runs without a partner, in either arm and on any game.
    """

    arm: dict[str, np.ndarray]
    base: dict[str, np.ndarray]
    seeds: dict[str, tuple[int, ...]]
    unpaired: int

    @property
    def by_game(self) -> dict[str, np.ndarray]:
        """Returns the scores of the arm minus those of the base, as `arm`."""
        return {game: scores - self.base[game] for game, scores in self.arm.items()}


def differences(arm: ScoresBySeed, base: ScoresBySeed) -> Pairs:
    """Returns the runs of an arm and of a base with the same seed, on the games that both have.

    Raises:
      ValueError: if they share no game, or no seed of a game that they share.
    """
    games = [game for game in arm if game in base]
    if not games:
        raise ValueError(f"The two arms share no game: they have {', '.join(arm)} and {', '.join(base)}.")
    seeds = {game: tuple(sorted(set(arm[game]) & set(base[game]))) for game in games}
    for game in games:
        if not seeds[game]:
            raise ValueError(f"The two arms share no seed on {game}: run them with equal seeds.")
    runs = sum(len(scores[game]) for scores in (arm, base) for game in scores)
    of_arm, of_base = (
        {game: np.array([scores[game][seed] for seed in seeds[game]], np.float64) for game in games}
        for scores in (arm, base)
    )
    return Pairs(of_arm, of_base, seeds, runs - 2 * sum(map(len, seeds.values())))


def on(pairs: Pairs, games: Sequence[str]) -> Pairs:
    """Returns the pairs on these games only."""
    arm, base = ({game: by_game[game] for game in games} for by_game in (pairs.arm, pairs.base))
    return pairs._replace(arm=arm, base=base, seeds={game: pairs.seeds[game] for game in games})


def interval(
    pairs: Pairs,
    generator: np.random.Generator,
    *,
    statistic: Statistic = statistics.mean,
    confidence: float = 0.95,
    resamples: int = 2000,
) -> Interval:
    """Returns a statistic of the arm minus that of the base, over the runs of all games, and its interval.

    Args:
      pairs: on a scale that games share if there are several; every game has the same number of pairs.
      generator: the only source of random numbers.
      statistic: over the runs of all games.
      confidence: between 0 and 1.
      resamples: number of draws.

    Raises:
      ValueError: as `resampling.interval_over_games`.
    """
    return aggregate_interval(
        pairs, statistics.pooled(statistic), generator, confidence=confidence, resamples=resamples
    )


def aggregate_interval(
    pairs: Pairs,
    aggregate: Aggregate,
    generator: np.random.Generator,
    *,
    confidence: float = 0.95,
    resamples: int = 2000,
) -> Interval:
    """Returns an aggregate of the arm minus that of the base, and its interval: both runs of a seed are drawn together.

    Args:
      pairs: as `interval`.
      aggregate: over games and runs, such as those of `jaxdqn.analysis.aggregates`.
      generator: the only source of random numbers.
      confidence: between 0 and 1.
      resamples: number of draws.

    Raises:
      ValueError: as `resampling.aggregate_interval`.
    """
    bootstrap_intervals.check(confidence, resamples)
    both = np.stack([resampling.stack(pairs.arm), resampling.stack(pairs.base)], axis=-1)  # [games, pairs, ..., 2]
    return bootstrap_intervals.interval(
        resampling.replicates(both, difference_of(aggregate), generator, resamples), confidence
    )


def difference_of(aggregate: Aggregate) -> Aggregate:
    """Returns the aggregate of an arm minus that of its base, `[games, runs, ..., 2] -> [...]`."""

    def difference(scores: np.ndarray) -> np.ndarray:
        arm, base = np.moveaxis(aggregate(scores), -1, 0)
        return np.asarray(arm - base)

    return difference
