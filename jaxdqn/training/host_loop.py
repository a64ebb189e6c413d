"""The loop for host games, which step in Python: `init` makes a run, `advance` trains it for one evaluation period.

After each step of the environments, one compiled call chooses the next actions. The last call of an iteration first
stores the steps of the iteration, and learns from replay if a training is due.

A vector environment uses one step to reset a copy whose episode has ended. This step is no transition and is not
stored. It counts as a step if another copy plays in it; it does not count if all copies reset at once.

The loss of a life can end an episode for learning and acting while the game goes on (`HostGame`): it is stored as
terminated, and the network's memory begins anew. Returns and counts of episodes are those of whole games.
"""

import contextlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxdqn import config_fields
from jaxdqn.action_masks import with_mask
from jaxdqn.config import Config
from jaxdqn.game_interfaces import HostGame
from jaxdqn.games.checked_environment import ACTION_MASK
from jaxdqn.interfaces import Step
from jaxdqn.spelling import counted
from jaxdqn.training import curves, host_evaluate, host_programs
from jaxdqn.training.acting import ActorState, initial_memory
from jaxdqn.training.curves import Curves, Sums
from jaxdqn.training.evaluate import Evaluation
from jaxdqn.training.host_programs import ACTING_STEP, NUM_EPISODES, STEP, Decision, Position, Programs, Rows
from jaxdqn.training.host_state import ActionHistory, EnvironmentFailure, EnvironmentState, HostRun, action_type
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
    parts = host_programs.parts_of(config, game)
    seeds = np.asarray(drawn)
    try:
        environments, evaluation_environments = _make(game, config.num_environments, evaluation, asynchronous)
    except BaseException as error:  # also SystemExit
        raise EnvironmentFailure from error
    try:
        observation, info = environments.reset(seed=seeds.tolist())
    except BaseException as error:
        _close(environments, evaluation_environments)
        raise EnvironmentFailure from error
    state = state._replace(
        step=0,
        episode_return=np.zeros(config.num_environments, np.float32),
        num_episodes=0,
        learned_at=0,
        log=jax.tree.map(np.array, state.log),  # copies: they are written to
    )
    numbers = programs.draw(config, state.training_key, np.int32(0))
    position = position_of(config, state, 0)
    legal = info.get(ACTION_MASK)
    seen = with_mask(observation, legal)
    decision = programs.act(config, state.learner.parameters, state.actor, numbers, seen, position)
    environment = EnvironmentState(observation, decision, np.zeros(config.num_environments, bool), legal)
    state, history = state._replace(game=environment, actor=None), ActionHistory(seeds, bytearray(), ())
    metrics, chunk_length = curves.metric_names(parts), host_programs.chunk_length(parts)
    return HostRun(parts, metrics, chunk_length, state, environments, evaluation_environments, history)


def compile(config: Config, *, game: HostGame, programs: Programs, evaluation: Evaluation) -> None:
    """Compiles what runs of this structure call, by calling it once with a run that is thrown away."""
    host = init(config, 0, game=game, programs=programs, evaluation=evaluation)
    config, state = host.parts.config, host.state
    seen = with_mask(state.game.observation, state.game.legal)
    evaluated = jax.tree.map(lambda x: np.repeat(x[:1], evaluation.episodes, axis=0), seen)
    numbers, position = programs.draw(config, state.training_key, np.int32(0)), position_of(config, state, 1)
    rows, actor = _empty_rows(config, state.game), state.game.decision.actor
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
    config, state, step = host.parts.config, host.state, host.state.step
    try:
        observation, info = host.environments.reset(seed=seeds.tolist())
    except BaseException as error:  # also SystemExit
        raise EnvironmentFailure from error
    parts, iteration = host.parts, step // config.train_every
    first = iteration // host.chunk_length * host.chunk_length
    numbers = programs.draw(config, state.training_key, np.int32(first))
    position = position_of(config, state, iteration - first)
    legal = info.get(ACTION_MASK)
    seen = with_mask(observation, legal)
    decision = programs.act(config, state.learner.parameters, parts.actor, numbers, seen, position)
    environment = EnvironmentState(observation, decision, np.zeros(len(seeds), bool), legal)
    state = state._replace(
        game=environment, episode_return=np.zeros_like(state.episode_return), replay=parts.replay.cut(state.replay)
    )
    history = ActionHistory(seeds, bytearray(), (*host.history.renewed_at, step))
    return host._replace(state=state, history=history)


def close(host: HostRun) -> None:
    """Closes the environments of a run."""
    _close(host.environments, host.evaluation_environments)


def _make(game: HostGame, number: int, evaluation: Evaluation, asynchronous: bool) -> tuple[Any, Any]:
    """Returns the environments of training and of evaluation, which may be the same."""
    environments = game.make_vector(number, asynchronous=asynchronous)
    if evaluation.is_shared(number):
        return environments, environments
    try:
        return environments, game.make_vector(evaluation.num_environments, asynchronous=asynchronous)
    except Exception as error:
        _close(environments)
        raise ValueError(
            f"evaluation needs {counted(evaluation.num_environments, 'environment')} beside the {number} of training "
            f"({str(error).rstrip('.')}): "
            "lower evaluation.environments, or set it and num_environments to 1 to have one environment in all"
        ) from error


def _close(*vectors: Any) -> None:
    for environments in vectors:
        with contextlib.suppress(Exception):  # what has failed may fail to close as well
            environments.close(timeout=5)  # s; a copy whose process has died never answers


def _train(host: HostRun, sums: Sums, programs: Programs, game: HostGame, stop: int) -> tuple[HostRun, Sums]:
    """Returns the run at step `stop`, and the sums until there. What happens at every step is kept short."""
    config, state, environments = host.parts.config, host.state, host.environments
    observation, decision, resetting, legal = state.game
    action = np.asarray(decision.action)
    rows, numbers = _empty_rows(config, state.game), None
    num_rows, num_before, sum_of_returns = len(rows.is_valid), state.num_episodes, 0.0
    actions, memory, chunk_length = host.history.actions, host.parts.replay, host.chunk_length
    kept_type = action_type(game.num_actions)
    can_sample, no_lives_lost = memory.min_rows <= 1, np.zeros_like(resetting)
    while state.step < stop:
        iteration = state.step // config.train_every
        first = iteration // chunk_length * chunk_length
        if numbers is None or iteration == first:
            numbers = programs.draw(config, state.training_key, np.int32(first))
        position, place = position_of(config, state, iteration - first), 0
        while place < num_rows:
            try:
                s_t, reward, terminated, truncated, info = environments.step(action)
            except BaseException as error:  # also SystemExit
                raise EnvironmentFailure from error
            if not game.saves_state:
                actions += action.astype(kept_type).tobytes()
            ended, life_lost = terminated | truncated, info.get("life_lost", no_lives_lost)
            legal_t = info.get(ACTION_MASK)
            if np.count_nonzero(resetting) < config.num_environments:
                is_last = terminated | life_lost
                taken: Any = (
                    observation,
                    action,
                    reward,
                    is_last,
                    truncated,
                    s_t,
                    decision.memory,
                    None,
                    legal,
                    legal_t,
                )
                for kept, value in zip(rows.step, taken, strict=True):
                    if kept is not None:
                        kept[place] = value
                rows.is_valid[place] = ~resetting
                place += 1
                position[STEP] += config.num_environments
                np.add(state.episode_return, reward, out=state.episode_return, casting="same_kind")
                if np.count_nonzero(ended):
                    state, returned = _end_episodes(state, int(position[STEP]), reward, ended)
                    sum_of_returns += returned
                    position[NUM_EPISODES] = state.num_episodes
            # A copy that has just been reset, or has lost a life, shows a first observation.
            actor = decision.actor.after_step(resetting | life_lost)
            observation, resetting, legal = s_t, ended, legal_t
            seen = with_mask(observation, legal)
            if place < num_rows:
                position[ACTING_STEP] = place
                decision = programs.act(config, state.learner.parameters, actor, numbers, seen, position)
                action = np.asarray(decision.action)
        state = state._replace(step=int(position[STEP]))
        if not can_sample:
            num_rows_of = np.asarray(memory.size(state.replay)) + np.count_nonzero(rows.is_valid, axis=0)
            can_sample = num_rows_of.max() >= memory.min_rows
        state, sums, decision = _end_iteration(
            programs, config, state, sums, rows, actor, numbers, seen, iteration - first, can_sample
        )
        action = np.asarray(decision.action)
    sums = sums._replace(
        episodes=jnp.int32(state.num_episodes - num_before), episode_return=jnp.float32(sum_of_returns)
    )
    environment = EnvironmentState(observation, decision, resetting, legal)
    return host._replace(state=state._replace(game=environment)), sums


def _end_iteration(
    programs: Programs,
    config: Config,
    state: RunState,
    sums: Sums,
    rows: Rows,
    actor: ActorState,
    numbers: RandomNumbers,
    seen: Any,
    iteration: int,
    can_sample: bool,
) -> tuple[RunState, Sums, Decision]:
    """Returns the run with the rows stored and, where that is due, learned from, and the next decision."""
    position = position_of(config, state, iteration + 1)
    is_filling = state.step <= config.learning_starts or not can_sample
    is_due = config.train_at == "steps" or rows.step.terminated.any() or rows.step.truncated.any()
    if is_due and not is_filling:
        learned, sums, decision = programs.learn_and_act(
            config, _on_device(state), sums, rows, actor, numbers, seen, position
        )
        changed = {name: getattr(learned, name) for name in _LEARNED}
        return state._replace(**changed, learned_at=state.step), sums, decision
    replay, decision = programs.store_and_act(
        config, state.learner.parameters, state.replay, rows, actor, numbers, seen, position
    )
    state = state._replace(replay=replay, learned_at=state.step if is_filling else state.learned_at)
    return state, sums, decision


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


def _empty_rows(config: Config, environment: EnvironmentState) -> Rows:
    """Returns rows for one iteration, for observations of the type and memories of the size that are found there."""
    shape = (config.train_every // config.num_environments, config.num_environments)
    observations = np.zeros((*shape, *environment.observation.shape[1:]), environment.observation.dtype)
    rewards, flags, memory = np.zeros(shape, np.float32), np.zeros(shape, bool), environment.decision.memory
    memories = None if memory is None else np.zeros((*shape, memory.shape[-1]), np.float32)
    kept: Any = (observations, np.zeros(shape, np.int32), rewards, flags, flags.copy(), observations.copy(), memories)
    masks: Any = {}
    if environment.legal is not None:
        masks = {name: np.zeros((*shape, environment.legal.shape[-1]), bool) for name in ("legal_tm1", "legal_t")}
    return Rows(Step(*kept, **masks), flags.copy())


def _on_device(state: RunState) -> RunState:
    """Returns the part of a run that learning reads and replaces; None is an empty pytree."""
    nothing: dict[str, Any] = dict.fromkeys(RunState._fields)
    return RunState(**nothing | {name: getattr(state, name) for name in _LEARNED})


def position_of(config: Config, state: RunState, iteration: int) -> np.ndarray:
    """Returns the `Position` of a call that acts in an iteration, counted from the first of its chunk.

    It learns from the iteration before. The first of a chunk has none before it, and learns nothing.
    """
    position = Position(
        step=state.step,
        num_episodes=state.num_episodes,
        learned_at=state.learned_at,
        learning_row=iteration - 1,
        acting_row=iteration,
        acting_step=0,
        is_random=state.step < config.learning_starts,
    )
    return np.array(position, np.int32)
