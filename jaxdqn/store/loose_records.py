"""Writes and removes the files of a loose record; the facts are written last and removed first."""

import hashlib
import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from jaxdqn.store import arrays, files
from jaxdqn.store.arrays import Arrays
from jaxdqn.store.record import kinds_in, suffix


def ids(folder: Path) -> list[str]:
    """Returns the sorted identifiers of the loose records of a folder; empty if the folder is missing."""
    return sorted(path.stem for path in folder.glob("*.json") if not path.name.startswith("."))


def content(facts: Mapping[str, Any], stored: Mapping[str, Arrays]) -> tuple[bytes, dict[str, bytes]]:
    """Returns the bytes of a run's facts, and the bytes of its array files by file name.

    Args:
      facts: facts of the run; descriptions of arrays are added or replaced.
      stored: arrays by kind (`curves` and the attachments) and name, in the dtypes of the store.
    """
    record, packed = dict(facts), dict[str, bytes]()
    for kind, named in stored.items():
        of_kind = arrays.pack(named)
        digest = hashlib.sha256(of_kind).hexdigest()
        name = f"{record['id']}-{digest[:8]}{suffix(kind)}"
        packed[name] = of_kind
        described = {"names": sorted(named)} if kind == "curves" else {"shapes": arrays.shapes_by_name(named)}
        record[kind] = {"file": name, "sha256": digest, **described}
    return (json.dumps(record, indent=1, allow_nan=False) + "\n").encode(), packed


def put(facts_path: Path, facts: bytes, packed: Mapping[str, bytes]) -> None:
    """Writes the files of a run, its facts last.

    Raises:
      FileExistsError: the run is complete, also if another process was faster.
    """
    for name, of_kind in packed.items():
        path = facts_path.with_name(name)
        try:
            files.write_new(path, of_kind)
        except FileExistsError:
            # The file is from an interrupted write, or from another process that writes equal content. It may be
            # damaged, so it is written again, which disturbs no reader.
            files.replace(path, of_kind)
    try:
        files.write_new(facts_path, facts)
    finally:
        _remove_orphans(facts_path)


def remove(folder: Path, ids: Collection[str]) -> None:
    """Removes the records of runs. Facts go before arrays, so that facts always have their arrays."""
    for id in ids:
        (folder / f"{id}.json").unlink(missing_ok=True)
    for path in folder.glob("*.npz"):
        if path.name.partition("-")[0] in ids:
            path.unlink(missing_ok=True)


def _remove_orphans(facts_path: Path) -> None:
    """Removes array files of a complete run that its facts do not name; they are from writers that did not finish."""
    try:
        facts = json.loads(facts_path.read_bytes())
        kept = {facts[kind]["file"] for kind in ("curves", *kinds_in(facts))}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return
    for path in facts_path.parent.glob(f"{facts_path.stem}-*.npz"):
        if path.name not in kept:
            path.unlink(missing_ok=True)
