"""A wave: runs of one compiled program that train side by side. The one trainer of studies and searches."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxdqn.spelling import counted
from jaxdqn.study import checkpoints, provenance
from jaxdqn.study.checkpoints import Checkpoint, Provenance, Snapshot
from jaxdqn.study.spec import Cell
from jaxdqn.study.stop_signals import StopRequest
from jaxdqn.training.checkpoint import Unusable
from jaxdqn.training.program import Program


class Wave(NamedTuple):
    """M runs that train side by side, at one step. Each has P points of its curves: one for each evaluation so far.

    A point of a curve has nothing to do with a point of a search, which is a setting of hyperparameters.

    Attributes:
      ids: identifiers of the M runs.
      step: environment steps of each run so far.
      states: what the program carries; it may hold more runs than M, as padding.
      curve_points: P dictionaries, one for each point of the curves: by name of the curve, the values `[M]`. The list
        grows during training: all waves that `train` yields share it.
      seconds: P numbers: seconds of training until each point, including the time of `WaveContext.save`, without
        compilation and interruptions. The waves share this list, too.
      num_restored: number of points that come from a snapshot.
      trained_by: for each run the code and machines that trained it before this process.
    """

    ids: tuple[str, ...]
    step: int
    states: Any
    curve_points: list[dict[str, np.ndarray]]
    seconds: list[float]
    num_restored: int
    trained_by: tuple[Provenance, ...]

    @property
    def is_new(self) -> bool:
        """Returns whether the wave has not trained yet in this process."""
        return len(self.curve_points) == self.num_restored

    @property
    def seconds_in_this_process(self) -> float:
        """Returns the seconds that the wave has trained in this process."""
        return 0.0 if self.is_new else self.seconds[-1] - _last_restored(self)


class WaveContext(NamedTuple):
    """What happens to a wave between evaluation periods.

    Attributes:
      stop: the request to stop.
      checkpoint_seconds: seconds of training between two calls of `save`.
      save: `wave -> None`, called when a checkpoint is due, and before a stop. The wave may be new.
      note: `sentence -> None`, called with what the user must know.
    """

    stop: StopRequest
    checkpoint_seconds: float
    save: Callable[[Wave], None]
    note: Callable[[str], None]


def train(
    program: Program,
    cells: Sequence[Cell],
    start: Snapshot | Checkpoint | None,
    *,
    width: int,
    every: int,
    until: int,
    context: WaveContext,
) -> Iterator[Wave]:
    """Yields the wave at its start, and after each evaluation period until its last step.

    If the snapshot turns out to be unusable only after the first evaluation period, the wave has been yielded at its
    start. A new wave at step 0 is then yielded, too: a second start, to which `is_new` applies.

    Args:
      program: the compiled program of these cells.
      cells: one for each run, at most `width`. If there are fewer, the last run is computed again to fill the program,
        and that result is discarded.
      start: the snapshot to continue from, or a checkpoint on disk with it. None, or a snapshot that cannot be used,
        means step 0.
      width: number of runs that the program computes.
      every: environment steps of an evaluation period.
      until: the step at which training ends.
      context: what happens between periods.

    Raises:
      KeyboardInterrupt: after a request to stop, once the wave is saved.
    """
    try:
        yield from _train(program, cells, start, width, every, until, context)
    except Unusable as problem:
        context.note(f"{counted(len(cells), 'run')} must begin again, because the checkpoint cannot be used: {problem}")
        yield from _train(program, cells, None, width, every, until, context)


def curves(wave: Wave) -> dict[str, np.ndarray]:
    """Returns the curves of a wave, `[M, P]` by name."""
    return {name: np.stack([point[name] for point in wave.curve_points], axis=1) for name in wave.curve_points[0]}


def scores(wave: Wave) -> np.ndarray:
    """Returns the newest evaluation returns of the runs, float32 `[M]`; NaN for a run that has diverged.

    A run diverges in a period that has updates, but no finite loss. In a period without updates, the loss is NaN, too.
    """
    updates, loss = (np.stack([point[name] for point in wave.curve_points]) for name in ("updates", "loss"))
    has_diverged = ((np.diff(updates, axis=0, prepend=0) > 0) & ~np.isfinite(loss)).any(axis=0)
    return np.where(has_diverged, np.nan, wave.curve_points[-1]["evaluation_return"])


def trained_by(wave: Wave) -> tuple[Provenance, ...]:
    """Returns for each run the code and machines that trained it, with this process as the last one."""
    return tuple(provenance.trained_by(earlier, wave.step) for earlier in wave.trained_by)


def snapshot(program: Program, wave: Wave) -> Snapshot | None:
    """Returns a snapshot of the runs that did not fail; None if all failed, or before the first point."""
    places, state = program.save(wave.states)  # places: of the runs in the program that did not fail
    rows = {place: row for row, place in enumerate(places) if place < len(wave.ids)}  # without padding
    if not rows or not wave.curve_points:
        return None
    kept = list(rows)
    origins = trained_by(wave)
    return Snapshot(
        ids=tuple(wave.ids[place] for place in kept),
        step=wave.step,
        state=[values[list(rows.values())] for values in state],
        curves={name: values[kept] for name, values in curves(wave).items()},
        seconds=np.tile(np.array(wave.seconds), (len(kept), 1)),
        trained_by=tuple(origins[place] for place in kept),
    )


def _train(
    program: Program,
    cells: Sequence[Cell],
    start: Snapshot | Checkpoint | None,
    width: int,
    every: int,
    until: int,
    context: WaveContext,
) -> Iterator[Wave]:
    wave = _begin(program, cells, start, width)
    yield wave
    started = time.perf_counter() - _last_restored(wave)
    saved_at = time.perf_counter()
    while wave.step < until:
        is_stop_requested = context.stop.is_requested  # read once: it may change between two reads
        if is_stop_requested or time.perf_counter() - saved_at >= context.checkpoint_seconds:
            context.save(wave)
            saved_at = time.perf_counter()
        if is_stop_requested:
            raise KeyboardInterrupt
        states, values = program.advance(wave.states, wave.step)
        point = {name: column[: len(cells)] for name, column in values.items()}
        if wave.curve_points and point.keys() != wave.curve_points[-1].keys():
            raise Unusable("it has other curves than this version of jaxdqn")
        # The two lists grow in place: a copy of all points after each period would take ever longer.
        wave.curve_points.append(point)
        wave.seconds.append(time.perf_counter() - started)
        wave = wave._replace(step=wave.step + every, states=states)
        yield wave


def _begin(program: Program, cells: Sequence[Cell], start: Snapshot | Checkpoint | None, width: int) -> Wave:
    """Returns a wave at its start.

    Raises:
      Unusable: if the snapshot cannot be read, or was made by other runs.
    """
    padded = [*cells, *[cells[-1]] * (width - len(cells))]
    configs, seeds, ids = [cell.config for cell in padded], [cell.seed for cell in padded], [cell.id for cell in cells]
    if start is None:
        return Wave(tuple(ids), 0, program.init(configs, seeds), [], [], 0, ((),) * len(ids))
    start = checkpoints.select(checkpoints.load(start) if isinstance(start, Checkpoint) else start, ids)
    rows = [min(row, len(cells) - 1) for row in range(width)]
    states = program.load(configs, seeds, [values[rows] for values in start.state])
    points = [{name: values[:, i] for name, values in start.curves.items()} for i in range(start.seconds.shape[1])]
    seconds = max(start.seconds.tolist(), key=lambda of_a_run: of_a_run[-1])  # runs may come from several waves
    return Wave(tuple(ids), start.step, states, points, seconds, len(points), start.trained_by)


def _last_restored(wave: Wave) -> float:
    """Returns the seconds that the wave had trained before this process."""
    return wave.seconds[wave.num_restored - 1] if wave.num_restored else 0.0
