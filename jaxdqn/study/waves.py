"""A wave: runs of one program that train side by side, from their beginning or from a checkpoint."""

import functools
import pathlib
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxdqn.export.exporter import Exporter
from jaxdqn.study import checkpoints, progress, provenance, records
from jaxdqn.study.checkpoints import Checkpoint
from jaxdqn.study.live import Live
from jaxdqn.study.signals import Interruption
from jaxdqn.study.spec import Cell, Study
from jaxdqn.training import program
from jaxdqn.training.checkpoint import Unusable
from jaxdqn.training.state import Ending


class Around(NamedTuple):
    """What is around all waves of a call.

    Attributes:
      checkpoints: the folder.
      checkpoint_seconds: of training between them.
      exporters: to which curves are sent.
      bar: shows how far it is.
      told: whether to stop.
      holds: returns whether this process still has the cells of these identifiers.
    """

    checkpoints: pathlib.Path
    checkpoint_seconds: float
    exporters: Sequence[Exporter]
    bar: progress.Bar
    told: Interruption
    holds: Callable[[Sequence[str]], bool]


class TakenOver(Exception):
    """Another process has the cells of a wave: this one was silent for so long that it counted as dead."""


class Wave(NamedTuple):
    """What came of a wave.

    Attributes:
      curves: `[members, periods]` by name.
      endings: one a member.
      seconds: float64 `[periods]`, since the start of the wave, without compilation and interruptions.
      seconds_here: of them, spent since it was taken up here.
      makers: what trained it, up to which step, in order.
      live: the runs as the exporters know them; not ended yet.
    """

    curves: dict[str, np.ndarray]
    endings: list[Ending]
    seconds: np.ndarray
    seconds_here: float
    makers: tuple[dict[str, Any], ...]
    live: Live


def train(
    study: Study,
    members: Mapping[str, Cell],
    found: Checkpoint | None,
    compiled: program.Program,
    width: int,
    around: Around,
) -> Wave:
    """Returns what comes of the members, trained side by side.

    Args:
      study: that they belong to.
      members: cells by identifier; if they are fewer than the wave is wide, the last is run once more, in vain.
      found: a checkpoint that holds all of them, to go on from.
      compiled: their program.
      width: of its waves.
      around: the rest.

    Raises:
      KeyboardInterrupt: told to stop, after a checkpoint of the periods that it has finished.
      TakenOver: if another process has its cells.
    """
    ids, cells = list(members), list(members.values())
    filled = [*cells, *[cells[-1]] * (width - len(cells))]
    states, first, curves, seconds = _begin(filled, ids, found, compiled, around.bar.note)
    makers = found.makers if found is not None and first > 0 else ()
    live = Live(around.exporters, [records.identity(study, cell) for cell in cells], around.bar.note)
    for i in range(len(seconds)):
        live.point({name: points[i] for name, points in curves.items()})
    around.bar.training(first * len(cells))
    if around.told.is_asked:  # while its program was compiled, or its environments were brought to where they were
        raise KeyboardInterrupt
    before = seconds[-1] if seconds else 0.0
    started = time.perf_counter() - before
    kept_at = time.perf_counter()
    for step in range(first, study.steps, study.evaluation.every):
        states, point = compiled.advance(states, step)
        for name, values in point.items():
            curves.setdefault(name, []).append(values)
        seconds.append(time.perf_counter() - started)
        live.point(point)
        around.bar.advance(study.evaluation.every * len(cells), point["evaluation_return"][: len(cells)])
        stop = step + study.evaluation.every
        if stop < study.steps and not around.holds(ids):
            raise TakenOver
        is_due = time.perf_counter() - kept_at >= around.checkpoint_seconds
        is_asked = around.told.is_asked  # looked at once: it may change between two looks
        if stop < study.steps and (is_due or is_asked):
            _keep(
                around, ids, stop, records.made(makers, stop), functools.partial(compiled.save, states), curves, seconds
            )
            kept_at = time.perf_counter()
        if stop < study.steps and is_asked:
            raise KeyboardInterrupt
    stacked = {name: np.stack(points, axis=1) for name, points in curves.items()}
    makers = records.made(makers, study.steps)
    return Wave(stacked, compiled.end(states)[: len(cells)], np.array(seconds), seconds[-1] - before, makers, live)


def _begin(
    filled: Sequence[Cell],
    ids: Sequence[str],
    found: Checkpoint | None,
    compiled: program.Program,
    note: Callable[[str], None],
) -> tuple[Any, int, dict[str, list[np.ndarray]], list[float]]:
    """Returns the states to go on from, their step, and the curves and seconds until there."""
    configs, seeds = [cell.config for cell in filled], [cell.seed for cell in filled]
    if found is not None:
        rows = [found.cells.index(id) for id in ids]
        rows += rows[-1:] * (len(filled) - len(rows))
        try:
            state, curves, seconds = _read(found, rows)
            return compiled.load(configs, seeds, state), found.step, curves, seconds
        except Unusable as problem:  # made with other versions, or damaged
            note(f"{len(ids)} runs begin again, since their checkpoint is of no use: {problem}")
    return compiled.init(configs, seeds), 0, {}, []


def _read(found: Checkpoint, rows: list[int]) -> tuple[list[np.ndarray], dict[str, list[np.ndarray]], list[float]]:
    """Returns the rows of a checkpoint: of the state, of the points of each curve, and the seconds at each point."""
    arrays = checkpoints.load(found, provenance.versions())
    first = len(arrays) - 1 - len(found.curves)
    if first <= 0:
        raise Unusable(f"it holds {len(arrays)} arrays, too few")
    *arrays, seconds = arrays
    state, points = arrays[:first], arrays[first:]
    whole = (len(found.cells), len(seconds))
    if any(values.shape[:1] != whole[:1] for values in state) or any(values.shape != whole for values in points):
        raise Unusable("its arrays are not of as many runs and points as it says")
    curves = {name: list(values[rows].T) for name, values in zip(found.curves, points, strict=True)}
    return [values[rows] for values in state], curves, seconds.tolist()


def _keep(
    around: Around,
    ids: Sequence[str],
    step: int,
    makers: Sequence[Mapping[str, Any]],
    save: Callable[[], tuple[list[int], list[np.ndarray]]],
    curves: dict[str, list[np.ndarray]],
    seconds: list[float],
) -> None:
    """Writes a checkpoint of the members that go on, if memory and disk let it; without one, training goes on too."""
    try:
        places, arrays = save()
        rows = [place for place in places if place < len(ids)]  # not of those that fill the wave up
        if not rows:
            return
        names = sorted(curves)
        points = [np.stack(curves[name], axis=1)[rows] for name in names]
        state = [values[[places.index(row) for row in rows]] for values in arrays]
        around.checkpoints.mkdir(exist_ok=True)
        kept = [ids[row] for row in rows]
        arrays = [*state, *points, np.array(seconds)]
        checkpoints.write(around.checkpoints, kept, step, provenance.versions(), makers, names, arrays)
    except Exception as problem:
        around.bar.note(f"no checkpoint could be written: {problem}")
