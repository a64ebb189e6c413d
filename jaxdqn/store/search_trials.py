"""The points of a search as plain numbers, in the file `trials.json`.

A search derives the file from its journal after every wave. With it, figures of a search need neither Optuna nor JAX.
The points of all `searches/<name>/tuning` can be packed into one file, `searches.parquet`. Each search has
a row with its `name` and its `trials` as JSON.
"""

import contextlib
import functools
import json
import os
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

from jaxdqn.store import files
from jaxdqn.store.claims import Claims
from jaxdqn.store.files import Stamp, stamp_of

CLAIM = "search"  # the cell that a process claims before it runs a search or packs its points
_NAME = "trials.json"
_SCHEMA = 1


class Point(NamedTuple):
    """A point of a search: one setting that was tried.

    Attributes:
      number: number of the point, in the order in which the sampler proposed them.
      settings: values by dotted path; a part of the configuration is a dictionary of its fields.
      scores: scores of each rung that the point passed, one for each tuning seed.
      final: scores in the final, one for each seed of the final; empty if the point was not in the final.
      state: "complete", "dropped", "waiting", "failed" or "diverged"; "diverged" if any of its runs diverged, including
        those of the final.
    """

    number: int
    settings: dict[str, Any]
    scores: tuple[tuple[float, ...], ...]
    final: tuple[float, ...]
    state: str

    @property
    def score(self) -> float:
        """Returns the mean over tuning seeds at the last rung that the point passed."""
        return sum(self.scores[-1]) / len(self.scores[-1])


class Importance(NamedTuple):
    """The importance of each field for being among the best points.

    Attributes:
      steps: environment steps of the runs whose scores are compared.
      num_points: number of points with runs of this length.
      shares: importance by dotted path; the values sum to 1. Empty if there are too few points.
    """

    steps: int
    num_points: int
    shares: dict[str, float]


class Trials(NamedTuple):
    """A search and its points.

    Attributes:
      name: name of the search.
      facts: everything that determines the search: game, configuration, space, seeds, sampler and so on.
      ends: environment steps of a run at the end of each rung.
      points: the points, in the order of their numbers.
      progress: after each wave, the total of environment steps spent, the number of the best point, and its mean score
        over tuning seeds, or over the seeds of the final after it. Empty if all points diverged.
      importance: importance of the fields.
      code: version and commit of the code that trained the runs.
    """

    name: str
    facts: dict[str, Any]
    ends: tuple[int, ...]
    points: tuple[Point, ...]
    progress: tuple[tuple[int, int, float], ...]
    importance: Importance
    code: dict[str, Any]


def score_definition(facts: dict[str, Any]) -> str:
    """Returns the definition of the score of a run, as a sentence, for a search with these facts."""
    last = facts["last"]
    mean = "all its evaluations until then" if last is None else f"its last {last} evaluations"
    of = "its last evaluation" if last == 1 else f"the mean of {mean}"
    return f"The score of a run is {of}."


def write(folder: Path, trials: Trials) -> None:
    """Writes the points of a search into its folder `tuning`; they replace the earlier ones."""
    files.replace(folder / _NAME, _text(trials).encode())


def pack(folder: Path) -> int:
    """Packs the points of all searches in a folder into one file beside it, and returns the number of searches.

    Raises:
      ValueError: a search is running, or its points cannot be read. Nothing has been changed.
      OSError: the content of the file differs when it is read back. Nothing has been removed.
    """
    loose = {path.parents[1].name: path for path in sorted(folder.glob(f"*/tuning/{_NAME}"))}
    packed = _packed(folder)
    with contextlib.ExitStack() as stack:
        for path in loose.values():
            _claim(stack.enter_context(Claims(path.parent / "claims")), path.parent)
        texts = {**_texts(packed)} | {name: _text(read(path.parent)) for name, path in loose.items()}
        files.replace(packed, _table(texts), lambda temporary: _check(temporary, texts))
        for path in loose.values():
            path.unlink(missing_ok=True)
    for path in loose.values():
        for parent in (path.parent, path.parents[1], folder):
            with contextlib.suppress(OSError):  # it contains other files, or a search has just begun
                parent.rmdir()
    return len(texts)


def read(folder: Path) -> Trials:
    """Returns the points of a search, loose or packed.

    Args:
      folder: folder `tuning` of the search.

    Raises:
      ValueError: there are no points, or they cannot be read.
    """
    path, packed = folder / _NAME, _packed(folder.parents[1])
    text: bytes | str | None
    try:
        text, source, remedy = path.read_bytes(), str(path), "run the search again, which writes it again"
    except FileNotFoundError:
        text = _texts(packed).get(folder.parent.name)
        source, remedy = f"Search {folder.parent.name} of {packed}", "restore the file from a copy"
    if text is None:
        raise ValueError(f"{path} is missing: run the search first.")
    try:
        content = json.loads(text)
        if content["schema"] != _SCHEMA:
            raise ValueError(
                f"{source} has schema {content['schema']!r}: this version of jaxdqn reads schema {_SCHEMA}."
            )
        points = tuple(
            Point(
                point["number"],
                point["settings"],
                tuple(map(tuple, point["scores"])),
                tuple(point["final"]),
                point["state"],
            )
            for point in content["points"]
        )
        progress = tuple((int(steps), int(number), float(score)) for steps, number, score in content["progress"])
        importance = Importance(**content["importance"])
        return Trials(
            content["name"], content["facts"], tuple(content["ends"]), points, progress, importance, content["code"]
        )
    except (KeyError, TypeError, json.JSONDecodeError, UnicodeDecodeError) as problem:
        raise ValueError(f"{source} cannot be read ({problem}): {remedy}.") from None


def _claim(own: Claims, folder: Path) -> None:
    """Claims the search of a folder `tuning`; raises ValueError if another process holds it."""
    if not own.claim([CLAIM], 1):
        others = " and ".join(f"process {holder.pid} of {holder.host}" for holder in own.others())
        raise ValueError(f"{folder} is in use by {others or 'another process'}: wait until it has ended.")


def _text(trials: Trials) -> str:
    content = {
        "schema": _SCHEMA,
        **trials._asdict(),
        "points": [point._asdict() for point in trials.points],
        "importance": trials.importance._asdict(),
    }
    return json.dumps(content, separators=(",", ":"))


def _table(texts: dict[str, str]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({"name": list(texts), "trials": list(texts.values())}).sort_by("name")
    content = BytesIO()
    pq.write_table(table, content, compression="zstd", compression_level=19, use_dictionary=False)
    return content.getvalue()


def _check(written: Path, texts: dict[str, str]) -> None:
    if _texts(written) != texts:
        raise OSError(f"{written} differs when it is read back: nothing has been packed, try again.")


def _packed(folder: Path) -> Path:
    return files.beside(folder, ".parquet")


def _texts(packed: Path) -> Mapping[str, str]:
    """Returns the points of packed searches as JSON, by name of the search; empty if the file is missing.

    Raises:
      ValueError: the file cannot be read.
    """
    if not packed.is_file():
        return {}
    import pyarrow as pa

    try:
        return _read(packed, stamp_of(os.stat(packed)))
    except (pa.ArrowException, OSError, KeyError) as problem:
        raise ValueError(f"{packed} cannot be read ({problem}): restore it from a copy.") from None


@functools.lru_cache(maxsize=2)  # figures read all searches of a file, one after another
def _read(packed: Path, stamp: Stamp) -> Mapping[str, str]:
    del stamp  # a file that has been replaced is read again
    import pyarrow.parquet as pq

    table = pq.ParquetFile(packed).read(["name", "trials"])
    return dict(zip(table["name"].to_pylist(), table["trials"].to_pylist(), strict=True))
