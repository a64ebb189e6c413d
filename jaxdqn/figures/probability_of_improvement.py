"""Probability of improvement: how often a run of one algorithm scores more than a run of another.

The style of figure 10 of Agarwal et al. (2021): one row for each algorithm, compared with the base.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from jaxdqn.figures import intervals, style
from jaxdqn.figures.entry import BASE, FINAL, Entry

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from jaxdqn.analysis.bootstrap_intervals import Interval
    from jaxdqn.store.record import Run


def probability_of_improvement(
    runs: "Iterable[Run]",
    base: str,
    *,
    score: str = "evaluation_return",
    last: int = 1,
    order: Sequence[str] = (),
    bootstrap_seed: int = 0,
) -> "Figure":
    """Returns a figure of the probability that each algorithm improves on the base, with 95 % bootstrap intervals.

    It is averaged over the games that both have. Only the order of scores within a game counts, so that scores need not
    be normalised.

    Args:
      runs: of any games, algorithms and settings.
      base: label of the arm that the others are compared with.
      score: the curve.
      last: number of its last points that are averaged in each run.
      order: algorithms from top to bottom; others follow as they appear.
      bootstrap_seed: seed of the generator of each interval.

    Raises:
      ValueError: if there are no runs, they do not form arms or follow several protocols, there is no such base or
        no other arm, an arm shares no game with the base, or a score is not finite.
    """
    import numpy as np

    from jaxdqn.analysis import bootstrap_intervals, probability_of_improvement, scores

    found = scores.final(runs, score=score, last=last)
    others = scores.others(found, base)
    estimates: dict[str, Interval] = {}
    partly = []
    for label in others:
        arm, bases = scores.on_shared_games(found, label, base)
        if len(arm) < len(found.games):
            partly.append(f"{label} on {', '.join(arm)}")
        generator = np.random.default_rng(bootstrap_seed)
        estimates[label] = probability_of_improvement.interval(arm, bases, generator)
    looks = style.styles(found.values, order)
    with style.look():
        rows = {label: look for label, look in looks.items() if label != base}
        figure, axes = style.panels([""], xlabel=f"P(better than {base})", ylabel="", title=None)
        (panel,) = axes.values()
        figure.set_figheight(0.9 + 0.28 * len(rows))
        intervals.draw(panel, estimates, rows)
        panel.set_xlim(-0.02, 1.02)
        panel.axvline(0.5, color="#606060", linewidth=0.9, linestyle=(0, (4, 3)), zorder=1.5)
    style.describe(
        figure,
        f"The score of a run is {style.averaged(last)}. Marks: probability that a run scores more than a run of "
        f"{base}, a tie counted as half, averaged over games; bars: 95 % stratified bootstrap interval over seeds.",
        f"Not on all games: {'; '.join(partly)}." if partly else "",
        found.left_out,
        bootstrap_intervals.caveat(len(values) for by_game in found.values.values() for values in by_game.values()),
    )
    return figure


FIGURE = Entry(
    "the probability that a run scores more than a run of --base", (*FINAL, BASE), probability_of_improvement
)
