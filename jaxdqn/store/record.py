"""Reads and checks the loose files of one record.

A record is data from outside, so the functions here check that it is complete, that its arrays are the written ones,
and that the names of its files do not point out of its folder.
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
      facts: keys of `jaxdqn.store.schema.REQUIRED`. The store adds `curves` (file, sha256, names), and a key for each
        kind of attachment (file, sha256, shapes).
      curves: read-only arrays `[P]` by name, including `steps`; int64 for counts, else float32.
      folder: folder of the study's runs, where `store.attachment` finds the attachments, loose or packed; None if the
        run was never stored.
    """

    facts: dict[str, Any]
    curves: Curves
    folder: Path | None = None


class DamagedResult(Exception):
    """A record is damaged. The message names the file, the reason and the remedy."""

    def __init__(self, file: Path, reason: str, remedy: str) -> None:
        super().__init__(f"{file} {reason}. {remedy}")
        self.file, self.reason, self.remedy = file, reason, remedy


class Record(NamedTuple):
    """The facts of a finished run, without its arrays, and the folder of the study's runs."""

    facts: dict[str, Any]
    folder: Path


def suffix(kind: str) -> str:
    """Returns the ending of the file names of a kind: `.npz` for curves, `.<kind>.npz` for an attachment."""
    return ".npz" if kind == "curves" else f".{kind}.npz"


def kinds_in(facts: Mapping[str, Any]) -> list[str]:
    """Returns the kinds of attachments of a run."""
    return [kind for kind, value in facts.items() if kind != "curves" and isinstance(value, dict) and "file" in value]


def facts_at(path: Path) -> dict[str, Any]:
    """Returns the facts in the file at a path.

    Raises:
      DamagedResult: the file is not a complete record, or its name is not the identifier of its run.
    """
    record = facts_in(path.read_bytes(), path)
    if record["id"] != path.stem:
        raise DamagedResult(path, f"holds the run {record['id']}", f"Rename it to {record['id']}.json.")
    return record


def facts_in(text: str | bytes, path: Path, *, is_verified: bool = False) -> dict[str, Any]:
    """Returns the facts in a JSON text.

    Args:
      text: JSON.
      path: file that contains the text, for error messages.
      is_verified: a hash proves that the text is the written one. The search for numbers such as 1e999, which Python
        reads as infinite, is then skipped.

    Raises:
      DamagedResult: the text is not a complete record.
    """
    try:
        record: dict[str, Any] = json.loads(text, parse_constant=refuse_constant)
        schema.check(record if is_verified else schema.json_value(record))
    except (ValueError, RecursionError) as problem:  # includes JSONDecodeError and UnicodeDecodeError
        raise incomplete(path, problem) from problem
    description(path, record, "curves", "names")
    return record


def text(facts: Mapping[str, Any]) -> str:
    """Returns facts as JSON in one line; `facts_in` is the inverse."""
    return json.dumps(facts, separators=(",", ":"), allow_nan=False)


def run_at(path: Path) -> Run:
    """Returns the run whose facts are in the file at a path, with its curves; raises DamagedResult if it is damaged."""
    record = facts_at(path)
    described = description(path, record, "curves", "names")
    curves = arrays_of(path, "curves", described)
    try:
        check_curves(record, curves)
    except ValueError as problem:
        raise DamagedResult(path.parent / described["file"], without_period(problem), rerun_remedy(path)) from problem
    return Run(record, curves, path.parent)


def check_curves(record: Mapping[str, Any], curves: Curves) -> None:
    """Raises ValueError if the arrays are no curves, or not those that the facts name."""
    try:
        arrays.check_curves(curves)
    except ValueError as problem:
        raise ValueError(f"holds no curves ({without_period(problem)})") from problem
    if sorted(curves) != record["curves"]["names"]:
        raise ValueError(f"holds {sorted(curves)}, not {record['curves']['names']}")


def description(facts_path: Path, record: Mapping[str, Any], kind: str, content: str) -> dict[str, Any]:
    """Returns the description of the arrays of a kind in a record.

    Args:
      facts_path: file of the facts.
      record: the facts.
      kind: `curves`, or the kind of an attachment.
      content: key that describes the content of the file: `names` or `shapes`.

    Returns:
      dictionary with the keys `file`, `sha256` and `content`.

    Raises:
      DamagedResult: a key is missing, or the name of the file is not allowed.
    """
    described = record.get(kind)
    if not isinstance(described, dict) or not {"file", "sha256", content} <= set(described):
        raise incomplete(facts_path, f"{kind} must name file, sha256 and {content}")
    # A record is data from outside: the name may not point out of the folder.
    pattern = "[0-9a-f]+-[0-9a-f]+" + re.escape(suffix(kind))
    if not isinstance(described["file"], str) or not re.fullmatch(pattern, described["file"]):
        raise incomplete(facts_path, f"{kind}.file = {described['file']!r} is not the name of {kind}")
    return described


def arrays_of(facts_path: Path, kind: str, described: Mapping[str, Any], only: Collection[str] | None = None) -> Arrays:
    """Returns the arrays of a file, by name and read-only.

    Args:
      facts_path: file of the facts.
      kind: `curves`, or the kind of an attachment.
      described: description of the file in the facts.
      only: names of the arrays to unpack; None unpacks all.

    Raises:
      DamagedResult: the file is missing or damaged.
    """
    path = facts_path.parent / described["file"]
    packed = bytes_of(facts_path, kind, described)
    try:
        found = arrays.shapes(packed)
        if kind == "curves" or found == described["shapes"]:
            return arrays.unpack(packed, only)
        raise DamagedResult(path, f"holds {found}, not {described['shapes']}", rerun_remedy(facts_path))
    except arrays.UNREADABLE as problem:
        raise DamagedResult(path, f"holds no {kind} ({without_period(problem)})", rerun_remedy(facts_path)) from problem


def bytes_of(facts_path: Path, kind: str, described: Mapping[str, Any]) -> bytes:
    """Returns the bytes of a file of arrays; raises DamagedResult if it is missing or its sha256 differs."""
    path = facts_path.parent / described["file"]
    try:
        packed = path.read_bytes()
    except FileNotFoundError as problem:
        raise DamagedResult(facts_path, f"has no file of {kind}, {path.name}", rerun_remedy(facts_path)) from problem
    if hashlib.sha256(packed).hexdigest() != described["sha256"]:
        raise DamagedResult(path, "has changed since it was written (its sha256 differs)", rerun_remedy(facts_path))
    return packed


def rerun_remedy(facts_path: Path) -> str:
    """Returns the remedy for a damaged record: repeat its run."""
    return f"Delete {facts_path.name} and run the study again: only this run is repeated."


def incomplete(facts_path: Path, problem: object) -> DamagedResult:
    """Returns the error for facts that are not a complete record."""
    return DamagedResult(facts_path, f"is not a complete record ({without_period(problem)})", rerun_remedy(facts_path))


def refuse_constant(token: str) -> None:
    """Raises ValueError for NaN and infinities, which Python accepts in JSON although JSON does not have them."""
    raise ValueError(f"{token} is not JSON")


def without_period(problem: object) -> str:
    """Returns the message of an error without its period, for use inside a sentence."""
    return (str(problem) or type(problem).__name__).rstrip(".")
