"""Runs a study elsewhere: splits it into tasks, submits them to a pool, and collects their results."""

import contextlib
import dataclasses
import json
import os
import pathlib
import pickle
import secrets
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import numpy as np

from jaxdqn.analysis import failed_runs
from jaxdqn.spelling import counted
from jaxdqn.store import failures, manifest, store
from jaxdqn.store.claims import Claims
from jaxdqn.study import execute, missing_runs, plan, progress, provenance, records, spec, stop_signals
from jaxdqn.study.executors import tasks
from jaxdqn.study.executors.tasks import Resources, Task
from jaxdqn.study.executors.work import TaskRequest, TaskResult, token_of
from jaxdqn.study.spec import Cell, Study
from jaxdqn.training import devices


class Unfinished(Exception):
    """Tasks elsewhere did not start or did not finish; the message gives the reason. Stored results stay."""


class Outcome(NamedTuple):
    """The outcome of a task: its result, or the reason why it ended without one."""

    task: Task
    result: TaskResult | None
    reason: str = ""


class Pool(NamedTuple):
    """A cluster as functions.

    Attributes:
      name: shown to a person.
      slots: `(cpus, gpus) -> number of such tasks that can run at once`; None if unknown.
      gpus: default number of a task.
      submit: submits tasks; raises `Unfinished` if one can never run.
      wait: `seconds -> outcomes` of the tasks that ended since the last call; it waits for one at most this long.
      cancel: requests that all tasks stop, and waits for them, at most a minute.
    """

    name: str
    slots: Callable[[int, int], int | None]
    gpus: int
    submit: Callable[[Sequence[TaskRequest]], None]
    wait: Callable[[float], Sequence[Outcome]]
    cancel: Callable[[], None]


_POLL = 1.0  # seconds between looks at what has been stored


def run(
    study: Study,
    out: str | pathlib.Path,
    opened: Callable[[pathlib.Path], AbstractContextManager[Pool]],
    resources: Resources,
    *,
    retry_failed: bool = False,
    memory: float | None = None,
    exporters: Sequence[Any] = (),
    **options: Any,
) -> execute.Report:
    """Runs every cell of the study that has no result, as `execute.run` does, but elsewhere.

    Args:
      study: the study. Its parts must come from modules that can be imported there.
      out: its results go to `<out>/<study.name>/runs`.
      opened: opens the pool for the study's folder.
      resources: of the tasks.
      retry_failed: whether cells that failed before run again.
      memory: bytes that the runs of a task may use at once; None for what they need.
      exporters: must be empty, since the points of curves stay elsewhere.
      **options: other options of `execute.run`.

    Raises:
      Unfinished: if some tasks ended before their runs, or none could start.
      OSError: if a result cannot be stored.
      KeyboardInterrupt: after a request to stop.
    """
    if exporters:
        raise Unfinished("curves are sent only while a study runs here: use `jaxdqn export` when the study is done")
    packed = _packed(study)
    folder = pathlib.Path(out).absolute() / study.name
    folder.mkdir(parents=True, exist_ok=True)
    cells = spec.by_identifier(study)
    manifest.write(folder, records.manifest(study, cells.values()))
    left, damaged = missing_runs.find(folder, cells)
    outcomes: list[Outcome] = []
    if left or retry_failed:
        (folder / "runs").mkdir(exist_ok=True)  # figures read it even if no run can be stored
        with opened(folder) as pool, _token(folder) as token:
            if retry_failed:
                missing_runs.retry(folder, cells)
                left, damaged = missing_runs.find(folder, cells)
            named = {"memory": memory, "script": provenance.script(), **options}
            paths = tuple(map(os.path.abspath, sys.path))  # "" is the current folder
            requests = [
                TaskRequest(task, packed, paths, str(folder.parent), devices.switches(), token, named)
                for task in _split(study, set(cells) - set(left), pool, resources, memory)
            ]
            outcomes = _run_tasks(study, folder, pool, requests)
    report = _report(folder, cells, left, damaged, [outcome.result.report for outcome in outcomes if outcome.result])
    lost = [outcome for outcome in outcomes if outcome.result is None]
    if lost:
        raise Unfinished(f"{len(lost)} of {len(outcomes)} tasks ended before their runs were done: {lost[0].reason}")
    return report


@contextlib.contextmanager
def _token(folder: pathlib.Path) -> Iterator[str]:
    """Writes a token into a study's folder, by which other machines recognise it."""
    token = secrets.token_hex(8)
    path = token_of(folder, token)
    with Claims(path.parent):  # it creates the folder, and removes it at the end if it is empty
        path.write_text(token)
        try:
            yield token
        finally:
            path.unlink(missing_ok=True)


def _packed(study: Study) -> bytes:
    """Returns the study, pickled.

    Raises:
      Unfinished: if another process could not unpickle it.
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
    """Yields a configuration and all its parts."""
    yield config
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if dataclasses.is_dataclass(value):
            yield from _parts(value)


def _split(
    study: Study, done: Collection[str], pool: Pool, resources: Resources, memory: float | None
) -> tuple[Task, ...]:
    planned = plan.plan(study, done, memory=memory)
    gpus = pool.gpus if resources.gpus is None else resources.gpus
    slots = pool.slots(resources.cpus, gpus) if resources.tasks is None else resources.tasks
    return tasks.split(planned, slots, cpus=resources.cpus, gpus=gpus, memory=memory)


def _run_tasks(study: Study, folder: pathlib.Path, pool: Pool, requests: Sequence[TaskRequest]) -> list[Outcome]:
    """Submits the tasks, shows their progress, and returns their outcomes."""
    ids = {id for request in requests for id in request.task.cells}
    outcomes: list[Outcome] = []
    with progress.Bar(len(ids), study.steps) as bar, stop_signals.watched(bar.note) as stop:
        bar.elsewhere(f"{len(requests)} tasks: {pool.name}")
        bar.training(0)
        num_stored = 0
        try:
            pool.submit(requests)
            while len(outcomes) < len(requests):
                for outcome in pool.wait(_POLL):
                    outcomes.append(outcome)
                    _take(folder, outcome, bar)
                stored = len(ids & missing_runs.stored(folder))
                if stored > num_stored:
                    bar.advance((stored - num_stored) * study.steps, np.array([]))
                num_stored = stored
                stop.raise_if_requested()
        except BaseException:
            bar.elsewhere("stopping")
            pool.cancel()
            raise
    return outcomes


def _take(folder: pathlib.Path, outcome: Outcome, bar: progress.Bar) -> None:
    """Stores the records that a task returned, and notes its errors."""
    if outcome.result is None:
        bar.note(f"a task of {counted(len(outcome.task.cells), 'run')} ended before it was done: {outcome.reason}")
        return
    contents = outcome.result.records
    for id in outcome.task.cells:
        if f"runs/{id}.json" in contents:
            own = {pathlib.PurePath(path).name: content for path, content in contents.items() if _is_of(path, id)}
            try:
                store.adopt(folder / "runs", id, own)
            except store.CompleteAlready:  # another process recorded this run first
                continue
        elif f"failures/{id}.json" in contents:
            failure = json.loads(contents[f"failures/{id}.json"])
            failures.write(folder / "failures", id, failure["about"], failure["traceback"])
    if outcome.result.report.failed:
        bar.note(f"{counted(len(outcome.result.report.failed), 'run')} failed")


def _is_of(path: str, id: str) -> bool:
    return path == f"runs/{id}.json" or path.startswith(f"runs/{id}-")


def _report(
    folder: pathlib.Path,
    cells: Mapping[str, Cell],
    left: Sequence[str],
    damaged: tuple[str, ...],
    reports: Sequence[execute.Report],
) -> execute.Report:
    """Returns the report, from the records stored: a task that was lost has no report of its own."""
    found = {record.facts["id"]: record.facts for record in store.read_facts(folder / "runs").records}
    made = [found[id] for id in left if id in found]
    failed = tuple(failure for failure in failed_runs.read(folder) if failure.id in cells)
    return execute.Report(
        folder=folder / "runs",
        num_written=len(made),
        num_skipped=len(set(cells) & set(found) - set(left)),
        num_diverged=sum(facts["diverged_at"] is not None for facts in made),
        failed=failed,
        damaged=damaged,
        num_compilations=sum(report.num_compilations for report in reports),
        compile_seconds=sum(report.compile_seconds for report in reports),
        wall_seconds=sum(report.wall_seconds for report in reports),
    )
