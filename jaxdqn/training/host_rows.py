"""The rows of the loop for host games: the steps of one iteration in NumPy, until a compiled call stores them."""

from typing import Any

import numpy as np

from jaxdqn.config import Config
from jaxdqn.interfaces import Step
from jaxdqn.training.host_environments import Stepped
from jaxdqn.training.host_programs import Rows
from jaxdqn.training.host_state import EnvironmentState


def empty(config: Config, environment: EnvironmentState) -> Rows:
    """Returns rows for one iteration, with observations, memories and masks of the shapes and types found there."""
    shape = (config.train_every // config.num_environments, config.num_environments)
    observations = np.zeros((*shape, *environment.observation.shape[1:]), environment.observation.dtype)
    rewards, flags, memory = np.zeros(shape, np.float32), np.zeros(shape, bool), environment.decision.memory
    memories = None if memory is None else np.zeros((*shape, memory.shape[-1]), np.float32)
    kept: Any = (observations, np.zeros(shape, np.int32), rewards, flags, flags.copy(), observations.copy(), memories)
    masks: Any = {}
    if environment.legal is not None:
        masks = {name: np.zeros((*shape, environment.legal.shape[-1]), bool) for name in ("legal_tm1", "legal_t")}
    return Rows(Step(*kept, **masks), flags.copy())


def write(rows: Rows, place: int, before: EnvironmentState, action: np.ndarray, after: Stepped) -> None:
    """Writes a step of all environments into the row `place`; a copy that was only reset has no valid step.

    A lost life is stored as a termination.
    """
    step: Any = rows.step  # of NumPy arrays
    step.s_tm1[place] = before.observation
    step.a_tm1[place] = action
    step.r_t[place] = after.reward
    step.terminated[place] = after.terminated if after.life_lost is None else after.terminated | after.life_lost
    step.truncated[place] = after.truncated
    step.s_t[place] = after.observation
    if step.memory is not None:
        step.memory[place] = before.decision.memory
    if step.legal_tm1 is not None:
        step.legal_tm1[place], step.legal_t[place] = before.legal, after.legal
    np.logical_not(before.resetting, out=rows.is_valid[place])
