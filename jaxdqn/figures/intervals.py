"""Interval plots: a score for each algorithm with its interval, in panels for all games together and for each game.

The style of figure 9 of Agarwal et al. (2021).
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from jaxdqn.analysis import aggregates, statistics
from jaxdqn.analysis.statistics import Aggregate
from jaxdqn.figures import style
from jaxdqn.figures.entry import FINAL_STATISTIC, Entry

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from jaxdqn.analysis.bootstrap_intervals import Interval
    from jaxdqn.analysis.normalise import Transform
    from jaxdqn.store.record import Run


def intervals(
    runs: "Iterable[Run]",
    transform: "Transform | None" = None,
    *,
    statistic: statistics.Statistic = statistics.iqm,
    score: str = "evaluation_return",
    last: int = 1,
    xlabel: str | None = None,
    order: Sequence[str] = (),
    bootstrap_seed: int = 0,
) -> "Figure":
    """Returns a figure of one score for each algorithm with its 95 % bootstrap interval over seeds.

    All games together have a panel for each aggregate (`jaxdqn.analysis.aggregates`), with the algorithms that have the
    same number of runs on every game.

    Args:
      runs: of any games and algorithms, one configuration for each algorithm and game.
      transform: from scores of a game to a scale that games share, on which a score of 1 has no optimality gap; not
        needed for one game.
      statistic: over the runs of an arm on one game.
      score: the curve.
      last: number of its last points that are averaged in each run.
      xlabel: name of the score after the transform; by default from `score`.
      order: algorithms from top to bottom; others follow as they appear.
      bootstrap_seed: seed of the generator of each interval.

    Raises:
      ValueError: if there are no runs, they do not form arms or follow several protocols, several games have no common
        scale, or a score is not finite.
    """
    from jaxdqn.analysis import bootstrap_intervals, scores

    found = scores.final(runs, score=score, last=last, transform=transform)
    scores.check_common_scale(found)
    looks = style.styles(found.values, order)
    shown: dict[str, tuple[Sequence[str], Aggregate]] = {}
    if len(found.games) > 1:
        shown |= {aggregates.panel(name): (found.games, of.aggregate) for name, of in aggregates.AGGREGATES.items()}
    shown |= {game: ([game], statistics.pooled(statistic)) for game in found.games}
    xlabel = xlabel or f"final {style.score_name(score, transform)}"
    with style.look():
        figure, panels = style.panels(list(shown), xlabel=xlabel, ylabel="", title=None)
        figure.set_figheight(figure.get_figheight() * max(1.0, len(looks) / 9))
        for name, panel in panels.items():
            draw(panel, _estimates(found.values, *shown[name], bootstrap_seed), looks)
    style.describe(
        figure,
        f"The score of a run is {style.averaged(last)}. Marks: {statistics.name(statistic)} over seeds; bars: 95 % "
        "stratified bootstrap interval over seeds.",
        aggregates.explanation() if len(found.games) > 1 else "",
        found.left_out,
        bootstrap_intervals.caveat(len(values) for by_game in found.values.values() for values in by_game.values()),
    )
    return figure


def _estimates(
    scores: "Mapping[str, Mapping[str, np.ndarray]]",
    games: Sequence[str],
    aggregate: Aggregate,
    bootstrap_seed: int,
) -> "dict[str, Interval]":
    """Returns the interval of each label that has the same number of runs on each of these games."""
    import numpy as np

    from jaxdqn.analysis import resampling

    found = {}
    for label, by_game in scores.items():
        if set(games) <= set(by_game) and len({len(by_game[game]) for game in games}) == 1:
            pooled = {game: by_game[game] for game in games}
            found[label] = resampling.aggregate_interval(pooled, aggregate, np.random.default_rng(bootstrap_seed))
    return found


def draw(panel: "Axes", estimates: "Mapping[str, Interval]", looks: Mapping[str, style.Style]) -> None:
    """Draws a row for each look, with the mark and the bar of its estimate if it has one. To be called in `look`.

    If there are more rows than colours, all rows have the same colour, since a repeated colour would suggest that two
    rows belong together.
    """
    rows = list(looks)
    colors = {label: look.color for label, look in looks.items()}
    if len(set(colors.values())) < len(rows):
        colors = dict.fromkeys(rows, colors[rows[0]])
    panel.use_sticky_edges = False  # a bar ends where its interval does, not where the panel does
    for label, estimate in estimates.items():
        height, color = rows.index(label), colors[label]
        low, high = float(estimate.low), float(estimate.high)
        if math.isfinite(low):
            panel.barh(height, high - low, left=low, height=0.6, color=color, alpha=0.45, linewidth=0)
        panel.vlines(float(estimate.point), height - 0.3, height + 0.3, color=color, linewidth=1.6)
    panel.set_yticks(range(len(rows)), rows)
    panel.set_ylim(len(rows) - 0.5, -0.5)


FIGURE = Entry("final scores, of all games together and of each game", FINAL_STATISTIC, intervals)
