"""The compiled program of a group: many runs of one structure. Only this module chooses between the two loops."""

import functools
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P

from jaxdqn import config_fields
from jaxdqn.config import Config
from jaxdqn.game_interfaces import AnyGame, Game, HostGame
from jaxdqn.interfaces import Array
from jaxdqn.training import checkpoint, loop, workers
from jaxdqn.training.curves import Curves
from jaxdqn.training.device_layout import Layout
from jaxdqn.training.evaluate import Evaluation
from jaxdqn.training.host_checkpoint import UNLIMITED, Restoring
from jaxdqn.training.state import Ending, RunState, ending


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


def make(
    config: Config,
    game: AnyGame,
    evaluation: Evaluation,
    layout: Layout,
    *,
    num_logged: int = 0,
    asynchronous: bool = False,
    restoring: Restoring = UNLIMITED,
) -> Program:
    """Returns the program of all configurations that share the structure of `config`.

    Args:
      config: one of them.
      game: that all play.
      evaluation: when and how.
      layout: for the machine.
      num_logged: how many training episodes each run logs.
      asynchronous: whether each environment of a host game has a process; JAX games have none.
      restoring: how resumed runs of host games bring their environments to the same state.
    """
    started = time.perf_counter()
    if isinstance(game, HostGame):
        functions = workers.start(config, game, evaluation, layout.width, num_logged, asynchronous, restoring)
        return Program(*functions, compile_seconds=time.perf_counter() - started)
    init, advance, like = _compile(config, game, evaluation, layout, num_logged)
    seconds = time.perf_counter() - started

    def begin(configs: Sequence[Config], seeds: Sequence[int]) -> tuple[Any, RunState]:
        stacked = config_fields.stack(list(configs))
        return stacked, init(stacked, np.array(seeds, np.uint32))

    def advance_group(states: tuple[Any, RunState], step: int) -> tuple[tuple[Any, RunState], Curves]:
        stacked, state = states
        state, point = advance(stacked, state, np.int32(step))
        return (stacked, state), jax.device_get(point)

    def end(states: tuple[Any, RunState]) -> list[Ending]:
        kept = states[1]
        found = jax.device_get((kept.diverged_at, kept.log, kept.learner.parameters, kept.best))
        return [ending(*_at(found, i)) for i in range(layout.width)]

    def save(states: tuple[Any, RunState]) -> tuple[list[int], list[np.ndarray]]:
        return list(range(layout.width)), checkpoint.leaves(states[1])

    def load(configs: Sequence[Config], seeds: Sequence[int], arrays: list[np.ndarray]) -> tuple[Any, RunState]:
        del seeds  # all that follows from them is in the arrays
        state = checkpoint.like_before(arrays, like)
        shardings = jax.tree.map(lambda leaf: leaf.sharding, like)
        return config_fields.stack(list(configs)), jax.device_put(state, shardings)

    return Program(begin, advance_group, end, save, load, lambda: None, seconds)


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
    configs, seeds = config_fields.stack([config] * layout.width), np.zeros(layout.width, np.uint32)
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
