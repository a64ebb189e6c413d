"""The cells of a study that have no result yet."""

import pathlib
from collections.abc import Collection, Iterable

from jaxdqn.store import failures, store
from jaxdqn.store.record import DamagedResult


def find(folder: pathlib.Path, ids: Collection[str]) -> tuple[list[str], tuple[str, ...]]:
    """Returns the identifiers of cells without result and failure, and a sentence for each damaged result.

    Args:
      folder: of the study.
      ids: identifiers of the cells.
    """
    damaged = []
    for id in ids:
        try:
            store.find(folder / "runs", id)
        except DamagedResult as problem:
            damaged.append(str(problem))
    return remaining(folder, ids), tuple(damaged)


def remaining(folder: pathlib.Path, ids: Iterable[str]) -> list[str]:
    """Returns those of the identifiers that have neither a result nor a failure; it opens no file."""
    done = stored(folder) | failed(folder)
    return [id for id in ids if id not in done]


def stored(folder: pathlib.Path) -> set[str]:
    """Returns the identifiers of the results of a study."""
    return set(store.ids(folder / "runs"))


def failed(folder: pathlib.Path) -> set[str]:
    """Returns the identifiers of the cells whose runs ended with an error."""
    return {path.stem for path in (folder / "failures").glob("*.json")}


def retry(folder: pathlib.Path, ids: Iterable[str]) -> None:
    """Makes cells that failed missing again."""
    for id in ids:
        failures.remove(folder / "failures", id)
