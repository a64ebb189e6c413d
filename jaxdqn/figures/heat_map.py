"""Heat map: the final score over two hyperparameters as colours, one panel for each game and algorithm."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from jaxdqn.analysis import statistics
from jaxdqn.figures import style
from jaxdqn.figures.entry import FINAL_STATISTIC, Entry, Option
from jaxdqn.store import schema

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from jaxdqn.analysis.bootstrap_intervals import Interval
    from jaxdqn.analysis.by_arm import Arm
    from jaxdqn.analysis.normalise import Transform
    from jaxdqn.store.record import Run

_MOST_TEXTS = 49  # cells of a panel in which numbers can be read


def heat_map(
    runs: "Iterable[Run]",
    fields: Sequence[str],
    *,
    statistic: statistics.Statistic = statistics.iqm,
    score: str = "evaluation_return",
    last: int = 1,
    transform: "Transform | None" = None,
    name: str | None = None,
    xlabel: str | None = None,
    ylabel: str | None = None,
    bootstrap_seed: int = 0,
) -> "Figure":
    """Returns a figure of a statistic over seeds for each pair of values of two settings, with its 95 % interval.

    A cell is blank if it has no run, or if some run has no finite score. Each panel has its own scale of colours;
    with a transform all panels share one.

    Args:
      runs: of any games and algorithms; where other settings vary too, each combination of them has a panel.
      fields: dotted names of two settings, the first on the horizontal axis; values of any type.
      statistic: over the runs of an arm.
      score: the curve.
      last: number of its last points that are averaged in each run.
      transform: of the final scores of a game before the statistic: `(game, [runs]) -> [runs]`.
      name: name of the score after the transform, with its unit; by default from `score`.
      xlabel: name of the first field; by default its last part.
      ylabel: name of the second field; by default its last part.
      bootstrap_seed: seed of the generator of each interval.

    Raises:
      ValueError: if there are no runs, they do not form arms or follow several protocols, the fields are equal, or a
        run lacks one.
    """
    import numpy as np

    from jaxdqn.analysis import bootstrap_intervals, by_arm

    across, up = fields
    if across == up:
        raise ValueError(f"fields = {fields} are the same: name two settings, or draw the sensitivity to one.")
    name = name or f"final {style.score_name(score, transform)}"
    arms = by_arm.compared(runs)
    if not arms:
        raise ValueError("No runs to draw: run the study first, or choose other runs.")
    places = {arm: (_value(arm, across), _value(arm, up)) for arm in arms}
    columns, rows = (sorted({place[axis] for place in places.values()}, key=schema.sort_key) for axis in (0, 1))
    panels: dict[str, dict[tuple[int, int], np.ndarray]] = defaultdict(dict)
    for arm, title in _titles(arms, fields).items():
        cell = (rows.index(places[arm][1]), columns.index(places[arm][0]))
        scores = by_arm.final(arms[arm], score, last)
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
    number = by_arm.span([len(members) for members in arms.values()])
    style.describe(
        figure,
        f"The score of a run is {style.averaged(last)}. Colours and numbers: {statistics.name(statistic)} over seeds "
        f"(n = {number}) of the {name}; in brackets: 95 % stratified bootstrap interval over seeds.",
        by_arm.remarks(arms, by_arm.labels(arms), score),
        bootstrap_intervals.caveat(len(final) for cells in panels.values() for final in cells.values()),
    )
    return figure


def _estimates(
    cells: "Mapping[tuple[int, int], np.ndarray]", statistic: statistics.Statistic, bootstrap_seed: int
) -> "dict[tuple[int, int], Interval]":
    """Returns the statistic with its interval, for each cell in which every run has a finite score."""
    import numpy as np

    from jaxdqn.analysis import resampling

    return {
        cell: resampling.interval(final, statistic, np.random.default_rng(bootstrap_seed))
        for cell, final in cells.items()
        if np.all(np.isfinite(final))
    }


def _draw(
    panel: "Axes",
    estimates: "Mapping[tuple[int, int], Interval]",
    shape: tuple[int, int],
    limits: tuple[float, float] | tuple[None, None],
) -> Any:
    """Draws the cells of a panel, and returns the image."""
    import numpy as np

    points = np.full(shape, np.nan)
    for cell, (point, _, _) in estimates.items():
        points[cell] = point
    darkest, brightest = limits
    image = panel.imshow(
        np.ma.masked_invalid(points), origin="lower", aspect="auto", cmap="viridis", vmin=darkest, vmax=brightest
    )
    panel.grid(visible=False)
    shades = np.asarray(image.norm(np.ma.masked_invalid(points)), np.float64)  # from 0, dark, to 1, bright
    if points.size <= _MOST_TEXTS:
        for (row, column), (point, low, high) in estimates.items():
            spread = f"\n({low:.3g}, {high:.3g})" if np.isfinite(low) else ""
            color = "black" if shades[row, column] > 0.6 else "white"
            panel.text(column, row, f"{point:.3g}{spread}", ha="center", va="center", fontsize=5.5, color=color)
    return image


def _titles(arms: "Iterable[Arm]", fields: Sequence[str]) -> "dict[Arm, str]":
    """Returns the title of the panel of each arm: its game, with algorithm and settings if panels differ in them."""
    from jaxdqn.analysis import by_arm

    arms = list(arms)
    without = {
        arm: arm._replace(settings=tuple(pair for pair in arm.settings if pair[0] not in fields)) for arm in arms
    }
    labels = by_arm.labels(without.values())
    is_one = len(set(labels.values())) == 1
    return {arm: arm.game if is_one else f"{arm.game}: {labels[without[arm]]}" for arm in arms}


def _value(arm: "Arm", field: str) -> Any:
    settings = dict(arm.settings)
    if field not in settings:
        known = ", ".join(settings) or "none"
        raise ValueError(f"{arm.algorithm} on {arm.game} has no setting {field!r}: the settings are {known}.")
    return settings[field]


def _short(field: str) -> str:
    return field.split(".")[-1].replace("_", " ")


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, int | float) and not isinstance(value, bool) else str(value)


FIELDS = Option("fields", "dotted names of two settings, across and up", "PATH", nargs=2, is_required=True)
FIGURE = Entry("final scores over two --fields as colours", (*FINAL_STATISTIC, FIELDS), heat_map)
