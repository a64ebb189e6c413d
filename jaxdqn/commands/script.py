"""The command line of every experiment: runs the missing runs of its study, then draws figures and a table."""

import argparse
import contextlib
import dataclasses
import functools
import pathlib
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from jaxdqn.analysis import by_arm, failed_runs, study_tables
from jaxdqn.commands import text_tables, written_files
from jaxdqn.commands.errors import one_sentence, printable, sentence_of
from jaxdqn.commands.options import add_run_options, positive
from jaxdqn.export import tensorboard, weights_and_biases
from jaxdqn.export.exporter import Exporter
from jaxdqn.figures import captions as caption
from jaxdqn.figures import style
from jaxdqn.figures.captions import Drawn
from jaxdqn.spelling import counted
from jaxdqn.store import files, manifest, store
from jaxdqn.store.record import DamagedResult, Run
from jaxdqn.study import execute, missing_runs, provenance, records, spec, stored_versions
from jaxdqn.study import plan as planning
from jaxdqn.study.executors import on_ray, on_slurm
from jaxdqn.study.executors.driver import Unfinished
from jaxdqn.study.executors.tasks import Resources
from jaxdqn.study.spec import Study
from jaxdqn.training import devices

if TYPE_CHECKING:
    from matplotlib.figure import Figure


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

Draw = Callable[[Sequence[Run]], "Figure | Mapping[str, Figure | Drawn]"]
Tabulate = Callable[[Sequence[Run]], str]


def main(
    study: Study,
    toy: Study,
    draw: Draw,
    description: str | None,
    tabulate: Tabulate = study_tables.table,
    *,
    full: Callable[[], Study] | None = None,
) -> None:
    """Runs the command line of an experiment script.

    Args:
      study: the whole study.
      toy: a short study of the same question, with another name.
      draw: from the study's runs to the figure, or to several figures by the suffix of their file; the suffix of the
        main figure is empty.
      description: text for `--help`.
      tabulate: from the study's runs to the text that is printed. By default a table of final scores.
      full: makes a larger study of the same question, with another name, for `--full`; None has no such option.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--toy", action="store_true", help="a short run in seconds, stored in a folder of its own")
    if full is not None:
        size.add_argument("--full", action="store_true", help="the larger study, stored in a folder of its own")
    parser.add_argument(
        "--seeds",
        type=positive,
        metavar="N",
        help="seeds 0 to N-1 for every arm; the names of figure and table contain N (default: the seeds of the study: "
        f"{_number_of_seeds(study)}; with --toy {_number_of_seeds(toy)})",
    )
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("results"), help="folder (default: results)")
    parser.add_argument("--figure-only", action="store_true", help="draw the stored results without running anything")
    add_run_options(parser)
    parsed = parser.parse_args()
    with one_sentence():
        options = RunOptions.of(parsed)
        if full is not None and parsed.full:
            study = full()
        whole = toy if parsed.toy else study
        chosen = whole if parsed.seeds is None else _with_seeds(whole, parsed.seeds)
    is_whole = (list(chosen.seeds), chosen.more_seeds) == (list(whole.seeds), whole.more_seeds)
    run_and_show(
        chosen,
        parsed.out,
        draw,
        tabulate,
        name=chosen.name if is_whole else f"{chosen.name}-{parsed.seeds}_seeds",  # keep the figure of the whole study
        figure_only=parsed.figure_only,
        options=options,
    )


def run_and_show(
    study: Study,
    out: pathlib.Path,
    draw: Draw,
    tabulate: Tabulate = study_tables.table,
    *,
    name: str | None = None,
    figure_only: bool = False,
    with_others: bool = False,
    options: RunOptions = DEFAULT_OPTIONS,
) -> None:
    """Runs the missing runs of a study, then draws the figures and prints the table.

    The exit status is 1 if a record is damaged or a run failed, and 130 after an interruption.

    Args:
      study: the study.
      out: folder of the results; the study has a folder of its own in it.
      draw: from the study's runs to the figure, or to several figures by suffix.
      tabulate: from the study's runs to the text that is printed.
      name: name of the files of figure and table. By default the name of the study.
      figure_only: whether nothing is run.
      with_others: whether other runs of the folder are shown, too, if they can be compared with those of the study.
      options: how the study is run.
    """
    folder = out / study.name
    num_failed = 0 if figure_only else _run(study, out, options)
    with one_sentence():
        found = store.read(folder / "runs")
        requested = records.manifest(study, spec.cells(study))
        runs: Sequence[Run] = manifest.requested_runs(found.runs, requested)
        damaged = "\n".join(f"damaged: {printable(problem)}" for problem in found.damaged)
        if not runs and damaged:
            raise SystemExit(damaged)
        if not runs and num_failed:
            raise SystemExit(1)  # `_run` has printed the reason
        if not runs:
            remedy = "; run it without --figure-only" if figure_only else ""
            raise ValueError(f"{folder / 'runs'} holds no run of this study{remedy}.")
        if with_others:
            runs = _with_others(runs, found.runs)
        left_out = failed_runs.sentence(failed_runs.read(folder, requested), runs)
        text, written = _save(runs, left_out, folder / (name or study.name), draw, tabulate)
    print(text_tables.markdown_fitted(text))
    print(f"runs    {folder / 'runs'}", *written, sep="\n")
    if damaged:
        raise SystemExit(damaged)
    if num_failed:
        raise SystemExit(1)


def _save(
    runs: Sequence[Run], left_out: str, path: pathlib.Path, draw: Draw, tabulate: Tabulate
) -> tuple[str, list[str]]:
    """Writes the figures and the table, and what is left out. Returns the table, and a line for each file."""
    before = written_files.contents(path)
    try:
        figures = save_figures(draw(runs), path, caption.provenance(runs), left_out)
        text = "\n".join(filter(None, [tabulate(runs), left_out]))
    except DamagedResult as problem:  # in weights or episodes, which are read only now
        raise SystemExit(f"damaged: {printable(problem)}") from None
    table = path.with_name(f"{path.name}.md")
    files.replace(table, text.encode())
    lines = [written_files.line("figure", figure, before) for figure in figures]
    return text, [*lines, written_files.line("table", table, before)]


def _with_others(runs: Sequence[Run], every: Sequence[Run]) -> tuple[Run, ...]:
    """Returns the runs with those of the same folder that have the same budget and evaluation, if they can be compared.

    Earlier commands trained them, with other settings or seeds. A line on stderr says how many are shown and left out.
    """
    shown = {run.facts["id"] for run in runs}
    others = [run for run in every if run.facts["id"] not in shown]
    alike = [run for run in others if all(run.facts[key] == runs[0].facts[key] for key in ("steps", "evaluation"))]
    reason = "their steps or evaluation differ"
    try:
        by_arm.compared([*runs, *alike])
    except ValueError as problem:
        reason, alike = str(problem).removesuffix("."), []
    if alike:
        print(f"{counted(len(alike), 'other run')} of this folder: also shown", file=sys.stderr)
    if len(others) > len(alike):
        number = counted(len(others) - len(alike), "other run")
        print(f"{number} of this folder: not shown, because {printable(reason)}", file=sys.stderr)
    return (*alike, *runs)


def save_figures(
    drawn: "Figure | Mapping[str, Figure | Drawn]", path: pathlib.Path, facts: str, left_out: str = ""
) -> list[pathlib.Path]:
    """Saves one figure, or several figures with a suffix of the path, and returns the files.

    `facts` is the caption of figures without a provenance of their own; `left_out` is added to all.
    """
    figures = drawn if isinstance(drawn, Mapping) else {"": drawn}
    saved = []
    for suffix, one in figures.items():
        figure, below = one if isinstance(one, Drawn) else (one, facts)
        below = " ".join(filter(None, [below, left_out]))
        saved += style.save(figure, path.with_name("-".join(filter(None, (path.name, suffix)))), below)
    return saved


def _with_seeds(study: Study, number: int) -> Study:
    """Returns the study with the seeds 0 to number - 1 for every arm."""
    kept = [seed for seed in study.weights_of if seed < number]
    return dataclasses.replace(study, seeds=range(number), more_seeds={}, weights_of=kept)


def _number_of_seeds(study: Study) -> str:
    more = [f"{len(study.seeds) + len(seeds)} of {label}" for label, seeds in study.more_seeds.items()]
    return ", ".join([str(len(study.seeds)), *more])


def _run(study: Study, out: pathlib.Path, options: RunOptions) -> int:
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
