"""Stacked frames: a network sees the last k observations of the episode at once (Mnih et al. 2015).

A game hands over single observations, called frames. Acting stacks them: the last k - 1 frames are a part of the
network's memory. Learning gets whole stacks, which replay rebuilds from the frames that it stores.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxdqn.interfaces import Array, Network, Parameters


class FrameMemory(NamedTuple):
    """The memory of a network that sees stacked frames.

    Attributes:
      frames: `[..., *shape[:-1], C · (k - 1)]`, the last frames of the episode in their own dtype, oldest first; zeros
        stand for frames before its start.
      rest: the memory of the network that sees the stacks.
    """

    frames: Any
    rest: Any


def stacked_shape(observation_shape: tuple[int, ...], frames: int) -> tuple[int, ...]:
    """Returns the shape of a stack: `frames` observations along their last axis.

    Raises:
      ValueError: the observations have no axis, and more than one frame is stacked.
    """
    if frames == 1:
        return observation_shape
    if not observation_shape:
        raise ValueError(f"network.frames = {frames} needs observations with an axis, and these are single numbers.")
    return (*observation_shape[:-1], observation_shape[-1] * frames)


def over_frames(
    network: Network, frames: int, observation_shape: tuple[int, ...], observation_dtype: np.typing.DTypeLike
) -> Network:
    """Returns a network that stacks frames, from one that takes stacks; the same network if `frames` is 1.

    Args:
      network: for observations of `stacked_shape`.
      frames: k, number of frames in a stack.
      observation_shape: shape of one frame.
      observation_dtype: dtype of a frame.

    Returns:
      The network whose `step` takes single frames. Its `apply`, `unroll` and `unroll_step` still take stacks.
    """
    if frames == 1:
        return network
    *shape, num_channels = observation_shape
    empty = np.zeros((*shape, num_channels * (frames - 1)), observation_dtype)  # NumPy: no device may start yet

    def step(parameters: Parameters, observation: Array, memory: FrameMemory, key: Any = None) -> Any:
        if observation.dtype != empty.dtype:
            raise ValueError(
                f"The network was made for observations of type {empty.dtype}, and got {observation.dtype}: pass "
                "observation_dtype to `make`."
            )
        stack = jnp.concatenate([memory.frames, observation], axis=-1)
        output, rest = network.step(parameters, stack, memory.rest, key)
        return output, FrameMemory(stack[..., num_channels:], rest)

    return network._replace(
        memory=FrameMemory(empty, network.memory),
        step=step,
        stored_memory=lambda memory: network.stored_memory(memory.rest),
        frames=frames,
    )
