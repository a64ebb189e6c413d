"""Trials of `interval_coverage.py`: scores with known true statistics, the statistics, and methods for their intervals.

Each trial is an independent experiment. Trials are an axis after that of runs, as the points of a curve are.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy import special

from jaxdqn.analysis import aggregates, bootstrap_intervals, paired, resampling, statistics
from jaxdqn.analysis.bootstrap_intervals import Replicates
from jaxdqn.analysis.statistics import Aggregate

Scores = Callable[[np.ndarray, np.ndarray], np.ndarray]  # two standard normal numbers of a run -> its score
Ends = tuple[np.ndarray, np.ndarray]

CONFIDENCE = 0.95
BLOCK = 50  # trials that share resampled indices
NOISE = 0.05  # standard deviation of scores around a peak
SHARED = 0.7  # correlation between the first numbers of the two runs of a pair
SHIFTS, FACTORS = (0.0, 0.5, -0.5, 0.25), (1.0, 0.5, 1.5, 1.0)  # shifts and scales of scores on four games


def peaks(solved: float) -> Scores:
    """Returns scores near 1 for this share of runs, and near 0 for the others."""
    threshold = special.ndtri(1.0 - solved)
    return lambda luck, noise: (luck > threshold) + NOISE * noise


DISTRIBUTIONS: dict[str, Scores] = {
    "normal": lambda luck, _: luck,
    "skewed": lambda luck, _: np.exp(0.5 * luck),  # lognormal, skewness 1.8
    "very skewed": lambda luck, _: np.exp(luck),  # skewness 6.2
    "6 of 10 solve it": peaks(0.6),  # with 5 of 10, every value between the peaks would be a median
    "7 of 10 solve it": peaks(0.7),
    "9 of 10 solve it": peaks(0.9),
}
OVER_GAMES = {name: entry.aggregate for name, entry in aggregates.AGGREGATES.items()}
OVER_RUNS = OVER_GAMES | {"median": statistics.pooled(statistics.median)}


class Question(NamedTuple):
    """An experiment and its statistics.

    Attributes:
      draw: `(distribution, runs of a game, trials, generator) -> scores` float64 `[games, runs, trials, ...]`; two of
        these for two arms with independent runs.
      aggregates: statistics by name, each `[games, runs, ...] -> [...]`; for two independent arms, their difference.
    """

    draw: Callable[[Scores, int, int, np.random.Generator], list[np.ndarray]]
    aggregates: Mapping[str, Aggregate]


def _game(scores: Scores, runs: int, trials: int, generator: np.random.Generator) -> np.ndarray:
    return scores(*generator.standard_normal((2, runs, trials)))


def _one_game(scores: Scores, runs: int, trials: int, generator: np.random.Generator) -> list[np.ndarray]:
    return [_game(scores, runs, trials, generator)[None]]


def _four_games(scores: Scores, runs: int, trials: int, generator: np.random.Generator) -> list[np.ndarray]:
    scale = zip(SHIFTS, FACTORS, strict=True)
    return [np.stack([shift + factor * _game(scores, runs, trials, generator) for shift, factor in scale])]


def _of_base(scores: np.ndarray) -> np.ndarray:
    return 0.1 + 0.7 * scores


def _two_arms(scores: Scores, runs: int, trials: int, generator: np.random.Generator) -> list[np.ndarray]:
    return [_game(scores, runs, trials, generator)[None], _of_base(_game(scores, runs, trials, generator))[None]]


def _pairs(scores: Scores, runs: int, trials: int, generator: np.random.Generator) -> list[np.ndarray]:
    luck, noise = generator.standard_normal((2, 2, runs, trials))
    luck[1] = SHARED * luck[0] + np.sqrt(1.0 - SHARED**2) * luck[1]
    arm, base = scores(luck, noise)
    return [np.stack([arm, _of_base(base)], axis=-1)[None]]


QUESTIONS: dict[str, Question] = {
    "one game": Question(_one_game, OVER_RUNS),
    "four games": Question(_four_games, OVER_GAMES),
    "two arms": Question(_two_arms, OVER_RUNS),
    "pairs": Question(_pairs, {name: paired.difference_of(aggregate) for name, aggregate in OVER_RUNS.items()}),
}


def truth(question: Question, scores: Scores, population: int, generator: np.random.Generator) -> np.ndarray:
    """Returns the true statistics, float64 `[4]`, estimated from a population of runs."""
    arms = question.draw(scores, population, 1, generator)
    values = [np.stack([aggregate(arm)[0] for aggregate in question.aggregates.values()]) for arm in arms]
    return values[0] - values[1] if len(values) > 1 else values[0]


def replicates(
    question: Question, arms: Sequence[np.ndarray], generator: np.random.Generator, resamples: int
) -> Replicates:
    """Returns the bootstrap replicates of the statistics, as in figures; points are trials times statistics."""
    seeds = generator.integers(2**32, size=len(arms))
    by_statistic = []
    for aggregate in question.aggregates.values():
        found = [
            resampling.replicates(arm, aggregate, np.random.default_rng(seed), resamples)
            for arm, seed in zip(arms, seeds, strict=True)
        ]
        by_statistic.append(found[0] if len(found) == 1 else found[0].minus(found[1]))

    def together(field: str) -> np.ndarray:
        return np.stack([getattr(made, field) for made in by_statistic], axis=-1)

    return Replicates(
        together("point").ravel(),
        together("values").reshape(resamples, -1),
        by_statistic[0].times_drawn,  # equal for all statistics
        together("lowest").ravel(),
        together("highest").ravel(),
    )


def _quantiles(
    made: Replicates, z: np.ndarray | float, moved: Callable[[np.ndarray], np.ndarray] = special.ndtr
) -> Ends:
    ordered, ends = np.sort(made.values, axis=0), z * np.ones_like(made.point)
    return bootstrap_intervals.at(ordered, moved(-ends)), bootstrap_intervals.at(ordered, moved(ends))


def percentile(made: Replicates) -> Ends:
    """Returns the ends of Efron's percentile interval."""
    return _quantiles(made, special.ndtri(0.5 + 0.5 * CONFIDENCE))


def percentile_t(made: Replicates) -> Ends:
    """Returns the ends of Hesterberg's expanded percentile interval."""
    influences = [bootstrap_intervals.influences_of(made.values, drawn) for drawn in made.times_drawn]
    return _quantiles(made, bootstrap_intervals.student(influences, CONFIDENCE))


def student_t(made: Replicates) -> Ends:
    """Returns the ends of Student's t interval with the bootstrap's standard error."""
    influences = [bootstrap_intervals.influences_of(made.values, drawn) for drawn in made.times_drawn]
    error = bootstrap_intervals.student(influences, CONFIDENCE) * np.std(made.values, axis=0)
    return made.point - error, made.point + error


def plain_bca(made: Replicates) -> Ends:
    """Returns the ends of Efron's BCa interval."""
    influences = np.concatenate([bootstrap_intervals.influences_of(made.values, drawn) for drawn in made.times_drawn])
    bias, acceleration = (
        bootstrap_intervals.median_bias(made.values, made.point),
        bootstrap_intervals.acceleration_of(influences),
    )
    return _quantiles(
        made, special.ndtri(0.5 + 0.5 * CONFIDENCE), lambda z: bootstrap_intervals.corrected(z, bias, acceleration)
    )


def chosen(made: Replicates) -> Ends:
    """Returns the ends of the interval of figures and tables."""
    return bootstrap_intervals.interval(made, CONFIDENCE)[1:]


FROM_REPLICATES: dict[str, Callable[[Replicates], Ends]] = {
    "chosen": chosen,
    "percentile": percentile,
    "percentile, t": percentile_t,
    "BCa": plain_bca,
    "t": student_t,
}


def studentised(scores: np.ndarray, statistic: str, generator: np.random.Generator, resamples: int) -> Ends | None:
    """Returns the ends of the bootstrap-t interval for runs of one game, `[runs, trials]`; None for the median.

    Source: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, section 12.5. The standard error of an IQM
    is that of Tukey and McLaughlin, from the Winsorised variance (Wilcox, "Introduction to Robust Estimation and
    Hypothesis Testing").
    """
    if statistic == "median":
        return None
    if statistic == "optimality gap":
        scores = np.maximum(1.0 - scores, 0.0)
    center, error = _mean_with_error(scores, trimmed=statistic == "IQM")
    drawn = scores[generator.integers(len(scores), size=(len(scores), resamples))]  # [runs, resamples, trials]
    centers, errors = _mean_with_error(drawn, trimmed=statistic == "IQM")
    smallest = 1e-12 * (1.0 + error)  # for resamples of equal runs, whose error is 0
    low, high = np.quantile((centers - center) / np.maximum(errors, smallest), [0.025, 0.975], axis=0)
    return center - high * error, center - low * error


def _mean_with_error(scores: np.ndarray, trimmed: bool) -> tuple[np.ndarray, np.ndarray]:
    """Returns the mean or the IQM over the first axis, and its standard error."""
    number = len(scores)
    dropped = number // 4 if trimmed else 0
    kept = number - 2 * dropped
    ordered = np.sort(scores, axis=0)
    center = np.mean(ordered[dropped : number - dropped], axis=0)
    ordered[:dropped], ordered[number - dropped :] = ordered[dropped], ordered[number - dropped - 1]
    return center, np.sqrt(np.sum((ordered - np.mean(ordered, axis=0)) ** 2, axis=0) / (kept * (kept - 1)))


class Result(NamedTuple):
    """The share of intervals that contain the true value, and their median width."""

    coverage: float
    width: float


def measure(
    question: str, distribution: str, runs: int, *, trials: int, resamples: int, population: int, seed: int
) -> dict[str, dict[str, Result]]:
    """Returns results by statistic and method; trials of a block share the resampled indices, but not the scores."""
    setup, scores = QUESTIONS[question], DISTRIBUTIONS[distribution]
    generator = np.random.default_rng(seed)
    expected = dict(zip(OVER_RUNS, truth(setup, scores, population, generator), strict=True))
    ends: dict[str, dict[str, list[np.ndarray]]] = {name: {} for name in OVER_RUNS}  # [2, block] each
    for start in range(0, trials, BLOCK):
        block = min(BLOCK, trials - start)
        arms = setup.draw(scores, runs, block, generator)
        made = replicates(setup, arms, generator, resamples)
        for way, interval in FROM_REPLICATES.items():
            found = np.reshape(interval(made), (2, block, len(OVER_RUNS)))
            for index, name in enumerate(OVER_RUNS):
                ends[name].setdefault(way, []).append(found[..., index])
        for name in OVER_RUNS if question == "one game" else ():
            found_t = studentised(arms[0][0], name, generator, resamples)
            if found_t is not None:
                ends[name].setdefault("bootstrap-t", []).append(np.stack(found_t))

    return {
        name: {way: _result(np.concatenate(found, axis=1), expected[name]) for way, found in ways.items()}
        for name, ways in ends.items()
    }


def _result(ends: np.ndarray, expected: float) -> Result:
    low, high = ends
    return Result(float(np.mean((low <= expected) & (expected <= high))), float(np.median(high - low)))
