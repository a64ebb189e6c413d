"""Weights: the parameters of a trained network, with the facts of the run that trained it.

They are a pair of files. The facts describe the arrays:

    <any name>.json    facts: at least `game` (name, version), `configuration`, `weights` (file, sha256, shapes)
    <any name>.npz     arrays by parameter path, such as `params/Dense_0/kernel`

These are the last parameters of the run. If the evaluation return was higher at an earlier step, the fact `best_step`,
the arrays include the parameters of that step, with `best/` before their paths.

The record of a run with weights (`jaxdqn.store.store`) has the same form. If the study is packed, the earlier path of
the facts still identifies the run. All files are data from outside: nothing in them is unpickled or names code, and
facts may not point out of their folder.
"""

import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxdqn.store import archive, arrays, files, schema
from jaxdqn.store.arrays import Arrays
from jaxdqn.store.record import DamagedResult, refuse_constant

BEST = "best/"  # before the path of a parameter that belongs to `best_step`


class Weights(NamedTuple):
    """Trained parameters.

    Attributes:
      facts: facts of the run, including `game` and `configuration`.
      arrays: read-only arrays by parameter path.
      path: path of the facts.
      step: environment steps of the run at these parameters, if they were chosen by evaluation return; None for the
        last ones.
    """

    facts: dict[str, Any]
    arrays: Arrays
    path: Path
    step: int | None = None


def remedy(facts: Any = None) -> str:
    """Returns how to get the weights of a run that was stored without them, for the end of an error message.

    A study does not repeat stored runs, so that its run must be removed first.

    Args:
      facts: facts of the run, whose seed and identifier the text then names; None means any run of a study.
    """
    about = facts if isinstance(facts, dict) else {}
    seed = f"seed {about['seed']}" if "seed" in about else "a seed"
    return (
        f"add {seed} to weights_of of the study, remove its run (delete its files, or `jaxdqn pack STUDY --drop "
        f"{about.get('id', 'ID')}`), and run the study again"
    )


def flatten(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the leaves of nested dictionaries by path: keys joined with `/`."""
    named: dict[str, Any] = {}
    for key, child in parameters.items():
        below = flatten(child) if isinstance(child, Mapping) else {}
        named |= {f"{key}/{path}": leaf for path, leaf in below.items()} or {key: child}
    return named


def unflatten(named: Mapping[str, Any]) -> dict[str, Any]:
    """Returns nested dictionaries from leaves by path; the inverse of `flatten`."""
    parameters: dict[str, Any] = {}
    for path, leaf in named.items():
        *keys, last = path.split("/")
        level = parameters
        for key in keys:
            level = level.setdefault(key, {})
        level[last] = leaf
    return parameters


def save(path: str | Path, facts: Mapping[str, Any], named: Mapping[str, np.ndarray]) -> Path:
    """Writes weights that belong to no study, and returns the path of their facts.

    Args:
      path: path without suffix; missing folders are created.
      facts: `game` with `name` and `version`, `configuration`, and any other facts, such as `algorithm`, `seed` or
        `score`, which selects the best weights of a folder.
      named: arrays by parameter path, as `flatten` returns them; stored as float32.

    Raises:
      FileExistsError: one of the two files exists; it stays as it is.
      ValueError: something is missing or malformed; the message names it. Nothing has been written.
    """
    path = Path(path)
    if path.suffix in (".json", ".npz"):
        raise ValueError(f"{path} has a suffix: give the path without it, for a JSON and an npz.")
    facts_path, arrays_path = (path.with_name(path.name + suffix) for suffix in (".json", ".npz"))
    record = schema.json_value(facts)
    _check(facts_path, record)
    stored = arrays.stored_attachment("weights", {name: np.asarray(v, np.float32) for name, v in named.items()})
    packed = arrays.pack(stored)
    digest = hashlib.sha256(packed).hexdigest()
    record["weights"] = {"file": arrays_path.name, "sha256": digest, "shapes": arrays.shapes_by_name(stored)}
    path.parent.mkdir(parents=True, exist_ok=True)
    for taken in (facts_path, arrays_path):
        if taken.exists():
            raise FileExistsError(f"{taken} exists and weights are never overwritten: choose another name.")
    files.write_new(arrays_path, packed)
    try:
        files.write_new(facts_path, (json.dumps(record, indent=1, allow_nan=False) + "\n").encode())
    except BaseException:
        arrays_path.unlink()  # arrays without facts are useless
        raise
    return facts_path


def load(path: str | Path, *, best: bool = False) -> Weights:
    """Returns the weights whose facts are at a path.

    Args:
      path: path of the facts.
      best: whether to return the parameters at the highest evaluation return; False returns the last ones.

    Raises:
      FileNotFoundError: one of the two files is missing.
      ValueError: the weights are damaged; the message gives the reason.
    """
    path = Path(path)
    record = read(path)
    if not isinstance(record, dict) or not isinstance(record.get("weights"), dict):
        raise ValueError(f"{path} has no weights: {remedy(record)}.")
    _check(path, record)
    if path.exists():
        named = _unpacked(path, record)
    else:
        with _damage_as_value_error():
            named = archive.arrays_of(archive.files_of(path.parent), path.stem, "weights", record)
    wrong = [parameter for parameter, values in named.items() if values.dtype.kind != "f"]
    if wrong:
        raise ValueError(f"{path} has dtype {named[wrong[0]].dtype} for {wrong[0]}: weights must be real numbers.")
    if best:
        return _best(path, record, named)
    return Weights(record, {name: values for name, values in named.items() if not name.startswith(BEST)}, path)


def _best(path: Path, record: dict[str, Any], named: Arrays) -> Weights:
    """Returns the parameters at the highest evaluation return, which may be the last ones."""
    step = record.get("best_step")
    if not isinstance(step, int):
        raise ValueError(f"{path} does not say which weights are the best: leave out --best, or train again.")
    earlier = {name.removeprefix(BEST): values for name, values in named.items() if name.startswith(BEST)}
    return Weights(record, earlier or named, path, step)


def _unpacked(path: Path, record: dict[str, Any]) -> Arrays:
    """Returns the arrays in the npz that facts name."""
    name, shapes = record["weights"].get("file"), record["weights"].get("shapes")
    if not isinstance(name, str) or not name.endswith(".npz") or Path(name).name != name or not name.isprintable():
        raise ValueError(f"{path} has weights.file = {name!r}: it must be the name of an npz in the same folder.")
    arrays_path = path.with_name(name)
    if not arrays_path.exists():
        raise FileNotFoundError(f"{path} has no file of weights, {name}: copy it into the same folder.")
    packed = arrays_path.read_bytes()
    if hashlib.sha256(packed).hexdigest() != record["weights"].get("sha256"):
        raise ValueError(
            f"{arrays_path} has changed since it was written (its sha256 differs): copy it again, or train again."
        )
    try:
        found = arrays.shapes(packed)
        if found == shapes:
            named = arrays.unpack(packed)
    except arrays.UNREADABLE as problem:
        raise ValueError(f"{arrays_path} holds no arrays ({str(problem).rstrip('.')}): train again.") from None
    if found != shapes:
        raise ValueError(f"{arrays_path} has shapes {found}, but {path.name} has {shapes}: copy both again.")
    return named


def read(path: Path) -> Any:
    """Returns the content of a JSON file, or the facts of the packed run that had this path.

    Raises:
      FileNotFoundError: neither exists.
      ValueError: the file is damaged.
    """
    if not path.exists():
        with _damage_as_value_error():
            packed = archive.files_of(path.parent)
            if path.suffix == ".json" and path.stem in archive.ids(packed):
                return archive.facts(packed, path.stem)
    try:
        return json.loads(path.read_bytes(), parse_constant=refuse_constant)
    except (ValueError, RecursionError) as problem:  # includes JSONDecodeError and UnicodeDecodeError
        raise ValueError(f"{path} is damaged ({problem}): delete it, or choose another.") from None


def facts_in(folder: Path) -> list[Path]:
    """Returns the paths of all facts in a folder, including the earlier paths of the runs in its archive.

    Raises:
      ValueError: the archive is damaged.
    """
    with _damage_as_value_error():
        packed = [folder / f"{id}.json" for id in archive.ids(archive.files_of(folder))]
    return sorted({*folder.glob("*.json"), *packed})


@contextlib.contextmanager
def _damage_as_value_error() -> Iterator[None]:
    try:
        yield
    except DamagedResult as problem:
        raise ValueError(str(problem)) from problem


def _check(path: Path, record: dict[str, Any]) -> None:
    for key, kind in (("game.name", str), ("game.version", int), ("configuration", dict)):
        try:
            value = schema.at(record, key)
        except ValueError:
            value = None
        if not isinstance(value, kind):
            raise ValueError(f"{path} lacks {key}: weights need the facts of their run.")
