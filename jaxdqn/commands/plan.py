"""`jaxdqn plan` and `jaxdqn run`, and what a script stands for where a folder is wanted."""

import argparse
import pathlib
import runpy
import sys
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from jaxdqn.commands.errors import one_sentence, printable
from jaxdqn.store import status
from jaxdqn.store.manifest import Manifest
from jaxdqn.study import plan as planning
from jaxdqn.study import records, scripts, spec
from jaxdqn.study.progress import duration
from jaxdqn.study.spec import Study
from jaxdqn.training import devices


def run(script: pathlib.Path, arguments: Sequence[str]) -> None:
    """Runs a script as Python would; its own options follow. One that is wrong is refused in a sentence."""
    with one_sentence():
        scripts.imported(script)  # twice, which takes a second: what goes wrong afterwards is the work itself
    sys.argv = [str(script), *arguments]
    sys.path.insert(0, str(script.parent.resolve()))
    runpy.run_path(str(script), run_name="__main__")


def wanted(script: pathlib.Path, out: pathlib.Path) -> tuple[pathlib.Path, Manifest]:
    """Returns the folder of a script's study, and what there is to be in it; one sentence if there is no study."""
    with one_sentence():
        study = scripts.load(script).study
        return out / study.name, records.manifest(study, spec.cells(study))


def plan(options: argparse.Namespace) -> None:
    """Prints the plan of a script's study."""
    devices.use_all_cores()
    devices.keep_compiled_programs()
    with one_sentence():
        script = scripts.load(options.study)
        if options.toy and script.toy is None:
            raise ValueError(f"{options.study} defines no TOY.")
        study = script.toy if options.toy and script.toy is not None else script.study
        folder = options.out / study.name
        known = records.manifest(study, spec.cells(study))
        found = status.of(folder, known)
        planned = planning.plan(
            study,
            found.done | set(found.failed),
            memory=options.memory,
            seconds=status.seconds_of_a_run(folder, known, found.done),
        )
        if options.calibrate:
            planned = tuple(planning.calibrated(study, program) for program in planned)
    _show(planned, study, found)


def _show(planned: Sequence[planning.Planned], study: Study, found: status.Status) -> None:
    console = Console(highlight=False)
    num_runs = sum(len(program.group.cells) for program in planned)
    failed = f", {len(found.failed)} failed" if found.failed else ""
    title = f"{study.name}: {num_runs} runs to make, {len(found.done)} done{failed}; {study.steps:,} steps each"
    table = Table(title=title)
    left = ("game", "arms")
    for heading in (*left, "runs", "devices", "runs each", "waves", "networks", "optimizer", "replay", "a run", "time"):
        table.add_column(heading, justify="left" if heading in left else "right")
    for program in planned:
        arms = ", ".join(dict.fromkeys(cell.algorithm for cell in program.group.cells))
        size = program.size
        table.add_row(
            program.group.game,
            printable(arms),
            str(len(program.group.cells)),
            str(len(program.layout.devices)),
            str(program.layout.per_device),
            str(program.num_waves),
            *(_bytes(number) for number in (size.networks, size.optimizer, size.replay, size.total)),
            "?" if program.seconds is None else duration(program.seconds),
        )
    console.print(table)
    known = [program.seconds for program in planned if program.seconds is not None]
    rest = "" if len(known) == len(planned) else f" and {len(planned) - len(known)} not known yet: --calibrate"
    console.print(
        f"{len(planned)} programs to compile; {num_runs * study.steps:,} steps; in all "
        f"{duration(sum(known))}{rest}, without compiling. Memory is that of one run.",
        soft_wrap=True,
    )


def _bytes(number: float) -> str:
    for unit in ("B", "KB", "MB", "GB"):
        if number < 1000 or unit == "GB":
            break
        number /= 1000
    return f"{number:.3g} {unit}"
