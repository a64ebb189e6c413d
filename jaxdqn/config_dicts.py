"""Configurations as dictionaries of plain Python values, for result files and identifiers of runs, and back."""

import dataclasses
import typing
from typing import Any

from jaxdqn import config_fields
from jaxdqn.own_parts import type_name


def to_dict(config: Any) -> dict[str, Any]:
    """Returns the configuration as plain Python values for a result file; each part contains the name of its type.

    A type of the user has the name `module:name`.

    Fields declared with `omit_default` are left out where they have their default.
    """
    facts: dict[str, Any] = {"type": type_name(type(config))}
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if field.metadata["omit_default"] and value == field.default:
            continue
        if field.metadata["kind"] == "part" and value is not None:
            facts[field.name] = to_dict(value)
        elif field.metadata["kind"] == "number" and value is not None:
            facts[field.name] = float(value)
        else:
            facts[field.name] = list(value) if isinstance(value, tuple) else value
    return facts


def from_dict(allowed: Any, facts: Any, own: tuple[type, ...] = ()) -> Any:
    """Returns the configuration from the output of `to_dict`; fields that are missing get their defaults.

    The input can be an untrusted file. Type names select among the given types only, and each value must be allowed by
    its field. The type of a part must be in the type hint of its field, or in `allowed` if the hint is a protocol.

    Args:
      allowed: type of a configuration, a union of such types, or a tuple of both.
      facts: as returned by `to_dict`; lists may be tuples.
      own: types of the user, which every part may have.

    Raises:
      ValueError: a type, name or value is not allowed; the message names the dotted field.
    """
    config = _rebuilt((*_types(allowed), *own), facts, "", (*_types(allowed), *own), own)
    try:
        config_fields.check(config)
    except OverflowError as problem:
        raise ValueError(f"A number of this configuration is too large ({problem}).") from None
    return config


def _types(hint: Any) -> tuple[type, ...]:
    """Returns the configuration types in a type, a union or a tuple of these."""
    members = hint if isinstance(hint, tuple) else typing.get_args(hint) or (hint,)
    if members != (hint,):
        return tuple(found for member in members for found in _types(member))
    return members if dataclasses.is_dataclass(hint) else ()


def _rebuilt(types: tuple[type, ...], facts: Any, path: str, allowed: tuple[type, ...], own: tuple[type, ...]) -> Any:
    label = path or "The configuration"
    if not isinstance(facts, dict) or "type" not in facts:
        raise ValueError(f"{label} = {facts!r:.60} must be a dictionary with a type.")
    by_name = {type_name(cls): cls for cls in types}
    cls = by_name.get(facts["type"]) if isinstance(facts["type"], str) else None
    if cls is None:
        raise ValueError(f"{label} is of type {facts['type']!r:.60}: it must be one of {', '.join(by_name)}.")
    fields: dict[str, Any] = {field.name: field for field in dataclasses.fields(cls)}
    hints, values = typing.get_type_hints(cls), {}
    for name, value in facts.items():
        if name == "type":
            continue
        dotted = f"{path}.{name}" if path else name
        if name not in fields:
            raise ValueError(f"{dotted!r:.60} is not a field of {cls.__name__}, which has {', '.join(fields)}.")
        if fields[name].metadata["kind"] == "part" and not (value is None and fields[name].default is None):
            values[name] = _rebuilt((*(_types(hints[name]) or allowed), *own), value, dotted, allowed, own)
        else:
            values[name] = tuple(value) if isinstance(value, list) else value
    return cls(**values)
