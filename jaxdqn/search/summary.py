"""The trials of a search for `jaxdqn.store.search_trials`: states, scores, progress and importance as plain numbers."""

import contextlib
import json
import pathlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from jaxdqn.search import halving, samplers
from jaxdqn.search import spec as searches
from jaxdqn.search.halving import ScoredWave
from jaxdqn.search.spec import Search
from jaxdqn.store import search_trials
from jaxdqn.study import spec

Scores = Mapping[int, Sequence[tuple[float, ...]]]  # by point, a row a rung, one number a tuning seed


def of(
    search: Search,
    points: Sequence[dict[str, Any]],
    parameters: Sequence[Mapping[str, Any]],
    waves: Sequence[ScoredWave],
    code: dict[str, Any],
) -> search_trials.Trials:
    """Returns the trials of a search.

    Args:
      search: the search.
      points: settings of each point.
      parameters: the same points as Optuna has them.
      waves: trained so far.
      code: version, commit and script.
    """
    plan = searches.plan(search)
    scores: dict[int, list[tuple[float, ...]]] = {number: [] for number in range(len(points))}
    finals: dict[int, tuple[float, ...]] = {}
    diverged, failed = halving.diverged(waves), set()
    for wave in waves:
        for number, row in zip(wave.points, wave.scores, strict=True):
            is_final, is_known = wave.rung == plan.final, bool(np.isfinite(row).all())
            if is_final and is_known:
                finals[number] = row
            elif is_known:
                scores[number].append(row)
            elif not is_final and number not in diverged:
                failed.add(number)
    waiting = halving.waiting(len(points), waves)

    def state(number: int) -> str:
        if number in diverged:
            return "diverged"
        if number in failed:
            return "failed"
        if number in waiting:
            return "waiting"
        return "complete" if len(scores[number]) == len(plan.ends) else "dropped"

    return search_trials.Trials(
        name=search.name,
        facts=json.loads(json.dumps(searches.about(search) | {"budget": search.budget})),
        ends=plan.ends,
        points=tuple(
            search_trials.Point(
                number, spec.plain_settings(settings), tuple(scores[number]), finals.get(number, ()), state(number)
            )
            for number, settings in enumerate(points)
        ),
        progress=_progress(plan, waves),
        importance=_importance(search, parameters, scores, diverged),
        code=code,
    )


def write(folder: pathlib.Path, found: search_trials.Trials) -> None:
    """Writes the trials. If they are on disk already, they stay, with the commit that trained them."""
    with contextlib.suppress(ValueError):
        if search_trials.read(folder)._replace(code=found.code) == found:
            return
    search_trials.write(folder, found)


def _progress(plan: halving.Plan, waves: Sequence[ScoredWave]) -> tuple[tuple[int, int, float], ...]:
    """Returns steps spent, best point and its score after each wave, since there is a best point."""
    spent = 0
    progress: list[tuple[int, int, float]] = []
    for wave, incumbent in zip(waves, halving.incumbents(waves), strict=True):
        spent += len(wave.points) * halving.cost(plan, wave.rung)
        progress = [] if incumbent is None else [*progress, (spent, *incumbent)]  # None: the best points diverged
    return tuple(progress)


def _importance(
    search: Search, parameters: Sequence[Mapping[str, Any]], scores: Scores, diverged: Collection[int]
) -> search_trials.Importance:
    """Returns the importance of the fields at the first rung; points that diverged have the worst score there."""
    worst = min((float(np.mean(rungs[0])) for rungs in scores.values() if rungs), default=0.0)
    known = [number for number in scores if scores[number] or number in diverged]
    means = [float(np.mean(scores[number][0])) if scores[number] else worst for number in known]
    space = samplers.distributions(search.space, searches.whole_numbers(search))
    shares = samplers.importance(space, [parameters[number] for number in known], means)
    return search_trials.Importance(searches.plan(search).ends[0], len(known), shares)
