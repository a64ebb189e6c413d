"""Curves sent elsewhere point by point, of runs that train and of runs that are stored, by one interface.

An exporter is what `tensorboard.opened` and `weights_and_biases.opened` give to a `with` statement:

    with tensorboard.opened("logs") as exporter:
        handles = [exporter.begin(facts) for facts in wave]         # what is known before a run starts
        ...
        exporter.point(handles[0], 500, {"loss": 0.1})              # or `advance(exporter, handles, curves)` for all
        ...
        exporter.end(handles[0], facts_as_stored)

A run that is begun again, because it was interrupted or is exported a second time, starts afresh: what was sent of it
before is replaced by what is sent now. So one that continues from a checkpoint sends its earlier points once more.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxdqn.store import schema
from jaxdqn.store.record import Run

Facts = Mapping[str, Any]
Values = Mapping[str, float]

# What is known of a run before it starts, and all that an exporter is told of it then.
IDENTITY = ("id", "study", "game", "algorithm", "settings", "configuration", "seed", "steps", "evaluation")
# What only its end tells.
OUTCOME = ("diverged_at", "crash", "cost")


class Exporter(NamedTuple):
    """Where runs are sent. Many may be open at a time, each known by what `begin` returned.

    Attributes:
      begin: from facts, of which it uses `IDENTITY`, to a handle of the run.
      point: takes a handle, environment steps that increase, and values by curve; those that are NaN are none.
      end: takes a handle and the facts as they are stored. A run that is never ended is closed with the exporter.
    """

    begin: Callable[[Facts], Any]
    point: Callable[[Any, int, Values], None]
    end: Callable[[Any, Facts], None]


def send(exporter: Exporter, run: Run) -> None:
    """Sends a run that is stored."""
    handle = exporter.begin(run.facts)
    for step, values in points(run.curves):
        exporter.point(handle, step, values)
    exporter.end(handle, run.facts)


def advance(exporter: Exporter, handles: Sequence[Any], curves: Mapping[str, np.ndarray]) -> None:
    """Sends one point of each of several runs that train side by side.

    Args:
      exporter: where to.
      handles: of the runs.
      curves: arrays `[M]` by name, `steps` among them, that hold a value a run in the order of the handles; M may be
        larger than their number. A run whose `steps` are -1 has crashed and has no point.
    """
    for member, handle in enumerate(handles):
        for step, values in points({name: values[member : member + 1] for name, values in curves.items()}):
            if step > 0:
                exporter.point(handle, step, values)


def points(curves: Mapping[str, np.ndarray]) -> Iterator[tuple[int, dict[str, float]]]:
    """Yields environment steps and values by curve, point by point, of curves `[P]` with `steps` among them."""
    columns = {name: np.asarray(values).tolist() for name, values in sorted(curves.items())}
    for i, step in enumerate(columns.pop("steps")):
        yield step, {name: values[i] for name, values in columns.items()}


def known(values: Values) -> dict[str, float]:
    """Returns the values without those that say that there is none."""
    return {name: float(value) for name, value in values.items() if not np.isnan(value)}


def title(facts: Facts) -> tuple[str, ...]:
    """Returns what a person calls a run: game, algorithm, settings if it has any, and seed."""
    settings = ", ".join(f"{field} {_short(value)}" for field, value in sorted(facts["settings"].items()))
    return (facts["game"]["name"], facts["algorithm"], *([settings] if settings else []), f"seed {facts['seed']}")


def identity(facts: Facts) -> dict[str, Any]:
    """Returns what is known of a run before it starts, of facts that may say more.

    Raises:
      ValueError: naming what is missing, or an identifier that is none.
    """
    missing = [key for key in IDENTITY if key not in facts]
    if missing:
        raise ValueError(f"A run to export must say {', '.join(missing)}.")
    # It becomes part of names of folders, which are replaced.
    if not re.fullmatch("[0-9a-f]{16}", facts["id"]):
        raise ValueError(f"id = {facts['id']!r} must be 16 hex digits: make it with store.identifier.")
    return {key: schema.plain(facts[key], key) for key in IDENTITY}


def _short(value: Any) -> str:
    return str(value["type"]) if isinstance(value, dict) and "type" in value else str(value)
