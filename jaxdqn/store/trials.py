"""The points of a search as plain numbers: `trials.json`, derived from the search's journal after every wave.

With it, figures of a search need neither Optuna nor JAX.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

from jaxdqn.store import files

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
    """Puts the points of a search down, in the place of those before."""
    says = {
        "schema": _SCHEMA,
        **trials._asdict(),
        "points": [point._asdict() for point in trials.points],
        "importance": trials.importance._asdict(),
    }
    files.replace(folder / _NAME, json.dumps(says, separators=(",", ":")).encode())


def read(folder: Path) -> Trials:
    """Returns the points of a search.

    Raises:
      ValueError: if there are none, or none that can be read.
    """
    path = folder / _NAME
    try:
        says = json.loads(path.read_bytes())
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
