"""Returns of a stored run, and its rank among the runs of its arm."""

import contextlib
import math
import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from jaxdqn.analysis import by_arm, divergence
from jaxdqn.store import schema, store
from jaxdqn.store.record import DamagedResult

_SCORE = "evaluation_return"


class Standing(NamedTuple):
    """Rank of a run among the runs of its arm, by the return of the last evaluation.

    Attributes:
      score: score of the run.
      rank: 1 if no other run has a higher score.
      num_runs: number of runs in the arm.
      median: median of their scores.
    """

    score: float
    rank: int
    num_runs: int
    median: float


def standing(facts_path: Path, record: Mapping[str, Any]) -> Standing | None:
    """Returns the rank of a run among the runs of its arm in the same folder.

    A run that diverged gets the score that `jaxdqn.analysis.divergence` assigns.

    Args:
      facts_path: path of the run's JSON record.
      record: contents of that record.

    Returns:
      The rank; None if the arm has no other run, if a score is missing or not finite, or if a record is damaged.
    """
    try:
        others = store.read_facts(facts_path.parent).records
        runs = [store.load(other) for other in others if _is_in_arm(other.facts, record)]
    except (OSError, DamagedResult):
        return None
    scores = {run.facts["id"]: float(by_arm.final([run], _SCORE)[0]) for run in divergence.as_worst(runs)}
    own = scores.get(facts_path.stem)
    if own is None or len(scores) < 2 or not all(map(math.isfinite, scores.values())):
        return None
    rank = 1 + sum(score > own for score in scores.values())
    return Standing(own, rank, len(scores), statistics.median(scores.values()))


def evaluation_returns(facts_path: Path, record: Mapping[str, Any]) -> list[float]:
    """Returns the finite evaluation returns of a run, in order; without curves, the `score` in its record."""
    returns = [record.get("score")]
    if "curves" in record:
        # Playing needs weights only, so missing or damaged curves are no error.
        with contextlib.suppress(DamagedResult):
            run = store.find(facts_path.parent, facts_path.stem)
            returns = run.curves["evaluation_return"].tolist() if run and "evaluation_return" in run.curves else []
    return [float(value) for value in returns if isinstance(value, int | float) and abs(value) < 1e30]


def _is_in_arm(facts: Mapping[str, Any], record: Mapping[str, Any]) -> bool:
    """Returns whether a run belongs to the arm of `record` and has evaluation returns."""
    same = ("game", "algorithm", "settings", "configuration", "steps", "evaluation")
    is_same = all(schema.without_none(facts.get(key)) == schema.without_none(record.get(key)) for key in same)
    return is_same and _SCORE in facts["curves"]["names"]
