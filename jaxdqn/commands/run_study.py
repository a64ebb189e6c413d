"""Runs the missing runs of a study for a command, as its options say, and prints a summary and errors in one line."""

import argparse
import contextlib
import functools
import pathlib
import sys
import tempfile
from collections.abc import Callable
from typing import NamedTuple

from jaxdqn.analysis import failed_runs
from jaxdqn.commands.errors import one_sentence, printable, sentence_of
from jaxdqn.export import tensorboard, weights_and_biases
from jaxdqn.export.exporter import Exporter
from jaxdqn.spelling import counted
from jaxdqn.study import execute, missing_runs, provenance, spec, stored_versions
from jaxdqn.study import plan as planning
from jaxdqn.study.executors import on_ray, on_slurm
from jaxdqn.study.executors.driver import Unfinished
from jaxdqn.study.executors.tasks import Resources
from jaxdqn.study.spec import Study
from jaxdqn.training import devices


class RunOptions(NamedTuple):
    """The options of `jaxdqn.commands.options.add_run_options`.

    Attributes:
      asynchronous: whether each environment of a host game has its own process.
      retry_failed: whether failed runs are run again.
      checkpoint_seconds: seconds of training between checkpoints.
      memory: bytes that all runs together may use, or None for the default.
      tensorboard: folder for live curves in TensorBoard, or None.
      wandb: folder for live curves in Weights & Biases, or None.
      run: runs the study: `execute.run`, or a function with the same arguments that uses other machines.
    """

    asynchronous: bool = False
    retry_failed: bool = False
    checkpoint_seconds: float = execute.CHECKPOINT_SECONDS
    memory: float | None = None
    tensorboard: pathlib.Path | None = None
    wandb: pathlib.Path | None = None
    run: Callable[..., execute.Report] = execute.run

    @classmethod
    def of(cls, parsed: argparse.Namespace) -> "RunOptions":
        """Returns the parsed options."""
        return cls(
            asynchronous=parsed.asynchronous,
            retry_failed=parsed.retry_failed,
            checkpoint_seconds=parsed.checkpoint,
            memory=parsed.memory,
            tensorboard=parsed.tensorboard,
            wandb=parsed.wandb,
            run=_executor(parsed),
        )


def _executor(parsed: argparse.Namespace) -> Callable[..., execute.Report]:
    """Returns `execute.run`, or a function with the same arguments that runs the study on Ray or Slurm.

    Raises:
      ValueError: GPUs of tasks are demanded without Ray or Slurm.
    """
    resources = Resources(parsed.tasks, parsed.cpus_per_task, parsed.gpus_per_task)
    if parsed.executor == "ray":
        return functools.partial(on_ray.run, address=parsed.address, resources=resources)
    if parsed.executor == "slurm":
        return functools.partial(on_slurm.run, settings=dict(parsed.slurm), resources=resources)
    if parsed.gpus_per_task:
        raise ValueError(
            f"--gpus-per-task {parsed.gpus_per_task} is for tasks of --executor ray or slurm: here, a study uses all "
            "devices that JAX finds."
        )
    return execute.run


DEFAULT_OPTIONS = RunOptions()


def run(study: Study, out: pathlib.Path, options: RunOptions) -> int:
    """Runs the missing runs, prints a summary, and returns the number of runs that failed.

    It warns if no commit contains the script in its present state, because its results cannot be traced to it.
    """
    if doubt := provenance.warning(provenance.script()):
        print(doubt, file=sys.stderr)
    runs = out / study.name / "runs"
    with one_sentence():
        runs.parent.mkdir(parents=True, exist_ok=True)
        if runs.exists() and not runs.is_dir():
            raise FileExistsError(
                f"{runs} is a file, but runs are stored in a folder of this name: give another --out."
            )
        tempfile.TemporaryDirectory(
            dir=runs if runs.is_dir() else runs.parent
        ).cleanup()  # raises an error if the folder is not writable
        cells = spec.by_identifier(study)
        stored_versions.check_packages(runs, cells)
        for note in stored_versions.notes(runs, cells):
            print(f"note: {note}", file=sys.stderr)
    devices.use_all_cores()
    if options.run is not execute.run:
        devices.leave_accelerators()
    devices.keep_compiled_programs()
    try:
        report = _execute(study, out, options)
    except (Unfinished, OSError) as problem:
        reason = printable(sentence_of(problem) if isinstance(problem, OSError) else problem).removesuffix(".")
        print(f"error: {reason}. Finished work is stored; run the same command to continue", file=sys.stderr)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        print("interrupted: finished work is stored; run the same command to continue", file=sys.stderr)
        raise SystemExit(130) from None
    _print(report, out / study.name / "failures")
    return report.num_failed


def _execute(study: Study, out: pathlib.Path, options: RunOptions) -> execute.Report:
    """Runs the missing runs. A run that needs more memory than there is ends the command before any training."""
    if options.run is execute.run or options.memory is not None:  # the memory of other machines is not known here
        with one_sentence():
            folder = out / study.name
            failed = set() if options.retry_failed else missing_runs.failed(folder)
            planning.check_memory(study, missing_runs.stored(folder) | failed, options.memory)
    with contextlib.ExitStack() as stack:
        exporters: list[Exporter] = []
        with one_sentence():
            if options.tensorboard is not None:
                exporters.append(stack.enter_context(tensorboard.opened(options.tensorboard)))
            if options.wandb is not None:
                exporters.append(stack.enter_context(weights_and_biases.opened(options.wandb)))
        return options.run(
            study,
            out,
            asynchronous=options.asynchronous,
            checkpoint_seconds=options.checkpoint_seconds,
            memory=options.memory,
            retry_failed=options.retry_failed,
            exporters=exporters,
        )


def _print(report: execute.Report, failures: pathlib.Path) -> None:
    """Prints a summary of the work that was done."""
    summary = (
        f"{counted(report.num_written, 'run')} trained, {report.num_skipped} already stored, "
        f"{report.num_failed} failed; {counted(report.num_compilations, 'program')} compiled in "
        f"{report.compile_seconds:.0f} s, trained and evaluated in {report.wall_seconds:.0f} s"
    )
    # After a command that finds nothing but failures, they are all there is to say.
    lines = [summary] if report.num_written or report.num_skipped or not report.failed else []
    if report.num_diverged:
        lines.append(f"{report.num_diverged} of these runs diverged; their records contain the step")
    lines += map(printable, failed_runs.reasons(report.failed, failures))
    print(*lines, sep="\n", file=sys.stderr)
