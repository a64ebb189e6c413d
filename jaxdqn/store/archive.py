"""Reads the archive of a study: one Parquet file with all runs, and one npz with all trained weights.

The files for the folder `runs` are

    runs.parquet        one row per run
    runs.weights.npz    weights by `<id>/<parameter path>`, if any run has weights

The columns of `runs.parquet`:

    id                  identifier of the run
    <dotted path>       each fact of any run, such as `game.name` or `diverged_at`; lists are JSON
    facts               all facts of the run as JSON; only this column is read here, not the columns above
    curves.<name>       list column for each curve
    episodes.<name>     list column for each array of an attachment, flattened in C order; `weights` are in the npz
    dtypes              dtypes, as JSON, of arrays that are narrower than their column
    sha256              sha256 of `facts`
    sha256.<kind>       sha256 of the arrays of a kind

The facts and arrays of a packed run equal those of its loose record bit for bit. Each run has its own hashes, so that
an error names the damaged run. `jaxdqn.store.archive_columns` makes the bytes of these files.
"""

import functools
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from jaxdqn.store import arrays, record
from jaxdqn.store.arrays import Arrays
from jaxdqn.store.files import Stamp, beside, stamp_of
from jaxdqn.store.record import DamagedResult, Run

if TYPE_CHECKING:  # pyarrow takes long to import, and a study that is not packed does without it
    import pyarrow as pa

WEIGHTS = "weights"  # the kind of attachment that is in the npz


class FullRun(NamedTuple):
    """A run with all its arrays.

    Attributes:
      facts: as in `jaxdqn.store.record.Run`.
      arrays: by kind (`curves` and the attachments) and name.
    """

    facts: dict[str, Any]
    arrays: dict[str, Arrays]


class Files(NamedTuple):
    """The two files of an archive."""

    runs: Path
    weights: Path


def files_of(folder: Path) -> Files:
    """Returns the files of the archive of a folder of runs, whether or not they exist."""
    return Files(beside(folder, ".parquet"), beside(folder, ".weights.npz"))


def ids(files: Files) -> Mapping[str, int]:
    """Returns the row group of each run by identifier, in the order of the rows; empty if there is no archive.

    Raises:
      DamagedResult: the file cannot be read.
    """
    return _index(files.runs)[1]


def facts(files: Files, id: str) -> dict[str, Any]:
    """Returns the facts of a run.

    Raises:
      KeyError: the archive has no such run.
      DamagedResult: the facts are damaged; the message names the run.
    """
    row = _row(files, id, "facts")
    text = row["facts"]
    if not isinstance(text, str) or hashlib.sha256(text.encode()).digest() != row["sha256"]:
        raise _damaged(files.runs, id, "the sha256 of its facts differs")
    try:
        found = record.facts_in(text, files.runs, is_verified=True)
    except DamagedResult as problem:
        raise _damaged(files.runs, id, problem.reason) from problem
    if found["id"] != id:
        raise _damaged(files.runs, id, f"its facts are those of {found['id']}")
    return found


def arrays_of(files: Files, id: str, kind: str, found: Mapping[str, Any] | None = None) -> Arrays:
    """Returns the arrays of a run, read-only, by name.

    Args:
      files: files of the archive.
      id: identifier of the run.
      kind: `curves`, or the kind of an attachment.
      found: facts of the run; None reads them.

    Raises:
      KeyError: the archive has no such run.
      DamagedResult: the arrays are damaged; the message names their file and the run.
    """
    described = (facts(files, id) if found is None else found)[kind]
    path = files.weights if kind == WEIGHTS else files.runs
    row = _row(files, id, kind)
    try:
        if kind == WEIGHTS:
            named = _weights(files.weights, id, described["shapes"])
        else:
            shapes = described["shapes"] if "shapes" in described else dict.fromkeys(described["names"], (-1,))
            dtypes = json.loads(row["dtypes"] or "{}")
            named = {
                name: _copy(row[f"{kind}.{name}"], dtypes.get(f"{kind}.{name}")).reshape(shape)
                for name, shape in shapes.items()
            }
        is_intact = digest(named) == row[f"sha256.{kind}"]
    except _unreadable() as problem:
        raise _damaged(path, id, f"its {kind} cannot be read: {_one_line(problem)}") from problem
    if not is_intact:
        raise _damaged(path, id, f"the sha256 of its {kind} differs")
    for values in named.values():
        values.setflags(write=False)
    return named


def run(files: Files, id: str, folder: Path) -> Run:
    """Returns a run with its curves. `folder` is the folder of runs that the archive belongs to.

    Raises:
      KeyError, DamagedResult: as `arrays_of`.
    """
    found = facts(files, id)
    curves = arrays_of(files, id, "curves", found)
    try:
        record.check_curves(found, curves)
    except ValueError as problem:
        raise _damaged(files.runs, id, record.without_period(problem)) from problem
    return Run(found, curves, folder)


def full_run(files: Files, id: str) -> FullRun:
    """Returns a run with all its arrays.

    Raises:
      KeyError, DamagedResult: as `arrays_of`.
    """
    found = facts(files, id)
    return FullRun(found, {kind: arrays_of(files, id, kind, found) for kind in ("curves", *record.kinds_in(found))})


def digest(named: Mapping[str, np.ndarray]) -> bytes:
    """Returns the sha256 of names, dtypes, shapes and elements of arrays."""
    found = hashlib.sha256()
    for name, values in sorted(named.items()):
        found.update(json.dumps([name, values.dtype.str, values.shape]).encode())
        found.update(np.ascontiguousarray(values).tobytes())
    return found.digest()


def _unreadable() -> tuple[type[BaseException], ...]:
    import pyarrow as pa

    return (pa.ArrowException, *arrays.UNREADABLE, OSError)


def _index(path: Path) -> tuple[Stamp, Mapping[str, int]]:
    """Returns the stamp of the file, and the row group of each run by identifier."""
    try:
        stamp = stamp_of(os.stat(path))
        return stamp, _groups(path, stamp)
    except FileNotFoundError:
        return (0, 0, 0), {}
    except _unreadable() as problem:
        raise DamagedResult(
            path,
            f"is no archive of runs, or is damaged ({_one_line(problem)})",
            "Restore it from a copy, or delete it and run the study again, which repeats all its runs.",
        ) from problem


@functools.lru_cache(maxsize=16)
def _groups(path: Path, stamp: Stamp) -> Mapping[str, int]:
    import pyarrow.parquet as pq

    with open(path, "rb") as file:
        opened = pq.ParquetFile(file)
        groups = [opened.read_row_group(group, ["id"])["id"].to_pylist() for group in range(opened.num_row_groups)]
    return {id: group for group, members in enumerate(groups) for id in members}


def _row(files: Files, id: str, kind: str) -> dict[str, Any]:
    """Returns the values of a run by column. `kind` is a kind of arrays or `facts` and selects the columns."""
    stamp, groups = _index(files.runs)
    try:
        rows, columns = _columns(files.runs, stamp, groups[id], kind)
        return {name: column[rows[id]] for name, column in columns.items()}
    except _unreadable() as problem:
        if id not in groups:
            raise
        if _index(files.runs)[0] != stamp:  # another process has just packed the study again
            return _row(files, id, kind)
        raise _damaged(files.runs, id, _one_line(problem)) from problem


@functools.lru_cache(maxsize=16)  # callers read row groups in order, and several kinds of each
def _columns(path: Path, stamp: Stamp, group: int, kind: str) -> tuple[dict[str, int], dict[str, list[Any]]]:
    """Returns the row number of each run in a row group by identifier, and the columns of a kind by name."""
    import pyarrow.parquet as pq

    with open(path, "rb") as file:
        if stamp_of(os.fstat(file.fileno())) != stamp:
            raise OSError("it has been replaced")
        opened = pq.ParquetFile(file)
        always = ("id", "facts", "sha256") if kind == "facts" else ("id", "dtypes", f"sha256.{kind}")
        names = [name for name in opened.schema_arrow.names if name in always or name.startswith(f"{kind}.")]
        table = opened.read_row_group(group, names)
    columns = {name: _values(table[name].combine_chunks()) for name in names}
    return {id: row for row, id in enumerate(columns["id"])}, columns


def _values(column: "pa.Array") -> list[Any]:
    """Returns the values of a column. Those of a list column are arrays `[N]` or None."""
    import pyarrow as pa

    if not pa.types.is_list(column.type):
        return list(column.to_pylist())
    is_bool = pa.types.is_boolean(column.values.type)
    # `to_numpy` would import pandas if it is installed, which takes longer than everything else here.
    elements = np.from_dlpack(column.values.cast(pa.uint8()) if is_bool else column.values)
    split = np.split(elements.astype(np.bool_) if is_bool else elements, np.from_dlpack(column.offsets)[1:-1])
    return [values if known else None for values, known in zip(split, column.is_valid().to_pylist(), strict=True)]


def _copy(elements: np.ndarray | None, dtype: str | None) -> np.ndarray:
    """Returns a copy of the elements in a dtype; None keeps the dtype of the column."""
    if elements is None:
        raise ValueError("an array is missing")
    return np.array(elements, elements.dtype if dtype is None else np.dtype(dtype))


def _weights(path: Path, id: str, shapes: Mapping[str, Sequence[int]]) -> Arrays:
    packed, found = _read_npz(path, stamp_of(os.stat(path)))
    held = {name: found[f"{id}/{name}"] for name in shapes}
    if held != shapes:
        raise ValueError(f"{path} has shapes {held}, not {shapes}")
    named = arrays.unpack(packed, [f"{id}/{name}" for name in shapes])
    return {name: named[f"{id}/{name}"] for name in shapes}


@functools.lru_cache(maxsize=2)
def _read_npz(path: Path, stamp: Stamp) -> tuple[bytes, dict[str, list[int]]]:
    packed = path.read_bytes()
    return packed, arrays.shapes(packed)


def _damaged(path: Path, id: str, reason: str) -> DamagedResult:
    remedy = f"Restore the file from a copy, or drop this run (jaxdqn pack STUDY --drop {id}) and run the study again."
    return DamagedResult(path, f"is damaged at run {id} ({reason})", remedy)


def _one_line(problem: BaseException) -> str:
    return record.without_period(str(problem).strip().partition("\n")[0] or problem)
