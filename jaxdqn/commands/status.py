"""`jaxdqn status`: the numbers of runs that are done, running, failed and missing, and the time left."""

import argparse
import sys
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from jaxdqn.commands import text_tables
from jaxdqn.commands.command import Command
from jaxdqn.commands.errors import one_sentence, printable
from jaxdqn.commands.options import add_study, folder_of, studies_in
from jaxdqn.spelling import counted

if TYPE_CHECKING:
    from jaxdqn.store.status import Status

_HEADINGS = ("study", "done", "running", "failed", "missing")
_NUM_SHOWN = 5  # failures that are printed with their reason


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `jaxdqn status`."""
    add_study(parser, "list the studies in results")
    parser.add_argument(
        "--out", type=Path, default=Path("results"), help="folder of the results of a script (default: results)"
    )


def main(options: argparse.Namespace) -> None:
    """Prints the status of a study, or a line for each study of a folder.

    If it is not known, the command exits with status 2 after one sentence.
    """
    from jaxdqn.store import status

    several = options.out if options.study is None else options.study
    if several.is_dir() and several not in studies_in(several.parent) and (studies := studies_in(several)):
        _show_all(studies)
        return
    if options.study is None:
        with one_sentence():
            raise ValueError(f"{several} holds no study: give the folder of a study, such as results/NAME.")
    folder, requested = folder_of(options.study, options.out)
    with one_sentence():
        found = status.of(folder, requested)
    show(found, folder)


def _show_all(studies: Sequence[Path]) -> None:
    """Prints the numbers of runs of studies, a line each."""
    from jaxdqn.store import status

    rows: list[tuple[str, ...]] = [(*_HEADINGS, "other runs")]
    for study in studies:
        try:
            found = status.of(study)
        except (ValueError, OSError) as problem:
            print(f"left out: {printable(problem)}", file=sys.stderr)
            continue
        rows.append((str(study), *(str(len(ids) or "") for ids in _sets(found)), str(found.num_others or "")))
    print(text_tables.table(rows))


def _sets(found: "Status") -> tuple[Collection[str], ...]:
    return found.done, found.running, found.failed, found.missing


def show(found: "Status", folder: Path) -> None:
    """Prints a status: a table by game and algorithm, the running processes, and the first failures."""
    from jaxdqn.store import status
    from jaxdqn.study.progress import duration

    print(f"{found.requested.name}: {len(found.done)} of {counted(len(found.requested.cells), 'run')} done")
    counts = [Counter(status.arm_of(found.requested, id) for id in ids) for ids in _sets(found)]
    rows: list[tuple[str, ...]] = [("game", "algorithm", *_HEADINGS[1:])]
    for arm in dict.fromkeys(status.arm_of(found.requested, id) for id in found.requested.cells):
        rows.append((*map(printable, arm), *(str(count[arm] or "") for count in counts)))
    print(text_tables.table(rows))
    if found.num_others:
        print(f"{counted(found.num_others, 'other run')} of earlier commands: `jaxdqn runs {folder}` lists all")
    for holder in found.holders:
        runs = counted(len(holder.cells), "run")
        print(f"{runs} active in process {holder.pid} of {printable(holder.host)}")
    for failure in list(found.failed.values())[:_NUM_SHOWN]:
        print(f"{failure.id} failed: {printable(failure.reason)}")
    if found.failed:
        print(f"tracebacks: {folder / 'failures'}; --retry-failed runs them again")
    if found.seconds_left is not None and found.missing | found.running:
        print(f"about {duration(found.seconds_left)} left with compilation, estimated from the finished runs")


COMMAND = Command(
    "show how many runs of a study are done, running, failed and missing, and the time left",
    "Shows for each game and algorithm of a study how many runs are done, running, failed and missing. These are the "
    "runs of the last command in its folder, or of the given script; other stored runs are counted apart. For a folder "
    "of studies it shows a line for each study.",
    add,
    main,
)
