"""The store: one immutable record per run, written once and read many times.

A run is a game, an algorithm, a configuration and a seed. In the folder of a study's runs it is these files:

    <id>-<content>.npz           curves: 1-D arrays of equal length, one value per evaluation period
    <id>-<content>.<kind>.npz    attachments: arrays of any shape that few readers want, such as `episodes`, `weights`
    <id>.json                    facts: everything else, with the names and the sha256 of the other files

The facts are written last, and their presence makes the run complete. Arrays are named after their content too, so
that of two writers racing for one run each has its own, and the one whose facts come first wins whole. Nothing is
ever overwritten, and an interruption leaves arrays without facts or a temporary file, neither of which is a result.
The next write of that run removes the former, any write the latter once it is a day old.
"""

import contextlib
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from jaxdqn.store import arrays, files, schema
from jaxdqn.store.arrays import Arrays
from jaxdqn.store.record import (
    DamagedResult,
    Record,
    Run,
    again,
    arrays_of,
    bytes_of,
    description,
    facts_at,
    kinds_in,
    not_whole,
    refuse_constant,
    run_at,
    suffix,
    without_stop,
)

_Loaded = TypeVar("_Loaded")


class CompleteAlready(FileExistsError):
    """A run that is stored, which stays as it is."""


class Records(NamedTuple):
    """What a folder holds, by facts alone: the records ordered as runs are, and what is damaged."""

    records: tuple[Record, ...]
    damaged: tuple[DamagedResult, ...]


class Results(NamedTuple):
    """What a folder holds: the runs ordered by game, algorithm, settings and seed, and what is damaged."""

    runs: tuple[Run, ...]
    damaged: tuple[DamagedResult, ...]


def identifier(determinants: Mapping[str, Any]) -> str:
    """Returns the identifier of what determines a run: 16 hex digits of the sha256 of its canonical JSON.

    Canonical means that keys are sorted and that equal numbers are written equally: 1 and 1.0 are the same setting and
    give the same identifier (a whole float is written as an integer). True is not 1, and tuples are lists.

    Raises:
      ValueError: naming the field, if a value is not finite or not a plain Python value.
    """
    canonical = json.dumps(_whole_as_integers(schema.plain(determinants)), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def write(
    folder: str | Path,
    facts: Mapping[str, Any],
    curves: Mapping[str, np.ndarray],
    attachments: Mapping[str, Mapping[str, np.ndarray]] | None = None,
) -> Path:
    """Writes a run, whole or not at all, and returns the path of its facts.

    Args:
      folder: of the study's runs; made where it is missing. Its file system must have hard links.
      facts: as `jaxdqn.store.schema.REQUIRED` lists them, with `id` from `identifier`; more keys are welcome.
      curves: arrays `[P]`, `steps` (whole, increasing) among them; P >= 1 unless the run crashed. NaN says that there
        is no value.
      attachments: by kind (lower-case letters) named arrays of any shape. Floats are stored as float32, integers as
        the smallest type that holds them.

    Raises:
      CompleteAlready: if the run is, also when another writer was quicker.
      ValueError: naming what is missing or malformed; nothing has been written then.
    """
    folder = Path(folder)
    record = schema.plain(facts)
    schema.check(record)
    stored = {"curves": arrays.stored_curves(curves, may_be_empty=schema.crashed(record))}
    for kind, named in sorted((attachments or {}).items()):
        _check_kind(kind, record)
        stored[kind] = arrays.stored_attachment(kind, named)
    contents: dict[Path, bytes] = {}
    for kind, values in stored.items():
        packed = arrays.pack(values)
        digest = hashlib.sha256(packed).hexdigest()
        path = folder / f"{record['id']}-{digest[:8]}{suffix(kind)}"
        contents[path] = packed
        held = {"names": sorted(values)} if kind == "curves" else {"shapes": _shapes(values)}
        record[kind] = {"file": path.name, "sha256": digest, **held}

    written = (json.dumps(record, indent=1, allow_nan=False) + "\n").encode()
    return _put(folder / f"{record['id']}.json", written, contents)


def adopt(folder: str | Path, id: str, contents: Mapping[str, bytes]) -> Path:
    """Puts a run in its place that was written in another folder, byte for byte, and returns the path of its facts.

    Args:
      folder: of the study's runs.
      id: of the run.
      contents: of its files there, by name.

    Raises:
      CompleteAlready: if the run is.
      DamagedResult: if they are no whole run; nothing has been written then.
    """
    path = Path(folder) / f"{id}.json"
    try:
        record = schema.plain(json.loads(contents[path.name], parse_constant=refuse_constant))
        schema.check(record)
        files_of_arrays = {}
        for kind in ("curves", *kinds_in(record)):
            digest, name = record[kind]["sha256"], record[kind]["file"]
            if name != f"{id}-{digest[:8]}{suffix(kind)}" or hashlib.sha256(contents[name]).hexdigest() != digest:
                raise ValueError(f"its {kind} are not what was written")
            files_of_arrays[path.with_name(name)] = contents[name]
        if record["id"] != id:
            raise ValueError(f"it is the run {record['id']}")
    except (ValueError, KeyError, TypeError, RecursionError) as problem:
        raise not_whole(path, problem) from problem
    return _put(path, contents[path.name], files_of_arrays)


def find(folder: str | Path, id: str) -> Run | None:
    """Returns the run with that identifier, or None if it is not complete.

    Raises:
      DamagedResult: if its record cannot be trusted.
    """
    path = Path(folder) / f"{id}.json"
    with contextlib.suppress(FileNotFoundError):  # also if it is moved aside just now, to be tried again
        return run_at(path)
    return None


def read(folder: str | Path) -> Results:
    """Returns all runs of a folder in a fixed order, and apart from them the damaged records.

    Raises:
      FileNotFoundError: if there is no such folder. An empty one has no runs.
    """
    runs, damaged = _read(Path(folder), run_at)
    return Results(tuple(sorted(runs, key=lambda run: _order(run.facts))), damaged)


def read_facts(folder: str | Path) -> Records:
    """Returns the facts of all runs of a folder, many times faster than `read`, for it opens no arrays.

    Raises:
      FileNotFoundError: as `read`.
    """
    records, damaged = _read(Path(folder), lambda path: Record(facts_at(path), path.parent))
    return Records(tuple(sorted(records, key=lambda record: _order(record.facts))), damaged)


def load(record: Record) -> Run:
    """Returns the run of a record.

    Raises:
      FileNotFoundError: if it has been deleted meanwhile.
      DamagedResult: if it cannot be trusted.
    """
    return run_at(_path(record.folder, record.facts))


def curve(record: Record, name: str) -> np.ndarray:
    """Returns one curve `[P]` of a record, without unpacking the others.

    Raises:
      ValueError: if the run has no such curve, naming those it has.
      DamagedResult: if it cannot be trusted.
    """
    path = _path(record.folder, record.facts)
    described = description(path, record.facts, "curves", "names")
    if name not in described["names"]:
        known = ", ".join(map(str, described["names"]))
        raise ValueError(f"Run {record.facts['id']} has no curve {name!r}: it has {known}.")
    packed = bytes_of(path, "curves", described)
    try:
        return arrays.unpack(packed, only=(name,))[name]
    except arrays.UNREADABLE as problem:
        raise DamagedResult(path, f"holds no {name} ({without_stop(problem)})", again(path)) from problem


def attachment(run: Run, kind: str) -> Arrays:
    """Returns the arrays of a kind that were attached to a run, by name and read-only. They are read at each call.

    Raises:
      ValueError: if the run has no attachment of that kind, naming those it has, or was never stored.
      DamagedResult: if they cannot be trusted.
    """
    kinds = kinds_in(run.facts)
    if kind not in kinds:
        raise ValueError(f"Run {run.facts['id']} has no {kind!r} attached: it has {', '.join(kinds) or 'nothing'}.")
    if run.folder is None:
        raise ValueError(f"Run {run.facts['id']} was never stored: read it from its folder to get its {kind}.")
    path = _path(run.folder, run.facts)
    return arrays_of(path, kind, description(path, run.facts, kind, "shapes"))


def _put(facts_path: Path, facts: bytes, contents: Mapping[Path, bytes]) -> Path:
    """Puts the files of a run in their places, its facts last.

    Raises:
      CompleteAlready: if the run is.
    """
    folder = facts_path.parent
    folder.mkdir(parents=True, exist_ok=True)
    files.remove_old_temporaries(folder)
    if facts_path.exists():
        raise _complete_already(facts_path)
    for path, packed in contents.items():
        try:
            files.write_new(path, packed)
        except FileExistsError:
            # Arrays of an interrupted write, or of a writer racing with the same content; equal names mean equal
            # content only if nothing damaged them, so they are put in place again, which harms no reader.
            files.replace(path, packed)
    try:
        files.write_new(facts_path, facts)
    except FileExistsError:
        raise _complete_already(facts_path) from None
    finally:
        _remove_orphans(facts_path)
    return facts_path


def _read(folder: Path, load: Callable[[Path], _Loaded]) -> tuple[list[_Loaded], tuple[DamagedResult, ...]]:
    """Returns what could be loaded of a folder's records, and what is damaged."""
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is not a folder of results: run the study first, or correct the path.")
    loaded, damaged = [], []
    for path in sorted(folder.glob("*.json")):
        if path.name.startswith("."):
            continue
        try:
            loaded.append(load(path))
        except DamagedResult as problem:
            damaged.append(problem)
    return loaded, tuple(damaged)


def _path(folder: Path, facts: Mapping[str, Any]) -> Path:
    return folder / f"{facts['id']}.json"


def _check_kind(kind: str, record: Mapping[str, Any]) -> None:
    if not isinstance(kind, str) or not re.fullmatch("[a-z]+", kind):
        raise ValueError(f"The kind of attachment {kind!r} must consist of lower-case letters.")
    if kind in record or kind in ("curves", *schema.OPTIONAL):
        raise ValueError(f"The kind of attachment {kind!r} is the name of a fact: choose another.")


def _shapes(named: Arrays) -> dict[str, list[int]]:
    return {name: list(values.shape) for name, values in sorted(named.items())}


def _remove_orphans(facts_path: Path) -> None:
    """Removes arrays of interrupted or beaten writers of a run that is complete; one that is not keeps all."""
    try:
        facts = json.loads(facts_path.read_bytes())
        kept = {facts[kind]["file"] for kind in ("curves", *kinds_in(facts))}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return
    for path in facts_path.parent.glob(f"{facts_path.stem}-*.npz"):
        if path.name not in kept:
            path.unlink(missing_ok=True)


def _complete_already(path: Path) -> CompleteAlready:
    return CompleteAlready(f"{path} is complete already and results are never overwritten: delete it to run it again.")


def _whole_as_integers(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _whole_as_integers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_whole_as_integers(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _order(facts: Mapping[str, Any]) -> tuple[Any, ...]:
    settings = tuple((field, *schema.rank(value)) for field, value in sorted(facts["settings"].items()))
    game = facts["game"]
    return (game["name"], game["version"], facts["algorithm"], settings, facts["seed"], facts["id"])
