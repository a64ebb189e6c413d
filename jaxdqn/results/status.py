"""`jaxdqn status`: of the runs that a study is to have, which are done, under way, failed and missing."""

import argparse
import json
import statistics
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from jaxdqn.results import claims, failures, manifest
from jaxdqn.results.claims import Holder
from jaxdqn.results.failures import Failure
from jaxdqn.results.manifest import Manifest
from jaxdqn.sentences import one_sentence, printable

_SAMPLED = 5  # records that are opened for the time that a run of an arm takes: all of them would take too long
_SHOWN = 5  # failures that are shown with their reason


class Status(NamedTuple):
    """Where a study stands.

    Attributes:
      wanted: what there is to be.
      done: identifiers of the runs that are stored.
      running: of those that a living process has claimed.
      failed: by identifier.
      holders: the living processes.
      seconds_left: of the runs under way and missing, shared by the processes there are or by one; None if not known.
    """

    wanted: Manifest
    done: frozenset[str]
    running: frozenset[str]
    failed: dict[str, Failure]
    holders: tuple[Holder, ...]
    seconds_left: float | None

    @property
    def missing(self) -> frozenset[str]:
        """Returns the identifiers of the runs that nobody has begun."""
        return frozenset(self.wanted.cells) - self.done - self.running - frozenset(self.failed)


def main(options: argparse.Namespace) -> None:
    """Prints where a study stands; exits with status 2 and one sentence if that cannot be known."""
    with one_sentence():
        found = of(options.study, getattr(options, "wanted", None))
    show(found, options.study)


def of(folder: Path, wanted: Manifest | None = None) -> Status:
    """Returns where the study in a folder stands.

    Args:
      folder: of the study.
      wanted: what there is to be; None for what the last command in this folder wanted.

    Raises:
      ValueError: if nothing says what there is to be.
    """
    wanted = manifest.read(folder) if wanted is None else wanted
    done = frozenset(path.stem for path in (folder / "runs").glob("*.json")) & frozenset(wanted.cells)
    held = claims.holders(folder / "claims")
    failed = {failure.id: failure for failure in failures.read(folder / "failures") if failure.id in wanted.cells}
    failed = {id: failure for id, failure in failed.items() if id not in done}
    claimed = frozenset(cell for holder in held for cell in holder.cells)
    running = (claimed & frozenset(wanted.cells)) - done - frozenset(failed)
    left = [id for id in wanted.cells if id not in done and id not in failed]
    return Status(wanted, done, running, failed, held, _seconds(folder, wanted, done, left, max(1, len(held))))


def show(found: Status, folder: Path) -> None:
    """Prints a status: a table of games and arms, the processes, and the first failures."""
    console = Console(highlight=False)
    table = Table(title=f"{found.wanted.name}: {len(found.done)} of {len(found.wanted.cells)} runs done")
    for heading in ("game", "algorithm", "done", "running", "failed", "missing"):
        table.add_column(heading, justify="left" if heading in ("game", "algorithm") else "right")
    sets = (found.done, found.running, found.failed, found.missing)
    counts = [Counter(_arm(found.wanted, id) for id in ids) for ids in sets]
    for arm in dict.fromkeys(_arm(found.wanted, id) for id in found.wanted.cells):
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


def duration(seconds: float) -> str:
    """Returns a time as a person says it: 40 s, 12 min, 3 h 20 min."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def seconds_of_a_run(folder: Path, wanted: Manifest, done: frozenset[str]) -> dict[tuple[str, str], float]:
    """Returns what a run of an arm on a game has taken, by game and arm: the median over a few of those stored."""
    sampled: dict[tuple[str, str], list[float]] = {}
    for id in sorted(done):
        taken = sampled.setdefault(_arm(wanted, id), [])
        if len(taken) < _SAMPLED:
            try:
                cost = json.loads((folder / "runs" / f"{id}.json").read_bytes())["cost"]
                taken.append(cost["wall_seconds"] / cost["runs_at_once"])
            except (OSError, ValueError, KeyError, TypeError, ZeroDivisionError):
                continue
    return {arm: statistics.median(taken) for arm, taken in sampled.items() if taken}


def _seconds(folder: Path, wanted: Manifest, done: frozenset[str], left: list[str], num_processes: int) -> float | None:
    taken = seconds_of_a_run(folder, wanted, done)
    if not taken:
        return None
    usual = statistics.mean(taken.values())
    return sum(taken.get(_arm(wanted, id), usual) for id in left) / num_processes


def _arm(wanted: Manifest, id: str) -> tuple[str, str]:
    about = wanted.cells[id]
    return str(about.get("game")), str(about.get("algorithm"))
