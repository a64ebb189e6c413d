"""The loop for JAX games: `init` a run, then `advance` it one evaluation period at a time, all in compiled code."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxdqn.config import Config
from jaxdqn.interfaces import Array, Game, Key, Step
from jaxdqn.training import run
from jaxdqn.training.acting import Chance, act, choose
from jaxdqn.training.evaluate import Evaluation, evaluate, value_errors
from jaxdqn.training.run import CHUNK, Curves, Noise, Parts, RunState, Totals


class _GameNoise(NamedTuple):
    """What the games draw in an iteration, `[V, E]` for V steps of every environment."""

    key: Key
    fresh: Any  # game states at the start of an episode, used where one ended


def init(config: Config, key: Key, *, game: Game, num_logged: int = 0) -> RunState:
    """Returns a run before its first step. `key` is consumed; `num_logged` episodes will be logged."""

    def begin(key: Key) -> Any:
        return jax.vmap(game.reset)(jax.random.split(key, config.num_environments))

    return run.init(parts_of(config, game), key, begin, num_logged)


def advance(config: Config, state: RunState, *, game: Game, evaluation: Evaluation) -> tuple[RunState, Curves]:
    """Returns the run one evaluation period later, and one point of every curve.

    A run that has diverged is not trained any more: its step counter goes on beside its neighbours', its training
    curves are NaN, and its evaluation goes on scoring the parameters it diverged with.
    """
    parts = parts_of(config, game)
    num_iterations = evaluation.every // config.train_every
    next_step = state.step + evaluation.every
    state, totals = jax.lax.cond(
        state.diverged_at < 0,
        lambda state: _train(parts, state, num_iterations),
        lambda state: (state, run.no_totals()),
        state,
    )
    state = state._replace(step=next_step)
    key = jax.random.fold_in(state.evaluation_key, state.step)
    network, parameters = parts.learner.network, state.learner.parameters
    returns = evaluate(key, parameters, network, game, evaluation)
    errors = value_errors(parameters, network, game, config.discount, evaluation)
    return state, run.curves(parts, state, totals, returns.mean(), errors)


def parts_of(config: Config, game: Game) -> Parts:
    """Returns what a run on a JAX game is made of."""
    return run.parts(config, game, jax.eval_shape(lambda: game.observe(game.reset(jax.random.key(0)))).dtype)


def _train(parts: Parts, state: RunState, num_iterations: int) -> tuple[RunState, Totals]:
    """Returns the run after so many iterations, and what they summed up to."""
    first = state.step // parts.config.train_every
    num_filling = parts.config.learning_starts // parts.config.train_every
    rows_each = parts.config.train_every // parts.config.num_environments
    # Iterations before the end of the first that leaves enough rows to sample from.
    num_waiting = max(num_filling, -(-parts.replay.min_rows // rows_each) - 1)

    def draw(iteration: Array) -> tuple[Noise, _GameNoise]:
        noise_key, game_key = run.keys_of(state.training_key, iteration)
        return run.draw(parts, noise_key), _draw_games(parts, game_key)

    def chunk(number: Array, carry: tuple[RunState, Totals]) -> tuple[RunState, Totals]:
        start = number * CHUNK
        noises = jax.vmap(draw)(first + start + jnp.arange(min(CHUNK, num_iterations)))
        length = jnp.minimum(CHUNK, num_iterations - start)
        filling, waiting = (jnp.clip(n - (first + start), 0, length) for n in (num_filling, num_waiting))

        def collect(i: Array, carry: tuple[RunState, Totals], *, is_random: bool) -> tuple[RunState, Totals]:
            state, totals = _collect(parts, *carry, *_at(noises, i), is_random=is_random)
            return state._replace(learned_at=state.step), totals

        def collect_and_learn(i: Array, carry: tuple[RunState, Totals]) -> tuple[RunState, Totals]:
            noise, game_noise = _at(noises, i)
            state, totals = _collect(parts, *carry, noise, game_noise, is_random=False)
            if parts.config.train_at == "steps":
                return run.learn(parts, state, totals, noise)
            return jax.lax.cond(
                state.num_episodes > carry[0].num_episodes,
                lambda: run.learn(parts, state, totals, noise),
                lambda: (state, totals),
            )

        # The bounds are the same for all members of a group, so under vmap no loop runs for nothing.
        carry = jax.lax.fori_loop(0, filling, partial(collect, is_random=True), carry)
        if num_waiting > num_filling:
            carry = jax.lax.fori_loop(filling, waiting, partial(collect, is_random=False), carry)
        return jax.lax.fori_loop(waiting, length, collect_and_learn, carry)

    num_chunks = -(-num_iterations // CHUNK)
    return jax.lax.fori_loop(0, num_chunks, chunk, (state, run.no_totals()))


def _collect(
    parts: Parts, state: RunState, totals: Totals, noise: Noise, game_noise: _GameNoise, *, is_random: bool
) -> tuple[RunState, Totals]:
    """Returns the run after `train_every` steps of play put into replay; `is_random` explores without a network."""
    config, game, network = parts.config, parts.game, parts.learner.network

    def step(carry: tuple[RunState, Totals], noises: Any) -> tuple[tuple[RunState, Totals], None]:
        (state, totals), (explore, drawn, game_noise) = carry, noises
        assert state.acting is not None
        s_tm1 = jax.vmap(game.observe)(state.game)
        counts = state.step, state.num_episodes
        action, before, after = act(
            config, network, state.learner.parameters, state.acting, s_tm1, Chance(explore, drawn), counts
        )
        if is_random:
            action = config.exploration.at_random(explore)
        game_state, seen = jax.vmap(game.step)(game_noise.key, state.game, action)
        stored = Step(
            s_tm1, action, seen.reward, seen.terminated, seen.truncated, seen.observation, before.stored_memory()
        )
        ended = seen.terminated | seen.truncated
        state = state._replace(
            step=state.step + config.num_environments,
            replay=parts.replay.add(state.replay, stored, jnp.ones_like(ended)),
            game=jax.tree.map(lambda fresh, old: choose(ended, fresh, old), game_noise.fresh, game_state),
            acting=after.after_step(ended),
        )
        return run.count(state, totals, seen.reward, ended), None

    (state, totals), _ = jax.lax.scan(step, (state, totals), (noise.explore, noise.act, game_noise))
    return state, totals


def _draw_games(parts: Parts, key: Key) -> _GameNoise:
    """Returns what the games draw in one iteration. `key` is consumed."""
    config, game = parts.config, parts.game
    game_key, fresh_key = jax.random.split(key)
    shape = (config.train_every // config.num_environments, config.num_environments)
    return _GameNoise(
        key=jax.random.split(game_key, shape), fresh=jax.vmap(jax.vmap(game.reset))(jax.random.split(fresh_key, shape))
    )


def _at(noises: Any, i: Array) -> Any:
    return jax.tree.map(lambda x: jax.lax.dynamic_index_in_dim(x, i, keepdims=False), noises)
