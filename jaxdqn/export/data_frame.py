"""Reads the runs of a study into pandas data frames: one row per run, or one row per run and evaluation period.

    from jaxdqn.export import data_frame

    runs = data_frame.runs("results/catch")
    curves = data_frame.curves("results/catch")

Both functions take the folder of a study or of several studies, packed or not. The columns are those of
`jaxdqn export --to csv`.
"""

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxdqn.export import csv_tables
from jaxdqn.store import schema, store
from jaxdqn.store.record import Run, kinds_in

if TYPE_CHECKING:
    import pandas

_SCORE = "evaluation_return"


def runs(path: str | Path) -> "pandas.DataFrame":
    """Returns the facts and the score of each run.

    Args:
      path: folder of a study, or of several studies.

    Returns:
      a data frame with a row per run, a column per fact by dotted path, such as `id`, `game.name`, `seed`,
      `configuration.learning_rate`, `diverged_at`, `cost.wall_seconds`, and the column `score`, float64: the last
      evaluation return, NaN if the run diverged.

    Raises:
      FileNotFoundError, ValueError: the path has no runs, or pandas is not installed.
      jaxdqn.store.record.DamagedResult: a run is damaged.
    """
    data_frame = _data_frame_class()
    return data_frame([_facts(run) | {"score": _score(run)} for run in _read(path)])


def curves(path: str | Path) -> "pandas.DataFrame":
    """Returns the curves of all runs, one row per run and evaluation period.

    Args:
      path: folder of a study, or of several studies.

    Returns:
      a data frame with the columns `study`, `game`, `algorithm`, `settings.<field>`, `seed`, `id`, `steps` (int64) and
      one per curve, such as `evaluation_return` (float32); NaN if the run has no such curve.

    Raises:
      FileNotFoundError, ValueError, jaxdqn.store.record.DamagedResult: as `runs`.
    """
    data_frame, found = _data_frame_class(), _read(path)
    num_points = [len(run.curves["steps"]) for run in found]
    names, settings = csv_tables.identity_columns(found)
    identities = zip(*(csv_tables.identity(run, settings) for run in found), strict=True)
    columns = {
        name: np.repeat(np.array(values, object), num_points) for name, values in zip(names, identities, strict=True)
    }
    for name in ("steps", *sorted({name for run in found for name in run.curves} - {"steps"})):
        missing = np.float32(np.nan)
        columns[name] = np.concatenate(
            [run.curves.get(name, np.full(run.curves["steps"].shape, missing)) for run in found]
        )
    return data_frame(columns).infer_objects()


def _data_frame_class() -> "type[pandas.DataFrame]":
    """Returns `pandas.DataFrame`; raises ValueError if pandas is not installed."""
    if importlib.util.find_spec("pandas") is None:
        raise ValueError('Data frames need pandas: pip install "jaxdqn[pandas]".')
    import pandas

    return pandas.DataFrame


def _read(path: str | Path) -> list[Run]:
    """Returns all runs at a path, at least one."""
    found = [store.read(folder) for folder in store.folders(path)]
    damaged = [problem for results in found for problem in results.damaged]
    if damaged:
        raise damaged[0]
    runs = [run for results in found for run in results.runs]
    if not runs:
        raise ValueError(f"{path} holds no runs: run the study first.")
    return runs


def _facts(run: Run) -> dict[str, Any]:
    """Returns the facts of a run by dotted path, without the descriptions of its arrays."""
    described = ("curves", *kinds_in(run.facts))
    return schema.leaves({key: value for key, value in run.facts.items() if key not in described})


def _score(run: Run) -> float:
    has_score = run.facts["diverged_at"] is None and _SCORE in run.curves
    return float(run.curves[_SCORE][-1]) if has_score else np.nan
