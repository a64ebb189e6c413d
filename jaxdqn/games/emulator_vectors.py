"""Vectors of copies of an emulator that step one after another, or each in a process."""

from collections.abc import Callable
from typing import Any

import gymnasium
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv, VectorEnv


def make(
    make_single: Callable[[], gymnasium.Env[Any, Any]], num_environments: int, asynchronous: bool = False
) -> VectorEnv:
    """Makes a vector of copies with NEXT_STEP autoreset.

    Args:
      make_single: makes one copy.
      num_environments: number of copies.
      asynchronous: whether each copy runs in a process of its own.
    """
    makers = [make_single] * num_environments
    if asynchronous:  # a fork of a process in which JAX has started can hang
        return AsyncVectorEnv(makers, context="forkserver", autoreset_mode=AutoresetMode.NEXT_STEP)
    return SyncVectorEnv(makers, autoreset_mode=AutoresetMode.NEXT_STEP)
