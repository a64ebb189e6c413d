"""The facts of a run as the store records them."""

import datetime
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from jaxdqn.game_interfaces import HostGame
from jaxdqn.store import schema, weights
from jaxdqn.store.manifest import Manifest
from jaxdqn.study import provenance, spec
from jaxdqn.study.spec import Cell, Study
from jaxdqn.training import device_layout
from jaxdqn.training.state import Ending


def manifest(study: Study, cells: Iterable[Cell]) -> Manifest:
    """Returns the manifest of a study: its cells by identifier, with game, arm, settings and seed of each."""
    return Manifest(study.name, study.steps, {cell.id: about(cell) for cell in cells})


def about(cell: Cell) -> dict[str, Any]:
    """Returns game, arm, settings and seed of a cell."""
    return {"game": cell.game, "algorithm": cell.algorithm, "settings": cell.settings, "seed": cell.seed}


def about_failure(cell: Cell) -> dict[str, Any]:
    """Returns the facts of a cell whose run failed."""
    return about(cell) | {"determinants": cell.determinants, "versions": _versions(cell), "created": now()}


def identity(study: Study, cell: Cell) -> dict[str, Any]:
    """Returns the facts of a run that are known before it starts."""
    return {
        "id": cell.id,
        "study": study.name,
        "algorithm": cell.algorithm,
        "settings": cell.settings,
        **cell.determinants,
    }


def facts(
    study: Study,
    cell: Cell,
    ending: Ending,
    seconds: np.ndarray,
    compile_seconds: float,
    layout: device_layout.Layout,
    trained_by: Sequence[Mapping[str, Any]],
    code: Mapping[str, Any],
) -> dict[str, Any]:
    """Returns the facts of one run.

    Args:
      study: that it belongs to.
      cell: of the study.
      ending: how it ended.
      seconds: float64 `[P]`, training time at each point of its curves since the start of its wave.
      compile_seconds: of its program.
      layout: of its program on this machine.
      trained_by: code and machines, as `provenance.trained_by` returns them; recorded if there are several.
      code: version, commit and script, as `provenance.code` returns them.
    """
    known = {
        "schema": schema.VERSION,
        **identity(study, cell),
        "code": dict(code),
        "versions": _versions(cell),
        "hardware": provenance.hardware(layout.devices),
        "cost": {
            "wall_seconds": float(seconds[-1]),
            "seconds": [round(second, 3) for second in seconds.tolist()],
            "compile_seconds": compile_seconds,
            "runs_at_once": layout.width,
        },
        "diverged_at": ending.diverged_at,
        "created": now(),
    }
    optional = {
        "base_settings": study.base_settings,
        "best_step": ending.best_step if cell.seed in study.weights_of else None,
        "new_episodes_at": list(ending.renewed_at),
        "trained_by": list(trained_by) if len(trained_by) > 1 else [],
    }
    return known | {name: values for name, values in optional.items() if values}


def attachments(study: Study, cell: Cell, ending: Ending) -> dict[str, dict[str, np.ndarray]]:
    """Returns the arrays stored beside the curves: the log of episodes, and the weights of chosen seeds.

    Weights are the last ones and, if those of an earlier step had a higher evaluation return, also these.
    """
    kept = {"episodes": ending.episodes}
    if cell.seed in study.weights_of:
        best = {} if ending.best_step in (None, study.steps) else ending.best_parameters
        kept["weights"] = ending.parameters | {weights.BEST + path: values for path, values in best.items()}
    return {kind: arrays for kind, arrays in kept.items() if arrays}


def _versions(cell: Cell) -> dict[str, str]:
    """Returns the versions of the packages that a cell depends on, those that step its game among them."""
    game = spec.game(cell.game)
    return provenance.versions(*(game.packages if isinstance(game, HostGame) else ()))


def now() -> str:
    """Returns the time, UTC, ISO 8601."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
