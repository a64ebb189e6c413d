"""Paired comparisons: two arms that share seeds are compared seed by seed.

What a seed brings to both arms, such as the first weights and the first episodes, cancels in a difference, so that the
interval of differences can be narrower than those of the arms. With a seed in common and nothing else it is as wide.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from jaxdqn.results import statistics
from jaxdqn.results.statistics import Interval, Statistic

ScoresBySeed = Mapping[str, Mapping[int, ArrayLike]]  # by game, then by seed: a score, or a curve [points]


class Differences(NamedTuple):
    """Differences of two arms, seed by seed.

    Attributes:
      by_game: float64 `[seeds]`, or `[seeds, points]`, in the order of seeds.
      seeds: those that both arms have, by game.
      unpaired: how many runs have no partner, of either arm and on any game.
    """

    by_game: dict[str, np.ndarray]
    seeds: dict[str, tuple[int, ...]]
    unpaired: int


def differences(arm: ScoresBySeed, base: ScoresBySeed) -> Differences:
    """Returns the scores of an arm minus those of a base with the same seed, on the games that both have.

    Raises:
      ValueError: if they share no game, or no seed of a game that they share.
    """
    games = [game for game in arm if game in base]
    if not games:
        raise ValueError(f"Two arms share no game: they have {', '.join(arm)} and {', '.join(base)}.")
    seeds = {game: tuple(sorted(set(arm[game]) & set(base[game]))) for game in games}
    for game in games:
        if not seeds[game]:
            raise ValueError(f"Two arms share no seed on {game}, so that no runs are pairs: run them with equal seeds.")
    runs = sum(len(scores[game]) for scores in (arm, base) for game in scores)
    pairs = {
        game: np.array([np.subtract(arm[game][seed], base[game][seed]) for seed in seeds[game]], np.float64)
        for game in games
    }
    return Differences(pairs, seeds, runs - 2 * sum(map(len, seeds.values())))


def interval(
    pairs: Differences,
    generator: np.random.Generator,
    *,
    statistic: Statistic = statistics.mean,
    confidence: float = 0.95,
    resamples: int = 2000,
) -> Interval:
    """Returns a statistic of the differences of all games and its stratified bootstrap interval: pairs are drawn.

    The mean of differences is the difference of means; that does not hold for the median or the interquartile mean.

    Args:
      pairs: on a scale that games share if there are several; every game has as many pairs.
      generator: the only source of chance.
      statistic: over the pairs of all games.
      confidence: between 0 and 1.
      resamples: how many draws.

    Raises:
      ValueError: as `statistics.interval_over_games`.
    """
    return statistics.interval_over_games(
        pairs.by_game, statistic, generator, confidence=confidence, resamples=resamples
    )
