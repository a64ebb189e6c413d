"""Runs that could not be made: one file each with the traceback, in a study's folder `failures/`."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from jaxdqn.store import files


class Failure(NamedTuple):
    """A run that could not be made: its identifier, whose run it is, and the traceback."""

    id: str
    about: dict[str, Any]
    traceback: str

    @property
    def reason(self) -> str:
        """Returns the last line of the traceback: the error itself."""
        return self.traceback.strip().rpartition("\n")[2]


def write(folder: Path, id: str, about: Mapping[str, Any], traceback: str) -> None:
    """Puts down a failure; the one before of the same run is gone.

    Args:
      folder: of the study's failures; made where it is missing.
      id: of the run.
      about: what a person wants to know of it: game, algorithm, settings, seed, versions.
      traceback: as Python prints it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files.replace(folder / f"{id}.json", json.dumps({"about": dict(about), "traceback": traceback}, indent=1).encode())


def read(folder: Path) -> tuple[Failure, ...]:
    """Returns the failures of a folder by identifier; what cannot be read says so as its traceback."""
    found = []
    for path in sorted(folder.glob("*.json")):
        if path.name.startswith("."):
            continue
        try:
            says = json.loads(path.read_bytes())
            found.append(Failure(path.stem, dict(says["about"]), str(says["traceback"])))
        except (OSError, ValueError, KeyError, TypeError):
            found.append(Failure(path.stem, {}, f"{path} cannot be read."))
    return tuple(found)


def forget(folder: Path, id: str) -> None:
    """Removes a failure, so that its run is made again."""
    (folder / f"{id}.json").unlink(missing_ok=True)
