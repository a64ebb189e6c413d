"""What a task does on the machine that it runs on: some cells of a study, in its folder if that is seen from there."""

import pathlib
import pickle
import sys
import tempfile
from collections.abc import Callable
from typing import Any, NamedTuple

from jaxdqn.study import execute, spec
from jaxdqn.study.executors.tasks import Task
from jaxdqn.study.spec import Study
from jaxdqn.training import cores, devices

Sees = Callable[[pathlib.Path, str], bool]


class Order(NamedTuple):
    """What a task is told.

    Attributes:
      task: which cells, and what it may use.
      study: that they are of, pickled: it is read once `paths` are searched, where its modules may lie.
      paths: of Python's modules where the order was given.
      out: the folder of results there, absolute.
      token: name of a file that says that a folder is the same; `token_of` says where.
      options: of `execute.run`.
    """

    task: Task
    study: bytes
    paths: tuple[str, ...]
    out: str
    token: str
    options: dict[str, Any]


class Done(NamedTuple):
    """What a task did.

    Attributes:
      report: of `execute.run`.
      records: contents of the files of `runs` and `failures`, by their path in the study's folder; none where that
        folder is seen, since they are there already.
    """

    report: execute.Report
    records: dict[str, bytes]


def token_of(folder: pathlib.Path, token: str) -> pathlib.Path:
    """Returns the file of a study's folder by which others know it."""
    return folder / "claims" / f"{token}.shared"


def sees(folder: pathlib.Path, token: str) -> bool:
    """Returns whether this folder is the one in which the token was put."""
    try:
        return token_of(folder, token).read_text() == token
    except OSError:
        return False


def work(order: Order, sees: Sees = sees) -> Done:
    """Runs the cells of a task.

    Raises:
      RuntimeError: if the code here is not that of where the order was given.
      OSError: if a result cannot be stored.
      KeyboardInterrupt: told to stop; in a folder that is seen, checkpoints are left.
    """
    sys.path.extend(path for path in order.paths if path not in sys.path)
    study = pickle.loads(order.study)
    needs = order.task.needs
    with cores.kept_to(needs.cpus, "task"):
        devices.use_cores(needs.cpus)
        if not needs.gpus:
            devices.leave_accelerators()
        devices.keep_compiled_programs()
        _check_cells(study, order.task.cells)
        if sees(pathlib.Path(order.out) / study.name, order.token):
            return Done(execute.run(study, order.out, only=order.task.cells, **order.options), {})
        with tempfile.TemporaryDirectory() as out:
            report = execute.run(study, out, only=order.task.cells, **order.options)
            return Done(report, _records(pathlib.Path(out) / study.name))


def _check_cells(study: Study, ids: tuple[str, ...]) -> None:
    known = {spec.identifier(study, cell) for cell in spec.cells(study)}
    if not set(ids) <= known:
        raise RuntimeError("this machine has another version of jaxdqn or of a game: install the same on all")


def _records(folder: pathlib.Path) -> dict[str, bytes]:
    files = [path for name in ("runs", "failures") for path in (folder / name).glob("*")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}
