"""Mountain car: a car too weak for the hill on its right must swing up on the left one first.

Source: Moore (1990), "Efficient memory-based learning for robot control", as in gymnasium's `MountainCar-v0`, whose
steps these are in float32.

Rules: every step gives -1, the last one too. The wall at the left end stops the car.
Start: the position is uniform in [-0.6, -0.4), the velocity 0.
Observation, float32 `[2]`: position (in [-1.2, 0.6], the valley is at -π/6), velocity (position per step, in
[-0.07, 0.07]).
Actions: 0 accelerates left, 1 does nothing, 2 accelerates right.
Ends: terminated at a position of 0.5 or more with a velocity of 0 or more; truncated after `max_steps` steps. Both can
be true at the same step.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxdqn.interfaces import Array, DrawnBy, Game, Key, TimeStep

VERSION = 1

MIN_POSITION = -1.2
MAX_POSITION = 0.6
MAX_SPEED = 0.07
GOAL_POSITION = 0.5
FORCE = 0.001
GRAVITY = 0.0025


class MountainCarState(NamedTuple):
    """Position and velocity, float32 `[]` each, and `time`, int32 `[]`, the steps so far."""

    position: Array
    velocity: Array
    time: Array


def make(max_steps: int = 200) -> Game:
    """Mountain car with a time limit.

    Args:
      max_steps: the time limit in steps: 200 in `MountainCar-v0`.

    Returns:
      The game; it is called "mountain_car" with 200 steps and "mountain_car_1000" with 1000.

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
        drawn_by=DrawnBy("MountainCar-v0", physical_state=observe),
    )


def reset(key: Key) -> MountainCarState:
    """Draws the position uniformly from [-0.6, -0.4); the car stands."""
    position = jax.random.uniform(key, (), jnp.float32, -0.6, -0.4)
    return MountainCarState(position, jnp.zeros((), jnp.float32), jnp.zeros((), jnp.int32))


def step(key: Key, state: MountainCarState, action: Array, *, max_steps: int) -> tuple[MountainCarState, TimeStep]:
    """Accelerates, then moves with the new velocity."""
    del key
    state = _stop_at_wall(_move(state, action))
    terminated = (state.position >= GOAL_POSITION) & (state.velocity >= 0.0)
    return state, TimeStep(observe(state), jnp.full((), -1.0, jnp.float32), terminated, state.time >= max_steps)


def observe(state: MountainCarState) -> Array:
    """Position and velocity, float32 `[2]`."""
    return jnp.stack([state.position, state.velocity])


def _move(state: MountainCarState, action: Array) -> MountainCarState:
    velocity = state.velocity + (action - 1) * FORCE - jnp.cos(3.0 * state.position) * GRAVITY
    velocity = jnp.clip(velocity, -MAX_SPEED, MAX_SPEED)
    position = jnp.clip(state.position + velocity, MIN_POSITION, MAX_POSITION)
    return MountainCarState(position, velocity, state.time + 1)


def _stop_at_wall(state: MountainCarState) -> MountainCarState:
    hits = (state.position <= MIN_POSITION) & (state.velocity < 0.0)
    return state._replace(velocity=jnp.where(hits, 0.0, state.velocity))
