"""The process in which one run after another of a host game trains, and its answers to messages.

`jaxdqn.training.workers` starts such processes. A message is `(kind, value)`. The answer is `("ok", value)`; or
`("failed", traceback)` if an environment raised an error, `("unusable", reason)` for a checkpoint, and `("error",
traceback)` otherwise. `("note", sentence)` may come before it, for the user. The first answer, to no message, tells
whether the programs are compiled.
"""

import contextlib
import functools
import os
import signal
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import jax

from jaxdqn import games
from jaxdqn.code_versions import CodeVersions
from jaxdqn.config import Config
from jaxdqn.game_interfaces import HostGame
from jaxdqn.training import (
    checkpoint,
    cpu_cores,
    devices,
    host_checkpoint,
    host_environments,
    host_loop,
    host_programs,
    host_state,
)
from jaxdqn.training.evaluate import Evaluation
from jaxdqn.training.host_checkpoint import Restoring
from jaxdqn.training.state import ending


class Task(NamedTuple):
    """The settings that all runs of a process share."""

    platform: str  # of the process that hands out the tasks
    config: Config  # any of the group, to compile with
    game: str
    code: CodeVersions  # of the game
    switches: dict[str, Any]  # of JAX
    evaluation: Evaluation
    num_logged: int
    asynchronous: bool
    restoring_seconds: float  # as `Restoring` has them


def serve(connection: Connection, task: Task) -> None:
    """The main function of a worker process, which has a core to itself if its environments have no processes."""
    with contextlib.nullcontext() if task.asynchronous else cpu_cores.kept_to(1, "run"):
        _answer_all(connection, task)


def _answer_all(connection: Connection, task: Task) -> None:
    """Answers each message with one, which sentences for the user may precede."""

    def note(text: str) -> None:
        with contextlib.suppress(OSError):  # the parent has ended
            connection.send(("note", text))

    for number in (signal.SIGINT, signal.SIGTERM):  # terminals and clusters send them to all; the parent decides
        signal.signal(number, signal.SIG_IGN)
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # an accelerator is shared by all workers
    if task.platform == "cpu":
        devices.leave_accelerators()
    devices.set_switches(task.switches)
    devices.compute_in_this_thread()
    devices.keep_compiled_programs()
    try:
        game = _game(task)
        programs = host_programs.make(game)
        host_loop.compile(task.config, game=game, programs=programs, evaluation=task.evaluation)
        started: tuple[str, Any] = "ok", None
    except host_environments.EnvironmentFailure as failure:
        started = "failed", failure.text()
    except BaseException:
        started = "error", traceback.format_exc()
    host: host_state.HostRun | None = None
    # The connection ends when the parent closes it or has ended.
    with contextlib.suppress(EOFError, OSError):
        connection.send(started)
        while started[0] == "ok":
            kind, value = connection.recv()
            host, answer = _served(kind, value, host, task, game, programs, note)
            connection.send(answer)
    if host is not None:
        host_loop.close(host)


def _game(task: Task) -> HostGame:
    """Returns the game of a task, made in this process.

    Raises:
      RuntimeError: its code is another than in the process that hands out the tasks, whose records name that one.
    """
    made = games.make(task.game)
    assert isinstance(made, HostGame)
    if made.code != task.code:
        raise RuntimeError(f"the code of {made.name} has changed since the command began: run the command again")
    return made


def _served(
    kind: str,
    value: Any,
    host: host_state.HostRun | None,
    task: Task,
    game: HostGame,
    programs: Any,
    note: Callable[[str], None],
) -> tuple[host_state.HostRun | None, tuple[str, Any]]:
    """Returns the run after a message, and the answer to it."""
    try:
        if kind in ("init", "load"):
            if host is not None:
                host_loop.close(host)
            host, begin = None, host_loop.init
            if kind == "load":
                begin = functools.partial(host_checkpoint.load, restoring=Restoring(task.restoring_seconds, note))
            host = begin(
                *value,
                game=game,
                programs=programs,
                evaluation=task.evaluation,
                num_logged=task.num_logged,
                asynchronous=task.asynchronous,
            )
            return host, ("ok", None)
        assert host is not None
        if kind == "save":
            return host, ("ok", host_checkpoint.save(host, game))
        if kind == "advance":
            host, point = host_loop.advance(host, game=game, programs=programs, evaluation=task.evaluation)
            return host, ("ok", jax.device_get(point))
        state = host.state
        ended = ending(*jax.device_get((state.diverged_at, state.log, state.learner.parameters, state.best)))
        return host, ("ok", ended._replace(renewed_at=host.history.renewed_at))
    except host_environments.EnvironmentFailure as failure:
        return host, ("failed", failure.text())
    except checkpoint.Unusable as problem:
        return host, ("unusable", str(problem))
    except Exception:
        return host, ("error", traceback.format_exc())
