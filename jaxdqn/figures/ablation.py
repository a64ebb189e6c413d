"""Ablation: a bar for every arm, its difference to a base, with its interval."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from jaxdqn.analysis import statistics
from jaxdqn.figures import paired_differences, style
from jaxdqn.figures.entry import Entry

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from jaxdqn.analysis.normalise import Transform
    from jaxdqn.store.record import Run


def ablation(
    runs: "Iterable[Run]",
    base: str,
    *,
    transform: "Transform | None" = None,
    statistic: statistics.Statistic = statistics.mean,
    score: str = "evaluation_return",
    last: int = 1,
    ylabel: str | None = None,
    order: Sequence[str] = (),
    bootstrap_seed: int = 0,
) -> "Figure":
    """Returns a figure of a bar for each arm: its difference to the base, with its 95 % bootstrap interval.

    Numbers, panels, arguments and errors are those of `paired_differences.paired_differences`.
    """
    found = paired_differences.compare(runs, base, transform, statistic, score, last, order, bootstrap_seed)
    ylabel = ylabel or paired_differences.name_of_difference(statistic, score, transform)
    with style.look():
        figure, axes = style.panels(list(found.panels), xlabel="", ylabel=f"{ylabel},\nminus {base}", title=None)
        figure.set_figheight(figure.get_figheight() * 1.35)  # names of arms stand upright below
        for name, panel in axes.items():
            _draw(panel, found.panels[name], found.looks)
    style.describe(figure, *found.sentences)
    return figure


def _draw(panel: "Axes", rows: Mapping[str, paired_differences.Row], looks: Mapping[str, style.Style]) -> None:
    for place, (label, look) in enumerate(looks.items()):
        if label in rows:
            point, low, high = (float(part) for part in rows[label].estimate)
            panel.bar(place, point, width=0.7, color=look.color, alpha=0.75, linewidth=0)
            if math.isfinite(low):
                panel.vlines(place, low, high, color="#202020", linewidth=1.0)
    panel.axhline(0.0, color="#606060", linewidth=0.9)
    panel.set_xticks(range(len(looks)), list(looks), rotation=90)
    panel.set_xlim(-0.6, len(looks) - 0.4)


FIGURE = Entry("differences to --base as bars", paired_differences.OPTIONS, ablation)
