"""The manifest of a study: the cells that the last command requested.

The command derives it from the script of the study, and each command writes it again. With it, `jaxdqn status` needs
neither the script nor JAX.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from jaxdqn.store import files
from jaxdqn.store.record import Run

_NAME = "study.json"
_SCHEMA = 1
_LABELS = ("algorithm", "settings")  # the labels that a study gives to a cell
_FIELDS = ("game", *_LABELS, "seed")


class Manifest(NamedTuple):
    """The requested cells of a study.

    Attributes:
      name: name of the study.
      steps: budget of a run, in environment steps.
      cells: by identifier, game, algorithm, settings and seed.
    """

    name: str
    steps: int
    cells: dict[str, dict[str, Any]]


def requested_runs(runs: Iterable[Run], requested: Manifest) -> tuple[Run, ...]:
    """Returns the requested runs, with the labels and settings of the manifest.

    A record keeps the labels of the time of its run. The study may have renamed an arm or added a field to its grid
    since then.
    """
    return tuple(
        run._replace(facts=run.facts | {name: requested.cells[run.facts["id"]][name] for name in _LABELS})
        for run in runs
        if run.facts["id"] in requested.cells
    )


def write(folder: Path, requested: Manifest) -> None:
    """Writes the manifest of a study; it replaces the earlier one."""
    content = json.dumps({"schema": _SCHEMA, **requested._asdict()}, separators=(",", ":")).encode()
    path = path_in(folder)
    if not path.exists() or path.read_bytes() != content:
        files.replace(path, content)


def path_in(folder: Path) -> Path:
    """Returns the path of the manifest of the study in a folder."""
    return folder / _NAME


def exists(folder: Path) -> bool:
    """Returns whether a folder has a manifest."""
    return path_in(folder).is_file()


def read(folder: Path) -> Manifest:
    """Returns the manifest of the study in a folder.

    Raises:
      ValueError: there is no manifest, or it cannot be read.
    """
    path = path_in(folder)
    try:
        content = json.loads(path.read_bytes())
        schema = content["schema"]
        if schema != _SCHEMA:
            raise ValueError(f"{path} has schema {schema!r}: this version of jaxdqn reads schema {_SCHEMA}.")
        cells = {id: {name: about[name] for name in _FIELDS} for id, about in content["cells"].items()}
        return Manifest(str(content["name"]), int(content["steps"]), cells)
    except FileNotFoundError:
        raise ValueError(
            f"{folder} is no folder of a study: it has no {_NAME}. Give the script of the study, or run the study once."
        ) from None
    except (KeyError, TypeError, AttributeError, json.JSONDecodeError) as problem:
        raise ValueError(
            f"{path} cannot be read ({problem}): run the script of the study, which writes it again."
        ) from None
