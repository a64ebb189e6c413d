"""Probe games: each tests one ability of a learner, and its action values are known in closed form.

Source: Andy Jones, "Debugging reinforcement learning systems" (probe environments); this project added
`probe_time_limit` and `probe_random_reward`. If a learner passes all earlier probes and fails one, it
lacks the ability that this probe tests:

    probe_value          one action, observation 0, one step, reward 1: the value of a constant
    probe_observation    one action, observation -1 or 1 at random, one step, reward = observation: a value that depends
                         on the observation
    probe_discount       one action, observation 0 then 1, two steps, reward 1 in the second: bootstrapping
    probe_action         two actions, observation 0, one step, reward -1 for action 0 and 1 for action 1
    probe_both           two actions, observation -1 or 1 at random, one step, reward 1 if the action matches the
                         observation (0 for -1, 1 for 1), else -1
    probe_time_limit     one action, observation 0, reward 1 in each step, truncated after 10 steps, never terminated:
                         the value is 1 / (1 - discount) if the learner bootstraps at a time limit, else lower
    probe_random_reward  one action, observation 0, one step, random reward of -0.5, 0 or 1: the value is the mean, 0.5;
                         median and mode are 1; a distributional learner can learn all three

Observation, float32 `[1]`. In `probe_action` the second action is right, because argmax returns the first of equal
values.
Ends: `probe_time_limit` is truncated and never terminated. All others are terminated in their last step and never
truncated.

Two probes are listed apart, in files of their own: `probe_memory.py` in `MEMORY_PROBES`, because its values are not a
function of the observation, and `probe_picture.py` in `PICTURE_PROBES`, because its observation is a picture.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxdqn.game_interfaces import DiscreteDistribution, Game, RandomStep, TimeStep
from jaxdqn.games import probe_memory, probe_picture, random_steps
from jaxdqn.interfaces import Array, Key

VERSION = 1
RANDOM_REWARD = random_steps.distribution([-0.5, 0.0, 1.0], [0.25, 0.125, 0.625])


class ProbeState(NamedTuple):
    """The observation, float32 `[]`, and `time`, int32 `[]`, the number of steps so far."""

    observation: Array
    time: Array


class Probe(NamedTuple):
    """A probe game and its action values.

    Attributes:
      make: `() -> game`.
      closed_form: `(observations [S, *shape], discount) -> q_values float64 [S, A]`, in NumPy; `probe_time_limit` needs
        a discount below 1.
      returns: distribution of the return where it is random and equal for all starts, else None.
    """

    make: Callable[[], Game]
    closed_form: Callable[[np.ndarray, float], np.ndarray]
    returns: DiscreteDistribution | None = None


class MemoryProbe(NamedTuple):
    """A probe game with a hidden part of the state.

    Attributes:
      make: `() -> game`.
      best_memoryless: largest mean return of a policy that depends on the last observation only.
      best: largest mean return of any policy.
    """

    make: Callable[[], Game]
    best_memoryless: float
    best: float


def value() -> Game:
    """Makes the probe with one state, one step and reward 1."""
    return _probe("probe_value", start=_zero, observations=(0.0,), reward=lambda observation, action: 1.0)


def observation() -> Game:
    """Makes the probe whose reward equals the random observation."""
    return _probe(
        "probe_observation",
        start=_random_sign,
        observations=(-1.0, 1.0),
        reward=lambda observation, action: observation,
    )


def discount() -> Game:
    """Makes the probe with two steps, whose rewards equal the observations: 0, then 1."""
    return _probe(
        "probe_discount",
        start=_zero,
        observations=(0.0, 1.0),
        reward=lambda observation, action: observation,
        move=lambda observation: (jnp.ones_like(observation), observation == 1.0),
        max_steps=2,
    )


def action() -> Game:
    """Makes the probe in which action 1 is right."""
    return _probe(
        "probe_action",
        start=_zero,
        observations=(0.0,),
        reward=lambda observation, action: 2 * action - 1,
        num_actions=2,
    )


def both() -> Game:
    """Makes the probe in which the right action depends on the random observation."""
    return _probe(
        "probe_both",
        start=_random_sign,
        observations=(-1.0, 1.0),
        reward=lambda observation, action: observation * (2 * action - 1),
        num_actions=2,
    )


def time_limit() -> Game:
    """Makes the probe with reward 1 in every step and a time limit of 10 steps."""
    return _probe(
        "probe_time_limit",
        start=_zero,
        observations=(0.0,),
        reward=lambda observation, action: 1.0,
        move=lambda observation: (observation, jnp.zeros((), bool)),
        max_steps=10,
    )


def random_reward() -> Game:
    """Makes the probe whose reward is sampled from `RANDOM_REWARD`."""
    return _probe(
        "probe_random_reward",
        start=_zero,
        observations=(0.0,),
        reward=lambda observation, action: 0.0,
        noise=RANDOM_REWARD,
    )


PROBES: dict[str, Probe] = {
    "probe_value": Probe(value, lambda s, discount: np.ones((len(s), 1))),
    "probe_observation": Probe(observation, lambda s, discount: s.astype(np.float64)),
    "probe_discount": Probe(discount, lambda s, discount: np.where(s == 1.0, 1.0, discount)),
    "probe_action": Probe(action, lambda s, discount: np.tile([-1.0, 1.0], (len(s), 1))),
    "probe_both": Probe(both, lambda s, discount: s * np.array([[-1.0, 1.0]])),
    "probe_time_limit": Probe(time_limit, lambda s, discount: np.full((len(s), 1), 1.0 / (1.0 - discount))),
    "probe_random_reward": Probe(random_reward, lambda s, discount: np.full((len(s), 1), 0.5), RANDOM_REWARD),
}

PICTURE_PROBES: dict[str, Probe] = {
    # A bar that stands has three cells in one column.
    "probe_picture": Probe(
        probe_picture.make, lambda s, discount: np.where((s > 0).sum(1).max(1) == 3, [-1.0, 1.0], [1.0, -1.0])
    )
}

MEMORY_PROBES: dict[str, MemoryProbe] = {"probe_memory": MemoryProbe(probe_memory.make, best_memoryless=0.0, best=1.0)}


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
    noise: DiscreteDistribution | None = None,
) -> Game:
    """Makes a probe game whose state is its observation.

    Args:
      name: name of the game.
      start: `key -> observation []`, samples the first observation.
      observations: all observations that can occur before the end.
      reward: `(observation [], action []) -> reward []`.
      move: `observation [] -> (next observation [], terminated [])`.
      num_actions: number of actions.
      max_steps: number of steps after which an episode is truncated if it has not terminated.
      noise: distribution of a random number that is added to every reward; None adds nothing.

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

    random_step = None if noise is None else RandomStep(noise, noisy_step)
    any_step = step if random_step is None else random_steps.make_step(random_step)
    return Game(name, VERSION, reset, any_step, observe, (1,), num_actions, max_steps, states, random_step)
