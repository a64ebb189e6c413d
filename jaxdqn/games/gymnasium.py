"""Any gymnasium environment with discrete actions as a host game: `gymnasium:ID`, or `gymnasium:MODULE:ID`.

gymnasium makes, vectorises and resets the environment (NEXT_STEP: the step after the end of an episode only resets).
`checked_environment` checks what it returns and brings observations into one form; actions are numbered from 0.
"""

import contextlib
import functools
import importlib
import os
import warnings
from collections.abc import Iterator
from typing import Any

import gymnasium
from gymnasium import spaces

from jaxdqn.game_interfaces import HostGame
from jaxdqn.games import environment_values, environment_vectors
from jaxdqn.games.checked_environment import Checked
from jaxdqn.games.environment_errors import in_one_line
from jaxdqn.spelling import did_you_mean

GYMNASIUM = "gymnasium:"
VERSION = 1


def make(name: str) -> HostGame:
    """Makes the game with a name such as `gymnasium:LunarLander-v3`.

    For your own environment, use `gymnasium:my_module:MyEnv-v0`: importing `my_module` must register `MyEnv-v0`.

    Raises:
      ValueError: the environment does not exist, a dependency is not installed, making it raises an error, its actions
        are not discrete, or its observations have no fixed size. The message is one sentence.
    """
    _find(name)
    with _one_sentence(name):
        single = _make_single(name)
        actions, observations, spec = single.action_space, single.observation_space, single.spec
        modes = (single.metadata or {}).get("render_modes", [])
        single.close()
    if actions is None or observations is None:
        raise ValueError(
            f"{name} has no spaces: set observation_space and action_space where it is made, before reset."
        )
    if not isinstance(actions, spaces.Discrete):
        raise ValueError(
            f"{name} has the action space {actions}: choose an environment whose action space is Discrete."
        )
    if not environment_values.is_supported(observations):
        raise ValueError(
            f"{name} has the observation space {observations}: supported are {environment_values.SUPPORTED}."
        )
    stored = environment_values.stored_space(observations)
    return HostGame(
        name=name,
        version=VERSION,
        make_vector=functools.partial(environment_vectors.make, name, functools.partial(_make_single, name)),
        make_rendered=functools.partial(_make_rendered, name, modes),
        observation_shape=stored.shape,
        observation_dtype=stored.dtype,
        num_actions=int(actions.n),
        max_steps=spec.max_episode_steps if spec is not None else None,
    )


def _make_single(name: str, **options: Any) -> gymnasium.Env[Any, Any]:
    # gymnasium's own checker is for authors of environments and slows down every step.
    return gymnasium.make(name.removeprefix(GYMNASIUM), disable_env_checker=True, **options)


def _make_rendered(name: str, modes: list[str]) -> gymnasium.Env[Any, Any]:
    """Makes one copy that renders frames.

    Raises:
      ValueError: the environment cannot render frames, or making it raises an error.
    """
    if "rgb_array" not in modes:
        raise ValueError(f"{name} cannot render frames: it has the render modes {modes}, and needs rgb_array.")
    os.environ.setdefault("SDL_VIDEODRIVER", "dummy")  # rgb_array frames need no screen
    with _one_sentence(f"{name} with render_mode='rgb_array'"):
        return Checked(_make_single(name, render_mode="rgb_array"))


def _find(name: str) -> None:
    """Imports the module in a name, and checks that the environment is registered under exactly this name.

    gymnasium resolves a name without a version to the latest version, which can change. Names must have a version here.

    Raises:
      ValueError: the module cannot be imported, or the environment is not registered.
    """
    module, separator, environment = name.removeprefix(GYMNASIUM).rpartition(":")
    if separator:
        try:
            importlib.import_module(module)
        except (Exception, SystemExit) as error:  # importing a module can raise any error
            reason = in_one_line(error)
            raise ValueError(f"{name} cannot be made: importing {module!r} raised {reason}.") from error
    try:
        gymnasium.spec(environment)
    except gymnasium.error.Error as error:
        hint = did_you_mean(environment, gymnasium.registry, GYMNASIUM + module + separator)
        raise ValueError(f"gymnasium has no environment for {name!r} ({_first_line(error)}).{hint}") from None


@contextlib.contextmanager
def _one_sentence(name: str) -> Iterator[None]:
    """Converts what making an environment raises into a ValueError of one sentence."""
    with warnings.catch_warnings():
        # The bindings of Box2D and the loader of pygame warn on import.
        warnings.filterwarnings("ignore", message=r".*([Ss]wig|pkg_resources).*", category=DeprecationWarning)
        warnings.filterwarnings("ignore", message=r".*pkg_resources.*", category=UserWarning)
        try:
            yield
        except gymnasium.error.DependencyNotInstalled as error:
            remedy = 'pip install "jaxdqn[box2d]"' if "ox2" in str(error) else "install this dependency"
            raise ValueError(
                f"{name} needs a dependency that is not installed ({_first_line(error)}): {remedy}."
            ) from None
        except ImportError as error:
            raise ValueError(f"{name} cannot be made, because an import failed: {_first_line(error)}.") from None
        except gymnasium.error.Error as error:
            raise ValueError(f"{name} cannot be made: {_first_line(error)}.") from None
        except (Exception, SystemExit) as error:
            raise ValueError(f"{name} cannot be made: {in_one_line(error)}.") from error


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
