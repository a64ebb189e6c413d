"""Waves under way, on disk: what a study that was interrupted goes on from.

Files of a study's folder `checkpoints/`:

    <wave>-<step>-<random>/  the arrays of the wave at that step
    <wave>.json              which cells, step, versions and arrays; written last, it makes the checkpoint count

A wave is named after its cells. Its newest checkpoint replaces the one before; when its runs are stored, it goes.
"""

import hashlib
import json
import pathlib
import re
import secrets
import shutil
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxdqn.store import files
from jaxdqn.training import checkpoint

_SCHEMA = 4


class Checkpoint(NamedTuple):
    """Where a wave was.

    Attributes:
      cells: identifiers of its members that go on, in the order of the rows of the arrays.
      step: environment steps of each.
      versions: of the packages that computed it, by name.
      makers: what made it, as `records.made` says, up to which step; several where it was taken up elsewhere.
      curves: names of the curves among the arrays, in their order.
      arrays: the folder that holds them.
    """

    cells: tuple[str, ...]
    step: int
    versions: dict[str, str]
    makers: tuple[dict[str, Any], ...]
    curves: tuple[str, ...]
    arrays: pathlib.Path


def write(
    folder: pathlib.Path,
    cells: Sequence[str],
    step: int,
    versions: Mapping[str, str],
    makers: Sequence[Mapping[str, Any]],
    curves: Sequence[str],
    arrays: Sequence[np.ndarray],
) -> None:
    """Puts a checkpoint in the place of the one before it.

    Raises:
      Exception: whatever goes wrong with a disk; the checkpoint before is still there then.
    """
    wave = _name(cells)
    # Never the place of another one: that of a damaged checkpoint of the same step, or of a process taken for dead.
    place = folder / f"{wave}-{step}-{secrets.token_hex(4)}"
    _remove_arrays(folder, wave, but=_arrays_of(folder / f"{wave}.json"))
    try:
        checkpoint.save(place, arrays)
        says = {
            "schema": _SCHEMA,
            "cells": list(cells),
            "step": step,
            "versions": dict(versions),
            "makers": list(makers),
            "curves": list(curves),
            "arrays": place.name,
        }
        files.replace(folder / f"{wave}.json", json.dumps(says).encode())
    finally:
        _remove_arrays(folder, wave, but=_arrays_of(folder / f"{wave}.json"))


def read(folder: pathlib.Path) -> tuple[Checkpoint, ...]:
    """Returns the checkpoints of a folder, those that came furthest first; what cannot be read is none."""
    found = []
    for path in sorted(folder.glob("*.json")):
        try:
            says = json.loads(path.read_bytes())
            cells, step, name = tuple(map(str, says["cells"])), int(says["step"]), _arrays_of(path)
            versions, makers = dict(says["versions"]), tuple(map(dict, says["makers"]))
            curves = tuple(map(str, says["curves"]))
            if says["schema"] == _SCHEMA and name is not None and _name(cells) == path.stem:
                found.append(Checkpoint(cells, step, versions, makers, curves, folder / name))
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return tuple(sorted(found, key=lambda found: (-found.step, -len(found.cells))))


def load(found: Checkpoint, versions: Mapping[str, str]) -> list[np.ndarray]:
    """Returns the arrays of a checkpoint.

    Args:
      found: the checkpoint.
      versions: of the packages here; others may compute other bits, and a record names only those of the end.

    Raises:
      checkpoint.Unusable: if the arrays cannot be read, or other versions made them.
    """
    if found.versions != versions:
        changed = [name for name, version in versions.items() if found.versions.get(name) != version]
        raise checkpoint.Unusable(f"it was made with other versions of {', '.join(changed)}")
    return checkpoint.restore(found.arrays)


def remove(folder: pathlib.Path, cells: Sequence[str]) -> None:
    """Removes the checkpoint of a wave, if there is one."""
    wave = _name(cells)
    (folder / f"{wave}.json").unlink(missing_ok=True)
    _remove_arrays(folder, wave, but=None)


def remove_left_over(folder: pathlib.Path) -> None:
    """Removes arrays that no checkpoint speaks of, once they are a day old: of writers that were interrupted."""
    files.remove_old_temporaries(folder)
    kept = {_arrays_of(path) for path in folder.glob("*.json")}
    for path in folder.glob("*-*"):
        if path.name not in kept and path.is_dir() and files.is_abandoned(path):
            shutil.rmtree(path, ignore_errors=True)


def _name(cells: Sequence[str]) -> str:
    return hashlib.sha256(" ".join(cells).encode()).hexdigest()[:16]


def _arrays_of(path: pathlib.Path) -> str | None:
    """Returns the name of the folder that a checkpoint speaks of, if it is one that it may: one of its own."""
    try:
        name = json.loads(path.read_bytes())["arrays"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return name if re.fullmatch(rf"{re.escape(path.stem)}-[0-9]+-[0-9a-f]+", str(name)) else None


def _remove_arrays(folder: pathlib.Path, wave: str, but: str | None) -> None:
    """Removes the arrays of older checkpoints of a wave, and what an interrupted writer left."""
    for path in folder.glob(f"{wave}-*"):
        if path.name != but:
            shutil.rmtree(path, ignore_errors=True)
