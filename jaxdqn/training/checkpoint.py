"""Checkpoints: a run's whole state on disk, from which it goes on bit for bit.

Of the loop for JAX games: `loop.init` and `loop.advance`. The environments of a host game cannot be stored.
"""

import pathlib

import jax
import orbax.checkpoint

from jaxdqn.training.run import RunState


def save(folder: str | pathlib.Path, state: RunState) -> None:
    """Writes the state to a folder, whole or not at all.

    Raises:
      ValueError: if the folder exists already; nothing is overwritten.
    """
    with orbax.checkpoint.StandardCheckpointer() as checkpointer:
        checkpointer.save(pathlib.Path(folder).resolve(), state)


def restore(folder: str | pathlib.Path, like: RunState) -> RunState:
    """Returns the stored state.

    Args:
      folder: as given to `save`.
      like: a state, or its `jax.eval_shape`, of the same configuration and game; its values are not read.

    Raises:
      FileNotFoundError: if there is no checkpoint in the folder.
    """
    shapes = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), like)
    with orbax.checkpoint.StandardCheckpointer() as checkpointer:
        return checkpointer.restore(pathlib.Path(folder).resolve(), shapes)
