"""Learning curves: score against environment steps, one panel a game, one line an algorithm.

The style of figures in Agarwal et al. (2021): a statistic over seeds with a bootstrap band. Nothing is smoothed.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxdqn.figures import style
from jaxdqn.results import statistics, tidy
from jaxdqn.results.store import Run

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Transform = Callable[[str, np.ndarray], np.ndarray]  # (game, values [runs, ...]) -> values of the same shape

_MARKS = 6  # markers along a line, enough to tell it from others without hiding it


def learning_curves(
    runs: Iterable[Run],
    *,
    statistic: statistics.Statistic = statistics.iqm,
    score: str = "evaluation_return",
    transform: Transform | None = None,
    ylabel: str = "evaluation return",
    reference_lines: Mapping[str, Mapping[str, float]] | None = None,
    title: str | None = None,
    order: Sequence[str] = (),
    bootstrap_seed: int = 0,
) -> "Figure":
    """Returns a figure of a statistic over seeds with its 95 % bootstrap band, against environment steps.

    A point at which some run of an arm has no finite value is left blank for the whole arm, and the label of the
    figure says so, since a statistic over the other runs would be one over the runs that went well.

    Args:
      runs: of any games and algorithms; a grid of settings becomes a line for each setting.
      statistic: over the runs of an arm, at each point.
      score: the curve.
      transform: of the scores of a game before the statistic, `(game, [runs, P]) -> [runs, P]`; a normalisation, say.
      ylabel: what the score is after the transform, with its unit.
      reference_lines: by game, values by label, such as the optimal return; drawn as given.
      title: above all panels.
      order: algorithms in the order of colours and legend; others follow as they appear.
      bootstrap_seed: of the generator of each band.

    Raises:
      ValueError: if there are no runs, they do not form arms, or an arm has no point with a value of every run.
    """
    arms = tidy.arms(runs)
    if not arms:
        raise ValueError("No runs to draw: run the study first, or choose other runs.")
    labels = tidy.labels(arms)
    looks = style.styles(labels.values(), order)
    lines: dict[str, Any] = {}
    blank = 0
    with style.look():
        games = list(dict.fromkeys(arm.game for arm in arms))
        figure, axes = style.panels(games, xlabel="environment steps", ylabel=ylabel, title=title)
        for arm, members in arms.items():
            steps, values = tidy.curve(members, score)  # [P], [runs, P]
            values = values if transform is None else transform(arm.game, values)
            known = np.all(np.isfinite(values), axis=0)  # [P]
            if not np.any(known):
                raise ValueError(f"{labels[arm]} on {arm.game} has no point at which every run has a finite {score}.")
            blank += int(np.sum(~known))
            band = _with_gaps(values, known, statistic, np.random.default_rng(bootstrap_seed))
            index = list(looks).index(labels[arm])
            lines[labels[arm]] = _draw(axes[arm.game], steps, band, looks[labels[arm]], index)
        references = _draw_references(axes, reference_lines or {})
        for panel in axes.values():
            _steps_axis(panel)
        entries = tidy.counted(arms, labels)
        style.legend(figure, {entries[label]: lines[label] for label in looks} | references)
    figure.set_label(_reading(statistic, blank))
    return figure


def _with_gaps(
    values: np.ndarray, known: np.ndarray, statistic: statistics.Statistic, generator: np.random.Generator
) -> statistics.Interval:
    """Returns the interval at the known points, and NaN, which is drawn as a gap, at the others."""
    estimate = statistics.interval(values[:, known], statistic, generator)
    parts = np.full((3, len(known)), np.nan)
    parts[:, known] = estimate
    return statistics.Interval(*parts)


def _draw(panel: "Axes", steps: np.ndarray, band: statistics.Interval, look: style.Style, index: int) -> Any:
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


def _draw_references(axes: "Mapping[str, Axes]", values: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
    unknown = sorted(set(values) - set(axes))
    if unknown:
        raise ValueError(f"There are reference lines for {unknown}, which have no runs: games are {sorted(axes)}.")
    dashes = style.reference_styles(label for game in axes for label in values.get(game, {}))
    lines = {}
    for game, by_label in values.items():
        for label, value in by_label.items():
            lines[label] = axes[game].axhline(
                value, color="#606060", linewidth=0.9, linestyle=dashes[label], zorder=1.5
            )
    return {label: lines[label] for label in dashes}


def _steps_axis(panel: "Axes") -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    panel.set_xlim(left=0)
    panel.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))
    panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: readable(value)))


def readable(steps: float) -> str:
    """Returns a count of steps in few letters: 500, 10k, 2.5M."""
    for unit, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(steps) >= unit:
            return f"{steps / unit:g}{letter}"
    return f"{steps:g}"


def _reading(statistic: statistics.Statistic, blank: int) -> str:
    name = statistics.name(statistic)
    reading = f"Lines: {name} over seeds; bands: pointwise 95 % stratified bootstrap interval over seeds; not smoothed."
    return reading + (f" Blank where some run has no finite value (points: {blank})." if blank else "")
