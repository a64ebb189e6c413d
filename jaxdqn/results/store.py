"""The store: one immutable record per run, written once and read many times.

A run is a game, an algorithm, a configuration and a seed. In the folder of a study's runs it is two files:

    <id>-<content>.npz    curves: 1-D arrays of equal length, one value per evaluation period
    <id>.json             facts: everything else, with the name and the sha256 of the curves

The facts are written last, and their presence makes the run complete. Curves are named after their content too, so
that of two writers racing for one run each has its own, and the one whose facts come first wins whole. Files appear
under their name by a hard link to a finished temporary file, which fails where the name is taken: nothing is ever
overwritten, and an interruption leaves curves without facts or a temporary file, neither of which is a result. The
next write of that run removes the former, any write the latter once it is a day old.
"""

import hashlib
import io
import json
import os
import re
import secrets
import time
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxdqn.results import schema

Curves = dict[str, np.ndarray]

_DAY = 24 * 60 * 60  # seconds; a write takes less than one, so a temporary file of that age belongs to nobody


class Run(NamedTuple):
    """A finished run.

    Attributes:
      facts: what `jaxdqn.results.schema.REQUIRED` lists, and `curves` (file, sha256, names), which the store adds.
      curves: read-only arrays `[P]` by name, `steps` among them: int64 for counts, else float32.
    """

    facts: dict[str, Any]
    curves: Curves


class DamagedResult(Exception):
    """A record that cannot be trusted: which file, why, and what to do about it."""

    def __init__(self, file: Path, reason: str, remedy: str) -> None:
        super().__init__(f"{file} {reason}. {remedy}")
        self.file, self.reason, self.remedy = file, reason, remedy


class Results(NamedTuple):
    """What a folder holds: the runs ordered by game, algorithm, settings and seed, and what is damaged."""

    runs: tuple[Run, ...]
    damaged: tuple[DamagedResult, ...]


def identifier(determinants: Mapping[str, Any]) -> str:
    """Returns the identifier of what determines a run: 16 hex digits of the sha256 of its canonical JSON.

    Canonical means that keys are sorted and that equal numbers are written equally: 1 and 1.0 are the same setting and
    give the same identifier (a whole float is written as an integer). True is not 1, and tuples are lists.

    Raises:
      ValueError: naming the field, if a value is not finite or not a plain Python value.
    """
    canonical = json.dumps(_whole_as_integers(schema.plain(determinants)), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def write(folder: str | Path, facts: Mapping[str, Any], curves: Mapping[str, np.ndarray]) -> Path:
    """Writes a run, whole or not at all, and returns the path of its facts.

    Args:
      folder: of the study's runs; made where it is missing. Its file system must have hard links.
      facts: as `jaxdqn.results.schema.REQUIRED` lists them, with `id` from `identifier`; more keys are welcome.
      curves: arrays `[P]` with P >= 1, `steps` (whole, increasing) among them. NaN says that there is no value.

    Raises:
      FileExistsError: if the run is complete already, also when another writer was quicker.
      ValueError: naming what is missing or malformed; nothing has been written then.
    """
    folder = Path(folder)
    record = schema.plain(facts)
    schema.check(record)
    packed = _pack(curves)
    digest = hashlib.sha256(packed).hexdigest()
    curves_path = folder / f"{record['id']}-{digest[:8]}.npz"
    facts_path = folder / f"{record['id']}.json"
    record["curves"] = {"file": curves_path.name, "sha256": digest, "names": sorted(curves)}

    folder.mkdir(parents=True, exist_ok=True)
    _remove_old_temporaries(folder)
    if facts_path.exists():
        raise _complete_already(facts_path)
    try:
        _write_new(curves_path, packed)
    except FileExistsError:
        # Curves of an interrupted write, or of a writer racing with the same content; equal names mean equal content
        # only if nothing damaged them, so they are put in place again, which is atomic and harms no reader.
        _replace(curves_path, packed)
    try:
        _write_new(facts_path, (json.dumps(record, indent=1, allow_nan=False) + "\n").encode())
    except FileExistsError:
        raise _complete_already(facts_path) from None
    finally:
        _remove_other_curves(facts_path)
    return facts_path


def find(folder: str | Path, id: str) -> Run | None:
    """Returns the run with that identifier, or None if it is not complete.

    Raises:
      DamagedResult: if its record cannot be trusted.
    """
    path = Path(folder) / f"{id}.json"
    return _load(path) if path.exists() else None


def read(folder: str | Path) -> Results:
    """Returns all runs of a folder in a fixed order, and apart from them the damaged records.

    Raises:
      FileNotFoundError: if there is no such folder. An empty one has no runs.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is not a folder of results: run the study first, or correct the path.")
    runs, damaged = [], []
    for path in sorted(folder.glob("*.json")):
        if path.name.startswith("."):
            continue
        try:
            runs.append(_load(path))
        except DamagedResult as problem:
            damaged.append(problem)
    return Results(tuple(sorted(runs, key=_order)), tuple(damaged))


def _load(path: Path) -> Run:
    again = f"Delete {path.name} and run the study again: only this run is repeated."
    try:
        record = json.loads(path.read_bytes(), parse_constant=_refuse_constant)
        schema.check(record)
        described = _described_curves(record)
    except ValueError as problem:  # among them JSONDecodeError and UnicodeDecodeError
        raise DamagedResult(path, f"is not a whole record ({_without_stop(problem)})", again) from problem
    if record["id"] != path.stem:
        raise DamagedResult(path, f"holds the run {record['id']}", f"Give it back its name, {record['id']}.json.")

    curves_path = path.parent / described["file"]
    try:
        packed = curves_path.read_bytes()
    except FileNotFoundError as problem:
        raise DamagedResult(path, f"has lost its curves {curves_path.name}", again) from problem
    if hashlib.sha256(packed).hexdigest() != described["sha256"]:
        raise DamagedResult(curves_path, "is not what was written (its sha256 differs)", again)
    try:
        curves = _unpack(packed)
    except (ValueError, TypeError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as problem:
        raise DamagedResult(curves_path, f"holds no curves ({_without_stop(problem)})", again) from problem
    if sorted(curves) != described["names"]:
        raise DamagedResult(curves_path, f"holds {sorted(curves)}, not {described['names']}", again)
    return Run(record, curves)


def _described_curves(record: Mapping[str, Any]) -> dict[str, Any]:
    described = record.get("curves")
    if not isinstance(described, dict) or not {"file", "sha256", "names"} <= set(described):
        raise ValueError("curves must name file, sha256 and names")
    # A record is data from outside: it may not point out of its folder.
    if not isinstance(described["file"], str) or not re.fullmatch(r"[0-9a-f]+-[0-9a-f]+\.npz", described["file"]):
        raise ValueError(f"curves.file = {described['file']!r} is not the name of curves")
    return described


def _pack(curves: Mapping[str, np.ndarray]) -> bytes:
    """Returns the curves as the bytes of a compressed npz, equal for equal curves."""
    arrays = {name: np.asarray(values) for name, values in sorted(curves.items())}
    _check_curves(arrays)
    stored = {}
    for name, values in arrays.items():
        whole = name == "steps" or values.dtype.kind in "iu"  # float32 would round counts above 16.7 million
        with np.errstate(over="ignore"):  # what diverged beyond float32 is stored as infinite
            stored[name] = values.astype(np.int64 if whole else np.float32)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **stored)
    return buffer.getvalue()


def _unpack(packed: bytes) -> Curves:
    with np.load(io.BytesIO(packed), allow_pickle=False) as archive:
        curves = {name: archive[name] for name in archive.files}
    _check_curves(curves)
    for values in curves.values():
        values.setflags(write=False)
    return curves


def _check_curves(curves: Mapping[str, np.ndarray]) -> None:
    if "steps" not in curves:
        raise ValueError(f"The curves {sorted(curves)} lack 'steps', the environment steps of each value.")
    steps = curves["steps"]
    for name, values in curves.items():
        if values.dtype.kind not in "iuf":
            raise ValueError(f"The curve {name!r} has dtype {values.dtype}: curves are real numbers.")
        if values.ndim != 1 or values.shape != steps.shape or values.size == 0:
            raise ValueError(f"The curve {name!r} has shape {values.shape}: it must be 1-D and as long as 'steps'.")
    if not np.all(np.isfinite(steps)) or np.any(steps != np.floor(steps)) or np.any(np.diff(steps) <= 0):
        raise ValueError("The curve 'steps' must be whole and increasing: it counts environment steps.")


def _write_new(path: Path, content: bytes) -> None:
    """Puts content under a name, at once and durably; raises FileExistsError where the name is taken."""
    temporary = _write_temporary(path, content)
    try:
        os.link(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    _flush_folder(path.parent)


def _replace(path: Path, content: bytes) -> None:
    os.replace(_write_temporary(path, content), path)
    _flush_folder(path.parent)


def _write_temporary(path: Path, content: bytes) -> Path:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    with open(temporary, "xb") as file:
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    return temporary


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)  # a new name is durable when its folder is
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove_old_temporaries(folder: Path) -> None:
    for temporary in folder.glob(".*.tmp"):
        try:
            if temporary.stat().st_mtime < time.time() - _DAY:
                temporary.unlink()
        except FileNotFoundError:  # its writer, or another one cleaning up, was quicker
            pass


def _remove_other_curves(facts_path: Path) -> None:
    """Removes curves of interrupted or beaten writers of a run that is complete; one that is not keeps all."""
    try:
        kept = json.loads(facts_path.read_bytes())["curves"]["file"]
    except (OSError, ValueError, KeyError, TypeError):
        return
    for path in facts_path.parent.glob(f"{facts_path.stem}-*.npz"):
        if path.name != kept:
            path.unlink(missing_ok=True)


def _complete_already(path: Path) -> FileExistsError:
    return FileExistsError(f"{path} is complete already and results are never overwritten: delete it to run it again.")


def _refuse_constant(token: str) -> None:
    raise ValueError(f"{token} is not JSON")


def _without_stop(problem: BaseException) -> str:
    return (str(problem) or type(problem).__name__).rstrip(".")


def _whole_as_integers(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _whole_as_integers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_whole_as_integers(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _order(run: Run) -> tuple[Any, ...]:
    facts = run.facts
    settings = tuple((field, *schema.rank(value)) for field, value in sorted(facts["settings"].items()))
    game = facts["game"]
    return (game["name"], game["version"], facts["algorithm"], settings, facts["seed"], facts["id"])
