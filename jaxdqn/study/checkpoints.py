"""Checkpoints of runs: what continues them bit for bit, in memory (`Snapshot`) and on disk (`Checkpoint`).

Files of the folder `checkpoints/` of a study or a search:

    <wave>-<step>-<random>/  the arrays of a wave at that step
    <wave>.json              its runs, step, versions and curves by name; written last, it makes the checkpoint count
    <wave>.begun             the step at which a call began runs; it is removed when all runs have ended

A wave is named after its runs. Its newest checkpoint replaces the one before; it is removed when its runs are stored.
"""

import contextlib
import hashlib
import json
import pathlib
import re
import secrets
import shutil
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxdqn.store import files
from jaxdqn.study import provenance
from jaxdqn.training import checkpoint
from jaxdqn.training.checkpoint import Unusable

_SCHEMA = 4

Provenance = tuple[dict[str, Any], ...]  # as `provenance.trained_by` returns it


class Snapshot(NamedTuple):
    """Runs of one program at one step, with all that they need to continue. R runs have P points so far.

    Attributes:
      ids: identifiers of the R runs.
      step: environment steps of each.
      state: one array a leaf, `[R, ...]`, as `Program.save` returns them.
      curves: `[R, P]` by name.
      seconds: float64 `[R, P]`, training time at each point, since the start of the run's wave.
      trained_by: for each run the code and machines that trained it.
    """

    ids: tuple[str, ...]
    step: int
    state: list[np.ndarray]
    curves: dict[str, np.ndarray]
    seconds: np.ndarray
    trained_by: tuple[Provenance, ...]


class Checkpoint(NamedTuple):
    """A snapshot on disk, without its arrays.

    Attributes:
      ids: identifiers of its runs.
      step: environment steps of each.
      versions: of the packages that trained them, by name.
      curves: names of the curves.
      trained_by: as `Snapshot` has it.
      arrays: the folder of the arrays.
    """

    ids: tuple[str, ...]
    step: int
    versions: dict[str, str]
    curves: tuple[str, ...]
    trained_by: tuple[Provenance, ...]
    arrays: pathlib.Path


def select(snapshot: Snapshot, ids: Sequence[str]) -> Snapshot:
    """Returns a copy of some runs of a snapshot, in the order of `ids`."""
    rows = [snapshot.ids.index(id) for id in ids]
    return Snapshot(
        ids=tuple(ids),
        step=snapshot.step,
        state=[values[rows] for values in snapshot.state],
        curves={name: values[rows] for name, values in snapshot.curves.items()},
        seconds=snapshot.seconds[rows],
        trained_by=tuple(snapshot.trained_by[row] for row in rows),
    )


def join(snapshots: Sequence[Snapshot]) -> Snapshot:
    """Returns one snapshot of all runs; they must have the same step, curves and shapes."""
    first = snapshots[0]
    return Snapshot(
        ids=tuple(id for one in snapshots for id in one.ids),
        step=first.step,
        state=[np.concatenate(leaves) for leaves in zip(*(one.state for one in snapshots), strict=True)],
        curves={name: np.concatenate([one.curves[name] for one in snapshots]) for name in first.curves},
        seconds=np.concatenate([one.seconds for one in snapshots]),
        trained_by=tuple(one_run for one in snapshots for one_run in one.trained_by),
    )


def write(folder: pathlib.Path, snapshot: Snapshot) -> None:
    """Writes a checkpoint in the place of the one before it.

    Raises:
      Exception: any error of the disk; the checkpoint before is still there then.
    """
    folder.mkdir(exist_ok=True)
    wave = _name(snapshot.ids)
    # The name is new each time. Otherwise it may be in use: by a damaged checkpoint of the same step, or by another
    # process that was wrongly considered dead and still writes.
    place = folder / f"{wave}-{snapshot.step}-{secrets.token_hex(4)}"
    _remove_arrays(folder, wave, keep=_arrays_of(folder / f"{wave}.json"))
    try:
        checkpoint.save(place, [*snapshot.state, *snapshot.curves.values(), snapshot.seconds])
        header = {
            "schema": _SCHEMA,
            "ids": list(snapshot.ids),
            "step": snapshot.step,
            "versions": provenance.versions(),
            "curves": list(snapshot.curves),
            "trained_by": snapshot.trained_by,
            "arrays": place.name,
        }
        files.replace(folder / f"{wave}.json", json.dumps(header).encode())
    finally:
        _remove_arrays(folder, wave, keep=_arrays_of(folder / f"{wave}.json"))


def begin(folder: pathlib.Path, ids: Sequence[str], step: int) -> bool:
    """Notes that a call begins runs at a step, and returns whether a call that was ended began them there, too.

    If the disk has no room for the note, the result is False.
    """
    path = folder / f"{_name(ids)}.begun"
    with contextlib.suppress(OSError):
        if path.exists() and path.read_text() == str(step):
            return True
        folder.mkdir(exist_ok=True)
        files.replace(path, str(step).encode())
    return False


def end(folder: pathlib.Path) -> None:
    """Removes all notes of `begin`, since all runs have ended or failed, and the folder if it is empty."""
    for path in folder.glob("*.begun"):
        path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # checkpoints of failed runs are in the folder, or there is no folder
        folder.rmdir()


def read(folder: pathlib.Path) -> tuple[Checkpoint, ...]:
    """Returns the checkpoints of a folder, those with most steps first. Unreadable ones are left out."""
    found = []
    for path in sorted(folder.glob("*.json")):
        try:
            header = json.loads(path.read_bytes())
            ids, step, name = tuple(map(str, header["ids"])), int(header["step"]), _arrays_of(path)
            versions, curves = dict(header["versions"]), tuple(map(str, header["curves"]))
            trained_by = tuple(tuple(map(dict, one_run)) for one_run in header["trained_by"])
            if header["schema"] == _SCHEMA and name is not None and _name(ids) == path.stem:
                found.append(Checkpoint(ids, step, versions, curves, trained_by, folder / name))
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return tuple(sorted(found, key=lambda found: (-found.step, -len(found.ids))))


def load(found: Checkpoint) -> Snapshot:
    """Returns the snapshot of a checkpoint.

    Raises:
      Unusable: if its arrays cannot be read or have other shapes than its runs, or if other versions of packages
        trained it: they may compute other bits, and a record names only the versions at the end.
    """
    here = provenance.versions()
    if found.versions != here:
        changed = [name for name, version in here.items() if found.versions.get(name) != version]
        raise Unusable(f"it was made with other versions of {', '.join(changed)}")
    arrays = checkpoint.restore(found.arrays)
    num_leaves = len(arrays) - len(found.curves) - 1
    if num_leaves < 1 or not found.curves:
        raise Unusable(f"it holds {len(arrays)} arrays, too few")
    state, curves, seconds = arrays[:num_leaves], arrays[num_leaves:-1], arrays[-1]
    num_runs = len(found.ids)
    is_whole = len(found.trained_by) == num_runs == len(seconds) and seconds.ndim == 2 and seconds.size > 0
    if not is_whole or any(values.shape[:1] != (num_runs,) for values in state):
        raise Unusable("its arrays have another number of runs than its list")
    if any(values.shape != seconds.shape for values in curves):
        raise Unusable("its curves have different numbers of points")
    by_name = dict(zip(found.curves, curves, strict=True))
    return Snapshot(found.ids, found.step, state, by_name, seconds, found.trained_by)


def remove(folder: pathlib.Path, ids: Sequence[str]) -> None:
    """Removes the checkpoint of a wave, if there is one."""
    wave = _name(ids)
    (folder / f"{wave}.json").unlink(missing_ok=True)
    _remove_arrays(folder, wave, keep=None)


def remove_left_over(folder: pathlib.Path) -> None:
    """Removes arrays that belong to no checkpoint and are a day old: their writers were interrupted."""
    files.remove_old_temporaries(folder)
    kept = {_arrays_of(path) for path in folder.glob("*.json")}
    for path in folder.glob("*-*"):
        if path.name not in kept and path.is_dir() and files.is_abandoned(path):
            shutil.rmtree(path, ignore_errors=True)
    for path in filter(files.is_abandoned, folder.glob("*.begun")):
        path.unlink(missing_ok=True)


def _name(ids: Sequence[str]) -> str:
    return hashlib.sha256(" ".join(ids).encode()).hexdigest()[:16]


def _arrays_of(path: pathlib.Path) -> str | None:
    """Returns the name of the folder of a checkpoint's arrays; None if the file names none of its own wave."""
    try:
        name = json.loads(path.read_bytes())["arrays"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return name if re.fullmatch(rf"{re.escape(path.stem)}-[0-9]+-[0-9a-f]+", str(name)) else None


def _remove_arrays(folder: pathlib.Path, wave: str, keep: str | None) -> None:
    """Removes the arrays of older checkpoints of a wave, and those of interrupted writers."""
    for path in folder.glob(f"{wave}-*"):
        if path.name != keep:
            shutil.rmtree(path, ignore_errors=True)
