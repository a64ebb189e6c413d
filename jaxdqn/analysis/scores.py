"""Scores of a comparison, from runs: by label of the arm and by game, with a sentence on what is left out."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from jaxdqn.analysis import by_arm
from jaxdqn.analysis.normalise import Reference, Transform
from jaxdqn.spelling import did_you_mean
from jaxdqn.store.record import Run


class Scores(NamedTuple):
    """The scores of a comparison.

    Attributes:
      values: by label of the arm, then by game: scores, float64 `[runs]`, or curves, float64 `[runs, points]`.
      seeds: by label of the arm, then by game: the seeds of these runs, in the same order.
      games: names of all games, in order of first appearance.
      has_common_scale: whether scores of several games may be pooled.
      left_out: sentences about runs or arms that are left out; '' if nothing is left out.
    """

    values: dict[str, dict[str, np.ndarray]]
    seeds: dict[str, dict[str, tuple[int, ...]]]
    games: tuple[str, ...]
    has_common_scale: bool
    left_out: str


def final(
    runs: Iterable[Run], *, score: str = "evaluation_return", last: int = 1, transform: Transform | None = None
) -> Scores:
    """Returns one score a run: the mean over the last points of its curve.

    A run that diverged counts as the worst return of its game (`jaxdqn.analysis.divergence`). On other curves it has no
    score.

    Args:
      runs: of any games, algorithms and settings.
      score: the curve.
      last: number of its last points that are averaged in each run.
      transform: to a scale that games share, such as `normalise.transform`; without it only one game can be pooled.

    Raises:
      ValueError: if there are no runs, they do not form arms or follow several protocols, or there is no such curve.
    """
    arms = _arms(runs)
    finals = {arm: by_arm.final(members, score, last) for arm, members in arms.items()}
    return _scores(arms, finals, transform, score)


def along(
    runs: Iterable[Run], *, score: str = "evaluation_return", transform: Transform | None = None
) -> tuple[np.ndarray, Scores]:
    """Returns the steps of evaluation, int64 `[points]`, and the scores at them.

    Args:
      runs: as `final`.
      score: as `final`.
      transform: as `final`.

    Raises:
      ValueError: as `final`, or if games were evaluated at different steps.
    """
    arms = _arms(runs)
    steps, _ = by_arm.curve([run for members in arms.values() for run in members], score)
    curves = {arm: by_arm.curve(members, score)[1] for arm, members in arms.items()}
    return steps, _scores(arms, curves, transform, score)


def pooled(scores: Scores) -> Scores:
    """Returns the scores of the labels that have the same number of runs on every game, so that games can be pooled.

    Otherwise one game would weigh more than another, or be missing. `left_out` names the other labels.

    Raises:
      ValueError: if there are several games and no common scale, or no such label.
    """
    check_common_scale(scores)
    counts = {label: [len(by_game.get(game, ())) for game in scores.games] for label, by_game in scores.values.items()}
    uneven = [label for label, numbers in counts.items() if min(numbers) < max(numbers)]
    kept = [label for label in counts if label not in uneven]
    if not kept:
        raise ValueError(f"No arm has the same number of runs on {', '.join(scores.games)}: run the missing ones.")
    sentence = f"Not shown, with different numbers of runs on the games: {', '.join(uneven)}." if uneven else ""
    return scores._replace(
        values={label: scores.values[label] for label in kept},
        seeds={label: scores.seeds[label] for label in kept},
        left_out=" ".join(filter(None, [scores.left_out, sentence])),
    )


def check_common_scale(scores: Scores) -> None:
    """Raises a ValueError if there are several games without a common scale."""
    if len(scores.games) > 1 and not scores.has_common_scale:
        raise ValueError(
            f"Scores of {len(scores.games)} games ({', '.join(scores.games)}) have no common scale: normalise them, or "
            "choose one game."
        )


def references(
    runs: Iterable[Run], low: float | str, high: float | str, *, score: str = "evaluation_return", last: int = 1
) -> dict[str, Reference]:
    """Returns references to normalise by, for each game: a number, or the mean score of the arm with that label.

    Raises:
      ValueError: as `final`, or if no arm has the label, or it has no runs on some game.
    """
    finals = final(runs, score=score, last=last)

    def value(end: float | str, game: str) -> float:
        if not isinstance(end, str):
            return end
        if game not in choose(finals.values, end):
            raise ValueError(f"{end} has no run on {game}: its score cannot be a reference for that game.")
        return float(np.mean(finals.values[end][game]))

    return {game: Reference(value(low, game), value(high, game)) for game in finals.games}


def by_seed(scores: Scores, label: str) -> dict[str, dict[int, np.ndarray]]:
    """Returns the scores of a label by game and seed, for `jaxdqn.analysis.paired`.

    Raises:
      ValueError: as `choose`.
    """
    values, seeds = choose(scores.values, label), scores.seeds[label]
    return {game: dict(zip(seeds[game], values[game], strict=True)) for game in values}


def others(scores: Scores, base: str) -> list[str]:
    """Returns the labels that can be compared with a base: all others.

    Raises:
      ValueError: if there is no such base, or nothing else.
    """
    choose(scores.values, base)
    labels = [label for label in scores.values if label != base]
    if not labels:
        raise ValueError(f"There is no other arm to compare with {base!r}.")
    return labels


def on_shared_games(scores: Scores, label: str, base: str) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Returns the scores of two labels on the games that both have.

    Raises:
      ValueError: as `choose`, or if they share no game.
    """
    arm, bases = choose(scores.values, label), choose(scores.values, base)
    games = [game for game in arm if game in bases]
    if not games:
        raise ValueError(f"{label!r} and {base!r} share no game on which both have a run.")
    return {game: arm[game] for game in games}, {game: bases[game] for game in games}


def choose(by_label: Mapping[str, dict[str, np.ndarray]], label: str) -> dict[str, np.ndarray]:
    """Returns the scores of a label.

    Raises:
      ValueError: if there is no such label; the message names the known labels.
    """
    if label not in by_label:
        hint = did_you_mean(label, by_label)
        raise ValueError(f"There is no arm {label!r}: there are {', '.join(map(repr, by_label))}.{hint}")
    return by_label[label]


def _arms(runs: Iterable[Run]) -> dict[by_arm.Arm, tuple[Run, ...]]:
    """Returns the runs by arm; there is at least one."""
    arms = by_arm.compared(runs)
    if not arms:
        raise ValueError("No runs to compare: run the study first, or choose other runs.")
    return arms


def _scores(
    arms: Mapping[by_arm.Arm, Sequence[Run]],
    numbers: Mapping[by_arm.Arm, np.ndarray],
    transform: Transform | None,
    score: str,
) -> Scores:
    labels = by_arm.labels(arms)
    values: dict[str, dict[str, np.ndarray]] = {}
    seeds: dict[str, dict[str, tuple[int, ...]]] = {}
    for arm, members in arms.items():
        scores = numbers[arm] if transform is None else np.asarray(transform(arm.game, numbers[arm]), np.float64)
        values.setdefault(labels[arm], {})[arm.game] = scores
        seeds.setdefault(labels[arm], {})[arm.game] = tuple(run.facts["seed"] for run in members)
    games = tuple(dict.fromkeys(arm.game for arm in arms))
    return Scores(values, seeds, games, transform is not None, by_arm.remarks(arms, labels, score))
