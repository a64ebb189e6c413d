"""Reads one run from its loose files, or from the archive if the run is packed.

A loose record takes precedence over a packed record of the same run. Another process may pack or move the record at
any moment. If the loose files disappear during a read, the functions here try the archive.
"""

import contextlib
from collections.abc import Callable, Collection, Mapping, Set
from pathlib import Path
from typing import Any, TypeVar

from jaxdqn.store import archive, loose_records, record
from jaxdqn.store.arrays import Arrays
from jaxdqn.store.record import DamagedResult, Run

_Loaded = TypeVar("_Loaded")


def packed_ids(folder: Path) -> Set[str]:
    """Returns the identifiers of the runs in the archive of a folder; empty if there is no archive.

    Raises:
      OSError: the archive cannot be read.
    """
    try:
        return archive.ids(archive.files_of(folder)).keys()
    except DamagedResult as problem:
        raise OSError(str(problem)) from problem


def run(folder: Path, id: str) -> Run | None:
    """Returns the run with this identifier and its curves; None if the folder has no such complete run.

    Raises:
      DamagedResult: the record is damaged.
    """
    return _loose_or_packed(folder, id, record.run_at, lambda packed: archive.run(packed, id, folder))


def facts(folder: Path, id: str) -> dict[str, Any] | None:
    """Returns the facts of the run with this identifier; None if the folder has no such complete run.

    Raises:
      DamagedResult: the facts are damaged.
    """
    return _loose_or_packed(folder, id, record.facts_at, lambda packed: archive.facts(packed, id))


def arrays(folder: Path, facts: Mapping[str, Any], kind: str, only: Collection[str] | None = None) -> Arrays:
    """Returns arrays of a run by name, read-only.

    Args:
      folder: folder of the study's runs.
      facts: facts of the run, which describe the arrays.
      kind: `curves`, or the kind of an attachment.
      only: names of the arrays to unpack from a loose file; None unpacks all. The archive always gives all.

    Raises:
      FileNotFoundError: the run was deleted.
      DamagedResult: the arrays are damaged.
    """
    id = facts["id"]
    described_by = "names" if kind == "curves" else "shapes"
    found = _loose_or_packed(
        folder,
        id,
        lambda path: record.arrays_of(path, kind, record.description(path, facts, kind, described_by), only),
        lambda packed: archive.arrays_of(packed, id, kind, facts),
    )
    if found is None:
        raise FileNotFoundError(f"Run {id} is no longer in {folder}: read the folder again.")
    return found


def load_all(
    folder: Path, load: Callable[[Path, str], _Loaded | None]
) -> tuple[list[_Loaded], tuple[DamagedResult, ...]]:
    """Loads every run of a folder, loose and packed.

    Args:
      folder: folder of the study's runs.
      load: from folder and identifier to the loaded run; None means that the run was deleted.

    Returns:
      the loaded runs, and an error for each damaged run or for the damaged archive.
    """
    loaded, damaged = [], []
    known = dict.fromkeys(loose_records.ids(folder))
    try:
        known |= dict.fromkeys(archive.ids(archive.files_of(folder)))  # the order of the rows is the fastest
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


def _loose_or_packed(
    folder: Path,
    id: str,
    load_loose: Callable[[Path], _Loaded],
    load_packed: Callable[[archive.Files], _Loaded],
) -> _Loaded | None:
    """Returns what `load_loose` reads at the path of the facts, or what `load_packed` reads from the archive.

    Returns None if the folder has no such run.
    """
    path = folder / f"{id}.json"
    if path.exists():
        with contextlib.suppress(FileNotFoundError):  # another process packs the run, or moves it, in this moment
            try:
                return load_loose(path)
            except DamagedResult:
                if path.exists():
                    raise
    packed = archive.files_of(folder)
    return load_packed(packed) if id in archive.ids(packed) else None
