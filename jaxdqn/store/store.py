"""The store: one immutable record per run, written once and read many times.

A run is a game, an algorithm, a configuration and a seed. In the folder of a study's runs it is these files:

    <id>-<content>.npz           curves: 1-D arrays of equal length, one value per evaluation period
    <id>-<content>.<kind>.npz    attachments: arrays of any shape that few readers want, such as `episodes`, `weights`
    <id>.json                    facts: everything else, with the names and the sha256 of the other files

The facts are written last, and their presence makes the run complete. Arrays are named after their content too, so
that of two writers racing for one run each has its own, and the one whose facts come first wins whole. Nothing is
ever overwritten, and an interruption leaves arrays without facts or a temporary file, neither of which is a result.
The next write of that run removes the former, any write the latter once it is a day old.

A finished study can be packed (`jaxdqn.store.packing`): its runs are then in an archive beside the folder
(`jaxdqn.store.archive`), and the folder holds the runs written since. Every function here takes both alike.
"""

import contextlib
import hashlib
import json
import re
from collections.abc import Callable, Collection, Mapping, Set
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from jaxdqn.store import archive, arrays, files, loose, schema
from jaxdqn.store.arrays import Arrays
from jaxdqn.store.record import (
    DamagedResult,
    Record,
    Run,
    arrays_of,
    description,
    facts_at,
    kinds_in,
    not_whole,
    refuse_constant,
    run_at,
    suffix,
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
    return _put(folder / f"{record['id']}.json", *loose.content(record, stored))


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
        packed = {}
        for kind in ("curves", *kinds_in(record)):
            digest, name = record[kind]["sha256"], record[kind]["file"]
            if name != f"{id}-{digest[:8]}{suffix(kind)}" or hashlib.sha256(contents[name]).hexdigest() != digest:
                raise ValueError(f"its {kind} are not what was written")
            packed[name] = contents[name]
        if record["id"] != id:
            raise ValueError(f"it is the run {record['id']}")
    except (ValueError, KeyError, TypeError, RecursionError) as problem:
        raise not_whole(path, problem) from problem
    return _put(path, contents[path.name], packed)


def exists(folder: Path) -> bool:
    """Returns whether there is such a folder of runs, or its archive."""
    return folder.is_dir() or archive.files_of(folder).runs.is_file()


def ids(folder: str | Path) -> frozenset[str]:
    """Returns the identifiers of all complete runs of a folder, loose and packed; none if it is missing.

    Raises:
      OSError: if the archive cannot be read.
    """
    return frozenset(loose.ids(Path(folder))) | _packed(Path(folder))


def folders(path: str | Path) -> tuple[Path, ...]:
    """Returns the folders of runs at a path: that of a study, those of a folder of studies, or the path itself.

    A study that is packed need not have its folder of runs any more.

    Raises:
      FileNotFoundError: if there is no such folder.
      ValueError: if it holds no runs.
    """
    path = Path(path)
    if not path.is_dir() and not exists(path):
        raise FileNotFoundError(f"{path} is no folder: give that of a study, or one that holds several.")
    if exists(path / "runs"):
        return (path / "runs",)
    of_studies = tuple(study / "runs" for study in sorted(path.glob("*")) if exists(study / "runs"))
    if not of_studies and not archive.files_of(path).runs.is_file() and not loose.ids(path):
        raise ValueError(f"{path} holds no runs: give the folder of a study, or one that holds several.")
    return of_studies or (path,)


def find(folder: str | Path, id: str) -> Run | None:
    """Returns the run with that identifier, or None if it is not complete.

    Raises:
      DamagedResult: if its record cannot be trusted.
    """
    folder = Path(folder)
    return _either(folder, id, run_at, lambda packed: archive.run(packed, id, folder))


def find_record(folder: str | Path, id: str) -> Record | None:
    """Returns the facts of the run with that identifier, or None if it is not complete.

    Raises:
      DamagedResult: if its facts cannot be trusted.
    """
    facts = _either(Path(folder), id, facts_at, lambda packed: archive.facts(packed, id))
    return None if facts is None else Record(facts, Path(folder))


def read(folder: str | Path) -> Results:
    """Returns all runs of a folder in a fixed order, and apart from them the damaged records.

    Raises:
      FileNotFoundError: if there are neither such a folder nor its archive. An empty one has no runs.
    """
    runs, damaged = _read(Path(folder), find)
    return Results(tuple(sorted(runs, key=lambda run: order(run.facts))), damaged)


def read_facts(folder: str | Path) -> Records:
    """Returns the facts of all runs of a folder, many times faster than `read`, for it opens no arrays.

    Raises:
      FileNotFoundError: as `read`.
    """
    records, damaged = _read(Path(folder), find_record)
    return Records(tuple(sorted(records, key=lambda record: order(record.facts))), damaged)


def load(record: Record) -> Run:
    """Returns the run of a record.

    Raises:
      FileNotFoundError: if it has been deleted meanwhile.
      DamagedResult: if it cannot be trusted.
    """
    run = find(record.folder, record.facts["id"])
    if run is None:
        raise FileNotFoundError(f"Run {record.facts['id']} is no longer in {record.folder}: read the folder again.")
    return run


def curve(record: Record, name: str) -> np.ndarray:
    """Returns one curve `[P]` of a record, without unpacking the others.

    Raises:
      ValueError: if the run has no such curve, naming those it has.
      FileNotFoundError, DamagedResult: as `load`.
    """
    known = record.facts["curves"]["names"]
    if name not in known:
        raise ValueError(f"Run {record.facts['id']} has no curve {name!r}: it has {', '.join(map(str, known))}.")
    return _arrays(record.folder, record.facts, "curves", only=(name,))[name]


def attachment(run: Run, kind: str) -> Arrays:
    """Returns the arrays of a kind that were attached to a run, by name and read-only. They are read at each call.

    Raises:
      ValueError: if the run has no attachment of that kind, naming those it has, or was never stored.
      FileNotFoundError, DamagedResult: as `load`.
    """
    kinds = kinds_in(run.facts)
    if kind not in kinds:
        raise ValueError(f"Run {run.facts['id']} has no {kind!r} attached: it has {', '.join(kinds) or 'nothing'}.")
    if run.folder is None:
        raise ValueError(f"Run {run.facts['id']} was never stored: read it from its folder to get its {kind}.")
    return _arrays(run.folder, run.facts, kind)


def order(facts: Mapping[str, Any]) -> tuple[Any, ...]:
    """Returns the key by which runs are sorted: game, algorithm, settings, seed."""
    settings = tuple((field, *schema.rank(value)) for field, value in sorted(facts["settings"].items()))
    game = facts["game"]
    return (game["name"], game["version"], facts["algorithm"], settings, facts["seed"], facts["id"])


def _arrays(folder: Path, facts: Mapping[str, Any], kind: str, only: Collection[str] | None = None) -> Arrays:
    """Returns the arrays of a kind that the facts of a run describe, or only those with these names."""
    held = "names" if kind == "curves" else "shapes"
    id = facts["id"]
    found = _either(
        folder,
        id,
        lambda path: arrays_of(path, kind, description(path, facts, kind, held), only),
        lambda packed: archive.arrays_of(packed, id, kind, facts),
    )
    if found is None:
        raise FileNotFoundError(f"Run {id} is no longer in {folder}: read the folder again.")
    return found


def _either(
    folder: Path, id: str, of_files: Callable[[Path], _Loaded], packed: Callable[[archive.Files], _Loaded]
) -> _Loaded | None:
    """Returns what was read of a run, loose or else packed; None if there is no such run."""
    path = folder / f"{id}.json"
    if path.exists():
        with contextlib.suppress(FileNotFoundError):  # it is packed, or moved aside to be tried again, in this moment
            try:
                return of_files(path)
            except DamagedResult:
                if path.exists():
                    raise
    files_of_archive = archive.files_of(folder)
    return packed(files_of_archive) if id in archive.ids(files_of_archive) else None


def _put(facts_path: Path, facts: bytes, packed: Mapping[str, bytes]) -> Path:
    """Puts the files of a run in place; raises CompleteAlready if the run is."""
    folder = facts_path.parent
    folder.mkdir(parents=True, exist_ok=True)
    files.remove_old_temporaries(folder)
    id = facts_path.stem
    try:
        if facts_path.exists() or id in _packed(folder):
            raise FileExistsError
        loose.put(facts_path, facts, packed)
    except FileExistsError:
        is_loose = facts_path.exists()
        what = facts_path if is_loose else f"Run {id} of {archive.files_of(folder).runs}"
        remedy = "delete it" if is_loose else f"drop it (jaxdqn pack STUDY --drop {id})"
        raise CompleteAlready(
            f"{what} is complete already and results are never overwritten: {remedy} to run it again."
        ) from None
    return facts_path


def _packed(folder: Path) -> Set[str]:
    """Returns the identifiers of the runs in the archive of a folder; raises OSError if it cannot be read."""
    try:
        return archive.ids(archive.files_of(folder)).keys()
    except DamagedResult as problem:
        raise OSError(str(problem)) from problem


def _read(folder: Path, load: Callable[[Path, str], _Loaded | None]) -> tuple[list[_Loaded], tuple[DamagedResult, ...]]:
    """Returns what could be loaded of a folder's runs, and what is damaged."""
    if not exists(folder):
        raise FileNotFoundError(f"{folder} is not a folder of results: run the study first, or correct the path.")
    loaded, damaged = [], []
    known = dict.fromkeys(loose.ids(folder))
    try:
        known |= dict.fromkeys(archive.ids(archive.files_of(folder)))  # in the order of the rows, which is fast
    except DamagedResult as problem:
        damaged.append(problem)
    for id in known:
        try:
            found = load(folder, id)
        except DamagedResult as problem:
            damaged.append(problem)
        else:
            loaded += [] if found is None else [found]
    return loaded, tuple(damaged)


def _check_kind(kind: str, record: Mapping[str, Any]) -> None:
    if not isinstance(kind, str) or not re.fullmatch("[a-z]+", kind):
        raise ValueError(f"The kind of attachment {kind!r} must consist of lower-case letters.")
    if kind in record or kind in ("curves", *schema.OPTIONAL):
        raise ValueError(f"The kind of attachment {kind!r} is the name of a fact: choose another.")


def _whole_as_integers(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _whole_as_integers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_whole_as_integers(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
