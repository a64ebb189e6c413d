"""Successive halving, as pure functions: which points of a search are trained next, and which go on.

Li et al. (2018), "Hyperband", Section 3, for points that arrive one after another. A point is a setting; its seeds are
replicas of it, so that they are trained, judged and dropped together. Points that have reached the same rung and share
a compiled program wait in one room until they fill a wave. What a wave frees is filled with new points.

The best of many noisy means owes its place to chance as well. So at the end of the budget there may be a final: the
points with the highest means are run with seeds that had no part in choosing them, and only these say who wins.

All that has happened is the list of the waves. What to do next follows from it, so that a search that was interrupted
goes on as if it had not been.
"""

from collections.abc import Callable, Hashable, Sequence
from typing import NamedTuple

import numpy as np

from jaxdqn.analysis import resampling, statistics

Rule = Callable[[np.ndarray, float, Sequence[float]], list[int]]  # as `best`


class Plan(NamedTuple):
    """How points are trained.

    Attributes:
      ends: environment steps of a run at which points are judged, rung by rung; the last is the whole run.
      share: of the points of a rung that goes on to the next.
      batch: points of a wave.
      num_seeds: runs of a point.
      rule: which points of a wave go on: `best` or `best_or_undecided`.
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
        """Returns the rung that stands for the final: the one after the last."""
        return len(self.ends)


class Wave(NamedTuple):
    """Points that were trained side by side to the end of a rung.

    Attributes:
      rung: 0 for the first, `Plan.final` for the final.
      points: their numbers.
      scores: one row a point, one number a seed; NaN for a point that could not be trained, minus infinity for a run
        that diverged (`jaxdqn.analysis.divergence`): its point is worse than all without one.
      kept: numbers of those that go on to the next rung.
    """

    rung: int
    points: tuple[int, ...]
    scores: tuple[tuple[float, ...], ...]
    kept: tuple[int, ...]


class Train(NamedTuple):
    """Next, these points are to be trained to the end of this rung."""

    rung: int
    points: tuple[int, ...]


class Ask(NamedTuple):
    """Next, there is to be a new point."""


def best(scores: np.ndarray, share: float, earlier: Sequence[float] = ()) -> list[int]:
    """Returns the rows that go on: the best share of the wave, so far as it is also among the best share of all.

    So a wave of poor points sends on fewer, but the best point so far always goes on. Points are compared by their mean
    over seeds; of equal ones the first counts as better. One without a score, or with a diverged run, does not go on.

    Args:
      scores: `[points, seeds]`.
      share: at least one point of the wave may go on.
      earlier: means of all points that came to this rung before.
    """
    means = _or_worst(statistics.mean(scores.T))
    ranking = np.argsort(-means, kind="stable")[: max(1, _part(share, len(means)))]
    every = np.sort([*means, *_or_worst(earlier)])[::-1]
    cut = every[max(1, _part(share, len(every))) - 1]
    return [int(row) for row in ranking if means[row] >= cut and means[row] > -np.inf]


def best_or_undecided(
    scores: np.ndarray, share: float, earlier: Sequence[float] = (), *, confidence: float = 0.9
) -> list[int]:
    """Returns the rows that go on: the best, and those that the seeds cannot tell from the last of these.

    A point is decided if the interval of its mean difference, seed by seed, lies below zero. Fewer than
    three seeds have no interval, so that none is decided. At most as many again are kept: where nothing is known
    yet, all points are undecided.
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


def promoted(plan: Plan, rung: int, points: Sequence[int], scores: np.ndarray, waves: Sequence[Wave]) -> list[int]:
    """Returns which points of a wave go on to the next rung; none goes on from the last, nor from the final.

    Args:
      plan: how points are trained.
      rung: that the wave has reached the end of.
      points: their numbers.
      scores: `[points, seeds]`.
      waves: before this one.
    """
    if rung >= plan.final - 1:
        return []
    earlier = [mean for wave in waves if wave.rung == rung for mean in means(wave)]
    return [points[row] for row in plan.rule(scores, plan.share, earlier)]


def waiting(num_points: int, waves: Sequence[Wave]) -> dict[int, int]:
    """Returns which rung each point waits for; those that are dropped or done wait for none."""
    rungs = dict.fromkeys(range(num_points), 0)
    for wave in waves:
        for point in wave.points:
            rungs.pop(point, None)  # finalists are done already
        rungs |= dict.fromkeys(wave.kept, wave.rung + 1)
    return rungs


def spent(plan: Plan, waves: Sequence[Wave]) -> int:
    """Returns the environment steps of all runs of all waves."""
    return sum(len(wave.points) * cost(plan, wave.rung) for wave in waves)


def cost(plan: Plan, rung: int) -> int:
    """Returns the environment steps that take a point through a rung, or the final, over its seeds."""
    if rung == plan.final:
        return plan.num_final_seeds * plan.ends[-1]
    return plan.num_seeds * (plan.ends[rung] - (plan.ends[rung - 1] if rung else 0))


def expected(plan: Plan, rung: int) -> float:
    """Returns the environment steps that a point which waits for a rung will take, if its chances are as planned."""
    return sum(cost(plan, later) * plan.share ** (later - rung) for later in range(rung, len(plan.ends)))


def following(plan: Plan, groups: Sequence[Hashable], waves: Sequence[Wave], budget: int) -> Ask | Train | None:
    """Returns what to do next; None at the end of the budget.

    A room that is full is trained, the highest rung first. Then new points are asked for, as long as the budget will
    take those that wait as far as is expected, and a new one to its end. Then what waits is trained in waves that are
    not full, the lowest rung first, so that its survivors can join those above; where the budget is short, the best.
    Last there is the final, for which enough of the budget is kept back, as if no finalist had been in one before.

    Args:
      plan: how points are trained.
      groups: of each point so far, what it shares a compiled program by.
      waves: so far.
      budget: environment steps of all runs.
    """
    left = budget - spent(plan, waves) - cost_of_final(plan)
    rungs = waiting(len(groups), waves)
    rooms: dict[tuple[int, Hashable], list[int]] = {}
    for point, rung in sorted(rungs.items()):
        rooms.setdefault((rung, groups[point]), []).append(point)
    full = [room for room in rooms if len(rooms[room]) >= plan.batch]
    for room in sorted(full, key=lambda room: -room[0]):
        if plan.batch * cost(plan, room[0]) <= left:
            return Train(room[0], tuple(rooms[room][: plan.batch]))
    committed = sum(expected(plan, rung) for rung in rungs.values())
    if not full and committed + plan.num_seeds * plan.ends[-1] <= left:
        return Ask()
    for room in sorted(rooms, key=lambda room: room[0]):
        number = min(plan.batch, int(left // cost(plan, room[0])))
        if number > 0:
            known = {point: mean for wave in waves for point, mean in scored(wave)}
            ranking = sorted(rooms[room], key=lambda point: (-known.get(point, 0.0), point))
            return Train(room[0], tuple(sorted(ranking[:number])))
    return _final(plan, groups, waves, budget)


def cost_of_final(plan: Plan) -> int:
    """Returns the environment steps of all runs of the final."""
    return plan.finalists * cost(plan, plan.final)


def _final(plan: Plan, groups: Sequence[Hashable], waves: Sequence[Wave], budget: int) -> Train | None:
    """Returns which finalists are trained next, those of one program; None once all have been that can be paid for."""
    if not plan.num_final_seeds:
        return None
    held = {point for wave in waves if wave.rung == plan.final for point in wave.points}
    left = [point for point in _ranking(plan, waves)[: plan.finalists] if point not in held]
    left = left[: max(0, (budget - spent(plan, waves)) // cost(plan, plan.final))]
    alike = [point for point in left if groups[point] == groups[left[0]]]
    return Train(plan.final, tuple(sorted(alike))) if alike else None


def _ranking(plan: Plan, waves: Sequence[Wave]) -> list[int]:
    """Returns the points that were trained to the end, by their mean over tuning seeds, the best first."""
    last = [wave for wave in waves if wave.rung == plan.final - 1]
    return [point for _, point in sorted((-mean, point) for wave in last for point, mean in scored(wave))]


def incumbents(waves: Sequence[Wave]) -> list[tuple[int, float] | None]:
    """Returns the best point after each wave, and its score: of those that came furthest, the highest mean.

    Finalists came furthest, and have the mean of the final alone. A point that diverged, be it in the final, is none.
    None stands where there is no point that could be trained and did not diverge.
    """
    found: list[tuple[int, float] | None] = []
    seen: list[tuple[int, float, int]] = []  # rung, mean, minus the number: of equal ones the earlier
    for number, wave in enumerate(waves, start=1):
        seen += [(wave.rung, mean, -point) for point, mean in scored(wave)]
        out = diverged(waves[:number])
        top = max((one for one in seen if -one[2] not in out), default=None)
        found.append((-top[2], top[1]) if top else None)
    return found


def diverged(waves: Sequence[Wave]) -> set[int]:
    """Returns the points with a run that diverged, in any wave."""
    return {point for wave in waves for point, mean in zip(wave.points, means(wave), strict=True) if mean == -np.inf}


def scored(wave: Wave) -> list[tuple[int, float]]:
    """Returns the points of a wave that could be trained and did not diverge, with their means."""
    return [(point, mean) for point, mean in zip(wave.points, means(wave), strict=True) if np.isfinite(mean)]


def means(wave: Wave) -> list[float]:
    """Returns the mean over seeds of each point of a wave."""
    return statistics.mean(np.array(wave.scores).T).tolist()


def _or_worst(means: np.ndarray | Sequence[float]) -> np.ndarray:
    """Returns means where a point that could not be trained is worse than any other."""
    return np.nan_to_num(np.array(means, np.float64), nan=-np.inf, posinf=np.inf, neginf=-np.inf)


def _part(share: float, number: int) -> int:
    return int(share * number + 1e-9)  # a third of three is one
