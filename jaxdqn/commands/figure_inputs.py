"""What `jaxdqn figure` draws from and writes to: the runs, the scale of their scores, and the files."""

import argparse
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from jaxdqn.analysis import normalise, scores
from jaxdqn.analysis.normalise import Reference, Transform
from jaxdqn.commands import figure_options
from jaxdqn.store import manifest, store
from jaxdqn.store.manifest import Manifest
from jaxdqn.store.record import Run

_FIELDS = ("learning_rate", "exploration.epsilon")  # for example


class Scale(NamedTuple):
    """What scores are normalised by: the transform, and what it says of itself; of none, None and an empty string."""

    transform: Transform | None
    reading: str


def stored(path: Path, wanted: Manifest | None = None) -> tuple[Path, store.Results]:
    """Returns the folder of a study and what is stored of it.

    Args:
      path: of the folder, which holds `runs`, or of the runs.
      wanted: the runs that are meant, and what they are called; None means all that are there, as they were called.

    Raises:
      FileNotFoundError: if there is no such folder.
      ValueError: if it holds no run.
    """
    if not store.exists(path):
        raise FileNotFoundError(f"{path} is no folder: give that of a study, such as results/NAME.")
    found = store.read(path / "runs" if store.exists(path / "runs") else path)
    if wanted is not None:
        found = found._replace(runs=manifest.described(found.runs, wanted))
    if not found.runs:
        damaged = f" ({len(found.damaged)} damaged)" if found.damaged else ""
        raise ValueError(f"{path} holds no run{damaged}: run the study first, or give the folder of another.")
    return (path.parent if path.name == "runs" else path), found


def check(chosen: argparse.Namespace) -> None:
    """Returns nothing if the options fit the kind."""
    known = figure_options.KINDS[chosen.kind].options
    for name in figure_options.SPECIFIC:
        if getattr(chosen, name) is not None and name not in known:
            there = ", ".join(_dashed(option) for option in known)
            raise ValueError(f"{_dashed(name)} says nothing to the kind {chosen.kind}, which has {there}.")
    if "base" in known and chosen.base is None:
        raise ValueError(f"{chosen.kind} needs --base, the label of the arm that the others are compared to.")
    wanted = {"sensitivity": 1, "heatmap": 2}.get(chosen.kind, 0)
    if wanted and len(chosen.field or ()) != wanted:
        few = "one setting" if wanted == 1 else "two settings"
        raise ValueError(f"{chosen.kind} needs --field with {few}, such as {' '.join(_FIELDS[:wanted])}.")


def _dashed(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def narrowed(runs: Sequence[Run], games: Sequence[str] | None, arms: Sequence[str] | None) -> list[Run]:
    """Returns the runs of these games and arms, and all where none are named."""
    kept = list(runs)
    named: tuple[tuple[str, Sequence[str] | None, Callable[[Run], str]], ...] = (
        ("game", games, lambda run: run.facts["game"]["name"]),
        ("arm", arms, lambda run: run.facts["algorithm"]),
    )
    for what, wanted, value in named:
        there = dict.fromkeys(map(value, runs))
        unknown = [name for name in wanted or () if name not in there]
        if unknown:
            raise ValueError(f"There is no {what} {unknown[0]!r}: there are {', '.join(map(repr, there))}.")
        kept = [run for run in kept if wanted is None or value(run) in wanted]
    if not kept:
        raise ValueError("No run is of these games and of these arms at once: choose others.")
    return kept


def paths(chosen: argparse.Namespace, folder: Path) -> list[Path]:
    """Returns the files to write, none of which is somebody else's."""
    is_table = chosen.kind == "table"
    known = figure_options.TABLE_FORMATS if is_table else figure_options.FIGURE_FORMATS
    usual = ("md",) if is_table else ("png", "svg")
    out = folder / "figures" / chosen.kind if chosen.out is None else chosen.out
    suffix = out.suffix.removeprefix(".") if chosen.out is not None else ""
    if suffix in (*figure_options.FIGURE_FORMATS, *figure_options.TABLE_FORMATS):
        if chosen.format is not None and chosen.format != [suffix]:
            raise ValueError(f"--out {out} and --format {' '.join(chosen.format)} name different formats: give one.")
        formats, out = [suffix], out.with_suffix("")
    else:
        formats = list(dict.fromkeys(chosen.format or usual))
    unknown = [name for name in formats if name not in known]
    if unknown:
        what = "A table" if is_table else "A figure"
        raise ValueError(f"{what} has no format {unknown[0]}: choose among {', '.join(known)}.")
    files = [out.with_name(f"{out.name}.{name}") for name in formats]
    for path in files if chosen.out is not None else ():
        if path.exists() and not (path.suffix[1:] in figure_options.FIGURE_FORMATS and b"jaxdqn" in path.read_bytes()):
            raise ValueError(f"{path} is there already and is no figure that could be drawn again: choose a new name.")
    return files


def scale(runs: Sequence[Run], chosen: argparse.Namespace) -> Scale:
    """Returns the scale that `--normalise` asks for; arms among the runs that are not shown may be references."""
    if chosen.normalise is None:
        return Scale(None, "")
    games = list(dict.fromkeys(run.facts["game"]["name"] for run in runs))
    found: dict[str, Reference] = {}
    for text in chosen.normalise:
        found |= references(text, runs, games, score=score(chosen), last=last(chosen))
    found = {game: found[game] for game in games if game in found}  # of a file, only what is compared
    return Scale(normalise.transform(found), normalise.reading(found))


def references(text: str, runs: Sequence[Run], games: Iterable[str], *, score: str, last: int) -> dict[str, Reference]:
    """Returns the references that a word of `--normalise` means, by game.

    Args:
      text: `human`, the path of a CSV or JSON file, or `[GAME=]LOW:HIGH` with numbers or labels of arms.
      runs: among which the arms are.
      games: all that are compared.
      score: the curve of the arms.
      last: how many of its last points are averaged inside a run.

    Raises:
      FileNotFoundError: if there is no such file.
      ValueError: if it means nothing, or not what is there.
    """
    games = list(games)
    if text == "human":
        return normalise.human(games)
    if Path(text).suffix in (".csv", ".json"):
        return normalise.read(text)
    game, equals, ends = text.rpartition("=")
    if not equals or game not in games:
        game, ends = "", text
    low, colon, high = ends.rpartition(":")
    if not colon or not low or not high:
        raise ValueError(
            f"--normalise {text!r} means nothing: give LOW:HIGH, GAME=LOW:HIGH with a game of the runs "
            f"({', '.join(games)}), a CSV or JSON file, or human."
        )
    of_game = [run for run in runs if not game or run.facts["game"]["name"] == game]
    return scores.references(of_game, _number_or_label(low), _number_or_label(high), score=score, last=last)


def _number_or_label(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def score(chosen: argparse.Namespace) -> str:
    """Returns the name of the curve that scores are taken from."""
    return chosen.score or "evaluation_return"


def last(chosen: argparse.Namespace) -> int:
    """Returns how many points at the end of a curve are averaged."""
    return 1 if chosen.last is None else int(chosen.last)


def named(chosen: argparse.Namespace, scale: Scale) -> str:
    """Returns what the score is called on this scale."""
    words = score(chosen).replace("_", " ")
    return words if scale.transform is None else f"normalised {words}"


def on_one_scale(runs: Sequence[Run], scale: Scale) -> Transform:
    """Returns the transform; without one, that of a single game, whose scores need none."""
    games = dict.fromkeys(run.facts["game"]["name"] for run in runs)
    if scale.transform is None and len(games) > 1:
        raise ValueError(f"Scores of {len(games)} games have no common scale: give --normalise, or one of --games.")
    return scale.transform or (lambda _, values: values)
