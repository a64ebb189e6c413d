"""The loop for JAX games: `init` a run, then `advance` it one evaluation period at a time, all in compiled code."""

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxdqn.action_masks import legal_actions, legal_or_random, with_mask
from jaxdqn.config import Config
from jaxdqn.game_interfaces import Game, observation_dtype
from jaxdqn.interfaces import Array, Key, Step
from jaxdqn.training import curves, sample_and_learn, state
from jaxdqn.training.acting import act, choose
from jaxdqn.training.curves import Curves, Sums
from jaxdqn.training.evaluate import Evaluation, evaluate, value_errors
from jaxdqn.training.sample_and_learn import RandomNumbers
from jaxdqn.training.state import Parts, RunState


class GameNumbers(NamedTuple):
    """The random numbers of the games in one iteration, `[V, E]` for V steps of every environment."""

    key: Key
    fresh: Any  # game states at the start of an episode, used where one ended


def init(config: Config, key: Key, *, game: Game, num_logged: int = 0) -> RunState:
    """Returns a run before its first step. `key` is consumed; `num_logged` episodes will be logged."""

    def begin(key: Key) -> Any:
        return jax.vmap(game.reset)(jax.random.split(key, config.num_environments))

    return state.init(parts_of(config, game), key, begin, num_logged)


def advance(config: Config, run: RunState, *, game: Game, evaluation: Evaluation) -> tuple[RunState, Curves]:
    """Returns the run one evaluation period later, and one point of every curve.

    A diverged run is not trained further: its training curves are NaN. Its step counter still increases, and its
    evaluations continue with the parameters of the divergence.
    """
    parts = parts_of(config, game)
    num_iterations = evaluation.every // config.train_every
    next_step, metrics = run.step + evaluation.every, curves.metric_names(parts)
    run, sums = jax.lax.cond(
        run.diverged_at < 0,
        lambda run: _train(parts, run, metrics, num_iterations),
        lambda run: (run, curves.no_sums(metrics)),
        run,
    )
    run = run._replace(step=next_step)
    key = jax.random.fold_in(run.evaluation_key, run.step)
    network, parameters = parts.learner.network, run.learner.parameters
    evaluation_return = evaluate(key, parameters, network, game, evaluation).mean()
    errors = value_errors(parameters, network, game, config.discount, evaluation)
    run = state.with_best(run, evaluation_return)
    return run, curves.point(parts, metrics, run, sums, evaluation_return, errors)


def parts_of(config: Config, game: Game) -> Parts:
    """Returns the parts of a run on a JAX game."""
    return state.parts(config, game, observation_dtype(game))


def _train(parts: Parts, run: RunState, metrics: Sequence[str], num_iterations: int) -> tuple[RunState, Sums]:
    """Returns the run after `num_iterations` iterations, and the sums over them."""
    first = run.step // parts.config.train_every
    num_filling = parts.config.learning_starts // parts.config.train_every
    rows_each = parts.config.train_every // parts.config.num_environments
    # Iterations before the end of the first that leaves enough rows to sample from.
    num_waiting = max(num_filling, -(-parts.replay.min_rows // rows_each) - 1)

    period = _period_of_changes(parts.config)
    draw_of = partial(draw, parts, run.training_key)
    longest = min(sample_and_learn.chunk_length(jax.eval_shape(draw_of, first)), num_iterations)

    def chunk(number: Array, carry: tuple[RunState, Sums]) -> tuple[RunState, Sums]:
        start = number * longest
        numbers = jax.vmap(draw_of)(first + start + jnp.arange(longest))
        length = jnp.minimum(longest, num_iterations - start)
        filling, waiting = (jnp.clip(n - (first + start), 0, length) for n in (num_filling, num_waiting))

        def collect(i: Array, carry: tuple[RunState, Sums], *, is_random: bool) -> tuple[RunState, Sums]:
            run, sums = _collect(parts, *carry, *_at(numbers, i), is_random=is_random)
            return run._replace(learned_at=run.step), sums

        def collect_and_learn(i: Array, carry: tuple[RunState, Sums]) -> tuple[RunState, Sums]:
            own, of_games = _at(numbers, i)
            run, sums = _collect(parts, *carry, own, of_games, is_random=False)
            if parts.config.train_at == "steps":
                return sample_and_learn.learn(parts, run, sums, own)
            return jax.lax.cond(
                run.num_episodes > carry[0].num_episodes, lambda: learn_and_change(run, sums, own), lambda: (run, sums)
            )

        def learn_and_change(run: RunState, sums: Sums, own: RandomNumbers) -> tuple[RunState, Sums]:
            run, sums = sample_and_learn.learn(parts, run, sums, own)
            return sample_and_learn.change_if_due(parts, run, own), sums

        def learn_until_change(
            period: int, carry: tuple[Array, tuple[RunState, Sums]]
        ) -> tuple[Array, tuple[RunState, Sums]]:
            i, learning = carry
            num_learned = first + start + i - num_waiting  # iterations that learned before this one
            stop = jnp.minimum(i + period - num_learned % period, length)
            run, sums = jax.lax.fori_loop(i, stop, collect_and_learn, learning)
            is_due = (num_learned + stop - i) % period == 0
            own, _ = _at(numbers, stop - 1)
            return stop, (jax.lax.cond(is_due, lambda: sample_and_learn.change(parts, run, own), lambda: run), sums)

        # The bounds are the same for all members of a group, so under vmap no loop runs for nothing.
        carry = jax.lax.fori_loop(0, filling, partial(collect, is_random=True), carry)
        if num_waiting > num_filling:
            carry = jax.lax.fori_loop(filling, waiting, partial(collect, is_random=False), carry)
        if period is None:
            return jax.lax.fori_loop(waiting, length, collect_and_learn, carry)
        return jax.lax.while_loop(
            lambda carry: carry[0] < length, partial(learn_until_change, period), (waiting, carry)
        )[1]

    num_chunks = -(-num_iterations // longest)
    return jax.lax.fori_loop(0, num_chunks, chunk, (run, curves.no_sums(metrics)))


def _period_of_changes(config: Config) -> int | None:
    """Returns the number of learning iterations from one change of `config.after_update` to the next.

    None where there are no changes, or where it depends on episodes which iterations learn. Then each iteration asks.
    """
    if config.after_update is None or config.train_at == "episode_end":
        return None
    return config.after_update.every // (config.num_updates * config.num_minibatches)


def draw(parts: Parts, training_key: Key, iteration: Array) -> tuple[RandomNumbers, GameNumbers]:
    """Returns all random numbers of an iteration."""
    agent_key, game_key = sample_and_learn.keys_of(training_key, iteration)
    return sample_and_learn.draw(parts, agent_key), _draw_games(parts, game_key)


def _collect(
    parts: Parts, run: RunState, sums: Sums, numbers: RandomNumbers, of_games: GameNumbers, *, is_random: bool
) -> tuple[RunState, Sums]:
    """Returns the run after `train_every` steps of play put into replay; `is_random` explores without a network."""
    config, game, network = parts.config, parts.game, parts.learner.network

    def step(carry: tuple[RunState, Sums], numbers: Any) -> tuple[tuple[RunState, Sums], None]:
        (run, sums), (exploration_noise, network_noise, replacement, of_game) = carry, numbers
        assert run.actor is not None
        s_tm1, legal_tm1 = jax.vmap(game.observe)(run.game), legal_actions(game, run.game)
        action, before, after = act(
            config,
            network,
            run.learner.parameters,
            run.actor,
            with_mask(s_tm1, legal_tm1),
            (exploration_noise, network_noise),
            (run.step, run.num_episodes),
        )
        if is_random:
            action = config.exploration.random_action(exploration_noise)
        if legal_tm1 is not None:
            action = legal_or_random(action, legal_tm1, replacement)
        game_state, seen = jax.vmap(game.step)(of_game.key, run.game, action)
        stored = Step(
            s_tm1,
            action,
            seen.reward,
            seen.terminated,
            seen.truncated,
            seen.observation,
            network.stored_memory(before.memory),
            legal_tm1=legal_tm1,
            legal_t=legal_actions(game, game_state),
        )
        ended = seen.terminated | seen.truncated
        run = run._replace(
            step=run.step + config.num_environments,
            replay=parts.replay.add(run.replay, stored, jnp.ones_like(ended)),
            game=jax.tree.map(lambda fresh, old: choose(ended, fresh, old), of_game.fresh, game_state),
            actor=after.after_step(ended),
        )
        return sample_and_learn.count(run, sums, seen.reward, ended), None

    of_steps = numbers.exploration, numbers.acting, numbers.replacement, of_games
    (run, sums), _ = jax.lax.scan(step, (run, sums), of_steps)
    return run, sums


def _draw_games(parts: Parts, key: Key) -> GameNumbers:
    """Returns the random numbers of the games in one iteration. `key` is consumed."""
    config, game = parts.config, parts.game
    game_key, fresh_key = jax.random.split(key)
    shape = (config.train_every // config.num_environments, config.num_environments)
    return GameNumbers(
        key=jax.random.split(game_key, shape), fresh=jax.vmap(jax.vmap(game.reset))(jax.random.split(fresh_key, shape))
    )


def _at(numbers: Any, i: Array) -> Any:
    return jax.tree.map(lambda x: jax.lax.dynamic_index_in_dim(x, i, keepdims=False), numbers)
