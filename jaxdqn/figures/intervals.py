"""Interval plots: a score for each algorithm, with its interval, panels for all games together and one for each.

The style of figure 9 of Agarwal et al. (2021).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from jaxdqn.analysis import aggregates, bootstrap_intervals, by_arm, statistics
from jaxdqn.analysis.statistics import Aggregate
from jaxdqn.figures import style
from jaxdqn.store.record import Run

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Transform = Callable[[str, np.ndarray], np.ndarray]  # (game, scores [runs]) -> scores on a scale that games share

ALL_GAMES = "all games"


def intervals(
    runs: Iterable[Run],
    transform: Transform,
    *,
    statistic: statistics.Statistic = statistics.iqm,
    score: str = "evaluation_return",
    last: int = 1,
    xlabel: str = "normalised score",
    order: Sequence[str] = (),
    bootstrap_seed: int = 0,
) -> "Figure":
    """Returns a figure of one score for each algorithm with its 95 % bootstrap interval over seeds.

    All games together have four panels, of median, IQM, mean and optimality gap, with the algorithms that have equally
    many runs on each. Runs that crashed are left out, and the label of the figure says so.

    Args:
      runs: of any games and algorithms, one configuration an algorithm and game.
      transform: of the scores of a game before the statistic, to a scale that games share, with 1 where the optimality
        gap ends.
      statistic: over the runs of an arm on one game.
      score: the curve.
      last: how many of its last points are averaged inside a run; the label of the figure says it.
      xlabel: what the score is after the transform.
      order: algorithms from the top down; others follow as they appear.
      bootstrap_seed: of the generator of each interval.

    Raises:
      ValueError: if there are no runs, or they do not form arms or follow several protocols.
    """
    arms = by_arm.compared(runs)
    labels = by_arm.labels(arms)
    scores: dict[str, dict[str, np.ndarray]] = {}  # by label, then by game
    for arm, members in arms.items():
        completed = by_arm.completed(members)
        if completed:
            scores.setdefault(labels[arm], {})[arm.game] = transform(arm.game, by_arm.final(completed, score, last))
    if not scores:
        raise ValueError("No runs to draw: run the study first, or choose runs that did not crash.")
    looks = style.styles(scores, order)
    games = list(dict.fromkeys(arm.game for arm in arms))
    shown: dict[str, tuple[list[str], Aggregate]] = {game: ([game], statistics.pooled(statistic)) for game in games}
    if len(games) > 1:
        together = {f"{ALL_GAMES}: {name}": (games, of_all) for name, of_all in aggregates.AGGREGATES.items()}
        shown = together | shown
    with style.look():
        figure, panels = style.panels(list(shown), xlabel=xlabel, ylabel="", title=None)
        figure.set_figheight(figure.get_figheight() * max(1.0, len(looks) / 9))
        for name, panel in panels.items():
            draw(panel, _estimates(scores, *shown[name], bootstrap_seed), looks)
    sizes = [len(values) for by_game in scores.values() for values in by_game.values()]
    sentences = (
        f"The score of a run is {style.averaged(last)}. Marks: {statistics.name(statistic)} over seeds; bars: 95 % "
        "stratified bootstrap interval over seeds.",
        f"{ALL_GAMES.capitalize()}: over the runs of all, the median being that of the games' means; of the optimality "
        "gap, less is better."
        if len(games) > 1
        else "",
        by_arm.remarks(arms, labels, score),
        bootstrap_intervals.caveat(sizes),
    )
    figure.set_label(" ".join(filter(None, sentences)))
    return figure


def _estimates(
    scores: Mapping[str, Mapping[str, np.ndarray]],
    games: Sequence[str],
    aggregate: Aggregate,
    bootstrap_seed: int,
) -> dict[str, bootstrap_intervals.Interval]:
    """Returns the interval of each label that has equally many runs on each of these games."""
    found = {}
    for label, by_game in scores.items():
        if set(games) <= set(by_game) and len({len(by_game[game]) for game in games}) == 1:
            pooled = {game: by_game[game] for game in games}
            found[label] = statistics.bootstrap(pooled, aggregate, np.random.default_rng(bootstrap_seed))
    return found


def draw(
    panel: "Axes", estimates: Mapping[str, bootstrap_intervals.Interval], looks: Mapping[str, style.Style]
) -> None:
    """Draws a row for each look, with the mark and the bar of its estimate if it has them. To be called in `look`.

    Where there are more rows than colours, all have the same one: a colour that returns would seem to join two rows.
    """
    rows = list(looks)
    colors = {label: look.color for label, look in looks.items()}
    if len(set(colors.values())) < len(rows):
        colors = dict.fromkeys(rows, colors[rows[0]])
    panel.use_sticky_edges = False  # a bar ends where its interval does, not where the panel does
    for label, estimate in estimates.items():
        height, color = rows.index(label), colors[label]
        low, high = float(estimate.low), float(estimate.high)
        if np.isfinite(low):
            panel.barh(height, high - low, left=low, height=0.6, color=color, alpha=0.45, linewidth=0)
        panel.vlines(float(estimate.point), height - 0.3, height + 0.3, color=color, linewidth=1.6)
    panel.set_yticks(range(len(rows)), rows)
    panel.set_ylim(len(rows) - 0.5, -0.5)
