"""The loop for host games, which step in Python: `init` makes a run, `advance` trains it for one evaluation period.

After each step of the environments, one compiled call chooses the next actions. The last call of an iteration first
stores the steps of the iteration, and learns from replay if a training is due.

A vector environment uses one step to reset a copy whose episode has ended. This step is no transition and is not
stored. It counts as a step if another copy plays in it; it does not count if all copies reset at once.

The loss of a life can end an episode for learning and acting while the game goes on (`HostGame`): it is stored as
terminated, and the network's memory begins anew. Returns and counts of episodes are those of whole games.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxdqn import config_fields
from jaxdqn.action_masks import with_mask
from jaxdqn.config import Config
from jaxdqn.game_interfaces import HostGame
from jaxdqn.training import curves, host_environments, host_evaluate, host_programs, host_rows
from jaxdqn.training.acting import ActorState, initial_memory
from jaxdqn.training.curves import Curves, Sums
from jaxdqn.training.evaluate import Evaluation
from jaxdqn.training.host_programs import ACTING_STEP, NUM_EPISODES, STEP, Programs, Rows
from jaxdqn.training.host_state import ActionHistory, EnvironmentState, HostRun, action_type
from jaxdqn.training.sample_and_learn import RandomNumbers
from jaxdqn.training.state import RunState, with_best

_LEARNED = ("learner", "replay", "diverged_at")  # what learning reads and replaces of a run


def init(
    config: Config,
    seed: int,
    *,
    game: HostGame,
    programs: Programs,
    evaluation: Evaluation,
    num_logged: int = 0,
    asynchronous: bool = False,
) -> HostRun:
    """Returns a run before its first step; all that is random in it follows from the seed.

    Args:
      config: of the run.
      seed: below 2^32.
      game: whose environments are made.
      programs: of this game and a configuration of this structure.
      evaluation: decides how many environments it needs.
      num_logged: how many episodes the log holds.
      asynchronous: whether each environment has a process.

    Raises:
      EnvironmentFailure: an environment raised an error.
    """
    config = jax.device_put(config_fields.to_arrays(config))
    state, drawn = programs.init(config, np.uint32(seed), num_logged)
    state = state._replace(
        step=0,
        actor=None,
        episode_return=np.zeros(config.num_environments, np.float32),
        num_episodes=0,
        learned_at=0,
        log=jax.tree.map(np.array, state.log),  # copies: they are written to
    )
    parts, seeds = host_programs.parts_of(config, game), np.asarray(drawn)
    metrics, chunk_length = curves.metric_names(parts), host_programs.chunk_length(parts)
    environments = host_environments.make(game, config.num_environments, evaluation, asynchronous)
    host = HostRun(parts, metrics, chunk_length, state, *environments, ActionHistory(seeds, bytearray(), ()))
    try:
        return host._replace(state=state._replace(game=_new_episodes(host, seeds, programs)))
    except BaseException:
        close(host)
        raise


def compile(config: Config, *, game: HostGame, programs: Programs, evaluation: Evaluation) -> None:
    """Compiles what runs of this structure call, by calling it once with a run that is thrown away."""
    host = init(config, 0, game=game, programs=programs, evaluation=evaluation)
    config, state = host.parts.config, host.state
    seen = with_mask(state.game.observation, state.game.legal)
    evaluated = jax.tree.map(lambda x: np.repeat(x[:1], evaluation.episodes, axis=0), seen)
    numbers, position = (
        programs.draw(config, state.training_key, np.int32(0)),
        host_programs.position_of(config, state, 1),
    )
    rows, actor = host_rows.empty(config, state.game), state.game.decision.actor
    memory = initial_memory(host.parts.learner.network, evaluation.episodes)
    programs.values(config, state.learner.parameters, evaluated, memory)
    replay, _ = programs.store_and_act(
        config, state.learner.parameters, state.replay, rows, actor, numbers, seen, position
    )
    learning = _on_device(state._replace(replay=replay))
    programs.learn_and_act(config, learning, curves.no_sums(host.metrics), rows, actor, numbers, seen, position)
    close(host)


def advance(host: HostRun, *, game: HostGame, programs: Programs, evaluation: Evaluation) -> tuple[HostRun, Curves]:
    """Returns the run one evaluation period later, and one point of every curve. The run passed in is consumed.

    Where evaluation has taken the environment of training, a new training episode begins.

    A diverged run is not trained further. Its evaluations continue with the parameters of the divergence.

    Raises:
      EnvironmentFailure: an environment raised an error.
    """
    stop, sums = host.state.step + evaluation.every, curves.no_sums(host.metrics)
    if int(host.state.diverged_at) < 0:
        host, sums = _train(host, sums, programs, game, stop)
    state = host.state._replace(step=stop)
    host = host._replace(state=state)
    evaluation_return = jnp.float32(host_evaluate.evaluate(host, programs, evaluation).mean())
    counted = state._replace(step=np.int32(stop), num_episodes=np.int32(state.num_episodes))
    unknown = np.float32(np.nan), np.float32(np.nan)  # a host game does not list its states
    host = host._replace(state=with_best(state, evaluation_return))
    point = curves.point(host.parts, host.metrics, counted, sums, evaluation_return, unknown)
    if evaluation.is_shared(host.parts.config.num_environments):
        seeds = np.random.SeedSequence([*host.history.seeds.tolist(), stop]).generate_state(1)
        host = renewed(host, seeds, programs)
    return host, point


def renewed(host: HostRun, seeds: np.ndarray, programs: Programs) -> HostRun:
    """Returns the run with all its episodes cut short, and new ones that begin here.

    A cut is no end: the values of the last states are bootstrapped, and the episodes are not counted.

    Args:
      host: the run.
      seeds: uint32 `[E]`, of the new episodes.
      programs: of the run.

    Raises:
      EnvironmentFailure: an environment raised an error.
    """
    state = host.state._replace(
        game=_new_episodes(host, seeds, programs),
        episode_return=np.zeros_like(host.state.episode_return),
        replay=host.parts.replay.cut(host.state.replay),
    )
    history = ActionHistory(seeds, bytearray(), (*host.history.renewed_at, state.step))
    return host._replace(state=state, history=history)


def close(host: HostRun) -> None:
    """Closes the environments of a run."""
    host_environments.close(host.environments, host.evaluation_environments)


def _new_episodes(host: HostRun, seeds: np.ndarray, programs: Programs) -> EnvironmentState:
    """Resets the environments. Returns them with the decision on their first observations."""
    config, state = host.parts.config, host.state
    observation, legal = host_environments.reset(host.environments, seeds.tolist())
    iteration = state.step // config.train_every
    place = iteration % host.chunk_length
    numbers = programs.draw(config, state.training_key, np.int32(iteration - place))
    position, seen = host_programs.position_of(config, state, place), with_mask(observation, legal)
    decision = programs.act(config, state.learner.parameters, host.parts.actor, numbers, seen, position)
    return EnvironmentState(observation, decision, np.zeros(len(seeds), bool), legal)


def _train(host: HostRun, sums: Sums, programs: Programs, game: HostGame, stop: int) -> tuple[HostRun, Sums]:
    """Returns the run at step `stop`, and the sums until there."""
    config, state, memory = host.parts.config, host.state, host.parts.replay
    rows, numbers, sum_of_returns = host_rows.empty(config, state.game), None, 0.0
    num_before, can_sample = state.num_episodes, memory.min_rows <= 1
    while state.step < stop:
        iteration = state.step // config.train_every
        place = iteration % host.chunk_length
        if numbers is None or place == 0:
            numbers = programs.draw(config, state.training_key, np.int32(iteration - place))
        state, actor, sum_of_returns = _play(host, state, rows, numbers, place, programs, game, sum_of_returns)
        if not can_sample:
            num_rows = np.asarray(memory.size(state.replay)) + np.count_nonzero(rows.is_valid, axis=0)
            can_sample = num_rows.max() >= memory.min_rows
        state, sums = _end_iteration(config, state, sums, rows, actor, numbers, place, programs, can_sample)
    sums = sums._replace(
        episodes=jnp.int32(state.num_episodes - num_before), episode_return=jnp.float32(sum_of_returns)
    )
    return host._replace(state=state), sums


def _play(
    host: HostRun,
    state: RunState,
    rows: Rows,
    numbers: RandomNumbers,
    iteration: int,
    programs: Programs,
    game: HostGame,
    sum_of_returns: float,
) -> tuple[RunState, ActorState, float]:
    """Plays the steps of an iteration, and writes them into the rows. This runs at every step and is kept short.

    Returns:
      The run, whose decision has been carried out: the call that ends the iteration makes the next one. Then the state
      of acting, and the sum of returns with those of the episodes that ended.
    """
    config, parameters = host.parts.config, state.learner.parameters
    kept_type, position = action_type(game.num_actions), host_programs.position_of(config, state, iteration)
    environment, num_rows, place = state.game, len(rows.is_valid), 0
    while True:
        decision, resetting = environment.decision, environment.resetting
        action = np.asarray(decision.action)
        after = host_environments.step(host.environments, action)
        if not game.saves_state:
            host.history.actions.extend(action.astype(kept_type).tobytes())
        ended = after.terminated | after.truncated
        if np.count_nonzero(resetting) < config.num_environments:
            host_rows.write(rows, place, environment, action, after)
            place += 1
            position[STEP] += config.num_environments
            np.add(state.episode_return, after.reward, out=state.episode_return, casting="same_kind")
            if np.count_nonzero(ended):
                state, returned = _end_episodes(state, int(position[STEP]), after.reward, ended)
                sum_of_returns += returned
                position[NUM_EPISODES] = state.num_episodes
        # A copy that has just been reset, or has lost a life, shows a first observation.
        actor = decision.actor.after_step(resetting if after.life_lost is None else resetting | after.life_lost)
        if place < num_rows:
            position[ACTING_STEP] = place
            seen = with_mask(after.observation, after.legal)
            decision = programs.act(config, parameters, actor, numbers, seen, position)
        environment = EnvironmentState(after.observation, decision, ended, after.legal)
        if place == num_rows:
            return state._replace(step=int(position[STEP]), game=environment), actor, sum_of_returns


def _end_iteration(
    config: Config,
    state: RunState,
    sums: Sums,
    rows: Rows,
    actor: ActorState,
    numbers: RandomNumbers,
    iteration: int,
    programs: Programs,
    can_sample: bool,
) -> tuple[RunState, Sums]:
    """Returns the run with the rows stored and, where that is due, learned from, and with its next decision."""
    seen = with_mask(state.game.observation, state.game.legal)
    acting = rows, actor, numbers, seen, host_programs.position_of(config, state, iteration + 1)
    is_filling = state.step <= config.learning_starts or not can_sample
    is_due = config.train_at == "steps" or rows.step.terminated.any() or rows.step.truncated.any()
    if is_due and not is_filling:
        learned, sums, decision = programs.learn_and_act(config, _on_device(state), sums, *acting)
        changed = {name: getattr(learned, name) for name in _LEARNED} | {"learned_at": state.step}
    else:
        replay, decision = programs.store_and_act(config, state.learner.parameters, state.replay, *acting)
        changed = {"replay": replay, "learned_at": state.step if is_filling else state.learned_at}
    environment = EnvironmentState(state.game.observation, decision, state.game.resetting, state.game.legal)
    return state._replace(**changed, game=environment), sums


def _end_episodes(state: RunState, step: int, reward: np.ndarray, ended: np.ndarray) -> tuple[RunState, float]:
    """Returns the run after episodes ended, and the sum of their returns, as `sample_and_learn.count` does."""
    episode_return, log, num_episodes = state.episode_return, state.log, state.num_episodes
    for e in np.flatnonzero(ended):
        if log is not None and num_episodes < len(log.end_step):
            for kept, value in zip(log, (episode_return[e], reward[e], step), strict=True):
                kept[num_episodes] = value
        num_episodes += 1
    fresh = np.where(ended, np.float32(0.0), episode_return)
    return state._replace(episode_return=fresh, num_episodes=num_episodes), float(episode_return[ended].sum())


def _on_device(state: RunState) -> RunState:
    """Returns the part of a run that learning reads and replaces; None is an empty pytree."""
    nothing: dict[str, Any] = dict.fromkeys(RunState._fields)
    return RunState(**nothing | {name: getattr(state, name) for name in _LEARNED})
