"""The store writes one immutable record for each run and reads the records of a study.

A run is a game, an algorithm, a configuration and a seed. The folder of a study's runs has these files for each run:

    <id>-<content>.npz           curves: 1-D arrays of equal length, one value per evaluation period
    <id>-<content>.<kind>.npz    attachments: arrays of any shape, such as `episodes` or `weights`
    <id>.json                    facts: everything else, with the names and sha256 of the other files

The facts are written last. A run is complete if its facts exist. The name of an array file contains a hash of its
content, so two processes that write the same run never share an array file. The first process that writes the facts
completes the run. No file is overwritten. An interrupted write leaves array files without facts, or a temporary file.
Readers ignore both. The next write of the run removes such array files. Any write to the folder removes temporary files
that are a day old.

A finished study can be packed (`jaxdqn.store.packing`). The archive beside the folder (`jaxdqn.store.archive`) then
holds its runs, and the folder holds the runs written later. Every function here reads both; `jaxdqn.store.lookup`
chooses between them.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxdqn.store import archive, arrays, files, lookup, loose_records, schema
from jaxdqn.store.arrays import Arrays
from jaxdqn.store.record import DamagedResult, Record, Run, incomplete, kinds_in, refuse_constant, suffix


class CompleteAlready(FileExistsError):
    """The run is already stored; the stored run stays as it is."""


class Records(NamedTuple):
    """The facts of the runs of a folder.

    Attributes:
      records: facts of the readable runs, ordered by game, algorithm, settings and seed.
      damaged: an error for each damaged record.
    """

    records: tuple[Record, ...]
    damaged: tuple[DamagedResult, ...]


class Results(NamedTuple):
    """The runs of a folder.

    Attributes:
      runs: the readable runs, ordered by game, algorithm, settings and seed.
      damaged: an error for each damaged record.
    """

    runs: tuple[Run, ...]
    damaged: tuple[DamagedResult, ...]


def identifier(determinants: Mapping[str, Any]) -> str:
    """Returns the identifier of a run: 16 hex digits of the sha256 of the canonical JSON of its determinants.

    Canonical JSON sorts the keys and writes a whole float as an integer: 1 and 1.0 give the same identifier. True
    differs from 1. A tuple equals a list.

    Args:
      determinants: everything that determines the numbers of the run, as plain Python values.

    Raises:
      ValueError: a value is not finite or not a plain Python value; the message names its field.
    """
    canonical = json.dumps(_whole_as_integers(schema.json_value(determinants)), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def write(
    folder: str | Path,
    facts: Mapping[str, Any],
    curves: Mapping[str, np.ndarray],
    attachments: Mapping[str, Mapping[str, np.ndarray]] | None = None,
) -> Path:
    """Writes a run completely or not at all, and returns the path of its facts.

    Args:
      folder: folder of the study's runs; created if it is missing. Its file system must support hard links.
      facts: the facts that `jaxdqn.store.schema.REQUIRED` lists, with `id` from `identifier`; more keys are allowed.
      curves: arrays `[P]` by name, including `steps` (whole and increasing); P >= 1. NaN marks a missing value.
      attachments: by kind (lower-case letters), arrays of any shape by name. Floats are stored as float32, integers as
        the smallest type that holds them.

    Raises:
      CompleteAlready: the run is complete, also if another process was faster.
      ValueError: something is missing or malformed; the message names it. Nothing has been written.
    """
    folder = Path(folder)
    record = schema.json_value(facts)
    schema.check(record)
    stored = {"curves": arrays.stored_curves(curves)}
    for kind, named in sorted((attachments or {}).items()):
        schema.check_kind(kind, record)
        stored[kind] = arrays.stored_attachment(kind, named)
    return _write_files(folder / f"{record['id']}.json", *loose_records.content(record, stored))


def adopt(folder: str | Path, id: str, contents: Mapping[str, bytes]) -> Path:
    """Copies a run that was written in another folder, byte for byte, and returns the path of its facts.

    Args:
      folder: folder of the study's runs.
      id: identifier of the run.
      contents: bytes of the run's files by file name.

    Raises:
      CompleteAlready: the run is complete.
      DamagedResult: the contents are not a complete run. Nothing has been written.
    """
    path = Path(folder) / f"{id}.json"
    try:
        record = schema.json_value(json.loads(contents[path.name], parse_constant=refuse_constant))
        schema.check(record)
        packed = {}
        for kind in ("curves", *kinds_in(record)):
            digest, name = record[kind]["sha256"], record[kind]["file"]
            if name != f"{id}-{digest[:8]}{suffix(kind)}" or hashlib.sha256(contents[name]).hexdigest() != digest:
                raise ValueError(f"the content of its {kind} changed")
            packed[name] = contents[name]
        if record["id"] != id:
            raise ValueError(f"it is the run {record['id']}")
    except (ValueError, KeyError, TypeError, RecursionError) as problem:
        raise incomplete(path, problem) from problem
    return _write_files(path, contents[path.name], packed)


def exists(folder: Path) -> bool:
    """Returns whether a folder of runs or its archive exists."""
    return folder.is_dir() or archive.files_of(folder).runs.is_file()


def ids(folder: str | Path) -> frozenset[str]:
    """Returns the identifiers of all complete runs of a folder, loose and packed; empty if the folder is missing.

    Raises:
      OSError: the archive cannot be read.
    """
    return frozenset(loose_records.ids(Path(folder))) | lookup.packed_ids(Path(folder))


def folders(path: str | Path) -> tuple[Path, ...]:
    """Returns the folders of runs at a path.

    Args:
      path: folder of a study, folder of several studies, or folder of runs. The folder of runs of a packed study need
        not exist.

    Raises:
      FileNotFoundError: the path is no folder.
      ValueError: the folder holds no runs.
    """
    path = Path(path)
    if not path.is_dir() and not exists(path):
        raise FileNotFoundError(f"{path} is no folder: give the folder of a study, or of several studies.")
    if exists(path / "runs"):
        return (path / "runs",)
    of_studies = tuple(study / "runs" for study in sorted(path.glob("*")) if exists(study / "runs"))
    if not of_studies and not archive.files_of(path).runs.is_file() and not loose_records.ids(path):
        raise ValueError(f"{path} holds no runs: give the folder of a study, or of several studies.")
    return of_studies or (path,)


def find(folder: str | Path, id: str) -> Run | None:
    """Returns the run with this identifier and its curves; None if the folder has no such complete run.

    Raises:
      DamagedResult: the record is damaged.
    """
    return lookup.run(Path(folder), id)


def find_record(folder: str | Path, id: str) -> Record | None:
    """Returns the facts of the run with this identifier; None if the folder has no such complete run.

    Raises:
      DamagedResult: the facts are damaged.
    """
    facts = lookup.facts(Path(folder), id)
    return None if facts is None else Record(facts, Path(folder))


def read(folder: str | Path) -> Results:
    """Returns all runs of a folder with their curves, in a fixed order, and the errors of damaged records.

    Raises:
      FileNotFoundError: neither the folder nor its archive exists. An empty folder has no runs and is no error.
    """
    folder = _existing(folder)
    runs, damaged = lookup.load_all(folder, find)
    return Results(tuple(sorted(runs, key=lambda run: order(run.facts))), damaged)


def read_facts(folder: str | Path) -> Records:
    """Returns the facts of all runs of a folder. It is many times faster than `read`, since it reads no arrays.

    Raises:
      FileNotFoundError: as `read`.
    """
    folder = _existing(folder)
    records, damaged = lookup.load_all(folder, find_record)
    return Records(tuple(sorted(records, key=lambda record: order(record.facts))), damaged)


def load(record: Record) -> Run:
    """Returns the run of a record, with its curves.

    Raises:
      FileNotFoundError: the run was deleted.
      DamagedResult: the record is damaged.
    """
    run = find(record.folder, record.facts["id"])
    if run is None:
        raise FileNotFoundError(f"Run {record.facts['id']} is no longer in {record.folder}: read the folder again.")
    return run


def curve(record: Record, name: str) -> np.ndarray:
    """Returns one curve `[P]` of a record; the other curves are not unpacked.

    Raises:
      ValueError: the run has no such curve; the message names its curves.
      FileNotFoundError, DamagedResult: as `load`.
    """
    known = record.facts["curves"]["names"]
    if name not in known:
        raise ValueError(f"Run {record.facts['id']} has no curve {name!r}: it has {', '.join(map(str, known))}.")
    return lookup.arrays(record.folder, record.facts, "curves", only=(name,))[name]


def attachment(run: Run, kind: str) -> Arrays:
    """Returns the attached arrays of a kind by name, read-only. Each call reads them from disk.

    Raises:
      ValueError: the run has no attachment of this kind, or was never stored; the message names its attachments.
      FileNotFoundError, DamagedResult: as `load`.
    """
    kinds = kinds_in(run.facts)
    if kind not in kinds:
        raise ValueError(f"Run {run.facts['id']} has no {kind!r} attached: it has {', '.join(kinds) or 'nothing'}.")
    if run.folder is None:
        raise ValueError(f"Run {run.facts['id']} was never stored: read it from its folder to get its {kind}.")
    return lookup.arrays(run.folder, run.facts, kind)


def order(facts: Mapping[str, Any]) -> tuple[Any, ...]:
    """Returns the key that sorts runs by game, algorithm, settings and seed."""
    settings = tuple((field, *schema.sort_key(value)) for field, value in sorted(facts["settings"].items()))
    game = facts["game"]
    return (game["name"], game["version"], facts["algorithm"], settings, facts["seed"], facts["id"])


def _existing(folder: str | Path) -> Path:
    """Returns the path of a folder of runs; raises FileNotFoundError if neither the folder nor its archive exists."""
    if not exists(Path(folder)):
        raise FileNotFoundError(f"{folder} is not a folder of results: run the study first, or correct the path.")
    return Path(folder)


def _write_files(facts_path: Path, facts: bytes, packed: Mapping[str, bytes]) -> Path:
    """Writes the files of a run; raises CompleteAlready if the run is complete."""
    folder = facts_path.parent
    folder.mkdir(parents=True, exist_ok=True)
    files.remove_old_temporaries(folder)
    id = facts_path.stem
    try:
        if facts_path.exists() or id in lookup.packed_ids(folder):
            raise FileExistsError
        loose_records.put(facts_path, facts, packed)
    except FileExistsError:
        is_loose = facts_path.exists()
        name = facts_path if is_loose else f"Run {id} of {archive.files_of(folder).runs}"
        remedy = "delete it" if is_loose else f"drop it (jaxdqn pack STUDY --drop {id})"
        raise CompleteAlready(
            f"{name} is complete already and results are never overwritten: {remedy} to run it again."
        ) from None
    return facts_path


def _whole_as_integers(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _whole_as_integers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_whole_as_integers(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
