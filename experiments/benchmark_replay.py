"""Part of `benchmark.py`: how fast is replay?

An operation adds one transition (observations of four float32), samples a batch of 128, and sets its priorities if the
replay is prioritised. It is timed in a compiled loop over a full memory whose state is donated, in the same way for
this package and for flashbax, if it is installed. Each library generates its random numbers as its own training loops
do. All sampled values are added up, so that the compiler removes nothing. flashbax's item buffer stores whole
transitions as this package does. Its prioritised flat buffer stores steps and pairs them when sampling. It has no
importance weights and no n-step returns; this package returns both.

`pictures` is timed by `benchmark_pixels.py`.
"""

import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from rich.console import Console
from rich.table import Table

from jaxdqn.interfaces import Step
from jaxdqn.replay.prioritised import Prioritised
from jaxdqn.replay.uniform import Uniform
from jaxdqn.rewards_and_terminations import ConfiguredReturn

BATCH_SIZE = 128
KINDS = {"uniform": Uniform, "prioritised": Prioritised}
AIMS = {"uniform": 1.0, "prioritised": 5.0}  # times flashbax
# A full memory, and `(state, key, number of operations) -> (state, sum of sampled values)`.
Loop = tuple[Any, Callable[[Any, jax.Array, int], tuple[Any, jax.Array]]]


def measure(capacities: tuple[int, ...], operations: dict[str, int]) -> list[dict[str, Any]]:
    """Returns a row for each kind and capacity: operations/s of this package and of flashbax (None if missing)."""
    rows = []
    for kind in KINDS:
        for capacity in capacities:
            ours = _rate(*_ours(kind, capacity), operations[kind])
            loop = _flashbax(kind, capacity)
            flashbax = None if loop is None else _rate(*loop, operations[kind])
            times = None if flashbax is None else ours / flashbax
            rows.append(
                {
                    "kind": kind,
                    "capacity": capacity,
                    "operations_per_second": ours,
                    "flashbax_operations_per_second": flashbax,
                    "times_flashbax": times,
                    "aim": AIMS[kind],
                }
            )
    return rows


def show(rows: list[dict[str, Any]]) -> None:
    table = Table(title=f"Replay: add 1, sample {BATCH_SIZE}, update, operations/s")
    for heading in ("memory", "capacity", "jaxdqn", "flashbax", "times", "aim"):
        table.add_column(heading, justify="left" if heading == "memory" else "right")
    for row in rows:
        theirs, times = row["flashbax_operations_per_second"], row["times_flashbax"]
        table.add_row(
            row["kind"],
            f"{row['capacity']:,}",
            f"{row['operations_per_second']:,.0f}",
            "-" if theirs is None else f"{theirs:,.0f}",
            "-" if times is None else f"{times:.1f}",
            f"{row['aim']:g}",
        )
    Console().print(table)


def _rate(state: Any, loop: Callable[..., Any], operations: int, repeats: int = 5) -> float:
    """Returns the best rate of a loop in operations per second, without compilation."""
    run = jax.jit(loop, static_argnums=2, donate_argnums=0)
    state, _ = jax.block_until_ready(run(state, jax.random.key(0), operations))
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        state, _ = jax.block_until_ready(run(state, jax.random.key(1), operations))
        seconds.append(time.perf_counter() - started)
    return operations / min(seconds)


def _ours(kind: str, capacity: int) -> Loop:
    replay = KINDS[kind](capacity).make(_step(0), 1, ConfiguredReturn(0.99))
    is_valid = jnp.ones(1, bool)

    def fill(state: Any) -> Any:
        return jax.lax.fori_loop(0, capacity, lambda i, state: replay.add(state, _step(i), is_valid), state)

    def loop(state: Any, key: jax.Array, operations: int) -> tuple[Any, jax.Array]:
        def operation(carry: Any, inputs: Any) -> tuple[Any, None]:
            (state, total), (number, bits) = carry, inputs
            state = replay.add(state, _step(number), is_valid)
            sample = replay.sample(state, bits, number, number)
            state = replay.update(state, sample.indices, _priority(sample.transition.r_t))
            return (state, total + _sum((sample.transition, sample.weight))), None

        bits = jax.random.bits(key, (operations, BATCH_SIZE))
        numbers = jnp.arange(operations, dtype=jnp.int32)
        return jax.lax.scan(operation, (state, jnp.float32(0)), (numbers, bits))[0]

    return jax.jit(fill, donate_argnums=0)(replay.init()), loop


def pictures(shape: tuple[int, ...], dtype: Any, frames: int, capacity: int) -> Loop:
    """Returns uniform replay of pictures and stacks of `frames`; its loop returns the last sample in place of a sum.

    An operation adds a step of 8 environments and samples 32 transitions. The sample is carried to the next operation:
    so each one is written to memory as a learner gets it, and nothing else is done with it. Adding up its values would
    take as long as sampling.
    """
    num_environments, batch_size = 8, 32
    seen = jax.random.randint(jax.random.key(0), (16, num_environments, *shape), 0, 2 if dtype is bool else 256)
    seen = seen.astype(dtype)
    is_valid = jnp.ones(num_environments, bool)

    def step(number: Any) -> Step:
        reward = jnp.full(num_environments, number % 7, jnp.float32)
        is_last, never = (jnp.full(num_environments, flag) for flag in (number % 500 == 499, False))
        return Step(seen[number % 16], jnp.int32(reward), reward, is_last, never, seen[(number + 1) % 16])

    replay = Uniform(capacity).make(step(0), 1, ConfiguredReturn(0.99), frames=frames)

    def fill(state: Any) -> Any:
        rows = capacity // num_environments
        return jax.lax.fori_loop(0, rows, lambda i, state: replay.add(state, step(i), is_valid), state)

    def loop(state: Any, key: jax.Array, operations: int) -> tuple[Any, Any]:
        def operation(carry: Any, inputs: Any) -> tuple[Any, None]:
            (state, _), (number, bits) = carry, inputs
            state = replay.add(state, step(number), is_valid)
            return (state, replay.sample(state, bits, number, number)), None

        bits = jax.random.bits(key, (operations, batch_size))
        numbers = jnp.arange(operations, dtype=jnp.int32)
        shapes = jax.eval_shape(replay.sample, state, bits[0], numbers[0], numbers[0])
        nothing = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)
        return jax.lax.scan(operation, (state, nothing), (numbers, bits))[0]

    return jax.jit(fill, donate_argnums=0)(replay.init()), loop


def _flashbax(kind: str, capacity: int) -> Loop | None:
    """Returns flashbax's memory and loop; None if flashbax is not installed."""
    try:
        import flashbax
    except ImportError:
        return None
    is_prioritised = kind == "prioritised"
    make = flashbax.make_prioritised_flat_buffer if is_prioritised else flashbax.make_item_buffer
    sizes = {"max_length": capacity, "min_length": 1, "sample_batch_size": BATCH_SIZE}
    buffer, in_bulk = make(**sizes), make(**sizes, add_sequences=True)

    def item(number: Any) -> dict[str, jax.Array]:
        step = _step(number)._asdict()
        if is_prioritised:  # this buffer stores steps; the next observation is that of the next step
            del step["s_t"]
        return {name: field[0] for name, field in step.items() if field is not None}

    def loop(state: Any, key: jax.Array, operations: int) -> tuple[Any, jax.Array]:
        def operation(carry: Any, inputs: Any) -> tuple[Any, None]:
            (state, total), (number, key) = carry, inputs
            state = buffer.add(state, item(number))
            sample = buffer.sample(state, key)
            total = total + _sum(sample.experience)
            if is_prioritised:
                total = total + sample.probabilities.sum()
                state = buffer.set_priorities(state, sample.indices, _priority(sample.experience.first["r_t"]))
            return (state, total), None

        numbers = jnp.arange(operations, dtype=jnp.int32)
        return jax.lax.scan(operation, (state, jnp.float32(0)), (numbers, jax.random.split(key, operations)))[0]

    chunk = capacity // 10
    state = buffer.init(item(0))
    add = jax.jit(in_bulk.add, donate_argnums=0)
    for start in range(0, capacity, chunk):
        state = add(state, jax.vmap(item)(jnp.arange(start, start + chunk, dtype=jnp.int32)))
    return state, loop


def _step(number: Any) -> Step:
    """Returns a step of one environment."""
    reward = jnp.float32(number % 7)[None]
    observation = jnp.full((1, 4), number, jnp.float32)
    flags = jnp.zeros(1, bool)
    return Step(observation, jnp.int32(number % 2)[None], reward, flags, flags, observation + 1)


def _priority(reward: jax.Array) -> jax.Array:
    return 0.1 + jnp.abs(reward)


def _sum(tree: Any) -> jax.Array:
    """Returns the sum of all sampled values."""
    return sum((leaf.astype(jnp.float32).sum() for leaf in jax.tree.leaves(tree)), start=jnp.float32(0))
