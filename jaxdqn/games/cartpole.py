"""CartPole: push a cart left or right to keep the pole on it upright.

Source: Barto, Sutton and Anderson (1983), "Neuronlike adaptive elements that can solve difficult learning control
problems". Steps equal those of gymnasium's `CartPole-v1`, in float32 (explicit Euler, 0.02 s a step).

Rules: every step gives +1, including the last.
Start: all four variables are uniform in [-0.05, 0.05).
Observation, float32 `[4]`: cart position (m), cart velocity (m/s), pole angle (rad, 0 is upright, positive leans
right), pole angular velocity (rad/s).
Actions: 0 pushes the cart left, 1 pushes it right, with 10 N.
Ends: terminated when the position is beyond ±2.4 m or the angle is beyond ±12 degrees; truncated after `max_steps`
steps. Both can be true in the same step.
"""

import functools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxdqn.game_interfaces import Game, GymnasiumRendering, TimeStep
from jaxdqn.interfaces import Array, Key

VERSION = 1

GRAVITY = 9.8  # m/s²
CART_MASS = 1.0  # kg
POLE_MASS = 0.1  # kg
TOTAL_MASS = CART_MASS + POLE_MASS
HALF_LENGTH = 0.5  # m, half the length of the pole
FORCE = 10.0  # N
TIME_STEP = 0.02  # s
MAX_POSITION = 2.4  # m
MAX_ANGLE = math.radians(12)


class CartPoleState(NamedTuple):
    """Cart and pole in m, m/s, rad and rad/s, float32 `[]` each, and `time`, int32 `[]`, the number of steps so far."""

    position: Array
    velocity: Array
    angle: Array
    angular_velocity: Array
    time: Array


def make(max_steps: int = 500) -> Game:
    """Makes CartPole with a time limit.

    Args:
      max_steps: time limit in steps, at least 1; 500 in `CartPole-v1`, 200 in `CartPole-v0`.

    Returns:
      The game. Its name is "cartpole" with 500 steps and "cartpole_200" with 200.

    Raises:
      ValueError: the limit is below 1.
    """
    if max_steps < 1:
        raise ValueError(f"cartpole needs max_steps >= 1, got {max_steps}")
    return Game(
        name="cartpole" if max_steps == 500 else f"cartpole_{max_steps}",
        version=VERSION,
        reset=reset,
        step=functools.partial(step, max_steps=max_steps),
        observe=observe,
        observation_shape=(4,),
        num_actions=2,
        max_steps=max_steps,
        gymnasium_rendering=GymnasiumRendering("CartPole-v1", physical_state=observe),
    )


def reset(key: Key) -> CartPoleState:
    """Samples all four variables uniformly from [-0.05, 0.05)."""
    position, velocity, angle, angular_velocity = jax.random.uniform(key, (4,), jnp.float32, -0.05, 0.05)
    return CartPoleState(position, velocity, angle, angular_velocity, jnp.zeros((), jnp.int32))


def step(key: Key, state: CartPoleState, action: Array, *, max_steps: int) -> tuple[CartPoleState, TimeStep]:
    """Applies the force for one time step."""
    del key
    state = _integrate(state, jnp.where(action == 1, FORCE, -FORCE))
    terminated = (jnp.abs(state.position) > MAX_POSITION) | (jnp.abs(state.angle) > MAX_ANGLE)
    return state, TimeStep(observe(state), jnp.ones((), jnp.float32), terminated, state.time >= max_steps)


def observe(state: CartPoleState) -> Array:
    """Returns the four physical variables, float32 `[4]`."""
    return jnp.stack([state.position, state.velocity, state.angle, state.angular_velocity])


def _integrate(state: CartPoleState, force: Array) -> CartPoleState:
    sin, cos = jnp.sin(state.angle), jnp.cos(state.angle)
    push = (force + POLE_MASS * HALF_LENGTH * state.angular_velocity**2 * sin) / TOTAL_MASS
    angular_acceleration = (GRAVITY * sin - cos * push) / (HALF_LENGTH * (4.0 / 3.0 - POLE_MASS * cos**2 / TOTAL_MASS))
    acceleration = push - POLE_MASS * HALF_LENGTH * angular_acceleration * cos / TOTAL_MASS
    # Explicit Euler: positions use the velocities before the step.
    return CartPoleState(
        position=state.position + TIME_STEP * state.velocity,
        velocity=state.velocity + TIME_STEP * acceleration,
        angle=state.angle + TIME_STEP * state.angular_velocity,
        angular_velocity=state.angular_velocity + TIME_STEP * angular_acceleration,
        time=state.time + 1,
    )
