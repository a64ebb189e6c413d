"""The record of a run: what the store is given of it."""

import datetime
import os
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from jaxdqn.store import schema
from jaxdqn.store.manifest import Manifest
from jaxdqn.study import provenance, spec
from jaxdqn.study.spec import Cell, Study
from jaxdqn.training import program
from jaxdqn.training.state import Ending


def wanted(study: Study, cells: Mapping[str, Cell]) -> Manifest:
    """Returns what there is to be of a study, its cells by identifier, and what a person wants to know of each."""
    return Manifest(study.name, study.steps, {id: about(cell) for id, cell in cells.items()})


def about(cell: Cell) -> dict[str, Any]:
    """Returns what a person wants to know of a cell."""
    return {
        "game": cell.game,
        "algorithm": cell.algorithm,
        "settings": spec.plain_settings(cell.settings),
        "seed": cell.seed,
    }


def about_failure(cell: Cell) -> dict[str, Any]:
    """Returns what a person wants to know of a cell whose run could not be made."""
    return about(cell) | {"versions": provenance.versions(), "created": now()}


def identity(study: Study, cell: Cell) -> dict[str, Any]:
    """Returns what is known of a run before it starts."""
    return {
        "id": spec.identifier(study, cell),
        "study": study.name,
        "algorithm": cell.algorithm,
        "settings": spec.plain_settings(cell.settings),
        **spec.determinants(study, cell),
    }


def facts(
    study: Study,
    cell: Cell,
    ending: Ending,
    seconds: np.ndarray,
    compile_seconds: float,
    layout: program.Layout,
    makers: Sequence[Mapping[str, Any]],
    code: Mapping[str, Any],
) -> dict[str, Any]:
    """Returns the facts of one run.

    Args:
      study: that it belongs to.
      cell: of the study.
      ending: how it ended.
      seconds: float64 `[P]`, since the start of its wave at each point of its curves, without compilation.
      compile_seconds: of its program.
      layout: on this machine.
      makers: what trained it, as `made` says; more than one are put down.
      code: version, commit and script, as `provenance.code` says.
    """
    known = {
        "schema": schema.VERSION,
        **identity(study, cell),
        "code": dict(code),
        "versions": provenance.versions(),
        "hardware": provenance.hardware(layout.devices),
        "cost": {
            "wall_seconds": float(seconds[-1]),
            "seconds": [round(second, 3) for second in seconds.tolist()],
            "compile_seconds": compile_seconds,
            "runs_at_once": layout.width,
        },
        "diverged_at": ending.diverged_at,
        "crash": ending.crash,
        "created": now(),
    }
    seldom = {
        "new_episodes_at": list(ending.renewed_at),
        "makers": list(makers) if len(makers) > 1 else [],
    }
    return known | {name: values for name, values in seldom.items() if values}


def made(makers: Sequence[Mapping[str, Any]], until: int) -> tuple[dict[str, Any], ...]:
    """Returns what trained a run so far, each up to which step, with this process as the last one.

    Each is commit and changes of the package, device, processor and number of cores.

    Args:
      makers: until this process took it up.
      until: step that it has reached.
    """
    device = jax.devices()[0].device_kind
    here = provenance.commit() | {
        "device": device,
        "processor": provenance.processor(),
        "num_cores": os.cpu_count(),
    }
    earlier = [dict(maker) for maker in makers]
    if earlier and {name: value for name, value in earlier[-1].items() if name != "until"} == here:
        del earlier[-1]
    return (*earlier, {"until": until, **here})


def attachments(study: Study, cell: Cell, ending: Ending) -> dict[str, dict[str, np.ndarray]]:
    """Returns what is kept beside the curves: the log of episodes, and the weights of the seeds asked for."""
    kept = {"episodes": ending.episodes}
    if cell.seed in study.weights_of:
        kept["weights"] = ending.parameters
    return {kind: arrays for kind, arrays in kept.items() if arrays}


def now() -> str:
    """Returns the time, UTC, ISO 8601."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
