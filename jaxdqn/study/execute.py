"""Runs a study on this machine: what is missing, group by group.

Several processes, on one machine or many, can run one study in one folder: each claims the cells of a wave before it
trains them. Long waves leave checkpoints, and the process that claims their cells next continues from there.
"""

import pathlib
import time
from collections.abc import Collection, Sequence
from typing import NamedTuple

from jaxdqn.analysis import failed_runs
from jaxdqn.export.exporter import Exporter
from jaxdqn.store import manifest
from jaxdqn.store.claims import Claims
from jaxdqn.store.failures import Failure
from jaxdqn.study import (
    checkpoints,
    missing_runs,
    plan,
    progress,
    provenance,
    records,
    run_group,
    spec,
    stop_signals,
    stored_versions,
)
from jaxdqn.study.run_group import GroupReport, StudyContext
from jaxdqn.study.spec import Study
from jaxdqn.study.stop_signals import StopRequest

CHECKPOINT_SECONDS = 300.0
_POLL = 2.0  # seconds between looks at what other processes have done


class Report(NamedTuple):
    """The work of one call of `run`.

    Attributes:
      folder: of the study's runs.
      num_written: runs trained and recorded now.
      num_skipped: runs recorded before, or by another process first.
      num_diverged: of those recorded now.
      failed: the failures of cells without a run, since an error stopped it now or before.
      damaged: sentences about records that cannot be read; their runs are left out.
      num_compilations: groups compiled, one program each.
      compile_seconds: of these compilations.
      wall_seconds: of training and evaluation.
    """

    folder: pathlib.Path
    num_written: int
    num_skipped: int
    num_diverged: int
    failed: tuple[Failure, ...]
    damaged: tuple[str, ...]
    num_compilations: int
    compile_seconds: float
    wall_seconds: float

    @property
    def num_failed(self) -> int:
        """Returns the number of failures."""
        return len(self.failed)


def run(
    study: Study,
    out: str | pathlib.Path,
    *,
    asynchronous: bool = False,
    only: Collection[str] | None = None,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    memory: float | None = None,
    retry_failed: bool = False,
    exporters: Sequence[Exporter] = (),
    script: provenance.Script | None = None,
) -> Report:
    """Runs every cell of the study that has no result, and records each run when its wave ends.

    Recorded runs stay as they are, runs of other processes are left to them, and an interrupted run continues from its
    checkpoint, bit for bit. A damaged record is named in the report and left alone, with its run. After a signal to
    stop, training ends with the evaluation period, leaves a checkpoint and raises.

    Args:
      study: the study.
      out: its results go to `<out>/<study.name>/runs`.
      asynchronous: whether each environment of a host game has a process; results are the same.
      only: identifiers of the cells to run; None runs all.
      checkpoint_seconds: of training between checkpoints; 0 writes one after each evaluation period.
      memory: bytes that runs may use at once; None for half of what there is.
      retry_failed: whether cells that failed before run again.
      exporters: to which curves are sent while runs train.
      script: that runs the study, if this process runs another one; it is recorded with the runs.

    Raises:
      ValueError: if `only` names no cell of the study, or stored runs were played by other versions of an emulator.
      OSError: if a result cannot be stored; those stored before stay.
      KeyboardInterrupt: after a request to stop.
    """
    folder = pathlib.Path(out) / study.name
    folder.mkdir(parents=True, exist_ok=True)
    cells = spec.by_identifier(study)
    if only is None:
        manifest.write(folder, records.manifest(study, cells.values()))
    else:
        if unknown := set(only) - set(cells):
            raise ValueError(f"{min(unknown)!r} is no cell of this study: take the id of cells of spec.cells.")
        cells = {id: cell for id, cell in cells.items() if id in only}
    if retry_failed:
        missing_runs.retry(folder, cells)
    stored_versions.check_packages(folder / "runs", cells)
    left, damaged = missing_runs.find(folder, cells)
    if left:
        (folder / "runs").mkdir(exist_ok=True)  # figures read it even if no run can be stored
    checkpoints.remove_left_over(folder / "checkpoints")
    code = provenance.code(script or provenance.script())  # now: it may change before the first wave ends
    reports: list[GroupReport] = []
    with (
        progress.Bar(len(left), study.steps) as bar,
        Claims(folder / "claims") as claims,
        stop_signals.watched(bar.note) as stop,
    ):
        context = StudyContext(
            study, folder, left, claims, stop, bar, exporters, checkpoint_seconds, memory, asynchronous, code
        )
        while left:
            before = left
            groups = plan.groups(cells[id] for id in left)
            for number, group in enumerate(groups, start=1):
                bar.programs_left(len(groups) - number)
                reports.append(run_group.run_group(context, group))
            left = missing_runs.remaining(folder, left)
            bar.left(len(left))
            if left == before:
                bar.waiting(len(left))  # other processes have claimed all of them
                _sleep(stop)
    checkpoints.end(folder / "checkpoints")
    endings = [ending for report in reports for ending in report.endings]
    compiled = [report.compile_seconds for report in reports if report.compile_seconds is not None]
    failed = tuple(failure for failure in failed_runs.read(folder) if failure.id in cells)
    return Report(
        folder=folder / "runs",
        num_written=len(endings),
        num_skipped=len(cells) - len(endings) - len(damaged) - len(failed),
        num_diverged=sum(ending.diverged_at is not None for ending in endings),
        failed=failed,
        damaged=damaged,
        num_compilations=len(compiled),
        compile_seconds=sum(compiled),
        wall_seconds=sum(report.training_seconds for report in reports),
    )


def _sleep(stop: StopRequest) -> None:
    until = time.monotonic() + _POLL
    while time.monotonic() < until:
        stop.raise_if_requested()
        time.sleep(0.1)
