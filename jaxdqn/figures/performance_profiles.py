"""Performance profiles: the share of runs whose score is above a threshold, against the threshold.

The style of figure 5 of Agarwal et al. (2021).
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from jaxdqn.figures import style
from jaxdqn.figures.entry import FINAL, NORMALISE, Entry

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure

    from jaxdqn.analysis.normalise import Transform
    from jaxdqn.analysis.scores import Scores
    from jaxdqn.store.record import Run

_POINTS = 201


def performance_profiles(
    runs: "Iterable[Run]",
    *,
    transform: "Transform | None" = None,
    score: str = "evaluation_return",
    last: int = 1,
    thresholds: Sequence[float] | None = None,
    xlabel: str | None = None,
    order: Sequence[str] = (),
    bootstrap_seed: int = 0,
) -> "Figure":
    """Returns a figure of the share of runs above each score, one line for each algorithm, with 95 % bootstrap bands.

    Algorithms with different numbers of runs on the games are left out, and the label of the figure says so.

    Args:
      runs: of any games, algorithms and settings.
      transform: from scores of a game to a scale that games share; not needed for one game.
      score: the curve.
      last: number of its last points that are averaged in each run.
      thresholds: `[thresholds]`, increasing; by default 201 from the lowest score to the highest.
      xlabel: name of the score after the transform; by default from `score`.
      order: algorithms in the order of colours and legend; others follow as they appear.
      bootstrap_seed: seed of the generator of each band.

    Raises:
      ValueError: if there are no runs, they do not form arms or follow several protocols, several games have no common
        scale, or a score is not finite.
    """
    import numpy as np

    from jaxdqn.analysis import bootstrap_intervals, performance_profile, scores

    found = scores.pooled(scores.final(runs, score=score, last=last, transform=transform))
    looks = style.styles(found.values, order)
    taus = _spanned(found) if thresholds is None else np.asarray(thresholds, np.float64)
    handles: dict[str, Any] = {}
    with style.look():
        label = f"share of runs with a score above\n(n = {_numbers(found)} per algorithm)"
        xlabel = xlabel or f"final {style.score_name(score, transform)}"
        figure, axes = style.panels([""], xlabel=xlabel, ylabel=label, title=None)
        (panel,) = axes.values()
        for name, look in looks.items():
            band = performance_profile.interval(found.values[name], taus, np.random.default_rng(bootstrap_seed))
            panel.fill_between(taus, band.low, band.high, color=look.color, alpha=0.18, linewidth=0, step="post")
            (handles[name],) = panel.step(taus, band.point, where="post", color=look.color, linestyle=look.line)
        panel.set_ylim(-0.02, 1.02)
        panel.set_xlim(taus[0], taus[-1])
        style.legend(figure, handles)
    style.describe(
        figure,
        f"The score of a run is {style.averaged(last)}. Lines: share of the runs of all games; bands: pointwise 95 % "
        "stratified bootstrap interval over seeds.",
        found.left_out,
        bootstrap_intervals.caveat(len(values) for by_game in found.values.values() for values in by_game.values()),
    )
    return figure


def _spanned(found: "Scores") -> "np.ndarray":
    """Returns thresholds from a little below the lowest score to a little above the highest."""
    import numpy as np

    every = np.concatenate([values for by_game in found.values.values() for values in by_game.values()])
    finite = every[np.isfinite(every)]  # a score that is not finite is refused by the statistic
    low, high = (float(np.min(finite)), float(np.max(finite))) if len(finite) else (0.0, 1.0)
    margin = 0.02 * (high - low) or 0.5
    return np.linspace(low - margin, high + margin, _POINTS)


def _numbers(found: "Scores") -> str:
    """Returns the number of runs behind a line, fewest to most."""
    from jaxdqn.analysis import by_arm

    return by_arm.span([sum(map(len, by_game.values())) for by_game in found.values.values()])


FIGURE = Entry("the share of runs above each score", (*FINAL, NORMALISE), performance_profiles)
