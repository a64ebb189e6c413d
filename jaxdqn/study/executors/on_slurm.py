"""Runs a study on Slurm: its tasks as a job array, in a folder that the nodes share.

Before the time of a job is over, or when it is preempted, Slurm sends a signal: the job finishes its evaluation period,
leaves a checkpoint and is queued again, to continue from there. Its logs lie in the study's folder `slurm/`.
"""

import contextlib
import os
import pathlib
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from types import FrameType, MappingProxyType
from typing import Any

from jaxdqn.store import failures
from jaxdqn.study import execute
from jaxdqn.study.executors import driver, work
from jaxdqn.study.executors.driver import Outcome, Pool, Unfinished
from jaxdqn.study.executors.tasks import Resources
from jaxdqn.study.executors.work import TaskRequest
from jaxdqn.study.spec import Study

_MINUTES = 240  # of a job before it is queued again
_TIMES = 100  # that a job is queued again
_STOP = 60.0  # seconds that jobs have to finish their evaluation period


def run(
    study: Study,
    out: str | pathlib.Path,
    *,
    settings: Mapping[str, str] = MappingProxyType({}),
    resources: Resources = Resources(),  # noqa: B008  # immutable
    cluster: str = "slurm",
    **options: Any,
) -> execute.Report:
    """Runs the missing cells of a study as a job array, as `driver.run` does.

    Args:
      study: the study.
      out: its results go to `<out>/<study.name>/runs`.
      settings: options of sbatch.
      resources: of the jobs.
      cluster: "slurm", or "local" and "debug" of submitit, which need no cluster.
      **options: of `driver.run`.
    """
    if resources.tasks is not None:
        settings = {"array-parallelism": str(resources.tasks)} | dict(settings)
    return driver.run(study, out, lambda folder: opened(folder, study.name, settings, cluster), resources, **options)


class Job:
    """A task as a Slurm job. After a signal it stops at the end of the evaluation period and is queued again."""

    def __call__(self, request: TaskRequest) -> work.TaskResult:
        """Runs the task."""
        received: list[int] = []

        def stop(number: int, frame: FrameType | None) -> None:
            received.append(number)
            os.kill(os.getpid(), signal.SIGTERM)  # a study stops on it after the period

        queue_again = signal.signal(signal.SIGUSR2, stop)
        try:
            return work.work(request)
        except KeyboardInterrupt:
            if received and callable(queue_again):
                queue_again(received[0], None)  # ends the process
            raise
        finally:
            signal.signal(signal.SIGUSR2, queue_again)

    def checkpoint(self, request: TaskRequest) -> Any:
        """Returns the job to queue again: the same."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self, request)


@contextlib.contextmanager
def opened(folder: pathlib.Path, name: str, settings: Mapping[str, str], cluster: str) -> Iterator[Pool]:
    """Opens Slurm.

    Raises:
      Unfinished: if submitit is not installed, this machine knows no Slurm, or a setting is malformed.
    """
    try:
        import submitit
    except ImportError:
        raise Unfinished('--executor slurm needs submitit: pip install "jaxdqn[slurm]"') from None
    others = {key: value for key, value in settings.items() if key not in ("time", "array-parallelism")}
    try:
        minutes = int(settings.get("time", _MINUTES))
        parallel = int(settings.get("array-parallelism", 256))
    except ValueError as problem:
        raise Unfinished(f"--slurm takes time (minutes) and array-parallelism as whole numbers: {problem}") from None
    try:
        executor = submitit.AutoExecutor(folder / "slurm", cluster, slurm_max_num_timeout=_TIMES)
    except RuntimeError:
        raise Unfinished("this machine knows no Slurm (there is no srun): run the command where it does") from None
    executor.update_parameters(
        name=name,
        timeout_min=minutes,
        slurm_array_parallelism=parallel,
        slurm_additional_parameters=others or None,
    )
    yield _pool(executor, cluster, any(key.startswith("mem") for key in others))


def _pool(executor: Any, cluster: str, is_memory_set: bool) -> Pool:
    jobs: dict[Any, TaskRequest] = {}  # running, with their requests

    def submit(requests: Sequence[TaskRequest]) -> None:
        if not requests:
            return
        needs = [request.task.needs for request in requests]
        executor.update_parameters(
            cpus_per_task=needs[0].cpus,
            gpus_per_node=needs[0].gpus or None,
            mem_gb=None if is_memory_set else round(max(need.memory for need in needs) / 2**30, 1),
        )
        jobs.update(zip(executor.map_array(Job(), requests), requests, strict=True))

    def wait(seconds: float) -> list[Outcome]:
        until = time.monotonic() + seconds
        while not (ended := [job for job in jobs if job.done()]) and time.monotonic() < until:
            time.sleep(0.1)
        return [_outcome(job, jobs.pop(job)) for job in ended]

    def cancel() -> None:
        for job in jobs:
            job.cancel(check=False)
        until = time.monotonic() + _STOP
        while time.monotonic() < until and not all(job.done() for job in jobs):
            time.sleep(0.1)

    return Pool(f"jobs of {cluster}", lambda cpus, gpus: None, 0, submit, wait, cancel)


def _outcome(job: Any, request: TaskRequest) -> Outcome:
    problem = job.exception()
    if problem is None:
        return Outcome(request.task, job.result())
    return Outcome(request.task, None, f"{failures.error_line(str(problem))} ({job.paths.stderr})")
