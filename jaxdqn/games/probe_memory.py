"""Probe of memory: the last action must match an observation that was shown three steps before.

Source: this project.
Observation, float32 `[2]`: the first is [-1, 0] or [1, 0] at random; two of [0, 0] follow; the last is [0, 1].
Actions: 0 and 1.
Reward: in the last step 1 if the action matches the first observation (0 for -1, 1 for 1), else -1; all others are 0.
Ends: terminated in its fourth step, never truncated.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxdqn.game_interfaces import Game, TimeStep
from jaxdqn.interfaces import Array, Key

VERSION = 1
WAITING = 2  # steps between the observation of the sign and the decision


class MemoryState(NamedTuple):
    """The sign to remember, float32 `[]`, and the number of steps since it was observed, int32 `[]`."""

    sign: Array
    since: Array


def make() -> Game:
    """Makes the probe whose last action must match the sign observed in the first step."""

    def reset(key: Key) -> MemoryState:
        return MemoryState(jax.random.rademacher(key, (), jnp.float32), jnp.zeros((), jnp.int32))

    def step(key: Key, state: MemoryState, action: Array) -> tuple[MemoryState, TimeStep]:
        del key
        decides = state.since == WAITING + 1
        reward = jnp.where(decides, state.sign * (2 * action - 1), 0.0)
        state = state._replace(since=state.since + 1)
        return state, TimeStep(observe(state), reward, decides, jnp.zeros((), bool))

    def observe(state: MemoryState) -> Array:
        is_decision = (state.since == WAITING + 1).astype(jnp.float32)
        return jnp.stack([jnp.where(state.since == 0, state.sign, 0.0), is_decision])

    def states() -> MemoryState:
        sign, since = np.meshgrid([-1.0, 1.0], np.arange(WAITING + 2))
        return MemoryState(jnp.asarray(sign.ravel(), jnp.float32), jnp.asarray(since.ravel(), jnp.int32))

    return Game("probe_memory", VERSION, reset, step, observe, (2,), 2, WAITING + 2, states)
