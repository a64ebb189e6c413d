"""What the last command wanted of a study: which cells there are to be. Derived from the study; it can be made again.

With it, `jaxdqn status` needs neither the script nor JAX.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from jaxdqn.results import files

_NAME = "study.json"
_SCHEMA = 1
_ABOUT = ("game", "algorithm", "settings", "seed")  # what is known of a cell


class Manifest(NamedTuple):
    """The cells of a study: what a person wants to know of each, by identifier."""

    name: str
    steps: int
    cells: dict[str, dict[str, Any]]


def write(folder: Path, name: str, steps: int, cells: Mapping[str, Mapping[str, Any]]) -> None:
    """Puts down what is wanted; what was wanted before is gone."""
    says = {"schema": _SCHEMA, "name": name, "steps": steps, "cells": dict(cells)}
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
