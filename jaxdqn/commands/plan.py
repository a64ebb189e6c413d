"""`jaxdqn plan`: the programs of a study, their layout on this machine, their memory and their time.

Slow modules are imported inside functions, so `--help` is fast.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from jaxdqn.commands import text_tables
from jaxdqn.commands.command import Command
from jaxdqn.commands.errors import one_sentence, printable
from jaxdqn.commands.options import add_memory
from jaxdqn.spelling import counted

if TYPE_CHECKING:
    from jaxdqn.store.status import Status
    from jaxdqn.study.plan import Planned
    from jaxdqn.study.spec import Study
    from jaxdqn.training.evaluate import Evaluation


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `jaxdqn plan`."""
    parser.add_argument("script", type=Path, metavar="SCRIPT", help="the script of an experiment")
    parser.add_argument("--toy", action="store_true", help="plan the TOY study of the script")
    parser.add_argument("--out", type=Path, default=Path("results"), help="folder of the results (default: results)")
    parser.add_argument(
        "--calibrate", action="store_true", help="compile each program and time two periods of training"
    )
    add_memory(parser)


def main(options: argparse.Namespace) -> None:
    """Prints the plan of the study of a script."""
    from jaxdqn.store import status
    from jaxdqn.study import load_script, plan, records, spec
    from jaxdqn.training import devices

    devices.use_all_cores()
    devices.keep_compiled_programs()
    with one_sentence():
        script = load_script.load(options.script)
        if options.toy and script.toy is None:
            raise ValueError(f"{options.script} defines no TOY.")
        study = script.toy if options.toy and script.toy is not None else script.study
        folder = options.out / study.name
        known = records.manifest(study, spec.cells(study))
        found = status.of(folder, known)
        planned = plan.plan(
            study,
            found.done | set(found.failed),
            memory=options.memory,
            seconds=status.seconds_of_a_run(folder, known, found.done),
        )
        if options.calibrate:
            planned = tuple(plan.calibrated(study, program) for program in planned)
    _show(planned, study, found)


def _show(planned: "Sequence[Planned]", study: "Study", found: "Status") -> None:
    from jaxdqn.study import plan
    from jaxdqn.study.progress import duration

    num_runs = sum(len(program.group.cells) for program in planned)
    failed = f", {len(found.failed)} failed" if found.failed else ""
    print(
        f"{study.name}: {counted(num_runs, 'run')} missing, {len(found.done)} done{failed}; {study.steps:,} steps each"
    )
    rows: list[tuple[str, ...]] = [("game", "arms", "runs", "at once", "waves", "replay", "memory", "compile", "train")]
    for program in planned:
        arms = ", ".join(dict.fromkeys(cell.algorithm for cell in program.group.cells))
        size = program.size
        times = (program.compile_seconds, program.seconds)
        rows.append(
            (
                program.group.game,
                printable(arms),
                str(len(program.group.cells)),
                str(program.layout.width),
                str(program.num_waves),
                _bytes(size.replay),
                _bytes(size.total),
                *("?" if seconds is None else duration(seconds) for seconds in times),
            )
        )
    print(text_tables.table(rows))
    for program in planned:
        if copies := _environments(program, study.evaluation):
            print(f"{program.group.game}: {copies}")
    known = [program for program in planned if program.seconds is not None]
    compiling = sum(program.compile_seconds or 0.0 for program in known)
    training = sum(program.seconds or 0.0 for program in known)
    time = f"; in all {duration(compiling + training)}, of which {duration(compiling)} compiling" if known else ""
    print(
        f"{counted(len(planned), 'program')} to compile; {num_runs * study.steps:,} steps{time}. Replay and memory are "
        "those of one run."
    )
    if num_unknown := len(planned) - len(known):
        print(
            f"The time of {counted(num_unknown, 'program')} is unknown, because no run is stored: --calibrate compiles "
            "each and times two periods of training."
        )
    if structure := plan.structural_fields(study):
        print(f"Structure: {', '.join(structure)}. Each combination of their values is a program of its own.")
    if len(planned) > 1 and compiling > training:
        remedy = f"try fewer values of {', '.join(structure)}" if structure else "use more steps or seeds"
        print(
            f"Warning: compiling takes longer than training ({duration(compiling)} and {duration(training)}): {remedy}."
        )


def _environments(program: "Planned", evaluation: "Evaluation") -> str:
    """Returns the number of environments of a game that steps in Python; an empty text for a game in JAX."""
    from jaxdqn.game_interfaces import HostGame
    from jaxdqn.study import spec

    if not isinstance(spec.game(program.group.game), HostGame):
        return ""
    number, at_once = program.group.cells[0].config.num_environments, counted(program.layout.width, "run")
    if evaluation.is_shared(number):
        return f"one environment for training and evaluation, {at_once} at a time"
    each = f"{number} + {evaluation.num_environments} environments for training and evaluation"
    return f"{each} of a run, {at_once} at a time"


def _bytes(number: float) -> str:
    for unit in ("B", "KB", "MB", "GB"):
        if number < 1000 or unit == "GB":
            break
        number /= 1000
    return f"{number:.3g} {unit}"


COMMAND = Command(
    "show the programs, waves, memory and time of a study",
    "Shows the compiled programs of a study, their layout on this machine, the memory of a run, and the time of each "
    "program. The time is known from earlier runs or with --calibrate. Nothing is stored.",
    add,
    main,
)
