"""The loop for host games, which step in Python: `init` a run, then `advance` it one evaluation period at a time.

After each step of the environments there is one compiled call, which chooses the next actions. The call that ends an
iteration also stores the iteration's steps and, where that is due, learns from replay before it chooses.

A vector environment takes one step to reset a copy whose episode has ended. That step is no transition and is not
stored. Where all copies reset at once it is not counted either; where others moved on, it is counted as theirs are.
"""

import contextlib
import traceback
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxdqn import fields
from jaxdqn.config import Config
from jaxdqn.interfaces import HostGame, Network, Step
from jaxdqn.training import host_programs, run
from jaxdqn.training.acting import Acting, beginning_memory
from jaxdqn.training.evaluate import Evaluation
from jaxdqn.training.host_programs import NUM_EPISODES, PLACE, STEP, Decision, Programs, Rows, Turn
from jaxdqn.training.run import CHUNK, Curves, Noise, RunState, Totals

_LEARNED = ("learner", "replay", "diverged_at")  # what learning reads and replaces of a run
LONGEST_EVALUATION = 27_000  # steps after which an episode that will not end is cut; Atari's half hour


class Seat(NamedTuple):
    """Where the environments are, in NumPy.

    Attributes:
      observation: `[E, *observation_shape]`.
      decision: made there and not carried out yet.
      resetting: bool `[E]`, whether the next step of a copy only resets it.
    """

    observation: np.ndarray
    decision: Decision
    resetting: np.ndarray


class Played(NamedTuple):
    """What the environments were told, from which they can be brought to where they are.

    Attributes:
      seeds: uint32 `[E]`, of their last reset by hand.
      actions: the bytes of all actions since, uint16 `[K, E]`; it grows in place.
      renewed_at: the steps at which episodes were cut short and new ones began, since playing the actions again did not
        lead to where the run had been.
    """

    seeds: np.ndarray
    actions: bytearray
    renewed_at: tuple[int, ...]


class HostRun(NamedTuple):
    """A run and its environments.

    Attributes:
      config: with numbers as arrays on the device.
      state: the run; learner, replay and keys on the device, counters and log in NumPy, `game` a `Seat`.
      environments: of training; they step, and carry what cannot be stored.
      evaluation_environments: one for each evaluation episode.
      played: how the environments came to be where they are.
    """

    config: Config
    state: RunState
    environments: Any
    evaluation_environments: Any
    played: Played


class Crash(Exception):
    """An environment raised an error, which is the cause of this one."""

    def text(self) -> str:
        """Returns the environment's own traceback.

        Of an environment in a process of its own, gymnasium raises the error without it, and has it as a variable.
        """
        for frame, _ in traceback.walk_tb(self.__cause__.__traceback__ if self.__cause__ else None):
            if frame.f_code.co_name == "_raise_if_errors" and "trace" in frame.f_locals:
                return str(frame.f_locals["trace"])
        return "".join(traceback.format_exception(self.__cause__))


def init(
    config: Config,
    seed: int,
    *,
    game: HostGame,
    programs: Programs,
    num_evaluated: int,
    num_logged: int = 0,
    asynchronous: bool = False,
) -> HostRun:
    """Returns a run before its first step; all that is random in it follows from the seed.

    Args:
      config: of the run.
      seed: below 2^32.
      game: whose environments are made.
      programs: of this game and a configuration of this structure.
      num_evaluated: episodes of an evaluation.
      num_logged: how many episodes the log holds.
      asynchronous: whether each environment has a process.

    Raises:
      Crash: an environment raised an error.
    """
    config = jax.device_put(fields.to_arrays(config))
    state, drawn = programs.init(config, np.uint32(seed), num_logged)
    made: list[Any] = []
    seeds = np.asarray(drawn)
    try:
        for number in (config.num_environments, num_evaluated):
            made.append(game.make_vector(number, asynchronous=asynchronous))
        environments, evaluation_environments = made
        observation, _ = environments.reset(seed=seeds.tolist())
    except Exception as error:
        _close(*made)
        raise Crash from error
    state = state._replace(
        step=0,
        episode_return=np.zeros(config.num_environments, np.float32),
        num_episodes=0,
        learned_at=0,
        log=jax.tree.map(np.array, state.log),  # copies: they are written to
    )
    noise = programs.draw(config, state.training_key, np.int32(0))
    turn = turn_of(config, state, 0)
    decision = programs.act(config, state.learner.parameters, state.acting, noise, observation, turn)
    seat = Seat(observation, decision, np.zeros(config.num_environments, bool))
    played = Played(seeds, bytearray(), ())
    return HostRun(config, state._replace(game=seat, acting=None), environments, evaluation_environments, played)


def compile(config: Config, *, game: HostGame, programs: Programs, num_evaluated: int) -> None:
    """Compiles what runs of this structure call, by calling it once with a run that is thrown away."""
    host = init(config, 0, game=game, programs=programs, num_evaluated=num_evaluated)
    config, state, observation = host.config, host.state, host.state.game.observation
    noise, turn = programs.draw(config, state.training_key, np.int32(0)), turn_of(host.config, state, 1)
    rows, acting = _empty_rows(config, state.game), state.game.decision.acting
    memory = beginning_memory(_network(config, game), num_evaluated)
    programs.values(config, state.learner.parameters, np.repeat(observation[:1], num_evaluated, axis=0), memory)
    replay, _ = programs.store_and_act(
        config, state.learner.parameters, state.replay, rows, acting, noise, observation, turn
    )
    learning = _on_device(state._replace(replay=replay))
    programs.learn_and_act(config, learning, run.no_totals(), rows, acting, noise, observation, turn)
    close(host)


def advance(host: HostRun, *, game: HostGame, programs: Programs, evaluation: Evaluation) -> tuple[HostRun, Curves]:
    """Returns the run one evaluation period later, and one point of every curve. The run passed in is consumed.

    A run that has diverged is not trained any more; its evaluation goes on scoring the parameters it diverged with.

    Raises:
      Crash: an environment raised an error.
    """
    stop, totals = host.state.step + evaluation.every, run.no_totals()
    if int(host.state.diverged_at) < 0:
        host, totals = _train(host, programs, game, stop)
    state = host.state._replace(step=stop)
    host = host._replace(state=state)
    returns = _evaluate(host, programs, game, evaluation)
    counted = state._replace(step=np.int32(stop), num_episodes=np.int32(state.num_episodes))
    unknown = np.float32(np.nan), np.float32(np.nan)  # a host game does not list its states
    return host, run.curves(host_programs.parts_of(host.config, game), counted, totals, returns.mean(), unknown)


def close(host: HostRun) -> None:
    """Closes the environments of a run."""
    _close(host.environments, host.evaluation_environments)


def _close(*vectors: Any) -> None:
    for environments in vectors:
        with contextlib.suppress(Exception):  # what has failed may fail to close as well
            environments.close(timeout=5)  # s; a copy whose process has died never answers


def _train(host: HostRun, programs: Programs, game: HostGame, stop: int) -> tuple[HostRun, Totals]:
    """Returns the run at step `stop`, and what it summed up to. What happens at every step is kept short."""
    config, state, environments = host.config, host.state, host.environments
    observation, decision, resetting = state.game
    action = np.asarray(decision.action)
    rows, totals, noise = _empty_rows(config, state.game), run.no_totals(), None
    num_rows, num_before, sum_of_returns = len(rows.is_valid), state.num_episodes, 0.0
    played, memory = host.played.actions, host_programs.parts_of(config, game).replay
    can_sample = memory.min_rows <= 1
    while state.step < stop:
        iteration = state.step // config.train_every
        first = iteration // CHUNK * CHUNK
        if noise is None or iteration == first:
            noise = programs.draw(config, state.training_key, np.int32(first))
        turn, place = turn_of(config, state, iteration - first), 0
        while place < num_rows:
            try:
                s_t, reward, terminated, truncated, _ = environments.step(action)
            except Exception as error:
                raise Crash from error
            played += action.astype(np.uint16).tobytes()
            ended = terminated | truncated
            if np.count_nonzero(resetting) < config.num_environments:
                taken: Any = (observation, action, reward, terminated, truncated, s_t, decision.memory, None)
                for kept, value in zip(rows.step, taken, strict=True):
                    if kept is not None:
                        kept[place] = value
                rows.is_valid[place] = ~resetting
                place += 1
                turn[STEP] += config.num_environments
                np.add(state.episode_return, reward, out=state.episode_return, casting="same_kind")
                if np.count_nonzero(ended):
                    state, returned = _end_episodes(state, int(turn[STEP]), reward, ended)
                    sum_of_returns += returned
                    turn[NUM_EPISODES] = state.num_episodes
            acting = decision.acting.after_step(resetting)  # a copy that has just been reset shows a first observation
            observation, resetting = s_t, ended
            if place < num_rows:
                turn[PLACE] = place
                decision = programs.act(config, state.learner.parameters, acting, noise, observation, turn)
                action = np.asarray(decision.action)
        state = state._replace(step=int(turn[STEP]))
        if not can_sample:
            num_rows_of = np.asarray(memory.size(state.replay)) + np.count_nonzero(rows.is_valid, axis=0)
            can_sample = num_rows_of.max() >= memory.min_rows
        state, totals, decision = _end_iteration(
            programs, config, state, totals, rows, acting, noise, observation, iteration - first, can_sample
        )
        action = np.asarray(decision.action)
    totals = totals._replace(
        episodes=jnp.int32(state.num_episodes - num_before), episode_return=jnp.float32(sum_of_returns)
    )
    return host._replace(state=state._replace(game=Seat(observation, decision, resetting))), totals


def _end_iteration(
    programs: Programs,
    config: Config,
    state: RunState,
    totals: Totals,
    rows: Rows,
    acting: Acting,
    noise: Noise,
    observation: np.ndarray,
    iteration: int,
    can_sample: bool,
) -> tuple[RunState, Totals, Decision]:
    """Returns the run with the rows stored and, where that is due, learned from, and the next decision."""
    turn = turn_of(config, state, iteration + 1)
    is_filling = state.step <= config.learning_starts or not can_sample
    is_due = config.train_at == "steps" or rows.step.terminated.any() or rows.step.truncated.any()
    if is_due and not is_filling:
        learned, totals, decision = programs.learn_and_act(
            config, _on_device(state), totals, rows, acting, noise, observation, turn
        )
        changed = {name: getattr(learned, name) for name in _LEARNED}
        return state._replace(**changed, learned_at=state.step), totals, decision
    replay, decision = programs.store_and_act(
        config, state.learner.parameters, state.replay, rows, acting, noise, observation, turn
    )
    state = state._replace(replay=replay, learned_at=state.step if is_filling else state.learned_at)
    return state, totals, decision


def _end_episodes(state: RunState, step: int, reward: np.ndarray, ended: np.ndarray) -> tuple[RunState, float]:
    """Returns the run after episodes ended at a step, and the sum of what they returned; as `run.count` has it."""
    episode_return, log, num_episodes = state.episode_return, state.log, state.num_episodes
    for e in np.flatnonzero(ended):
        if log is not None and num_episodes < len(log.end_step):
            for kept, value in zip(log, (episode_return[e], reward[e], step), strict=True):
                kept[num_episodes] = value
        num_episodes += 1
    fresh = np.where(ended, np.float32(0.0), episode_return)
    return state._replace(episode_return=fresh, num_episodes=num_episodes), float(episode_return[ended].sum())


def _empty_rows(config: Config, seat: Seat) -> Rows:
    """Returns rows for one iteration, for observations of the type and memories of the size that are found there."""
    shape = (config.train_every // config.num_environments, config.num_environments)
    observations = np.zeros((*shape, *seat.observation.shape[1:]), seat.observation.dtype)
    rewards, flags, memory = np.zeros(shape, np.float32), np.zeros(shape, bool), seat.decision.memory
    memories = None if memory is None else np.zeros((*shape, memory.shape[-1]), np.float32)
    kept: Any = (observations, np.zeros(shape, np.int32), rewards, flags, flags.copy(), observations.copy(), memories)
    return Rows(Step(*kept), flags.copy())


def _on_device(state: RunState) -> RunState:
    """Returns the part of a run that learning reads and replaces; None is an empty pytree."""
    nothing: dict[str, Any] = dict.fromkeys(RunState._fields)
    return RunState(**nothing | {name: getattr(state, name) for name in _LEARNED})


def turn_of(config: Config, state: RunState, iteration: int) -> np.ndarray:
    """Returns the `Turn` of a call that acts in an iteration, counted from the first of its chunk.

    What it learns from is the iteration before; of the first in a chunk there is none, and nothing is learned there.
    """
    turn = Turn(
        step=state.step,
        num_episodes=state.num_episodes,
        learned_at=state.learned_at,
        learns_from=iteration - 1,
        acts_in=iteration,
        place=0,
        is_random=state.step < config.learning_starts,
    )
    return np.array(turn, np.int32)


def _evaluate(host: HostRun, programs: Programs, game: HostGame, evaluation: Evaluation) -> np.ndarray:
    """Returns the undiscounted returns of whole episodes, float64 `[evaluation.episodes]`.

    All episodes run side by side until the last one ends; an ended episode earns nothing more.
    """
    environments, parameters = host.evaluation_environments, host.state.learner.parameters
    key = jax.random.fold_in(host.state.evaluation_key, host.state.step)
    number = evaluation.episodes
    chance_seed, *seeds = np.asarray(jax.random.bits(key, (number + 1,))).tolist()
    chance = np.random.default_rng(chance_seed)
    returns, ended = np.zeros(number), np.zeros(number, bool)
    memory = beginning_memory(_network(host.config, game), number)
    try:
        observation, _ = environments.reset(seed=seeds)
    except Exception as error:
        raise Crash from error
    for _ in range(LONGEST_EVALUATION):
        answer, memory = programs.values(host.config, parameters, observation, memory)
        q_values = np.asarray(answer)
        random_action = chance.integers(q_values.shape[-1], size=number)
        action = np.where(chance.random(number) < evaluation.epsilon, random_action, q_values.argmax(-1))
        try:
            observation, reward, terminated, truncated, _ = environments.step(action)
        except Exception as error:
            raise Crash from error
        returns += np.where(ended, 0.0, reward)
        ended |= terminated | truncated
        if ended.all():
            break
    return returns


def _network(config: Config, game: HostGame) -> Network:
    """Returns the network of a configuration."""
    return config.network.make(game.observation_shape, game.num_actions)
