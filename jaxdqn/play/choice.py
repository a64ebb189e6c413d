"""Which weights a path means: those of a record, or of a folder the best, or those of a typical run."""

import contextlib
import difflib
import json
import math
import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from jaxdqn.analysis import by_arm, divergence
from jaxdqn.store import schema, store, weights
from jaxdqn.store.record import DamagedResult

Records = dict[Path, dict[str, Any]]

_SCORE = "evaluation_return"


class Standing(NamedTuple):
    """Where a run stands among those of its arm, by the return of the last evaluation.

    Attributes:
      score: of the run.
      rank: 1 if no other run has a higher score.
      number: of runs of the arm.
      median: of their scores.
    """

    score: float
    rank: int
    number: int
    median: float


def choose(
    path: str | Path,
    *,
    game: str | None = None,
    arm: str | None = None,
    seed: int | None = None,
    typical: bool = False,
) -> Path:
    """Returns the path of the facts of the weights that are meant, for `weights.load`.

    Args:
      path: of facts, of arrays with their facts beside them, or of a folder: a study's, or any that holds such files.
      game: only weights trained on it.
      arm: only those whose algorithm is labelled so.
      seed: only those of the run with this seed.
      typical: of several runs that have weights, the one whose score is nearest to the median of its arm, which counts
        runs without weights too; of equally near ones the first by seed.

    Returns:
      Of a folder, the weights whose last evaluation earned most; of equals, those whose evaluations did on average, and
      then the first by algorithm and seed. Those of a run that diverged come last.

    Raises:
      FileNotFoundError: if there is nothing at the path.
      ValueError: if it has no weights, the choice leaves none, or those of several games, or of several arms where a
        typical run is meant.
    """
    path = Path(path)
    records = _records(path)
    for option, wanted in (("game", game), ("arm", arm), ("run-seed", seed)):
        if wanted is not None:
            records = _narrowed(path, records, option, wanted)
    games = sorted({str(_value(record, "game")) for record in records.values()})
    if len(games) > 1:
        raise ValueError(f"{path} holds weights of several games: choose one by --game, of {', '.join(games)}.")
    if len(records) == 1:
        return next(iter(records))
    if typical:
        return _typical(path, records)
    return min(records, key=lambda facts_path: _rank(facts_path, records[facts_path]))


def standing(facts_path: Path, record: Mapping[str, Any]) -> Standing | None:
    """Returns where a run stands among those of its arm in its folder; None if there is no other, or it has no score.

    A run that diverged counts as `jaxdqn.analysis.divergence` says.
    """
    try:
        runs = [
            store.load(other) for other in store.read_facts(facts_path.parent).records if _is_of(other.facts, record)
        ]
    except (OSError, DamagedResult):
        return None
    scores = {
        run.facts["id"]: float(by_arm.final([run], _SCORE)[0]) for run in divergence.as_worst(by_arm.completed(runs))
    }
    own = scores.get(facts_path.stem)
    if own is None or len(scores) < 2 or not all(map(math.isfinite, scores.values())):
        return None
    rank = 1 + sum(score > own for score in scores.values())
    return Standing(own, rank, len(scores), statistics.median(scores.values()))


def _typical(path: Path, records: Records) -> Path:
    """Returns the facts of the weights of the run nearest to the median of its arm."""
    arms = sorted({json.dumps([_value(record, "arm"), record.get("settings")]) for record in records.values()})
    if len(arms) > 1:
        labels = ", ".join(dict.fromkeys(str(_value(record, "arm")) for record in records.values()))
        raise ValueError(f"{path} holds weights of several arms or settings: choose one by --arm, of {labels}.")

    def distance(facts_path: Path) -> tuple[Any, ...]:
        found = standing(facts_path, records[facts_path])
        seed = schema.rank(_value(records[facts_path], "run-seed"))
        return (abs(found.score - found.median) if found else math.inf, seed, str(facts_path))

    return min(records, key=distance)


def _is_of(facts: Mapping[str, Any], record: Mapping[str, Any]) -> bool:
    """Returns whether facts are those of a run of the same arm that kept its curve."""
    same = ("game", "algorithm", "settings", "configuration", "steps", "evaluation")
    is_same = all(schema.used(facts.get(key)) == schema.used(record.get(key)) for key in same)
    return is_same and _SCORE in facts["curves"]["names"]


def _records(path: Path) -> Records:
    """Returns the facts at a path that describe weights, at least one, by their own paths."""
    if store.exists(path):
        return _of_folder(path)
    if not path.exists() and path not in weights.facts_in(path.parent):
        raise FileNotFoundError(f"{path} is not there: give a run's JSON, an npz of weights, or a folder of runs.")
    if path.suffix == ".npz":
        beside = _with_weights(path.parent)
        named_by = {other: record for other, record in beside.items() if record["weights"].get("file") == path.name}
        if not named_by:
            raise ValueError(f"{path} is named as weights by no JSON in its folder, and is nothing without one.")
        return named_by
    if path.suffix != ".json":
        raise ValueError(f"{path} holds no weights: give a run's JSON, an npz of weights, or a folder of runs.")
    record = weights.read(path)
    if not _has_weights(record):
        others = [other.name for other in _with_weights(path.parent)]
        instead = ", ".join(others[:3]) + (f" and {len(others) - 3} more" if len(others) > 3 else "")
        raise ValueError(f"{path} has no weights: {f'{instead} in its folder has' if others else weights.KEEP}.")
    return {path: record}


def _of_folder(folder: Path) -> Records:
    found = _with_weights(folder, strict=True) | _with_weights(folder / "runs", strict=True)
    if found:
        return found
    inside = [str(below) for below in sorted(folder.glob("*")) if store.exists(below / "runs")]
    if inside:
        raise ValueError(f"{folder} is no folder of runs: choose one, of {', '.join(inside)}.")
    number = len([*weights.facts_in(folder), *weights.facts_in(folder / "runs")])
    raise ValueError(f"{folder} holds {number} records and none has weights: {weights.KEEP}.")


def _with_weights(folder: Path, *, strict: bool = False) -> Records:
    """Returns the facts in a folder that describe weights; what is damaged is an error only if that is strict."""
    records = {}
    for path in weights.facts_in(folder):
        try:
            records[path] = {} if path.name.startswith(".") else weights.read(path)
        except ValueError:
            if strict:
                raise
    return {path: record for path, record in records.items() if _has_weights(record)}


def _has_weights(record: Any) -> bool:
    return isinstance(record, dict) and isinstance(record.get("weights"), dict)


def _narrowed(path: Path, records: Records, option: str, wanted: str | int) -> Records:
    kept = {facts_path: record for facts_path, record in records.items() if _value(record, option) == wanted}
    if not kept:
        values = sorted((_value(record, option) for record in records.values()), key=schema.rank)
        there = list(dict.fromkeys(map(str, values)))
        close = difflib.get_close_matches(str(wanted), there, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise ValueError(f"{path} has no weights with --{option} {wanted!r}: {hint}there are {', '.join(there)}.")
    return kept


def _value(record: Mapping[str, Any], option: str) -> Any:
    """Returns what an option narrows by, or None where the facts do not say it."""
    try:
        return schema.at(record, {"game": "game.name", "arm": "algorithm", "run-seed": "seed"}[option])
    except ValueError:
        return None


def _rank(facts_path: Path, record: Mapping[str, Any]) -> tuple[Any, ...]:
    """Returns a key by which the best weights come first."""
    returns = evaluation_returns(facts_path, record)
    scores = (-returns[-1], -sum(returns) / len(returns)) if returns else (math.inf, math.inf)
    diverged = record.get("diverged_at") is not None
    order = (schema.rank(_value(record, "arm")), schema.rank(_value(record, "run-seed")), str(facts_path))
    return (diverged, *scores, *order)


def evaluation_returns(facts_path: Path, record: Mapping[str, Any]) -> list[float]:
    """Returns what the evaluations of a run earned, or the one `score` that its facts state; only what is finite."""
    returns = [record.get("score")]
    if "curves" in record:
        # Weights are enough to play with: curves that stayed elsewhere, or cannot be trusted, say nothing.
        with contextlib.suppress(DamagedResult):
            run = store.find(facts_path.parent, facts_path.stem)
            returns = run.curves["evaluation_return"].tolist() if run and "evaluation_return" in run.curves else []
    return [float(value) for value in returns if isinstance(value, int | float) and abs(value) < 1e30]
