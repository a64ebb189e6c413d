"""Runs on host games as arrays, and back.

Environments in Python cannot be stored. A resumed run resets them with the same seeds and takes the same actions again.
This restores deterministic environments; observations and returns of the episodes are compared with the stored ones. If
they differ, or an environment raises an error, new episodes begin, and the run records the step.
"""

from typing import Any

import jax
import numpy as np

from jaxdqn.config import Config
from jaxdqn.game_interfaces import HostGame
from jaxdqn.replay import ring
from jaxdqn.training import checkpoint, host_loop, host_programs
from jaxdqn.training.host_programs import Programs
from jaxdqn.training.host_state import ActionHistory, Crash, EnvironmentState, HostRun


def save(host: HostRun) -> list[np.ndarray]:
    """Returns a run as arrays: its state, then seeds, actions `[K · E]`, and the steps at which episodes were cut."""
    seeds, actions, renewed_at = host.history
    return [
        *checkpoint.leaves(host.state),
        seeds,
        np.frombuffer(bytes(actions), np.uint16),
        np.array(renewed_at, np.int64),
    ]


def load(
    arrays: list[np.ndarray],
    config: Config,
    seed: int,
    *,
    game: HostGame,
    programs: Programs,
    num_evaluated: int,
    num_logged: int = 0,
    asynchronous: bool = False,
) -> HostRun:
    """Returns the run that was saved; arguments but the first are those of `host_loop.init`.

    Raises:
      checkpoint.Unusable: if the arrays are not those of such a run.
      Crash: an environment raised an error.
    """
    host = host_loop.init(
        config,
        seed,
        game=game,
        programs=programs,
        num_evaluated=num_evaluated,
        num_logged=num_logged,
        asynchronous=asynchronous,
    )
    try:
        *values, seeds, actions, renewed_at = arrays
        state = checkpoint.like_before(values, host.state)
        history = ActionHistory(seeds, bytearray(actions.tobytes()), tuple(renewed_at.tolist()))
        state = state._replace(
            **{name: int(getattr(state, name)) for name in ("step", "num_episodes", "learned_at")},
            **{name: jax.device_put(getattr(state, name)) for name in ("learner", "replay", "diverged_at")},
            log=jax.tree.map(np.array, state.log),
            episode_return=np.array(state.episode_return),
        )
        host = host._replace(state=state, history=history)
        if _is_where_it_was(host):
            return host
        return _renewed(host, seed, game, programs)
    except BaseException:
        host_loop.close(host)
        raise


def _is_where_it_was(host: HostRun) -> bool:
    """Returns whether the environments, given the same seeds and actions again, are in the state of the run."""
    ended = np.zeros(len(host.history.seeds), bool)
    earned = np.zeros(len(ended), np.float32)
    try:
        shown, _ = host.environments.reset(seed=host.history.seeds.tolist())
        for action in np.frombuffer(bytes(host.history.actions), np.uint16).reshape(-1, len(ended)).astype(np.int32):
            shown, reward, terminated, truncated, _ = host.environments.step(action)
            np.add(earned, reward, out=earned, casting="same_kind")
            ended = terminated | truncated
            earned[ended] = 0.0
    except Exception:  # the first time, no error was raised
        return False
    before, returned = host.state.game, host.state.episode_return
    pairs = ((shown, before.observation), (ended, before.resetting), (earned, returned))
    return all(now.tobytes() == then.tobytes() for now, then in pairs)  # to the bit, and a NaN is itself


def _renewed(host: HostRun, seed: int, game: HostGame, programs: Programs) -> HostRun:
    """Returns the run with all its episodes cut short, and new ones that begin here."""
    config, state, step = host.config, host.state, host.state.step
    seeds = np.random.SeedSequence([seed, step]).generate_state(len(host.history.seeds))
    try:
        observation, _ = host.environments.reset(seed=seeds.tolist())
    except Exception as error:
        raise Crash from error
    actor = host_programs.parts_of(config, game).actor
    iteration, chunk_length = step // config.train_every, host_programs.chunk_length(config, game)
    first = iteration // chunk_length * chunk_length
    numbers = programs.draw(config, state.training_key, np.int32(first))
    position = host_loop.position_of(config, state, iteration - first)
    decision = programs.act(config, state.learner.parameters, actor, numbers, observation, position)
    environment = EnvironmentState(observation, decision, np.zeros(len(seeds), bool))
    state = state._replace(
        game=environment, episode_return=np.zeros_like(state.episode_return), replay=_cut(state.replay, config, game)
    )
    history = ActionHistory(seeds, bytearray(), (*host.history.renewed_at, step))
    return host._replace(state=state, history=history)


def _cut(replay: Any, config: Config, game: HostGame) -> Any:
    """Returns the replay memory, cut so that no transition or sequence joins stored steps with later steps."""
    example = host_programs.parts_of(config, game).example
    return jax.tree.map(
        lambda leaf: ring.cut(leaf, example) if isinstance(leaf, ring.RingState) else leaf,
        replay,
        is_leaf=lambda leaf: isinstance(leaf, ring.RingState),
    )
