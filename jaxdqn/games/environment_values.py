"""The values that an environment returns: whether they belong to their space, and the form in which they are stored.

- Observations of a `Box` keep their type, but 64-bit numbers become 32-bit numbers: integers whose bounds 32 bits do
  not hold become float32.
- `Discrete` observations become one-hot vectors, as gymnasium flattens them.
- Other spaces that gymnasium can flatten become vectors: float32, or an integer type if all parts are integers below 32
  bits.

A Python list or number is taken for an array. Integers, flags and floats are taken for each other where no value
changes; a float is rounded to the precision of its space.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium import spaces

SUPPORTED = "Box, Discrete, MultiDiscrete, MultiBinary, and Dict or Tuple of these"
_NUMERIC = "biuf"  # kinds of NumPy: flags, integers, floats


def is_supported(space: spaces.Space[Any]) -> bool:
    """Returns whether every observation of a space flattens to an array of one size."""
    if isinstance(space, spaces.Dict):
        return all(map(is_supported, space.spaces.values()))
    if isinstance(space, spaces.Tuple):
        return all(map(is_supported, space.spaces))
    return isinstance(space, spaces.Box | spaces.Discrete | spaces.MultiDiscrete | spaces.MultiBinary)


def stored_space(space: spaces.Space[Any]) -> spaces.Box:
    """Returns the space of the stored observations of a supported space."""
    if not isinstance(space, spaces.Box):
        flat = spaces.flatten_space(space)
        assert isinstance(flat, spaces.Box)
        is_small = np.issubdtype(flat.dtype, np.integer) and flat.dtype.itemsize < 4
        return flat if is_small or flat.dtype == np.float32 else _with_type(flat, np.float32)
    if space.dtype.itemsize < 8:
        return space
    if np.issubdtype(space.dtype, np.integer):
        limits = np.iinfo(np.int32)
        if space.low.min(initial=0) >= limits.min and space.high.max(initial=0) <= limits.max:
            return _with_type(space, np.int32)
    return _with_type(space, np.float32)


def stored(space: spaces.Space[Any], observation: Any, dtype: Any) -> np.ndarray:
    """Returns an observation in the form in which it is stored; the array may be the observation itself.

    Args:
      space: the environment's own space.
      observation: as the environment returned it.
      dtype: of `stored_space`.

    Raises:
      ValueError: the observation does not belong to its space.
    """
    value = _belonging(space, observation, "observation")
    array: np.ndarray = value if isinstance(space, spaces.Box) else np.asarray(spaces.flatten(space, value))
    if array.dtype == dtype:
        return array
    if dtype != np.float32:
        return _converted(array, dtype, "observation")
    with np.errstate(over="ignore"):  # a number that becomes infinite is refused where observations must be finite
        return array.astype(np.float32)


def action_mask(space: spaces.MultiBinary, value: Any) -> np.ndarray:
    """Returns the legal actions as bool `[A]`, a new array.

    Raises:
      ValueError: the mask does not have a 0 or 1 for each action.
    """
    return np.array(_belonging(space, value, "action mask"), bool)


def number(value: Any) -> float | None:
    """Returns a number or flag of Python or NumPy as a float; None for anything else, also for an array of one number.

    Only an array without axes counts as a number.
    """
    try:
        array = np.asarray(value)
    except (ValueError, TypeError):
        return None
    return float(array) if array.shape == () and array.dtype.kind in _NUMERIC else None


def picture(frame: Any) -> np.ndarray:
    """Returns a rendered frame as a new array, uint8 `[height, width, 3]`.

    Args:
      frame: integers from 0 to 255: in grey `[height, width]` or `[height, width, 1]`, in colour `[height, width, 3]`,
        or with transparency `[height, width, 4]`, which is ignored; or a list of such pictures, of which the last is
        taken.

    Raises:
      ValueError: it is none of them.
    """
    last = frame[-1] if isinstance(frame, list | tuple) and frame else frame
    array = np.asarray(last) if isinstance(last, np.ndarray) else np.zeros(0)
    if array.ndim == 2:
        array = array[..., None]
    is_picture = array.ndim == 3 and array.shape[-1] in (1, 3, 4) and array.size > 0 and array.dtype.kind in "iu"
    if not is_picture or array.min() < 0 or array.max() > 255:
        raise ValueError(
            f"render returned {described(last)}: a picture must be an array of integers from 0 to 255 with the shape "
            "(height, width, 3)"
        )
    return np.array(np.broadcast_to(array[..., :3], (*array.shape[:2], 3)), np.uint8)


def described(value: Any) -> str:
    """Returns a value in a few words: numbers and short texts as they are, arrays by shape and type."""
    if isinstance(value, np.ndarray) and value.shape != ():
        return f"an array of shape {value.shape} and type {value.dtype}"
    if isinstance(value, tuple | list):
        return f"{len(value)} values"
    if isinstance(value, np.generic | np.ndarray):
        value = value.item()
    text = repr(value)
    return text if len(text) <= 40 else f"a value of type {type(value).__name__}"


def _belonging(space: spaces.Space[Any], value: Any, name: str) -> Any:
    """Returns a value in the type of its space.

    Raises:
      ValueError: it does not belong to the space.
    """
    if isinstance(space, spaces.Dict):
        if not isinstance(value, Mapping) or value.keys() != space.spaces.keys():
            raise ValueError(f"{name} {described(value)}: its space is a dictionary with {', '.join(space.spaces)}")
        return {key: _belonging(part, value[key], f"{name}[{key!r}]") for key, part in space.spaces.items()}
    if isinstance(space, spaces.Tuple):
        if not isinstance(value, tuple | list) or len(value) != len(space.spaces):
            raise ValueError(f"{name} {described(value)}: its space is a tuple of {len(space.spaces)}")
        pairs = zip(space.spaces, value, strict=True)
        return tuple(_belonging(part, one, f"{name}[{i}]") for i, (part, one) in enumerate(pairs))
    shape, dtype = space.shape or (), space.dtype
    try:
        array = np.asarray(value)
    except ValueError:  # lists of different lengths
        array = np.array(None)
    if array.shape != shape:
        what = f"of shape {array.shape}" if array.shape else described(value)
        raise ValueError(f"{name} {what}: its space has the shape {shape}")
    if array.dtype != dtype:
        array = _converted(array, dtype, name)
    if isinstance(space, spaces.Box):
        return array
    inside = array if shape else array.item()
    if not space.contains(inside):
        raise ValueError(f"{name} {array.tolist()} is not in its space {space}")
    return inside


def _converted(array: np.ndarray, dtype: Any, name: str) -> np.ndarray:
    """Returns an array of numbers in another type; only floats may be rounded, to floats.

    Raises:
      ValueError: the array has no numbers, or a value changes.
    """
    if array.dtype.kind not in _NUMERIC:
        raise ValueError(f"{name} of type {array.dtype}: its space has the type {dtype}")
    with np.errstate(all="ignore"):  # values that change are found below, and infinite ones in `CheckedVector`
        converted = array.astype(dtype)
    is_rounded = array.dtype.kind == converted.dtype.kind == "f"
    if not is_rounded and not np.array_equal(converted, array):
        raise ValueError(f"{name} of type {array.dtype} has values that its space, of type {dtype}, does not hold")
    return converted


def _with_type(space: spaces.Box, dtype: Any) -> spaces.Box:
    lowest, highest = (-np.inf, np.inf) if dtype is np.float32 else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    low, high = (np.clip(bound, lowest, highest).astype(dtype) for bound in (space.low, space.high))
    return spaces.Box(low, high, space.shape, dtype)
