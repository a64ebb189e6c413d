"""One record: what its files are called, what they hold, and whether they can be trusted.

A record is data from outside, so nothing in it is believed: neither that it is whole, nor that its arrays are those
that were written, nor that their names stay in its folder.
"""

import hashlib
import json
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxdqn.store import arrays, schema
from jaxdqn.store.arrays import Arrays

Curves = dict[str, np.ndarray]


class Run(NamedTuple):
    """A finished run.

    Attributes:
      facts: what `jaxdqn.store.schema.REQUIRED` lists, and what the store adds: `curves` (file, sha256, names) and
        for each kind of attachment its own key (file, sha256, shapes).
      curves: read-only arrays `[P]` by name, `steps` among them: int64 for counts, else float32.
      folder: of the study's runs, where `store.attachment` finds its other arrays, loose or packed; None if the run
        was never stored.
    """

    facts: dict[str, Any]
    curves: Curves
    folder: Path | None = None


class DamagedResult(Exception):
    """A record that cannot be trusted: which file, why, and what to do about it."""

    def __init__(self, file: Path, reason: str, remedy: str) -> None:
        super().__init__(f"{file} {reason}. {remedy}")
        self.file, self.reason, self.remedy = file, reason, remedy


class Record(NamedTuple):
    """The facts of a finished run whose arrays have not been read, and the folder of the study's runs."""

    facts: dict[str, Any]
    folder: Path


def suffix(kind: str) -> str:
    """Returns how the name of a file of arrays of a kind ends."""
    return ".npz" if kind == "curves" else f".{kind}.npz"


def kinds_in(facts: Mapping[str, Any]) -> list[str]:
    """Returns the kinds of attachments that facts describe."""
    return [kind for kind, value in facts.items() if kind != "curves" and isinstance(value, dict) and "file" in value]


def facts_at(path: Path) -> dict[str, Any]:
    """Returns the facts at a path, if they are a whole record that has its own name."""
    record = facts_in(path.read_bytes(), path)
    if record["id"] != path.stem:
        raise DamagedResult(path, f"holds the run {record['id']}", f"Give it back its name, {record['id']}.json.")
    return record


def facts_in(text: str | bytes, path: Path, *, is_as_written: bool = False) -> dict[str, Any]:
    """Returns the facts that a text holds, if they are a whole record.

    Args:
      text: JSON.
      path: of the file that the text comes from.
      is_as_written: whether a hash says so; then numbers such as 1e999, which Python reads as infinite, are not sought.
    """
    try:
        record: dict[str, Any] = json.loads(text, parse_constant=refuse_constant)
        schema.check(record if is_as_written else schema.plain(record))
    except (ValueError, RecursionError) as problem:  # among them JSONDecodeError and UnicodeDecodeError
        raise not_whole(path, problem) from problem
    description(path, record, "curves", "names")
    return record


def text(facts: Mapping[str, Any]) -> str:
    """Returns facts as JSON in one line; `facts_in` gives them back."""
    return json.dumps(facts, separators=(",", ":"), allow_nan=False)


def run_at(path: Path) -> Run:
    """Returns the run whose facts are at a path, with its curves."""
    record = facts_at(path)
    described = description(path, record, "curves", "names")
    curves = arrays_of(path, "curves", described)
    try:
        check_curves(record, curves)
    except ValueError as problem:
        raise DamagedResult(path.parent / described["file"], without_stop(problem), again(path)) from problem
    return Run(record, curves, path.parent)


def check_curves(record: Mapping[str, Any], curves: Curves) -> None:
    """Raises ValueError if the arrays are not the curves that the facts of a run name."""
    try:
        arrays.check_curves(curves, may_be_empty=schema.crashed(record))
    except ValueError as problem:
        raise ValueError(f"holds no curves ({without_stop(problem)})") from problem
    if sorted(curves) != record["curves"]["names"]:
        raise ValueError(f"holds {sorted(curves)}, not {record['curves']['names']}")


def description(facts_path: Path, record: Mapping[str, Any], kind: str, held: str) -> dict[str, Any]:
    """Returns what a record says about its arrays of a kind: `file`, `sha256`, and what the file holds."""
    described = record.get(kind)
    if not isinstance(described, dict) or not {"file", "sha256", held} <= set(described):
        raise not_whole(facts_path, f"{kind} must name file, sha256 and {held}")
    # A record is data from outside: it may not point out of its folder.
    pattern = "[0-9a-f]+-[0-9a-f]+" + re.escape(suffix(kind))
    if not isinstance(described["file"], str) or not re.fullmatch(pattern, described["file"]):
        raise not_whole(facts_path, f"{kind}.file = {described['file']!r} is not the name of {kind}")
    return described


def arrays_of(facts_path: Path, kind: str, described: Mapping[str, Any], only: Collection[str] | None = None) -> Arrays:
    """Returns the arrays of a file that a record describes, or only those with these names.

    Raises:
      DamagedResult: if they are not what was written.
    """
    path = facts_path.parent / described["file"]
    packed = bytes_of(facts_path, kind, described)
    try:
        found = arrays.shapes(packed)
        if kind == "curves" or found == described["shapes"]:
            return arrays.unpack(packed, only)
        raise DamagedResult(path, f"holds {found}, not {described['shapes']}", again(facts_path))
    except arrays.UNREADABLE as problem:
        raise DamagedResult(path, f"holds no {kind} ({without_stop(problem)})", again(facts_path)) from problem


def bytes_of(facts_path: Path, kind: str, described: Mapping[str, Any]) -> bytes:
    """Returns the bytes of a file that a record describes, if they are what was written."""
    path = facts_path.parent / described["file"]
    try:
        packed = path.read_bytes()
    except FileNotFoundError as problem:
        raise DamagedResult(facts_path, f"has lost its {kind} {path.name}", again(facts_path)) from problem
    if hashlib.sha256(packed).hexdigest() != described["sha256"]:
        raise DamagedResult(path, "is not what was written (its sha256 differs)", again(facts_path))
    return packed


def again(facts_path: Path) -> str:
    """Returns the remedy for a record that is beyond help."""
    return f"Delete {facts_path.name} and run the study again: only this run is repeated."


def not_whole(facts_path: Path, problem: object) -> DamagedResult:
    """Returns what is raised where the facts themselves cannot be read."""
    return DamagedResult(facts_path, f"is not a whole record ({without_stop(problem)})", again(facts_path))


def refuse_constant(token: str) -> None:
    """Refuses NaN and the infinities, which Python reads from JSON though it does not have them."""
    raise ValueError(f"{token} is not JSON")


def without_stop(problem: object) -> str:
    """Returns what an error says, to stand inside a sentence."""
    return (str(problem) or type(problem).__name__).rstrip(".")
