"""One iteration of training, the same for JAX games and host games: random numbers, learning, and counting episodes.

An iteration collects `train_every` steps, which each loop does in its own way, and then learns: `learn` samples from
replay, updates the parameters and hands the priorities back to replay. All random numbers of iteration i follow from
the run's key and i alone. They are drawn for a chunk of iterations in one call, since a draw inside a loop would cost
more than a small game; neither the chunk nor the evaluation period changes the numbers.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxdqn.interfaces import Array, Key
from jaxdqn.training.curves import Sums
from jaxdqn.training.state import EpisodeLog, Parts, RunState

VERSION = 2  # raised when the same configuration trains differently
CHUNK = 128  # iterations whose random numbers are drawn at once


class RandomNumbers(NamedTuple):
    """The random numbers of acting and learning in one iteration.

    Attributes:
      exploration: the noise of `config.exploration`, `[V, E]`: for V steps of every environment.
      acting: `[V, ...]`, the noise of the network in each of these steps; an empty pytree if it has none.
      sampling: uint32 `[U, B]`, the bits that sample U batches of B examples.
      learning: `[U, ...]`, the noise or keys of U updates, from `Learner.noise`.
    """

    exploration: Any
    acting: Any
    sampling: Array
    learning: Any


def keys_of(training_key: Key, iteration: Array) -> tuple[Key, Key]:
    """Returns the two keys of an iteration: for acting and learning, and for the games."""
    learning_key, game_key = jax.random.split(jax.random.fold_in(training_key, iteration))
    return learning_key, game_key


def draw(parts: Parts, key: Key) -> RandomNumbers:
    """Returns the random numbers of acting and learning in one iteration. `key` is consumed."""
    config = parts.config
    exploration_key, sampling_key, acting_key, learning_key = jax.random.split(key, 4)
    shape = (config.train_every // config.num_environments, config.num_environments)
    return RandomNumbers(
        exploration=config.exploration.draw(exploration_key, shape, parts.game.num_actions),
        acting=jax.vmap(parts.learner.network.noise)(jax.random.split(acting_key, shape[0])),
        sampling=jax.random.bits(sampling_key, (config.num_updates, config.batch_size)),
        learning=jax.vmap(parts.learner.noise)(jax.random.split(learning_key, config.num_updates)),
    )


def learn(parts: Parts, state: RunState, sums: Sums, numbers: RandomNumbers) -> tuple[RunState, Sums]:
    """Returns the run after one training: `num_updates` batches are sampled and learned from.

    Args:
      parts: of the run.
      state: after the steps of the iteration.
      sums: over the period so far.
      numbers: of the iteration.
    """
    config = parts.config

    def update(carry: tuple[RunState, Sums], numbered: Any) -> tuple[tuple[RunState, Sums], None]:
        (state, sums), (number, bits, key) = carry, numbered
        # The steps since the last training are shared out among its updates: each target copy falls to one of them.
        num_steps = state.step - state.learned_at
        share = [state.learned_at + num_steps * (number + i) // config.num_updates for i in (0, 1)]
        sample = parts.replay.sample(state.replay, bits, state.step, state.num_episodes)
        learner, info = parts.learner.update(state.learner, sample, key, *share)
        has_diverged_now = (state.diverged_at < 0) & ~jnp.isfinite(info.loss)
        state = state._replace(
            learner=learner,
            replay=parts.replay.update(state.replay, sample.indices, info.priority),
            diverged_at=jnp.where(has_diverged_now, state.step, state.diverged_at),
        )
        return (state, sums.add(info)), None

    numbers_of_updates = jnp.arange(config.num_updates, dtype=jnp.int32)
    (state, sums), _ = jax.lax.scan(update, (state, sums), (numbers_of_updates, numbers.sampling, numbers.learning))
    replay = parts.replay.after_training(state.replay)
    return state._replace(learned_at=state.step, replay=replay), sums


def count(state: RunState, sums: Sums, reward: Array, ended: Array) -> tuple[RunState, Sums]:
    """Returns the run with one step counted, and the episodes that ended with it.

    Args:
      state: after the step.
      sums: over the period so far.
      reward: float32 `[E]`, of the step.
      ended: bool `[E]`, whether the episode ended.
    """
    episode_return = state.episode_return + reward
    num_ended = ended.sum(dtype=jnp.int32)
    log = state.log
    if log is not None:
        place = jnp.where(ended, state.num_episodes + jnp.cumsum(ended) - 1, log.end_step.size)

        def logged(kept: Array, values: Array) -> Array:
            return kept.at[place].set(values, mode="drop", unique_indices=True)

        log = EpisodeLog(
            logged(log.episode_return, episode_return),
            logged(log.last_reward, reward),
            logged(log.end_step, state.step),
        )
    sums = sums._replace(
        episodes=sums.episodes + num_ended,
        episode_return=sums.episode_return + jnp.where(ended, episode_return, 0.0).sum(),
    )
    state = state._replace(
        episode_return=jnp.where(ended, 0.0, episode_return), num_episodes=state.num_episodes + num_ended, log=log
    )
    return state, sums
