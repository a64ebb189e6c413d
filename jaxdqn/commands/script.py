"""What every experiment does with its study: run what is missing, draw the figure, say where the files are."""

import argparse
import contextlib
import dataclasses
import functools
import pathlib
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from jaxdqn.analysis import study_tables
from jaxdqn.commands.errors import one_sentence, printable
from jaxdqn.commands.options import add_running
from jaxdqn.export import tensorboard, weights_and_biases
from jaxdqn.export.exporter import Exporter
from jaxdqn.figures import captions as caption
from jaxdqn.figures import style
from jaxdqn.figures.captions import Drawn
from jaxdqn.store import files, manifest, store
from jaxdqn.store.record import DamagedResult, Run
from jaxdqn.study import execute, provenance, records, spec
from jaxdqn.study import plan as planning
from jaxdqn.study.executors import on_ray, on_slurm
from jaxdqn.study.executors.driver import Unfinished
from jaxdqn.study.executors.tasks import Resources
from jaxdqn.study.spec import Study
from jaxdqn.training import devices

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Running(NamedTuple):
    """How a study is run: the options of `jaxdqn.commands.options.add_running`.

    What runs it is `execute.run`, or a function like it that has it run elsewhere.
    """

    asynchronous: bool = False
    retry_failed: bool = False
    checkpoint_seconds: float = execute.CHECKPOINT_SECONDS
    memory: float | None = None
    tensorboard: pathlib.Path | None = None
    wandb: pathlib.Path | None = None
    run: Callable[..., execute.Report] = execute.run

    @classmethod
    def of(cls, options: argparse.Namespace) -> "Running":
        """Returns what options say."""
        return cls(
            asynchronous=options.asynchronous,
            retry_failed=options.retry_failed,
            checkpoint_seconds=options.checkpoint,
            memory=options.memory,
            tensorboard=options.tensorboard,
            wandb=options.wandb,
            run=_executor(options),
        )


def _executor(options: argparse.Namespace) -> Callable[..., execute.Report]:
    """Returns `execute.run`, or a function with the same arguments that runs the study elsewhere."""
    resources = Resources(options.tasks, options.cpus_per_task, options.gpus_per_task)
    if options.executor == "ray":
        return functools.partial(on_ray.run, address=options.address, resources=resources)
    if options.executor == "slurm":
        return functools.partial(on_slurm.run, settings=dict(options.slurm), resources=resources)
    return execute.run


AS_USUAL = Running()

Draw = Callable[[Sequence[Run]], "Figure | Mapping[str, Figure | Drawn]"]
Tabulate = Callable[[Sequence[Run]], str]


def main(
    study: Study, toy: Study, draw: Draw, description: str | None, tabulate: Tabulate = study_tables.table
) -> None:
    """Runs the command line of an experiment script.

    Args:
      study: the whole study.
      toy: the same question in seconds, under another name.
      draw: from the study's runs to the figure, or to several by a suffix of their file's name, the main one's empty.
      description: of the script, for `--help`.
      tabulate: from the study's runs to the text that is printed; by default final scores.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--toy", action="store_true", help="a whole run in seconds, kept apart from the real results")
    parser.add_argument(
        "--seeds",
        type=int,
        metavar="N",
        help="seeds 0 to N-1 for every arm; figure and table are then named after N (default: those of the study, "
        f"{_number_of_seeds(study)}; with --toy {_number_of_seeds(toy)})",
    )
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("results"), help="folder (default: results)")
    parser.add_argument("--figure-only", action="store_true", help="draw from the results that are there; run nothing")
    add_running(parser)
    options = parser.parse_args()
    whole = chosen = toy if options.toy else study
    if options.seeds is not None:
        with one_sentence():
            chosen = _of_seeds(whole, options.seeds)
    is_whole = (list(chosen.seeds), chosen.more_seeds) == (list(whole.seeds), whole.more_seeds)
    run_and_show(
        chosen,
        options.out,
        draw,
        tabulate,
        name=chosen.name if is_whole else f"{chosen.name}-{options.seeds}_seeds",  # the whole study keeps its figure
        figure_only=options.figure_only,
        running=Running.of(options),
    )


def run_and_show(
    study: Study,
    out: pathlib.Path,
    draw: Draw,
    tabulate: Tabulate = study_tables.table,
    *,
    name: str | None = None,
    figure_only: bool = False,
    running: Running = AS_USUAL,
) -> None:
    """Runs what is missing, then draws and prints.

    Figure and table have the name of the study, or another one. The exit status is 1 if a record is damaged or a run
    could not be made, 130 if it was interrupted.
    """
    folder = out / study.name
    num_failed = 0 if figure_only else _run(study, out, running)
    with one_sentence():
        found = store.read(folder / "runs")
        runs = manifest.requested_runs(found.runs, records.manifest(study, spec.cells(study)))
        damaged = "\n".join(f"damaged: {printable(problem)}" for problem in found.damaged)
        if not runs and damaged:
            raise SystemExit(damaged)
        if not runs and num_failed:
            raise SystemExit(1)  # said already
        if not runs:
            remedy = "; run it without --figure-only" if figure_only else ""
            raise ValueError(f"{folder / 'runs'} holds no run of this study{remedy}.")
        path = folder / (name or study.name)
        try:
            figures = save_figures(draw(runs), path, caption.provenance(runs))
            text, table = tabulate(runs), path.with_name(f"{path.name}.md")
        except DamagedResult as problem:  # of what is attached to a run: read only now
            raise SystemExit(f"damaged: {printable(problem)}") from None
        files.replace(table, text.encode())
    print(text)
    print(f"runs    {folder / 'runs'}", *(f"figure  {figure}" for figure in figures), f"table   {table}", sep="\n")
    if damaged:
        raise SystemExit(damaged)
    if num_failed:
        raise SystemExit(1)


def save_figures(drawn: "Figure | Mapping[str, Figure | Drawn]", path: pathlib.Path, facts: str) -> list[pathlib.Path]:
    """Saves one figure, or several under the path with their suffix, and returns the files.

    The facts stand below each figure that has no provenance of its own.
    """
    figures = drawn if isinstance(drawn, Mapping) else {"": drawn}
    saved = []
    for suffix, one in figures.items():
        figure, below = one if isinstance(one, Drawn) else (one, facts)
        saved += style.save(figure, path.with_name("-".join(filter(None, (path.name, suffix)))), below)
    return saved


def _of_seeds(study: Study, number: int) -> Study:
    """Returns the study with the seeds 0 to number - 1 for every arm, and no others."""
    kept = [seed for seed in study.weights_of if seed < number]
    return dataclasses.replace(study, seeds=range(number), more_seeds={}, weights_of=kept)


def _number_of_seeds(study: Study) -> str:
    more = [f"{len(study.seeds) + len(seeds)} of {label}" for label, seeds in study.more_seeds.items()]
    return ", ".join([str(len(study.seeds)), *more])


def _run(study: Study, out: pathlib.Path, running: Running) -> int:
    """Runs what is missing, says what was done, and returns how many runs could not be made.

    A script that no commit holds, or that has changed since, is said to be so: its results cannot be traced to it.
    """
    if doubt := provenance.warning(provenance.script()):
        print(doubt, file=sys.stderr)
    with one_sentence(), tempfile.TemporaryDirectory(dir=_made(out / study.name / "runs")):
        pass  # results can be written there; if not, the sentence says so before any work is done
    devices.use_all_cores()
    if running.run is not execute.run:
        devices.leave_accelerators()
    devices.keep_compiled_programs()
    try:
        if running.memory is not None:
            with one_sentence():
                planning.plan(study, memory=running.memory)  # what does not fit is refused before any work is done
        with contextlib.ExitStack() as stack:
            with one_sentence():
                exporters = [stack.enter_context(opened) for opened in _exporters(running)]
            report = running.run(
                study,
                out,
                asynchronous=running.asynchronous,
                checkpoint_seconds=running.checkpoint_seconds,
                memory=running.memory,
                retry_failed=running.retry_failed,
                exporters=exporters,
            )
    except Unfinished as problem:
        print(f"error: {problem}. What is stored stays; run the same command again to go on", file=sys.stderr)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        print("interrupted: nothing is lost; run the same command again to go on", file=sys.stderr)
        raise SystemExit(130) from None
    except OSError as problem:
        print(f"error: {problem}. What is stored stays; run the same command again to go on", file=sys.stderr)
        raise SystemExit(1) from None
    print(
        f"{report.num_written} runs made, {report.num_skipped} there already; {report.num_compilations} programs "
        f"compiled in {report.compile_seconds:.0f} s, trained and evaluated in {report.wall_seconds:.0f} s",
        file=sys.stderr,
    )
    if report.num_crashed:
        print(f"{report.num_crashed} of these runs crashed; their records hold the traceback", file=sys.stderr)
    if report.num_diverged:
        print(f"{report.num_diverged} of these runs diverged; their records say at which step", file=sys.stderr)
    if report.num_failed:
        folder = out / study.name / "failures"
        print(
            f"{report.num_failed} runs failed; {folder} holds the tracebacks, --retry-failed tries again",
            file=sys.stderr,
        )
    return report.num_failed


def _exporters(running: Running) -> Iterator[contextlib.AbstractContextManager[Exporter]]:
    if running.tensorboard is not None:
        yield tensorboard.opened(running.tensorboard)
    if running.wandb is not None:
        yield weights_and_biases.opened(running.wandb)


def _made(folder: pathlib.Path) -> pathlib.Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
