"""Checkpoints: the arrays that a run needs to continue bit for bit, in memory and on disk.

A state is a tree whose leaves are arrays and random keys. `leaves` makes plain arrays of them, and `like_before` the
tree again; `save` and `restore` keep arrays in a folder, whole or not at all. Nothing that was stored is ever run.
"""

import errno
import os
import pathlib
import shutil
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxdqn.noise import is_key


class Unusable(Exception):
    """A checkpoint that is not one of this state: made by another version, or damaged."""


def leaves(state: Any) -> list[np.ndarray]:
    """Returns the leaves of a state in NumPy, keys as the integers they hold."""
    plain = [jax.random.key_data(leaf) if is_key(leaf) else leaf for leaf in jax.tree.leaves(state)]
    return [np.array(leaf) for leaf in jax.device_get(plain)]


def like_before(values: Sequence[np.ndarray], like: Any) -> Any:
    """Returns the state whose `leaves` these are, in NumPy but for its keys.

    Args:
      values: of the leaves.
      like: a state, or its `jax.eval_shape`, of the same configuration and game; its values are not read.

    Raises:
      Unusable: if the state has other leaves than these.
    """
    expected, structure = jax.tree.flatten(like)
    if len(values) != len(expected):
        raise Unusable(f"it holds {len(values)} arrays, and the state has {len(expected)}")
    restored = []
    for value, leaf in zip(values, expected, strict=True):
        plain = jax.eval_shape(jax.random.key_data, leaf) if is_key(leaf) else leaf
        shape, dtype = np.shape(plain), plain.dtype if hasattr(plain, "dtype") else np.asarray(plain).dtype
        if (value.shape, value.dtype) != (shape, dtype):
            raise Unusable(f"it holds {value.dtype} {value.shape} for {dtype} {shape}")
        restored.append(jax.random.wrap_key_data(jnp.asarray(value)) if is_key(leaf) else value)
    return jax.tree.unflatten(structure, restored)


def save(folder: pathlib.Path, arrays: Sequence[np.ndarray]) -> None:
    """Writes arrays to a folder, whole or not at all.

    Raises:
      ValueError: if the folder exists already; nothing is overwritten.
      OSError: if the disk has no room for them.
    """
    import orbax.checkpoint  # slow to import, and only long runs need it

    needed = sum(values.nbytes for values in arrays)
    if shutil.disk_usage(folder.parent).free < 1.2 * needed:  # orbax would find out with tracebacks of many threads
        raise OSError(errno.ENOSPC, f"No space left on device for {needed:,} bytes", str(folder))

    # Padded by one element, since orbax stores no array without any.
    named = {f"{i:04}": np.append(values.ravel(), values.dtype.type(0)) for i, values in enumerate(arrays)}
    shapes = {f"{i:04}.shape": np.array([values.ndim, *values.shape]) for i, values in enumerate(arrays)}
    with orbax.checkpoint.StandardCheckpointer() as checkpointer:
        checkpointer.save(folder.resolve(), named | shapes)
    for path in (folder, *folder.rglob("*")):  # or a machine that fails may keep their names alone
        _flush(path)


def restore(folder: pathlib.Path) -> list[np.ndarray]:
    """Returns the arrays of a folder.

    Raises:
      Unusable: if they cannot be read.
    """
    import orbax.checkpoint

    try:
        with orbax.checkpoint.StandardCheckpointer() as checkpointer:
            metadata = checkpointer.metadata(folder.resolve()).item_metadata
            like = {name: np.zeros(entry.shape, entry.dtype) for name, entry in metadata.tree.items()}
            found = checkpointer.restore(folder.resolve(), like)
        names = sorted(name for name in found if not name.endswith(".shape"))
        return [np.asarray(found[name])[:-1].reshape(found[f"{name}.shape"][1:]) for name in names]
    except Exception as problem:  # whatever orbax and what it reads with make of a damaged folder
        raise Unusable(f"it cannot be read ({problem})") from problem


def _flush(path: pathlib.Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
