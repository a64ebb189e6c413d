"""Which of many runs are meant: fields of their facts by dotted path or by last name, and conditions on them.

A field is any fact of the record, `evaluation.every`, and of the configuration, `configuration.learning_rate`. It may
be named by the end of its path as far as that is unambiguous, `learning_rate`. A part of the configuration, such as
`optimizer`, is known by its type and a game by its name.
"""

import difflib
import json
import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxdqn.store import schema, store
from jaxdqn.store.record import DamagedResult, Record

SCORE = "score"  # a field that is not among the facts: it costs opening the curves
_CURVE = "evaluation_return"
_ARRAYS = ("file", "sha256", "names", "shapes")  # what a record says about its arrays
_ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class Described(NamedTuple):
    """A record with the values of its fields by dotted path."""

    record: Record
    fields: dict[str, Any]


class Condition(NamedTuple):
    """What a field is compared with, and how: `learning_rate`, `<=`, `0.001`."""

    field: str
    comparison: str
    value: str


def folders(path: str | Path) -> tuple[Path, ...]:
    """Returns the folders of runs at a path: of a study's folder, of a folder of studies, or the one that it is.

    Raises:
      FileNotFoundError: if there is no such folder.
      ValueError: if it holds no runs.
    """
    path = Path(path)
    if not path.is_dir():
        raise FileNotFoundError(f"{path} is no folder: give that of a study, or one that holds several.")
    if (path / "runs").is_dir():
        return (path / "runs",)
    of_studies = tuple(sorted(runs for runs in path.glob("*/runs") if runs.is_dir()))
    if not of_studies and not any(path.glob("*.json")):
        raise ValueError(f"{path} holds no runs: give the folder of a study, or one that holds several.")
    return of_studies or (path,)


def read(path: str | Path) -> store.Records:
    """Returns the facts of all runs at a path, folder by folder, and what is damaged.

    Raises:
      FileNotFoundError, ValueError: as `folders`.
    """
    found = [store.read_facts(folder) for folder in folders(path)]
    return store.Records(
        tuple(record for records in found for record in records.records),
        tuple(problem for records in found for problem in records.damaged),
    )


def describe(record: Record) -> Described:
    """Returns a record with its fields; two are derived: `settings`, a text, and how the run `ended`."""
    fields = schema.leaves(record.facts) | _parts(record.facts)
    settings = record.facts["settings"]
    fields["settings"] = ", ".join(f"{name} {_short(value)}" for name, value in sorted(settings.items()))
    fields["ended"] = _ended(record.facts)
    return Described(record, fields)


def with_score(described: Described) -> Described:
    """Returns a described record with its `score`, the last evaluation return.

    It is None if the run crashed or diverged, or has none that is finite; one whose curves cannot be trusted `ended` as
    damaged.
    """
    record, fields = described
    if _ended(record.facts) != "finished" or _CURVE not in record.facts["curves"]["names"]:
        return Described(record, fields | {SCORE: None})
    try:
        last = store.curve(record, _CURVE)[-1:]  # [1], or [0] of a record that is not what it says
    except DamagedResult:
        return Described(record, fields | {SCORE: None, "ended": "damaged"})
    return Described(record, fields | {SCORE: float(last[0]) if np.isfinite(last).any() else None})


def condition(text: str) -> Condition:
    """Returns the condition that a text such as `learning_rate<=0.001` states.

    Raises:
      ValueError: if it states none.
    """
    found = re.fullmatch(r"\s*([^=<>!]+?)\s*(<=|>=|!=|=|<|>)\s*(.*?)\s*", text, re.DOTALL)
    if not found:
        raise ValueError(f"{text!r} is no condition: write FIELD=VALUE, or one of != < <= > >= instead of =.")
    return Condition(*found.groups())


def resolve(name: str, known: Iterable[str]) -> str:
    """Returns the dotted path of a field.

    Args:
      name: the path, or the end of it. A fact comes before a field of the configuration of that name, and that
        before one deeper in it.
      known: all paths there are.

    Raises:
      ValueError: if there is no such field, with those of a similar name; or if there are several.
    """
    known = set(known) | {SCORE}
    for path in (name, f"configuration.{name}"):
        if path in known:
            return path
    # A setting is a field of the configuration once more, and names of arrays are nobody's search.
    ends = sorted(path for path in known if path.endswith(f".{name}") and not path.startswith("settings."))
    ends = [path for path in ends if path.split(".")[1] not in _ARRAYS]
    if len(ends) == 1:
        return ends[0]
    if ends:
        raise ValueError(f"{name!r} is ambiguous: choose one of {', '.join(ends)}.")
    last_names = {path.removeprefix("configuration."): None for path in sorted(known)}
    last_names |= {path.rpartition(".")[2]: None for path in sorted(known)}
    close = difflib.get_close_matches(name, last_names, n=3)
    hint = f"did you mean {' or '.join(close)}?" if close else "fields are those of a run's JSON, by dotted path."
    raise ValueError(f"no run has a field {name!r}: {hint}")


def select(described: Sequence[Described], conditions: Iterable[Condition]) -> list[Described]:
    """Returns the records that meet all conditions. A run that lacks a field meets no condition on it.

    Args:
      described: any records; their scores are looked up only if a condition needs them, and then last.
      conditions: on any of their fields.

    Raises:
      ValueError: if a field is not known, or numbers are compared with something else by size.
    """
    known = paths(described)
    resolved = [wanted._replace(field=resolve(wanted.field, known)) for wanted in conditions]
    kept = list(described)
    for wanted in sorted(resolved, key=lambda wanted: wanted.field == SCORE):
        if wanted.field == SCORE:
            kept = [with_score(one) for one in kept]
        kept = [one for one in kept if wanted.field in one.fields and meets(one.fields[wanted.field], wanted)]
    return kept


def paths(described: Iterable[Described]) -> tuple[str, ...]:
    """Returns all dotted paths of fields, in order of first appearance."""
    return tuple(dict.fromkeys(path for one in described for path in one.fields))


def meets(value: Any, wanted: Condition) -> bool:
    """Returns whether the value of a field meets a condition: numbers as numbers, everything else as text.

    Raises:
      ValueError: if a number is to be compared by size with something else.
    """
    if wanted.comparison in ("=", "!="):
        return _equals(value, wanted.value) == (wanted.comparison == "=")
    compare = _ORDERS[wanted.comparison]
    if isinstance(value, int | float) and not isinstance(value, bool):
        number = _number(wanted.value)
        if number is None:
            raise ValueError(f"{''.join(wanted)} compares numbers: {wanted.value!r} is none.")
        return compare(value, number)
    return isinstance(value, str) and compare(value, wanted.value)  # such as dates


def _equals(value: Any, text: str) -> bool:
    if value is None:
        return text.lower() in ("none", "null")
    if isinstance(value, str):
        return value == text
    if isinstance(value, bool):
        return text.lower() == str(value).lower()
    if isinstance(value, int | float):
        return value == _number(text)
    try:
        return bool(value == json.loads(text))
    except ValueError:
        return False


def _number(text: str) -> int | float | None:
    for kind in (int, float):  # an integer beyond 2^53 is no float
        try:
            return kind(text)
        except ValueError:
            continue
    return None


def _parts(facts: Mapping[str, Any], path: str = "") -> dict[str, str]:
    """Returns by dotted path what the dictionaries within facts are known by: a type or a name."""
    found: dict[str, str] = {}
    for key, value in facts.items():
        if isinstance(value, dict):
            below = f"{path}.{key}" if path else key
            known_by = value.get("type", value.get("name"))
            found |= {below: known_by} if isinstance(known_by, str) else {}
            found |= _parts(value, below)
    return found


def _short(value: Any) -> str:
    if isinstance(value, dict):
        return str(value.get("type", json.dumps(value)))
    return str(value)


def _ended(facts: Mapping[str, Any]) -> str:
    if schema.crashed(facts):
        return "crashed"
    return "finished" if facts["diverged_at"] is None else "diverged"
