"""Sensitivity: the final score against one hyperparameter, one panel for each game, one line for each algorithm.

The style of Young and Tian (2019), "MinAtar", Figure 3, with every run shown as a faint dot.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from jaxdqn.analysis import statistics
from jaxdqn.figures import style
from jaxdqn.figures.entry import FINAL_STATISTIC, Entry, Option

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from jaxdqn.analysis.by_arm import Arm
    from jaxdqn.analysis.normalise import Transform
    from jaxdqn.store.record import Run

_MOST_TICKS = 7


def sensitivity(
    runs: "Iterable[Run]",
    field: str = "learning_rate",
    *,
    statistic: statistics.Statistic = statistics.iqm,
    score: str = "evaluation_return",
    last: int = 1,
    transform: "Transform | None" = None,
    xlabel: str | None = None,
    ylabel: str | None = None,
    title: str | None = None,
    order: Sequence[str] = (),
    bootstrap_seed: int = 0,
) -> "Figure":
    """Returns a figure of the final score against a setting, with 95 % bootstrap intervals over seeds.

    Args:
      runs: of any games and algorithms; where other settings vary too, each combination of them is a line.
      field: dotted name of a setting whose values are numbers. The axis is logarithmic if all are positive.
      statistic: over the runs of an arm.
      score: the curve.
      last: number of its last points that are averaged in each run.
      transform: of the final scores of a game before the statistic: `(game, [runs]) -> [runs]`.
      xlabel: name of the setting, with its unit; by default the last part of the field.
      ylabel: name of the score after the transform, with its unit; by default from `score`.
      title: above all panels.
      order: algorithms in the order of colours and legend; others follow as they appear.
      bootstrap_seed: seed of the generator of each interval.

    Raises:
      ValueError: if there are no runs, they do not form arms or follow several protocols, a run has no such setting, or
        its value is no number.
    """
    from jaxdqn.analysis import bootstrap_intervals, by_arm

    arms = by_arm.compared(runs)
    if not arms:
        raise ValueError("No runs to draw: run the study first, or choose other runs.")
    settings = {arm: _number(arm, field) for arm in arms}
    labels = by_arm.labels(arms, without=field)
    looks = style.styles(labels.values(), order)
    lines: dict[str, Any] = {}
    with style.look():
        games = list(dict.fromkeys(arm.game for arm in arms))
        name = field.split(".")[-1].replace("_", " ") if xlabel is None else xlabel
        ylabel = ylabel or f"final {style.score_name(score, transform)}"
        figure, axes = style.panels(games, xlabel=name, ylabel=ylabel, title=title)
        every = sorted(set(settings.values()))
        for panel in axes.values():
            _settings_axis(panel, every)
        for (game, label), points in _lines(arms, labels).items():
            points.sort(key=settings.__getitem__)
            scores = [by_arm.final(arms[arm], score, last) for arm in points]  # [runs] each
            if transform is not None:
                scores = [transform(game, final) for final in scores]
            shift = (list(looks).index(label) + 0.5) / len(looks) - 0.5
            positions = _positions([settings[arm] for arm in points], every, shift)
            lines[label] = _draw(axes[game], positions, scores, statistic, looks[label], bootstrap_seed)
        entries = by_arm.counted(arms, labels)
        style.legend(figure, {entries[label]: lines[label] for label in looks if label in lines})
    style.describe(
        figure,
        f"The score of a run is {style.averaged(last)}. Lines: {statistics.name(statistic)} over seeds; bars: 95 % "
        "stratified bootstrap interval over seeds; dots: runs.",
        bootstrap_intervals.caveat(map(len, arms.values())),
        by_arm.remarks(arms, by_arm.labels(arms), score),
    )
    return figure


def _lines(arms: "Iterable[Arm]", labels: "Mapping[Arm, str]") -> "dict[tuple[str, str], list[Arm]]":
    """Returns the arms of each line, by game and label."""
    lines: dict[tuple[str, str], list[Arm]] = defaultdict(list)
    for arm in arms:
        lines[arm.game, labels[arm]].append(arm)
    return lines


def _number(arm: "Arm", field: str) -> float:
    settings = dict(arm.settings)
    if field not in settings:
        known = ", ".join(settings) or "none"
        raise ValueError(f"{arm.algorithm} on {arm.game} has no setting {field!r}: the settings are {known}.")
    value = settings[field]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(
            f"{field} = {value!r} is no number and has no place on an axis: draw a line for each value instead."
        )
    return value


def _draw(
    panel: "Axes",
    positions: Sequence[float],
    scores: "Sequence[np.ndarray]",
    statistic: statistics.Statistic,
    look: style.Style,
    bootstrap_seed: int,
) -> Any:
    """Draws a line with its bars and dots, and returns the line."""
    import numpy as np

    from jaxdqn.analysis import resampling

    estimates = [resampling.interval(final, statistic, np.random.default_rng(bootstrap_seed)) for final in scores]
    point, low, high = (np.array(part) for part in zip(*estimates, strict=True))  # [values] each
    for position, final in zip(positions, scores, strict=True):
        dots = np.full(len(final), position)
        panel.scatter(dots, final, s=7, color=look.color, alpha=0.3, linewidths=0, zorder=1.5)
    panel.vlines(positions, low, high, color=look.color, linewidth=1.2)
    (line,) = panel.plot(positions, point, color=look.color, linestyle=look.line, marker=look.marker)
    return line


def _positions(values: Sequence[float], every: Sequence[float], shift: float) -> list[float]:
    """Returns the places of values on the axis, shifted by a share of the smallest distance between two values.

    Args:
      values: of one line.
      every: of all lines, sorted.
      shift: between -1/2 and 1/2, so that the bars of different lines are side by side.
    """
    import numpy as np

    scale, back = (np.log10, lambda x: 10.0**x) if _is_logarithmic(every) else (np.asarray, float)
    distance = float(np.min(np.diff(scale(every)))) if len(every) > 1 else 0.1
    return [float(back(scale(value) + 0.5 * shift * distance)) for value in values]


def _settings_axis(panel: "Axes", every: Sequence[float]) -> None:
    if _is_logarithmic(every):
        panel.set_xscale("log")
    shown = every[:: -(-len(every) // _MOST_TICKS)]  # every k-th value, k rounded up
    panel.set_xticks(shown, _short(shown))
    panel.set_xticks([], minor=True)


def _is_logarithmic(every: Sequence[float]) -> bool:
    return min(every) > 0


def _short(values: Sequence[float]) -> list[str]:
    """Returns short texts for numbers, all in one form: 0.5, 64; or, if one of them would be long, 3e-4, 1e-2."""
    import numpy as np

    texts = [f"{value:g}" for value in values]
    if max(map(len, texts)) <= 5:
        return texts
    return [np.format_float_scientific(value, precision=2, trim="-", exp_digits=1) for value in values]


FIELD = Option(
    "field", "dotted name of a setting, such as learning_rate or exploration.epsilon", "PATH", is_required=True
)
FIGURE = Entry("final scores against one --field", (*FINAL_STATISTIC, FIELD), sensitivity)
