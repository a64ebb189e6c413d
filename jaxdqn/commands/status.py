"""`jaxdqn status`: of the runs that a study is to have, which are done, under way, failed and missing."""

import argparse
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.table import Table

from jaxdqn.commands.errors import one_sentence, printable
from jaxdqn.store import status
from jaxdqn.store.status import Status
from jaxdqn.study.progress import duration

_SHOWN = 5  # failures that are shown with their reason


def main(options: argparse.Namespace) -> None:
    """Prints where a study stands; exits with status 2 and one sentence if that cannot be known."""
    with one_sentence():
        found = status.of(options.study, getattr(options, "wanted", None))
    show(found, options.study)


def show(found: Status, folder: Path) -> None:
    """Prints a status: a table of games and arms, the processes, and the first failures."""
    console = Console(highlight=False)
    table = Table(title=f"{found.wanted.name}: {len(found.done)} of {len(found.wanted.cells)} runs done")
    for heading in ("game", "algorithm", "done", "running", "failed", "missing"):
        table.add_column(heading, justify="left" if heading in ("game", "algorithm") else "right")
    sets = (found.done, found.running, found.failed, found.missing)
    counts = [Counter(status.arm_of(found.wanted, id) for id in ids) for ids in sets]
    for arm in dict.fromkeys(status.arm_of(found.wanted, id) for id in found.wanted.cells):
        table.add_row(*map(printable, arm), *(str(count[arm] or "") for count in counts))
    console.print(table)
    for holder in found.holders:
        console.print(f"{len(holder.cells)} runs under way in process {holder.pid} of {printable(holder.host)}")
    for failure in list(found.failed.values())[:_SHOWN]:
        console.print(f"{failure.id} failed: {printable(failure.reason)}", markup=False)
    if found.failed:
        console.print(f"tracebacks: {folder / 'failures'}; --retry-failed tries these again", markup=False)
    if found.seconds_left is not None and found.missing | found.running:
        console.print(f"about {duration(found.seconds_left)} left, by what runs have taken so far")
