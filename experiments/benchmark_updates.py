"""Part of `benchmark.py`: how long does an update of each algorithm take, relative to DQN's?

Each algorithm has its own configuration, with batches of 128 transitions or as many steps of sequences, observations of
four float32, two actions, and two hidden layers of 64 units. One of these layers follows the head, the streams or the
memory if there are any. An update is one sample from a full replay, one gradient step on the whole batch, and the
update of replay; PQN's λ-returns, which many updates share, are not included. Random numbers are generated for many
updates at once, as in a run. The table also gives the floating-point operations that the compiler counts in an update,
so that overhead beyond arithmetic is visible.
"""

import dataclasses
import time
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from rich.console import Console
from rich.table import Table

from jaxdqn import config_fields, games, learner
from jaxdqn.algorithms import ALGORITHMS
from jaxdqn.config import Config
from jaxdqn.interfaces import Step
from jaxdqn.replay.rollout import Rollout
from jaxdqn.replay.sequences import Sequences
from jaxdqn.training import state as states

NUM_STEPS = 128  # steps in a batch
CAPACITY = 10_240
ONLINE = ("tabular_q_learning", "naive_deep_q_learning")  # these learn from one transition at a time

BATCHED = tuple(name for name in ALGORITHMS if name not in ONLINE)


def measure(updates: int, names: Sequence[str] = BATCHED) -> list[dict[str, Any]]:
    """Returns a row for each algorithm, including `dqn`: seconds and floating-point operations of an update."""
    rows: list[dict[str, Any]] = []
    for name in names:
        seconds, operations = _cost(comparable(ALGORITHMS[name].config), updates)
        rows.append({"algorithm": name, "seconds_per_update": seconds, "operations_per_update": operations})
    dqn = next(row for row in rows if row["algorithm"] == "dqn")
    for row in rows:
        row["times_dqn"] = row["seconds_per_update"] / dqn["seconds_per_update"]
        row["times_operations_of_dqn"] = row["operations_per_update"] / dqn["operations_per_update"]
    return rows


def show(rows: list[dict[str, Any]]) -> None:
    table = Table(title=f"An update from {NUM_STEPS} steps")
    for heading in ("algorithm", "us", "times DQN", "its arithmetic"):
        table.add_column(heading, justify="left" if heading == "algorithm" else "right")
    for row in rows:
        table.add_row(
            row["algorithm"],
            f"{1e6 * row['seconds_per_update']:,.0f}",
            f"{row['times_dqn']:.1f}",
            f"{row['times_operations_of_dqn']:.1f}",
        )
    Console().print(table)


def comparable(config: Config) -> Config:
    """Returns the configuration with the batch size and the replay capacity of this benchmark."""
    length = config.replay.length if isinstance(config.replay, Sequences) else 1
    capacity = NUM_STEPS if isinstance(config.replay, Rollout) else CAPACITY  # a batch is the whole rollout
    replay = dataclasses.replace(config.replay, capacity=capacity)
    return dataclasses.replace(
        config, batch_size=max(1, NUM_STEPS // length), num_minibatches=1, num_environments=1, replay=replay
    )


def _cost(config: Config, updates: int, repeats: int = 3) -> tuple[float, float]:
    """Returns the seconds of an update, the best of several loops, and its operations as counted by the compiler."""
    config = config_fields.to_arrays(config)
    parts = states.parts(config, games.make("cartpole"), jnp.float32)
    state, memory = _filled(parts)

    def update(
        carry: tuple[learner.LearnerState, Any], drawn: tuple[jax.Array, Any]
    ) -> tuple[tuple[learner.LearnerState, Any], None]:
        (state, memory), (bits, noise) = carry, drawn
        sample = parts.replay.sample(memory, bits, jnp.int32(0), jnp.int32(0))
        state, info = parts.learner.update(state, sample, noise, jnp.int32(0), jnp.int32(1), jnp.int32(0))
        return (state, parts.replay.update(memory, sample.indices, info.priority)), None

    def draw(key: jax.Array) -> tuple[jax.Array, Any]:
        bits_key, update_key = jax.random.split(key)
        return jax.random.bits(bits_key, (config.batch_size,)), parts.learner.noise(update_key)

    loop: Callable[..., Any] = jax.jit(
        lambda carry, key: jax.lax.scan(update, carry, jax.vmap(draw)(jax.random.split(key, updates)))[0],
        donate_argnums=0,
    )
    once: Any = jax.jit(update).lower((state, memory), draw(jax.random.key(0))).compile().cost_analysis()
    carry = jax.block_until_ready(loop((state, memory), jax.random.key(0)))
    seconds = []
    for number in range(repeats):
        started = time.perf_counter()
        carry = jax.block_until_ready(loop(carry, jax.random.key(number)))
        seconds.append(time.perf_counter() - started)
    return min(seconds) / updates, float(once["flops"])


def _filled(parts: states.Parts) -> tuple[learner.LearnerState, Any]:
    """Returns the state of a learner, and a replay that is full of random steps."""
    random = jax.random.normal(jax.random.key(1), (CAPACITY, 1, 4))
    remembered = parts.learner.network.stored_memory(parts.actor.memory)

    def add(memory: Any, observation: jax.Array) -> tuple[Any, None]:
        no, reward = jnp.zeros(1, bool), observation[:, 0]
        step = Step(observation, jnp.zeros(1, jnp.int32), reward, no, no, -observation, remembered)
        return parts.replay.add(memory, step, jnp.ones(1, bool)), None

    def filled(memory: Any) -> Any:
        memory, _ = jax.lax.scan(add, memory, random)
        return parts.replay.before_training(memory, lambda observation: observation.sum(-1))

    return parts.learner.init(jax.random.key(0)), jax.jit(filled)(parts.replay.init())
