"""The runs that a figure is drawn from, and the references of their scores, from the options of a command."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from jaxdqn.analysis import by_arm, failed_runs, normalise, scores
from jaxdqn.analysis.normalise import Reference
from jaxdqn.spelling import did_you_mean
from jaxdqn.store import manifest, store
from jaxdqn.store.failures import Failure
from jaxdqn.store.manifest import Manifest
from jaxdqn.store.record import Run


def stored(path: Path, requested: Manifest | None = None) -> tuple[Path, store.Results]:
    """Returns the folder of a study and its stored runs.

    Args:
      path: of the folder of the study, or of its `runs`.
      requested: the expected runs and the names of their arms; None means all runs, with the names in the records.

    Raises:
      FileNotFoundError: if there is no such folder.
      ValueError: if it holds no run.
    """
    if not store.exists(path):
        raise FileNotFoundError(f"{path} is no folder: give the folder of a study, such as results/NAME.")
    folder = path.parent if path.name == "runs" else path
    found = store.read(path / "runs" if store.exists(path / "runs") else path)
    if requested is not None:
        found = found._replace(runs=manifest.requested_runs(found.runs, requested))
    if not found.runs:
        damaged = f" ({len(found.damaged)} damaged)" if found.damaged else ""
        if failed := failed_runs.read(folder, requested):
            raise ValueError(f"{path} holds no run{damaged}: {failed_runs.reasons(failed, folder / 'failures')[0]}.")
        raise ValueError(f"{path} holds no run{damaged}: run the study first, or give the folder of another.")
    return folder, found


def chosen(runs: Sequence[Run], games: Sequence[str] | None, arms: Sequence[str] | None) -> list[Run]:
    """Returns the runs of these games and arms, in the order of the arms; None chooses all.

    An arm is named by its algorithm, or by its label in figures, such as `dqn, learning_rate 0.01`.

    Raises:
      ValueError: if a name is unknown, or no run is left.
    """
    of_games = [run for run in runs if games is None or run.facts["game"]["name"] in games]
    _check_known("game", games or (), {run.facts["game"]["name"]: None for run in runs})
    if arms is None:
        return of_games
    names = {run.facts["id"]: [run.facts["algorithm"]] for run in runs}
    if not {run.facts["algorithm"] for run in runs}.issuperset(arms):
        found = by_arm.arms(runs)
        for arm, label in by_arm.labels(found).items():
            for run in found[arm]:
                names[run.facts["id"]].append(label)
    _check_known("arm", arms, {name: None for several in names.values() for name in several})
    kept = [run for arm in dict.fromkeys(arms) for run in of_games if arm in names[run.facts["id"]]]
    if not kept:
        raise ValueError("No run has both one of these games and one of these arms: choose others.")
    return kept


def chosen_failures(
    failed: Iterable[Failure], games: Sequence[str] | None, arms: Sequence[str] | None
) -> list[Failure]:
    """Returns the failures of these games and arms, as `chosen` does for runs."""
    return [
        failure
        for failure in failed
        if (games is None or failure.about.get("game") in games)
        and (arms is None or failure.about.get("algorithm") in arms)
    ]


def references(
    words: Iterable[str], runs: Sequence[Run], *, score: str = "evaluation_return", last: int = 1
) -> dict[str, Reference]:
    """Returns the references that the words of `--normalise` name; for a game, a later word replaces an earlier one.

    The references of a game are the two scores that become 0 and 1 when its scores are normalised.

    Args:
      words: each is `human`, the path of a CSV or JSON file, or `[GAME=]LOW:HIGH` with numbers or labels of arms.
      runs: of all arms, including arms that are references and not shown.
      score: where a reference is the label of an arm: name of the curve that its score is taken from.
      last: where a reference is the label of an arm: number of the last points of this curve that are averaged in each
        run.

    Returns:
      By name of the game a `Reference`: `low`, the score that becomes 0, and `high`, the score that becomes 1. Only
      games of the runs are in it, and of these only games that a word covers.

    Raises:
      FileNotFoundError: if there is no such file.
      ValueError: if a word cannot be read, or names something that is not there.
    """
    games = list(dict.fromkeys(run.facts["game"]["name"] for run in runs))
    found: dict[str, Reference] = {}
    for word in words:
        found |= _references(word, runs, games, score, last)
    return {game: found[game] for game in games if game in found}  # a file may have more games


def _check_known(what: str, names: Iterable[str], known: Iterable[str]) -> None:
    known = list(known)
    for name in names:
        if name not in known:
            hint = did_you_mean(name, known)
            raise ValueError(f"There is no {what} {name!r}: there are {', '.join(map(repr, known))}.{hint}")


def _references(word: str, runs: Sequence[Run], games: Sequence[str], score: str, last: int) -> dict[str, Reference]:
    if word == "human":
        return normalise.human(games)
    if Path(word).suffix in (".csv", ".json"):
        return normalise.read(word)
    game, equals, ends = word.rpartition("=")
    if not equals or game not in games:
        game, ends = "", word
    low, colon, high = ends.rpartition(":")
    if not colon or not low or not high:
        raise ValueError(
            f"--normalise {word!r} cannot be read: give LOW:HIGH, GAME=LOW:HIGH with a game of the runs "
            f"({', '.join(games)}), a CSV or JSON file, or human."
        )
    of_game = [run for run in runs if not game or run.facts["game"]["name"] == game]
    return scores.references(of_game, _number_or_label(low), _number_or_label(high), score=score, last=last)


def _number_or_label(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text
