"""The state of a run on a host game: its environments, and the actions that restore those that cannot be saved."""

from typing import Any, NamedTuple

import numpy as np

from jaxdqn.training.host_programs import Decision
from jaxdqn.training.state import Parts, RunState


class EnvironmentState(NamedTuple):
    """The state of the environments, in NumPy.

    Attributes:
      observation: `[E, *observation_shape]`.
      decision: made on this observation, its actions not taken yet.
      resetting: bool `[E]`, whether the next step of a copy only resets it.
      legal: bool `[E, A]`, the legal actions; None in a game without masks.
    """

    observation: np.ndarray
    decision: Decision
    resetting: np.ndarray
    legal: np.ndarray | None


class ActionHistory(NamedTuple):
    """The seeds and actions of the environments. The same seeds and actions restore deterministic environments.

    Attributes:
      seeds: uint32 `[E]`, of the last reset that the loop called.
      actions: the bytes of all actions since then, `[K, E]` of `action_type`; it grows in place. Empty if the game
        saves states.
      renewed_at: the steps at which episodes were cut short and new ones began, because a resumed run could not bring
        the environments to the same state, or evaluation took the environment of training.
    """

    seeds: np.ndarray
    actions: bytearray
    renewed_at: tuple[int, ...]


def action_type(num_actions: int) -> Any:
    """Returns the smallest type that holds all actions; a run of millions of steps keeps every action."""
    return np.uint16 if num_actions <= 2**16 else np.uint32


class HostRun(NamedTuple):
    """A run and its environments.

    Attributes:
      parts: of the run; its configuration has numbers as arrays on the device.
      metrics: names of the algorithm's metrics.
      chunk_length: number of iterations whose random numbers are drawn at once.
      state: the run; learner, replay and keys on the device, counters and log in NumPy, `game` an `EnvironmentState`.
      environments: of training; they step, and carry what cannot be stored.
      evaluation_environments: of evaluation; those of training where both share one.
      history: of the training environments.
    """

    parts: Parts
    metrics: tuple[str, ...]
    chunk_length: int
    state: RunState
    environments: Any
    evaluation_environments: Any
    history: ActionHistory
