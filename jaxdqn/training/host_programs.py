"""The compiled calls of the loop for host games, and what is passed to them."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxdqn.action_masks import legal_or_random
from jaxdqn.config import Config
from jaxdqn.game_interfaces import HostGame
from jaxdqn.interfaces import Array, Key, MaskedObservation, Observation, Parameters, Step
from jaxdqn.training import sample_and_learn, state
from jaxdqn.training.acting import ActorState, act
from jaxdqn.training.curves import Sums
from jaxdqn.training.sample_and_learn import RandomNumbers
from jaxdqn.training.state import Parts, RunState


class Rows(NamedTuple):
    """The steps of the iteration under way, in NumPy, `[V, E, ...]`; `is_valid` is off where a copy only reset."""

    step: Step
    is_valid: Any


class Position(NamedTuple):
    """The counts so far, and the rows of the chunk's random numbers that a compiled call uses.

    It is passed as one int32 array: each array that goes to the device costs as much as a small network.
    """

    step: Any
    num_episodes: Any
    learned_at: Any
    learning_row: Any  # of the random numbers: that of the iteration that has ended
    acting_row: Any  # of the random numbers: that of the iteration of the actions
    acting_step: Any  # of the actions within that iteration
    is_random: Any


STEP, NUM_EPISODES, ACTING_STEP = (Position._fields.index(name) for name in ("step", "num_episodes", "acting_step"))


def position_of(config: Config, run: RunState, iteration: int) -> np.ndarray:
    """Returns the `Position` of a call that acts in an iteration, counted from the first of its chunk.

    It learns from the iteration before. The first of a chunk has none before it, and learns nothing.
    """
    counts, is_random = (run.step, run.num_episodes, run.learned_at), run.step < config.learning_starts
    return np.array(Position(*counts, iteration - 1, iteration, 0, is_random), np.int32)


class Decision(NamedTuple):
    """The actions that a compiled call chooses, and the state of acting.

    Attributes:
      action: int32 `[E]`.
      memory: float32 `[E, M]`, of the network before the step, as replay stores it; None if it is not recurrent.
      actor: what acting carries to the next step.
    """

    action: Any
    memory: Any
    actor: ActorState


class Programs(NamedTuple):
    """The compiled functions that runs of one structure share."""

    init: Callable[..., tuple[RunState, Array]]
    draw: Callable[..., RandomNumbers]
    act: Callable[..., Decision]
    store_and_act: Callable[..., tuple[Any, Decision]]
    learn_and_act: Callable[..., tuple[RunState, Sums, Decision]]
    values: Callable[..., tuple[Array, Any]]


def make(game: HostGame) -> Programs:
    """Returns the compiled functions of runs on a game; each compiles when it is first called."""

    def init(config: Config, seed: Array, num_logged: int) -> tuple[RunState, Array]:
        def begin(key: Key) -> Array:
            return jax.random.bits(key, (config.num_environments,))

        run = state.init(parts_of(config, game), jax.random.key(seed), begin, num_logged)
        return run, run.game

    def draw(config: Config, key: Key, first: Array) -> RandomNumbers:
        parts = parts_of(config, game)
        # One more than the chunk: the call that ends its last iteration acts in the next one.
        return jax.vmap(lambda i: sample_and_learn.draw(parts, sample_and_learn.keys_of(key, i)[0]))(
            first + jnp.arange(chunk_length(parts) + 1)
        )

    def act(
        config: Config,
        parameters: Parameters,
        actor: ActorState,
        numbers: RandomNumbers,
        observation: Observation,
        packed: Array,
    ) -> Decision:
        return _act(parts_of(config, game), parameters, actor, numbers, observation, Position(*packed))

    def store_and_act(
        config: Config,
        parameters: Parameters,
        replay: Any,
        rows: Rows,
        actor: ActorState,
        numbers: RandomNumbers,
        observation: Observation,
        packed: Array,
    ) -> tuple[Any, Decision]:
        parts = parts_of(config, game)
        return _store(parts, replay, rows), _act(parts, parameters, actor, numbers, observation, Position(*packed))

    def learn_and_act(
        config: Config,
        run: RunState,
        sums: Sums,
        rows: Rows,
        actor: ActorState,
        numbers: RandomNumbers,
        observation: Observation,
        packed: Array,
    ) -> tuple[RunState, Sums, Decision]:
        parts, position = parts_of(config, game), Position(*packed)
        replay = _store(parts, run.replay, rows)
        run = run._replace(
            replay=replay, step=position.step, learned_at=position.learned_at, num_episodes=position.num_episodes
        )
        run, sums = sample_and_learn.learn(parts, run, sums, jax.tree.map(lambda x: x[position.learning_row], numbers))
        decision = _act(parts, run.learner.parameters, actor, numbers, observation, position)
        return run._replace(step=None, learned_at=None, num_episodes=None), sums, decision

    def values(config: Config, parameters: Parameters, observation: Observation, memory: Any) -> tuple[Array, Any]:
        output, memory = parts_of(config, game).learner.network.step(parameters, observation, memory)
        return output.q_values, memory

    return Programs(
        init=jax.jit(init, static_argnames="num_logged"),
        draw=jax.jit(draw),
        act=jax.jit(act),
        store_and_act=jax.jit(store_and_act, donate_argnames="replay"),
        learn_and_act=jax.jit(learn_and_act, donate_argnames=("run", "sums")),
        values=jax.jit(values),
    )


def chunk_length(parts: Parts) -> int:
    """Returns the number of iterations whose random numbers `Programs.draw` draws, and it draws one more."""
    return sample_and_learn.chunk_length(jax.eval_shape(lambda: sample_and_learn.draw(parts, jax.random.key(0))))


def _store(parts: Parts, replay: Any, rows: Rows) -> Any:
    def add(replay: Any, row: Rows) -> tuple[Any, None]:
        # Nothing is cut yet, and an array that the host does not pass costs nothing.
        step = row.step._replace(cut=jnp.zeros_like(row.step.terminated))
        return parts.replay.add(replay, step, row.is_valid), None

    return jax.lax.scan(add, replay, rows)[0]


def _act(
    parts: Parts,
    parameters: Parameters,
    actor: ActorState,
    numbers: RandomNumbers,
    observation: Observation,
    position: Position,
) -> Decision:
    noise = jax.tree.map(lambda x: x[position.acting_row, position.acting_step], (numbers.exploration, numbers.acting))
    counts, network = (position.step, position.num_episodes), parts.learner.network
    chosen, before, after = act(parts.config, network, parameters, actor, observation, noise, counts)
    action = jnp.where(position.is_random > 0, parts.config.exploration.random_action(noise[0]), chosen)
    if isinstance(observation, MaskedObservation):
        assert numbers.replacement is not None
        replacement = numbers.replacement[position.acting_row, position.acting_step]
        action = legal_or_random(action, observation.legal, replacement)
    return Decision(action, network.stored_memory(before.memory), after)


def parts_of(config: Config, game: HostGame) -> Parts:
    """Returns the parts of a run on a host game."""
    return state.parts(config, game, game.observation_dtype)
