"""Interaction: the final score over two hyperparameters, one panel a game and algorithm, as a map of colours."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxdqn.analysis import bootstrap_intervals, by_arm, statistics
from jaxdqn.analysis.normalise import Transform
from jaxdqn.figures import style
from jaxdqn.store import schema
from jaxdqn.store.record import Run

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_TEXTS = 49  # cells of a panel in which numbers can be read


def heat_map(
    runs: Iterable[Run],
    fields: tuple[str, str],
    *,
    statistic: statistics.Statistic = statistics.iqm,
    score: str = "evaluation_return",
    last: int = 1,
    transform: Transform | None = None,
    name: str = "final evaluation return",
    xlabel: str | None = None,
    ylabel: str | None = None,
    bootstrap_seed: int = 0,
) -> "Figure":
    """Returns a figure of a statistic over seeds for each pair of values of two settings, with its 95 % interval.

    Cells without a run, or where some run has no finite score, are left blank. Runs that crashed are left out, and the
    label of the figure says so. Colours span each panel apart, or all panels together where a transform gives their
    scores a scale in common.

    Args:
      runs: of any games and algorithms; where other settings vary too, each of their points has a panel.
      fields: two dotted fields of the settings, the first along the horizontal axis; values of any type.
      statistic: over the runs of an arm.
      score: the curve.
      last: how many of its last points are averaged inside a run.
      transform: of the final scores of a game before the statistic: `(game, [runs]) -> [runs]`.
      name: what the score is after the transform, with its unit.
      xlabel: of the first field; by default its name.
      ylabel: of the second.
      bootstrap_seed: of the generator of each interval.

    Raises:
      ValueError: if there are no runs, they do not form arms or follow several protocols, the fields are equal, or a
        run lacks one.
    """
    across, up = fields
    if across == up:
        raise ValueError(f"fields = {fields} are one: name two settings, or draw the sensitivity to it.")
    arms = by_arm.compared(runs)
    completed = {arm: by_arm.completed(members) for arm, members in arms.items()}
    if not any(completed.values()):
        raise ValueError("No runs to draw: run the study first, or choose runs that did not crash.")
    places = {arm: (_value(arm, across), _value(arm, up)) for arm in arms}
    columns, rows = (sorted({place[axis] for place in places.values()}, key=schema.rank) for axis in (0, 1))
    panels: dict[str, dict[tuple[int, int], np.ndarray]] = defaultdict(dict)
    for arm, title in _titles(arms, fields).items():
        cell = (rows.index(places[arm][1]), columns.index(places[arm][0]))
        if completed[arm]:
            scores = by_arm.final(completed[arm], score, last)
            panels[title][cell] = scores if transform is None else np.asarray(transform(arm.game, scores))
    with style.look():
        figure, axes = style.panels(
            list(panels), xlabel=xlabel or _short(across), ylabel=ylabel or _short(up), title=None
        )
        estimates = {title: _estimates(cells, statistic, bootstrap_seed) for title, cells in panels.items()}
        every = [float(point) for cells in estimates.values() for point, _, _ in cells.values()]
        limits = (min(every), max(every)) if transform is not None and every else (None, None)
        for title, panel in axes.items():
            image = _draw(panel, estimates[title], (len(rows), len(columns)), limits)
            panel.set_xticks(range(len(columns)), [_text(value) for value in columns])
            panel.set_yticks(range(len(rows)), [_text(value) for value in rows])
            if limits == (None, None):
                figure.colorbar(image, ax=panel)
        if limits != (None, None):
            figure.colorbar(image, ax=list(axes.values()), shrink=0.5, label=name)
    number = by_arm.span([len(members) for members in completed.values() if members])
    sentences = (
        f"Colours and numbers: {statistics.name(statistic)} over seeds (n = {number}) of the {name}, which of "
        f"a run is {style.averaged(last)}; in brackets: 95 % stratified bootstrap interval over seeds.",
        by_arm.remarks(arms, by_arm.labels(arms), score),
        bootstrap_intervals.caveat(len(final) for cells in panels.values() for final in cells.values()),
    )
    figure.set_label(" ".join(filter(None, sentences)))
    return figure


def _estimates(
    cells: Mapping[tuple[int, int], np.ndarray], statistic: statistics.Statistic, bootstrap_seed: int
) -> dict[tuple[int, int], statistics.Interval]:
    """Returns the statistic of each cell all of whose runs have a finite score, with its interval."""
    return {
        cell: statistics.interval(final, statistic, np.random.default_rng(bootstrap_seed))
        for cell, final in cells.items()
        if np.all(np.isfinite(final))
    }


def _draw(
    panel: "Axes",
    estimates: Mapping[tuple[int, int], statistics.Interval],
    shape: tuple[int, int],
    limits: tuple[float, float] | tuple[None, None],
) -> Any:
    points = np.full(shape, np.nan)
    for cell, (point, _, _) in estimates.items():
        points[cell] = point
    darkest, brightest = limits
    image = panel.imshow(
        np.ma.masked_invalid(points), origin="lower", aspect="auto", cmap="viridis", vmin=darkest, vmax=brightest
    )
    panel.grid(visible=False)
    shades = np.asarray(
        image.norm(np.ma.masked_invalid(points)), np.float64
    )  # 0 is the darkest colour, 1 the brightest
    if points.size <= _MOST_TEXTS:
        for (row, column), (point, low, high) in estimates.items():
            spread = f"\n({low:.3g}, {high:.3g})" if np.isfinite(low) else ""
            color = "black" if shades[row, column] > 0.6 else "white"
            panel.text(column, row, f"{point:.3g}{spread}", ha="center", va="center", fontsize=5.5, color=color)
    return image


def _titles(arms: Iterable[by_arm.Arm], fields: Sequence[str]) -> dict[by_arm.Arm, str]:
    """Returns the name of the panel of each arm: its game, with the algorithm and settings that tell panels apart."""
    arms = list(arms)
    without = {
        arm: arm._replace(settings=tuple(pair for pair in arm.settings if pair[0] not in fields)) for arm in arms
    }
    labels = by_arm.labels(without.values())
    is_one = len(set(labels.values())) == 1
    return {arm: arm.game if is_one else f"{arm.game}: {labels[without[arm]]}" for arm in arms}


def _value(arm: by_arm.Arm, field: str) -> Any:
    settings = dict(arm.settings)
    if field not in settings:
        known = ", ".join(settings) or "none"
        raise ValueError(f"{arm.algorithm} on {arm.game} has no setting {field!r}: the settings are {known}.")
    return settings[field]


def _short(field: str) -> str:
    return field.split(".")[-1].replace("_", " ")


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, int | float) and not isinstance(value, bool) else str(value)
