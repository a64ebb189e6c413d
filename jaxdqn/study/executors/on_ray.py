"""Runs a study on a Ray cluster: an existing one, or one on this machine that lasts as long as the command.

Where a node sees the study's folder, its tasks work there, with claims and checkpoints; a task that is lost with its
node continues from there on another node. Elsewhere a task returns its results when it is done.
"""

import contextlib
import functools
import os
import pathlib
import socket
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from jaxdqn.store import failures
from jaxdqn.study import execute
from jaxdqn.study.executors import driver, work
from jaxdqn.study.executors.driver import Outcome, Pool, Unfinished
from jaxdqn.study.executors.tasks import Needs, Resources
from jaxdqn.study.executors.work import Sees, TaskRequest
from jaxdqn.study.spec import Study
from jaxdqn.training import devices

_ANSWER = 15.0  # seconds in which a working cluster answers
_STOP = 60.0  # seconds that tasks have to finish their evaluation period
_RETRIES = 5  # of a task whose node or process is lost
_OBJECTS = 100_000_000  # bytes for results on their way back


def run(
    study: Study,
    out: str | pathlib.Path,
    *,
    address: str | None = None,
    resources: Resources = Resources(),  # noqa: B008  # immutable
    sees: Sees = work.sees,
    **options: Any,
) -> execute.Report:
    """Runs the missing cells of a study as tasks of a Ray cluster, as `driver.run` does.

    Args:
      study: the study.
      out: its results go to `<out>/<study.name>/runs`.
      address: of the cluster, or "auto" for the one that this machine is part of; None starts one here for this call.
      resources: of the tasks.
      sees: returns whether a node sees the folder; called on the node.
      **options: of `driver.run`.
    """
    return driver.run(study, out, lambda folder: opened(address, sees), resources, **options)


@contextlib.contextmanager
def opened(address: str | None, sees: Sees = work.sees) -> Iterator[Pool]:
    """Opens a cluster.

    Raises:
      Unfinished: if Ray is not installed, or no cluster answers at the address.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # sends no usage statistics
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # tasks without a GPU leave it alone by themselves
    try:
        import ray
    except ImportError:
        raise Unfinished('--executor ray needs Ray: pip install "jaxdqn[ray]"') from None
    if address is None:
        here = {"num_cpus": len(devices.cores()), "include_dashboard": False, "object_store_memory": _OBJECTS}
    else:
        _check(address)
        here = {}
    named: dict[str, Any] = {"log_to_driver": False, "logging_level": "error", **here}
    try:
        with warnings.catch_warnings():
            # JAX may have started here, and warns of a fork. Ray's are followed by the start of another program.
            warnings.filterwarnings("ignore", message=r"os\.fork\(\) was called", category=RuntimeWarning)
            ray.init(address or "local", **named)
    except (ConnectionError, RuntimeError, ValueError) as problem:
        raise Unfinished(f"Ray cannot be used at {address or 'this machine'} ({problem})") from None
    try:
        yield _pool(ray, address or "a Ray cluster on this machine", sees)
    finally:
        ray.shutdown()


def _check(address: str) -> None:
    """Raises `Unfinished` if no cluster answers: Ray itself would try for many minutes."""
    host, _, port = address.rpartition(":")
    if address != "auto" and not (host and port.isdecimal() and "/" not in host):
        raise Unfinished(f"{address!r} is no address of a Ray cluster: give HOST:PORT, or auto")
    silent = f"no Ray cluster answers at {address!r}: start it, or correct --address"
    command = [sys.executable, "-m", "ray.scripts.scripts", "health-check"]
    try:
        if address != "auto":
            socket.create_connection((host, int(port)), timeout=_ANSWER).close()
            command += ["--address", address]
        subprocess.run(command, check=True, capture_output=True, timeout=_ANSWER)
    except (OSError, OverflowError, subprocess.SubprocessError):
        raise Unfinished(silent) from None


def _pool(ray: Any, name: str, sees: Sees) -> Pool:
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    requests: dict[Any, TaskRequest] = {}  # of the tasks under way, by Ray's reference to their result

    def slots(cpus: int, gpus: int) -> int:
        needed = {"CPU": cpus, "GPU": gpus}
        return sum(min(int(node.get(kind, 0) // number) for kind, number in needed.items() if number) for node in nodes)

    def submit(given: Sequence[TaskRequest]) -> None:
        _check_room(nodes, [request.task.needs for request in given])
        for request in given:
            requests[_remote(ray, request.task.needs).remote(request, sees)] = request

    def wait(seconds: float) -> list[Outcome]:
        ended, _ = ray.wait(list(requests), num_returns=len(requests), timeout=seconds)
        return [_outcome(requests.pop(reference), functools.partial(ray.get, reference)) for reference in ended]

    def cancel() -> None:
        for reference in requests:
            ray.cancel(reference)  # as Ctrl-C there
        if requests:
            ray.wait(list(requests), num_returns=len(requests), timeout=_STOP)

    return Pool(name, slots, int(any(node.get("GPU", 0) >= 1 for node in nodes)), submit, wait, cancel)


def _remote(ray: Any, needs: Needs) -> Any:
    """Returns the function that Ray runs, each time in a new process, since JAX keeps the devices it started on."""
    declared = ray.remote(
        num_cpus=needs.cpus, num_gpus=needs.gpus, memory=needs.memory, max_retries=_RETRIES, max_calls=1
    )
    return declared(work.work)


def _outcome(request: TaskRequest, result: Callable[[], work.TaskResult]) -> Outcome:
    try:
        return Outcome(request.task, result())
    except Exception as problem:  # of the task, or of its lost node
        return Outcome(request.task, None, failures.error_line(str(problem)) or type(problem).__name__)


def _check_room(nodes: Sequence[dict[str, float]], needs: Sequence[Needs]) -> None:
    """Raises `Unfinished` if no node could ever take one of the tasks, for which Ray would wait forever."""
    for need in needs:
        needed = {"CPU": need.cpus, "GPU": need.gpus, "memory": need.memory}
        if not any(all(node.get(kind, 0) >= number for kind, number in needed.items()) for node in nodes):
            raise Unfinished(
                f"no node of the cluster has {need.cpus} CPUs, {need.gpus} GPUs and {need.memory / 1e9:.1f} GB of "
                "memory for a task: ask for less with --cpus-per-task, --gpus-per-task or --memory"
            )
