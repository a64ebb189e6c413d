"""Selects the weights that `jaxdqn play` loads from a path: a record, or the best or a typical run of a folder."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jaxdqn.play import rank_runs
from jaxdqn.spelling import did_you_mean
from jaxdqn.store import schema, store, weights

Records = dict[Path, dict[str, Any]]

_SUPPORTED = "the JSON of a run, an npz of weights, or a folder of runs"


def select(
    path: str | Path,
    *,
    game: str | None = None,
    arm: str | None = None,
    seed: int | None = None,
    typical: bool = False,
    best: bool = False,
) -> Path:
    """Returns the path of the record of the selected weights, for `weights.load`.

    Without `typical`, the run with the highest return in its last evaluation is selected, with `best` that with the
    highest return in any. Ties are broken by the mean return of all evaluations, then by algorithm and seed. Runs that
    diverged come last.

    Args:
      path: a record (JSON), weights (npz) with their record beside them, or a folder of such files, such as a study.
      game: selects only weights trained on this game.
      arm: selects only weights whose algorithm has this label.
      seed: selects only weights of the run with this seed.
      typical: selects the run whose score is nearest to the median of its arm; the median includes runs without
        weights. Ties are broken by the seed.
      best: whether the weights at the highest evaluation return of each run will be loaded, instead of the last ones.

    Returns:
      The path of a JSON record.

    Raises:
      FileNotFoundError: the path does not exist.
      ValueError: the path has no weights; no weights match; or weights of several games match, or of several arms with
        `typical`.
    """
    path = Path(path)
    records = _records(path)
    for option, value in (("game", game), ("arm", arm), ("run-seed", seed)):
        if value is not None:
            records = _filtered(path, records, option, value)
    games = sorted({str(_value(record, "game")) for record in records.values()})
    if len(games) > 1:
        raise ValueError(f"{path} has weights of several games: choose one with --game: {', '.join(games)}.")
    if len(records) == 1:
        return next(iter(records))
    if typical:
        return _typical(path, records)
    return min(records, key=lambda facts_path: _rank(facts_path, records[facts_path], best))


def _typical(path: Path, records: Records) -> Path:
    """Returns the record of the run whose score is nearest to the median of its arm."""
    arms = sorted({json.dumps([_value(record, "arm"), record.get("settings")]) for record in records.values()})
    if len(arms) > 1:
        labels = ", ".join(dict.fromkeys(str(_value(record, "arm")) for record in records.values()))
        raise ValueError(f"{path} has weights of several arms or settings: choose one with --arm: {labels}.")

    def distance(facts_path: Path) -> tuple[Any, ...]:
        found = rank_runs.standing(facts_path, records[facts_path])
        seed = schema.sort_key(_value(records[facts_path], "run-seed"))
        return (abs(found.score - found.median) if found else math.inf, seed, str(facts_path))

    return min(records, key=distance)


def _records(path: Path) -> Records:
    """Returns the records at a path that have weights, by their paths; at least one."""
    if store.exists(path):
        return _records_of_folder(path)
    if not path.exists() and path not in weights.facts_in(path.parent):
        raise FileNotFoundError(f"{path} does not exist: give {_SUPPORTED}.")
    if path.suffix == ".npz":
        in_folder = _with_weights(path.parent)
        owners = {other: record for other, record in in_folder.items() if record["weights"].get("file") == path.name}
        if not owners:
            raise ValueError(f"{path} belongs to no JSON in its folder: put the JSON of its run beside it.")
        return owners
    if path.suffix != ".json":
        raise ValueError(f"{path} is no file of weights: give {_SUPPORTED}.")
    record = weights.read(path)
    if not _has_weights(record):
        others = [other.name for other in _with_weights(path.parent)]
        listed = ", ".join(others[:3]) + (f" and {len(others) - 3} more" if len(others) > 3 else "")
        remedy = f"use {listed} in its folder" if others else weights.remedy(record)
        raise ValueError(f"{path} has no weights: {remedy}.")
    return {path: record}


def _records_of_folder(folder: Path) -> Records:
    found = _with_weights(folder, strict=True) | _with_weights(folder / "runs", strict=True)
    if found:
        return found
    studies = [str(below) for below in sorted(folder.glob("*")) if store.exists(below / "runs")]
    if studies:
        raise ValueError(f"{folder} is no folder of runs: choose one of {', '.join(studies)}.")
    number = len(weights.facts_in(folder / "runs") or weights.facts_in(folder))
    raise ValueError(f"{folder} has {number} records, none of them with weights: {weights.remedy()}.")


def _with_weights(folder: Path, *, strict: bool = False) -> Records:
    """Returns the records in a folder that have weights; a damaged record is an error only if `strict`."""
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


def _filtered(path: Path, records: Records, option: str, value: str | int) -> Records:
    kept = {facts_path: record for facts_path, record in records.items() if _value(record, option) == value}
    if not kept:
        values = {_value(record, option) for record in records.values()} - {None}
        known = list(map(str, sorted(values, key=schema.sort_key)))
        hint = did_you_mean(str(value), known)
        remedy = f"Use one of {', '.join(known)}." if known else "Omit this option."
        raise ValueError(f"{path} has no weights with --{option} {value!r}.{hint} {remedy}")
    return kept


def _value(record: Mapping[str, Any], option: str) -> Any:
    """Returns the value of a record that an option filters by, or None if the record lacks it."""
    try:
        return schema.at(record, {"game": "game.name", "arm": "algorithm", "run-seed": "seed"}[option])
    except ValueError:
        return None


def _rank(facts_path: Path, record: Mapping[str, Any], best: bool) -> tuple[Any, ...]:
    """Returns a sort key; the weights to select have the smallest key."""
    returns = rank_runs.evaluation_returns(facts_path, record)
    scores = (
        (-(max(returns) if best else returns[-1]), -sum(returns) / len(returns)) if returns else (math.inf, math.inf)
    )
    diverged = record.get("diverged_at") is not None
    order = (schema.sort_key(_value(record, "arm")), schema.sort_key(_value(record, "run-seed")), str(facts_path))
    return (diverged, *scores, *order)
