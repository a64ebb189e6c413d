"""CartPole, mountain car and acrobot equal gymnasium's NumPy classes, which compute in float64.

Tolerances are those of float32: one step agrees up to the `step_error` of the game. Acrobot's is larger, because its
Runge-Kutta step multiplies velocities of up to 28 rad/s. Flags must be equal: no state here is within rounding error of
a limit.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdqn.game_interfaces import Game
from jaxdqn.games import acrobot, cartpole, mountain_car

NUM_STATES = 2000


class Case(NamedTuple):
    """A game and the gymnasium environment it reproduces; physical variables are `[N, D]` in gymnasium's order."""

    make: Callable[..., Game]
    original: str
    state: Callable[[np.ndarray, np.ndarray], Any]  # (physical, time) -> state
    physical: Callable[[Any], np.ndarray]
    highest: list[float]  # random states are uniform in [-highest, highest]
    edges: list[list[float]]  # states at the limits
    step_error: float
    policy: Callable[[np.ndarray], int]  # observation -> action; reaches the goal, or balances the pole


CASES = {
    "cartpole": Case(
        make=cartpole.make,
        original="CartPole-v1",
        state=lambda physical, time: cartpole.CartPoleState(*physical.T, time),
        physical=lambda state: np.stack(state[:4], axis=-1),
        highest=[2.6, 4.0, 0.25, 4.0],
        edges=[
            *([sign * 2.3999, 0, 0, 0] for sign in (-1, 1)),
            *([sign * 2.4001, 0, 0, 0] for sign in (-1, 1)),
            *([sign * 2.3999, sign, 0, 0] for sign in (-1, 1)),
            *([0, 0, sign * np.radians(11.99), 0] for sign in (-1, 1)),
            *([0, 0, sign * np.radians(12.01), 0] for sign in (-1, 1)),
            *([0, 0, sign * np.radians(11.99), sign] for sign in (-1, 1)),
        ],
        step_error=2e-6,
        policy=lambda s: int(s[2] + 0.5 * s[3] + 0.05 * s[0] + 0.1 * s[1] > 0),
    ),
    "mountain_car": Case(
        make=mountain_car.make,
        original="MountainCar-v0",
        state=lambda physical, time: mountain_car.MountainCarState(*physical.T, time),
        physical=lambda state: np.stack(state[:2], axis=-1),
        highest=[1.2, 0.07],
        edges=[
            *([-1.2, velocity] for velocity in (-0.07, -0.001, 0.0, 0.07)),
            *([-1.17, velocity] for velocity in (-0.07, -0.0295, -0.0285)),
            *([0.5, velocity] for velocity in (-0.07, -0.0005, 0.0, 0.07)),
            *([0.49, velocity] for velocity in (0.0095, 0.0105, 0.07)),
            *([0.6, velocity] for velocity in (-0.07, 0.0, 0.07)),
        ],
        step_error=2e-7,
        policy=lambda s: 2 if s[1] >= 0 else 0,
    ),
    "acrobot": Case(
        make=acrobot.make,
        original="Acrobot-v1",
        state=lambda physical, time: acrobot.AcrobotState(acrobot.Motion(*physical.T), time),
        physical=lambda state: np.stack(state.motion, axis=-1),
        highest=[np.pi, np.pi, 4 * np.pi, 9 * np.pi],
        edges=[
            *([first * 3.14, second * 3.14, 0, 0] for first in (-1, 1) for second in (-1, 1)),
            *([0, 0, first * 12.56, second * 28.27] for first in (-1, 1) for second in (-1, 1)),
            *([first * 3.14, second * 3.14, first * 12.56, second * 28.27] for first in (-1, 1) for second in (-1, 1)),
        ],
        step_error=3e-4,
        policy=lambda s: 2 if s[4] < 0 else 0,
    ),
}


class Record(NamedTuple):
    """Steps of gymnasium, with a leading axis over steps: physical variables before and after, and returned values."""

    physical_tm1: np.ndarray
    action: np.ndarray
    physical: np.ndarray
    observation: np.ndarray
    reward: np.ndarray
    terminated: np.ndarray
    truncated: np.ndarray


@pytest.fixture(params=CASES)
def case(request):
    return CASES[request.param]


def _record(rows):
    return Record(*(np.array(column) for column in zip(*rows, strict=True)))


def _original_steps(case, physical, actions):
    """Steps gymnasium's class from each state with each action."""
    environment = gymnasium.make(case.original).unwrapped
    environment.reset(seed=0)
    rows = []
    for before, action in zip(physical, actions, strict=True):
        environment.state = before.astype(np.float64)
        environment.steps_beyond_terminated = None  # CartPole counts steps after the end
        observation, reward, terminated, truncated, _ = environment.step(int(action))
        rows.append((before, action, np.array(environment.state), observation, reward, terminated, truncated))
    return _record(rows)


def _original_episode(case, policy, seed=0, **settings):
    """Plays an episode of `gymnasium.make` with its time limit. The start is rounded to float32 first."""
    environment = gymnasium.make(case.original, **settings)
    observation, _ = environment.reset(seed=seed)
    environment.unwrapped.state = np.float64(np.float32(environment.unwrapped.state))
    rows = []
    while not rows or not (rows[-1][-1] or rows[-1][-2]):
        before = np.array(environment.unwrapped.state)
        action = policy(observation)
        observation, reward, terminated, truncated, _ = environment.step(action)
        rows.append((before, action, np.array(environment.unwrapped.state), observation, reward, terminated, truncated))
    return _record(rows)


def _steps(case, game, record, time):
    """Returns our step from each of the recorded states with each of the recorded actions, in one call."""
    state = case.state(jnp.asarray(record.physical_tm1, jnp.float32), jnp.asarray(time, jnp.int32))
    actions = jnp.asarray(record.action, jnp.int32)
    return jax.jit(jax.vmap(game.step, in_axes=(None, 0, 0)))(jax.random.key(0), state, actions)


def _assert_equal(case, state, time_step, record):
    # Acrobot's angles are wrapped at ±π, so rounding can change their sign there.
    error = case.physical(state).astype(np.float64) - record.physical
    if case.original == "Acrobot-v1":
        error[:, :2] -= 2 * np.pi * np.round(error[:, :2] / (2 * np.pi))
    assert np.abs(error).max() < case.step_error
    np.testing.assert_allclose(time_step.observation, record.observation, rtol=0, atol=case.step_error)
    np.testing.assert_array_equal(time_step.reward, record.reward)
    np.testing.assert_array_equal(time_step.terminated, record.terminated)
    np.testing.assert_array_equal(time_step.truncated, record.truncated)


def test_step_equals_gymnasium(case):
    game = case.make()
    highest = np.array(case.highest)
    random = np.random.RandomState(0).uniform(-highest, highest, size=(NUM_STATES, len(highest)))
    physical = np.concatenate([random, np.array(case.edges)]).astype(np.float32)
    if case.original == "MountainCar-v0":
        physical[:, 0] = np.minimum(physical[:, 0], np.float32(0.6))
    physical = np.repeat(physical, game.num_actions, axis=0)
    actions = np.tile(np.arange(game.num_actions), len(physical) // game.num_actions)
    record = _original_steps(case, physical, actions)
    state, time_step = _steps(case, game, record, np.zeros(len(physical)))
    _assert_equal(case, state, time_step, record)
    np.testing.assert_array_equal(state.time, 1)
    assert 0.02 < record.terminated.mean() < 0.98


def test_mountain_car_stops_at_the_left_wall_only():
    case = CASES["mountain_car"]
    physical = np.array([[-1.19, -0.05], [0.59, 0.05]], np.float32)
    record = _original_steps(case, physical, np.array([1, 1]))
    state, _ = _steps(case, case.make(), record, np.zeros(2))
    np.testing.assert_allclose(state.position, [-1.2, 0.6], rtol=1e-6)
    assert state.velocity[0] == 0.0
    assert state.velocity[1] > 0.049
    np.testing.assert_allclose(state.velocity, record.physical[:, 1], atol=1e-7)


def test_acrobot_wraps_angles_and_clips_velocities():
    case = CASES["acrobot"]
    physical = np.array([[3.0, -3.0, 4 * np.pi, -9 * np.pi]] * 3, np.float32)
    record = _original_steps(case, physical, np.arange(3))
    state, _ = _steps(case, case.make(), record, np.zeros(3))
    motion = case.physical(state)
    assert (np.abs(motion[:, :2]) <= np.float32(np.pi)).all()
    assert (record.physical[:, 3] == -9 * np.pi).any()
    np.testing.assert_allclose(motion, record.physical, atol=case.step_error)


@pytest.mark.parametrize(
    ("name", "policy", "ends"),
    [
        ("cartpole", "good", (False, True)),
        ("cartpole", "last action", (True, False)),
        ("mountain_car", "good", (True, False)),
        ("mountain_car", "last action", (False, True)),
        ("acrobot", "good", (True, False)),
        ("acrobot", "last action", (False, True)),
    ],
)
def test_episode_equals_gymnasium(name, policy, ends):
    # Each step starts from gymnasium's state, because unstable motion amplifies the difference of float32 and float64
    # (CartPole multiplies an error by e in a quarter of a second, acrobot is chaotic).
    case, game = CASES[name], CASES[name].make()
    act = case.policy if policy == "good" else lambda observation: game.num_actions - 1
    record = _original_episode(case, act)
    state, time_step = _steps(case, game, record, np.arange(len(record.action)))
    assert (bool(record.terminated[-1]), bool(record.truncated[-1])) == ends
    assert (len(record.action) == game.max_steps) == ends[1]
    _assert_equal(case, state, time_step, record)


def test_terminated_and_truncated_can_both_be_true_as_in_gymnasium(case):
    act = case.policy if case.original != "CartPole-v1" else lambda observation: 0
    num_steps = len(_original_episode(case, act).action)
    record = _original_episode(case, act, max_episode_steps=num_steps)
    state, time_step = _steps(case, case.make(max_steps=num_steps), record, np.arange(num_steps))
    assert record.terminated[-1]
    assert record.truncated[-1]
    _assert_equal(case, state, time_step, record)


@pytest.mark.parametrize(
    ("name", "num_steps", "error"),
    # As long as the motion lets float32 follow: CartPole until the pole falls, mountain car to the goal, acrobot
    # (chaotic) for the first five seconds.
    [("cartpole", 500, 1e-5), ("mountain_car", 200, 1e-4), ("acrobot", 25, 1e-3)],
)
def test_open_loop_play_stays_with_gymnasium(name, num_steps, error):
    case, game = CASES[name], CASES[name].make()
    random = np.random.RandomState(1)
    act = case.policy if name == "mountain_car" else lambda observation: random.randint(game.num_actions)
    record = jax.tree.map(lambda column: column[:num_steps], _original_episode(case, act, seed=1))
    start = case.state(jnp.asarray(record.physical_tm1[:1], jnp.float32), jnp.zeros(1, jnp.int32))
    start = jax.tree.map(lambda leaf: leaf[0], start)

    def step(state, action):
        return game.step(jax.random.key(0), state, action)

    state, time_step = jax.jit(lambda s, actions: jax.lax.scan(step, s, actions))(start, jnp.int32(record.action))
    assert len(record.action) >= 10
    assert state.time == len(record.action)
    np.testing.assert_allclose(time_step.observation, record.observation, rtol=0, atol=error)
    np.testing.assert_array_equal(time_step.terminated, record.terminated)
    np.testing.assert_array_equal(time_step.truncated, record.truncated)


@pytest.mark.parametrize(
    ("name", "lowest", "highest"),
    [
        ("cartpole", [-0.05] * 4, [0.05] * 4),
        ("mountain_car", [-0.6, 0.0], [-0.4, 0.0]),
        ("acrobot", [-0.1] * 4, [0.1] * 4),
    ],
)
def test_start_is_uniform_as_in_gymnasium(name, lowest, highest):
    case, num_draws = CASES[name], 20_000
    state = jax.jit(jax.vmap(case.make().reset))(jax.random.split(jax.random.key(0), num_draws))
    physical = case.physical(state).astype(np.float64)
    lowest, highest = np.array(lowest), np.array(highest)
    width = highest - lowest
    assert not state.time.any()
    assert (physical >= lowest - 1e-7).all()
    assert (physical <= highest + 1e-7).all()
    # Five standard errors of the mean, and of the mean square, of a uniform variable.
    unit = (physical - lowest)[:, width > 0] / width[width > 0]
    assert np.abs(unit.mean(axis=0) - 1 / 2).max() < 5 * np.sqrt(1 / 12 / num_draws)
    assert np.abs((unit**2).mean(axis=0) - 1 / 3).max() < 5 * np.sqrt(4 / 45 / num_draws)
    correlation = np.corrcoef(unit, rowvar=False).reshape(unit.shape[1], -1)
    assert np.abs(correlation - np.eye(unit.shape[1])).max() < 5 / np.sqrt(num_draws)

    # The bounds are gymnasium's: its own starts lie in them and come near them.
    environment = gymnasium.make(case.original).unwrapped
    environment.reset(seed=0)
    theirs = [np.array((environment.reset(), environment.state)[1], np.float64) for _ in range(500)]
    np.testing.assert_allclose(np.min(theirs, axis=0), lowest, atol=0.02 * width.max())
    np.testing.assert_allclose(np.max(theirs, axis=0), highest, atol=0.02 * width.max())


def test_observations_lie_in_gymnasiums_space(case):
    space, game = gymnasium.make(case.original).observation_space, case.make()

    def play(key):
        reset_key, action_key = jax.random.split(key)
        state = game.reset(reset_key)
        actions = jax.random.randint(action_key, (100,), 0, game.num_actions)
        _, time_step = jax.lax.scan(lambda s, action: game.step(key, s, action), state, actions)
        ended = jnp.cumsum(time_step.terminated) - time_step.terminated  # before this step
        return game.observe(state), time_step.observation, ended

    first, observations, ended = jax.tree.map(np.asarray, jax.jit(play)(jax.random.key(1)))
    assert space.shape == game.observation_shape
    for observation in [first, *observations[ended == 0]]:
        assert space.contains(observation)
