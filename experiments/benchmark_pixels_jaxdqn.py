"""Part of `benchmark.py`: jaxdqn as a contender on pictures, and the speed of the machine. It runs as a process.

Evaluation is left out where a peer is timed without it.
"""

import dataclasses
from functools import partial
from typing import Any
from unittest import mock

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
from gymnasium.vector import AutoresetMode

import benchmark_replay
import benchmark_worker
from benchmark_worker import Slice
from jaxdqn import config_fields, games
from jaxdqn.algorithms import configuration_of
from jaxdqn.config import Config
from jaxdqn.games.gymnasium import GYMNASIUM
from jaxdqn.networks.network import QNetwork
from jaxdqn.networks.torsos import NATURE
from jaxdqn.settings import FAMILIES
from jaxdqn.target_network import Periodic
from jaxdqn.training import device_layout, devices, host_evaluate, host_loop, host_programs, loop, program
from jaxdqn.training.evaluate import Evaluation
from jaxdqn.training.program import Program

BOARDS = {"minatar": ((10, 10, 4), bool, 1), "atari": ((84, 84, 1), np.uint8, 4)}  # shape, dtype, frames in a stack


def minatar(algorithm: str, game: str, steps: int, changes: dict[str, Any]) -> Slice:
    """Training on a MinAtar game in the settings of `jaxdqn.settings`, with some fields changed."""
    config = FAMILIES["minatar"].configuration(algorithm)
    for path, value in changes.items():
        config = config_fields.replace_at(config, path, value)
    with mock.patch.object(loop, "evaluate", return_value=np.zeros(1)):
        compiled = _program(config, game, steps)
    state, step = compiled.init([config], [0]), 0

    def work() -> float:
        nonlocal state, step
        state, _ = compiled.advance(state, step)
        step += steps
        return steps

    return work


def compilation(algorithm: str, game: str) -> Slice:
    """The program of a run on a MinAtar game, compiled as `jaxdqn train` compiles it, and no work."""
    config = FAMILIES["minatar"].configuration(algorithm)
    jax.config.update("jax_enable_compilation_cache", False)
    devices.use_all_cores()
    _program(config, game, FAMILIES["minatar"].evaluation.every)
    return lambda: 0.0


def _program(config: Config, game: str, steps: int) -> Program:
    made = games.make(game)
    return program.make(config, made, Evaluation(steps, episodes=10), device_layout.choose(config, made, 1))


def atari_dqn(game: str, steps: int, batch_size: int, train_every: int, capacity: int, learning_starts: int) -> Slice:
    """Training of DQN with the Nature paper's network on one environment of an Atari game."""
    config = dataclasses.replace(
        configuration_of("dqn"),
        network=QNetwork(NATURE, frames=4),
        learning_rate=1e-4,
        batch_size=batch_size,
        train_every=train_every,
        num_environments=1,
        learning_starts=learning_starts,
        reward_clip=1.0,
        target_update=Periodic(1_000),
    )
    config = config_fields.replace_at(config, "replay.capacity", capacity)
    devices.compute_in_this_thread()  # as the process of a run on a host game does
    made: Any = games.make(game)
    programs = host_programs.make(made)
    run = host_loop.init(config, 0, game=made, programs=programs, evaluation=Evaluation(1, episodes=1))
    evaluation = Evaluation(steps, episodes=1)

    def work() -> float:
        nonlocal run
        with mock.patch.object(host_evaluate, "evaluate", return_value=np.zeros(1)):
            run, _ = host_loop.advance(run, game=made, programs=programs, evaluation=evaluation)
        return steps

    while run.state.step <= learning_starts:
        work()
    return work


def emulator(game: str, num_environments: int, steps: int) -> Slice:
    """A host game alone, under random actions; `steps` are those of each environment."""
    made: Any = games.make(game)
    return _stepping(made.make_vector(num_environments), steps)


def gymnasium_vector(game: str, num_environments: int, steps: int) -> Slice:
    """gymnasium's own vector of an environment, which checks nothing, as `emulator`."""
    return _stepping(
        gymnasium.make_vec(
            game.removeprefix(GYMNASIUM),
            num_environments,
            vectorization_mode="sync",
            vector_kwargs={"autoreset_mode": AutoresetMode.NEXT_STEP},
            disable_env_checker=True,
        ),
        steps,
    )


def _stepping(environments: Any, steps: int) -> Slice:
    number, rng = environments.num_envs, np.random.default_rng(0)
    environments.reset(seed=list(range(number)))
    num_actions = environments.single_action_space.n

    def work() -> float:
        for _ in range(steps):
            environments.step(rng.integers(num_actions, size=number))
        return steps * number

    return work


def game_alone(game: str, num_environments: int, steps: int) -> Slice:
    """A JAX game alone, under random actions, in one compiled loop; every observation is computed.

    As in training, the states in which ended episodes start again are drawn ahead, one for each step. `steps` are those
    of each environment.
    """
    made: Any = games.make(game)
    reset, step, observe = (jax.vmap(function) for function in (made.reset, made.step, made.observe))

    def one(carry: Any, inputs: Any) -> tuple[Any, None]:
        (state, *_), (keys, fresh, action) = carry, inputs
        state, seen = step(keys, state, action)
        ended = seen.terminated | seen.truncated
        state = jax.vmap(lambda end, *states: jax.tree.map(partial(jnp.where, end), *states))(ended, fresh, state)
        return (state, observe(state), seen), None

    @jax.jit
    def play(state: Any, key: jax.Array) -> tuple[Any, jax.Array]:
        key, step_key, reset_key, action_key = jax.random.split(key, 4)
        shape = steps, num_environments
        inputs = (
            jax.random.split(step_key, shape),
            jax.vmap(reset)(jax.random.split(reset_key, shape)),
            jax.random.randint(action_key, shape, 0, made.num_actions),
        )
        shapes = jax.eval_shape(step, inputs[0][0], state, inputs[2][0])[1]
        nothing = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)
        return jax.lax.scan(one, (state, observe(state), nothing), inputs)[0], key

    state, key = reset(jax.random.split(jax.random.key(0), num_environments)), jax.random.key(1)

    def work() -> float:
        nonlocal state, key
        (state, *_), key = jax.block_until_ready(play(state, key))
        return steps * num_environments

    return work


def frame_ring(kind: str, capacity: int, operations: int) -> Slice:
    """Replay that stores each picture once; an operation adds a step of 8 environments and samples 32 transitions."""
    state, loop = benchmark_replay.pictures(*BOARDS[kind], capacity)
    run = jax.jit(loop, static_argnums=2, donate_argnums=0)
    key = jax.random.key(0)

    def work() -> float:
        nonlocal state
        state, _ = jax.block_until_ready(run(state, key, operations))
        return operations

    return work


def sgemm(size: int, repeats: int) -> Slice:
    """Products of float32 matrices of this size; a unit is a billion multiplications and additions."""
    matrix = jnp.ones((size, size), jnp.float32)
    multiply = jax.jit(lambda matrix: matrix @ matrix)

    def work() -> float:
        for _ in range(repeats):
            multiply(matrix).block_until_ready()
        return 2e-9 * size**3 * repeats

    return work


CONTENDERS = {
    function.__name__: function
    for function in (minatar, compilation, atari_dqn, emulator, gymnasium_vector, game_alone, frame_ring, sgemm)
}

if __name__ == "__main__":
    benchmark_worker.serve(CONTENDERS)
