"""The status of a study: its done, running, failed and missing runs, and the time left."""

import contextlib
import statistics
from pathlib import Path
from typing import NamedTuple

from jaxdqn.store import claims, failures, manifest, store
from jaxdqn.store.claims import Holder
from jaxdqn.store.failures import Failure
from jaxdqn.store.manifest import Manifest
from jaxdqn.store.record import DamagedResult

_SAMPLED = 5  # records per arm that are read for the time of a run; all records would take too long


class Status(NamedTuple):
    """The status of a study.

    Attributes:
      requested: the requested cells.
      done: identifiers of the stored runs.
      running: identifiers of the runs that a living process has claimed.
      failed: failures by identifier.
      holders: the living processes that have claimed requested cells, with only these cells.
      seconds_left: estimated time of the running and missing runs, with one compilation for each of their arms, divided
        by the number of living processes (at least one); None if no run is stored.
      num_others: number of stored runs of the folder that are not requested: earlier commands trained them.
    """

    requested: Manifest
    done: frozenset[str]
    running: frozenset[str]
    failed: dict[str, Failure]
    holders: tuple[Holder, ...]
    seconds_left: float | None
    num_others: int

    @property
    def missing(self) -> frozenset[str]:
        """Returns the identifiers of the runs that no process has started."""
        return frozenset(self.requested.cells) - self.done - self.running - frozenset(self.failed)


def of(folder: Path, requested: Manifest | None = None) -> Status:
    """Returns the status of the study in a folder.

    Args:
      folder: folder of the study.
      requested: the requested cells; None reads the manifest of the last command in this folder. If there is none, the
        stored runs are all that is known to be requested.

    Raises:
      ValueError: the folder has neither manifest nor runs, or the manifest cannot be read.
      OSError: the archive of the study cannot be read.
    """
    if requested is None:
        has_only_runs = not manifest.exists(folder) and store.exists(folder / "runs")
        requested = _stored(folder) if has_only_runs else manifest.read(folder)
    stored = store.ids(folder / "runs")
    done = stored & frozenset(requested.cells)
    claimed_by = [
        holder._replace(cells=tuple(cell for cell in holder.cells if cell in requested.cells))
        for holder in claims.holders(folder / "claims")
    ]
    held = tuple(holder for holder in claimed_by if holder.cells)  # not a process that packs the study
    failed = {failure.id: failure for failure in failures.read(folder / "failures") if failure.id in requested.cells}
    failed = {id: failure for id, failure in failed.items() if id not in done}
    claimed = frozenset(cell for holder in held for cell in holder.cells)
    running = claimed - done - frozenset(failed)
    left = [id for id in requested.cells if id not in done and id not in failed]
    seconds_left = _seconds_left(folder, requested, done, left, max(1, len(held)))
    return Status(requested, done, running, failed, held, seconds_left, len(stored) - len(done))


def _stored(folder: Path) -> Manifest:
    """Returns the manifest of the stored runs of a folder."""
    every = [record.facts for record in store.read_facts(folder / "runs").records]
    cells = {
        facts["id"]: {"game": facts["game"]["name"]} | {name: facts[name] for name in ("algorithm", "settings", "seed")}
        for facts in every
    }
    return Manifest(folder.resolve().name, max((facts["steps"] for facts in every), default=0), cells)


class Seconds(NamedTuple):
    """The times of the stored runs of an arm: seconds of training of a run, and of compiling its program."""

    training: float
    compiling: float


def seconds_of_a_run(folder: Path, requested: Manifest, done: frozenset[str]) -> dict[tuple[str, str], Seconds]:
    """Returns the times by game and arm: the median over a few stored runs."""
    sampled: dict[tuple[str, str], list[Seconds]] = {}
    for id in sorted(done):
        taken = sampled.setdefault(arm_of(requested, id), [])
        if len(taken) < _SAMPLED:
            with contextlib.suppress(OSError, DamagedResult, ZeroDivisionError):
                record = store.find_record(folder / "runs", id)
                if record is not None:
                    cost = record.facts["cost"]
                    taken.append(Seconds(cost["wall_seconds"] / cost["runs_at_once"], cost.get("compile_seconds", 0.0)))
    return {arm: Seconds(*map(statistics.median, zip(*taken, strict=True))) for arm, taken in sampled.items() if taken}


def _seconds_left(
    folder: Path, requested: Manifest, done: frozenset[str], left: list[str], num_processes: int
) -> float | None:
    taken = seconds_of_a_run(folder, requested, done)
    if not taken:
        return None
    usual = Seconds(*map(statistics.mean, zip(*taken.values(), strict=True)))
    arms = [arm_of(requested, id) for id in left]
    training = sum(taken.get(arm, usual).training for arm in arms)
    compiling = sum(taken.get(arm, usual).compiling for arm in set(arms))
    return (training + compiling) / num_processes


def arm_of(requested: Manifest, id: str) -> tuple[str, str]:
    """Returns game and arm of a cell."""
    cell = requested.cells[id]
    return str(cell.get("game")), str(cell.get("algorithm"))
