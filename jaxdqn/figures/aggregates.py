"""Aggregates over games with their intervals: median, IQM, mean and optimality gap, one row for each algorithm.

The style of figure 9 of Agarwal et al. (2021).
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from jaxdqn.figures import intervals, style
from jaxdqn.figures.entry import FINAL, NORMALISE, Entry

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from jaxdqn.analysis.normalise import Transform
    from jaxdqn.store.record import Run


def aggregate_intervals(
    runs: "Iterable[Run]",
    transform: "Transform",
    *,
    score: str = "evaluation_return",
    last: int = 1,
    xlabel: str | None = None,
    order: Sequence[str] = (),
    bootstrap_seed: int = 0,
) -> "Figure":
    """Returns a figure of each aggregate over all games for each algorithm, with its 95 % bootstrap interval.

    Algorithms with different numbers of runs on the games are left out, and the label of the figure says so.

    Args:
      runs: of any games, algorithms and settings.
      transform: from scores of a game to a scale that games share, on which a score of 1 has no optimality gap.
      score: the curve.
      last: number of its last points that are averaged in each run.
      xlabel: name of the score after the transform; by default from `score`.
      order: algorithms from top to bottom; others follow as they appear.
      bootstrap_seed: seed of the generator of each interval.

    Raises:
      ValueError: if there are no runs, they do not form arms or follow several protocols, or a score is not finite.
    """
    import numpy as np

    from jaxdqn.analysis import aggregates, bootstrap_intervals, resampling, scores

    found = scores.pooled(scores.final(runs, score=score, last=last, transform=transform))
    looks = style.styles(found.values, order)
    xlabel = xlabel or f"final {style.score_name(score, transform)}"
    with style.look():
        figure, panels = style.panels(list(aggregates.AGGREGATES), xlabel=xlabel, ylabel="", title=None)
        figure.set_figheight(figure.get_figheight() * max(1.0, len(looks) / 9))
        for name, panel in panels.items():
            aggregate = aggregates.AGGREGATES[name].aggregate
            estimates = {
                label: resampling.aggregate_interval(by_game, aggregate, np.random.default_rng(bootstrap_seed))
                for label, by_game in found.values.items()
            }
            intervals.draw(panel, estimates, looks)
    sizes = [len(values) for by_game in found.values.values() for values in by_game.values()]
    style.describe(
        figure,
        f"The score of a run is {style.averaged(last)}. Bars: 95 % stratified bootstrap intervals over seeds.",
        aggregates.explanation(),
        found.left_out,
        bootstrap_intervals.caveat(sizes),
    )
    return figure


FIGURE = Entry(
    "median, IQM, mean and optimality gap over all games",
    (*FINAL, NORMALISE._replace(is_required=True)),
    aggregate_intervals,
)
