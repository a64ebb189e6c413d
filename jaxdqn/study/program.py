"""A group's compiled program: many runs of one structure, spread over devices and mapped within each."""

import contextlib
import functools
import os
import pathlib
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P

from jaxdqn import configuration
from jaxdqn.config import Config
from jaxdqn.interfaces import Array, Game
from jaxdqn.study.plan import Layout
from jaxdqn.training import loop
from jaxdqn.training.evaluate import Evaluation


class Program(NamedTuple):
    """Compiled functions over a leading axis of members, as wide as the layout they were compiled for.

    Attributes:
      init: `(configs, seeds uint32 [M]) -> states`, a `RunState` of the members without its step.
      advance: `(configs, states, step) -> (states, curves)`. The step is one number for all members, not one each:
        what it decides is then decided once for all of them. The states passed in are consumed.
      compile_seconds: spent on both.
    """

    init: Callable[[Any, np.ndarray], loop.RunState]
    advance: Callable[[Any, loop.RunState, np.int32], tuple[loop.RunState, loop.Curves]]
    compile_seconds: float


def use_all_cores() -> None:
    """Makes every CPU core a device; call it before JAX computes. It changes nothing where the user has set devices."""
    if jax.config.jax_num_cpu_devices < 1:  # type: ignore[attr-defined]
        with contextlib.suppress(RuntimeError):  # JAX has started: its devices are what they are
            jax.config.update("jax_num_cpu_devices", _num_cores())


def keep_compiled_programs() -> None:
    """Lets JAX keep compiled programs in the user's cache folder, where the user has not named another place."""
    if jax.config.jax_compilation_cache_dir is None:  # type: ignore[attr-defined]
        cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache"))
        jax.config.update("jax_compilation_cache_dir", str(cache / "jaxdqn" / "xla"))


def compile_group(config: Config, game: Game, evaluation: Evaluation, layout: Layout) -> Program:
    """Returns the program of all configurations that share the structure of `config`."""
    mesh = Mesh(np.array(layout.devices), ("members",))
    over_members = functools.partial(jax.lax.map, batch_size=None if layout.batch == 1 else layout.batch)

    def init(configs: Config, seeds: Array) -> loop.RunState:
        def one(config_and_seed: tuple[Config, Array]) -> loop.RunState:
            config, seed = config_and_seed
            return _without_step(loop.init(config, jax.random.key(seed), game=game))

        return over_members(one, (configs, seeds))

    def advance(configs: Config, states: loop.RunState, step: Array) -> tuple[loop.RunState, loop.Curves]:
        def one(config_and_state: tuple[Config, loop.RunState]) -> tuple[loop.RunState, loop.Curves]:
            config, state = config_and_state
            state, curves = loop.advance(config, state._replace(step=step), game=game, evaluation=evaluation)
            return _without_step(state), curves

        return over_members(one, (configs, states))

    spread = functools.partial(jax.shard_map, mesh=mesh, out_specs=P("members"), check_vma=False)
    init_jit = jax.jit(spread(init, in_specs=P("members")))
    advance_jit = jax.jit(spread(advance, in_specs=(P("members"), P("members"), P())), donate_argnums=1)
    configs, seeds = configuration.stack([config] * layout.width), np.zeros(layout.width, np.uint32)
    started = time.perf_counter()
    init_compiled = init_jit.lower(configs, seeds).compile()
    states = jax.tree.map(
        lambda leaf, sharding: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding),
        jax.eval_shape(init_jit, configs, seeds),
        init_compiled.output_shardings,
    )
    advance_compiled = advance_jit.lower(configs, states, np.int32(0)).compile()
    return Program(init_compiled, advance_compiled, time.perf_counter() - started)


def _without_step(state: loop.RunState) -> loop.RunState:
    return state._replace(step=None)  # type: ignore[arg-type]  # None is an empty pytree: no leaf a member


def _num_cores() -> int:
    """Returns the cores that this process may use, which can be fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
