"""Normalised scores, (score - low) / (high - low): one reference of a game becomes 0 and another becomes 1.

Scores of several games have no common unit without it. Usual references are the scores of random play and of people
(`human`), of random play and of another algorithm, or the lowest and the highest possible return.
"""

import csv
import io
import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

Transform = Callable[[str, np.ndarray], np.ndarray]  # (game, scores [...]) -> scores [...] on the common scale


class Reference(NamedTuple):
    """The two scores of a game that become 0 and 1."""

    low: float
    high: float


def transform(references: Mapping[str, Reference]) -> Transform:
    """Returns the normalisation by these references for figures and tables, `(game, scores) -> scores`.

    Raises:
      ValueError: if the references of a game are not finite or equal; when called, if a game has none.
    """
    for game, (low, high) in references.items():
        if not (math.isfinite(low) and math.isfinite(high)) or low == high:
            raise ValueError(f"The references of {game}, {low:g} and {high:g}, must be two different finite numbers.")

    def normalised(game: str, scores: np.ndarray) -> np.ndarray:
        if game not in references:
            known = ", ".join(references) or "no game"
            raise ValueError(f"There are no references to normalise {game}: there are references for {known}.")
        low, high = references[game]
        return (np.asarray(scores) - low) / (high - low)

    return normalised


def reading(references: Mapping[str, Reference]) -> str:
    """Returns a sentence about the scale for a caption; for more than six games it has only their number."""
    if len(references) > 6:
        return f"Scores are normalised: 0 and 1 are the low and the high reference of each of {len(references)} games."
    ends = ", ".join(f"{low:g} and {high:g} on {game}" for game, (low, high) in references.items())
    return f"Scores are normalised: 0 and 1 stand for {ends}."


def human(games: Iterable[str]) -> dict[str, Reference]:
    """Returns the scores of random play and of people on Atari games, by these names.

    They are the scores of the literature (`jaxdqn.analysis.atari_scores`), for no-op starts and at most 30 minutes.

    Args:
      games: names such as `atari:space_invaders`, with or without options, `gymnasium:ALE/SpaceInvaders-v5` or
        `ALE/Pong-v5`.

    Raises:
      ValueError: if a game is not one of the 57.
    """
    from jaxdqn.analysis import atari_scores

    known = {name.replace("_", ""): Reference(*scores) for name, scores in atari_scores.RANDOM_AND_HUMAN.items()}
    found = {}
    for game in games:
        match = re.fullmatch(r"atari:([a-z0-9_]+)(?:,.*)?|(?:.*[:/])?ALE/([A-Za-z]+)-v\d+", game)
        title = (match[1] or match[2]).replace("_", "").lower() if match else ""
        if title not in known:
            raise ValueError(
                f"There is no human score of {game}: there are scores of 57 Atari games, such as atari:pong."
            )
        found[game] = known[title]
    return found


def read(path: str | Path) -> dict[str, Reference]:
    """Returns the references in a file, by game.

    Args:
      path: of a CSV with a column `game` and then two columns, low and high, such as `game,random,human` (further
        columns are ignored); or of a JSON object with `[low, high]` for each game.

    Raises:
      FileNotFoundError: if there is no such file.
      ValueError: if the file has another form; it names the file and the fault.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist: {_FORMS}")
    try:
        text = path.read_text()
        rows = _of_json(text) if path.suffix == ".json" else _of_csv(text)
        found = {game: Reference(float(low), float(high)) for game, low, high in rows}
        transform(found)
    except (ValueError, TypeError) as problem:  # among them JSONDecodeError and UnicodeDecodeError
        raise ValueError(f"{path} has no references ({str(problem).rstrip('.')}): {_FORMS}") from None
    return found


_FORMS = "write a CSV with the columns game,low,high or a JSON object with [low, high] for each game."


def _of_json(text: str) -> list[tuple[str, float, float]]:
    content = json.loads(text)
    if not isinstance(content, dict) or not all(isinstance(ends, list) and len(ends) == 2 for ends in content.values()):
        raise ValueError("no object of pairs")
    return [(game, low, high) for game, (low, high) in content.items()]


def _of_csv(text: str) -> list[tuple[str, float, float]]:
    rows = [row for row in csv.reader(io.StringIO(text)) if row]
    if not rows or rows[0][0].strip() != "game" or any(len(row) < 3 for row in rows):
        raise ValueError("no columns game, low and high")
    games = [row[0].strip() for row in rows[1:]]
    if len(set(games)) < len(games):
        raise ValueError("a game occurs twice")
    return [(game, float(row[1]), float(row[2])) for game, row in zip(games, rows[1:], strict=True)]
