"""Runs on host games as arrays, and back.

Some environments can save their state (`HostGame.saves_state`): a resumed run restores it. Others cannot be stored.
There a resumed run resets them with the same seeds and takes the same actions again, which restores deterministic
environments; observations and returns of the episodes are compared with the stored ones. If they differ, if this takes
too long, or if an environment raises an error, new episodes begin, and the run records the step.
"""

import time
from collections.abc import Callable, Iterator
from importlib import metadata
from typing import NamedTuple

import jax
import numpy as np

from jaxdqn.config import Config
from jaxdqn.game_interfaces import HostGame
from jaxdqn.games.checked_environment import ACTION_MASK
from jaxdqn.training import checkpoint, host_loop
from jaxdqn.training.evaluate import Evaluation
from jaxdqn.training.host_programs import Programs
from jaxdqn.training.host_state import ActionHistory, HostRun, action_type

_SILENT_SECONDS, _SECONDS_BETWEEN_NOTES = 2.0, 30.0
_CLEARLY = 1.25  # expected time over allowed time, from which on taking actions again is given up


class Restoring(NamedTuple):
    """How a resumed run brings its environments to the same state.

    Attributes:
      seconds: for which it may take earlier actions again.
      note: called with a sentence on the progress.
    """

    seconds: float = float("inf")
    note: Callable[[str], None] = lambda text: None


UNLIMITED = Restoring()


def save(host: HostRun, game: HostGame) -> list[np.ndarray]:
    """Returns a run as arrays.

    They are its state, the seeds, actions `[K · E]`, and the steps at which episodes were cut; then the version of each
    package of the game, and the state of each environment if the game saves it, uint8.
    """
    seeds, actions, renewed_at = host.history
    states = host.environments.get_attr("saved_state") if game.saves_state else ()
    return [
        *checkpoint.leaves(host.state),
        seeds,
        np.frombuffer(bytes(actions), action_type(game.num_actions)),
        np.array(renewed_at, np.int64),
        *(np.frombuffer(one, np.uint8) for one in (*_versions(game), *states)),
    ]


def load(
    arrays: list[np.ndarray],
    config: Config,
    seed: int,
    *,
    game: HostGame,
    programs: Programs,
    evaluation: Evaluation,
    num_logged: int = 0,
    asynchronous: bool = False,
    restoring: Restoring = UNLIMITED,
) -> HostRun:
    """Returns the run that was saved; arguments but the first and the last are those of `host_loop.init`.

    Raises:
      checkpoint.Unusable: if the arrays are not those of such a run, or were made with other packages of the game.
      EnvironmentFailure: an environment raised an error.
    """
    host = host_loop.init(
        config,
        seed,
        game=game,
        programs=programs,
        evaluation=evaluation,
        num_logged=num_logged,
        asynchronous=asynchronous,
    )
    try:
        num_states = config.num_environments if game.saves_state else 0
        num_bytes = len(game.packages) + num_states
        *values, seeds, actions, renewed_at = arrays[: len(arrays) - num_bytes]
        saved = [array.tobytes() for array in arrays[len(arrays) - num_bytes :]]
        if saved[: len(game.packages)] != _versions(game):
            raise checkpoint.Unusable(f"it was made with other versions of {', '.join(game.packages)}")
        state = checkpoint.like_before(values, host.state)
        history = ActionHistory(seeds, bytearray(actions.tobytes()), tuple(renewed_at.tolist()))
        state = state._replace(
            **{name: int(getattr(state, name)) for name in ("step", "num_episodes", "learned_at")},
            **{name: jax.device_put(getattr(state, name)) for name in ("learner", "replay", "diverged_at")},
            log=jax.tree.map(np.array, state.log),
            episode_return=np.array(state.episode_return),
        )
        host = host._replace(state=state, history=history)
        states, about = saved[len(game.packages) :], f"{game.name}, seed {seed}"
        if _is_restored(host, states) if game.saves_state else _is_where_it_was(host, game, restoring, about):
            return host
        restoring.note(f"{about}: new episodes begin at step {state.step:,}; the environments are not where they were")
        seeds = np.random.SeedSequence([seed, host.state.step]).generate_state(config.num_environments)
        return host_loop.renewed(host, seeds, programs)
    except BaseException:
        host_loop.close(host)
        raise


def _versions(game: HostGame) -> list[bytes]:
    return [f"{package} {metadata.version(package)}".encode() for package in game.packages]


def _is_restored(host: HostRun, states: list[bytes]) -> bool:
    """Sets the states of the environments, and returns whether they are as they were."""
    try:
        host.environments.set_attr("saved_state", states)
        return list(host.environments.get_attr("saved_state")) == states
    except Exception:  # the states are damaged
        return False


def _is_where_it_was(host: HostRun, game: HostGame, restoring: Restoring, about: str) -> bool:
    """Returns whether the environments, given the same seeds and actions again, are in the state of the run."""
    ended = np.zeros(len(host.history.seeds), bool)
    earned = np.zeros(len(ended), np.float32)
    try:
        shown, info = host.environments.reset(seed=host.history.seeds.tolist())
        actions = np.frombuffer(bytes(host.history.actions), action_type(game.num_actions))
        for action in _in_time(actions.reshape(-1, len(ended)).astype(np.int64), restoring, about):
            shown, reward, terminated, truncated, info = host.environments.step(action)
            np.add(earned, reward, out=earned, casting="same_kind")
            ended = terminated | truncated
            earned[ended] = 0.0
    except Exception:  # it takes too long, or an error is raised that was not raised the first time
        return False
    before, returned = host.state.game, host.state.episode_return
    now = shown, ended, earned, info.get(ACTION_MASK)
    then = before.observation, before.resetting, returned, before.legal
    # To the bit, and a NaN is itself. The masks of a game without masks are None.
    return [x.tobytes() for x in now if x is not None] == [x.tobytes() for x in then if x is not None]


def _in_time(actions: np.ndarray, restoring: Restoring, about: str) -> Iterator[np.ndarray]:
    """Yields the actions `[K, E]` one by one, and tells how far it is.

    Raises:
      TimeoutError: `restoring.seconds` have passed, or will clearly not be enough at the present speed.
    """
    started = time.monotonic()
    note_at = started + min(_SILENT_SECONDS, restoring.seconds)
    for number, action in enumerate(actions):
        if (now := time.monotonic()) > note_at:
            done = f"{number:,} of {len(actions):,} earlier steps are taken again in {now - started:.0f} s"
            restoring.note(f"{about}: {done}, of at most {restoring.seconds:.0f} s")
            # The expected time is that of all steps at the present speed.
            is_too_slow = (now - started) * len(actions) > _CLEARLY * restoring.seconds * number
            if is_too_slow or now > started + restoring.seconds:
                raise TimeoutError
            note_at = min(now + _SECONDS_BETWEEN_NOTES, started + restoring.seconds)
        yield action
