"""The facts of a run: required keys, their types, and the values that a record may hold."""

import json
import math
import re
from collections.abc import Mapping
from types import UnionType
from typing import Any

VERSION = 1

# Keys of every record by dotted path. More keys are allowed; a change of meaning raises VERSION.
REQUIRED: dict[str, type | UnionType] = {
    "schema": int,
    "id": str,  # from `jaxdqn.store.store.identifier`
    "study": str,
    "game": dict,
    "game.name": str,
    "game.version": int,
    "algorithm": str,  # label of the arm
    "settings": dict,  # values of the grid by dotted field; {} without a grid
    "configuration": dict,  # complete, except fields that were added later and have their default
    "seed": int,
    "steps": int,  # budget, in environment steps
    "evaluation": dict,
    "evaluation.every": int,  # environment steps
    "evaluation.episodes": int,
    "evaluation.epsilon": int | float,
    "code": dict,
    "code.jaxdqn": str,
    "code.commit": str | None,
    "versions": dict,  # versions of packages by name
    "hardware": dict,
    "cost": dict,
    "cost.wall_seconds": int | float,
    "cost.compile_seconds": int | float,
    "cost.runs_at_once": int,
    "diverged_at": int | None,  # environment steps; None if every loss was finite
    "created": str,  # UTC, ISO 8601
}

# Keys that a record may omit; None means the same as a missing key.
OPTIONAL: dict[str, type | UnionType] = {
    "base_settings": str | None,  # name in `jaxdqn.settings` of the settings that the configuration was made from
    "best_step": int | None,  # environment steps at the highest evaluation return, of runs with weights
    "new_episodes_at": list | None,  # environment steps at which episodes were cut, by a resumption or an evaluation
    "trained_by": list | None,  # commit, machine and last step (`until`) of each part of a resumed run
}


def check(facts: Any) -> None:
    """Checks that facts have all keys of `REQUIRED`, and that these and keys of `OPTIONAL` have the right types.

    Raises:
      ValueError: a key is missing or has the wrong type, or the schema is unknown; the message names it.
    """
    if not isinstance(facts, dict):
        raise ValueError(f"facts must be a dictionary, not {type(facts).__name__}.")
    schema = facts.get("schema")
    if schema != VERSION:
        raise ValueError(f"schema = {schema!r} is unknown: this version of jaxdqn reads and writes schema {VERSION}.")
    present = {path: kind for path, kind in OPTIONAL.items() if path in facts}
    for path, kind in (REQUIRED | present).items():
        value = at(facts, path)
        if isinstance(value, bool) or not isinstance(value, kind):
            names = kind.__name__ if isinstance(kind, type) else str(kind)
            raise ValueError(f"{path} = {value!r} must be {names}.")
    if not re.fullmatch("[0-9a-f]{16}", facts["id"]):
        raise ValueError(f"id = {facts['id']!r} must be 16 hex digits: make it with store.identifier.")


def check_kind(kind: str, facts: Mapping[str, Any]) -> None:
    """Checks that a record with these facts can hold an attachment of this kind.

    Raises:
      ValueError: the kind does not consist of lower-case letters, or is the name of a fact.
    """
    if not isinstance(kind, str) or not re.fullmatch("[a-z]+", kind):
        raise ValueError(f"The kind of attachment {kind!r} must consist of lower-case letters.")
    if kind in facts or kind in ("curves", *OPTIONAL):
        raise ValueError(f"The kind of attachment {kind!r} is the name of a fact: choose another.")


def at(facts: Mapping[str, Any], path: str) -> Any:
    """Returns the value at a dotted path, such as `game.name`.

    Raises:
      ValueError: there is no value at this path.
    """
    value: Any = facts
    for key in path.split("."):
        if not isinstance(value, dict) or key not in value:
            raise ValueError(f"{path} is missing.")
        value = value[key]
    return value


def leaves(facts: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    """Returns the values of nested dictionaries by dotted path. A list is one value; an empty dictionary has none."""
    found: dict[str, Any] = {}
    for key, value in facts.items():
        below = f"{path}.{key}" if path else key
        found |= leaves(value, below) if isinstance(value, dict) else {below: value}
    return found


def without_none(value: Any) -> Any:
    """Returns nested dictionaries without the keys whose value is None.

    None means that a feature is not used. Identifiers leave it out, so that earlier results stay valid after a new
    version adds a feature.
    """
    if not isinstance(value, dict):
        return value
    return {key: without_none(item) for key, item in value.items() if item is not None}


def without_empty(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Returns facts without those that are empty or None, which need no place in a record."""
    return {key: value for key, value in facts.items() if value}


def json_value(value: Any, path: str = "") -> Any:
    """Returns a copy of a value in the types of JSON: dictionary, list, string, finite number, boolean and None.

    Args:
      value: the value; a tuple becomes a list.
      path: dotted path of the value, for error messages.

    Raises:
      ValueError: the value holds something else; the message names its dotted path. NaN and infinity are refused,
        because JSON has no number for them. NumPy and JAX scalars are refused, because float32 does not hold 0.001
        exactly.
    """
    if isinstance(value, Mapping):
        wrong = [key for key in value if not isinstance(key, str)]
        if wrong:
            raise ValueError(f"{path or 'the top'} has the key {wrong[0]!r}: keys are strings.")
        return {key: json_value(item, f"{path}.{key}" if path else key) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_value(item, f"{path}[{index}]") for index, item in enumerate(value)]
    if type(value) in (str, int, bool, type(None)):
        return value
    if type(value) is not float:
        raise ValueError(f"{path} = {value!r} is a {type(value).__name__}: convert it to a plain Python value.")
    if not math.isfinite(value):
        raise ValueError(f"{path} = {value!r} is not finite: use None for a missing value.")
    return value


def sort_key(value: Any) -> tuple[int, float, str]:
    """Returns a key that sorts settings of any type: numbers by size, then all other values by their JSON."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return (0, value, "")  # unconverted: a float cannot hold every integer
    return (1, 0.0, json.dumps(value, sort_keys=True))
