"""The facts of a run: what a record must say, and which values it may hold."""

import json
import math
import re
from collections.abc import Mapping
from types import UnionType
from typing import Any

VERSION = 1

# What every record says, by dotted path. More keys are welcome; a change of meaning raises VERSION.
REQUIRED: dict[str, type | UnionType] = {
    "schema": int,
    "id": str,  # as `jaxdqn.store.store.identifier` makes it
    "study": str,
    "game": dict,
    "game.name": str,
    "game.version": int,
    "algorithm": str,  # the label of the arm of the comparison
    "settings": dict,  # the point of the grid, value by dotted field; {} without a grid
    "configuration": dict,  # whole, with defaults
    "seed": int,
    "steps": int,  # the budget, in environment steps
    "evaluation": dict,
    "evaluation.every": int,  # environment steps
    "evaluation.episodes": int,
    "evaluation.epsilon": int | float,
    "code": dict,
    "code.jaxdqn": str,
    "code.commit": str | None,
    "versions": dict,  # of packages, by name
    "hardware": dict,
    "cost": dict,
    "cost.wall_seconds": int | float,
    "cost.compile_seconds": int | float,
    "cost.runs_at_once": int,
    "diverged_at": int | None,  # environment steps; None if every loss was finite
    "created": str,  # UTC, ISO 8601
}

# What a record may leave out; None says the same.
OPTIONAL: dict[str, type | UnionType] = {
    "crash": str | None,  # the traceback, if an error of its game ended the run before its budget
    "new_episodes_at": list | None,  # environment steps at which a resumed run could not bring its game back
    "trained_by": list | None,  # commit, machine and last step (`until`) of each part of a run that was continued
}


def check(facts: Any) -> None:
    """Returns nothing if the facts say what `REQUIRED` lists, and nothing else where `OPTIONAL` lists a key.

    Raises:
      ValueError: naming the key that is missing or has the wrong type, or a schema that is not known.
    """
    if not isinstance(facts, dict):
        raise ValueError(f"facts must be a dictionary, not {type(facts).__name__}.")
    schema = facts.get("schema")
    if schema != VERSION:
        raise ValueError(f"schema = {schema!r} is not known: this version of jaxdqn reads and writes schema {VERSION}.")
    stated = {path: kind for path, kind in OPTIONAL.items() if path in facts}
    for path, kind in (REQUIRED | stated).items():
        value = at(facts, path)
        if isinstance(value, bool) or not isinstance(value, kind):
            names = kind.__name__ if isinstance(kind, type) else str(kind)
            raise ValueError(f"{path} = {value!r} must be {names}.")
    if not re.fullmatch("[0-9a-f]{16}", facts["id"]):
        raise ValueError(f"id = {facts['id']!r} must be 16 hex digits: make it with store.identifier.")


def crashed(facts: Mapping[str, Any]) -> bool:
    """Returns whether an error of its game ended the run before its budget, so that its curves are shorter."""
    return facts.get("crash") is not None


def at(facts: Mapping[str, Any], path: str) -> Any:
    """Returns the value at a dotted path, such as `game.name`.

    Raises:
      ValueError: if there is none.
    """
    value: Any = facts
    for key in path.split("."):
        if not isinstance(value, dict) or key not in value:
            raise ValueError(f"{path} is missing.")
        value = value[key]
    return value


def leaves(facts: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    """Returns every value of nested dictionaries by dotted path; a list is one value, and an empty dictionary none."""
    found: dict[str, Any] = {}
    for key, value in facts.items():
        below = f"{path}.{key}" if path else key
        found |= leaves(value, below) if isinstance(value, dict) else {below: value}
    return found


def used(value: Any) -> Any:
    """Returns nested dictionaries without what is None.

    None says that a feature is not used. Left out, a feature that is added later keeps the results that there are.
    """
    if not isinstance(value, dict):
        return value
    return {key: used(item) for key, item in value.items() if item is not None}


def plain(value: Any, path: str = "") -> Any:
    """Returns a copy made of what JSON can say: dictionaries, lists, strings, finite numbers, booleans and None.

    Raises:
      ValueError: naming the dotted path of a value that is something else. Array scalars are refused because their
        precision is not that of the number somebody wrote: 0.001 as float32 is 0.0010000000474974513.
    """
    if isinstance(value, Mapping):
        wrong = [key for key in value if not isinstance(key, str)]
        if wrong:
            raise ValueError(f"{path or 'the top'} has the key {wrong[0]!r}: keys are strings.")
        return {key: plain(item, f"{path}.{key}" if path else key) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, f"{path}[{index}]") for index, item in enumerate(value)]
    if type(value) in (str, int, bool, type(None)):
        return value
    if type(value) is not float:
        raise ValueError(f"{path} = {value!r} is a {type(value).__name__}: convert it to a plain Python value.")
    if not math.isfinite(value):
        raise ValueError(f"{path} = {value!r} is not finite: write None where there is no value.")
    return value


def rank(value: Any) -> tuple[int, float, str]:
    """Returns a key that orders settings of any type: numbers by size, then everything else by its JSON."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return (0, value, "")  # not as a float, which has no place for every integer
    return (1, 0.0, json.dumps(value, sort_keys=True))
