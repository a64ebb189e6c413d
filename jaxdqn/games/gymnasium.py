"""Any gymnasium environment with discrete actions as a host game: `gymnasium:ID`, or `gymnasium:MODULE:ID`.

`jaxdqn.games.names` describes names with arguments and wrappers of the user. These wrappers are around the environment
that gymnasium makes, and inside those of this package: `action_spaces` numbers combinations of actions from 0, and
`checked_environment` checks what the environment returns and brings observations into one form.

An environment that saves its state (`saved_states`) is restored where a run is resumed.

An environment has action masks if `info["action_mask"]` is in its first reset, as in gymnasium's Taxi. Then each reset
and step must have it: 0 or 1 for each action. A mask that comes only later is an error.
"""

import contextlib
import functools
import os
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import gymnasium

from jaxdqn import code_versions, user_modules
from jaxdqn.game_interfaces import HostGame
from jaxdqn.games import action_spaces, environment_values, environment_vectors, names, saved_states
from jaxdqn.games.checked_environment import ACTION_MASK, Checked
from jaxdqn.games.environment_errors import in_one_line
from jaxdqn.games.names import GYMNASIUM, EnvironmentName
from jaxdqn.spelling import did_you_mean, first_line

VERSION = 1
MASKED_VERSION = 2  # of environments with action masks, which version 1 ignored

Wrappers = Sequence[functools.partial[gymnasium.Env[Any, Any]]]


def make(name: str) -> HostGame:
    """Makes the game with a name such as `gymnasium:LunarLander-v3` or `gymnasium:FrozenLake-v1?is_slippery=False`.

    For your own environment, use `gymnasium:my_module:MyEnv-v0`: importing `my_module` must register `MyEnv-v0`.

    Raises:
      ValueError: the name is malformed, the environment or a wrapper does not exist, a dependency is not installed,
        making it raises an error, its actions are not discrete, or its observations have no fixed size. The message is
        one sentence.
    """
    parts = names.parse(name)
    name = names.spelled(parts)
    _find(name, parts.environment)
    wrappers = [functools.partial(user_modules.part(part), **arguments) for part, arguments in parts.wrappers]
    with _one_sentence(name):
        single = _make_single(parts, wrappers)
        actions, observations, spec = single.action_space, single.observation_space, single.spec
        modes = (single.metadata or {}).get("render_modes", [])
        has_masks = _has_masks(single)  # it has been reset then, as `can_save` needs it
        saves_state = saved_states.can_save(single)
        code = code_versions.of(_code(parts, single))
    with _one_sentence(name, "closed"):
        single.close()
    if actions is None or observations is None:
        raise ValueError(
            f"{name} has no spaces: set observation_space and action_space where it is made, before reset."
        )
    action_spaces.check(name, actions)
    if not environment_values.is_supported(observations):
        raise ValueError(
            f"{name} has the observation space {observations}: supported are {environment_values.SUPPORTED}; use a "
            "wrapper that returns one of these, --wrapper MODULE:CLASS."
        )
    stored = environment_values.stored_space(observations)
    make_copy = functools.partial(_make_numbered, parts, wrappers, saves_state)
    return HostGame(
        name=name,
        version=MASKED_VERSION if has_masks else VERSION,
        make_vector=functools.partial(environment_vectors.make, name, make_copy, has_masks=has_masks),
        make_rendered=functools.partial(_make_rendered, parts, wrappers, modes, has_masks),
        observation_shape=stored.shape,
        observation_dtype=stored.dtype,
        num_actions=action_spaces.count(actions) or 0,
        max_steps=spec.max_episode_steps if spec is not None else None,
        saves_state=saves_state,
        has_masks=has_masks,
        code=code,
    )


def _has_masks(single: gymnasium.Env[Any, Any]) -> bool:
    """Returns whether the first reset returns an action mask. An error is raised again by the reset of a run."""
    with contextlib.suppress(Exception, SystemExit):
        return ACTION_MASK in single.reset(seed=0)[1]
    return False


def _code(parts: EnvironmentName, single: Any) -> Iterator[Any]:
    """Yields the modules, classes and functions that an environment consists of."""
    module, _, environment = parts.environment.rpartition(":")
    yield from filter(None, [module, *(wrapper.part.partition(":")[0] for wrapper in parts.wrappers)])
    yield from (user_modules.part(wrapper.part) for wrapper in parts.wrappers)
    entry_point = gymnasium.spec(environment).entry_point
    yield entry_point.partition(":")[0] if isinstance(entry_point, str) else entry_point
    while isinstance(single, gymnasium.Wrapper):
        yield type(single)
        single = single.env
    yield type(single)


def _make_single(parts: EnvironmentName, wrappers: Wrappers, **options: Any) -> gymnasium.Env[Any, Any]:
    # gymnasium's own checker is for authors of environments and slows down every step.
    single = gymnasium.make(parts.environment, disable_env_checker=True, **parts.arguments, **options)
    for wrapper in wrappers:
        single = wrapper(single)
        if not isinstance(single, gymnasium.Env):
            raise TypeError(
                f"the wrapper {wrapper.func!r} returns a {type(single).__name__}, which is no gymnasium.Env"
            )
    return single


def _make_numbered(
    parts: EnvironmentName, wrappers: Wrappers, saves_state: bool, **options: Any
) -> gymnasium.Env[Any, Any]:
    numbered = action_spaces.numbered(_make_single(parts, wrappers, **options))
    return saved_states.SavesState(numbered) if saves_state else numbered


def _make_rendered(
    parts: EnvironmentName, wrappers: Wrappers, modes: list[str], has_masks: bool
) -> gymnasium.Env[Any, Any]:
    """Makes one copy that renders frames.

    Raises:
      ValueError: the environment cannot render frames, or making it raises an error.
    """
    name = names.spelled(parts)
    if "rgb_array" not in modes:
        raise ValueError(f"{name} cannot render frames: it has the render modes {modes}, and needs rgb_array.")
    os.environ.setdefault("SDL_VIDEODRIVER", "dummy")  # rgb_array frames need no screen
    with _one_sentence(f"{name} with render_mode='rgb_array'"):
        return Checked(_make_numbered(parts, wrappers, False, render_mode="rgb_array"), has_masks=has_masks)


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
        own = [id for id, spec in gymnasium.registry.items() if module and _is_of(module, spec.entry_point)]
        hint = did_you_mean(environment, own or gymnasium.registry, GYMNASIUM + module + separator)
        if module and not hint:
            hint = f" {module} registers {', '.join(own[:5])}." if own else f" Call gymnasium.register in {module}."
        raise ValueError(f"gymnasium has no environment for {name!r} ({first_line(error)}).{hint}") from None


def _is_of(module: str, entry_point: Any) -> bool:
    """Returns whether the entry point of an environment is in a module or, if it is a package, below it."""
    place = entry_point if isinstance(entry_point, str) else getattr(entry_point, "__module__", "")
    return f"{place.partition(':')[0]}.".startswith(f"{module}.")


@contextlib.contextmanager
def _one_sentence(name: str, done: str = "made") -> Iterator[None]:
    """Converts what making or closing an environment raises into a ValueError of one sentence."""
    with warnings.catch_warnings():
        # The bindings of Box2D and the loader of pygame warn on import.
        warnings.filterwarnings("ignore", message=r".*([Ss]wig|pkg_resources).*", category=DeprecationWarning)
        warnings.filterwarnings("ignore", message=r".*pkg_resources.*", category=UserWarning)
        try:
            yield
        except gymnasium.error.DependencyNotInstalled as error:
            remedy = 'pip install "jaxdqn[box2d]"' if "ox2" in str(error) else "install this dependency"
            raise ValueError(
                f"{name} needs a dependency that is not installed ({first_line(error)}): {remedy}."
            ) from None
        except ImportError as error:
            raise ValueError(f"{name} cannot be {done}, because an import failed: {first_line(error)}.") from None
        except gymnasium.error.Error as error:
            raise ValueError(f"{name} cannot be {done}: {first_line(error)}.") from None
        except (Exception, SystemExit) as error:
            is_argument = isinstance(error, TypeError) and " argument" in str(error)
            remedy = "; arguments follow the name, as in ID?size=8&is_slippery=False" if is_argument else ""
            raise ValueError(f"{name} cannot be {done}: {in_one_line(error)}{remedy}.") from error
