"""The settings that tell the arms of one algorithm apart: those of the grid, and fields in which configurations differ.

Two trainings of one algorithm with two learning rates can be in one folder. They have no grid, so the learning rate of
each is a setting here: they are two arms, and figures and tables name it.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

OMITTED = "default"  # value of a field that a record omits, because it was added later and has its default


def of_runs(facts: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Returns the settings of each run, by dotted field.

    A field of the configuration is added if runs of one game, algorithm and point of the grid differ in it. It is then
    a setting of all runs that have it, so that arms of other games and algorithms can be compared by it, too. If parts
    of different types differ, the setting is the whole part.

    Args:
      facts: the facts of all runs that are shown together.
    """
    groups = [json.dumps([run["game"]["name"], run["algorithm"], run["settings"]], sort_keys=True) for run in facts]
    firsts: dict[str, Any] = {}
    differing: dict[str, set[str]] = {group: set() for group in groups}
    for group, run in zip(groups, facts, strict=True):
        first = firsts.setdefault(group, run["configuration"])
        if first != run["configuration"]:
            differing[group] |= _differing(first, run["configuration"])
    every = set().union(*differing.values())
    outermost = sorted(path for path in every if not any(path.startswith(f"{other}.") for other in every))
    return [
        run["settings"] | _values(run["configuration"], outermost, differing[group]) if every else run["settings"]
        for group, run in zip(groups, facts, strict=True)
    ]


def _differing(one: Any, other: Any, path: str = "") -> set[str]:
    """Returns the dotted fields in which two configurations differ. A missing field equals None."""
    if isinstance(one, dict) and isinstance(other, dict) and one.get("type") == other.get("type"):
        found: set[str] = set()
        for name in dict.fromkeys([*one, *other]):
            found |= _differing(one.get(name), other.get(name), f"{path}.{name}" if path else name)
        return found
    return set() if one == other else {path}


def _values(configuration: Mapping[str, Any], paths: Sequence[str], differing: Collection[str]) -> dict[str, Any]:
    """Returns the values at dotted paths. A field that the record omits is left out unless its group differs in it."""
    found = {}
    for path in paths:
        *parents, name = path.split(".")
        part: Any = configuration
        for parent in parents:
            part = part.get(parent) if isinstance(part, dict) else None
        if isinstance(part, dict) and name in part:
            found[path] = part[name]
        elif path in differing:
            found[path] = OMITTED
    return found
