"""Performance profiles: the share of runs whose score is above a threshold, against the threshold.

The style of figure 5 of Agarwal et al. (2021).
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxdqn.analysis import aggregates, bootstrap_intervals, by_arm, scores
from jaxdqn.analysis.normalise import Transform
from jaxdqn.figures import style
from jaxdqn.store.record import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_POINTS = 201


def performance_profiles(
    runs: Iterable[Run],
    *,
    transform: Transform | None = None,
    score: str = "evaluation_return",
    last: int = 1,
    thresholds: Sequence[float] | None = None,
    xlabel: str = "score",
    order: Sequence[str] = (),
    bootstrap_seed: int = 0,
) -> "Figure":
    """Returns a figure of the distribution of scores over all runs and games, one line an algorithm, 95 % bands.

    Runs that crashed, and algorithms without equally many runs on every game, are left out; the label says so.

    Args:
      runs: of any games, algorithms and settings.
      transform: of the scores of a game to a scale that games share; it may be left out for one game.
      score: the curve.
      last: how many of its last points are averaged inside a run.
      thresholds: `[thresholds]`, increasing; by default 201 from the lowest score to the highest.
      xlabel: what the score is after the transform.
      order: algorithms in the order of colours and legend; others follow as they appear.
      bootstrap_seed: of the generator of each band.

    Raises:
      ValueError: if there are no runs, they do not form arms or follow several protocols, several games have no common
        scale, or a score is not finite.
    """
    found = scores.pooled(scores.final(runs, score=score, last=last, transform=transform))
    looks = style.styles(found.values, order)
    taus = _spanned(found) if thresholds is None else np.asarray(thresholds, np.float64)
    handles: dict[str, Any] = {}
    with style.look():
        label = f"share of runs with a score above\n(n = {_numbers(found)} an algorithm)"
        figure, axes = style.panels([""], xlabel=xlabel, ylabel=label, title=None)
        (panel,) = axes.values()
        for name, look in looks.items():
            band = aggregates.profile(found.values[name], taus, np.random.default_rng(bootstrap_seed))
            panel.fill_between(taus, band.low, band.high, color=look.color, alpha=0.18, linewidth=0, step="post")
            (handles[name],) = panel.step(taus, band.point, where="post", color=look.color, linestyle=look.line)
        panel.set_ylim(-0.02, 1.02)
        panel.set_xlim(taus[0], taus[-1])
        style.legend(figure, handles)
    reading = (
        f"The score of a run is {style.averaged(last)}. Lines: share of the runs of all games; bands: pointwise 95 % "
        "stratified bootstrap interval over seeds."
    )
    sizes = [len(values) for by_game in found.values.values() for values in by_game.values()]
    figure.set_label(" ".join(filter(None, [reading, found.left_out, bootstrap_intervals.caveat(sizes)])))
    return figure


def _spanned(found: scores.Scores) -> np.ndarray:
    """Returns thresholds over all scores, from a little below the lowest to the highest."""
    every = np.concatenate([values for by_game in found.values.values() for values in by_game.values()])
    finite = every[np.isfinite(every)]  # what is not is refused by the statistic, with its place
    low, high = (float(np.min(finite)), float(np.max(finite))) if len(finite) else (0.0, 1.0)
    margin = 0.02 * (high - low) or 0.5
    return np.linspace(low - margin, high + margin, _POINTS)


def _numbers(found: scores.Scores) -> str:
    """Returns how many runs a line is of, fewest to most."""
    return by_arm.span([sum(map(len, by_game.values())) for by_game in found.values.values()])
