"""Where a study stands: which of its runs are done, under way, failed and missing, and the time left."""

import contextlib
import statistics
from pathlib import Path
from typing import NamedTuple

from jaxdqn.store import claims, failures, manifest, store
from jaxdqn.store.claims import Holder
from jaxdqn.store.failures import Failure
from jaxdqn.store.manifest import Manifest
from jaxdqn.store.record import DamagedResult

_SAMPLED = 5  # records that are opened for the time that a run of an arm takes: all of them would take too long


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


def of(folder: Path, wanted: Manifest | None = None) -> Status:
    """Returns where the study in a folder stands.

    Args:
      folder: of the study.
      wanted: what there is to be; None for what the last command in this folder wanted.

    Raises:
      ValueError: if nothing says what there is to be.
      OSError: if the archive of the study cannot be read.
    """
    wanted = manifest.read(folder) if wanted is None else wanted
    done = store.ids(folder / "runs") & frozenset(wanted.cells)
    held = claims.holders(folder / "claims")
    failed = {failure.id: failure for failure in failures.read(folder / "failures") if failure.id in wanted.cells}
    failed = {id: failure for id, failure in failed.items() if id not in done}
    claimed = frozenset(cell for holder in held for cell in holder.cells)
    running = (claimed & frozenset(wanted.cells)) - done - frozenset(failed)
    left = [id for id in wanted.cells if id not in done and id not in failed]
    return Status(wanted, done, running, failed, held, _seconds(folder, wanted, done, left, max(1, len(held))))


def seconds_of_a_run(folder: Path, wanted: Manifest, done: frozenset[str]) -> dict[tuple[str, str], float]:
    """Returns what a run of an arm on a game has taken, by game and arm: the median over a few of those stored."""
    sampled: dict[tuple[str, str], list[float]] = {}
    for id in sorted(done):
        taken = sampled.setdefault(arm_of(wanted, id), [])
        if len(taken) < _SAMPLED:
            with contextlib.suppress(OSError, DamagedResult, ZeroDivisionError):
                record = store.find_record(folder / "runs", id)
                if record is not None:
                    taken.append(record.facts["cost"]["wall_seconds"] / record.facts["cost"]["runs_at_once"])
    return {arm: statistics.median(taken) for arm, taken in sampled.items() if taken}


def _seconds(folder: Path, wanted: Manifest, done: frozenset[str], left: list[str], num_processes: int) -> float | None:
    taken = seconds_of_a_run(folder, wanted, done)
    if not taken:
        return None
    usual = statistics.mean(taken.values())
    return sum(taken.get(arm_of(wanted, id), usual) for id in left) / num_processes


def arm_of(wanted: Manifest, id: str) -> tuple[str, str]:
    about = wanted.cells[id]
    return str(about.get("game")), str(about.get("algorithm"))
