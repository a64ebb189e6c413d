"""The compiled calls of the loop for host games, and what is passed to them."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxdqn.config import Config
from jaxdqn.interfaces import Array, HostGame, Key, Parameters, Step
from jaxdqn.training import run
from jaxdqn.training.acting import Acting, Chance, act
from jaxdqn.training.run import CHUNK, Noise, Parts, RunState, Totals


class Rows(NamedTuple):
    """The steps of the iteration under way, in NumPy, `[V, E, ...]`; `is_valid` is off where a copy only reset."""

    step: Step
    is_valid: Any


class Turn(NamedTuple):
    """Where a compiled call stands: counts so far, and the places of its noise in the chunk.

    It is passed as one int32 array: each array that goes to the device costs as much as a small network.
    """

    step: Any
    num_episodes: Any
    learned_at: Any
    learns_from: Any  # row of the noise of the iteration that has ended
    acts_in: Any  # row of the noise of the iteration of the actions
    place: Any  # of the actions within that iteration
    is_random: Any


STEP, NUM_EPISODES, PLACE = (Turn._fields.index(name) for name in ("step", "num_episodes", "place"))


class Decision(NamedTuple):
    """What a compiled call decides.

    Attributes:
      action: int32 `[E]`.
      memory: float32 `[E, M]`, what the network remembered before, for replay; None if nothing.
      acting: what choosing actions carries on.
    """

    action: Any
    memory: Any
    acting: Acting


class Programs(NamedTuple):
    """The compiled functions that runs of one structure share."""

    init: Callable[..., tuple[RunState, Array]]
    draw: Callable[..., Noise]
    act: Callable[..., Decision]
    store_and_act: Callable[..., tuple[Any, Decision]]
    learn_and_act: Callable[..., tuple[RunState, Totals, Decision]]
    values: Callable[..., tuple[Array, Any]]


def make(game: HostGame) -> Programs:
    """Returns the compiled functions of runs on a game; each compiles when it is first called."""

    def init(config: Config, seed: Array, num_logged: int) -> tuple[RunState, Array]:
        def begin(key: Key) -> Array:
            return jax.random.bits(key, (config.num_environments,))

        state = run.init(parts_of(config, game), jax.random.key(seed), begin, num_logged)
        return state, state.game

    def draw(config: Config, key: Key, first: Array) -> Noise:
        parts = parts_of(config, game)
        # One more than the chunk: the call that ends its last iteration acts in the next one.
        return jax.vmap(lambda i: run.draw(parts, run.keys_of(key, i)[0]))(first + jnp.arange(CHUNK + 1))

    def act(
        config: Config, parameters: Parameters, acting: Acting, noise: Noise, observation: Array, turn: Array
    ) -> Decision:
        return _act(parts_of(config, game), parameters, acting, noise, observation, Turn(*turn))

    def store_and_act(
        config: Config,
        parameters: Parameters,
        replay: Any,
        rows: Rows,
        acting: Acting,
        noise: Noise,
        observation: Array,
        turn: Array,
    ) -> tuple[Any, Decision]:
        parts = parts_of(config, game)
        return _store(parts, replay, rows), _act(parts, parameters, acting, noise, observation, Turn(*turn))

    def learn_and_act(
        config: Config,
        state: RunState,
        totals: Totals,
        rows: Rows,
        acting: Acting,
        noise: Noise,
        observation: Array,
        packed: Array,
    ) -> tuple[RunState, Totals, Decision]:
        parts, turn = parts_of(config, game), Turn(*packed)
        replay = _store(parts, state.replay, rows)
        state = state._replace(
            replay=replay, step=turn.step, learned_at=turn.learned_at, num_episodes=turn.num_episodes
        )
        state, totals = run.learn(parts, state, totals, jax.tree.map(lambda x: x[turn.learns_from], noise))
        decision = _act(parts, state.learner.parameters, acting, noise, observation, turn)
        return state._replace(step=None, learned_at=None, num_episodes=None), totals, decision

    def values(config: Config, parameters: Parameters, observation: Array, memory: Any) -> tuple[Array, Any]:
        output, memory = parts_of(config, game).learner.network.step(parameters, observation, memory)
        return output.q_values, memory

    return Programs(
        init=jax.jit(init, static_argnames="num_logged"),
        draw=jax.jit(draw),
        act=jax.jit(act),
        store_and_act=jax.jit(store_and_act, donate_argnames="replay"),
        learn_and_act=jax.jit(learn_and_act, donate_argnames=("state", "totals")),
        values=jax.jit(values),
    )


def _store(parts: Parts, replay: Any, rows: Rows) -> Any:
    def add(replay: Any, row: Rows) -> tuple[Any, None]:
        # Nothing is cut yet, and an array that the host does not pass costs nothing.
        step = row.step._replace(cut=jnp.zeros_like(row.step.terminated))
        return parts.replay.add(replay, step, row.is_valid), None

    return jax.lax.scan(add, replay, rows)[0]


def _act(
    parts: Parts, parameters: Parameters, acting: Acting, noise: Noise, observation: Array, turn: Turn
) -> Decision:
    explore, drawn = jax.tree.map(lambda x: x[turn.acts_in, turn.place], (noise.explore, noise.act))
    counts = turn.step, turn.num_episodes
    network = parts.learner.network
    chosen, before, after = act(parts.config, network, parameters, acting, observation, Chance(explore, drawn), counts)
    action = jnp.where(turn.is_random > 0, parts.config.exploration.at_random(explore), chosen)
    return Decision(action, before.stored_memory(), after)


def parts_of(config: Config, game: HostGame) -> Parts:
    """Returns what a run on a host game is made of."""
    return run.parts(config, game, game.observation_dtype)
