"""Runs of a search that train from one rung to the next, and wait in between.

A run that waits is kept as a snapshot, and continues later bit for bit, perhaps beside other runs. Snapshots are kept
in the memory of the host, and also on disk if training takes long or is interrupted.
"""

import contextlib
import functools
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxdqn.store import store
from jaxdqn.study import checkpoints, records, spec, stop_signals, wave
from jaxdqn.study.checkpoints import Snapshot
from jaxdqn.study.spec import Cell, Study
from jaxdqn.study.stop_signals import StopRequest
from jaxdqn.study.wave import Wave, WaveContext
from jaxdqn.training import device_layout, program
from jaxdqn.training.checkpoint import Unusable
from jaxdqn.training.device_layout import Layout
from jaxdqn.training.program import Program
from jaxdqn.training.state import Ending

Programs = dict[Any, tuple[Program, Layout]]  # by game, structure, evaluation, number of runs and memory


class Runs(NamedTuple):
    """The runs of one search, and how they are trained.

    Attributes:
      folder: results go to `runs`, checkpoints to `checkpoints`.
      programs: compiled so far; several searches can share them.
      waiting: snapshots of one run each, by identifier.
      stop: the request to stop.
      checkpoint_seconds: of training between checkpoints.
      memory: bytes that runs may use at once; None for half of what there is.
      advanced: is called with environment steps and `wave.scores` after each evaluation period.
      is_stored: whether runs that reach their last step are recorded.
      code: version, commit and script, as records have them.
    """

    folder: pathlib.Path
    programs: Programs
    waiting: dict[str, Snapshot]
    stop: StopRequest
    checkpoint_seconds: float
    memory: float | None
    advanced: Callable[[int, np.ndarray], None]
    is_stored: bool
    code: dict[str, Any]


class Trained(NamedTuple):
    """A run at the end of a rung: its evaluation returns `[P]`, and the step at which it diverged, or None."""

    returns: np.ndarray
    diverged_at: int | None


@contextlib.contextmanager
def programs() -> Iterator[Programs]:
    """Yields an empty table of compiled programs, and closes them at the end."""
    made: Programs = {}
    try:
        yield made
    finally:
        for compiled, _ in made.values():
            compiled.close()


def train(runs: Runs, members: Sequence[tuple[Study, Cell]], until: int, width: int) -> dict[str, Trained]:
    """Trains runs of one structure up to a step, and returns them by identifier.

    All of them wait afterwards. Those at the last step of their study are recorded.

    Args:
      runs: of the search.
      members: the runs, each with its study.
      until: environment steps of each.
      width: number of runs that the program trains at once; fewer are padded.

    Raises:
      KeyboardInterrupt: after a request to stop; a checkpoint holds all runs.
      RuntimeError: if the game of a run raised an error.
    """
    compiled, layout = _program(runs, *members[0], width)
    trained: dict[str, Trained] = {}
    for first in range(0, len(members), layout.width):
        trained |= _train_wave(runs, members[first : first + layout.width], until, compiled, layout)
    return trained


def load(runs: Runs) -> None:
    """Loads the snapshots that an earlier process wrote; of each run the one with most steps."""
    for found in reversed(checkpoints.read(runs.folder / "checkpoints")):
        with contextlib.suppress(Unusable):  # those runs begin again
            _wait(runs, checkpoints.load(found))


def save(runs: Runs) -> None:
    """Writes all snapshots to disk, in the place of those written before.

    Raises:
      OSError: if the disk does not allow it; the checkpoints before may still be there, and none is half written.
    """
    try:
        _save(runs)
    except OSError:
        raise
    except Exception as problem:  # libraries raise other errors as well; none is the fault of a point
        raise OSError(f"no checkpoint could be written: {problem}") from problem


def _save(runs: Runs) -> None:
    folder = runs.folder / "checkpoints"
    folder.mkdir(exist_ok=True)
    before = checkpoints.read(folder)
    alike: dict[Any, list[Snapshot]] = {}
    for one in runs.waiting.values():
        shapes = [(leaf.shape, str(leaf.dtype)) for leaf in one.state]
        alike.setdefault((_stage(one), *shapes), []).append(one)
    joined = [checkpoints.join(snapshots) for snapshots in alike.values()]
    for snapshot in joined:
        checkpoints.write(folder, snapshot)
    written = {snapshot.ids for snapshot in joined}
    for old in before:
        if old.ids not in written:
            checkpoints.remove(folder, old.ids)


def _program(runs: Runs, study: Study, cell: Cell, width: int) -> tuple[Program, Layout]:
    key = (cell.game, jax.tree.structure(cell.config), study.evaluation, width, runs.memory)
    if key not in runs.programs:
        if study.evaluation.is_shared(cell.config.num_environments):
            while runs.programs:  # the only environment that can exist may be theirs
                runs.programs.popitem()[1][0].close()
        game = spec.game(cell.game)
        layout = device_layout.choose(cell.config, game, width, runs.memory, study.evaluation)
        runs.programs[key] = program.make(cell.config, game, study.evaluation, layout), layout
    return runs.programs[key]


def _train_wave(
    runs: Runs, members: Sequence[tuple[Study, Cell]], until: int, compiled: Program, layout: Layout
) -> dict[str, Trained]:
    cells, every = [cell for _, cell in members], members[0][0].evaluation.every
    save_wave = functools.partial(_keep_and_save, runs, compiled)
    between = WaveContext(runs.stop, runs.checkpoint_seconds, save_wave, stop_signals.print_note)
    start = _start(runs, cells)
    for at in wave.train(compiled, cells, start, width=layout.width, every=every, until=until, context=between):
        if not at.is_new:
            runs.advanced(every * len(cells), wave.scores(at))
    endings = compiled.end(at.states)[: len(cells)]
    failed = [ending.failure for ending in endings if ending.failure is not None]
    if failed:
        raise RuntimeError(f"The environment of a run failed:\n{failed[0]}")
    _keep(runs, compiled, at)
    if until == members[0][0].steps and runs.is_stored:
        _record(runs, members, endings, compiled.compile_seconds, layout)
    returns = wave.curves(at)["evaluation_return"]
    return {
        cell.id: Trained(returns[row], ending.diverged_at)
        for row, (cell, ending) in enumerate(zip(cells, endings, strict=True))
    }


def _start(runs: Runs, cells: Sequence[Cell]) -> Snapshot | None:
    """Returns the snapshot that all of these runs continue from; None if they begin at step 0."""
    found = [runs.waiting[cell.id] for cell in cells if cell.id in runs.waiting]
    if len(found) == len(cells) and len(set(map(_stage, found))) == 1:
        return checkpoints.join(found)
    for cell in cells:
        runs.waiting.pop(cell.id, None)
    return None


def _stage(snapshot: Snapshot) -> tuple[Any, ...]:
    """Returns step and names of curves: runs can train side by side if these are equal."""
    return (snapshot.step, *snapshot.curves)


def _keep_and_save(runs: Runs, compiled: Program, at: Wave) -> None:
    if not at.is_new:
        _keep(runs, compiled, at)
    save(runs)


def _keep(runs: Runs, compiled: Program, at: Wave) -> None:
    """Keeps the runs of a wave as snapshots, except failed runs."""
    if (snapshot := wave.snapshot(compiled, at)) is not None:
        _wait(runs, snapshot)


def _wait(runs: Runs, snapshot: Snapshot) -> None:
    runs.waiting.update({id: checkpoints.select(snapshot, (id,)) for id in snapshot.ids})


def _record(
    runs: Runs,
    members: Sequence[tuple[Study, Cell]],
    endings: Sequence[Ending],
    compile_seconds: float,
    layout: Layout,
) -> None:
    for (study, cell), ending in zip(members, endings, strict=True):
        run = runs.waiting[cell.id]
        curves = {name: values[0] for name, values in run.curves.items()}
        facts = records.facts(
            study, cell, ending, run.seconds[0], compile_seconds, layout, run.trained_by[0], runs.code
        )
        with contextlib.suppress(store.CompleteAlready):  # an interrupted wave that is run again
            store.write(runs.folder / "runs", facts, curves, records.attachments(study, cell, ending))
