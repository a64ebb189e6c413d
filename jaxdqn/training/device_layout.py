"""The number of runs that share a device, side by side or one after another, from their size in memory."""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxdqn.config import Config
from jaxdqn.game_interfaces import AnyGame, HostGame
from jaxdqn.training import devices, host_programs, loop, sample_and_learn
from jaxdqn.training import state as run_state
from jaxdqn.training.evaluate import Evaluation
from jaxdqn.training.state import Parts, RunState

MOST_ON_A_CPU_CORE = 5  # runs one after another on a core: evens out the lengths of their episodes, keeps waves short
_DRAWING = 6  # bytes needed to draw a random number, by its own bytes: 5.4 were measured for Rainbow, which draws most


class Layout(NamedTuple):
    """The devices of the runs of a wave.

    Attributes:
      devices: each trains an equal share of the runs.
      per_device: runs on a device in one wave.
      batch: runs that a device trains side by side; 1 trains them one after another.
    """

    devices: tuple[Any, ...]
    per_device: int
    batch: int

    @property
    def width(self) -> int:
        """Runs of a wave."""
        return len(self.devices) * self.per_device


class Size(NamedTuple):
    """The memory of one run, in bytes.

    Attributes:
      networks: parameters, their targets, and those at the best evaluation.
      optimizer: its state.
      replay: the memory.
      batch: one batch from replay; gradients of it need several times as much.
      drawn: random numbers for the iterations of a chunk, and fresh game states, with what is needed to make them.
      total: these and the rest of its state.
    """

    networks: int
    optimizer: int
    replay: int
    batch: int
    drawn: int
    total: int


def size(config: Config, game: AnyGame) -> Size:
    """Returns the memory of one run, from the shapes of its arrays; an update needs a little more.

    The log of episodes is not counted: 12 bytes an episode.
    """
    state = _shapes(config, game)
    learner, num_bytes = state.learner, sample_and_learn.num_bytes
    numbers = _shapes_of_numbers(config, game)
    drawn = _DRAWING * sample_and_learn.chunk_length(numbers) * num_bytes(numbers)
    batch = num_bytes(_shapes_of_batch(config, game))
    return Size(
        networks=num_bytes((learner.parameters, learner.target_parameters, state.best.parameters)),
        optimizer=num_bytes(learner.optimizer_state),
        replay=num_bytes(state.replay),
        batch=batch,
        drawn=drawn,
        total=num_bytes(state) + batch + drawn,
    )


def choose(
    config: Config, game: AnyGame, num_members: int, memory: float | None = None, evaluation: Evaluation | None = None
) -> Layout:
    """Returns the layout of `num_members` runs on this machine.

    On a CPU core runs train one after another, since small networks are slower there when runs are batched. On an
    accelerator as many runs train side by side as the memory holds. Host games have one process on each core, or one in
    all if there is one environment in all.

    Args:
      config: the configuration of one run.
      game: the game of all runs.
      num_members: number of runs.
      memory: bytes that the runs may use together, over all devices; None allows half of the memory.
      evaluation: of the runs, which may share the environment of training.

    Raises:
      ValueError: if one run needs more than `memory`, or more than a device has, or the user demands a device that is
        missing.
    """
    found = devices.available()
    sizes = size(config, game)
    needed = sizes.total
    of_devices = [_memory(device, len(found)) for device in found]
    # A run is on one device, and devices of a CPU share their memory.
    most = sum(of_devices) if found[0].platform == "cpu" else max(of_devices)
    if needed > (most if memory is None else memory):
        owner = "this machine has" if found[0].platform == "cpu" else "a device here has"
        raise ValueError(_too_large(config, game, sizes, memory, most, owner))
    if memory is None:
        memory = 0.5 * sum(of_devices)
    fitting = max(1, int(memory / needed))  # one run is tried in all of the memory
    if isinstance(game, HostGame):
        is_alone = evaluation is not None and evaluation.is_shared(config.num_environments)
        return Layout(tuple(found[:1]), 1 if is_alone else min(num_members, len(devices.cores()), fitting), batch=1)
    used = tuple(found[: min(num_members, fitting)])
    is_cpu = used[0].platform == "cpu"
    most = max(1, int(memory / len(used) / needed))
    if is_cpu:
        most = min(most, MOST_ON_A_CPU_CORE)
    num_waves = math.ceil(num_members / (len(used) * most))
    per_device = math.ceil(num_members / (len(used) * num_waves))
    return Layout(used, per_device, batch=1 if is_cpu else per_device)


def _too_large(config: Config, game: AnyGame, sizes: Size, memory: float | None, most: float, owner: str) -> str:
    """Returns the error for a run that does not fit in `memory`, or in the `most` bytes of the owner without it."""
    limit, available, remedy = (
        (most, f"{owner} {int(most):,}", "use a larger one")
        if memory is None
        else (memory, f"{int(memory):,} may be used", "allow more")
    )
    excess = sizes.total - limit
    name, value, unit, num_bytes = (
        ("replay.capacity", config.replay.capacity, config.num_environments, sizes.replay)
        if sizes.replay >= sizes.batch
        else ("batch_size", config.batch_size, config.num_minibatches, sizes.batch)
    )
    fitting = int(value * (1 - excess / num_bytes)) // unit * unit
    lower = f", or lower {name} = {value:_} to about {fitting:_}" if fitting > 0 else ""
    needed = f"{sizes.total:,} bytes ({sizes.replay:,} for replay, {sizes.batch:,} for a batch)"
    return f"A run on {game.name} needs {needed}, and {available}: {remedy}{lower}."


def _shapes(config: Config, game: AnyGame) -> RunState:
    """Returns the shapes and types of what a run carries."""
    key = jax.random.key(0)
    if isinstance(game, HostGame):
        return jax.eval_shape(lambda: run_state.init(_parts(config, game), key, lambda key: key, num_logged=0))
    return jax.eval_shape(lambda: loop.init(config, key, game=game))


def _shapes_of_batch(config: Config, game: AnyGame) -> Any:
    """Returns the shapes and types of a batch from replay."""
    parts = _parts(config, game)
    bits, zero = jax.ShapeDtypeStruct((config.batch_size,), jnp.uint32), jnp.int32(0)
    return jax.eval_shape(lambda bits: parts.replay.sample(parts.replay.init(), bits, zero, zero), bits)


def _shapes_of_numbers(config: Config, game: AnyGame) -> Any:
    """Returns the shapes and types of the random numbers of an iteration."""
    key, parts = jax.random.key(0), _parts(config, game)
    if isinstance(game, HostGame):
        return jax.eval_shape(lambda: sample_and_learn.draw(parts, key))
    return jax.eval_shape(lambda: loop.draw(parts, key, jnp.int32(0)))


def _parts(config: Config, game: AnyGame) -> Parts:
    """Returns the parts of a run in the loop of its game."""
    return host_programs.parts_of(config, game) if isinstance(game, HostGame) else loop.parts_of(config, game)


def _memory(device: Any, num_devices: int) -> float:
    """Returns the bytes that a device may use; CPU devices share what the machine has."""
    statistics = device.memory_stats() if device.platform != "cpu" else None
    if statistics and "bytes_limit" in statistics:
        return float(statistics["bytes_limit"])
    return devices.memory() / num_devices
