"""Successive halving as pure functions: the points of a search to train next, and the points to promote.

Li et al. (2018), "Hyperband", Section 3, for points that arrive one after another. A point is one setting of the
hyperparameters. It has one run for each seed; the runs of a point are trained, scored and dropped together. A rung is a
part of the training of a run: rung 0 ends after the first few environment steps, the last rung at the end of the run.
At the end of a rung points are scored, and the best are promoted: they are trained to the end of the next rung.

Points that wait for the same rung and share a compiled program form one queue, until they fill a wave: points that are
trained side by side. New points are suggested when no queue is full.

The highest of many noisy means is partly luck. So the budget may end with a final: the points with the highest means
are run with seeds that had no part in their selection, and the scores on these seeds alone decide.

The list of waves is the whole state. The next step follows from it, so that an interrupted search continues as if it
had not been interrupted.
"""

from collections.abc import Callable, Hashable, Sequence
from typing import NamedTuple

import numpy as np

from jaxdqn.analysis import resampling, statistics

Rule = Callable[[np.ndarray, float, Sequence[float]], list[int]]  # as `best`


class Plan(NamedTuple):
    """The schedule of training.

    Attributes:
      ends: environment steps of a run at the end of each rung, where points are scored; the last is the whole run.
      share: of the points of a rung that are promoted to the next.
      batch: points of a wave.
      num_seeds: runs of a point.
      rule: selects the points of a wave to promote: `best` or `best_or_undecided`.
      finalists: points of the final.
      num_final_seeds: runs of each of them; without any there is no final.
    """

    ends: tuple[int, ...]
    share: float
    batch: int
    num_seeds: int
    rule: Rule
    finalists: int = 0
    num_final_seeds: int = 0

    @property
    def final(self) -> int:
        """Returns the number of the final as a rung: the one after the last."""
        return len(self.ends)


class ScoredWave(NamedTuple):
    """A wave of points that were trained side by side to the end of a rung, and their scores.

    Attributes:
      rung: 0 for the first, `Plan.final` for the final.
      points: the numbers of the points.
      scores: one row for each point, with one score for each seed; NaN if a point could not be trained. A diverged run
        scores minus infinity (`jaxdqn.analysis.divergence`), so its point ranks below every point without a diverged
        run.
      kept: numbers of the points promoted to the next rung.
    """

    rung: int
    points: tuple[int, ...]
    scores: tuple[tuple[float, ...], ...]
    kept: tuple[int, ...]


class Train(NamedTuple):
    """The next step: train these points to the end of this rung."""

    rung: int
    points: tuple[int, ...]


class Ask(NamedTuple):
    """The next step: ask for a new point."""


def best(scores: np.ndarray, share: float, earlier: Sequence[float] = ()) -> list[int]:
    """Returns the rows to promote: those in the best share of the wave and in the best share of all points so far.

    So a wave of poor points promotes fewer, but the best point so far is always promoted. Points are compared by their
    mean over seeds; of equal means the first ranks higher. Points without a score, or with a diverged run, are dropped.

    Args:
      scores: `[points, seeds]`.
      share: of the points; one point of the wave may be promoted even if this is less than one.
      earlier: means of all points that reached this rung before.
    """
    means = _or_worst(statistics.mean(scores.T))
    ranking = np.argsort(-means, kind="stable")[: max(1, _part(share, len(means)))]
    every = np.sort([*means, *_or_worst(earlier)])[::-1]
    cut = every[max(1, _part(share, len(every))) - 1]
    return [int(row) for row in ranking if means[row] >= cut and means[row] > -np.inf]


def best_or_undecided(
    scores: np.ndarray, share: float, earlier: Sequence[float] = (), *, confidence: float = 0.9
) -> list[int]:
    """Returns the rows to promote: those of `best`, and those that do not differ significantly from the last of them.

    A point differs if the bootstrap interval of its mean difference, paired by seed, lies below zero. With fewer than
    three seeds there is no interval, so that no point differs. At most as many again as `best` returns are added.
    """
    kept = best(scores, share, earlier)
    means = _or_worst(statistics.mean(scores.T))
    rest = [int(row) for row in np.argsort(-means, kind="stable") if row not in kept and means[row] > -np.inf]
    undecided = []
    for row in rest[: len(kept)]:
        difference = scores[row] - scores[kept[-1]]
        interval = resampling.interval(difference, statistics.mean, np.random.default_rng(0), confidence=confidence)
        undecided += [] if interval.high < 0.0 else [row]
    return kept + undecided


def promoted(
    plan: Plan, rung: int, points: Sequence[int], scores: np.ndarray, waves: Sequence[ScoredWave]
) -> list[int]:
    """Returns the points of a wave to promote to the next rung; none from the last rung or the final.

    Args:
      plan: the schedule.
      rung: whose end the wave has reached.
      points: their numbers.
      scores: `[points, seeds]`.
      waves: before this one.
    """
    if rung >= plan.final - 1:
        return []
    earlier = [mean for wave in waves if wave.rung == rung for mean in means(wave)]
    return [points[row] for row in plan.rule(scores, plan.share, earlier)]


def waiting(num_points: int, waves: Sequence[ScoredWave]) -> dict[int, int]:
    """Returns the rung that each point waits for; points that are dropped or done are left out."""
    rungs = dict.fromkeys(range(num_points), 0)
    for wave in waves:
        for point in wave.points:
            rungs.pop(point, None)  # finalists are done already
        rungs |= dict.fromkeys(wave.kept, wave.rung + 1)
    return rungs


def spent(plan: Plan, waves: Sequence[ScoredWave]) -> int:
    """Returns the environment steps of all runs of all waves."""
    return sum(len(wave.points) * cost(plan, wave.rung) for wave in waves)


def cost(plan: Plan, rung: int) -> int:
    """Returns the environment steps of one point in a rung or the final, over its seeds."""
    if rung == plan.final:
        return plan.num_final_seeds * plan.ends[-1]
    return plan.num_seeds * (plan.ends[rung] - (plan.ends[rung - 1] if rung else 0))


def expected(plan: Plan, rung: int) -> float:
    """Returns the expected environment steps of a point that waits for a rung, if `share` is promoted at each rung."""
    return sum(cost(plan, later) * plan.share ** (later - rung) for later in range(rung, len(plan.ends)))


def following(plan: Plan, groups: Sequence[Hashable], waves: Sequence[ScoredWave], budget: int) -> Ask | Train | None:
    """Returns the next step; None at the end of the budget.

    First, a full queue is trained, the highest rung first. Second, a new point is suggested, as long as the budget
    covers the expected steps of the waiting points, and all steps of a new one. Third, waiting points are trained in
    waves that are not full, the lowest rung first, so that promoted points can join those above; if the budget is
    short, only the best. Last comes the final; its budget is reserved, as if no finalist had been in one before.

    Args:
      plan: the schedule.
      groups: for each point so far a key that is equal for points with one compiled program.
      waves: so far.
      budget: environment steps of all runs.
    """
    left = budget - spent(plan, waves) - cost_of_final(plan)
    rungs = waiting(len(groups), waves)
    queues: dict[tuple[int, Hashable], list[int]] = {}
    for point, rung in sorted(rungs.items()):
        queues.setdefault((rung, groups[point]), []).append(point)
    full = [queue for queue in queues if len(queues[queue]) >= plan.batch]
    for queue in sorted(full, key=lambda queue: -queue[0]):
        if plan.batch * cost(plan, queue[0]) <= left:
            return Train(queue[0], tuple(queues[queue][: plan.batch]))
    committed = sum(expected(plan, rung) for rung in rungs.values())
    if not full and committed + plan.num_seeds * plan.ends[-1] <= left:
        return Ask()
    for queue in sorted(queues, key=lambda queue: queue[0]):
        number = min(plan.batch, int(left // cost(plan, queue[0])))
        if number > 0:
            known = {point: mean for wave in waves for point, mean in scored(wave)}
            ranking = sorted(queues[queue], key=lambda point: (-known.get(point, 0.0), point))
            return Train(queue[0], tuple(sorted(ranking[:number])))
    return _final(plan, groups, waves, budget)


def cost_of_final(plan: Plan) -> int:
    """Returns the environment steps of all runs of the final."""
    return plan.finalists * cost(plan, plan.final)


def _final(plan: Plan, groups: Sequence[Hashable], waves: Sequence[ScoredWave], budget: int) -> Train | None:
    """Returns the finalists of one program to train next; None if none is left that the budget covers."""
    if not plan.num_final_seeds:
        return None
    held = {point for wave in waves if wave.rung == plan.final for point in wave.points}
    left = [point for point in _ranking(plan, waves)[: plan.finalists] if point not in held]
    left = left[: max(0, (budget - spent(plan, waves)) // cost(plan, plan.final))]
    alike = [point for point in left if groups[point] == groups[left[0]]]
    return Train(plan.final, tuple(sorted(alike))) if alike else None


def _ranking(plan: Plan, waves: Sequence[ScoredWave]) -> list[int]:
    """Returns the points trained to the end, the highest mean over tuning seeds first."""
    last = [wave for wave in waves if wave.rung == plan.final - 1]
    return [point for _, point in sorted((-mean, point) for wave in last for point, mean in scored(wave))]


def incumbents(waves: Sequence[ScoredWave]) -> list[tuple[int, float] | None]:
    """Returns the best point after each wave, with its score: the highest mean among points at the highest rung.

    The final is the highest rung, and its mean counts alone. A point with a diverged run, even in the final, is left
    out. The entry is None while no point was trained without diverging.
    """
    found: list[tuple[int, float] | None] = []
    seen: list[tuple[int, float, int]] = []  # rung, mean, minus the number: of equal means the earlier point wins
    for number, wave in enumerate(waves, start=1):
        seen += [(wave.rung, mean, -point) for point, mean in scored(wave)]
        out = diverged(waves[:number])
        top = max((one for one in seen if -one[2] not in out), default=None)
        found.append((-top[2], top[1]) if top else None)
    return found


def diverged(waves: Sequence[ScoredWave]) -> set[int]:
    """Returns the points with a diverged run in any wave."""
    return {point for wave in waves for point, mean in zip(wave.points, means(wave), strict=True) if mean == -np.inf}


def scored(wave: ScoredWave) -> list[tuple[int, float]]:
    """Returns the points of a wave that were trained without diverging, with their means."""
    return [(point, mean) for point, mean in zip(wave.points, means(wave), strict=True) if np.isfinite(mean)]


def means(wave: ScoredWave) -> list[float]:
    """Returns the mean over seeds of each point of a wave."""
    return statistics.mean(np.array(wave.scores).T).tolist()


def _or_worst(means: np.ndarray | Sequence[float]) -> np.ndarray:
    """Returns the means, with minus infinity for points that could not be trained."""
    return np.nan_to_num(np.array(means, np.float64), nan=-np.inf, posinf=np.inf, neginf=-np.inf)


def _part(share: float, number: int) -> int:
    return int(share * number + 1e-9)  # a third of three is one
