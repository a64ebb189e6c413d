"""Differences to a base, seed by seed: as rows with every pair, or as the bars of an ablation.

Arms that share seeds are compared in pairs (`jaxdqn.analysis.paired`), which takes out what a seed brings to both. The
difference of a statistic is that of the arm minus that of the base, not the statistic of the differences.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from jaxdqn.analysis import aggregates, bootstrap_intervals, by_arm, paired, scores, statistics
from jaxdqn.analysis.normalise import Transform
from jaxdqn.analysis.statistics import Aggregate
from jaxdqn.figures import style
from jaxdqn.figures.intervals import ALL_GAMES
from jaxdqn.store.record import Run

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


class _Row(NamedTuple):
    """The pairs of an arm in a panel, of one game or of all, and the difference of the statistic."""

    pairs: paired.Differences
    estimate: bootstrap_intervals.Interval


class _Comparison(NamedTuple):
    """Rows by panel and label, the labels but the base's in their order, and the sentences to read them by."""

    panels: dict[str, dict[str, _Row]]
    looks: dict[str, style.Style]
    reading: str


def paired_differences(
    runs: Iterable[Run],
    base: str,
    *,
    transform: Transform | None = None,
    statistic: statistics.Statistic = statistics.mean,
    score: str = "evaluation_return",
    last: int = 1,
    xlabel: str = "difference of scores",
    order: Sequence[str] = (),
    bootstrap_seed: int = 0,
) -> "Figure":
    """Returns a figure of differences to the base: dots of single seeds, and of a statistic with 95 % intervals.

    There is a panel for each game and, on a scale that they share, four for all games: median, IQM, mean and optimality
    gap. Runs that crashed, and those without a partner, are left out; the label says so.

    Args:
      runs: of any games, algorithms and settings that share seeds.
      base: the label that is subtracted.
      transform: of the scores of a game to a scale that games share; without it there are no panels of all games.
      statistic: over seeds on one game, of the arm minus of the base; the mean is also the mean of the dots.
      score: the curve.
      last: how many of its last points are averaged inside a run.
      xlabel: what the difference is of, with its unit.
      order: algorithms from the top down; others follow as they appear.
      bootstrap_seed: of the generator of each interval.

    Raises:
      ValueError: if there are no runs, they do not form arms or follow several protocols, there is no such base or
        nothing else, an arm shares no game or no seed with it, or a score is not finite.
    """
    found = _compared(runs, base, transform, statistic, score, last, order, bootstrap_seed)
    with style.look():
        figure, axes = style.panels(list(found.panels), xlabel=f"{xlabel},\nminus {base}", ylabel="", title=None)
        figure.set_figheight(figure.get_figheight() * max(1.0, len(found.looks) / 7))
        for name, panel in axes.items():
            has_dots = not any(name.endswith(f": {other}") for other in aggregates.LOWER_IS_BETTER)  # dots are scores
            _draw_rows(panel, found.panels[name], found.looks, has_dots)
    figure.set_label(f"{found.reading} Dots: differences of single pairs.")
    return figure


def ablation(
    runs: Iterable[Run],
    base: str,
    *,
    transform: Transform | None = None,
    statistic: statistics.Statistic = statistics.mean,
    score: str = "evaluation_return",
    last: int = 1,
    ylabel: str = "difference of scores",
    order: Sequence[str] = (),
    bootstrap_seed: int = 0,
) -> "Figure":
    """Returns a figure of a bar for each arm: its difference to the base, with its 95 % bootstrap interval.

    Numbers, panels, arguments and errors are those of `paired_differences`.
    """
    found = _compared(runs, base, transform, statistic, score, last, order, bootstrap_seed)
    with style.look():
        figure, axes = style.panels(list(found.panels), xlabel="", ylabel=f"{ylabel},\nminus {base}", title=None)
        figure.set_figheight(figure.get_figheight() * 1.35)  # names of arms stand upright below
        for name, panel in axes.items():
            _draw_bars(panel, found.panels[name], found.looks)
    figure.set_label(found.reading)
    return figure


def _compared(
    runs: Iterable[Run],
    base: str,
    transform: Transform | None,
    statistic: statistics.Statistic,
    score: str,
    last: int,
    order: Sequence[str],
    bootstrap_seed: int,
) -> _Comparison:
    found = scores.final(runs, score=score, last=last, transform=transform)
    others = scores.others(found, base)
    bases = scores.by_seed(found, base)
    pairs = {label: paired.differences(scores.by_seed(found, label), bases) for label in others}
    has_all = transform is not None and len(found.games) > 1
    asked: dict[str, tuple[Sequence[str], Aggregate]] = {}
    if has_all:
        asked |= {f"{ALL_GAMES}: {name}": (found.games, of_all) for name, of_all in aggregates.AGGREGATES.items()}
    for game in found.games:
        if any(game in of_arm.seeds for of_arm in pairs.values()):
            asked[game] = [game], statistics.pooled(statistic)
    panels = {
        name: {
            label: _row(paired.on(of_arm, games), aggregate, bootstrap_seed)
            for label, of_arm in pairs.items()
            if _is_even(of_arm, games)
        }
        for name, (games, aggregate) in asked.items()
    }
    uneven = [label for label, of_arm in pairs.items() if has_all and not _is_even(of_arm, found.games)]
    looks = {label: look for label, look in style.styles(found.values, order).items() if label != base}
    unpaired = sum(of_arm.unpaired for of_arm in pairs.values())
    difference = f"difference of {statistics.name(statistic)}s"
    sentences = (
        f"The score of a run is {style.averaged(last)}. D{difference[1:]} over seeds, minus {base} "
        f"({_numbers(pairs)}), with 95 % stratified bootstrap intervals; runs with the same seed are drawn together.",
        f"{ALL_GAMES.capitalize()}: over the runs of all, the median being that of the games' means; of the optimality "
        "gap, less is better."
        if has_all
        else "",
        f"Not in {ALL_GAMES}, for having unequally many pairs: {', '.join(uneven)}." if uneven else "",
        f"Runs without a partner, left out: {unpaired}." if unpaired else "",
        found.left_out,
        bootstrap_intervals.caveat(len(seeds) for of_arm in pairs.values() for seeds in of_arm.seeds.values()),
    )
    return _Comparison(panels, looks, " ".join(filter(None, sentences)))


def _is_even(pairs: paired.Differences, games: Sequence[str]) -> bool:
    """Returns whether there are equally many pairs on each of these games."""
    return set(games) <= set(pairs.seeds) and len({len(pairs.seeds[game]) for game in games}) == 1


def _row(pairs: paired.Differences, aggregate: Aggregate, bootstrap_seed: int) -> _Row:
    return _Row(pairs, paired.bootstrap(pairs, aggregate, np.random.default_rng(bootstrap_seed)))


def _draw_rows(panel: "Axes", rows: Mapping[str, _Row], looks: Mapping[str, style.Style], has_dots: bool) -> None:
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


def _draw_bars(panel: "Axes", rows: Mapping[str, _Row], looks: Mapping[str, style.Style]) -> None:
    for place, (label, look) in enumerate(looks.items()):
        if label in rows:
            point, low, high = (float(part) for part in rows[label].estimate)
            panel.bar(place, point, width=0.7, color=look.color, alpha=0.75, linewidth=0)
            if np.isfinite(low):
                panel.vlines(place, low, high, color="#202020", linewidth=1.0)
    panel.axhline(0.0, color="#606060", linewidth=0.9)
    panel.set_xticks(range(len(looks)), list(looks), rotation=90)
    panel.set_xlim(-0.6, len(looks) - 0.4)


def _numbers(pairs: Mapping[str, paired.Differences]) -> str:
    """Returns how many pairs there are on a game, fewest to most."""
    sizes = [len(seeds) for of_arm in pairs.values() for seeds in of_arm.seeds.values()]
    return f"{by_arm.span(sizes)} pairs a game"
