"""The runs of one compiled program: cells are claimed, trained in waves, and recorded when their wave ends."""

import contextlib
import functools
import pathlib
import traceback
from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxdqn.export.exporter import Exporter
from jaxdqn.spelling import counted
from jaxdqn.store import failures, store
from jaxdqn.store.claims import Claims
from jaxdqn.study import checkpoints, missing_runs, plan, progress, records, spec, wave
from jaxdqn.study.checkpoints import Checkpoint
from jaxdqn.study.live_export import Live
from jaxdqn.study.spec import Cell, Study
from jaxdqn.study.stop_signals import StopRequest
from jaxdqn.study.wave import Wave, WaveContext
from jaxdqn.training import device_layout, program
from jaxdqn.training.device_layout import Layout
from jaxdqn.training.host_checkpoint import Restoring
from jaxdqn.training.program import Program
from jaxdqn.training.state import Ending

# A resumed run may take earlier steps again for as long as it trains between checkpoints, or so long if this is longer:
# a job that is always ended after the same time must still make progress.
_FEWEST_SECONDS = 10.0


class StudyContext(NamedTuple):
    """The context that all groups of one call of `execute.run` share.

    Attributes:
      study: that is run.
      folder: of the study.
      requested: identifiers of the cells that had no result when the call began.
      claims: of this process.
      stop: the request to stop.
      bar: shows progress.
      exporters: to which curves are sent.
      checkpoint_seconds: of training between checkpoints.
      memory: bytes that runs may use at once; None for half of what there is.
      asynchronous: whether each environment of a host game has a process.
      code: version, commit and script, as records have them.
    """

    study: Study
    folder: pathlib.Path
    requested: Collection[str]
    claims: Claims
    stop: StopRequest
    bar: progress.Bar
    exporters: Sequence[Exporter]
    checkpoint_seconds: float
    memory: float | None
    asynchronous: bool
    code: dict[str, Any]

    @property
    def checkpoints(self) -> pathlib.Path:
        """Returns the folder of checkpoints."""
        return self.folder / "checkpoints"


class GroupReport(NamedTuple):
    """The work on one group: the endings of the runs recorded, and seconds of compiling (None: not) and training."""

    endings: list[Ending]
    compile_seconds: float | None
    training_seconds: float


class ClaimLost(Exception):
    """Another process has claimed runs of a wave: this one gave no sign of life for long and counted as dead."""


def run_group(context: StudyContext, group: plan.Group) -> GroupReport:
    """Runs the cells of a group that can be claimed. The program is compiled for the first of them.

    Raises:
      OSError: if a result cannot be stored.
      KeyboardInterrupt: after a request to stop.
    """
    cells = {cell.id: cell for cell in group.cells}
    try:
        layout = device_layout.choose(
            group.cells[0].config, spec.game(group.game), len(cells), context.memory, context.study.evaluation
        )
    except ValueError:  # too large for the memory
        _fail(context, [cells[id] for id in _claim_all(context, cells)], traceback.format_exc())
        return GroupReport([], None, 0.0)
    recorded: list[Ending] = []
    compiled, seconds = None, 0.0
    with contextlib.ExitStack() as stack:
        for ids, found in _claimed(context, cells, layout.width):
            members = [cells[id] for id in ids]
            try:
                if compiled is None:
                    compiled = stack.enter_context(_compiled(context, group, layout))
                ended, endings, live = _train(context, members, found, compiled, layout.width)
            except ClaimLost:
                context.bar.note(f"{len(ids)} runs are left to another process: this one gave no sign of life for long")
            except Exception:
                others = _claim_all(context, cells) if compiled is None else ()  # no cell of the group compiles
                _fail(context, [*members, *(cells[id] for id in others)], traceback.format_exc())
            else:
                seconds += ended.seconds_in_this_process
                recorded += _record(context, members, ended, endings, live, compiled.compile_seconds, layout)
                _remove_checkpoints(context, ids)
            context.claims.release(ids)
    return GroupReport(recorded, compiled.compile_seconds if compiled is not None else None, seconds)


def _claimed(
    context: StudyContext, ids: Collection[str], width: int
) -> Iterator[tuple[tuple[str, ...], Checkpoint | None]]:
    """Yields cells that this process now holds and that still have to be run, with a checkpoint that has all of them.

    Raises:
      KeyboardInterrupt: after a request to stop.
    """
    while True:
        context.stop.raise_if_requested()
        claimed = _claim(context, ids, width)
        if not claimed:
            return
        context.bar.left(len(missing_runs.remaining(context.folder, context.requested)))
        holding = [one for one in checkpoints.read(context.checkpoints) if set(claimed) <= set(one.ids)]
        found = max(holding, key=lambda one: one.step, default=None)
        _note_lack_of_progress(context, claimed, found)
        yield claimed, found


def _note_lack_of_progress(context: StudyContext, ids: Sequence[str], found: Checkpoint | None) -> None:
    step = found.step if found else 0
    if checkpoints.begin(context.checkpoints, ids, step):
        context.bar.note(
            f"the last call began {counted(len(ids), 'run')} at step {step:,}, too, and was ended before the next "
            "checkpoint, which follows an evaluation: give it more time, or give --checkpoint fewer seconds"
        )


def _claim(context: StudyContext, ids: Collection[str], width: int) -> tuple[str, ...]:
    """Claims one wave: runs of one checkpoint, those with most steps first, or else runs without a checkpoint."""
    remaining = missing_runs.remaining(context.folder, ids)
    waves = [one.ids for one in checkpoints.read(context.checkpoints)]
    begun = {id for wave_ids in waves for id in wave_ids}
    for wave_ids in (*waves, [id for id in remaining if id not in begun]):
        claimed = context.claims.claim([id for id in wave_ids if id in remaining], width)
        fresh = tuple(missing_runs.remaining(context.folder, claimed))  # another process may just have recorded one
        context.claims.release(set(claimed) - set(fresh))
        if fresh:
            return fresh
    return ()


def _claim_all(context: StudyContext, ids: Collection[str]) -> tuple[str, ...]:
    return context.claims.claim(missing_runs.remaining(context.folder, ids), len(ids))


@contextlib.contextmanager
def _compiled(context: StudyContext, group: plan.Group, layout: Layout) -> Iterator[Program]:
    arms = ", ".join(dict.fromkeys(cell.algorithm for cell in group.cells))
    context.bar.group(f"{group.game}: {arms}", len(group.cells))
    study = context.study
    compiled = program.make(
        group.cells[0].config,
        spec.game(group.game),
        study.evaluation,
        layout,
        num_logged=study.episodes_logged,
        asynchronous=context.asynchronous,
        restoring=Restoring(max(context.checkpoint_seconds, _FEWEST_SECONDS), context.bar.note),
    )
    context.bar.compiled(compiled.compile_seconds)
    with contextlib.closing(compiled):
        yield compiled


def _train(
    context: StudyContext, cells: Sequence[Cell], found: Checkpoint | None, compiled: Program, width: int
) -> tuple[Wave, list[Ending], Live]:
    """Returns a wave at its last step, the endings of its runs, and the runs as the exporters know them.

    Raises:
      ClaimLost: if another process has claimed one of the runs.
      KeyboardInterrupt: after a request to stop; the wave has left a checkpoint.
    """
    study, note = context.study, context.bar.note
    save = functools.partial(_save, context, compiled)
    between = WaveContext(context.stop, context.checkpoint_seconds, save, note)
    every, live = study.evaluation.every, Live((), (), note)
    for at in wave.train(compiled, cells, found, width=width, every=every, until=study.steps, context=between):
        if at.is_new:
            live = Live(context.exporters, [records.identity(study, cell) for cell in cells], note)
            for point in at.curve_points:
                live.point(point)
            context.bar.training(at.step * len(cells))
        else:
            live.point(at.curve_points[-1])
            context.bar.advance(every * len(cells), wave.scores(at))
        if at.step < study.steps and not context.claims.holds(at.ids):
            raise ClaimLost
    return at, compiled.end(at.states)[: len(cells)], live


def _save(context: StudyContext, compiled: Program, at: Wave) -> None:
    """Writes a checkpoint of a wave, if memory and disk allow it; training continues without one."""
    try:
        if not at.is_new and (snapshot := wave.snapshot(compiled, at)) is not None:
            checkpoints.write(context.checkpoints, snapshot)
    except Exception as problem:
        context.bar.note(f"no checkpoint could be written: {problem}")


def _record(
    context: StudyContext,
    cells: Sequence[Cell],
    ended: Wave,
    endings: Sequence[Ending],
    live: Live,
    compile_seconds: float,
    layout: Layout,
) -> list[Ending]:
    """Records the runs of a wave and returns the endings of those recorded; runs whose environment failed fail."""
    curves_of_all, origins = wave.curves(ended), wave.trained_by(ended)
    seconds = np.array(ended.seconds)
    recorded, all_facts = [], []
    for row, (cell, ending) in enumerate(zip(cells, endings, strict=True)):
        facts = records.facts(context.study, cell, ending, seconds, compile_seconds, layout, origins[row], context.code)
        if ending.failure is not None:
            _fail(context, [cell], ending.failure)
            facts["failure"] = ending.failure  # for exporters
        else:
            curves = {name: values[row] for name, values in curves_of_all.items()}
            with contextlib.suppress(store.CompleteAlready):  # another process recorded this run first
                store.write(context.folder / "runs", facts, curves, records.attachments(context.study, cell, ending))
                recorded.append(ending)
        all_facts.append(facts)
    live.end(all_facts)
    return recorded


def _remove_checkpoints(context: StudyContext, ids: Sequence[str]) -> None:
    """Removes the checkpoints whose runs are all recorded. Those of failed runs stay."""
    stored = missing_runs.stored(context.folder)
    for wave_ids in (ids, *(old.ids for old in checkpoints.read(context.checkpoints))):
        if stored.issuperset(wave_ids):
            checkpoints.remove(context.checkpoints, wave_ids)  # with what an interrupted writer left


def _fail(context: StudyContext, cells: Sequence[Cell], text: str) -> None:
    """Records a traceback as the failure of all these cells; the study continues without them."""
    if not cells:
        return
    for cell in cells:
        failures.write(context.folder / "failures", cell.id, records.about_failure(cell), text)
    context.claims.release([cell.id for cell in cells])
    context.bar.note(f"{counted(len(cells), 'run')} failed: {failures.error_line(text)}")
