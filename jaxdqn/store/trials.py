"""The points of a search as plain numbers: `trials.json`, derived from the search's journal after every wave.

With it, figures of a search need neither Optuna nor JAX. The points of many searches can be packed: those of
`searches/<name>/tuning` into `searches.parquet`, with a row per search: its `name`, and its `trials` as JSON.
"""

import json
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from jaxdqn.store import claims, files

_NAME = "trials.json"
_SCHEMA = 1


class Point(NamedTuple):
    """A setting that was tried.

    Attributes:
      number: in the order of asking.
      settings: by dotted path; a part by its fields.
      scores: of each rung that it came through, one number a tuning seed.
      final: its scores in the final, one number a seed of that; empty if it was not there.
      state: "complete", "dropped", "waiting", "failed", or "diverged" if a run of it did, be it in the final.
    """

    number: int
    settings: dict[str, Any]
    scores: tuple[tuple[float, ...], ...]
    final: tuple[float, ...]
    state: str

    @property
    def score(self) -> float:
        """Returns the mean over tuning seeds at the last rung that it came through."""
        return sum(self.scores[-1]) / len(self.scores[-1])


class Importance(NamedTuple):
    """How much each field decides whether a point is among the best.

    Attributes:
      steps: of the runs that this was judged by.
      num_points: that came so far.
      shares: by dotted path; they sum to 1. Empty if there are too few points.
    """

    steps: int
    num_points: int
    shares: dict[str, float]


class Trials(NamedTuple):
    """A search and its points.

    Attributes:
      name: of the search.
      facts: what decides it: game, configuration, space, seeds, sampler and so on.
      ends: environment steps of a run at the end of each rung.
      points: in the order of asking.
      progress: after each wave, the environment steps spent until then, the number of the best point, and its score:
        by tuning seeds, and after the final by those of the final. Empty if no point is left that did not diverge.
      importance: of the fields.
      code: version and commit of what trained them.
    """

    name: str
    facts: dict[str, Any]
    ends: tuple[int, ...]
    points: tuple[Point, ...]
    progress: tuple[tuple[int, int, float], ...]
    importance: Importance
    code: dict[str, Any]


def reading(facts: dict[str, Any]) -> str:
    """Returns what the score of a run is in a search with these facts, as a sentence."""
    last = facts["last"]
    mean = "all its evaluations until then" if last is None else f"its last {last} evaluations"
    of = "its last evaluation" if last == 1 else f"the mean of {mean}"
    return f"The score of a run is {of}."


def write(folder: Path, trials: Trials) -> None:
    """Records the points of a search in its folder `tuning`, in place of earlier ones."""
    files.replace(folder / _NAME, _text(trials).encode())


def pack(folder: Path) -> int:
    """Packs the points of all searches in a folder into one file beside it, and returns the number of searches.

    Raises:
      ValueError: if a search is running, or its points cannot be read; nothing has been changed then.
      OSError: if the file is not read back as it was written; nothing has been removed then.
    """
    loose = {path.parents[1].name: path for path in sorted(folder.glob(f"*/tuning/{_NAME}"))}
    for path in loose.values():
        if at_work := claims.holders(path.parent / "claims"):
            raise ValueError(f"{path.parent} is in use by process {at_work[0].pid} of {at_work[0].host}: wait for it.")
    packed = _packed(folder)
    texts = _texts(packed) | {name: _text(read(path.parent)) for name, path in loose.items()}
    table = pa.table({"name": list(texts), "trials": list(texts.values())}).sort_by("name")
    content = BytesIO()
    pq.write_table(table, content, compression="zstd", compression_level=19, use_dictionary=False)

    def check(temporary: Path) -> None:
        if _texts(temporary) != texts:
            raise OSError(f"{packed} was not read back as it was written; nothing has been packed.")

    files.replace(packed, content.getvalue(), check)
    for path in loose.values():
        path.unlink()
        for emptied in (path.parent, path.parents[1], folder):
            if not any(emptied.iterdir()):
                emptied.rmdir()
    return len(texts)


def read(folder: Path) -> Trials:
    """Returns the points of a search, loose or packed.

    Args:
      folder: `tuning` of the search.

    Raises:
      ValueError: if there are none, or none that can be read.
    """
    path = folder / _NAME
    try:
        text = path.read_text() if path.exists() else _texts(_packed(folder.parents[1])).get(folder.parent.name)
        if text is None:
            raise FileNotFoundError
        says = json.loads(text)
        if says["schema"] != _SCHEMA:
            raise ValueError(f"{path} has schema {says['schema']!r}: this version of jaxdqn reads schema {_SCHEMA}.")
        points = tuple(
            Point(
                point["number"],
                point["settings"],
                tuple(map(tuple, point["scores"])),
                tuple(point["final"]),
                point["state"],
            )
            for point in says["points"]
        )
        progress = tuple((int(steps), int(number), float(score)) for steps, number, score in says["progress"])
        importance = Importance(**says["importance"])
        return Trials(says["name"], says["facts"], tuple(says["ends"]), points, progress, importance, says["code"])
    except FileNotFoundError:
        raise ValueError(f"{path} is missing: run the search first.") from None
    except (KeyError, TypeError, json.JSONDecodeError) as problem:
        raise ValueError(f"{path} cannot be read ({problem}): run the search again, which makes it anew.") from None


def _text(trials: Trials) -> str:
    says = {
        "schema": _SCHEMA,
        **trials._asdict(),
        "points": [point._asdict() for point in trials.points],
        "importance": trials.importance._asdict(),
    }
    return json.dumps(says, separators=(",", ":"))


def _packed(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.parquet")


def _texts(packed: Path) -> dict[str, str]:
    """Returns the points of packed searches as JSON, by name of the search; none if there is no such file.

    Raises:
      ValueError: if it cannot be read.
    """
    if not packed.is_file():
        return {}
    try:
        table = pq.ParquetFile(packed).read(["name", "trials"])
        return dict(zip(table["name"].to_pylist(), table["trials"].to_pylist(), strict=True))
    except (pa.ArrowException, OSError, KeyError) as problem:
        raise ValueError(f"{packed} cannot be read ({problem}): restore it from a copy.") from None
