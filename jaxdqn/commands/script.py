"""The command line of every experiment: runs the missing runs of its study, then draws figures and a table."""

import argparse
import dataclasses
import pathlib
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from jaxdqn.analysis import by_arm, failed_runs, study_tables
from jaxdqn.commands import run_study, text_tables, written_files
from jaxdqn.commands.errors import one_sentence, printable
from jaxdqn.commands.options import add_run_options, positive
from jaxdqn.commands.run_study import DEFAULT_OPTIONS, RunOptions
from jaxdqn.figures import captions as caption
from jaxdqn.figures import style
from jaxdqn.figures.captions import Drawn
from jaxdqn.spelling import counted
from jaxdqn.store import files, manifest, store
from jaxdqn.store.record import DamagedResult, Run
from jaxdqn.study import records, spec
from jaxdqn.study.spec import Study

if TYPE_CHECKING:
    from matplotlib.figure import Figure


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
    num_failed = 0 if figure_only else run_study.run(study, out, options)
    with one_sentence():
        found = store.read(folder / "runs")
        requested = records.manifest(study, spec.cells(study))
        runs: Sequence[Run] = manifest.requested_runs(found.runs, requested)
        damaged = "\n".join(f"damaged: {printable(problem)}" for problem in found.damaged)
        if not runs and damaged:
            raise SystemExit(damaged)
        if not runs and num_failed:
            raise SystemExit(1)  # `run_study.run` has printed the reason
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
