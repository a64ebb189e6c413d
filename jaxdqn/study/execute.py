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

import numpy as np

from jaxdqn.results import failures, manifest, schema, store
from jaxdqn.results.claims import Claims
from jaxdqn.study import checkpoints, interruption, plan, progress, records, spec
from jaxdqn.study.checkpoints import Checkpoint
from jaxdqn.study.interruption import Interruption
from jaxdqn.study.spec import Cell, Study
from jaxdqn.training import program
from jaxdqn.training.checkpoint import Unusable
from jaxdqn.training.run import Curves, Ending

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
      wall_seconds: spent on training and evaluating.
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


class _Wave(NamedTuple):
    """Curves `[members, periods]` by name, how each member ended, and what the wave cost."""

    curves: dict[str, np.ndarray]
    endings: list[Ending]
    seconds: np.ndarray  # float64 [periods], since the start of the wave, without compilation


class _Work(NamedTuple):
    """What one call of `run` goes by, and what it counts."""

    study: Study
    folder: pathlib.Path
    cells: dict[str, Cell]  # by identifier
    mine: Claims
    bar: progress.Bar
    told: Interruption
    asynchronous: bool
    checkpoint_seconds: float
    memory: float | None
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

    Raises:
      OSError: if a result cannot be stored; those stored before stay.
      KeyboardInterrupt: told to stop.
    """
    folder = pathlib.Path(out) / study.name
    (folder / "runs").mkdir(parents=True, exist_ok=True)  # or no run could be stored
    cells = {spec.identifier(study, cell): cell for cell in spec.cells(study)}
    if only is None:
        manifest.write(folder, study.name, study.steps, {id: records.about(cell) for id, cell in cells.items()})
    else:
        cells = {id: cell for id, cell in cells.items() if id in only}
    if retry_failed:
        forget_failures(folder, cells)
    missing, damaged = find_missing(folder, cells)
    records.commit()  # of the code as it is now, not as it may be when the first wave ends
    with (
        progress.Bar(len(missing), study.steps) as bar,
        Claims(folder / "claims") as mine,
        interruption.watched() as told,
    ):
        work = _Work(study, folder, cells, mine, bar, told, asynchronous, checkpoint_seconds, memory, [], [])
        while missing:
            counted = len(work.costs), _num_failed(folder, missing)
            for group in plan.groups(cells[id] for id in missing):
                _run_group(work, group)
            missing = _left(folder, missing)
            if missing and counted == (len(work.costs), _num_failed(folder, missing)):
                bar.waiting(len(missing))  # all of them are claimed by other processes
                _sleep(told)
    num_failed = _num_failed(folder, cells)
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
        except store.DamagedResult as problem:
            damaged.append(str(problem))
    return _left(folder, cells), tuple(damaged)


def _left(folder: pathlib.Path, ids: Collection[str]) -> list[str]:
    """Returns those cells that have no record, neither of a run nor of a failure."""
    done = {path.stem for name in ("runs", "failures") for path in (folder / name).glob("*.json")}
    return [id for id in ids if id not in done]


def _num_failed(folder: pathlib.Path, ids: Collection[str]) -> int:
    stored = {path.stem for path in (folder / "runs").glob("*.json")}
    return sum(path.stem in ids and path.stem not in stored for path in (folder / "failures").glob("*.json"))


def forget_failures(folder: pathlib.Path, cells: dict[str, Cell]) -> None:
    """Makes room for runs that failed or crashed; the record of a crash is kept under another name."""
    for id in cells:
        failures.forget(folder / "failures", id)
        with contextlib.suppress(store.DamagedResult):
            found = store.find(folder / "runs", id)
            if found is not None and schema.crashed(found.facts):
                aside = folder / "failures" / "crashed"
                aside.mkdir(parents=True, exist_ok=True)
                when = found.facts["created"].replace(":", "")
                (folder / "runs" / f"{id}.json").rename(aside / f"{id}-{when}.json")


def _run_group(work: _Work, group: plan.Group) -> None:
    """Runs the cells of a group that can be claimed; compiles if there is one."""
    ids = [spec.identifier(work.study, cell) for cell in group.cells]
    config, game = group.cells[0].config, spec.game(group.game)
    layout = program.layout(config, game, len(ids), work.memory)
    compiled, training = None, 0.0
    with contextlib.ExitStack() as stack:
        while claimed := _claim(work, ids, layout.width):
            members, found = claimed
            try:
                if compiled is None:
                    work.bar.group(f"{group.game}: {', '.join(_labels(group.cells))}", len(ids))
                    compiled = program.make(
                        config,
                        game,
                        work.study.evaluation,
                        layout,
                        num_logged=work.study.episodes_logged,
                        asynchronous=work.asynchronous,
                    )
                    stack.enter_context(contextlib.closing(compiled))
                wave = _run_wave(work, members, found, compiled, layout)
            except Exception:
                _fail(work, members)
                continue
            training += float(wave.seconds[-1])
            _store(work, members, wave, compiled.compile_seconds, layout)
            for old in checkpoints.read(work.folder / "checkpoints"):
                if not _left(work.folder, old.cells):
                    checkpoints.remove(work.folder / "checkpoints", old.cells)
            work.mine.release(members)
    if compiled is not None:
        work.costs.append((compiled.compile_seconds, training))


def _claim(work: _Work, ids: Sequence[str], width: int) -> tuple[tuple[str, ...], Checkpoint | None] | None:
    """Returns cells that this process now holds and that are still to be run, and where they were; None if none."""
    folder = work.folder / "checkpoints"
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


def _run_wave(
    work: _Work,
    members: tuple[str, ...],
    found: Checkpoint | None,
    compiled: program.Program,
    layout: program.Layout,
) -> _Wave:
    """Trains the members of one wave side by side. A narrow wave is filled up with its last member, run in vain."""
    study, cells = work.study, [work.cells[id] for id in members]
    filled = [*cells, *[cells[-1]] * (layout.width - len(cells))]
    states, first, curves, seconds = _begin(filled, members, found, compiled)
    work.bar.training(first * len(members))
    started = time.perf_counter() - (seconds[-1] if seconds else 0.0)
    kept_at = time.perf_counter()
    for step in range(first, study.steps, study.evaluation.every):
        states, point = compiled.advance(states, step)
        for name, values in point._asdict().items():
            curves.setdefault(name, []).append(values)
        seconds.append(time.perf_counter() - started)
        work.bar.advance(study.evaluation.every * len(members), point.evaluation_return[: len(members)])
        stop = step + study.evaluation.every
        is_due = time.perf_counter() - kept_at >= work.checkpoint_seconds
        if stop < study.steps and (is_due or work.told.is_asked):
            _keep(work, members, stop, compiled.save(states), curves, seconds)
            kept_at = time.perf_counter()
        if stop < study.steps and work.told.is_asked:
            raise KeyboardInterrupt
    stacked = {name: np.stack(points, axis=1) for name, points in curves.items()}
    return _Wave(stacked, compiled.end(states)[: len(members)], np.array(seconds))


def _begin(
    filled: Sequence[Cell], members: tuple[str, ...], found: Checkpoint | None, compiled: program.Program
) -> tuple[Any, int, dict[str, list[np.ndarray]], list[float]]:
    """Returns the states to go on from, their step, and the curves and seconds until there."""
    configs, seeds = [cell.config for cell in filled], [cell.seed for cell in filled]
    if found is not None:
        rows = [found.cells.index(id) for id in members]
        rows += rows[-1:] * (len(filled) - len(rows))
        with contextlib.suppress(Unusable):  # made by another version, or damaged: these runs begin again
            state, curves, seconds = _read_checkpoint(found, rows)
            return compiled.load(configs, seeds, state), found.step, curves, seconds
    return compiled.init(configs, seeds), 0, {}, []


def _read_checkpoint(
    found: Checkpoint, rows: list[int]
) -> tuple[list[np.ndarray], dict[str, list[np.ndarray]], list[float]]:
    """Returns the rows of a checkpoint: of the state, of the points of each curve, and the seconds at each point."""
    *arrays, seconds = checkpoints.load(found)
    state, points = arrays[: -len(Curves._fields)], arrays[-len(Curves._fields) :]
    whole = (len(found.cells), len(seconds))
    if any(values.shape[:1] != whole[:1] for values in state) or any(values.shape != whole for values in points):
        raise Unusable("its arrays are not of as many runs and points as it says")
    curves = {name: list(values[rows].T) for name, values in zip(Curves._fields, points, strict=True)}
    return [values[rows] for values in state], curves, seconds.tolist()


def _keep(
    work: _Work,
    members: tuple[str, ...],
    step: int,
    saved: tuple[list[int], list[np.ndarray]],
    curves: dict[str, list[np.ndarray]],
    seconds: list[float],
) -> None:
    """Writes a checkpoint of the members that go on, if the disk lets it; without one, training goes on as well."""
    places, arrays = saved
    rows = [place for place in places if place < len(members)]  # not of those that fill the wave up
    if not rows:
        return
    points = [np.stack(curves[name], axis=1)[rows] for name in Curves._fields]
    state = [values[[places.index(row) for row in rows]] for values in arrays]
    try:
        folder = work.folder / "checkpoints"
        folder.mkdir(exist_ok=True)
        checkpoints.write(folder, [members[row] for row in rows], step, [*state, *points, np.array(seconds)])
    except Exception as problem:
        work.bar.note(f"no checkpoint could be written: {problem}")


def _store(work: _Work, members: tuple[str, ...], wave: _Wave, compile_seconds: float, layout: program.Layout) -> None:
    """Stores the runs of a wave; the curves of one that crashed end before it did."""
    for member, id in enumerate(members):
        cell, ending = work.cells[id], wave.endings[member]
        curves = {name: values[member] for name, values in wave.curves.items()}
        if ending.crash is not None:
            num_points = int((curves["steps"] > 0).sum())
            curves = {name: values[:num_points] for name, values in curves.items()}
        facts = records.facts(work.study, cell, ending, wave.seconds, compile_seconds, layout)
        with contextlib.suppress(store.CompleteAlready):  # another process was quicker with this run
            store.write(work.folder / "runs", facts, curves, records.attachments(work.study, cell, ending))
            work.endings.append(ending)


def _fail(work: _Work, members: tuple[str, ...]) -> None:
    """Puts down the error being handled as that of all members; the study goes on without them."""
    text = traceback.format_exc()
    for id in members:
        about = records.about(work.cells[id]) | {"versions": records.versions(), "created": records.now()}
        failures.write(work.folder / "failures", id, about, text)
    work.mine.release(members)
    work.bar.note(f"{len(members)} runs failed: {text.strip().rpartition(chr(10))[2]}")


def _labels(cells: Sequence[Cell]) -> list[str]:
    return list(dict.fromkeys(cell.algorithm for cell in cells))


def _sleep(told: Interruption) -> None:
    until = time.monotonic() + _POLL
    while time.monotonic() < until:
        if told.is_asked:
            raise KeyboardInterrupt
        time.sleep(0.1)
