"""Packing moves the loose records of a study into its archive.

It writes both files of the new archive under temporary names, reads them back, and compares every run bit for bit.
Then the files get their final names, and then the loose records are removed. An interruption leaves a run loose,
packed, or both; readers return each run once.
"""

import contextlib
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from jaxdqn.store import archive, claims, files, loose_records, record, store
from jaxdqn.store.archive import FullRun
from jaxdqn.store.claims import Holder
from jaxdqn.store.record import DamagedResult

_CLAIM = "archive"  # the cell that a process claims before it replaces the archive


class Packed(NamedTuple):
    """Number of runs in an archive, and number of these that were loose before."""

    num_runs: int
    num_new: int


def pack(folder: str | Path) -> Packed:
    """Packs the loose records of a folder into its archive, which is created if it is missing.

    Args:
      folder: folder of the study's runs; its parent has the folder `claims`.

    Raises:
      ValueError: a process is running the study, or two different runs have the same identifier.
      DamagedResult: a run is damaged. Nothing has been changed.
      OSError: the archive cannot be written, or its content differs when it is read back. The loose records stay.
    """
    folder = Path(folder)
    with _exclusive(folder) as others:
        if others:
            raise ValueError(
                f"{folder} is in use by process {others[0].pid} of {others[0].host}: wait until it has ended."
            )
        files.remove_old_temporaries(folder.parent)
        new = {id: _full_run(folder, id) for id in loose_records.ids(folder)}
        known = archive.ids(archive.files_of(folder)).keys()
        if new:
            before = _archived(folder)
            for id in new.keys() & known:
                if not _equal(new[id], before[id]):
                    raise ValueError(f"Run {id} is in {folder} and in its archive with different content: remove one.")
            _replace(folder, before | new)
        loose_records.remove(folder, known | new.keys())
        if folder.is_dir():
            files.remove_old_temporaries(folder)
            with contextlib.suppress(OSError):  # it contains other files
                folder.rmdir()
    return Packed(len(known | new.keys()), len(new.keys() - known))


def drop(folder: str | Path, ids: Collection[str]) -> None:
    """Removes runs from the archive of a folder, so that the study can repeat them. These runs may be damaged.

    Raises:
      ValueError: the archive has no such run.
      DamagedResult: another run is damaged. Nothing has been changed.
    """
    folder = Path(folder)
    with _exclusive(folder):
        packed = archive.files_of(folder)
        if unknown := sorted(set(ids) - archive.ids(packed).keys()):
            raise ValueError(f"{packed.runs} has no run {unknown[0]!r}: `jaxdqn runs` lists identifiers.")
        if kept := _archived(folder, without=ids):
            _replace(folder, kept)
        else:
            for path in packed:
                path.unlink(missing_ok=True)


def _full_run(folder: Path, id: str) -> FullRun:
    run = store.find(folder, id)
    if run is None:
        raise FileNotFoundError(f"Run {id} is no longer in {folder}.")
    attached = {kind: store.attachment(run, kind) for kind in record.kinds_in(run.facts)}
    return FullRun(run.facts, {"curves": run.curves} | attached)


def _archived(folder: Path, without: Collection[str] = ()) -> dict[str, FullRun]:
    packed = archive.files_of(folder)
    return {id: archive.full_run(packed, id) for id in archive.ids(packed) if id not in without}


def _replace(folder: Path, runs: Mapping[str, FullRun]) -> None:
    """Replaces the archive of a folder by one with these runs."""
    from jaxdqn.store import archive_columns  # with pyarrow, which takes long to import

    ordered = sorted(runs.values(), key=lambda one: store.order(one.facts))
    table, weights = archive_columns.content(ordered)
    packed = archive.files_of(folder)

    def check_and_replace_weights(new_runs: Path) -> None:
        if weights is None:
            _check(packed._replace(runs=new_runs), ordered)
        else:
            files.replace(packed.weights, weights, lambda new: _check(archive.Files(new_runs, new), ordered))

    # Weights come first: a row needs its weights at all times, and weights without a row do no harm.
    files.replace(packed.runs, table, check_and_replace_weights)
    if weights is None:
        packed.weights.unlink(missing_ok=True)


def _check(written: archive.Files, ordered: Sequence[FullRun]) -> None:
    """Raises OSError if an archive does not contain exactly these runs in this order, bit for bit."""
    try:
        is_equal = list(archive.ids(written)) == [one.facts["id"] for one in ordered] and all(
            _equal(archive.full_run(written, one.facts["id"]), one) for one in ordered
        )
    except DamagedResult as problem:
        reason = f"{problem.file} {problem.reason}"
        raise OSError(f"{reason} when it is read back: the archive stays as it was, try again.") from problem
    if not is_equal:
        raise OSError(f"{written.runs} differs when it is read back: the archive stays as it was, try again.")


def _equal(one: FullRun, other: FullRun) -> bool:
    """Returns whether two runs have the same facts in the same order, and arrays of the same dtype, shape and bits."""
    return record.text(one.facts) == record.text(other.facts) and {
        kind: archive.digest(named) for kind, named in one.arrays.items()
    } == {kind: archive.digest(named) for kind, named in other.arrays.items()}


@contextlib.contextmanager
def _exclusive(folder: Path) -> Iterator[tuple[Holder, ...]]:
    """Waits until no other process changes the archive of the folder, and then prevents such changes.

    Yields the other processes that use the folder.
    """
    with claims.Claims(folder.parent / "claims") as own:
        while not own.claim([_CLAIM], 1):
            time.sleep(0.1)
        yield own.others()
