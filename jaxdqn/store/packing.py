"""Packing: the runs of a study go into its archive, and only then their loose records are removed.

The new archive is written under a temporary name and read back, and every run is compared bit for bit with what was
read before. Then the archive gets its name, and then the loose records go. An interruption leaves a run loose, packed,
or both; readers take each run once.
"""

import contextlib
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from jaxdqn.store import archive, archive_table, claims, files, loose, record, store
from jaxdqn.store.archive import Whole

_CLAIM = "archive"  # one process at a time replaces the archive of a study


class Packed(NamedTuple):
    """How many runs an archive holds, and how many of them were loose before."""

    num_runs: int
    num_new: int


def pack(folder: str | Path) -> Packed:
    """Packs the loose records of a folder into its archive, which is made where there is none.

    Args:
      folder: of the study's runs; its parent has the `claims` of processes at work.

    Raises:
      ValueError: if a process is at work on the study, or there are two runs with one identifier.
      DamagedResult: if a run cannot be trusted; nothing has been changed then.
      OSError: if the archive cannot be written, or is not read back as it was; the loose records stay.
    """
    folder = Path(folder)
    if at_work := claims.holders(folder.parent / "claims"):
        raise ValueError(
            f"{folder} is in use by process {at_work[0].pid} of {at_work[0].host}: wait until it has ended."
        )
    with _alone(folder):
        new = {id: _whole(folder, id) for id in loose.ids(folder)}
        known = archive.ids(archive.files_of(folder)).keys()
        if new:
            before = _archived(folder)
            for id in new.keys() & known:
                if not _equal(new[id], before[id]):
                    raise ValueError(f"Run {id} is in {folder} and in its archive with different content: remove one.")
            _replace(folder, before | new)
        loose.remove(folder, known | new.keys())
        if folder.is_dir():
            files.remove_old_temporaries(folder)
            with contextlib.suppress(OSError):  # something else is in it
                folder.rmdir()
    return Packed(len(known | new.keys()), len(new.keys() - known))


def drop(folder: str | Path, ids: Collection[str]) -> None:
    """Removes runs from the archive of a folder, so that they can be made again; a run may be damaged.

    Raises:
      ValueError: if the archive has no such run.
      DamagedResult: if another run cannot be trusted; nothing has been changed then.
    """
    folder = Path(folder)
    with _alone(folder):
        packed = archive.files_of(folder)
        if unknown := sorted(set(ids) - archive.ids(packed).keys()):
            raise ValueError(f"{packed.runs} has no run {unknown[0]!r}: `jaxdqn runs` lists identifiers.")
        if kept := _archived(folder, without=ids):
            _replace(folder, kept)
        else:
            for path in packed:
                path.unlink(missing_ok=True)


def set_aside(folder: str | Path, id: str, aside: Path) -> None:
    """Moves a run, loose or packed, to loose files in another folder; the time of the run is part of their name.

    Raises:
      FileNotFoundError: if there is no such run.
      DamagedResult: if it cannot be trusted.
    """
    folder = Path(folder)
    found = _whole(folder, id)
    facts, packed = loose.content(found.facts, found.arrays)
    aside.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):  # another process does the same
        loose.put(aside / f"{id}-{found.facts['created'].replace(':', '')}.json", facts, packed)
    loose.remove(folder, [id])
    if id in store.ids(folder):
        with contextlib.suppress(ValueError):  # another process has dropped it
            drop(folder, [id])


def _whole(folder: Path, id: str) -> Whole:
    run = store.find(folder, id)
    if run is None:
        raise FileNotFoundError(f"Run {id} is no longer in {folder}.")
    attached = {kind: store.attachment(run, kind) for kind in record.kinds_in(run.facts)}
    return Whole(run.facts, {"curves": run.curves} | attached)


def _archived(folder: Path, without: Collection[str] = ()) -> dict[str, Whole]:
    packed = archive.files_of(folder)
    return {id: archive.whole(packed, id) for id in archive.ids(packed) if id not in without}


def _replace(folder: Path, runs: Mapping[str, Whole]) -> None:
    """Writes the archive of a folder with these runs in place of the one before."""
    ordered = sorted(runs.values(), key=lambda one: store.order(one.facts))
    table, weights = archive_table.content(ordered)
    packed = archive.files_of(folder)
    # Weights come first: rows may be without their weights at no moment, but weights without a row harm nobody.
    if weights is not None:
        files.replace(packed.weights, weights)
    files.replace(packed.runs, table, lambda temporary: _check(packed._replace(runs=temporary), ordered))
    if weights is None:
        packed.weights.unlink(missing_ok=True)


def _check(written: archive.Files, ordered: Sequence[Whole]) -> None:
    """Raises OSError if an archive does not hold these runs in this order, bit for bit."""
    if list(archive.ids(written)) != [one.facts["id"] for one in ordered]:
        raise OSError(f"{written.runs} was not read back as it was written; nothing has been packed.")
    for one in ordered:
        if not _equal(archive.whole(written, one.facts["id"]), one):
            raise OSError(f"{written.runs} gave back run {one.facts['id']} changed; nothing has been packed.")


def _equal(one: Whole, other: Whole) -> bool:
    """Returns whether two runs have the same facts in the same order, and arrays of the same dtype, shape and bits."""
    return record.text(one.facts) == record.text(other.facts) and {
        kind: archive.digest(named) for kind, named in one.arrays.items()
    } == {kind: archive.digest(named) for kind, named in other.arrays.items()}


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Waits until no other process replaces the archive of the folder, and keeps others from it."""
    with claims.Claims(folder.parent / "claims") as mine:
        while not mine.claim([_CLAIM], 1):
            time.sleep(0.1)
        yield
