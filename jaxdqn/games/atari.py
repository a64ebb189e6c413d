"""Atari 2600 games as host games: `atari:pong`, or with options `atari:pong,sticky=0`.

The emulator is ale-py (Bellemare et al., *The Arcade Learning Environment*, 2013), whose package has the games. An
observation is one grey picture, uint8 `[84, 84, 1]`; a step is four frames. Rewards are the game's own.

By default the protocol is that of Machado et al. (*Revisiting the Arcade Learning Environment*, 2018) with the actions
of Dopamine. The Nature paper and Atari-100k play `atari:pong,sticky=0,noops=30,life_loss=true`. The options are, in the
order in which they follow the name:

- `sticky` (0.25): probability, in each frame, of repeating the action of the frame before.
- `noops` (0): an episode begins with 1 to this many frames without an action.
- `life_loss` (false): whether the loss of a life ends the episode for learning and acting. Returns and the number of
  episodes are still those of whole games, also in evaluation.
- `actions` (minimal): `minimal` are the actions that the game uses, `full` all 18.
- `limit` (108000): frames after which an episode is truncated.
- `engine` (python): `python` steps one copy after another, or each in a process (`--async`), and saves their state.
  `threads` is ale-py's `AtariVectorEnv`, whose copies use all cores with `--async`: an interrupted run plays its
  actions again, and an episode begins with 0 to `noops` - 1 frames.

ale-py is under the GPL, and jaxdqn is not. So it is an extra: `pip install "jaxdqn[atari]"`.
"""

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

from gymnasium.vector import VectorEnv

from jaxdqn.game_interfaces import HostGame
from jaxdqn.games import checked_environment, environment_vectors
from jaxdqn.spelling import did_you_mean

PREFIX = "atari:"
VERSION = 1
_INEXACT = ("qbert",)  # ale-py 0.12.1 does not save its whole state (fixed by #732 of the Arcade Learning Environment)


class Option(NamedTuple):
    """An option: its default, the values that it may have, in words, and a function `text -> value`."""

    default: Any
    allowed: str
    read: Callable[[str], Any]


def _number(kind: type, lowest: float, highest: float) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        value = kind(text)
        if not lowest <= value <= highest:
            raise ValueError(text)
        return value

    return read


def _word(**values: Any) -> Callable[[str], Any]:
    return values.__getitem__


OPTIONS = {
    "sticky": Option(0.25, "a probability from 0 to 1", _number(float, 0, 1)),
    "noops": Option(0, "a number of frames from 0 to 1000", _number(int, 0, 1_000)),
    "life_loss": Option(False, "true or false", _word(true=True, false=False)),
    "actions": Option("minimal", "minimal or full", _word(minimal="minimal", full="full")),
    "limit": Option(108_000, "a number of frames from 4 to 1000000000", _number(int, 4, 10**9)),
    "engine": Option("python", "python or threads", _word(python="python", threads="threads")),
}


def make(name: str) -> HostGame:
    """Makes the game with a name such as `atari:pong` or `atari:pong,sticky=0,noops=30`.

    Raises:
      ValueError: ale-py is not installed, or has no such game; or an option is unknown, has no such value, or is not in
        its place. The message is one sentence.
    """
    title, *given = name.removeprefix(PREFIX).split(",")
    try:
        from ale_py import roms
    except ImportError:
        raise ValueError(f'{name} needs ale-py, which is not installed: pip install "jaxdqn[atari]".') from None
    from jaxdqn.games.atari_environment import SKIP, AtariEnvironment

    known = roms.get_all_rom_ids()
    if title not in known:
        hint = did_you_mean(title, known, PREFIX) or " One of them is atari:space_invaders."
        raise ValueError(f"no game of ale-py's {len(known)} is called {title!r}.{hint}")
    options = _options(name, given)
    if name != (spelled := _spelled(title, options)):
        raise ValueError(f"{name} must be written {spelled}: options have an order, and defaults are left out.")
    engine = options.pop("engine")
    make_single = functools.partial(AtariEnvironment, title, **options)
    single = make_single()
    one_by_one = functools.partial(environment_vectors.make, name, make_single)
    make_threads = functools.partial(_make_threads, title, options)
    return HostGame(
        name=name,
        version=VERSION,
        make_vector=make_threads if engine == "threads" else one_by_one,
        make_rendered=functools.partial(checked_environment.alone, name, make_single),
        observation_shape=single.observation_space.shape,
        observation_dtype=single.observation_space.dtype,
        num_actions=int(single.action_space.n),
        max_steps=math.ceil(options["limit"] / SKIP),
        saves_state=engine == "python" and title not in _INEXACT,
        packages=("ale-py",),
    )


def _options(name: str, given: list[str]) -> dict[str, Any]:
    """Returns all options, from the parts of a name that follow the game.

    Raises:
      ValueError: an option is unknown or has no such value.
    """
    values = {option: entry.default for option, entry in OPTIONS.items()}
    for option, _, text in (one.partition("=") for one in given):
        if option not in OPTIONS:
            hint = did_you_mean(option, OPTIONS)
            raise ValueError(f"{name} has an unknown option {option!r}.{hint} The options are {', '.join(OPTIONS)}.")
        try:
            values[option] = OPTIONS[option].read(text)
        except (ValueError, KeyError):
            raise ValueError(f"{name} has the option {option}={text}: it must be {OPTIONS[option].allowed}.") from None
    return values


def _spelled(title: str, options: dict[str, Any]) -> str:
    """Returns the one name of a game with these options."""
    words = [title]
    for option, value in options.items():
        text = f"{value:g}" if isinstance(value, float) else str(value).lower()
        words += [] if value == OPTIONS[option].default else [f"{option}={text}"]
    return PREFIX + ",".join(words)


def _make_threads(title: str, options: dict[str, Any], num_environments: int, asynchronous: bool = False) -> VectorEnv:
    from jaxdqn.games.atari_threads import AtariThreads

    del asynchronous  # threads need no processes
    return AtariThreads(title, num_environments, **options)
