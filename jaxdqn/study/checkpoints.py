"""Waves under way, on disk: what a study that was interrupted goes on from.

Files of a study's folder `checkpoints/`:

    <wave>-<step>/       the arrays of the wave at that step
    <wave>.json          which cells, which step and which arrays; it is written last, and it makes the checkpoint count

A wave is named after its cells. Its newest checkpoint replaces the one before; when its runs are stored, it goes.
"""

import hashlib
import json
import pathlib
import shutil
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from jaxdqn.results import files
from jaxdqn.training import checkpoint

_SCHEMA = 1


class Checkpoint(NamedTuple):
    """Where a wave was.

    Attributes:
      cells: identifiers of its members that go on, in the order of the rows of the arrays.
      step: environment steps of each.
      arrays: the folder that holds them.
    """

    cells: tuple[str, ...]
    step: int
    arrays: pathlib.Path


def write(folder: pathlib.Path, cells: Sequence[str], step: int, arrays: Sequence[np.ndarray]) -> None:
    """Puts a checkpoint in the place of the one before it.

    Raises:
      Exception: whatever goes wrong with a disk; the checkpoint before is still there then.
    """
    wave = _name(cells)
    place = folder / f"{wave}-{step}"
    _remove_arrays(folder, wave, but=_arrays_of(folder / f"{wave}.json"))
    try:
        checkpoint.save(place, arrays)
        says = {"schema": _SCHEMA, "cells": list(cells), "step": step, "arrays": place.name}
        files.replace(folder / f"{wave}.json", json.dumps(says).encode())
    finally:
        _remove_arrays(folder, wave, but=_arrays_of(folder / f"{wave}.json"))


def read(folder: pathlib.Path) -> tuple[Checkpoint, ...]:
    """Returns the checkpoints of a folder, those of the most cells first; what cannot be read is none."""
    found = []
    for path in sorted(folder.glob("*.json")):
        try:
            says = json.loads(path.read_bytes())
            cells, step, name = tuple(map(str, says["cells"])), int(says["step"]), _arrays_of(path)
            if says["schema"] == _SCHEMA and name is not None and _name(cells) == path.stem:
                found.append(Checkpoint(cells, step, folder / name))
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return tuple(sorted(found, key=lambda found: -len(found.cells)))


def load(found: Checkpoint) -> list[np.ndarray]:
    """Returns the arrays of a checkpoint.

    Raises:
      checkpoint.Unusable: if they cannot be read.
    """
    return checkpoint.restore(found.arrays)


def remove(folder: pathlib.Path, cells: Sequence[str]) -> None:
    """Removes the checkpoint of a wave, if there is one."""
    wave = _name(cells)
    (folder / f"{wave}.json").unlink(missing_ok=True)
    _remove_arrays(folder, wave, but=None)


def _name(cells: Sequence[str]) -> str:
    return hashlib.sha256(" ".join(cells).encode()).hexdigest()[:16]


def _arrays_of(path: pathlib.Path) -> str | None:
    """Returns the name of the folder that a checkpoint speaks of, if it is one that it may: one of its own."""
    try:
        name = json.loads(path.read_bytes())["arrays"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    stem, _, step = str(name).partition("-")
    return name if stem == path.stem and step.isdigit() else None


def _remove_arrays(folder: pathlib.Path, wave: str, but: str | None) -> None:
    """Removes the arrays of older checkpoints of a wave, and what an interrupted writer left."""
    for path in folder.glob(f"{wave}-*"):
        if path.name != but:
            shutil.rmtree(path, ignore_errors=True)
