"""Paired differences: every arm minus a base, seed by seed, one row for each arm.

Arms that share seeds are compared in pairs (`jaxdqn.analysis.paired`). The difference of a statistic is the statistic
of the arm minus the statistic of the base; it is not the statistic of the differences.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from jaxdqn.analysis import aggregates, statistics
from jaxdqn.analysis.statistics import Aggregate
from jaxdqn.figures import style
from jaxdqn.figures.entry import BASE, FINAL, NORMALISE, Entry, Option

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from jaxdqn.analysis.bootstrap_intervals import Interval
    from jaxdqn.analysis.normalise import Transform
    from jaxdqn.analysis.paired import Pairs
    from jaxdqn.store.record import Run


class Row(NamedTuple):
    """The pairs of an arm in a panel, of one game or of all games, and the difference of the statistic."""

    pairs: "Pairs"
    estimate: "Interval"


class Comparison(NamedTuple):
    """Rows by panel and label of the arm, the look of each arm but the base, and the sentences of the caption."""

    panels: dict[str, dict[str, Row]]
    looks: dict[str, style.Style]
    sentences: tuple[str, ...]


def paired_differences(
    runs: "Iterable[Run]",
    base: str,
    *,
    transform: "Transform | None" = None,
    statistic: statistics.Statistic = statistics.mean,
    score: str = "evaluation_return",
    last: int = 1,
    xlabel: str | None = None,
    order: Sequence[str] = (),
    bootstrap_seed: int = 0,
) -> "Figure":
    """Returns a figure of differences to the base: dots for single pairs, and a statistic with its 95 % interval.

    There is a panel for each game and, with a transform, one for each aggregate over all games. Runs without a
    partner are left out; the label of the figure says so.

    Args:
      runs: of any games, algorithms and settings that share seeds.
      base: label of the arm that is subtracted.
      transform: from scores of a game to a scale that games share; without it there are no panels of all games.
      statistic: over seeds on one game; the difference of means is the mean of the dots.
      score: the curve.
      last: number of its last points that are averaged in each run.
      xlabel: name of the difference, with its unit; by default from `statistic` and `score`.
      order: algorithms from top to bottom; others follow as they appear.
      bootstrap_seed: seed of the generator of each interval.

    Raises:
      ValueError: if there are no runs, they do not form arms or follow several protocols, there is no such base or
        no other arm, an arm shares no game or no seed with it, or a score is not finite.
    """
    found = compare(runs, base, transform, statistic, score, last, order, bootstrap_seed)
    xlabel = xlabel or name_of_difference(statistic, score, transform)
    # Dots are differences of scores, which have the opposite sign where a lower aggregate is better.
    no_dots = {aggregates.panel(name) for name, entry in aggregates.AGGREGATES.items() if entry.lower_is_better}
    with style.look():
        figure, axes = style.panels(list(found.panels), xlabel=f"{xlabel},\nminus {base}", ylabel="", title=None)
        figure.set_figheight(figure.get_figheight() * max(1.0, len(found.looks) / 7))
        for name, panel in axes.items():
            _draw_rows(panel, found.panels[name], found.looks, name not in no_dots)
    style.describe(figure, *found.sentences, "Dots: differences of single pairs.")
    return figure


def name_of_difference(statistic: statistics.Statistic, score: str, transform: "Transform | None") -> str:
    """Returns the name of a difference for an axis: `difference of means of evaluation return`."""
    return f"difference of {statistics.name(statistic)}s of {style.score_name(score, transform)}"


def compare(
    runs: "Iterable[Run]",
    base: str,
    transform: "Transform | None",
    statistic: statistics.Statistic,
    score: str,
    last: int,
    order: Sequence[str],
    bootstrap_seed: int,
) -> Comparison:
    """Returns the differences of all arms to the base; arguments and errors are those of `paired_differences`."""
    from jaxdqn.analysis import bootstrap_intervals, by_arm, paired, scores

    found = scores.final(runs, score=score, last=last, transform=transform)
    others = scores.others(found, base)
    bases = scores.by_seed(found, base)
    pairs = {label: paired.differences(scores.by_seed(found, label), bases) for label in others}
    has_all = transform is not None and len(found.games) > 1
    shown: dict[str, tuple[Sequence[str], Aggregate]] = {}
    if has_all:
        shown |= {aggregates.panel(name): (found.games, of.aggregate) for name, of in aggregates.AGGREGATES.items()}
    for game in found.games:
        if any(game in of_arm.seeds for of_arm in pairs.values()):
            shown[game] = [game], statistics.pooled(statistic)
    panels = {
        name: {
            label: _row(paired.on(of_arm, games), aggregate, bootstrap_seed)
            for label, of_arm in pairs.items()
            if _is_even(of_arm, games)
        }
        for name, (games, aggregate) in shown.items()
    }
    uneven = [label for label, of_arm in pairs.items() if has_all and not _is_even(of_arm, found.games)]
    looks = {label: look for label, look in style.styles(found.values, order).items() if label != base}
    unpaired = sum(of_arm.unpaired for of_arm in pairs.values())
    sizes = [len(seeds) for of_arm in pairs.values() for seeds in of_arm.seeds.values()]
    sentences = (
        f"The score of a run is {style.averaged(last)}. Shown: {statistics.name(statistic)} over seeds of the arm "
        f"minus that of {base} ({by_arm.span(sizes)} pairs per game), with 95 % stratified bootstrap intervals; runs "
        "with the same seed are drawn together.",
        aggregates.explanation() if has_all else "",
        f"Not in {aggregates.ALL_GAMES}, with different numbers of pairs on the games: {', '.join(uneven)}."
        if uneven
        else "",
        f"Left out, without a partner: {unpaired} {'run' if unpaired == 1 else 'runs'}." if unpaired else "",
        found.left_out,
        bootstrap_intervals.caveat(sizes),
    )
    return Comparison(panels, looks, sentences)


def _is_even(pairs: "Pairs", games: Sequence[str]) -> bool:
    """Returns whether an arm has pairs on all of these games, and the same number on each."""
    return set(games) <= set(pairs.seeds) and len({len(pairs.seeds[game]) for game in games}) == 1


def _row(pairs: "Pairs", aggregate: Aggregate, bootstrap_seed: int) -> Row:
    import numpy as np

    from jaxdqn.analysis import paired

    return Row(pairs, paired.aggregate_interval(pairs, aggregate, np.random.default_rng(bootstrap_seed)))


def _draw_rows(panel: "Axes", rows: Mapping[str, Row], looks: Mapping[str, style.Style], has_dots: bool) -> None:
    import numpy as np

    panel.use_sticky_edges = False  # a bar ends where its interval does, not where the panel does
    for height, (label, look) in enumerate(looks.items()):
        if label not in rows:
            continue
        low, high = float(rows[label].estimate.low), float(rows[label].estimate.high)
        if np.isfinite(low):
            panel.barh(height, high - low, left=low, height=0.5, color=look.color, alpha=0.35, linewidth=0)
        panel.vlines(float(rows[label].estimate.point), height - 0.25, height + 0.25, color=look.color, linewidth=1.6)
        if has_dots:
            every = np.concatenate(list(rows[label].pairs.by_game.values()))
            places = height + np.linspace(-0.18, 0.18, len(every)) if len(every) > 1 else [height]
            panel.scatter(every, places, s=5, color=look.color, alpha=0.6, linewidths=0, zorder=2.5)
    panel.axvline(0.0, color="#606060", linewidth=0.9, linestyle=(0, (4, 3)), zorder=1.5)
    panel.set_yticks(range(len(looks)), list(looks))
    panel.set_ylim(len(looks) - 0.5, -0.5)


STATISTIC = Option("statistic", "statistic over seeds (default: mean)", choices=statistics.STATISTICS)
OPTIONS = (*FINAL, STATISTIC, NORMALISE, BASE)
FIGURE = Entry("differences to --base, seed by seed", OPTIONS, paired_differences)
