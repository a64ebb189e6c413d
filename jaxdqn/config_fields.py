"""Configurations are frozen dataclasses that are pytrees and declare the allowed range of each value.

A field has one of four kinds. The function that declares it determines the kind:

    number   a float that is traced: cells of a grid that differ only in numbers share one compiled program
    whole    an integer that is traced in the same way
    static   structure, such as a width, a batch size or a name: a different value needs a different program
    part     another configuration, such as a network, an optimizer or a schedule; its type is structure

Two configurations can run in one program exactly if `jax.tree.structure` of both is equal. Ranges are declared beside
the defaults. `check` tests them in Python before compilation.
"""

import dataclasses
import math
from typing import Any, NamedTuple, TypeVar, dataclass_transform

import jax
import numpy as np

from jaxdqn import plain_numbers
from jaxdqn.spelling import did_you_mean

C = TypeVar("C")

_KINDS = {int: "a whole number", float: "a number", str: "a text", bool: "True or False"}


class Allowed(NamedTuple):
    """The allowed values of a field: bounds of a number, or a set of choices."""

    at_least: float = -math.inf
    above: float = -math.inf
    at_most: float = math.inf
    below: float = math.inf
    choices: tuple[Any, ...] = ()

    def __contains__(self, value: Any) -> bool:
        if self.choices:
            return value in self.choices
        return self.at_least <= value <= self.at_most and self.above < value < self.below

    def __str__(self) -> str:
        if self.choices:
            return "one of " + ", ".join(map(repr, self.choices))
        bounds = (
            (f"at least {self.at_least:g}", self.at_least > -math.inf),
            (f"above {self.above:g}", self.above > -math.inf),
            (f"at most {self.at_most:g}", self.at_most < math.inf),
            (f"below {self.below:g}", self.below < math.inf),
        )
        return " and ".join(text for text, is_set in bounds if is_set) or "finite"


def number(default: float | None, *, omit_default: bool = False, **allowed: Any) -> Any:
    """Declares a traced float. Keywords are those of `Allowed`; if the default is None, None is allowed.

    Args:
      default: value of the field where none is given.
      omit_default: whether `config_dicts.to_dict` leaves the field out where it has its default. A field that is added
        to a configuration with stored records needs this, since records and identifiers of runs are made from these
        dictionaries: so they stay the same. The default must never change.
      **allowed: of `Allowed`.
    """
    return _field(default, "number", Allowed(**allowed), omit_default)


def whole(default: int, *, omit_default: bool = False, **allowed: Any) -> Any:
    """Declares a traced integer. Keywords are those of `number`."""
    return _field(default, "whole", Allowed(**allowed), omit_default)


def static(default: Any, *, omit_default: bool = False, **allowed: Any) -> Any:
    """Declares structure: an integer, a string, a bool, or a tuple of these. Keywords are those of `number`."""
    return _field(default, "static", Allowed(**allowed), omit_default)


def part(default: Any = dataclasses.MISSING, *, omit_default: bool = False) -> Any:
    """Declares a nested configuration. Without a default it is required; if the default is None, None is allowed."""
    return _field(default, "part", Allowed(), omit_default)


@dataclass_transform(frozen_default=True)
def configuration(cls: type[C]) -> type[C]:
    """Makes a class a frozen dataclass and a pytree: numbers and parts are children, static fields are structure.

    Raises:
      TypeError: a field is declared without one of the four functions of this module.
    """
    cls = dataclasses.dataclass(frozen=True)(cls)
    kinds = {field.name: field.metadata.get("kind") for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    for name, kind in kinds.items():
        if kind is None:
            raise TypeError(f"{cls.__name__}.{name} must be declared with number(), whole(), static() or part().")
    structure = [name for name, kind in kinds.items() if kind == "static"]
    children = [name for name, kind in kinds.items() if kind != "static"]
    return jax.tree_util.register_dataclass(cls, data_fields=children, meta_fields=structure)


def check(config: Any) -> None:
    """Checks that every value has the kind of its field and is in range.

    Raises:
      ValueError: the message names the dotted field, its value and the allowed values.
    """
    for path, value, field in _walk(config):
        if value is None and field.default is None:
            continue
        expected = _expected_kind(value, field)
        if expected:
            raise ValueError(f"{path} = {value!r} must be {expected}.")
        allowed = field.metadata["allowed"]
        items = value if isinstance(value, tuple) else (value,)
        if field.metadata["kind"] != "part" and not all(item in allowed for item in items):
            raise ValueError(f"{path} = {value!r} is out of range: it must be {allowed}.")


def normalised(config: C) -> C:
    """Returns the configuration with values in the types of their fields where they are the same values in other types.

    NumPy's numbers become Python's, whole floats become integers where the field holds integers, and lists and arrays
    become tuples where it holds tuples. `check` refuses what stays of another type.
    """
    fields = dataclasses.fields(config)  # type: ignore[arg-type]
    values = {field.name: _as_declared(getattr(config, field.name), field) for field in fields}
    return dataclasses.replace(config, **values)  # type: ignore[type-var]


def paths(config: Any) -> dict[str, Any]:
    """Returns all fields of a configuration and of its parts by dotted path, e.g. `exploration.end`."""
    return {path: value for path, value, _ in _walk(config)}


def fields(config: Any) -> dict[str, dataclasses.Field[Any]]:
    """Returns the declarations of all fields of a configuration and of its parts by dotted path."""
    return {path: field for path, _, field in _walk(config)}


def version_of(part: Any) -> int:
    """Returns the version of a part: the class variable `version` of its type, or 1 if the type declares none.

    The version is raised when the same configuration of the part trains differently.
    """
    return int(getattr(type(part), "version", 1))


def replace_at(config: C, path: str, value: Any) -> C:
    """Returns the configuration with the field at a dotted path replaced by a value, as `normalised`.

    Raises:
      ValueError: the field does not exist; the message names the closest fields.
    """
    known = paths(config)
    if path not in known:
        hint = did_you_mean(path, known) or f" Fields: {', '.join(sorted(known))}."
        raise ValueError(f"{path!r} is not a field of this configuration.{hint}")
    name, _, rest = path.partition(".")
    child = replace_at(getattr(config, name), rest, value) if rest else _as_declared(value, fields(config)[name])
    return dataclasses.replace(config, **{name: child})  # type: ignore[type-var]


def to_arrays(config: C) -> C:
    """Returns the configuration with NumPy scalars as leaves: float32 for numbers, int32 for integers."""
    dtypes = {"number": np.float32, "whole": np.int32}

    def convert(field: dataclasses.Field[Any], value: Any) -> Any:
        kind = field.metadata["kind"]
        if kind == "static" or value is None:
            return value
        return to_arrays(value) if kind == "part" else dtypes[kind](value)

    fields = dataclasses.fields(config)  # type: ignore[arg-type]
    return type(config)(**{field.name: convert(field, getattr(config, field.name)) for field in fields})


def stack(configs: list[C]) -> C:
    """Stacks configurations of equal structure; each leaf has shape `[len(configs)]`."""
    return jax.tree.map(lambda *leaves: np.stack(leaves), *map(to_arrays, configs))


def _field(default: Any, kind: str, allowed: Allowed, omit_default: bool) -> Any:
    metadata = {"kind": kind, "allowed": allowed, "omit_default": omit_default}
    return dataclasses.field(default=default, metadata=metadata)


def _as_declared(value: Any, field: dataclasses.Field[Any]) -> Any:
    """Returns the value in the type of its field if it is the same value in another type, else unchanged."""
    kind, default = field.metadata["kind"], field.default
    if kind == "part":
        return normalised(value) if dataclasses.is_dataclass(value) and not isinstance(value, type) else value
    if kind == "number":
        return plain_numbers.plain(value)
    if kind == "whole" or type(default) is int:
        return plain_numbers.as_whole(value)
    if isinstance(default, tuple) and plain_numbers.is_list(value):
        item = plain_numbers.as_whole if type(default[0]) is int else plain_numbers.plain
        return tuple(map(item, value))
    return plain_numbers.plain(value)


def _walk(config: Any, prefix: str = "") -> list[tuple[str, Any, dataclasses.Field[Any]]]:
    rows = []
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        rows.append((prefix + field.name, value, field))
        if field.metadata["kind"] == "part" and dataclasses.is_dataclass(value):
            rows += _walk(value, f"{prefix}{field.name}.")
    return rows


def _expected_kind(value: Any, field: dataclasses.Field[Any]) -> str:
    """Returns the kind of value that the field expects if `value` has another kind, else an empty string."""
    kind, default = field.metadata["kind"], field.default
    is_number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if is_number and not math.isfinite(value):
        return "a finite number"
    if kind == "part":
        example = f", such as {default!r}" if dataclasses.is_dataclass(default) else ""
        return "" if dataclasses.is_dataclass(value) else f"a configuration{example}"
    if kind == "number":
        return "" if is_number else "a number"
    if kind == "whole":
        return "" if is_number and float(value).is_integer() else "a whole number"
    if isinstance(default, tuple):
        item = type(default[0])
        is_such = isinstance(value, tuple) and all(type(v) is item for v in value)
        return "" if is_such else f"a tuple of {_KINDS[item].removeprefix('a ')}s, such as {default!r}"
    return "" if type(value) is type(default) else _KINDS[type(default)]
