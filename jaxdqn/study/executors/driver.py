"""Sees a study through whose runs are made elsewhere: splits it, hands out the tasks, and says what became of them."""

import contextlib
import dataclasses
import json
import pathlib
import pickle
import secrets
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import numpy as np

from jaxdqn.store import failures, manifest, schema, store
from jaxdqn.study import execute, plan, progress, provenance, records, signals, spec
from jaxdqn.study.executors import tasks
from jaxdqn.study.executors.tasks import Asked, Task
from jaxdqn.study.executors.work import Done, Order, token_of
from jaxdqn.study.signals import Interruption
from jaxdqn.study.spec import Cell, Study


class Unfinished(Exception):
    """What was to run elsewhere did not, or not to its end: why, and what to do about it. What is stored stays."""


class Outcome(NamedTuple):
    """What became of a task: what it did, or why it ended before."""

    task: Task
    done: Done | None
    reason: str = ""


class Pool(NamedTuple):
    """A place where tasks run, as functions.

    Attributes:
      name: for a person.
      slots: tasks of so many CPUs and GPUs that can run at once, by what there is; None if nobody knows.
      gpus: of a task, where nobody asked for a number.
      submit: hands out tasks; raises `Unfinished` if one can never run.
      wait: what ended since the last call; returns after so many seconds at the latest, or when one ends.
      cancel: tells all tasks to stop, and waits until they have, or not much longer.
    """

    name: str
    slots: Callable[[int, int], int | None]
    gpus: int
    submit: Callable[[Sequence[Order]], None]
    wait: Callable[[float], Sequence[Outcome]]
    cancel: Callable[[], None]


_POLL = 1.0  # seconds between looks at what has been stored


def run(
    study: Study,
    out: str | pathlib.Path,
    opened: Callable[[pathlib.Path], AbstractContextManager[Pool]],
    asked: Asked,
    *,
    retry_failed: bool = False,
    memory: float | None = None,
    exporters: Sequence[Any] = (),
    **options: Any,
) -> execute.Report:
    """Runs every cell of the study that has no result yet, as `execute.run` does, but elsewhere.

    Args:
      study: what to run. Its parts must be of modules that can be imported there.
      out: its results go to `<out>/<study.name>/runs`.
      opened: from the study's folder to the place where its tasks run, open while it is needed.
      asked: how the tasks are to be.
      retry_failed: whether cells that failed or crashed before are tried again.
      memory: bytes that the runs of a task may use at once; None for what they need.
      exporters: must be none, for nothing is known here of the points of a curve.
      **options: as `execute.run` takes them.

    Raises:
      Unfinished: some tasks ended before their runs were done, or none could be begun.
      OSError: if a result cannot be stored.
      KeyboardInterrupt: told to stop.
    """
    if exporters:
        raise Unfinished("curves are sent only while a study runs here: `jaxdqn export` sends them when it is done")
    packed = _packed(study)
    folder = pathlib.Path(out).absolute() / study.name
    (folder / "runs").mkdir(parents=True, exist_ok=True)
    cells = spec.by_identifier(study)
    manifest.write(folder, records.wanted(study, cells))
    missing, damaged = execute.find_missing(folder, cells)
    outcomes: list[Outcome] = []
    if missing or retry_failed:
        with opened(folder) as pool, _token(folder) as token:
            if retry_failed:
                execute.forget_failures(folder, cells)
                missing, damaged = execute.find_missing(folder, cells)
            told = {"memory": memory, "script": provenance.script(), **options}
            orders = [
                Order(task, packed, tuple(sys.path), str(folder.parent), token, told)
                for task in _split(study, missing, pool, asked, memory)
            ]
            outcomes = _see_through(study, folder, pool, orders)
    report = _report(folder, cells, missing, damaged, [outcome.done.report for outcome in outcomes if outcome.done])
    lost = [outcome for outcome in outcomes if outcome.done is None]
    if lost:
        raise Unfinished(f"{len(lost)} of {len(outcomes)} tasks ended before their runs were done: {lost[0].reason}")
    return report


@contextlib.contextmanager
def _token(folder: pathlib.Path) -> Iterator[str]:
    """Puts the sign into a study's folder by which others see that theirs is the same."""
    token = secrets.token_hex(8)
    path = token_of(folder, token)
    path.parent.mkdir(exist_ok=True)
    path.write_text(token)
    try:
        yield token
    finally:
        path.unlink(missing_ok=True)


def _packed(study: Study) -> bytes:
    """Returns the study for those who make its runs.

    Raises:
      Unfinished: if they could not read it.
    """
    for cell in spec.cells(study):
        for part in _parts(cell.config):
            if type(part).__module__ == "__main__":
                raise Unfinished(
                    f"{type(part).__name__} of {cell.algorithm!r} is defined in the script itself, where no other "
                    "process finds it: move it to a module of its own beside the script"
                )
    try:
        return pickle.dumps(study)
    except (pickle.PicklingError, AttributeError, TypeError) as problem:
        raise Unfinished(f"the study cannot be sent to another process ({problem})") from None


def _parts(config: Any) -> Iterator[Any]:
    """Yields a configuration and all that it is made of."""
    yield config
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if dataclasses.is_dataclass(value):
            yield from _parts(value)


def _split(study: Study, missing: Sequence[str], pool: Pool, asked: Asked, memory: float | None) -> tuple[Task, ...]:
    known = {spec.identifier(study, cell) for cell in spec.cells(study)}
    planned = plan.plan(study, known - set(missing), memory=memory)
    gpus = pool.gpus if asked.gpus is None else asked.gpus
    slots = pool.slots(asked.cpus, gpus) if asked.tasks is None else asked.tasks
    return tasks.split(study, planned, slots, cpus=asked.cpus, gpus=gpus, memory=memory)


def _see_through(study: Study, folder: pathlib.Path, pool: Pool, orders: Sequence[Order]) -> list[Outcome]:
    """Hands the tasks out, shows how far they are, and returns what became of them."""
    ids = {id for order in orders for id in order.task.cells}
    outcomes: list[Outcome] = []
    with progress.Bar(len(ids), study.steps) as bar, signals.watched(bar.note) as told:
        bar.elsewhere(f"{len(orders)} tasks: {pool.name}")
        bar.training(0)
        num_stored = 0
        try:
            pool.submit(orders)
            while len(outcomes) < len(orders):
                for outcome in pool.wait(_POLL):
                    outcomes.append(outcome)
                    _take(folder, outcome, bar)
                stored = len(ids & store.ids(folder / "runs"))
                if stored > num_stored:
                    bar.advance((stored - num_stored) * study.steps, np.array([]))
                num_stored = stored
                _stop_if(told)
        except BaseException:
            bar.elsewhere("stopping")
            pool.cancel()
            raise
    return outcomes


def _take(folder: pathlib.Path, outcome: Outcome, bar: progress.Bar) -> None:
    """Stores what a task brought back, and says what went wrong."""
    if outcome.done is None:
        bar.note(f"a task of {len(outcome.task.cells)} runs ended before they were done: {outcome.reason}")
        return
    contents = outcome.done.records
    for id in outcome.task.cells:
        if f"runs/{id}.json" in contents:
            own = {pathlib.PurePath(path).name: content for path, content in contents.items() if _is_of(path, id)}
            try:
                store.adopt(folder / "runs", id, own)
            except store.CompleteAlready:  # somebody else was quicker with this run
                continue
        elif f"failures/{id}.json" in contents:
            says = json.loads(contents[f"failures/{id}.json"])
            failures.write(folder / "failures", id, says["about"], says["traceback"])
    if outcome.done.report.num_failed:
        bar.note(f"{outcome.done.report.num_failed} runs failed")


def _is_of(path: str, id: str) -> bool:
    return path == f"runs/{id}.json" or path.startswith(f"runs/{id}-")


def _report(
    folder: pathlib.Path,
    cells: Mapping[str, Cell],
    missing: Sequence[str],
    damaged: tuple[str, ...],
    reports: Sequence[execute.Report],
) -> execute.Report:
    """Returns what was done, by what is stored: of a task that was lost half-way nobody else knows."""
    found = {record.facts["id"]: record.facts for record in store.read_facts(folder / "runs").records}
    made = [found[id] for id in missing if id in found]
    failed = {failure.id for failure in failures.read(folder / "failures")} & set(cells) - set(found)
    return execute.Report(
        folder=folder / "runs",
        num_written=len(made),
        num_skipped=len(set(cells) & set(found) - set(missing)),
        num_diverged=sum(facts["diverged_at"] is not None for facts in made),
        num_crashed=sum(schema.crashed(facts) for facts in made),
        num_failed=len(failed),
        damaged=damaged,
        num_compilations=sum(report.num_compilations for report in reports),
        compile_seconds=sum(report.compile_seconds for report in reports),
        wall_seconds=sum(report.wall_seconds for report in reports),
    )


def _stop_if(told: Interruption) -> None:
    if told.is_asked:
        raise KeyboardInterrupt
