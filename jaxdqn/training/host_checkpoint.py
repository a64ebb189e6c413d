"""Runs on host games as arrays, and back.

Emulators can save their state (`HostGame.saves_state`): a resumed run restores it. Other environments cannot be stored.
There a resumed run resets them with the same seeds and takes the same actions again, which restores deterministic
environments; observations and returns of the episodes are compared with the stored ones. If they differ, or an
environment raises an error, new episodes begin, and the run records the step.
"""

from importlib import metadata

import jax
import numpy as np

from jaxdqn.config import Config
from jaxdqn.game_interfaces import HostGame
from jaxdqn.games.checked_environment import ACTION_MASK
from jaxdqn.training import checkpoint, host_loop
from jaxdqn.training.evaluate import Evaluation
from jaxdqn.training.host_programs import Programs
from jaxdqn.training.host_state import ActionHistory, HostRun, action_type


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
) -> HostRun:
    """Returns the run that was saved; arguments but the first are those of `host_loop.init`.

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
        if _is_restored(host, saved[len(game.packages) :]) if game.saves_state else _is_where_it_was(host, game):
            return host
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


def _is_where_it_was(host: HostRun, game: HostGame) -> bool:
    """Returns whether the environments, given the same seeds and actions again, are in the state of the run."""
    ended = np.zeros(len(host.history.seeds), bool)
    earned = np.zeros(len(ended), np.float32)
    try:
        shown, info = host.environments.reset(seed=host.history.seeds.tolist())
        actions = np.frombuffer(bytes(host.history.actions), action_type(game.num_actions))
        for action in actions.reshape(-1, len(ended)).astype(np.int64):
            shown, reward, terminated, truncated, info = host.environments.step(action)
            np.add(earned, reward, out=earned, casting="same_kind")
            ended = terminated | truncated
            earned[ended] = 0.0
    except Exception:  # the first time, no error was raised
        return False
    before, returned = host.state.game, host.state.episode_return
    now = shown, ended, earned, info.get(ACTION_MASK)
    then = before.observation, before.resetting, returned, before.legal
    # To the bit, and a NaN is itself. The masks of a game without masks are None.
    return [x.tobytes() for x in now if x is not None] == [x.tobytes() for x in then if x is not None]
