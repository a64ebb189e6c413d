"""Names of gymnasium environments with arguments and wrappers, such as `gymnasium:FrozenLake-v1?is_slippery=False`.

    gymnasium:[MODULE:]ID[?NAME=VALUE[&NAME=VALUE...]][|MODULE:WRAPPER[?NAME=VALUE...]...]

Arguments are those of the environment and of `gymnasium.make`, such as `max_episode_steps`. A value is a literal of
Python: a bool (also `true` and `false`), a number, None, a string, or a list or tuple of these; a string needs quotes
only if it could be read as something else. In a string, `%25`, `%26` and `%7C` stand for `%`, `&` and `|`. Wrappers are
functions or classes, `(environment, **arguments) -> environment`. The first one is innermost.

One string names a game everywhere. Each game has one canonical name: its arguments are sorted, and equal values are
spelled in one way.
"""

import ast
import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from jaxdqn.user_modules import is_part

GYMNASIUM = "gymnasium:"
_EMULATORS = ("atari:", "doom:")
_CODES = {"%": "%25", "&": "%26", "|": "%7C"}
_WORDS = {"true": True, "false": False}
_OURS = {"disable_env_checker", "id", "num_envs", "render_mode", "vector_kwargs", "vectorization_mode", "wrappers"}


class WrapperName(NamedTuple):
    """The parts of a wrapper's name.

    Attributes:
      part: `MODULE:NAME`.
      arguments: values by name, sorted by name.
    """

    part: str
    arguments: dict[str, Any] = {}  # noqa: RUF012  # never changed


class EnvironmentName(NamedTuple):
    """The parts of a name.

    Attributes:
      environment: `ID` or `MODULE:ID`.
      arguments: values by name, sorted by name.
      wrappers: the innermost first.
    """

    environment: str
    arguments: dict[str, Any]
    wrappers: tuple[WrapperName, ...]


def parse(name: str) -> EnvironmentName:
    """Returns the parts of a name that begins with `gymnasium:`.

    Raises:
      ValueError: an argument or a wrapper is malformed. The message is one sentence.
    """
    head, *wrappers = name.removeprefix(GYMNASIUM).split("|")
    environment, arguments = _with_arguments(name, head)
    for key in arguments:
        if key in _OURS:
            raise ValueError(f"{name} has the argument {key!r}, which this package sets itself: leave it out.")
    around = tuple(WrapperName(*_with_arguments(name, wrapper)) for wrapper in wrappers)
    for wrapper in around:
        if not is_part(wrapper.part):
            raise ValueError(f"{name} has the wrapper {wrapper.part!r}, which must be of the form MODULE:CLASS.")
    return EnvironmentName(environment, arguments, around)


def spelled(parts: EnvironmentName) -> str:
    """Returns the canonical name."""
    named = [(GYMNASIUM + parts.environment, parts.arguments), *parts.wrappers]
    return "|".join(name + _query(arguments) for name, arguments in named)


def canonical(name: str) -> str:
    """Returns the canonical name of any game; other games than those of gymnasium have one name only.

    Raises:
      ValueError: as `parse`.
    """
    return spelled(parse(name)) if name.startswith(GYMNASIUM) else name


def wrapped(name: str, wrappers: Iterable[str]) -> str:
    """Returns the canonical name of a game with more wrappers, around those that its name has.

    Raises:
      ValueError: as `parse`, or the game takes no wrappers.
    """
    wrappers = tuple(wrappers)
    if wrappers and not name.startswith(GYMNASIUM):
        raise ValueError(f"{name} takes no wrapper {wrappers[0]}: wrappers are for environments, {GYMNASIUM}ID.")
    return canonical("|".join([name, *wrappers]))


def modules(name: str) -> set[str]:
    """Returns the modules of the user that making a game of any name imports."""
    if not name.startswith(GYMNASIUM):
        return {name.partition(":")[0]} if is_part(name) and not name.startswith(_EMULATORS) else set()
    parts = parse(name)
    named = [parts.environment.rpartition(":")[0], *(wrapper.part.partition(":")[0] for wrapper in parts.wrappers)]
    return {module for module in named if module and module.partition(".")[0] != "gymnasium"}


def without_arguments(name: str) -> str:
    """Returns a name without the arguments of its environment."""
    return spelled(parse(name)._replace(arguments={})) if name.startswith(GYMNASIUM) else name


def _with_arguments(name: str, text: str) -> tuple[str, dict[str, Any]]:
    """Returns the part of a text before `?`, and the arguments behind it, sorted by name; `name` is for errors."""
    head, mark, query = text.partition("?")
    arguments: dict[str, Any] = {}
    for pair in query.split("&") if mark else ():
        key, sign, value = pair.partition("=")
        if not (key.isidentifier() and sign and value):
            raise ValueError(f"{name} has the argument {pair!r}, which must be of the form NAME=VALUE.")
        if key in arguments:
            raise ValueError(f"{name} has two arguments {key!r}: keep one.")
        arguments[key] = _value(name, key, value)
    return head, dict(sorted(arguments.items()))


def _query(arguments: Mapping[str, Any]) -> str:
    return "?" + "&".join(f"{key}={_text(value)}" for key, value in arguments.items()) if arguments else ""


def _value(name: str, key: str, text: str) -> Any:
    value = _literal(text) if _is_literal(text) else text
    if not _is_plain(value):
        raise ValueError(
            f"{name} has the argument {key}={text}, whose value must be a bool, a number, None, a string, or a list of "
            "these."
        )
    return _decoded(value)


def _is_plain(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return isinstance(value, bool | int | str | None) or (isinstance(value, float) and math.isfinite(value))


def _decoded(value: Any) -> Any:
    """Returns a value with the codes in its strings replaced by the characters."""
    if isinstance(value, list | tuple):
        return type(value)(map(_decoded, value))
    if isinstance(value, str):
        for character in "|&%":
            value = value.replace(_CODES[character], character)
    return value


def _text(value: Any) -> str:
    """Returns the text of a value, which `_value` reads."""
    text = value if isinstance(value, str) and not _is_literal(value) else repr(value)
    return "".join(_CODES.get(character, character) for character in text)


def _is_literal(text: str) -> bool:
    try:
        _literal(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return not text
    return True


def _literal(text: str) -> Any:
    return _WORDS[text] if text in _WORDS else ast.literal_eval(text)
