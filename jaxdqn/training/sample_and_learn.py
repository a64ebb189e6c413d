"""One iteration of training, the same for JAX games and host games: random numbers, learning, and counting episodes.

An iteration collects `train_every` steps, which each loop does in its own way. Its learning phase follows: `learn`
does `num_updates` updates, and each of them samples from replay, changes the parameters and gives the new priorities to
replay. All random numbers of iteration i follow from the run's key and i alone. They are drawn for a chunk of
iterations in one call, since a draw inside a loop would cost more than a small game. An iteration of many steps needs
many numbers, so chunks are shorter then. Neither the chunk nor the evaluation period changes the numbers.
"""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxdqn import action_masks
from jaxdqn.interfaces import Array, Key
from jaxdqn.training.curves import Sums
from jaxdqn.training.state import EpisodeLog, Parts, RunState

VERSION = 2  # raised when the same configuration trains differently
LONGEST_CHUNK = 128  # iterations whose random numbers are drawn at once
LARGEST_CHUNK = 4 * 2**20  # bytes of these numbers, unless one iteration has more


class RandomNumbers(NamedTuple):
    """The random numbers of acting and learning in one iteration.

    E is the number of environments, V the number of steps of each in an iteration (`train_every / E`), U the number of
    updates in a learning phase (`num_updates`), B the batch size.

    Attributes:
      exploration: the noise of `config.exploration`, `[V, E]`, or `[V, E, ...]` for each of its arrays.
      acting: the noise of the network in each of the V steps, `[V, ...]`; an empty pytree if the network has none.
      sampling: uint32 `[U, B]`, the random bits that select the examples of each batch.
      learning: the noise or the key of each update, `[U, ...]`, from `Learner.noise`.
      replacement: float32 `[V, E, A]`, uniform in [0, 1), for random legal actions in place of illegal ones; None in a
        game without masks.
      after_update: a key, of `config.after_update`; None if there is none.
    """

    exploration: Any
    acting: Any
    sampling: Array
    learning: Any
    replacement: Array | None
    after_update: Key | None = None


def keys_of(training_key: Key, iteration: Array) -> tuple[Key, Key]:
    """Returns the two keys of an iteration: that of the agent, which acts and learns, and that of the games."""
    agent_key, game_key = jax.random.split(jax.random.fold_in(training_key, iteration))
    return agent_key, game_key


def chunk_length(numbers: Any) -> int:
    """Returns the number of iterations whose random numbers are drawn at once.

    Args:
      numbers: those of one iteration, or their shapes and types.
    """
    return max(1, min(LONGEST_CHUNK, LARGEST_CHUNK // num_bytes(numbers)))


def num_bytes(tree: Any) -> int:
    """Returns the bytes of all arrays of a pytree, or of all shapes and types."""
    return sum(math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))


def draw(parts: Parts, agent_key: Key) -> RandomNumbers:
    """Returns the random numbers of acting and learning in one iteration. `agent_key` is consumed."""
    config, masked, changes = parts.config, action_masks.is_masked(parts.game), parts.config.after_update is not None
    exploration_key, sampling_key, acting_key, learning_key, *more = jax.random.split(agent_key, 4 + masked + changes)
    shape = (config.train_every // config.num_environments, config.num_environments)
    return RandomNumbers(
        exploration=config.exploration.draw(exploration_key, shape, parts.game.num_actions),
        acting=jax.vmap(parts.learner.network.noise)(jax.random.split(acting_key, shape[0])),
        sampling=jax.random.bits(sampling_key, (config.num_updates, config.batch_size)),
        learning=jax.vmap(parts.learner.noise)(jax.random.split(learning_key, config.num_updates)),
        replacement=jax.random.uniform(more[0], (*shape, parts.game.num_actions)) if masked else None,
        after_update=more[-1] if changes else None,
    )


def learn(parts: Parts, state: RunState, sums: Sums, numbers: RandomNumbers) -> tuple[RunState, Sums]:
    """Returns the run after one learning phase, and the sums with its updates added.

    Replay first computes its returns, if it has any, from the action values at this moment. Then each of `num_updates`
    updates samples a batch from replay and learns from it.

    Args:
      parts: the parts of the run.
      state: the run after the steps of the iteration.
      sums: sums over the evaluation period so far.
      numbers: the random numbers of the iteration.
    """
    config, network, target_parameters = parts.config, parts.learner.network, state.learner.target_parameters
    replay = parts.replay.before_training(
        state.replay, lambda observation: network.apply(target_parameters, observation).q_values.max(-1)
    )
    state = state._replace(replay=replay)

    def update(carry: tuple[RunState, Sums], inputs: Any) -> tuple[tuple[RunState, Sums], None]:
        (state, sums), (update_index, bits, key) = carry, inputs
        # The steps since the last learning phase are divided among the updates of this one, without gaps or overlap. So
        # when the target network is due to be copied at one of these steps, exactly one update copies it.
        num_steps = state.step - state.learned_at
        steps_before, steps_after = (
            state.learned_at + num_steps * (update_index + i) // config.num_updates for i in (0, 1)
        )
        sample = parts.replay.sample(state.replay, bits, state.step, state.num_episodes)
        counts = steps_before, steps_after, state.num_episodes
        learner, info = parts.learner.update(state.learner, sample, key, *counts)
        has_diverged_now = (state.diverged_at < 0) & ~jnp.isfinite(info.loss)
        state = state._replace(
            learner=learner,
            replay=parts.replay.update(state.replay, sample.indices, info.priority),
            diverged_at=jnp.where(has_diverged_now, state.step, state.diverged_at),
        )
        return (state, sums.add(info)), None

    update_indices = jnp.arange(config.num_updates, dtype=jnp.int32)
    (state, sums), _ = jax.lax.scan(update, (state, sums), (update_indices, numbers.sampling, numbers.learning))
    return state._replace(learned_at=state.step), sums


def change(parts: Parts, state: RunState, numbers: RandomNumbers) -> RunState:
    """Returns the run after the change of `config.after_update`.

    Args:
      parts: the parts of the run; the configuration has such a change.
      state: the run after a learning phase.
      numbers: the random numbers of that iteration.
    """
    assert parts.learner.after_update is not None
    assert numbers.after_update is not None
    return state._replace(learner=parts.learner.after_update(numbers.after_update, state.learner, state.step))


def change_if_due(parts: Parts, state: RunState, numbers: RandomNumbers) -> RunState:
    """Returns the run after a learning phase, with the change of `config.after_update` if the updates so far say so."""
    if parts.config.after_update is None:
        return state
    is_due = state.learner.num_updates % parts.config.after_update.every == 0
    return jax.lax.cond(is_due, lambda: change(parts, state, numbers), lambda: state)


def count(state: RunState, sums: Sums, reward: Array, ended: Array) -> tuple[RunState, Sums]:
    """Returns the run and the sums with the rewards of one step, and with the episodes that ended at it, added.

    Args:
      state: the run after the step.
      sums: sums over the evaluation period so far.
      reward: float32 `[E]`, the rewards of the step.
      ended: bool `[E]`, whether the episode of each environment ended.
    """
    episode_return = state.episode_return + reward
    num_ended = ended.sum(dtype=jnp.int32)
    log = state.log
    if log is not None:
        # Ended episodes get the next free rows of the log. All others get the row past its end, and `mode="drop"`
        # discards what is written there, as it does with the episodes of a full log.
        row = jnp.where(ended, state.num_episodes + jnp.cumsum(ended) - 1, log.end_step.size)

        def logged(kept: Array, values: Array) -> Array:
            return kept.at[row].set(values, mode="drop")

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
