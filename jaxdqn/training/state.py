"""A run: its parts, its state from the first step on, and how it ends. The same for JAX games and host games.

The whole state of a run is one pytree, `RunState`: a run continues from a stored state bit for bit.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxdqn import action_masks
from jaxdqn import learner as learning
from jaxdqn.config import Config
from jaxdqn.game_interfaces import AnyGame, HostGame
from jaxdqn.interfaces import Key, Replay, Step
from jaxdqn.rewards_and_terminations import ConfiguredReturn
from jaxdqn.training import acting
from jaxdqn.training.acting import ActorState

Value = Any  # an array on the device, or in NumPy where a host loop counts


class EpisodeLog(NamedTuple):
    """The first N episodes of training, in the order in which they ended.

    Attributes:
      episode_return: float32 `[N]`, undiscounted.
      last_reward: float32 `[N]`, the reward of the last step.
      end_step: int32 `[N]`, environment steps of the run when the episode ended; 0 if it has not.
    """

    episode_return: Value
    last_reward: Value
    end_step: Value


class Best(NamedTuple):
    """The parameters at the highest evaluation return so far; at the first of equal ones.

    Attributes:
      evaluation_return: float32 `[]`, the mean over the episodes; minus infinity before the first evaluation.
      step: int32 `[]`, environment steps of the run at that evaluation.
      parameters: of the network, then.
    """

    evaluation_return: Value
    step: Value
    parameters: Any


class RunState(NamedTuple):
    """The whole state of a run.

    Attributes:
      step: int32 `[]`, environment steps so far, over all environments.
      learner: online and target-network parameters, state of the optimizer.
      replay: the replay memory.
      game: states of the games, `[E]`; of a host game its `EnvironmentState`.
      actor: what acting carries from step to step; None in a host game, whose `EnvironmentState` holds it.
      episode_return: float32 `[E]`, undiscounted, of the episodes under way.
      num_episodes: int32 `[]`, episodes ended so far.
      learned_at: int32 `[]`, the step of the last learning phase, or of the last iteration that could not learn yet.
      diverged_at: int32 `[]`, the step of the first non-finite loss, or -1.
      best: the parameters at the highest evaluation return.
      log: of the first episodes; None if none are logged.
      training_key: constant; with the number of an iteration it gives all random numbers of that iteration.
      evaluation_key: constant; with a step it gives all random numbers of the evaluation at that step.
    """

    step: Value
    learner: learning.LearnerState
    replay: Any
    game: Any
    actor: ActorState | None
    episode_return: Value
    num_episodes: Value
    learned_at: Value
    diverged_at: Value
    best: Best
    log: EpisodeLog | None
    training_key: Key
    evaluation_key: Key


class Ending(NamedTuple):
    """The ending of a run, in NumPy.

    Attributes:
      diverged_at: the step of the first non-finite loss, or None.
      failure: the traceback of an environment that raised an error, or None. Curves have no points from then on.
      parameters: of the network, by path such as `params/Dense_0/kernel`; empty after a failure.
      episodes: the log cut to the episodes that ended, by name; empty without a log.
      best_step: environment steps at the highest evaluation return; None if there is none.
      best_parameters: of the network at that step, by path.
      renewed_at: steps at which episodes were cut short, and new ones began; of host games only.
    """

    diverged_at: int | None
    failure: str | None
    parameters: dict[str, Any]
    episodes: dict[str, Any]
    best_step: int | None
    best_parameters: dict[str, Any]
    renewed_at: tuple[int, ...] = ()


class Parts(NamedTuple):
    """The parts of a run as functions.

    Attributes:
      config: of the run.
      game: a `Game` or a `HostGame`; each loop knows which.
      learner: of the configuration on the game.
      replay: of the configuration.
      actor: the state of acting before the first step.
      example: what replay stores at a time; its values are not read.
    """

    config: Config
    game: Any
    learner: learning.Learner
    replay: Replay
    actor: ActorState
    example: Step


def parts(config: Config, game: AnyGame, observation_dtype: Any) -> Parts:
    """Returns the parts of a run; observations are `[*game.observation_shape]` of that type."""
    batch = (config.num_environments,)
    observations = jnp.zeros((*batch, *game.observation_shape), observation_dtype)
    flags = jnp.zeros(batch, bool)
    learner = learning.make(config, game, observation_dtype)
    actor = acting.init(config, learner.network, game.num_actions)
    legal = jnp.ones((*batch, game.num_actions), bool) if action_masks.is_masked(game) else None
    example = Step(
        s_tm1=observations,
        a_tm1=jnp.zeros(batch, jnp.int32),
        r_t=jnp.zeros(batch),
        terminated=flags,
        truncated=flags,
        s_t=observations,
        memory=learner.network.stored_memory(actor.memory),
        cut=flags if isinstance(game, HostGame) else None,
        legal_tm1=legal,
        legal_t=legal,
    )
    learned = ConfiguredReturn(
        config.discount, config.reward_clip, config.terminal_reward, config.bootstrap_time_limits
    )
    replay = config.replay.make(example, config.n_step, learned, config.num_minibatches, learner.network.frames)
    return Parts(config, game, learner, replay, actor, example)


def init(parts: Parts, key: Key, begin: Any, num_logged: int) -> RunState:
    """Returns a run before its first step.

    Args:
      parts: of the run.
      key: consumed.
      begin: `key -> states of the games`.
      num_logged: how many episodes the log holds.
    """
    network_key, game_key, training_key, evaluation_key = jax.random.split(key, 4)
    learner = parts.learner.init(network_key)
    return RunState(
        step=jnp.int32(0),
        learner=learner,
        replay=parts.replay.init(),
        game=begin(game_key),
        actor=jax.tree.map(jnp.copy, parts.actor),
        episode_return=jnp.zeros(parts.config.num_environments),
        num_episodes=jnp.int32(0),
        learned_at=jnp.int32(0),
        diverged_at=jnp.int32(-1),
        best=Best(jnp.float32(-jnp.inf), jnp.int32(0), jax.tree.map(jnp.copy, learner.parameters)),
        log=EpisodeLog(jnp.zeros(num_logged), jnp.zeros(num_logged), jnp.zeros(num_logged, jnp.int32))
        if num_logged
        else None,
        training_key=training_key,
        evaluation_key=evaluation_key,
    )


def with_best(run: RunState, evaluation_return: Value) -> RunState:
    """Returns the run with its present parameters as the best ones if they had a higher return than those before.

    Args:
      run: at an evaluation.
      evaluation_return: float32 `[]`, the mean return of its episodes. It does not count if the run has diverged.
    """
    is_best = (run.diverged_at < 0) & (evaluation_return > run.best.evaluation_return)
    now = Best(evaluation_return, run.step, run.learner.parameters)
    return run._replace(best=jax.tree.map(lambda new, old: jnp.where(is_best, new, old), now, run.best))


def ending(diverged_at: Value, log: EpisodeLog | None, parameters: Any, best: Best) -> Ending:
    """Returns the ending of a run that did not fail, from NumPy arrays; `diverged_at` is -1 if it did not diverge."""
    episodes = {}
    if log is not None:
        num_ended = int((log.end_step > 0).sum())  # no episode ends at step 0
        episodes = {name: values[:num_ended] for name, values in log._asdict().items()}
    return Ending(
        int(diverged_at) if diverged_at >= 0 else None,
        None,
        _by_path(parameters),
        episodes,
        int(best.step) if best.evaluation_return > -np.inf else None,
        _by_path(best.parameters),
    )


def _by_path(parameters: Any) -> dict[str, Any]:
    leaves = jax.tree_util.tree_leaves_with_path(parameters)
    return {"/".join(str(key.key) for key in path): leaf for path, leaf in leaves}
