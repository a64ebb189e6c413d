"""Failed runs: one file per run with the traceback, in the folder `failures/` of a study.

A failed run ended with an error, of this program or of its environment, before its record was written.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from jaxdqn.store import files

_NOTE_OF_JAX = "\n--------------------\nFor simplicity, JAX"


class Failure(NamedTuple):
    """A failed run.

    Attributes:
      id: identifier of the run.
      about: game, algorithm, settings, seed and versions.
      traceback: traceback of the error, as Python prints it.
    """

    id: str
    about: dict[str, Any]
    traceback: str

    @property
    def reason(self) -> str:
        """Returns the line of the traceback that is the error."""
        return error_line(self.traceback)


def error_line(traceback: str) -> str:
    """Returns the line of a traceback that is the error, without the lines below it.

    JAX adds a note on hidden frames below its errors. An error from another process holds the traceback there, whose
    error is returned. Of a text without a traceback, the last line is returned.
    """
    lines = traceback.partition(_NOTE_OF_JAX)[0].strip().splitlines() or [""]
    starts = [number for number, line in enumerate(lines) if line.endswith("Traceback (most recent call last):")]
    if not starts:
        return lines[-1]
    below = lines[starts[-1] + 1 :]
    return next((line for line in below if line and not line[0].isspace()), lines[-1])


def write(folder: Path, id: str, about: Mapping[str, Any], traceback: str) -> None:
    """Records a failure; it replaces an earlier failure of the same run.

    Args:
      folder: folder of the study's failures; created if it is missing.
      id: identifier of the run.
      about: game, algorithm, settings, seed and versions.
      traceback: traceback of the error, as Python prints it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files.replace(folder / f"{id}.json", json.dumps({"about": dict(about), "traceback": traceback}, indent=1).encode())


def read(folder: Path) -> tuple[Failure, ...]:
    """Returns the failures of a folder, sorted by identifier. If a file cannot be read, its traceback states this."""
    found = []
    for path in sorted(folder.glob("*.json")):
        if path.name.startswith("."):
            continue
        try:
            content = json.loads(path.read_bytes())
            found.append(Failure(path.stem, dict(content["about"]), str(content["traceback"])))
        except (OSError, ValueError, KeyError, TypeError):
            found.append(Failure(path.stem, {}, f"{path} cannot be read."))
    return tuple(found)


def remove(folder: Path, id: str) -> None:
    """Removes a failure, so that the study repeats the run."""
    (folder / f"{id}.json").unlink(missing_ok=True)
