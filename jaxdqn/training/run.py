"""A run: what it is made of, what it carries, what it reports. The same for JAX games and host games.

Everything a run is lies in one pytree, `RunState`, so a stored state continues as if never stored. Both loops go
through iterations; an iteration collects `train_every` steps and then learns. The randomness of iteration i is a
function of the run's key and i alone, drawn for a chunk of iterations in one call: a draw inside a loop would cost
more than a small game, and neither the chunk nor the evaluation period changes what is drawn.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxdqn import learner as learning
from jaxdqn import returns
from jaxdqn.config import Config
from jaxdqn.interfaces import AnyGame, Array, HostGame, Key, Replay, Step
from jaxdqn.training import acting
from jaxdqn.training.acting import Acting

Value = Any  # an array on the device, or in NumPy where a host loop counts

VERSION = 2  # raised when the same configuration trains differently
CHUNK = 128  # iterations whose randomness is drawn at once


class EpisodeLog(NamedTuple):
    """The first N episodes of training, in the order in which they ended.

    Attributes:
      episode_return: float32 `[N]`, undiscounted.
      last_reward: float32 `[N]`, the reward of the last step.
      end_step: int32 `[N]`, environment steps of the run when the episode ended.
    """

    episode_return: Value
    last_reward: Value
    end_step: Value


class RunState(NamedTuple):
    """A run, whole.

    Attributes:
      step: int32 `[]`, environment steps so far, over all environments.
      learner: parameters, target, optimizer.
      replay: the memory.
      game: what the games carry, `[E]`.
      acting: what choosing actions carries; None in a host game, whose `Seat` has it.
      episode_return: float32 `[E]`, undiscounted, of the episodes under way.
      num_episodes: int32 `[]`, episodes ended so far.
      learned_at: int32 `[]`, the step of the last training, or of the last iteration in which the memory was filled or
        had nothing to sample.
      diverged_at: int32 `[]`, the step of the first non-finite loss, or -1.
      log: of the first episodes; None if none are logged.
      training_key: constant; with an iteration's number it gives all that iteration draws.
      evaluation_key: constant; with a step it gives all that step's evaluation draws.
    """

    step: Value
    learner: learning.LearnerState
    replay: Any
    game: Any
    acting: Acting | None
    episode_return: Value
    num_episodes: Value
    learned_at: Value
    diverged_at: Value
    log: EpisodeLog | None
    training_key: Key
    evaluation_key: Key


class Curves(NamedTuple):
    """One point of every curve, over one evaluation period; means over nothing are NaN.

    Attributes:
      steps: int32, environment steps at the end of the period. In a host game with several copies, a step in which only
        some of them play and others reset counts for all.
      updates: int32, gradient steps so far.
      episodes: int32, training episodes that ended in the period.
      episode_return: their mean undiscounted return.
      evaluation_return: mean undiscounted return of the evaluation episodes at the end of the period.
      loss: mean over the trainings of the period, as are the next three.
      td_error: mean size of the temporal-difference error.
      max_q: mean over sampled states of the largest action value.
      gradient_norm: before clipping.
      exploration: at the end of the period, what its schedule says: epsilon, or the scale of the noise.
      value_error: mean over the game's observations and actions of the distance to the exact optimal value; NaN where
        it was not asked for or the game does not list its states.
      value_bias: mean over observations of the largest value less the exact largest value; above 0 overestimates.
    """

    steps: Value
    updates: Value
    episodes: Value
    episode_return: Value
    evaluation_return: Value
    loss: Value
    td_error: Value
    max_q: Value
    gradient_norm: Value
    exploration: Value
    value_error: Value
    value_bias: Value


class Ending(NamedTuple):
    """How a run ended, in NumPy.

    Attributes:
      diverged_at: the step of the first non-finite loss, or None.
      crash: the traceback of an environment that raised an error, or None. Curves have no points from then on.
      parameters: of the network, by path such as `params/Dense_0/kernel`; empty after a crash.
      episodes: the log cut to the episodes that ended, by name; empty without a log.
      renewed_at: steps at which an interruption cut episodes short, and new ones began; of host games only.
    """

    diverged_at: int | None
    crash: str | None
    parameters: dict[str, Any]
    episodes: dict[str, Any]
    renewed_at: tuple[int, ...] = ()


class Noise(NamedTuple):
    """What acting and learning draw in an iteration.

    Attributes:
      explore: as `config.exploration.draw` makes it, `[V, E]`: for V steps of every environment.
      act: `[V, ...]`, what the network draws when it acts; an empty pytree if that is nothing.
      sample_bits: uint32 `[U, B]`, for U batches of B transitions.
      update: `[U, ...]`, what the networks draw when they learn, as `Learner.draw` makes it.
    """

    explore: Any
    act: Any
    sample_bits: Array
    update: Any


class Totals(NamedTuple):
    """Sums over a period, for `Curves`."""

    updates: Value  # int32 []
    diagnostics: Value  # float32 [4]: loss, td_error, max_q, gradient_norm
    episodes: Value  # int32 []
    episode_return: Value  # float32 []


class Parts(NamedTuple):
    """What a run is made of; each loop knows which kind of game it plays."""

    config: Config
    game: Any
    learner: learning.Learner
    replay: Replay
    begin: Acting
    example: Step  # what replay stores at a time; its values are not read


def parts(config: Config, game: AnyGame, observation_dtype: Any) -> Parts:
    """Returns what a run is made of; observations are `[*game.observation_shape]` of that type."""
    batch = (config.num_environments,)
    observations = jnp.zeros((*batch, *game.observation_shape), observation_dtype)
    flags = jnp.zeros(batch, bool)
    learner = learning.make(config, game)
    begin = acting.begin(config, learner.network, game.num_actions)
    example = Step(
        s_tm1=observations,
        a_tm1=jnp.zeros(batch, jnp.int32),
        r_t=jnp.zeros(batch),
        terminated=flags,
        truncated=flags,
        s_t=observations,
        memory=begin.stored_memory(),
        cut=flags if isinstance(game, HostGame) else None,
    )
    learned = returns.AsLearned(
        config.discount, config.reward_clip, config.terminal_reward, config.bootstrap_time_limits
    )
    replay = config.replay.make(example, config.n_step, learned, config.num_minibatches)
    return Parts(config, game, learner, replay, begin, example)


def init(parts: Parts, key: Key, begin: Any, num_logged: int) -> RunState:
    """Returns a run before its first step.

    Args:
      parts: of the run.
      key: consumed.
      begin: `key -> what the games carry`.
      num_logged: how many episodes the log holds.
    """
    network_key, game_key, training_key, evaluation_key = jax.random.split(key, 4)
    return RunState(
        step=jnp.int32(0),
        learner=parts.learner.init(network_key),
        replay=parts.replay.init(),
        game=begin(game_key),
        acting=jax.tree.map(jnp.copy, parts.begin),
        episode_return=jnp.zeros(parts.config.num_environments),
        num_episodes=jnp.int32(0),
        learned_at=jnp.int32(0),
        diverged_at=jnp.int32(-1),
        log=EpisodeLog(jnp.zeros(num_logged), jnp.zeros(num_logged), jnp.zeros(num_logged, jnp.int32))
        if num_logged
        else None,
        training_key=training_key,
        evaluation_key=evaluation_key,
    )


def keys_of(training_key: Key, iteration: Array) -> tuple[Key, Key]:
    """Returns the keys of an iteration: of what acting and learning draw, and of what the games draw."""
    noise_key, game_key = jax.random.split(jax.random.fold_in(training_key, iteration))
    return noise_key, game_key


def draw(parts: Parts, key: Key) -> Noise:
    """Returns what acting and learning draw in one iteration. `key` is consumed."""
    config = parts.config
    explore_key, sample_key, act_key, update_key = jax.random.split(key, 4)
    shape = (config.train_every // config.num_environments, config.num_environments)
    return Noise(
        explore=config.exploration.draw(explore_key, shape, parts.game.num_actions),
        act=jax.vmap(parts.learner.network.draw)(jax.random.split(act_key, shape[0])),
        sample_bits=jax.random.bits(sample_key, (config.num_updates, config.batch_size)),
        update=jax.vmap(parts.learner.draw)(jax.random.split(update_key, config.num_updates)),
    )


def learn(parts: Parts, state: RunState, totals: Totals, noise: Noise) -> tuple[RunState, Totals]:
    """Returns the run after the `num_updates` batches of one training."""
    config = parts.config

    def update(carry: tuple[RunState, Totals], numbered: Any) -> tuple[tuple[RunState, Totals], None]:
        (state, totals), (number, bits, chances) = carry, numbered
        # The steps since the last training are shared out among its updates: each target copy falls to one of them.
        num_steps = state.step - state.learned_at
        share = [state.learned_at + num_steps * (number + i) // config.num_updates for i in (0, 1)]
        sample = parts.replay.sample(state.replay, bits, state.step, state.num_episodes)
        learner, info = parts.learner.update(state.learner, sample, chances, *share)
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
    (state, totals), _ = jax.lax.scan(update, (state, totals), (numbers, noise.sample_bits, noise.update))
    replay = parts.replay.after_training(state.replay)
    return state._replace(learned_at=state.step, replay=replay), totals


def count(state: RunState, totals: Totals, reward: Array, ended: Array) -> tuple[RunState, Totals]:
    """Returns the run with the rewards `[E]` of its last step counted, and the episodes that it `ended` `[E]`."""
    episode_return = state.episode_return + reward
    num_ended = ended.sum(dtype=jnp.int32)
    log = state.log
    if log is not None:
        place = jnp.where(ended, state.num_episodes + jnp.cumsum(ended) - 1, log.end_step.size)

        def note(kept: Array, values: Array) -> Array:
            return kept.at[place].set(values, mode="drop", unique_indices=True)

        log = EpisodeLog(
            note(log.episode_return, episode_return), note(log.last_reward, reward), note(log.end_step, state.step)
        )
    totals = totals._replace(
        episodes=totals.episodes + num_ended,
        episode_return=totals.episode_return + jnp.where(ended, episode_return, 0.0).sum(),
    )
    state = state._replace(
        episode_return=jnp.where(ended, 0.0, episode_return), num_episodes=state.num_episodes + num_ended, log=log
    )
    return state, totals


def no_totals() -> Totals:
    """Returns the sums at the start of a period."""
    return Totals(jnp.int32(0), jnp.zeros(4), jnp.int32(0), jnp.float32(0.0))


def curves(parts: Parts, state: RunState, totals: Totals, evaluation_return: Array, value_errors: Any) -> Curves:
    """Returns the point of every curve at the end of a period."""
    loss, td_error, max_q, gradient_norm = totals.diagnostics / totals.updates
    value_error, value_bias = value_errors
    return Curves(
        steps=state.step,
        updates=state.learner.num_updates,
        episodes=totals.episodes,
        episode_return=totals.episode_return / totals.episodes,
        evaluation_return=evaluation_return,
        loss=loss,
        td_error=td_error,
        max_q=max_q,
        gradient_norm=gradient_norm,
        exploration=parts.config.exploration.level(state.step, state.num_episodes),
        value_error=value_error,
        value_bias=value_bias,
    )


def ending(diverged_at: int, log: EpisodeLog | None, parameters: Any) -> Ending:
    """Returns the ending of a run that did not crash, from NumPy arrays; `diverged_at` is -1 if it did not diverge."""
    episodes = {}
    if log is not None:
        num_ended = int((log.end_step > 0).sum())  # no episode ends at step 0
        episodes = {name: values[:num_ended] for name, values in log._asdict().items()}
    leaves = jax.tree_util.tree_leaves_with_path(parameters)
    by_path = {"/".join(str(key.key) for key in path): leaf for path, leaf in leaves}
    return Ending(diverged_at if diverged_at >= 0 else None, None, by_path, episodes)
