"""What the last command wanted of a study: which cells there are to be. Derived from the study; it can be made again.

With it, `jaxdqn status` needs neither the script nor JAX.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from jaxdqn.store import files
from jaxdqn.store.record import Run

_NAME = "study.json"
_SCHEMA = 1
_NAMES = ("algorithm", "settings")  # what a study calls a cell
_ABOUT = ("game", *_NAMES, "seed")  # what is known of it


class Manifest(NamedTuple):
    """The cells of a study: what a person wants to know of each, by identifier."""

    name: str
    steps: int
    cells: dict[str, dict[str, Any]]


def described(runs: Iterable[Run], wanted: Manifest) -> tuple[Run, ...]:
    """Returns those of the runs that are wanted, under the labels and settings that they are wanted under.

    A run is made once, and its record says what it was called then; a study that was extended by a field, or that calls
    an arm by another name, wants it as it stands.
    """
    return tuple(
        run._replace(facts=run.facts | {name: wanted.cells[run.facts["id"]][name] for name in _NAMES})
        for run in runs
        if run.facts["id"] in wanted.cells
    )


def write(folder: Path, wanted: Manifest) -> None:
    """Puts down what is wanted; what was wanted before is gone."""
    says = {"schema": _SCHEMA, **wanted._asdict()}
    content = json.dumps(says, separators=(",", ":")).encode()
    path = folder / _NAME
    if not path.exists() or path.read_bytes() != content:
        files.replace(path, content)


def read(folder: Path) -> Manifest:
    """Returns what was wanted.

    Raises:
      ValueError: if there is no manifest, or none that can be read.
    """
    path = folder / _NAME
    try:
        says = json.loads(path.read_bytes())
        schema = says["schema"]
        if schema != _SCHEMA:
            raise ValueError(f"{path} has schema {schema!r}: this version of jaxdqn reads schema {_SCHEMA}.")
        cells = {id: {name: about[name] for name in _ABOUT} for id, about in says["cells"].items()}
        return Manifest(str(says["name"]), int(says["steps"]), cells)
    except FileNotFoundError:
        raise ValueError(f"{path} is missing: name the study's script, or run it here once.") from None
    except (KeyError, TypeError, AttributeError, json.JSONDecodeError) as problem:
        raise ValueError(f"{path} cannot be read ({problem}): run the study's script, which makes it again.") from None
