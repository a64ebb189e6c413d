"""Acrobot: swing up a chain of two links with a motor in the joint between them.

Source: Sutton (1996), "Generalization in reinforcement learning: successful examples using sparse coarse coding", with
the equations of motion of Sutton and Barto's book. Steps equal those of gymnasium's `Acrobot-v1`, in float32: one
fourth-order Runge-Kutta step of 0.2 s, no torque noise. gymnasium's cos(x - π/2) is written sin(x) here.

Rules: the reward is 0 in the step that reaches the goal, and -1 in all others.
Start: angles and angular velocities are uniform in [-0.1, 0.1); both links hang down.
Observation, float32 `[6]`: cosine and sine of the first link's angle (0 hangs down), cosine and sine of the second
link's angle (0 is in line with the first link), angular velocity of the first link (rad/s, in [-4π, 4π]) and of the
second link (rad/s, in [-9π, 9π]).
Actions: torque on the joint: 0 is -1 N m, 1 is 0 N m, 2 is +1 N m.
Ends: terminated when the tip is more than one link length above the fixed end; truncated after `max_steps` steps. Both
can be true in the same step.
"""

import functools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxdqn.game_interfaces import Game, GymnasiumRendering, TimeStep
from jaxdqn.interfaces import Array, Key

VERSION = 1

TIME_STEP = 0.2  # s
GRAVITY = 9.8  # m/s²
# Both links have the same length, mass, centre and inertia.
LENGTH = 1.0  # m
MASS = 1.0  # kg
CENTRE = 0.5  # m, from the link's joint to its centre of mass
INERTIA = 1.0  # kg m²
MAX_VELOCITY_1 = 4 * math.pi  # rad/s
MAX_VELOCITY_2 = 9 * math.pi  # rad/s


class Motion(NamedTuple):
    """Angles (rad) and angular velocities (rad/s) of both links, float32 `[]` each; or their time derivatives."""

    angle_1: Array
    angle_2: Array  # relative to the first link
    velocity_1: Array
    velocity_2: Array


class AcrobotState(NamedTuple):
    """The motion of the links, and `time`, int32 `[]`, the number of steps so far."""

    motion: Motion
    time: Array


def make(max_steps: int = 500) -> Game:
    """Makes acrobot with a time limit.

    Args:
      max_steps: time limit in steps, at least 1; 500 in `Acrobot-v1`.

    Returns:
      The game. Its name is "acrobot" with 500 steps and "acrobot_200" with 200.

    Raises:
      ValueError: the limit is below 1.
    """
    if max_steps < 1:
        raise ValueError(f"acrobot needs max_steps >= 1, got {max_steps}")
    return Game(
        name="acrobot" if max_steps == 500 else f"acrobot_{max_steps}",
        version=VERSION,
        reset=reset,
        step=functools.partial(step, max_steps=max_steps),
        observe=observe,
        observation_shape=(6,),
        num_actions=3,
        max_steps=max_steps,
        gymnasium_rendering=GymnasiumRendering("Acrobot-v1", physical_state=_physical),
    )


def reset(key: Key) -> AcrobotState:
    """Samples angles and velocities uniformly from [-0.1, 0.1)."""
    angle_1, angle_2, velocity_1, velocity_2 = jax.random.uniform(key, (4,), jnp.float32, -0.1, 0.1)
    return AcrobotState(Motion(angle_1, angle_2, velocity_1, velocity_2), jnp.zeros((), jnp.int32))


def step(key: Key, state: AcrobotState, action: Array, *, max_steps: int) -> tuple[AcrobotState, TimeStep]:
    """Applies the torque for one time step."""
    del key
    motion = _bound(_runge_kutta(state.motion, torque=action - 1.0))
    state = AcrobotState(motion, state.time + 1)
    terminated = -jnp.cos(motion.angle_1) - jnp.cos(motion.angle_1 + motion.angle_2) > 1.0
    reward = jnp.where(terminated, 0.0, -1.0).astype(jnp.float32)
    return state, TimeStep(observe(state), reward, terminated, state.time >= max_steps)


def observe(state: AcrobotState) -> Array:
    """Returns cosine and sine of both angles, then both velocities, float32 `[6]`."""
    angle_1, angle_2, velocity_1, velocity_2 = state.motion
    return jnp.stack([jnp.cos(angle_1), jnp.sin(angle_1), jnp.cos(angle_2), jnp.sin(angle_2), velocity_1, velocity_2])


def _physical(state: AcrobotState) -> Array:
    """Returns both angles, then both velocities, float32 `[4]`."""
    return jnp.stack(state.motion)


def _derivative(motion: Motion, torque: Array) -> Motion:
    """Returns the time derivatives of angles and velocities (Sutton and Barto, section "Acrobot")."""
    sin_2, cos_2 = jnp.sin(motion.angle_2), jnp.cos(motion.angle_2)
    d1 = MASS * (CENTRE**2 + LENGTH**2 + CENTRE**2 + 2 * LENGTH * CENTRE * cos_2) + 2 * INERTIA
    d2 = MASS * (CENTRE**2 + LENGTH * CENTRE * cos_2) + INERTIA
    coupling = MASS * LENGTH * CENTRE * sin_2
    phi2 = MASS * CENTRE * GRAVITY * jnp.sin(motion.angle_1 + motion.angle_2)
    phi1 = (
        -coupling * motion.velocity_2**2
        - 2 * coupling * motion.velocity_2 * motion.velocity_1
        + MASS * (CENTRE + LENGTH) * GRAVITY * jnp.sin(motion.angle_1)
        + phi2
    )
    acceleration_2 = (torque + d2 / d1 * phi1 - coupling * motion.velocity_1**2 - phi2) / (
        MASS * CENTRE**2 + INERTIA - d2**2 / d1
    )
    acceleration_1 = -(d2 * acceleration_2 + phi1) / d1
    return Motion(motion.velocity_1, motion.velocity_2, acceleration_1, acceleration_2)


def _runge_kutta(motion: Motion, torque: Array) -> Motion:
    """Makes one step of the classical fourth-order method with constant torque."""

    def ahead(time: float, slope: Motion) -> Motion:
        return jax.tree.map(lambda y, k: y + time * k, motion, slope)

    k1 = _derivative(motion, torque)
    k2 = _derivative(ahead(TIME_STEP / 2, k1), torque)
    k3 = _derivative(ahead(TIME_STEP / 2, k2), torque)
    k4 = _derivative(ahead(TIME_STEP, k3), torque)
    return ahead(TIME_STEP / 6, jax.tree.map(lambda a, b, c, d: a + 2 * b + 2 * c + d, k1, k2, k3, k4))


def _bound(motion: Motion) -> Motion:
    """Wraps the angles into [-π, π] and clips the velocities."""
    return Motion(
        angle_1=_wrap(motion.angle_1),
        angle_2=_wrap(motion.angle_2),
        velocity_1=jnp.clip(motion.velocity_1, -MAX_VELOCITY_1, MAX_VELOCITY_1),
        velocity_2=jnp.clip(motion.velocity_2, -MAX_VELOCITY_2, MAX_VELOCITY_2),
    )


def _wrap(angle: Array) -> Array:
    return angle - 2 * math.pi * jnp.round(angle / (2 * math.pi))
