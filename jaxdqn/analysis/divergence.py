"""Divergence: the score of a run whose loss was not finite at some step.

From that step on nothing is learned. A network of NaN always takes the first action, and on some games that scores
well. So the later returns are not those of an agent, and no comparison uses them. The rule is:

- in a table and in a figure, a diverged run counts as the worst return of its game: the lowest return that any of the
  compared runs had on that game, at any evaluation. Until it diverged, its curve is drawn unchanged. Its final score is
  the worst return, even if some of the averaged evaluations came before the divergence;
- in a search, it scores minus infinity: a point with a diverged run is worse than every point without one.

Other curves, such as errors, have no worst value; from its divergence on, a diverged run has NaN there.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from jaxdqn.store.record import Run

RETURNS = ("evaluation_return", "episode_return")  # curves for which higher is better


def diverged(run: Run) -> bool:
    """Returns whether a run had a loss that was not finite at some step."""
    return run.facts.get("diverged_at") is not None


def as_worst(runs: Iterable[Run]) -> list[Run]:
    """Returns the runs, in the same order; diverged runs have the worst return of their game from then on.

    Other runs are not changed. To apply the function twice has the same effect as once.

    Args:
      runs: all compared runs. The worst return is their lowest return.
    """
    runs = list(runs)
    games = {run.facts["game"]["name"] for run in runs if diverged(run)}
    worst = {(game, name): _worst(runs, game, name) for game in games for name in RETURNS}
    return [_with_worst(run, worst) if diverged(run) else run for run in runs]


def search_score(returns: np.ndarray, diverged_at: int | None) -> float:
    """Returns the score of a run in a search: the mean of its evaluations `[last]`; minus infinity if it diverged."""
    return -np.inf if diverged_at is not None else float(np.mean(returns, dtype=np.float64))


def of_episodes(runs: Sequence[Run], scores: Sequence[np.ndarray], worst: float) -> list[np.ndarray]:
    """Returns the scores of training episodes, with the logs of diverged runs continued with the worst score.

    The log of a diverged run ends early. It is continued to the length of the shortest log of the other runs.

    Args:
      runs: of one arm.
      scores: scores of the episodes of each run, `[N]` in their order.
      worst: lowest score of an episode of any compared run on the game.
    """
    lengths = [len(values) for run, values in zip(runs, scores, strict=True) if not diverged(run)]
    shared = min(lengths, default=0)
    return [
        np.append(values, np.full(max(0, shared - len(values)), worst)) if diverged(run) else values
        for run, values in zip(runs, scores, strict=True)
    ]


def sentence(members: Sequence[Run], of: str, score: str = "evaluation_return") -> str:
    """Returns a sentence with the number of diverged runs of an arm and their score; an empty string if there are none.

    Args:
      members: the runs of the arm.
      of: name of the arm.
      score: the curve that is shown.
    """
    number = sum(map(diverged, members))
    if not number:
        return ""
    runs = f"{number} of {len(members)} {'run' if len(members) == 1 else 'runs'} of {of} diverged"
    if score not in RETURNS:
        return f"{runs} and {'has' if number == 1 else 'have'} no {score.replace('_', ' ')} from then on."
    return f"{runs} and {'counts' if number == 1 else 'count'} as the worst score of the game."


def _worst(runs: Sequence[Run], game: str, name: str) -> float:
    """Returns the lowest finite value of a curve on a game; NaN if there is none."""
    curves = [run.curves[name] for run in runs if run.facts["game"]["name"] == game and name in run.curves]
    values = np.concatenate([*curves, np.zeros(0)])
    return float(np.min(values[np.isfinite(values)], initial=np.inf)) if np.isfinite(values).any() else np.nan


def _with_worst(run: Run, worst: Mapping[tuple[str, str], float]) -> Run:
    steps, at = run.curves["steps"], run.facts["diverged_at"]
    first = min(int(np.searchsorted(steps, at)), len(steps) - 1)

    def counted(name: str, values: np.ndarray) -> Any:
        if not np.issubdtype(values.dtype, np.floating):
            return values  # counts
        changed = values.copy()
        changed[first:] = worst.get((run.facts["game"]["name"], name), np.nan)
        return changed

    return run._replace(curves={name: counted(name, values) for name, values in run.curves.items()})
