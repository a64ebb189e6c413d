"""Selects the stored runs for a command: all runs at a path, or only runs with given values of fields.

A field is any fact of a run, named by its dotted path, such as `evaluation.every`. `configuration.` may be omitted, as
in `learning_rate`. The value of a part of the configuration is its type, `optimizer=Adam`; that of a game is its name.
"""

import contextlib
import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from jaxdqn.analysis import failed_runs, settings_of_runs
from jaxdqn.spelling import did_you_mean
from jaxdqn.store import schema, store
from jaxdqn.store.record import DamagedResult, Record, Run

R = TypeVar("R", Record, Run)


def read(path: str | Path) -> store.Records:
    """Returns the facts of all runs at a path, study by study, and the damaged records.

    Raises:
      FileNotFoundError, ValueError: as `jaxdqn.store.store.folders`.
    """
    found = [store.read_facts(folder) for folder in store.folders(path)]
    return store.Records(
        tuple(record for records in found for record in records.records),
        tuple(problem for records in found for problem in records.damaged),
    )


def num_failed(path: str | Path) -> int:
    """Returns the number of failed runs at a path, which have no record; `read` reports studies that are damaged.

    Raises:
      FileNotFoundError, ValueError: as `jaxdqn.store.store.folders`.
    """
    number = 0
    for folder in store.folders(path):
        with contextlib.suppress(DamagedResult, OSError):
            number += len(failed_runs.read(folder.parent))
    return number


def fields(records: Sequence[R]) -> list[dict[str, Any]]:
    """Returns the facts of each run by dotted path, and two more fields.

    `settings` is a text: the settings that tell the runs of a folder apart (`settings_of_runs`); `ended` is finished or
    diverged.
    """
    folders: dict[Path | None, list[int]] = {}
    for index, record in enumerate(records):
        folders.setdefault(record.folder, []).append(index)
    settings: dict[int, dict[str, Any]] = {}
    for members in folders.values():
        of_folder = settings_of_runs.of_runs([records[index].facts for index in members])
        settings |= dict(zip(members, of_folder, strict=True))
    return [_fields(record.facts, settings[index]) for index, record in enumerate(records)]


def _fields(facts: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    text = ", ".join(f"{name} {_short(value)}" for name, value in sorted(settings.items()))
    ended = "finished" if facts["diverged_at"] is None else "diverged"
    return schema.leaves(facts) | _parts(facts) | {"settings": text, "ended": ended}


def resolve(name: str, known: Collection[str]) -> str:
    """Returns the dotted path of a field.

    Raises:
      ValueError: there is no such field. The message suggests similar names.
    """
    for path in (name, f"configuration.{name}"):
        if path in known:
            return path
    names = [path.removeprefix("configuration.") for path in known if not path.startswith("settings.")]
    hint = did_you_mean(name, names) or " Fields are the facts of a run's JSON, by dotted path."
    raise ValueError(f"no run has a field {name!r}.{hint}")


def select(records: Sequence[R], conditions: Sequence[str]) -> list[R]:
    """Returns the records or runs that meet all conditions, each of the form FIELD=VALUE.

    Numbers are compared as numbers: `1e-3` equals `0.001`. Lists are written as JSON, and None as `null`.

    Raises:
      ValueError: a condition is malformed, or no run has its field.
    """
    described = fields(records)
    known = {path for of_run in described for path in of_run}
    kept = list(zip(records, described, strict=True))
    for condition in conditions:
        name, equals, value = condition.partition("=")
        if not equals or not name.strip():
            raise ValueError(f"{condition!r} is not a condition: write FIELD=VALUE, such as learning_rate=0.001.")
        path = resolve(name.strip(), known) if known else ""
        kept = [one for one in kept if path in one[1] and _equals(one[1][path], value.strip())]
    return [record for record, _ in kept]


def _equals(value: Any, text: str) -> bool:
    """Returns whether a text denotes a value: a string is written as it is, any other value as JSON."""
    if isinstance(value, str):
        return value == text
    try:
        parsed = json.loads(text.replace("_", "") if isinstance(value, int | float) else text)  # 2_000 is 2000
    except ValueError:
        return False
    return bool(parsed == value) and isinstance(parsed, bool) == isinstance(value, bool)


def _parts(facts: Mapping[str, Any], path: str = "") -> dict[str, str]:
    """Returns the type, or else the name, of each nested dictionary that has one, by dotted path."""
    found: dict[str, str] = {}
    for key, value in facts.items():
        if isinstance(value, dict):
            below = f"{path}.{key}" if path else key
            label = value.get("type", value.get("name"))
            found |= {below: label} if isinstance(label, str) else {}
            found |= _parts(value, below)
    return found


def _short(value: Any) -> str:
    if isinstance(value, dict):
        return str(value.get("type", json.dumps(value)))
    return str(value)
