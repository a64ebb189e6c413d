"""Aggregates over games with their intervals: median, IQM, mean and optimality gap, one row an algorithm.

The style of figure 9 of Agarwal et al. (2021).
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from jaxdqn.analysis import aggregates, bootstrap_intervals, scores, statistics
from jaxdqn.analysis.normalise import Transform
from jaxdqn.figures import intervals, style
from jaxdqn.store.record import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def aggregate_intervals(
    runs: Iterable[Run],
    transform: Transform,
    *,
    score: str = "evaluation_return",
    last: int = 1,
    xlabel: str = "normalised score",
    order: Sequence[str] = (),
    bootstrap_seed: int = 0,
) -> "Figure":
    """Returns a figure of four aggregates over all games for each algorithm, with their 95 % bootstrap intervals.

    Runs that crashed, and algorithms without equally many runs on every game, are left out; the label says so.

    Args:
      runs: of any games, algorithms and settings.
      transform: of the scores of a game to a scale that games share, with 1 where the optimality gap ends.
      score: the curve.
      last: how many of its last points are averaged inside a run.
      xlabel: what the score is after the transform.
      order: algorithms from the top down; others follow as they appear.
      bootstrap_seed: of the generator of each interval.

    Raises:
      ValueError: if there are no runs, they do not form arms or follow several protocols, or a score is not finite.
    """
    found = scores.pooled(scores.final(runs, score=score, last=last, transform=transform))
    looks = style.styles(found.values, order)
    with style.look():
        figure, panels = style.panels(list(aggregates.AGGREGATES), xlabel=xlabel, ylabel="", title=None)
        figure.set_figheight(figure.get_figheight() * max(1.0, len(looks) / 9))
        for name, panel in panels.items():
            estimates = {
                label: statistics.bootstrap(by_game, aggregates.AGGREGATES[name], np.random.default_rng(bootstrap_seed))
                for label, by_game in found.values.items()
            }
            intervals.draw(panel, estimates, looks)
    reading = (
        f"The score of a run is {style.averaged(last)}. Marks: over the runs of all games, the median being that of "
        "the games' means; bars: 95 % stratified bootstrap interval over seeds. Of the optimality gap, less is better."
    )
    sizes = [len(values) for by_game in found.values.values() for values in by_game.values()]
    figure.set_label(" ".join(filter(None, [reading, found.left_out, bootstrap_intervals.caveat(sizes)])))
    return figure
