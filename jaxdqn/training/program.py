"""A group's program: many runs of one structure, compiled once. Which loop trains them is known here alone."""

import functools
import math
import os
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P

from jaxdqn import fields
from jaxdqn.config import Config
from jaxdqn.interfaces import AnyGame, Array, Game, HostGame
from jaxdqn.training import checkpoint, devices, host_programs, iteration, loop, workers
from jaxdqn.training import state as run_state
from jaxdqn.training.curves import Curves
from jaxdqn.training.evaluate import Evaluation
from jaxdqn.training.iteration import RandomNumbers
from jaxdqn.training.state import Ending, RunState, ending

MOST_ON_A_CPU_CORE = 5  # runs one after another on a core: evens out their episodes, keeps waves short
_MAKING = 6  # times the random numbers themselves: 5.4 were measured for Rainbow, whose networks draw most


class Layout(NamedTuple):
    """Where the members of a group run.

    Attributes:
      devices: one slice of the members each.
      per_device: members on a device in one wave.
      batch: members that a device computes side by side; 1 takes them one after another.
    """

    devices: tuple[Any, ...]
    per_device: int
    batch: int

    @property
    def width(self) -> int:
        """Members of a wave."""
        return len(self.devices) * self.per_device


class Program(NamedTuple):
    """The runs of one wave as functions; a wave is as wide as the layout.

    Attributes:
      init: `(configs, seeds) -> states`, one of each a member.
      advance: `(states, step) -> (states, curves)`: one evaluation period from `step` on, and the point that it adds to
        every curve, NumPy `[M]`. The states passed in are consumed.
      end: `states -> endings`, one a member.
      save: `states -> (places, arrays)`: the members that continue, and their arrays, one row each, in NumPy.
      load: `(configs, seeds, arrays) -> states`, from one row a member; the arrays must be those of such runs, or
        `checkpoint.Unusable` is raised.
      close: frees what the program holds; it can be called twice.
      compile_seconds: spent before the first run could start.
    """

    init: Callable[[Sequence[Config], Sequence[int]], Any]
    advance: Callable[[Any, int], tuple[Any, Curves]]
    end: Callable[[Any], list[Ending]]
    save: Callable[[Any], tuple[list[int], list[np.ndarray]]]
    load: Callable[[Sequence[Config], Sequence[int], list[np.ndarray]], Any]
    close: Callable[[], None]
    compile_seconds: float


class Size(NamedTuple):
    """What one run keeps in memory, in bytes.

    Attributes:
      networks: parameters and their targets.
      optimizer: its state.
      replay: the memory.
      drawn: random numbers for the iterations of a chunk, with what is needed to make them.
      total: these and the rest of its state.
    """

    networks: int
    optimizer: int
    replay: int
    drawn: int
    total: int


def size(config: Config, game: AnyGame) -> Size:
    """Returns what one run keeps in memory, by the shapes of its arrays; while it learns, a little more.

    Not counted is its log of episodes, 12 bytes each.
    """
    state = _shapes(config, game)
    learner = state.learner
    drawn = _MAKING * iteration.CHUNK * _bytes(_shapes_of_numbers(config, game))
    return Size(
        networks=_bytes((learner.parameters, learner.target_parameters)),
        optimizer=_bytes(learner.optimizer_state),
        replay=_bytes(state.replay),
        drawn=drawn,
        total=_bytes(state) + drawn,
    )


def layout(config: Config, game: AnyGame, num_members: int, memory: float | None = None) -> Layout:
    """Returns how to lay so many members out on this machine.

    On CPU cores each member runs alone, since small networks batched over members are slower for each of them;
    on an accelerator as many side by side as the memory holds. Host games have a process a core.

    Args:
      config: of one of them.
      game: that all play.
      num_members: how many there are.
      memory: bytes that they may use at once, over all devices; None for half of what there is.

    Raises:
      ValueError: if one run needs more than `memory`.
    """
    found = jax.devices()
    needed = size(config, game).total
    if memory is not None and needed > memory:
        raise ValueError(f"A run on {game.name} needs {needed:,} bytes, and {memory:,.0f} may be used: allow more.")
    if memory is None:
        memory = 0.5 * sum(_memory(device, len(found)) for device in found)
    fitting = max(1, int(memory / needed))  # one run is tried, whatever it needs
    if isinstance(game, HostGame):
        return Layout(tuple(found[:1]), min(num_members, len(devices.cores()), fitting), batch=1)
    used = tuple(found[: min(num_members, fitting)])
    is_cpu = used[0].platform == "cpu"
    most = max(1, int(memory / len(used) / needed))
    if is_cpu:
        most = min(most, MOST_ON_A_CPU_CORE)
    num_waves = math.ceil(num_members / (len(used) * most))
    per_device = math.ceil(num_members / (len(used) * num_waves))
    return Layout(used, per_device, batch=1 if is_cpu else per_device)


def make(
    config: Config,
    game: AnyGame,
    evaluation: Evaluation,
    layout: Layout,
    *,
    num_logged: int = 0,
    asynchronous: bool = False,
) -> Program:
    """Returns the program of all configurations that share the structure of `config`.

    Args:
      config: one of them.
      game: that all play.
      evaluation: when and how.
      layout: for the machine.
      num_logged: how many training episodes each run logs.
      asynchronous: whether each environment of a host game has a process; JAX games have none.
    """
    started = time.perf_counter()
    if isinstance(game, HostGame):
        wave = workers.start(config, game, evaluation, layout.width, num_logged, asynchronous)
        return Program(*wave, compile_seconds=time.perf_counter() - started)
    init, advance, like = _compile(config, game, evaluation, layout, num_logged)
    seconds = time.perf_counter() - started

    def begin(configs: Sequence[Config], seeds: Sequence[int]) -> tuple[Any, RunState]:
        stacked = fields.stack(list(configs))
        return stacked, init(stacked, np.array(seeds, np.uint32))

    def go_on(states: tuple[Any, RunState], step: int) -> tuple[tuple[Any, RunState], Curves]:
        stacked, state = states
        state, point = advance(stacked, state, np.int32(step))
        return (stacked, state), jax.device_get(point)

    def end(states: tuple[Any, RunState]) -> list[Ending]:
        kept = states[1]
        diverged_at, log, parameters = jax.device_get((kept.diverged_at, kept.log, kept.learner.parameters))
        return [ending(int(diverged_at[i]), _at(log, i), _at(parameters, i)) for i in range(len(diverged_at))]

    def save(states: tuple[Any, RunState]) -> tuple[list[int], list[np.ndarray]]:
        return list(range(layout.width)), checkpoint.leaves(states[1])

    def load(configs: Sequence[Config], seeds: Sequence[int], arrays: list[np.ndarray]) -> tuple[Any, RunState]:
        del seeds  # all that follows from them is in the arrays
        state = checkpoint.like_before(arrays, like)
        shardings = jax.tree.map(lambda leaf: leaf.sharding, like)
        return fields.stack(list(configs)), jax.device_put(state, shardings)

    return Program(begin, go_on, end, save, load, lambda: None, seconds)


def _compile(
    config: Config, game: Game, evaluation: Evaluation, layout: Layout, num_logged: int
) -> tuple[Callable[..., RunState], Callable[..., tuple[RunState, Curves]], RunState]:
    """Returns init and advance over a leading axis of members, spread over devices and mapped within each.

    Third come the shapes, types and places of what they carry.
    """
    mesh = Mesh(np.array(layout.devices), ("members",))
    over_members = functools.partial(jax.lax.map, batch_size=None if layout.batch == 1 else layout.batch)

    def init(configs: Config, seeds: Array) -> RunState:
        def one(config_and_seed: tuple[Config, Array]) -> RunState:
            config, seed = config_and_seed
            return _without_step(loop.init(config, jax.random.key(seed), game=game, num_logged=num_logged))

        return over_members(one, (configs, seeds))

    # The step is one number for all members, not one each: what it decides is then decided once for all of them.
    def advance(configs: Config, states: RunState, step: Array) -> tuple[RunState, Curves]:
        def one(config_and_state: tuple[Config, RunState]) -> tuple[RunState, Curves]:
            config, state = config_and_state
            state, point = loop.advance(config, state._replace(step=step), game=game, evaluation=evaluation)
            return _without_step(state), point

        return over_members(one, (configs, states))

    spread = functools.partial(jax.shard_map, mesh=mesh, out_specs=P("members"), check_vma=False)
    init_jit = jax.jit(spread(init, in_specs=P("members")))
    advance_jit = jax.jit(spread(advance, in_specs=(P("members"), P("members"), P())), donate_argnums=1)
    configs, seeds = fields.stack([config] * layout.width), np.zeros(layout.width, np.uint32)
    init_compiled = init_jit.lower(configs, seeds).compile()
    states = jax.tree.map(
        lambda leaf, sharding: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding),
        jax.eval_shape(init_jit, configs, seeds),
        init_compiled.output_shardings,
    )
    return init_compiled, advance_jit.lower(configs, states, np.int32(0)).compile(), states


def _without_step(state: RunState) -> RunState:
    return state._replace(step=None)  # None is an empty pytree: no leaf a member


def _at(tree: Any, i: int) -> Any:
    return jax.tree.map(lambda leaf: leaf[i], tree)


def _shapes(config: Config, game: AnyGame) -> RunState:
    """Returns the shapes and types of what a run carries."""
    key = jax.random.key(0)
    if isinstance(game, HostGame):
        parts = host_programs.parts_of(config, game)
        return jax.eval_shape(lambda: run_state.init(parts, key, lambda key: key, num_logged=0))
    return jax.eval_shape(lambda: loop.init(config, key, game=game))


def _shapes_of_numbers(config: Config, game: AnyGame) -> RandomNumbers:
    """Returns the shapes and types of the random numbers of an iteration."""
    parts = host_programs.parts_of(config, game) if isinstance(game, HostGame) else loop.parts_of(config, game)
    return jax.eval_shape(lambda: iteration.draw(parts, jax.random.key(0)))


def _bytes(tree: Any) -> int:
    return sum(math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))


def _memory(device: Any, num_devices: int) -> float:
    """Returns the bytes that a device may use; CPU devices share what the machine has."""
    statistics = device.memory_stats() if device.platform != "cpu" else None
    if statistics and "bytes_limit" in statistics:
        return float(statistics["bytes_limit"])
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / num_devices
