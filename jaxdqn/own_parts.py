"""Parts in modules of the user, such as `my_networks:Wide`: algorithms, networks, exploration rules, and all others.

This module is the one place that knows how such a part is named, in records and on the command line, and found again.
"""

import dataclasses
from collections.abc import Iterator
from typing import Any

from jaxdqn import code_versions, user_modules
from jaxdqn.spelling import in_one_line

_PACKAGES = ("jaxdqn",)  # whose types have short names


def type_name(part: type) -> str:
    """Returns the name of a type in records: `DQN` of this package, and otherwise `module:name`."""
    if part.__module__.partition(".")[0] in _PACKAGES:
        return part.__name__
    return f"{code_versions.name_of(part.__module__)}:{part.__qualname__}"


def named(text: str) -> Any:
    """Returns the configuration that `module:name` names, or what the class or function of this name returns.

    Raises:
      ValueError: the module cannot be imported or has no such name, or the name stands for something else.
    """
    found = user_modules.part(text)
    is_instance = dataclasses.is_dataclass(found) and not isinstance(found, type)  # which may be callable, too
    try:
        part = found() if callable(found) and not is_instance else found
    except Exception as error:
        raise ValueError(f"{text} cannot be made: calling it without arguments raised {in_one_line(error)}.") from error
    if not dataclasses.is_dataclass(part) or isinstance(part, type):
        raise ValueError(
            f"{text} is a {type(part).__name__}: it must be a class with the decorator "
            "jaxdqn.config_fields.configuration, or an instance of one."
        )
    return part


def modules(facts: Any) -> set[str]:
    """Returns the modules of the user that a stored configuration names."""
    return {name.partition(":")[0] for name in _names(facts)}


def types(facts: Any) -> tuple[type, ...]:
    """Returns the types of the user that a stored configuration names. Their modules are imported.

    Raises:
      ValueError: a module cannot be imported, or has no such class.
    """
    found = [user_modules.part(name) for name in sorted(set(_names(facts)))]
    return tuple(one for one in found if isinstance(one, type) and dataclasses.is_dataclass(one))


def _names(facts: Any) -> Iterator[str]:
    if isinstance(facts, dict):
        name = facts.get("type")
        if isinstance(name, str) and user_modules.is_part(name):
            yield name
        for value in facts.values():
            yield from _names(value)
