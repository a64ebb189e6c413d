"""The files of a loose record: what their bytes are, how they appear so that the facts come last, and how they go."""

import hashlib
import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from jaxdqn.store import arrays, files
from jaxdqn.store.arrays import Arrays
from jaxdqn.store.record import kinds_in, suffix


def ids(folder: Path) -> list[str]:
    """Returns the identifiers of the loose records of a folder, sorted; none if it is missing."""
    return sorted(path.stem for path in folder.glob("*.json") if not path.name.startswith("."))


def content(facts: Mapping[str, Any], stored: Mapping[str, Arrays]) -> tuple[bytes, dict[str, bytes]]:
    """Returns the bytes of a run's facts, which describe its arrays, and the bytes of these by the name of their file.

    Args:
      facts: of the run; descriptions of arrays among them are replaced.
      stored: by kind, `curves` and each attachment, arrays of the dtypes that are stored.
    """
    record, packed = dict(facts), dict[str, bytes]()
    for kind, named in stored.items():
        of_kind = arrays.pack(named)
        digest = hashlib.sha256(of_kind).hexdigest()
        name = f"{record['id']}-{digest[:8]}{suffix(kind)}"
        packed[name] = of_kind
        held = {"names": sorted(named)} if kind == "curves" else {"shapes": _shapes(named)}
        record[kind] = {"file": name, "sha256": digest, **held}
    return (json.dumps(record, indent=1, allow_nan=False) + "\n").encode(), packed


def put(facts_path: Path, facts: bytes, packed: Mapping[str, bytes]) -> None:
    """Puts the files of a run in place, its facts last.

    Raises:
      FileExistsError: if the run is complete, also when another writer was quicker.
    """
    for name, of_kind in packed.items():
        path = facts_path.with_name(name)
        try:
            files.write_new(path, of_kind)
        except FileExistsError:
            # Arrays of an interrupted write, or of a writer racing with the same content; equal names mean equal
            # content only if nothing damaged them, so they are put in place again, which harms no reader.
            files.replace(path, of_kind)
    try:
        files.write_new(facts_path, facts)
    finally:
        _remove_orphans(facts_path)


def remove(folder: Path, ids: Collection[str]) -> None:
    """Removes the records of runs, facts before arrays, so that no facts are ever without their arrays."""
    for id in ids:
        (folder / f"{id}.json").unlink(missing_ok=True)
    for path in folder.glob("*.npz"):
        if path.name.partition("-")[0] in ids:
            path.unlink(missing_ok=True)


def _shapes(named: Arrays) -> dict[str, list[int]]:
    return {name: list(values.shape) for name, values in sorted(named.items())}


def _remove_orphans(facts_path: Path) -> None:
    """Removes arrays of interrupted or beaten writers of a run that is complete; one that is not keeps all."""
    try:
        facts = json.loads(facts_path.read_bytes())
        kept = {facts[kind]["file"] for kind in ("curves", *kinds_in(facts))}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return
    for path in facts_path.parent.glob(f"{facts_path.stem}-*.npz"):
        if path.name not in kept:
            path.unlink(missing_ok=True)
