"""Named arrays: which ones a result may hold, the types they are stored as, and the bytes of their file.

A file is a compressed npz. Equal arrays give equal bytes, and nothing is ever unpickled.
"""

import io
import math
import zipfile
import zlib
from collections.abc import Collection, Mapping

import numpy as np

Arrays = dict[str, np.ndarray]

# What `unpack` and `shapes` raise where the bytes hold no arrays; the last three where headers are made up.
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
    """Returns the bytes of arrays, which keep their dtype and shape."""
    buffer = io.BytesIO()
    # As `numpy.savez_compressed` does, which cannot store an array of the name "file".
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, values in sorted(arrays.items()):
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.array(values, order="C"), allow_pickle=False)
    return buffer.getvalue()


def unpack(packed: bytes, only: Collection[str] | None = None) -> Arrays:
    """Returns the arrays that `pack` was given, read-only.

    Args:
      packed: what it returned.
      only: names, where the others are not wanted.

    Raises:
      one of UNREADABLE: if the bytes hold something else.
    """
    with np.load(io.BytesIO(packed), allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in (archive.files if only is None else only)}
    for values in arrays.values():
        values.setflags(write=False)
    return arrays


def shapes(packed: bytes) -> dict[str, list[int]]:
    """Returns the shapes of arrays that `pack` was given, by name, from their headers alone.

    A small file may unpack to more than fits in memory, so what a file is known to hold is compared with this first.

    Raises:
      one of UNREADABLE: if the bytes hold something else.
    """
    with np.load(io.BytesIO(packed), allow_pickle=False) as archive:
        return {name: _shape(archive.zip, f"{name}.npy") for name in sorted(archive.files)}


def stored_curves(curves: Mapping[str, np.ndarray], *, may_be_empty: bool) -> Arrays:
    """Returns curves as they are stored: `steps` and other integers as int64, everything else as float32.

    Raises:
      ValueError: as `check_curves`.
    """
    named = {name: np.asarray(values) for name, values in curves.items()}
    check_curves(named, may_be_empty=may_be_empty)
    return {
        # float32 would round counts above 16.7 million.
        name: values.astype(np.int64) if name == "steps" or values.dtype.kind in "iu" else _single(values)
        for name, values in named.items()
    }


def check_curves(curves: Mapping[str, np.ndarray], *, may_be_empty: bool) -> None:
    """Returns nothing if the arrays are curves: 1-D, of one length, with `steps` whole and increasing.

    Raises:
      ValueError: naming the curve that is not.
    """
    if "steps" not in curves:
        raise ValueError(f"The curves {sorted(curves)} lack 'steps', the environment steps of each value.")
    steps = curves["steps"]
    for name, values in curves.items():
        if values.dtype.kind not in "iuf":
            raise ValueError(f"The curve {name!r} has dtype {values.dtype}: curves are real numbers.")
        if values.ndim != 1 or values.shape != steps.shape or (values.size == 0 and not may_be_empty):
            raise ValueError(f"The curve {name!r} has shape {values.shape}: it must be 1-D and as long as 'steps'.")
    if not np.all(np.isfinite(steps)) or np.any(steps != np.floor(steps)) or np.any(np.diff(steps) <= 0):
        raise ValueError("The curve 'steps' must be whole and increasing: it counts environment steps.")


def stored_attachment(kind: str, named: Mapping[str, np.ndarray]) -> Arrays:
    """Returns arrays of any shape as they are stored: floats as float32, integers as the smallest type that holds them.

    Raises:
      ValueError: naming the array that has no name or holds something other than real numbers.
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
        if np.lib.format.read_magic(file) != (1, 0):  # what `pack` writes
            raise ValueError(f"{member} is of another version of npy")
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
        if file.tell() + math.prod(shape) * dtype.itemsize != archive.getinfo(member).file_size:
            raise ValueError(f"{member} is not as long as its header says")
    return list(shape)


def _single(values: np.ndarray) -> np.ndarray:
    if values.dtype.kind == "b":
        return values
    with np.errstate(over="ignore"):  # what diverged beyond float32 is stored as infinite
        return values.astype(np.float32)


def _smallest(values: np.ndarray) -> np.ndarray:
    low, high = (int(values.min()), int(values.max())) if values.size else (0, 0)
    fitting = (kind for kind in _INTEGERS if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max)
    return values.astype(next(fitting))
