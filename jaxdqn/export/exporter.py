"""A common interface that sends curves to other tools point by point, for runs in training and for stored runs.

`tensorboard.opened` and `weights_and_biases.opened` are context managers that give an exporter:

    with tensorboard.opened("logs") as exporter:
        handles = [exporter.begin(facts) for facts in wave]         # facts that are known before the run
        ...
        exporter.point(handles[0], 500, {"loss": 0.1})              # or `advance(exporter, handles, curves)` for all
        ...
        exporter.end(handles[0], stored_facts)

If a run begins again, because it was interrupted or is exported again, the new points replace the old ones. A run that
resumes from a checkpoint therefore sends its earlier points again.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxdqn.store import schema
from jaxdqn.store.record import Run

Facts = Mapping[str, Any]
Values = Mapping[str, float]

# Facts that are known before a run starts. An exporter gets no others at its start.
IDENTITY = ("id", "study", "game", "algorithm", "settings", "configuration", "seed", "steps", "evaluation")
# Facts that are known at the end of a run only.
OUTCOME = ("diverged_at", "failure", "cost")


class Exporter(NamedTuple):
    """Sends runs to a tool. Many runs can be open at the same time; the result of `begin` identifies a run.

    Attributes:
      begin: `facts -> handle`; uses the facts in `IDENTITY`.
      point: `(handle, environment steps, values by curve) -> None`; steps must increase, and NaN values are not sent.
      end: `(handle, facts) -> None`, with the stored facts; those of a failed run have its traceback as `failure`. A
        run that has not ended is closed with the exporter.
    """

    begin: Callable[[Facts], Any]
    point: Callable[[Any, int, Values], None]
    end: Callable[[Any, Facts], None]


def send(exporter: Exporter, run: Run) -> None:
    """Sends a stored run."""
    handle = exporter.begin(run.facts)
    for step, values in points(run.curves):
        exporter.point(handle, step, values)
    exporter.end(handle, run.facts)


def advance(exporter: Exporter, handles: Sequence[Any], curves: Mapping[str, np.ndarray]) -> None:
    """Sends one point of each of several runs that train in parallel.

    Args:
      exporter: the exporter.
      handles: handles of the runs.
      curves: arrays `[M]` by name, including `steps`, with one value for each run in the order of the handles; M may
        exceed their number. A run with `steps` of -1 has failed and has no point.
    """
    for member, handle in enumerate(handles):
        for step, values in points({name: values[member : member + 1] for name, values in curves.items()}):
            if step > 0:
                exporter.point(handle, step, values)


def points(curves: Mapping[str, np.ndarray]) -> Iterator[tuple[int, dict[str, float]]]:
    """Yields environment steps and values by curve, point by point, from curves `[P]` that include `steps`."""
    columns = {name: np.asarray(values).tolist() for name, values in sorted(curves.items())}
    for i, step in enumerate(columns.pop("steps")):
        yield step, {name: values[i] for name, values in columns.items()}


def known(values: Values) -> dict[str, float]:
    """Returns the values that are not NaN."""
    return {name: float(value) for name, value in values.items() if not np.isnan(value)}


def title(facts: Facts) -> tuple[str, ...]:
    """Returns the title of a run as parts: game, algorithm, settings if there are any, and seed."""
    settings = ", ".join(f"{field} {_short(value)}" for field, value in sorted(facts["settings"].items()))
    return (facts["game"]["name"], facts["algorithm"], *([settings] if settings else []), f"seed {facts['seed']}")


def identity(facts: Facts) -> dict[str, Any]:
    """Returns the facts that are known before a run starts.

    Raises:
      ValueError: a fact is missing, or the identifier is not valid.
    """
    missing = [key for key in IDENTITY if key not in facts]
    if missing:
        raise ValueError(f"The facts of a run lack {', '.join(missing)}: add them before exporting.")
    # The id becomes part of folder names, and such folders are replaced.
    if not re.fullmatch("[0-9a-f]{16}", facts["id"]):
        raise ValueError(f"id = {facts['id']!r} must be 16 hex digits: make it with store.identifier.")
    return {key: schema.json_value(facts[key], key) for key in IDENTITY}


def _short(value: Any) -> str:
    return str(value["type"]) if isinstance(value, dict) and "type" in value else str(value)
