"""Waves of a search: runs that are trained from one rung to the next, kept in between, and stored when they are done.

A run is kept whole, so that one which was dropped from its program and taken up again later, beside others, ends as if
nothing had happened. Runs are kept in the memory of the host; on disk when training took long, or was interrupted.
"""

import contextlib
import pathlib
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxdqn.store import store
from jaxdqn.study import checkpoints, provenance, records, spec
from jaxdqn.study.signals import Interruption
from jaxdqn.study.spec import Cell, Study
from jaxdqn.training import program
from jaxdqn.training.checkpoint import Unusable
from jaxdqn.training.program import Layout, Program
from jaxdqn.training.state import Ending

Programs = dict[Any, tuple[Program, Layout]]  # by game, structure, evaluation and number of members


class Kept(NamedTuple):
    """A run that waits.

    Attributes:
      step: that it has reached.
      state: what it needs to go on, one array a leaf.
      curves: `[periods]` each, until here.
      seconds: float64 `[periods]`, since the start of its wave.
      makers: what trained it, as `records.made` says.
    """

    step: int
    state: list[np.ndarray]
    curves: dict[str, np.ndarray]
    seconds: np.ndarray
    makers: tuple[dict[str, Any], ...]


class Runs(NamedTuple):
    """What waves of one search go by.

    Attributes:
      folder: its results go to `runs`, checkpoints to `checkpoints`.
      programs: compiled so far; they can serve several searches.
      kept: runs that wait, by identifier.
      told: whether to stop.
      checkpoint_seconds: of training after which a checkpoint is written.
      memory: bytes that runs may use at once; None for half of what there is.
      advanced: is called with environment steps and scores as they come.
      is_stored: whether runs that reach their end are stored.
      code: version, commit and script, as records have them.
    """

    folder: pathlib.Path
    programs: Programs
    kept: dict[str, Kept]
    told: Interruption
    checkpoint_seconds: float
    memory: float | None
    advanced: Callable[[int, np.ndarray], None]
    is_stored: bool
    code: dict[str, Any]


@contextlib.contextmanager
def programs() -> Iterator[Programs]:
    """Returns room for compiled programs, and closes them in the end."""
    made: Programs = {}
    try:
        yield made
    finally:
        for compiled, _ in made.values():
            compiled.close()


class Trained(NamedTuple):
    """A run up to the end of a rung: its evaluation returns `[periods]`, and the step at which it diverged, or None."""

    returns: np.ndarray
    diverged_at: int | None


def train(runs: Runs, members: Sequence[tuple[Study, Cell]], stop: int, width: int) -> dict[str, Trained]:
    """Trains runs of one structure up to a step, and returns them by identifier.

    Those that are then at the end of their study are stored, the others kept.

    Args:
      runs: of the search.
      members: the runs, each with the study that it belongs to.
      stop: environment steps of each.
      width: for how many at once the program is made; fewer are filled up, in vain.

    Raises:
      KeyboardInterrupt: told to stop; what there is lies in a checkpoint.
      RuntimeError: if the game of a run raised an error.
    """
    compiled, layout = _program(runs, *members[0], width)
    trained: dict[str, Trained] = {}
    for start in range(0, len(members), layout.width):
        chunk = members[start : start + layout.width]
        trained |= _train_chunk(runs, chunk, stop, compiled, layout)
    return trained


def load(runs: Runs) -> None:
    """Takes up what an earlier process kept on disk."""
    for found in reversed(checkpoints.read(runs.folder / "checkpoints")):
        with contextlib.suppress(Unusable):
            *arrays, seconds = checkpoints.load(found, provenance.versions())
            first = len(arrays) - len(found.curves)
            state, points = arrays[:first], arrays[first:]
            for row, id in enumerate(found.cells):
                curves = {name: values[row] for name, values in zip(found.curves, points, strict=True)}
                state_of_it = [values[row] for values in state]
                runs.kept[id] = Kept(found.step, state_of_it, curves, seconds[row], found.makers)


def save(runs: Runs) -> None:
    """Writes all that waits to disk, in the place of what was written before, if the disk lets it.

    Raises:
      OSError: if it does not; what was written before may be there still, and is never half of it.
    """
    try:
        _save(runs)
    except OSError:
        raise
    except Exception as problem:  # by which a library says that it could not write: not the fault of any point
        raise OSError(f"no checkpoint could be written: {problem}") from problem


def _save(runs: Runs) -> None:
    folder = runs.folder / "checkpoints"
    folder.mkdir(exist_ok=True)
    before = checkpoints.read(folder)
    alike: dict[Any, list[str]] = {}
    for id, run in runs.kept.items():
        shapes = [(leaf.shape, str(leaf.dtype)) for leaf in run.state]
        alike.setdefault((run.step, str(run.makers), *sorted(run.curves), *shapes), []).append(id)
    for (step, *_), ids in alike.items():
        waiting = [runs.kept[id] for id in ids]
        state = [np.stack(leaves) for leaves in zip(*(run.state for run in waiting), strict=True)]
        names = sorted(waiting[0].curves)
        curves = [np.stack([run.curves[name] for run in waiting]) for name in names]
        seconds = np.stack([run.seconds for run in waiting])
        checkpoints.write(
            folder, ids, step, provenance.versions(), waiting[0].makers, names, [*state, *curves, seconds]
        )
    for old in before:
        if list(old.cells) not in alike.values():
            checkpoints.remove(folder, old.cells)


def _program(runs: Runs, study: Study, cell: Cell, width: int) -> tuple[Program, Layout]:
    key = (cell.game, jax.tree.structure(cell.config), study.evaluation, width, runs.memory)
    if key not in runs.programs:
        game = spec.game(cell.game)
        layout = program.layout(cell.config, game, width, runs.memory)
        runs.programs[key] = program.make(cell.config, game, study.evaluation, layout), layout
    return runs.programs[key]


def _train_chunk(
    runs: Runs, chunk: Sequence[tuple[Study, Cell]], stop: int, compiled: Program, layout: Layout
) -> dict[str, Trained]:
    ids = [spec.identifier(study, cell) for study, cell in chunk]
    filled = [cell for _, cell in chunk] + [chunk[-1][1]] * (layout.width - len(chunk))
    states, step, curves, seconds = _begin(runs, ids, filled, compiled)
    started = time.perf_counter() - (seconds[-1] if seconds else 0.0)
    kept_at, every = time.perf_counter(), chunk[0][0].evaluation.every
    while step < stop:
        states, point = compiled.advance(states, step)
        step += every
        for name, values in point.items():
            curves.setdefault(name, []).append(values[: len(ids)])
        seconds.append(time.perf_counter() - started)
        runs.advanced(every * len(ids), point["evaluation_return"][: len(ids)])
        is_due = time.perf_counter() - kept_at >= runs.checkpoint_seconds
        if step == stop or is_due or runs.told.is_asked:
            _keep(runs, ids, step, compiled, states, curves, seconds)
        if is_due or runs.told.is_asked:
            save(runs)
            kept_at = time.perf_counter()
        if runs.told.is_asked:
            raise KeyboardInterrupt
    endings = compiled.end(states)[: len(ids)]
    if stop == chunk[0][0].steps and runs.is_stored:
        _store(runs, chunk, ids, compiled, endings, layout)
    return {
        id: Trained(runs.kept[id].curves["evaluation_return"], ending.diverged_at)
        for id, ending in zip(ids, endings, strict=True)
    }


def _begin(
    runs: Runs, ids: list[str], filled: Sequence[Cell], compiled: Program
) -> tuple[Any, int, dict[str, list[np.ndarray]], list[float]]:
    """Returns the states to go on from, their step, and the curves and seconds until there."""
    configs, seeds = [cell.config for cell in filled], [cell.seed for cell in filled]
    kept = [runs.kept[id] for id in ids if id in runs.kept]
    if len(kept) == len(ids) and len({run.step for run in kept}) == 1:
        rows = [*kept, *[kept[-1]] * (len(filled) - len(ids))]
        state = [np.stack(leaves) for leaves in zip(*(run.state for run in rows), strict=True)]
        curves = {name: list(np.stack([run.curves[name] for run in kept], axis=1)) for name in kept[0].curves}
        with contextlib.suppress(Unusable):  # made by another version: these runs begin again
            longest = max((run.seconds for run in kept), key=lambda seconds: float(seconds[-1]))
            return compiled.load(configs, seeds, state), kept[0].step, curves, longest.tolist()
    for id in ids:
        runs.kept.pop(id, None)
    return compiled.init(configs, seeds), 0, {}, []


def _keep(
    runs: Runs,
    ids: list[str],
    step: int,
    compiled: Program,
    states: Any,
    curves: dict[str, list[np.ndarray]],
    seconds: list[float],
) -> None:
    places, arrays = compiled.save(states)
    crashed = [row for row in range(len(ids)) if row not in places]
    if crashed:
        raise RuntimeError(f"A run crashed in its game:\n{compiled.end(states)[crashed[0]].crash}")
    for row, id in enumerate(ids):
        state = [np.array(values[places.index(row)]) for values in arrays]  # a copy: a view would keep all rows
        points = {name: np.array([values[row] for values in curves[name]]) for name in curves}
        makers = records.made(runs.kept[id].makers if id in runs.kept else (), step)
        runs.kept[id] = Kept(step, state, points, np.array(seconds), makers)


def _store(
    runs: Runs,
    chunk: Sequence[tuple[Study, Cell]],
    ids: list[str],
    compiled: Program,
    endings: Sequence[Ending],
    layout: Layout,
) -> None:
    for (study, cell), id, ending in zip(chunk, ids, endings, strict=True):
        run = runs.kept[id]
        facts = records.facts(study, cell, ending, run.seconds, compiled.compile_seconds, layout, run.makers, runs.code)
        with contextlib.suppress(store.CompleteAlready):  # an interrupted wave that is run again
            store.write(runs.folder / "runs", facts, run.curves, records.attachments(study, cell, ending))
