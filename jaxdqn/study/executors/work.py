"""Runs one task on its machine: some cells of a study, in the study's folder if this machine sees it."""

import pathlib
import pickle
import sys
import tempfile
from collections.abc import Callable
from typing import Any, NamedTuple

from jaxdqn.study import execute, spec
from jaxdqn.study.executors.tasks import Task
from jaxdqn.study.spec import Study
from jaxdqn.training import cpu_cores, devices

Sees = Callable[[pathlib.Path, str], bool]


class TaskRequest(NamedTuple):
    """A request to run a task, with all that its machine needs.

    Attributes:
      task: cells and resources.
      study: the study, pickled; it is unpickled after `paths` are added, since its modules may be there.
      paths: in which the driver searches Python modules.
      out: the folder of results of the driver, absolute.
      switches: of JAX, in the driver.
      token: written by the driver into the study's folder; `token_of` returns the file.
      options: of `execute.run`.
    """

    task: Task
    study: bytes
    paths: tuple[str, ...]
    out: str
    switches: dict[str, Any]
    token: str
    options: dict[str, Any]


class TaskResult(NamedTuple):
    """The result of a task.

    Attributes:
      report: of `execute.run`.
      records: contents of the files of `runs` and `failures`, by path in the study's folder; none where the machine
        sees that folder, since they are there already.
    """

    report: execute.Report
    records: dict[str, bytes]


def token_of(folder: pathlib.Path, token: str) -> pathlib.Path:
    """Returns the file of a study's folder that identifies it to other machines."""
    return folder / "claims" / f"{token}.shared"


def sees(folder: pathlib.Path, token: str) -> bool:
    """Returns whether this folder is the driver's, which holds the token."""
    try:
        return token_of(folder, token).read_text() == token
    except OSError:
        return False


def work(request: TaskRequest, sees: Sees = sees) -> TaskResult:
    """Runs the cells of a task.

    Raises:
      RuntimeError: if the code here differs from the driver's, or JAX finds no GPU where the task has one.
      OSError: if a result cannot be stored.
      KeyboardInterrupt: after a request to stop; if the folder is the driver's, checkpoints are left.
    """
    sys.path.extend(path for path in request.paths if path not in sys.path)
    study = pickle.loads(request.study)
    needs = request.task.needs
    with cpu_cores.kept_to(needs.cpus, "task"):
        devices.use_cores(needs.cpus)
        devices.set_switches(request.switches)
        if not needs.gpus:
            devices.leave_accelerators()
        elif devices.available()[0].platform == "cpu":
            raise RuntimeError('JAX finds no GPU of this task: install JAX for it there (pip install "jax[cuda12]")')
        devices.keep_compiled_programs()
        _check_cells(study, request.task.cells)
        if sees(pathlib.Path(request.out) / study.name, request.token):
            return TaskResult(execute.run(study, request.out, only=request.task.cells, **request.options), {})
        with tempfile.TemporaryDirectory() as out:
            report = execute.run(study, out, only=request.task.cells, **request.options)
            return TaskResult(report, _records(pathlib.Path(out) / study.name))


def _check_cells(study: Study, ids: tuple[str, ...]) -> None:
    if not set(ids) <= set(spec.by_identifier(study)):
        raise RuntimeError("this machine has another version of jaxdqn or of a game: install the same on all")


def _records(folder: pathlib.Path) -> dict[str, bytes]:
    files = [path for name in ("runs", "failures") for path in (folder / name).glob("*")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}
