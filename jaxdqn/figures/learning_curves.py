"""Learning curves: score against environment steps, one panel for each game, one line for each algorithm.

The style of figures in Agarwal et al. (2021): a statistic over seeds with a bootstrap band. Nothing is smoothed.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from jaxdqn.analysis import statistics
from jaxdqn.figures import style
from jaxdqn.figures.entry import NORMALISE, SCORE, STATISTIC, Entry

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from jaxdqn.analysis.bootstrap_intervals import Interval
    from jaxdqn.analysis.by_arm import Arm
    from jaxdqn.analysis.normalise import Transform
    from jaxdqn.figures.style import Line
    from jaxdqn.store.record import Run

_MARKS = 6  # markers along a line, enough to tell it from others without hiding it


def learning_curves(
    runs: "Iterable[Run]",
    *,
    statistic: statistics.Statistic = statistics.iqm,
    score: str = "evaluation_return",
    transform: "Transform | None" = None,
    ylabel: str | None = None,
    yscale: str = "linear",
    reference_lines: Mapping[str, Mapping[str, float]] | None = None,
    published: "Mapping[str, Mapping[str, Line]] | None" = None,
    title: str | None = None,
    order: Sequence[str] = (),
    bootstrap_seed: int = 0,
) -> "Figure":
    """Returns a figure of a statistic over seeds with its 95 % bootstrap band, against environment steps.

    A point at which some run of an arm has no finite value is left blank for the whole arm: a statistic over the other
    runs would describe only the runs that went well. A point at which no run has one is left out, and the line goes on
    to the next: where the episodes of many environments end together, no episode ends in most periods. Arms without any
    known point and games without any such arm are left out; a run that diverged has the worst return of its game from
    then on. The label of the figure says so.

    Args:
      runs: of any games and algorithms; a grid of settings becomes a line for each setting.
      statistic: over the runs of an arm, at each point.
      score: the curve.
      transform: of the scores of a game before the statistic, `(game, [runs, P]) -> [runs, P]`.
      ylabel: name of the score after the transform, with its unit; by default from `score`.
      yscale: `linear`, or `log` for positive scores that span decades, such as an error.
      reference_lines: by game, values by label, such as the optimal return; they are not transformed.
      published: by game, curves of other publications by label, each its steps and scores, `[P]`; they are not
        transformed.
      title: above all panels.
      order: algorithms in the order of colours and legend; others follow as they appear.
      bootstrap_seed: seed of the generator of each band.

    Raises:
      ValueError: if there are no runs, they do not form arms or follow several protocols, no arm has a point with a
        value of every run, or a value is not positive on a logarithmic axis.
    """
    import numpy as np

    from jaxdqn.analysis import bootstrap_intervals, by_arm

    if yscale not in ("linear", "log"):
        raise ValueError(f"yscale = {yscale!r} is not known: choose 'linear' or 'log'.")
    runs = list(runs)
    arms = by_arm.compared(runs)
    if not arms:
        raise ValueError("No runs to draw: run the study first, or choose other runs.")
    labels = by_arm.labels(arms)
    looks = style.styles(labels.values(), order)
    bands: dict[Arm, tuple[np.ndarray, Interval]] = {}
    empty, num_passed_over = [], 0
    for arm, members in arms.items():
        steps, values = by_arm.curve(members, score)  # [P], [runs, P]
        values = values if transform is None else transform(arm.game, values)
        some = ~np.all(np.isnan(values), axis=0)  # [P]
        num_passed_over += int(np.sum(~some)) if np.any(some) else 0
        steps, values = steps[some], values[:, some]
        known = np.all(np.isfinite(values), axis=0)
        if np.any(known):
            bands[arm] = steps, _with_gaps(values, known, statistic, bootstrap_seed)
        else:
            empty.append(f"{labels[arm]} on {arm.game}")
    if not bands:
        raise ValueError(f"No arm has a point at which every run has a finite {score}: choose another score.")
    if yscale == "log":
        _check_positive(bands, labels, reference_lines or {}, published or {})

    lines: dict[str, Any] = {}
    with style.look():
        games = list(dict.fromkeys(arm.game for arm in bands))
        ylabel = ylabel or style.score_name(score, transform)
        figure, axes = style.panels(games, xlabel="environment steps", ylabel=ylabel, title=title)
        for arm, (steps, band) in bands.items():
            index = list(looks).index(labels[arm])
            lines[labels[arm]] = draw(axes[arm.game], steps, band, looks[labels[arm]], index)
        shown = {arm.game: [axes[arm.game]] if arm.game in axes else [] for arm in arms}
        references = style.draw_references(shown, reference_lines or {})
        references |= style.draw_published(shown, published or {})
        for panel in axes.values():
            panel.set_yscale(yscale)
            style.count_axis(panel)
        entries = by_arm.counted({arm: arms[arm] for arm in bands}, labels)
        style.legend(figure, {entries[label]: lines[label] for label in looks if label in lines} | references)
    blank = sum(int(np.sum(np.isnan(band.point))) for _, band in bands.values())
    style.describe(
        figure,
        f"Lines: {statistics.name(statistic)} over seeds; bands: pointwise 95 % stratified bootstrap interval over "
        "seeds; not smoothed.",
        bootstrap_intervals.caveat(len(arms[arm]) for arm in bands),
        f"Blank where some run has no finite value (points: {blank})." if blank else "",
        f"Lines pass over points at which no run has a value (points: {num_passed_over})." if num_passed_over else "",
        f"Not shown, since no point has a finite value of every run: {', '.join(empty)}." if empty else "",
        by_arm.remarks(arms, labels, score),
    )
    return figure


def _with_gaps(
    values: "np.ndarray", known: "np.ndarray", statistic: statistics.Statistic, bootstrap_seed: int
) -> "Interval":
    """Returns the interval at the known points, and NaN at the others, which is drawn as a gap."""
    import numpy as np

    from jaxdqn.analysis import resampling

    estimate = resampling.interval(values[:, known], statistic, np.random.default_rng(bootstrap_seed))
    parts = np.full((3, len(known)), np.nan)
    parts[:, known] = estimate
    return resampling.Interval(*parts)


def _check_positive(
    bands: "Mapping[Arm, tuple[np.ndarray, Interval]]",
    labels: "Mapping[Arm, str]",
    references: Mapping[str, Mapping[str, float]],
    published: "Mapping[str, Mapping[str, Line]]",
) -> None:
    import numpy as np

    # A band that reaches zero is drawn down to the edge of the panel, but a line would have a gap.
    lowest = {f"{labels[arm]} on {arm.game}": float(np.nanmin(band.point)) for arm, (_, band) in bands.items()}
    for game, by_label in references.items():
        lowest |= {f"the line {label!r} on {game}": value for label, value in by_label.items()}
    for game, curves in published.items():
        lowest |= {f"the published {label!r} on {game}": float(np.min(line[1])) for label, line in curves.items()}
    for name, value in lowest.items():
        if value <= 0:
            raise ValueError(
                f"{name} reaches {value:g}, which a logarithmic axis cannot show: choose yscale = 'linear', or a "
                "transform to positive values."
            )


def draw(panel: "Axes", steps: "np.ndarray", band: "Interval", look: style.Style, index: int) -> Any:
    """Draws line number `index` of a panel with its band, and returns the line. To be called in `look`."""
    stride = max(1, len(steps) // _MARKS)
    panel.fill_between(steps, band.low, band.high, color=look.color, alpha=0.18, linewidth=0)
    (line,) = panel.plot(
        steps,
        band.point,
        color=look.color,
        linestyle=look.line,
        marker=look.marker,
        markevery=(index * stride // 8 % stride, stride),  # shifted, so that markers of close lines do not coincide
    )
    return line


FIGURE = Entry(
    "a statistic over seeds against environment steps, one panel for each game",
    (SCORE, STATISTIC, NORMALISE),
    learning_curves,
)
