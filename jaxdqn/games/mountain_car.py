"""Mountain car: a weak car must swing up the left hill first to climb the right one.

Source: Moore (1990), "Efficient memory-based learning for robot control". Steps equal those of gymnasium's
`MountainCar-v0`, in float32.

Rules: every step gives -1, including the last. The wall at the left end stops the car.
Start: the position is uniform in [-0.6, -0.4); the velocity is 0.
Observation, float32 `[2]`: position (in [-1.2, 0.6], the valley is at -π/6), velocity (position per step, in
[-0.07, 0.07]).
Actions: 0 accelerates left, 1 does not accelerate, 2 accelerates right.
Ends: terminated when the position is at least 0.5 and the velocity is at least 0; truncated after `max_steps` steps.
Both can be true in the same step.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxdqn.game_interfaces import Game, GymnasiumRendering, TimeStep
from jaxdqn.interfaces import Array, Key

VERSION = 1

MIN_POSITION = -1.2
MAX_POSITION = 0.6
MAX_SPEED = 0.07
GOAL_POSITION = 0.5
FORCE = 0.001
GRAVITY = 0.0025


class MountainCarState(NamedTuple):
    """Position and velocity, float32 `[]` each, and `time`, int32 `[]`, the number of steps so far."""

    position: Array
    velocity: Array
    time: Array


def make(max_steps: int = 200) -> Game:
    """Makes mountain car with a time limit.

    Args:
      max_steps: time limit in steps, at least 1; 200 in `MountainCar-v0`.

    Returns:
      The game. Its name is "mountain_car" with 200 steps and "mountain_car_1000" with 1000.

    Raises:
      ValueError: the limit is below 1.
    """
    if max_steps < 1:
        raise ValueError(f"mountain_car needs max_steps >= 1, got {max_steps}")
    return Game(
        name="mountain_car" if max_steps == 200 else f"mountain_car_{max_steps}",
        version=VERSION,
        reset=reset,
        step=functools.partial(step, max_steps=max_steps),
        observe=observe,
        observation_shape=(2,),
        num_actions=3,
        max_steps=max_steps,
        gymnasium_rendering=GymnasiumRendering("MountainCar-v0", physical_state=observe),
    )


def reset(key: Key) -> MountainCarState:
    """Samples the position uniformly from [-0.6, -0.4); the velocity is 0."""
    position = jax.random.uniform(key, (), jnp.float32, -0.6, -0.4)
    return MountainCarState(position, jnp.zeros((), jnp.float32), jnp.zeros((), jnp.int32))


def step(key: Key, state: MountainCarState, action: Array, *, max_steps: int) -> tuple[MountainCarState, TimeStep]:
    """Accelerates the car, then moves it with the new velocity."""
    del key
    state = _stop_at_wall(_move(state, action))
    terminated = (state.position >= GOAL_POSITION) & (state.velocity >= 0.0)
    return state, TimeStep(observe(state), jnp.full((), -1.0, jnp.float32), terminated, state.time >= max_steps)


def observe(state: MountainCarState) -> Array:
    """Returns position and velocity, float32 `[2]`."""
    return jnp.stack([state.position, state.velocity])


def _move(state: MountainCarState, action: Array) -> MountainCarState:
    velocity = state.velocity + (action - 1) * FORCE - jnp.cos(3.0 * state.position) * GRAVITY
    velocity = jnp.clip(velocity, -MAX_SPEED, MAX_SPEED)
    position = jnp.clip(state.position + velocity, MIN_POSITION, MAX_POSITION)
    return MountainCarState(position, velocity, state.time + 1)


def _stop_at_wall(state: MountainCarState) -> MountainCarState:
    hits = (state.position <= MIN_POSITION) & (state.velocity < 0.0)
    return state._replace(velocity=jnp.where(hits, 0.0, state.velocity))
