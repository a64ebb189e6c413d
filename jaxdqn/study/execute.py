"""On this machine: compiles each group once, runs its members in waves, and stores the runs of a wave as it ends.

Several processes, on one machine or many, can do this in one folder: each claims the cells of a wave before it runs
them. A wave that takes long leaves checkpoints, from which whoever claims its cells next goes on.
"""

import contextlib
import pathlib
import time
import traceback
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from jaxdqn.export.exporter import Exporter
from jaxdqn.store import failures, manifest, packing, schema, store
from jaxdqn.store.claims import Claims
from jaxdqn.store.record import DamagedResult
from jaxdqn.study import checkpoints, plan, progress, provenance, records, signals, spec, waves
from jaxdqn.study.checkpoints import Checkpoint
from jaxdqn.study.signals import Interruption
from jaxdqn.study.spec import Cell, Study
from jaxdqn.training import program
from jaxdqn.training.run import Ending

CHECKPOINT_SECONDS = 300.0
_POLL = 2.0  # seconds between looks at what other processes have done


class Report(NamedTuple):
    """What a call of `run` did.

    Attributes:
      folder: where the study's runs are.
      num_written: runs made and stored now.
      num_skipped: runs that were there already, or that another process stored first.
      num_diverged: of those made now.
      num_crashed: of those made now, ended by an error of their game.
      num_failed: cells without a run, since an error stopped it now or before; `failures/` holds the traceback.
      damaged: sentences about records that could not be read; their runs were left out.
      num_compilations: groups compiled, one program each.
      compile_seconds: spent on them.
      wall_seconds: spent on training and evaluating by this call.
    """

    folder: pathlib.Path
    num_written: int
    num_skipped: int
    num_diverged: int
    num_crashed: int
    num_failed: int
    damaged: tuple[str, ...]
    num_compilations: int
    compile_seconds: float
    wall_seconds: float


class _Work(NamedTuple):
    """What one call of `run` goes by, and what it counts."""

    study: Study
    folder: pathlib.Path
    cells: dict[str, Cell]  # by identifier
    wanted: list[str]  # of them, those that had no result when it began
    mine: Claims
    around: waves.Around
    asynchronous: bool
    memory: float | None
    code: dict[str, Any]  # as records have it
    endings: list[Ending]  # of the runs stored
    costs: list[tuple[float, float]]  # compiling and training, in seconds, a group each


def run(
    study: Study,
    out: str | pathlib.Path,
    *,
    asynchronous: bool = False,
    only: Collection[str] | None = None,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    memory: float | None = None,
    retry_failed: bool = False,
    exporters: Sequence[Exporter] = (),
    script: provenance.Script | None = None,
) -> Report:
    """Runs every cell of the study that has no result yet, and stores each when it is done.

    Runs that are stored stay as they are, those under way in another process are left to it, and one that was
    interrupted goes on from its checkpoint, bit for bit. A damaged record is named in the report and left alone, with
    its run. Told to stop by a signal, it finishes the evaluation period, leaves a checkpoint and raises.

    Args:
      study: what to run.
      out: its results go to `<out>/<study.name>/runs`.
      asynchronous: whether each environment of a host game has a process; results are the same.
      only: identifiers of the cells to run; None runs all.
      checkpoint_seconds: of training between checkpoints; 0 makes one after each evaluation period.
      memory: bytes that runs may use at once; None for half of what there is.
      retry_failed: whether cells that failed or crashed before are tried again.
      exporters: to which curves are sent while runs train.
      script: that asks for the runs, if this process does not run it; it is recorded with them.

    Raises:
      ValueError: if `only` names what is no cell of the study.
      OSError: if a result cannot be stored; those stored before stay.
      KeyboardInterrupt: told to stop.
    """
    folder = pathlib.Path(out) / study.name
    (folder / "runs").mkdir(parents=True, exist_ok=True)  # or no run could be stored
    cells = spec.by_identifier(study)
    if only is None:
        manifest.write(folder, records.wanted(study, cells))
    else:
        if unknown := set(only) - set(cells):
            raise ValueError(f"{min(unknown)!r} is no cell of this study: take them from spec.identifier.")
        cells = {id: cell for id, cell in cells.items() if id in only}
    if retry_failed:
        forget_failures(folder, cells)
    missing, damaged = find_missing(folder, cells)
    checkpoints.remove_left_over(folder / "checkpoints")
    code = provenance.code(script or provenance.script())  # as it is now, not as it may be when the first wave ends
    with (
        progress.Bar(len(missing), study.steps) as bar,
        Claims(folder / "claims") as mine,
        signals.watched(bar.note) as told,
    ):
        around = waves.Around(folder / "checkpoints", checkpoint_seconds, exporters, bar, told, mine.holds)
        work = _Work(study, folder, cells, missing, mine, around, asynchronous, memory, code, [], [])
        while missing:
            before = missing
            for group in plan.groups(cells[id] for id in missing):
                _run_group(work, group)
            missing = _left(folder, missing)
            bar.left(len(missing))
            if missing == before:
                bar.waiting(len(missing))  # all of them are claimed by other processes
                _sleep(told)
    num_failed = len((_failed(folder) - _stored(folder)) & set(cells))
    return Report(
        folder=folder / "runs",
        num_written=len(work.endings),
        num_skipped=len(cells) - len(work.endings) - len(damaged) - num_failed,
        num_diverged=sum(ending.diverged_at is not None for ending in work.endings),
        num_crashed=sum(ending.crash is not None for ending in work.endings),
        num_failed=num_failed,
        damaged=damaged,
        num_compilations=len(work.costs),
        compile_seconds=sum(compiling for compiling, _ in work.costs),
        wall_seconds=sum(training for _, training in work.costs),
    )


def find_missing(folder: pathlib.Path, cells: dict[str, Cell]) -> tuple[list[str], tuple[str, ...]]:
    """Returns the cells without a result that have not failed, and a sentence about each damaged one."""
    damaged = []
    for id in cells:
        try:
            store.find(folder / "runs", id)
        except DamagedResult as problem:
            damaged.append(str(problem))
    return _left(folder, cells), tuple(damaged)


def _left(folder: pathlib.Path, ids: Collection[str]) -> list[str]:
    """Returns those cells that have no record, neither of a run nor of a failure."""
    done = _stored(folder) | _failed(folder)
    return [id for id in ids if id not in done]


def _stored(folder: pathlib.Path) -> set[str]:
    return set(store.ids(folder / "runs"))


def _failed(folder: pathlib.Path) -> set[str]:
    return {path.stem for path in (folder / "failures").glob("*.json")}


def forget_failures(folder: pathlib.Path, cells: dict[str, Cell]) -> None:
    """Makes room for runs that failed or crashed; the record of a crash is kept under another name."""
    for id in cells:
        failures.forget(folder / "failures", id)
        # Another process, told the same, may move it aside first.
        with contextlib.suppress(DamagedResult, FileNotFoundError):
            found = store.find(folder / "runs", id)
            if found is not None and schema.crashed(found.facts):
                packing.set_aside(folder / "runs", id, folder / "failures" / "crashed")


def _run_group(work: _Work, group: plan.Group) -> None:
    """Runs the cells of a group that can be claimed; compiles if there is one."""
    ids = [spec.identifier(work.study, cell) for cell in group.cells]
    config, game = group.cells[0].config, spec.game(group.game)
    compiled, training = None, 0.0
    try:
        layout = program.layout(config, game, len(ids), work.memory)
    except ValueError:  # too large for the memory
        if too_large := work.mine.claim(_left(work.folder, ids), len(ids)):
            _fail(work, too_large)
        return
    with contextlib.ExitStack() as stack:
        while claimed := _claim(work, ids, layout.width):
            members, found = claimed
            work.around.bar.left(len(_left(work.folder, work.wanted)))
            try:
                if compiled is None:
                    work.around.bar.group(f"{group.game}: {', '.join(_labels(group.cells))}", len(ids))
                    compiled = program.make(
                        config,
                        game,
                        work.study.evaluation,
                        layout,
                        num_logged=work.study.episodes_logged,
                        asynchronous=work.asynchronous,
                    )
                    stack.enter_context(contextlib.closing(compiled))
                wave = waves.train(
                    work.study, {id: work.cells[id] for id in members}, found, compiled, layout.width, work.around
                )
            except waves.TakenOver:
                work.around.bar.note(f"{len(members)} runs are made by another process: this one was silent for long")
                work.mine.release(members)
                continue
            except Exception:
                others = [] if compiled is not None else work.mine.claim(_left(work.folder, ids), len(ids))
                _fail(work, (*members, *others))  # what cannot be compiled cannot be for any of them
                continue
            training += wave.seconds_here
            _store(work, members, wave, compiled.compile_seconds, layout)
            checkpoints.remove(work.around.checkpoints, members)  # also what an interrupted writer left of this wave
            stored = _stored(work.folder)  # a wave that failed may be tried again, from where it was
            for old in checkpoints.read(work.around.checkpoints):
                if stored.issuperset(old.cells):
                    checkpoints.remove(work.around.checkpoints, old.cells)
            work.mine.release(members)
    if compiled is not None:
        work.costs.append((compiled.compile_seconds, training))


def _claim(work: _Work, ids: Sequence[str], width: int) -> tuple[tuple[str, ...], Checkpoint | None] | None:
    """Returns cells that this process now holds and that are still to be run, and where they were; None if none.

    Raises:
      KeyboardInterrupt: told to stop.
    """
    if work.around.told.is_asked:
        raise KeyboardInterrupt
    folder = work.around.checkpoints
    left = _left(work.folder, ids)
    found = checkpoints.read(folder)
    begun = {id for checkpoint in found for id in checkpoint.cells}
    for cells in (*(checkpoint.cells for checkpoint in found), [id for id in left if id not in begun]):
        claimed = work.mine.claim([id for id in cells if id in left], width)
        fresh = tuple(_left(work.folder, claimed))  # another process may have stored one and given it back
        work.mine.release(set(claimed) - set(fresh))
        if fresh:
            where = [checkpoint for checkpoint in checkpoints.read(folder) if set(fresh) <= set(checkpoint.cells)]
            return fresh, max(where, key=lambda checkpoint: checkpoint.step, default=None)
    return None


def _store(
    work: _Work, members: tuple[str, ...], wave: waves.Wave, compile_seconds: float, layout: program.Layout
) -> None:
    """Stores the runs of a wave; the curves of one that crashed end before it did."""
    stored = []
    for member, id in enumerate(members):
        cell, ending = work.cells[id], wave.endings[member]
        curves = {name: values[member] for name, values in wave.curves.items()}
        if ending.crash is not None:
            num_points = int((curves["steps"] > 0).sum())
            curves = {name: values[:num_points] for name, values in curves.items()}
        facts = records.facts(work.study, cell, ending, wave.seconds, compile_seconds, layout, wave.makers, work.code)
        stored.append(facts)
        with contextlib.suppress(store.CompleteAlready):  # another process was quicker with this run
            store.write(work.folder / "runs", facts, curves, records.attachments(work.study, cell, ending))
            work.endings.append(ending)
    wave.live.end(stored)


def _fail(work: _Work, members: tuple[str, ...]) -> None:
    """Puts down the error being handled as that of all members; the study goes on without them."""
    text = traceback.format_exc()
    for id in members:
        failures.write(work.folder / "failures", id, records.about_failure(work.cells[id]), text)
    work.mine.release(members)
    work.around.bar.note(f"{len(members)} runs failed: {text.strip().rpartition(chr(10))[2]}")


def _labels(cells: Sequence[Cell]) -> list[str]:
    return list(dict.fromkeys(cell.algorithm for cell in cells))


def _sleep(told: Interruption) -> None:
    until = time.monotonic() + _POLL
    while time.monotonic() < until:
        if told.is_asked:
            raise KeyboardInterrupt
        time.sleep(0.1)
