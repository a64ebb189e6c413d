"""The training loop for JAX games: `init` a run, then `advance` it one evaluation period at a time.

Everything a run is lies in one pytree, `RunState`, so a stored state continues as if never stored. A period
is a loop over iterations; an iteration collects `train_every` steps and then learns `num_updates` times.
The randomness of iteration i is a function of the run's key and i alone, drawn for a chunk of iterations in
one call: a draw inside the loop would cost more than the game, and neither the chunk nor the evaluation
period changes what is drawn.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxdqn import exploration
from jaxdqn import learner as learning
from jaxdqn.config import Config
from jaxdqn.interfaces import Array, Game, Key, Replay, Step
from jaxdqn.training.evaluate import Evaluation, evaluate

VERSION = 1  # raised when the same configuration trains differently
CHUNK = 128  # iterations whose randomness is drawn at once


class RunState(NamedTuple):
    """A run, whole.

    Attributes:
      step: int32 `[]`, environment steps so far, over all environments.
      learner: parameters, target, optimizer.
      replay: the memory.
      game: states of the games, `[E]`.
      episode_return: float32 `[E]`, undiscounted, of the episodes under way.
      num_episodes: int32 `[]`, episodes ended so far.
      diverged_at: int32 `[]`, the step of the first non-finite loss, or -1.
      training_key: constant; with an iteration's number it gives all that iteration draws.
      evaluation_key: constant; with a step it gives all that step's evaluation draws.
    """

    step: Array
    learner: learning.LearnerState
    replay: Any
    game: Any
    episode_return: Array
    num_episodes: Array
    diverged_at: Array
    training_key: Key
    evaluation_key: Key


class Curves(NamedTuple):
    """One point of every curve, over one evaluation period; means over nothing are NaN.

    Attributes:
      steps: int32, environment steps at the end of the period.
      updates: int32, updates so far.
      episodes: int32, training episodes that ended in the period.
      episode_return: their mean undiscounted return.
      evaluation_return: mean undiscounted return of the evaluation episodes at the end of the period.
      loss: mean over the updates of the period, as are the next three.
      td_error: mean size of the temporal-difference error.
      max_q: mean over sampled states of the largest action value.
      gradient_norm: before clipping.
      epsilon: at the end of the period.
    """

    steps: Array
    updates: Array
    episodes: Array
    episode_return: Array
    evaluation_return: Array
    loss: Array
    td_error: Array
    max_q: Array
    gradient_norm: Array
    epsilon: Array


class _PlayNoise(NamedTuple):
    """What playing draws, for E environments."""

    explore: Array  # uniform [E]
    random_action: Array  # int32 [E]
    game_key: Key  # [E]
    fresh: Any  # game states at the start of an episode [E], used where one ended


class _Noise(NamedTuple):
    """All that an iteration draws."""

    play: _PlayNoise  # [V, E], for V steps of every environment
    sample_bits: Array  # uint32 [U, B], for U updates from B transitions


class _Totals(NamedTuple):
    """Sums over a period, for `Curves`."""

    updates: Array  # int32 []
    diagnostics: Array  # float32 [4]: loss, td_error, max_q, gradient_norm
    episodes: Array  # int32 []
    episode_return: Array  # float32 []


class _Parts(NamedTuple):
    """What a run is made of."""

    config: Config
    game: Game
    learner: learning.Learner
    replay: Replay


def check(config: Config, evaluation: Evaluation, steps: int) -> None:
    """Returns nothing if all counts fit each other.

    Raises:
      ValueError: naming the field, its value, and what it must be a multiple of.
    """
    for name, value, unit_name, unit in (
        ("train_every", config.train_every, "num_environments", config.num_environments),
        ("learning_starts", config.learning_starts, "train_every", config.train_every),
        ("replay.capacity", config.replay.capacity, "num_environments", config.num_environments),
        ("evaluation.every", evaluation.every, "train_every", config.train_every),
        ("steps", steps, "evaluation.every", evaluation.every),
    ):
        if value % unit:
            below, above = value // unit * unit, (value // unit + 1) * unit
            nearest = f"{below:_} or {above:_}" if below else f"{above:_}"
            raise ValueError(f"{name} = {value:_} must be a multiple of {unit_name} = {unit:_}, such as {nearest}.")
    if not 0 < steps < 2**31:
        raise ValueError(f"steps = {steps:_} must be at least 1 and below 2^31.")


def init(config: Config, key: Key, *, game: Game) -> RunState:
    """Returns a run before its first step. `key` is consumed."""
    network_key, game_key, training_key, evaluation_key = jax.random.split(key, 4)
    parts = _make(config, game)
    return RunState(
        step=jnp.int32(0),
        learner=parts.learner.init(network_key),
        replay=parts.replay.init(),
        game=jax.vmap(game.reset)(jax.random.split(game_key, config.num_environments)),
        episode_return=jnp.zeros(config.num_environments),
        num_episodes=jnp.int32(0),
        diverged_at=jnp.int32(-1),
        training_key=training_key,
        evaluation_key=evaluation_key,
    )


def advance(config: Config, state: RunState, *, game: Game, evaluation: Evaluation) -> tuple[RunState, Curves]:
    """Returns the run one evaluation period later, and one point of every curve.

    A run that has diverged is not trained any more: its step counter goes on beside its neighbours', its training
    curves are NaN, and its evaluation goes on scoring the parameters it diverged with.
    """
    parts = _make(config, game)
    num_iterations = evaluation.every // config.train_every
    next_step = state.step + evaluation.every
    state, totals = jax.lax.cond(
        state.diverged_at < 0,
        lambda state: _train(parts, state, num_iterations),
        lambda state: (state, _no_totals()),
        state,
    )
    state = state._replace(step=next_step)
    key = jax.random.fold_in(state.evaluation_key, state.step)
    returns = evaluate(key, state.learner.parameters, parts.learner.network, game, evaluation)
    loss, td_error, max_q, gradient_norm = totals.diagnostics / totals.updates
    curves = Curves(
        steps=state.step,
        updates=state.learner.num_updates,
        episodes=totals.episodes,
        episode_return=totals.episode_return / totals.episodes,
        evaluation_return=returns.mean(),
        loss=loss,
        td_error=td_error,
        max_q=max_q,
        gradient_norm=gradient_norm,
        epsilon=config.exploration(state.step, state.num_episodes),
    )
    return state, curves


def _make(config: Config, game: Game) -> _Parts:
    observation = jax.eval_shape(lambda key: game.observe(game.reset(key)), jax.random.key(0))
    batch = (config.num_environments,)
    observations = jnp.zeros((*batch, *observation.shape), observation.dtype)
    flags = jnp.zeros(batch, bool)
    example = Step(observations, jnp.zeros(batch, jnp.int32), jnp.zeros(batch), flags, flags, observations)
    replay = config.replay.make(example, config.discount, config.n_step, config.reward_clip)
    return _Parts(config, game, learning.make(config, game), replay)


def _train(parts: _Parts, state: RunState, num_iterations: int) -> tuple[RunState, _Totals]:
    """Returns the run after so many iterations, and what they summed up to."""
    first = state.step // parts.config.train_every
    num_filling = parts.config.learning_starts // parts.config.train_every

    def draw(iteration: Array) -> _Noise:
        return _draw(parts, jax.random.fold_in(state.training_key, iteration))

    def chunk(number: Array, carry: tuple[RunState, _Totals]) -> tuple[RunState, _Totals]:
        start = number * CHUNK
        noises = jax.vmap(draw)(first + start + jnp.arange(min(CHUNK, num_iterations)))
        length = jnp.minimum(CHUNK, num_iterations - start)
        filling = jnp.clip(num_filling - (first + start), 0, length)

        def fill(i: Array, carry: tuple[RunState, _Totals]) -> tuple[RunState, _Totals]:
            return _collect(parts, *carry, _at(noises, i), is_random=True)

        def collect_and_learn(i: Array, carry: tuple[RunState, _Totals]) -> tuple[RunState, _Totals]:
            noise = _at(noises, i)
            return _learn(parts, *_collect(parts, *carry, noise, is_random=False), noise)

        # Both bounds are the same for all members of a group, so under vmap neither loop runs for nothing.
        carry = jax.lax.fori_loop(0, filling, fill, carry)
        return jax.lax.fori_loop(filling, length, collect_and_learn, carry)

    num_chunks = -(-num_iterations // CHUNK)
    return jax.lax.fori_loop(0, num_chunks, chunk, (state, _no_totals()))


def _collect(
    parts: _Parts, state: RunState, totals: _Totals, noise: _Noise, *, is_random: bool
) -> tuple[RunState, _Totals]:
    """Returns the run after `train_every` steps of play, random or epsilon-greedy, put into replay."""
    config, game = parts.config, parts.game

    def step(carry: tuple[RunState, _Totals], noise: _PlayNoise) -> tuple[tuple[RunState, _Totals], None]:
        state, totals = carry
        s_tm1 = jax.vmap(game.observe)(state.game)
        if is_random:
            action = noise.random_action
        else:
            q_values = parts.learner.network.apply(state.learner.parameters, s_tm1).q_values
            epsilon = config.exploration(state.step, state.num_episodes)
            action = exploration.epsilon_greedy(q_values, epsilon, noise.explore, noise.random_action)
        game_state, seen = jax.vmap(game.step)(noise.game_key, state.game, action)
        stored = Step(s_tm1, action, seen.reward, seen.terminated, seen.truncated, seen.observation)
        ended = seen.terminated | seen.truncated
        episode_return = state.episode_return + seen.reward
        num_ended = ended.sum(dtype=jnp.int32)
        state = state._replace(
            step=state.step + config.num_environments,
            replay=parts.replay.add(state.replay, stored),
            game=jax.tree.map(lambda fresh, old: _where(ended, fresh, old), noise.fresh, game_state),
            episode_return=jnp.where(ended, 0.0, episode_return),
            num_episodes=state.num_episodes + num_ended,
        )
        totals = totals._replace(
            episodes=totals.episodes + num_ended,
            episode_return=totals.episode_return + jnp.where(ended, episode_return, 0.0).sum(),
        )
        return (state, totals), None

    (state, totals), _ = jax.lax.scan(step, (state, totals), noise.play)
    return state, totals


def _learn(parts: _Parts, state: RunState, totals: _Totals, noise: _Noise) -> tuple[RunState, _Totals]:
    """Returns the run after `num_updates` updates from replay."""
    config = parts.config

    def update(
        carry: tuple[RunState, _Totals], numbered_bits: tuple[Array, Array]
    ) -> tuple[tuple[RunState, _Totals], None]:
        (state, totals), (number, bits) = carry, numbered_bits
        # The iteration's steps are shared out among its updates, so that each target copy falls to one of them.
        before = state.step - config.train_every
        share = [before + config.train_every * (number + i) // config.num_updates for i in (0, 1)]
        sample = parts.replay.sample(state.replay, bits)
        learner, info = parts.learner.update(state.learner, sample, *share)
        has_diverged_now = (state.diverged_at < 0) & ~jnp.isfinite(info.loss)
        state = state._replace(
            learner=learner,
            replay=parts.replay.update(state.replay, sample.indices, info.priority),
            diverged_at=jnp.where(has_diverged_now, state.step, state.diverged_at),
        )
        diagnostics = jnp.stack([info.loss, info.td_error, info.max_q, info.gradient_norm])
        totals = totals._replace(updates=totals.updates + 1, diagnostics=totals.diagnostics + diagnostics)
        return (state, totals), None

    numbers = jnp.arange(config.num_updates, dtype=jnp.int32)
    (state, totals), _ = jax.lax.scan(update, (state, totals), (numbers, noise.sample_bits))
    return state, totals


def _draw(parts: _Parts, key: Key) -> _Noise:
    """Returns all that one iteration draws. `key` is consumed."""
    config, game = parts.config, parts.game
    explore_key, action_key, game_key, fresh_key, sample_key = jax.random.split(key, 5)
    shape = (config.train_every // config.num_environments, config.num_environments)
    play = _PlayNoise(
        explore=jax.random.uniform(explore_key, shape),
        random_action=jax.random.randint(action_key, shape, 0, game.num_actions),
        game_key=jax.random.split(game_key, shape),
        fresh=jax.vmap(jax.vmap(game.reset))(jax.random.split(fresh_key, shape)),
    )
    return _Noise(play, jax.random.bits(sample_key, (config.num_updates, config.batch_size)))


def _at(noises: _Noise, i: Array) -> _Noise:
    return jax.tree.map(lambda x: jax.lax.dynamic_index_in_dim(x, i, keepdims=False), noises)


def _no_totals() -> _Totals:
    return _Totals(jnp.int32(0), jnp.zeros(4), jnp.int32(0), jnp.float32(0.0))


def _where(ended: Array, fresh: Array, old: Array) -> Array:
    """Returns `fresh` for the environments `[E]` that ended, else `old`; both `[E, ...]`."""
    return jnp.where(ended.reshape(ended.shape + (1,) * (fresh.ndim - 1)), fresh, old)
