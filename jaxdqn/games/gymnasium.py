"""Any gymnasium environment with discrete actions as a host game: `gymnasium:ID`, or `gymnasium:MODULE:ID`.

`jaxdqn.games.names` describes names with arguments and wrappers of the user. These wrappers are around the environment
that gymnasium makes, and inside those of this module.

gymnasium makes, vectorises and resets the environment (NEXT_STEP: the step after the end of an episode only resets).
This module converts observations and actions into one form:

- `Box` observations stay as they are, except that 64-bit numbers become 32-bit numbers.
- `Discrete` observations become one-hot vectors.
- Other spaces that gymnasium can flatten become vectors: float32, or an integer type if all parts are integers below 32
  bits.
- Actions are numbered from 0; so are the combinations of several discrete actions (`jaxdqn.games.action_spaces`).
"""

import contextlib
import functools
import os
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces, wrappers
from gymnasium.vector import AutoresetMode, VectorEnv

from jaxdqn import user_modules
from jaxdqn.game_interfaces import HostGame
from jaxdqn.games import action_spaces, names
from jaxdqn.games.names import GYMNASIUM, EnvironmentName
from jaxdqn.spelling import did_you_mean

VERSION = 1
_IN_32_BITS: dict[str, Any] = {"float64": np.float32, "int64": np.int32, "uint64": np.uint32}  # as JAX does by default
_SUPPORTED = "Box, Discrete, MultiDiscrete, MultiBinary, and Dict or Tuple of these"


def make(name: str) -> HostGame:
    """Makes the game with a name such as `gymnasium:LunarLander-v3` or `gymnasium:FrozenLake-v1?is_slippery=False`.

    For your own environment, use `gymnasium:my_module:MyEnv-v0`: importing `my_module` must register `MyEnv-v0`.

    Raises:
      ValueError: the name is malformed, the environment or a wrapper does not exist, a dependency is not installed, its
        actions are not discrete, or its observations have no fixed size. The message is one sentence.
    """
    parts = names.parse(name)
    name = names.spelled(parts)
    with _one_sentence(name):
        _find(name, parts.environment)
        wrap: list[Callable[..., Any]] = [user_modules.part(wrapper) for wrapper in parts.wrappers]
        single = _wrapped(gymnasium.make(parts.environment, **parts.arguments), wrap)
    try:
        ours = _wrappers(name, single)
        wrapped = _wrapped(single, ours)
    finally:
        single.close()
    observations, actions, spec = wrapped.observation_space, wrapped.action_space, single.spec
    assert isinstance(observations, spaces.Box)
    assert isinstance(actions, spaces.Discrete)
    return HostGame(
        name=name,
        version=VERSION,
        make_vector=functools.partial(_make_vector, parts, [*wrap, *ours]),
        make_rendered=functools.partial(_make_rendered, parts, [*wrap, *ours], single.metadata.get("render_modes", [])),
        observation_shape=observations.shape,
        observation_dtype=observations.dtype,
        num_actions=int(actions.n),
        max_steps=spec.max_episode_steps if spec is not None else None,
    )


def _make_vector(
    parts: EnvironmentName, wrap: list[Callable[..., Any]], num_environments: int, asynchronous: bool = False
) -> VectorEnv:
    """Makes a vector of copies of the environment; `asynchronous` runs each copy in a process of its own."""
    options: dict[str, Any] = {"autoreset_mode": AutoresetMode.NEXT_STEP}
    if asynchronous:
        options["context"] = "forkserver"  # a fork of a process in which JAX has started can hang
    with _one_sentence(names.spelled(parts)):
        return gymnasium.make_vec(
            parts.environment,
            num_environments,
            vectorization_mode="async" if asynchronous else "sync",
            vector_kwargs=options,
            wrappers=wrap,
            disable_env_checker=True,  # the checker is for authors of environments and slows down every step
            **parts.arguments,
        )


def _make_rendered(parts: EnvironmentName, wrap: list[Callable[..., Any]], modes: list[str]) -> gymnasium.Env[Any, Any]:
    """Makes one copy that renders frames.

    Raises:
      ValueError: the environment cannot render frames.
    """
    name = names.spelled(parts)
    if "rgb_array" not in modes:
        raise ValueError(f"{name} cannot render frames: it has the render modes {modes}, and needs rgb_array.")
    os.environ.setdefault("SDL_VIDEODRIVER", "dummy")  # rgb_array frames need no screen
    with _one_sentence(name):
        return _wrapped(gymnasium.make(parts.environment, render_mode="rgb_array", **parts.arguments), wrap)


def _wrapped(single: gymnasium.Env[Any, Any], wrap: list[Callable[..., Any]]) -> gymnasium.Env[Any, Any]:
    """Returns an environment with wrappers around it, the first one innermost."""
    return functools.reduce(lambda inner, wrapper: wrapper(inner), wrap, single)


def _wrappers(name: str, single: gymnasium.Env[Any, Any]) -> list[Callable[..., Any]]:
    """Returns the wrappers that convert observations and actions into one form.

    Raises:
      ValueError: the spaces of the environment are not supported.
    """
    actions, observations = single.action_space, single.observation_space
    action_spaces.check(name, actions)
    wrap: list[Callable[..., Any]] = []
    if not isinstance(actions, spaces.Discrete) or actions.start != 0:
        wrap.append(action_spaces.numbered)
    if isinstance(observations, spaces.Box):
        dtype = _IN_32_BITS.get(str(observations.dtype))
    else:
        if not _is_flat(observations):
            raise ValueError(
                f"{name} has the observation space {observations}: supported are {_SUPPORTED}; use a wrapper that "
                "returns one of these, --wrapper MODULE:CLASS."
            )
        wrap.append(wrappers.FlattenObservation)
        flat = spaces.flatten_space(observations).dtype
        is_small = flat is not None and np.issubdtype(flat, np.integer) and flat.itemsize < 4
        dtype = None if is_small or flat == np.float32 else np.float32
    if dtype is not None:
        wrap.append(functools.partial(_in_type, dtype=dtype))
    return wrap


def _is_flat(space: spaces.Space[Any]) -> bool:
    """Returns whether every observation of a space flattens to a vector of one size."""
    if isinstance(space, spaces.Dict):
        return all(map(_is_flat, space.spaces.values()))
    if isinstance(space, spaces.Tuple):
        return all(map(_is_flat, space.spaces))
    return isinstance(space, spaces.Box | spaces.Discrete | spaces.MultiDiscrete | spaces.MultiBinary)


def _in_type(single: gymnasium.Env[Any, Any], *, dtype: Any) -> gymnasium.Env[Any, Any]:
    space = single.observation_space
    assert isinstance(space, spaces.Box)
    lowest, highest = (-np.inf, np.inf) if dtype is np.float32 else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    low, high = (np.clip(bound, lowest, highest).astype(dtype) for bound in (space.low, space.high))
    converted = spaces.Box(low, high, space.shape, dtype)
    return wrappers.TransformObservation(single, lambda observation: np.asarray(observation, dtype), converted)


def _find(name: str, qualified: str) -> None:
    """Imports the module in a name, and checks that the environment is registered under exactly this name.

    gymnasium resolves a name without a version to the latest version, which can change. Names must have a version here.

    Args:
      name: of the game, for errors.
      qualified: `ID` or `MODULE:ID`.

    Raises:
      ValueError: the module cannot be imported, or the environment is not registered.
    """
    module, separator, environment = qualified.rpartition(":")
    if separator:
        user_modules.load(module, name)
    try:
        gymnasium.spec(environment)
    except gymnasium.error.Error as error:
        hint = did_you_mean(environment, gymnasium.registry, GYMNASIUM + module + separator)
        raise ValueError(f"gymnasium has no environment for {name!r} ({_first_line(error)}).{hint}") from None


@contextlib.contextmanager
def _one_sentence(name: str) -> Iterator[None]:
    """Converts errors of gymnasium and of imports into a ValueError of one sentence."""
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


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
