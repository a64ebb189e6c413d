"""Processes that train on host games, one run each at a time.

Python steps one game at a time, so runs that are to use all cores need a process a core. A process compiles once and
serves one run after another. A run whose environment raises an error ends there, with the traceback; if the whole
process dies with it, another takes its place for the next run. The other runs continue.
"""

import contextlib
import multiprocessing
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxdqn.config import Config
from jaxdqn.game_interfaces import HostGame
from jaxdqn.training import checkpoint, curves, devices, host_programs, worker_process
from jaxdqn.training.curves import COUNTS, FIXED, Curves
from jaxdqn.training.evaluate import Evaluation
from jaxdqn.training.host_checkpoint import Restoring
from jaxdqn.training.state import Ending
from jaxdqn.training.worker_process import Task


class WorkerProgram(NamedTuple):
    """The functions of a `jaxdqn.training.program.Program` whose runs train in processes, one each."""

    init: Callable[[Sequence[Config], Sequence[int]], Any]
    advance: Callable[[Any, int], tuple[Any, Curves]]
    end: Callable[[Any], list[Ending]]
    save: Callable[[Any], tuple[list[int], list[np.ndarray]]]
    load: Callable[[Sequence[Config], Sequence[int], list[np.ndarray]], Any]
    close: Callable[[], None]


class _Worker(NamedTuple):
    process: Any
    connection: Connection
    note: Callable[[str], None]


def start(
    config: Config,
    game: HostGame,
    evaluation: Evaluation,
    width: int,
    num_logged: int,
    asynchronous: bool,
    restoring: Restoring,
) -> WorkerProgram:
    """Returns the functions of `width` runs, whose processes have compiled; arguments are those of `program.make`.

    Raises:
      ValueError: a metric of the algorithm cannot be a curve.
    """
    names = (*FIXED, *curves.metric_names(host_programs.parts_of(config, game)))
    task = Task(
        platform=jax.default_backend(),
        config=config,
        game=game.name,
        code=game.code,
        switches=devices.switches(),
        evaluation=evaluation,
        num_logged=num_logged,
        asynchronous=asynchronous,
        restoring_seconds=restoring.seconds,
    )
    workers = [_start(task, place, restoring.note) for place in range(width)]
    try:
        broken = [_failure(_answer(worker)) for worker in workers]  # an environment can fail during compilation
    except BaseException:
        _stop(workers)
        raise

    def begin(kind: str, values: Sequence[Any]) -> list[str | None]:
        for place, worker in enumerate(workers):
            if not worker.process.is_alive() and worker.process.exitcode != 0:  # 0: it has sent its error
                workers[place] = _start(task, place, restoring.note)
                broken[place] = _failure(_answer(workers[place]))
        for worker, failure, value in zip(workers, broken, values, strict=True):
            if failure is None:
                _tell(worker, kind, value)
        return [_failure(answer) for answer in _answers(workers, broken)]

    def init(configs: Sequence[Config], seeds: Sequence[int]) -> list[str | None]:
        return begin("init", list(zip(configs, seeds, strict=True)))

    def load(configs: Sequence[Config], seeds: Sequence[int], arrays: list[np.ndarray]) -> list[str | None]:
        runs = [_member(arrays, i) for i in range(len(configs))]
        return begin("load", list(zip(runs, configs, seeds, strict=True)))

    def save(states: list[str | None]) -> tuple[list[int], list[np.ndarray]]:
        going = [place for place, failure in enumerate(states) if failure is None]
        for place in going:
            _tell(workers[place], "save")
        answers = _answers(workers, states)
        saved = {place: value for place, (kind, value) in enumerate(answers) if kind == "ok"}
        return list(saved), _together(list(saved.values()))

    def advance(states: list[str | None], step: int) -> tuple[list[str | None], Curves]:
        del step  # each run knows its own
        going = [worker for worker, failure in zip(workers, states, strict=True) if failure is None]
        for worker in going:
            _tell(worker, "advance")
        answers = _answers(workers, states)
        points = [value if kind == "ok" else _no_point(names) for kind, value in answers]
        return [_failure(answer) for answer in answers], jax.tree.map(lambda *values: np.stack(values), *points)

    def end(states: list[str | None]) -> list[Ending]:
        for worker, failure in zip(workers, states, strict=True):
            if failure is None:
                _tell(worker, "end")
        return [
            value if kind == "ok" else Ending(None, value, {}, {}, None, {})
            for kind, value in _answers(workers, states)
        ]

    return WorkerProgram(init, advance, end, save, load, lambda: _stop(workers))


def _start(task: Task, place: int, note: Callable[[str], None]) -> _Worker:
    # Spawned: a fork of a process in which JAX has started can hang.
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=worker_process.serve, args=(theirs, task), name=f"jaxdqn run {place}")
    process.start()
    theirs.close()  # so that the end of the process is the end of the connection
    return _Worker(process, ours, note)


def _tell(worker: _Worker, kind: str, value: Any = None) -> None:
    """Sends a worker a message. If the worker has ended, `_received` reports it."""
    with contextlib.suppress(OSError):
        worker.connection.send((kind, value))


def _answer(worker: _Worker) -> tuple[str, Any]:
    """Returns the answer of a worker: `("ok", value)`, or `("failed", text)`.

    Raises:
      checkpoint.Unusable: the worker cannot continue from the checkpoint that it was given.
      RuntimeError: an error that no environment raised.
    """
    return _checked(_received(worker))


def _answers(workers: Sequence[_Worker], failures: Sequence[str | None]) -> list[tuple[str, Any]]:
    """Returns the answer of each worker, as `_answer`; for a run that failed before, its failure.

    All answers are received before an error is raised. Otherwise the next message would get the answer to this one.
    """
    said = [
        ("failed", failure) if failure is not None else _received(worker)
        for worker, failure in zip(workers, failures, strict=True)
    ]
    return [_checked(answer) for answer in said]


def _received(worker: _Worker) -> tuple[str, Any]:
    """Returns the next answer of a worker; a failure if its process ended without an answer."""
    try:
        while True:
            answer: tuple[str, Any] = worker.connection.recv()
            if answer[0] != "note":
                return answer
            worker.note(answer[1])
    except (EOFError, OSError):
        worker.process.join()
        code = worker.process.exitcode
        how = f"was killed by signal {-code}" if code < 0 else f"ended with status {code}"
        return "failed", f"The process in which the environment ran {how}.\n"


def _checked(answer: tuple[str, Any]) -> tuple[str, Any]:
    kind, value = answer
    if kind == "unusable":
        raise checkpoint.Unusable(value)
    if kind == "error":
        raise RuntimeError(f"A run failed:\n{value}")
    return kind, value


def _together(runs: list[list[np.ndarray]]) -> list[np.ndarray]:
    """Returns the arrays of several runs with one axis more, the shorter ones filled up, and then all their shapes."""
    stacked, shapes = [], []
    for values in zip(*runs, strict=True):
        longest = tuple(map(max, zip(*(value.shape for value in values), strict=True)))
        filled = [np.zeros(longest, value.dtype) for value in values]
        for place, value in zip(filled, values, strict=True):
            place[tuple(map(slice, value.shape))] = value
        stacked.append(np.stack(filled))
        shapes.append(np.array([value.shape for value in values], np.int64))
    return stacked + shapes


def _member(arrays: list[np.ndarray], i: int) -> list[np.ndarray]:
    """Returns the arrays of one of the runs that `_together` put together."""
    stacked, shapes = arrays[: len(arrays) // 2], arrays[len(arrays) // 2 :]
    return [values[i][tuple(map(slice, shape[i]))] for values, shape in zip(stacked, shapes, strict=True)]


def _failure(answer: tuple[str, Any]) -> str | None:
    return answer[1] if answer[0] == "failed" else None


def _no_point(names: Sequence[str]) -> Curves:
    """Returns a point for a run that failed; it is discarded."""
    return {name: np.int32(-1) if name in COUNTS else np.float32(np.nan) for name in names}


def _stop(workers: Sequence[_Worker]) -> None:
    for worker in workers:
        worker.connection.close()  # a worker that waits for a message then ends
    until = time.monotonic() + 5
    for worker in workers:
        worker.process.join(timeout=max(0.0, until - time.monotonic()))  # a worker in a long evaluation does not end
        if worker.process.is_alive():
            worker.process.kill()
            worker.process.join()
