"""`jaxdqn status`: the numbers of runs that are done, running, failed and missing, and the time left."""

import argparse
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from jaxdqn.commands.command import Command
from jaxdqn.commands.errors import one_sentence, printable
from jaxdqn.commands.options import add_study, folder_of
from jaxdqn.spelling import counted

if TYPE_CHECKING:
    from jaxdqn.store.status import Status

_NUM_SHOWN = 5  # failures that are printed with their reason


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `jaxdqn status`."""
    add_study(parser, "list the studies in results")
    parser.add_argument(
        "--out", type=Path, default=Path("results"), help="folder of the results of a script (default: results)"
    )


def main(options: argparse.Namespace) -> None:
    """Prints the status of a study. If it is not known, the command exits with status 2 after one sentence."""
    from jaxdqn.store import status

    folder, requested = folder_of(options.study, options.out)
    with one_sentence():
        found = status.of(folder, requested)
    show(found, folder)


def show(found: "Status", folder: Path) -> None:
    """Prints a status: a table by game and algorithm, the running processes, and the first failures."""
    from rich.console import Console
    from rich.table import Table

    from jaxdqn.store import status
    from jaxdqn.study.progress import duration

    console = Console(highlight=False)
    table = Table(
        title=f"{found.requested.name}: {len(found.done)} of {counted(len(found.requested.cells), 'run')} done"
    )
    for heading in ("game", "algorithm", "done", "running", "failed", "missing"):
        table.add_column(heading, justify="left" if heading in ("game", "algorithm") else "right")
    sets = (found.done, found.running, found.failed, found.missing)
    counts = [Counter(status.arm_of(found.requested, id) for id in ids) for ids in sets]
    for arm in dict.fromkeys(status.arm_of(found.requested, id) for id in found.requested.cells):
        table.add_row(*map(printable, arm), *(str(count[arm] or "") for count in counts))
    console.print(table)
    for holder in found.holders:
        runs = counted(len(holder.cells), "run")
        console.print(f"{runs} active in process {holder.pid} of {printable(holder.host)}")
    for failure in list(found.failed.values())[:_NUM_SHOWN]:
        console.print(f"{failure.id} failed: {printable(failure.reason)}", markup=False)
    if found.failed:
        console.print(f"tracebacks: {folder / 'failures'}; --retry-failed runs them again", markup=False)
    if found.seconds_left is not None and found.missing | found.running:
        console.print(f"about {duration(found.seconds_left)} left, estimated from the finished runs")


COMMAND = Command(
    "show how many runs of a study are done, running, failed and missing, and the time left",
    "Shows for each game and algorithm of a study how many runs are done, running, failed and missing.",
    add,
    main,
)
