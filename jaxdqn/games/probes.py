"""Probe games: each isolates one ability of a learner, and its action values are known in closed form.

Source: Andy Jones, "Debugging reinforcement learning systems" (probe environments); `probe_time_limit` is of this
project. A learner that fails a probe but passes the ones before it lacks what the probe is called after:

    probe_value          one action, observation 0, one step, reward 1: the value of a constant
    probe_observation    one action, observation -1 or 1 at random, one step, reward = observation: values depend on it
    probe_discount       one action, observation 0 then 1, two steps, reward 1 with the second: bootstrapping
    probe_action         two actions, observation 0, one step, reward -1 for action 0 and 1 for action 1
    probe_both           two actions, observation -1 or 1 at random, one step, reward 1 if the action fits (0 to -1,
                         1 to 1), else -1
    probe_time_limit     one action, observation 0, reward 1 a step, cut after 10 steps, but not terminated: the value
                         is 1 / (1 - discount) if the learner bootstraps at a time limit, and less if it does not
    probe_random_reward  one action, observation 0, one step, reward -0.5, 0 or 1 by chance: the value is the mean,
                         0.5, where median and mode are 1; a learned distribution of the return has all three

Observation, float32 `[1]`. In `probe_action` the second action is right, since argmax takes the first among equals.
Ends: all but `probe_time_limit` are terminated by their last step and never truncated; `probe_time_limit` is truncated
and never terminated.

`probe_memory` stands apart, in `MEMORY_PROBES`, since its values are no function of the observation: two actions, an
observation [-1, 0] or [1, 0] at random in the first step, two steps of waiting with [0, 0], and then [0, 1], where the
action must fit what was seen first (0 to -1, 1 to 1): reward 1 if it does, else -1. Other actions do nothing. It is
terminated by its fourth step.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxdqn.games import chances
from jaxdqn.interfaces import Array, Chance, Distribution, Game, Key, TimeStep

VERSION = 1
RANDOM_REWARD = chances.distribution([-0.5, 0.0, 1.0], [0.25, 0.125, 0.625])
WAITING = 2  # steps between sight and decision


class ProbeState(NamedTuple):
    """What is seen, float32 `[]`, and `time`, int32 `[]`, the steps so far."""

    observation: Array
    time: Array


class Probe(NamedTuple):
    """A probe game and its action values.

    Attributes:
      make: `() -> game`.
      closed_form: `(observations [S, 1], discount) -> q_values float64 [S, A]`, in NumPy; the time limit's probe needs
        a discount below 1.
      returns: the distribution of the return where that is random and the same from every start, else None.
    """

    make: Callable[[], Game]
    closed_form: Callable[[np.ndarray, float], np.ndarray]
    returns: Distribution | None = None


class MemoryState(NamedTuple):
    """What is to be remembered, float32 `[]`, and the steps since it was seen, int32 `[]`."""

    sign: Array
    since: Array


class MemoryProbe(NamedTuple):
    """A probe game that hides a part of its state.

    Attributes:
      make: `() -> game`.
      best_memoryless: the largest mean return of policies that see the last observation alone.
      best: the largest mean return of all policies.
    """

    make: Callable[[], Game]
    best_memoryless: float
    best: float


def value() -> Game:
    """One state, one step, reward 1."""
    return _probe("probe_value", start=_zero, observations=(0.0,), reward=lambda observation, action: 1.0)


def observation() -> Game:
    """The reward is the random observation."""
    return _probe(
        "probe_observation",
        start=_random_sign,
        observations=(-1.0, 1.0),
        reward=lambda observation, action: observation,
    )


def discount() -> Game:
    """Two steps, each pays what is seen: 0, then 1."""
    return _probe(
        "probe_discount",
        start=_zero,
        observations=(0.0, 1.0),
        reward=lambda observation, action: observation,
        move=lambda observation: (jnp.ones_like(observation), observation == 1.0),
        max_steps=2,
    )


def action() -> Game:
    """Action 1 is right."""
    return _probe(
        "probe_action",
        start=_zero,
        observations=(0.0,),
        reward=lambda observation, action: 2 * action - 1,
        num_actions=2,
    )


def both() -> Game:
    """Which action is right depends on the random observation."""
    return _probe(
        "probe_both",
        start=_random_sign,
        observations=(-1.0, 1.0),
        reward=lambda observation, action: observation * (2 * action - 1),
        num_actions=2,
    )


def time_limit() -> Game:
    """Pays for ever, but every episode is cut after 10 steps."""
    return _probe(
        "probe_time_limit",
        start=_zero,
        observations=(0.0,),
        reward=lambda observation, action: 1.0,
        move=lambda observation: (observation, jnp.zeros((), bool)),
        max_steps=10,
    )


def random_reward() -> Game:
    """The reward is drawn from `RANDOM_REWARD`."""
    return _probe(
        "probe_random_reward",
        start=_zero,
        observations=(0.0,),
        reward=lambda observation, action: 0.0,
        noise=RANDOM_REWARD,
    )


def memory() -> Game:
    """A sign is seen in the first step and asked for in the last."""

    def reset(key: Key) -> MemoryState:
        return MemoryState(_random_sign(key), jnp.zeros((), jnp.int32))

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


PROBES: dict[str, Probe] = {
    "probe_value": Probe(value, lambda s, discount: np.ones((len(s), 1))),
    "probe_observation": Probe(observation, lambda s, discount: s.astype(np.float64)),
    "probe_discount": Probe(discount, lambda s, discount: np.where(s == 1.0, 1.0, discount)),
    "probe_action": Probe(action, lambda s, discount: np.tile([-1.0, 1.0], (len(s), 1))),
    "probe_both": Probe(both, lambda s, discount: s * np.array([[-1.0, 1.0]])),
    "probe_time_limit": Probe(time_limit, lambda s, discount: np.full((len(s), 1), 1.0 / (1.0 - discount))),
    "probe_random_reward": Probe(random_reward, lambda s, discount: np.full((len(s), 1), 0.5), RANDOM_REWARD),
}

MEMORY_PROBES: dict[str, MemoryProbe] = {"probe_memory": MemoryProbe(memory, best_memoryless=0.0, best=1.0)}


def _zero(key: Key) -> Array:
    del key
    return jnp.zeros((), jnp.float32)


def _random_sign(key: Key) -> Array:
    return jax.random.rademacher(key, (), jnp.float32)


def _end(observation: Array) -> tuple[Array, Array]:
    return observation, jnp.ones((), bool)


def _probe(
    name: str,
    *,
    start: Callable[[Key], Array],
    observations: tuple[float, ...],
    reward: Callable[[Array, Array], Array | float],
    move: Callable[[Array], tuple[Array, Array]] = _end,
    num_actions: int = 1,
    max_steps: int = 1,
    noise: Distribution | None = None,
) -> Game:
    """A game whose state is what is seen.

    Args:
      name: of the game.
      start: `key -> observation []`, the first one.
      observations: all that can occur before the end.
      reward: `(observation [], action []) -> reward []`.
      move: `observation [] -> (next observation [], terminated [])`.
      num_actions: how many there are.
      max_steps: the longest episode; one that has not terminated is cut there.
      noise: what is added to every reward by chance.

    Returns:
      The game.
    """

    def reset(key: Key) -> ProbeState:
        return ProbeState(start(key), jnp.zeros((), jnp.int32))

    def step(key: Key, state: ProbeState, action: Array) -> tuple[ProbeState, TimeStep]:
        del key
        return noisy_step(jnp.zeros((), jnp.float32), state, action)

    def noisy_step(number: Array, state: ProbeState, action: Array) -> tuple[ProbeState, TimeStep]:
        reward_t = jnp.asarray(reward(state.observation, action) + number).astype(jnp.float32)
        observation_t, terminated = move(state.observation)
        state = ProbeState(observation_t, state.time + 1)
        return state, TimeStep(observe(state), reward_t, terminated, ~terminated & (state.time >= max_steps))

    def observe(state: ProbeState) -> Array:
        return state.observation.reshape(1)

    def states() -> ProbeState:
        return ProbeState(jnp.asarray(observations, jnp.float32), jnp.zeros(len(observations), jnp.int32))

    if noise is None:
        return Game(name, VERSION, reset, step, observe, (1,), num_actions, max_steps, states)
    chance = Chance(noise, noisy_step)
    return Game(name, VERSION, reset, chances.step(chance), observe, (1,), num_actions, max_steps, states, chance)
