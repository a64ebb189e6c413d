"""Named arrays: checks, stored dtypes, and conversion to the bytes of a file and back.

A file is a compressed npz. Equal arrays give equal bytes, and no array is unpickled.
"""

import io
import math
import zipfile
import zlib
from collections.abc import Collection, Mapping

import numpy as np

Arrays = dict[str, np.ndarray]

# Errors that `unpack` and `shapes` raise if the bytes hold no arrays; the last three come from false headers.
UNREADABLE = (
    ValueError,
    TypeError,
    EOFError,
    KeyError,
    zipfile.BadZipFile,
    zlib.error,
    RuntimeError,
    MemoryError,
    OverflowError,
)

_INTEGERS = (np.uint8, np.int8, np.uint16, np.int16, np.uint32, np.int32, np.uint64, np.int64)


def pack(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Returns the bytes of an npz of the arrays; `unpack` gives equal dtypes and shapes."""
    buffer = io.BytesIO()
    # Like `numpy.savez_compressed`, but that function cannot store an array with the name "file".
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, values in sorted(arrays.items()):
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.array(values, order="C"), allow_pickle=False)
    return buffer.getvalue()


def unpack(packed: bytes, only: Collection[str] | None = None) -> Arrays:
    """Returns the arrays in the bytes that `pack` returned, read-only.

    Args:
      packed: the bytes.
      only: names of the arrays to return; None returns all.

    Raises:
      one of UNREADABLE: the bytes hold no arrays.
    """
    with np.load(io.BytesIO(packed), allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in (archive.files if only is None else only)}
    for values in arrays.values():
        values.setflags(write=False)
    return arrays


def shapes(packed: bytes) -> dict[str, list[int]]:
    """Returns the shapes of the arrays in the bytes that `pack` returned, by name. It reads only the headers.

    A small damaged file may unpack to arrays larger than memory. Callers therefore compare these shapes with the
    expected ones before they unpack.

    Raises:
      one of UNREADABLE: the bytes hold no arrays.
    """
    with np.load(io.BytesIO(packed), allow_pickle=False) as archive:
        return {name: _shape(archive.zip, f"{name}.npy") for name in sorted(archive.files)}


def shapes_by_name(named: Mapping[str, np.ndarray]) -> dict[str, list[int]]:
    """Returns the shapes of arrays by name, sorted by name, as `shapes` returns them for the packed arrays."""
    return {name: list(values.shape) for name, values in sorted(named.items())}


def stored_curves(curves: Mapping[str, np.ndarray]) -> Arrays:
    """Returns curves in the dtypes of the store: int64 for `steps` and other integers, float32 for all other values.

    Raises:
      ValueError: as `check_curves`.
    """
    named = {name: np.asarray(values) for name, values in curves.items()}
    check_curves(named)
    return {
        # float32 would round counts above 16.7 million.
        name: values.astype(np.int64) if name == "steps" or values.dtype.kind in "iu" else _single(values)
        for name, values in named.items()
    }


def check_curves(curves: Mapping[str, np.ndarray]) -> None:
    """Checks that arrays are curves: 1-D, of equal length, with `steps` whole and increasing.

    Raises:
      ValueError: an array is not a curve; the message names it.
    """
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


def stored_attachment(kind: str, named: Mapping[str, np.ndarray]) -> Arrays:
    """Returns attached arrays in the dtypes of the store: float32, or the smallest integer type that holds the values.

    Raises:
      ValueError: an array has no name or does not hold real numbers; the message names it.
    """
    stored = {}
    for name, values in named.items():
        values = np.asarray(values)
        if not isinstance(name, str) or not name or not name.isprintable():
            raise ValueError(f"The array {name!r} of {kind!r} must have a name.")
        if values.dtype.kind not in "biuf":
            raise ValueError(f"The array {name!r} of {kind!r} has dtype {values.dtype}: attach real numbers.")
        stored[name] = _smallest(values) if values.dtype.kind in "iu" else _single(values)
    if not stored:
        raise ValueError(f"The attachment {kind!r} holds no arrays: leave it out.")
    return stored


def _shape(archive: zipfile.ZipFile, member: str) -> list[int]:
    with archive.open(member) as file:
        if np.lib.format.read_magic(file) != (1, 0):  # the version that `pack` writes
            raise ValueError(f"{member} has another version of npy")
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
        if file.tell() + math.prod(shape) * dtype.itemsize != archive.getinfo(member).file_size:
            raise ValueError(f"{member} has another length than its header")
    return list(shape)


def _single(values: np.ndarray) -> np.ndarray:
    if values.dtype.kind == "b":
        return values
    with np.errstate(over="ignore"):  # a diverged value beyond float32 is stored as infinite
        return values.astype(np.float32)


def _smallest(values: np.ndarray) -> np.ndarray:
    low, high = (int(values.min()), int(values.max())) if values.size else (0, 0)
    fitting = (kind for kind in _INTEGERS if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max)
    return values.astype(next(fitting))
