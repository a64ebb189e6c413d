"""Figures of a search for settings: its points, the importance of fields, and the best score against the budget.

The data are the plain numbers of `jaxdqn.store.search_trials`, which `jaxdqn search` writes.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from jaxdqn.analysis import bootstrap_intervals, by_arm, resampling, statistics
from jaxdqn.figures import style
from jaxdqn.store.search_trials import Point, Trials, score_definition

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_TICKS = 6
_INCH_OF_AN_AXIS = 1.15
_WIDTH_OF_METHODS = 0.1  # width of the bars of all methods at one budget, as a share of the whole budget


class Progress(NamedTuple):
    """The score of the best point of each repetition of a search, against the budget spent.

    Attributes:
      spent: float64 `[P]`, environment steps of all tuning runs until then.
      scores: float64 `[repetitions, P]`, score of the best point until then.
    """

    spent: np.ndarray
    scores: np.ndarray


def importance(trials: Trials) -> "Figure":
    """Returns a figure of the importance of each field for being among the best points, most important on top.

    Raises:
      ValueError: there are too few points for an estimate.
    """
    shares = sorted(trials.importance.shares.items(), key=lambda item: -item[1])
    if not shares:
        raise ValueError(
            f"{trials.name} has too few points to estimate the importance of fields: search with a larger budget."
        )
    with style.look():
        figure, panels = style.panels([_title(trials)], xlabel="importance (sums to 1)", ylabel="", title=None)
        (panel,) = panels.values()
        figure.set_figheight(0.7 + 0.24 * len(shares))
        rows = range(len(shares))
        panel.barh(rows, [share for _, share in shares], height=0.65, color=style.styles([""])[""].color)
        panel.set_yticks(rows, [path for path, _ in shares])
        panel.set_ylim(len(shares) - 0.5, -0.5)
        panel.set_xlim(0, 1)
    figure.set_label(
        f"PED-ANOVA: importance of a field for being in the best quarter of {trials.importance.num_points} points, "
        f"by their mean score over {_seeds(trials)} after {trials.importance.steps:,} steps. "
        f"{score_definition(trials.facts)}"
    )
    return figure


def parallel_coordinates(trials: Trials) -> "Figure":
    """Returns a figure with an axis for each field and one for the score, and a line for each point.

    The score is that at the last rung that a point passed. Points that were dropped before the end are drawn thin and
    dashed, since their score is not that of a whole run. Points that diverged are counted, but not drawn.

    Raises:
      ValueError: no point has a score.
    """
    kept = [point for point in trials.points if point.scores and point.state != "diverged"]
    points = sorted(kept, key=lambda point: point.score)
    if not points:
        raise ValueError(
            f"{trials.name} has no point with a score: run the search first, or search settings that do not diverge."
        )
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with style.look():
        paths = list(trials.facts["space"])
        figure = Figure(figsize=(1.2 + _INCH_OF_AN_AXIS * len(paths), 2.6), layout="constrained")
        FigureCanvasAgg(figure)
        panel = figure.subplots()
        columns = [_column(trials.facts["space"][path], [point.settings[path] for point in points]) for path in paths]
        heights, ticks = zip(*columns, _score_column(points), strict=True)
        _draw_axes(panel, [*paths, "score"], ticks)
        shade = _shades(points)
        for row, point in enumerate(points):  # the best point last, so that it is on top
            is_whole = point.state == "complete"
            panel.plot(
                range(len(heights)),
                [column[row] for column in heights],
                color=shade[row],
                linewidth=1.3 if is_whole else 0.6,
                linestyle="solid" if is_whole else (0, (4, 2)),
                alpha=0.95 if is_whole else 0.6,
            )
        panel.set_title(_title(trials))
    num_whole = sum(point.state == "complete" for point in points)
    num_diverged = sum(point.state == "diverged" for point in trials.points)
    figure.set_label(
        f"Lines: {len(points)} points, darker for higher scores; score: mean over {_seeds(trials)} at the last rung "
        f"that a point passed. {score_definition(trials.facts)} Solid: the {num_whole} points trained for all "
        f"{trials.ends[-1]:,} steps; dashed: points that were dropped."
        + (f" Not drawn: {num_diverged} diverged points, which count as worse than all others." if num_diverged else "")
    )
    return figure


def progress_of(trials: Trials) -> Progress:
    """Returns the score of the best point after each wave, on the tuning seeds, and after the final on its seeds.

    A point that passed more rungs counts as better than any that passed fewer, so that the curve may fall.

    Raises:
      ValueError: there is no best point, since all points diverged or none was trained.
    """
    if not trials.progress:
        raise ValueError(f"{trials.name} has no best point: all diverged or could not be trained.")
    spent, _, scores = zip(*trials.progress, strict=True)
    return Progress(np.array(spent, np.float64), np.array([scores], np.float64))


def best_so_far(
    found: Mapping[str, Mapping[str, Progress]],
    *,
    statistic: statistics.Statistic = statistics.mean,
    ylabel: str = "score of the best point",
    references: Mapping[str, Mapping[str, float]] | None = None,
    order: Sequence[str] = (),
    score: str = "",
    bootstrap_seed: int = 0,
) -> "Figure":
    """Returns a figure of the score of the best point against the budget, one line for each method.

    Args:
      found: progress by game and method. One repetition is a line of steps; several are a statistic with its 95 %
        bootstrap interval, and the marks of the methods are side by side.
      statistic: statistic over repetitions.
      ylabel: name of the score.
      references: by game, values of horizontal lines by label.
      order: methods in the order of colours and legend.
      score: the definition of the score of a run from `search_trials.score_definition`, for the label of the figure.
      bootstrap_seed: seed of the generator of each interval.
    """
    looks = style.styles((method for methods in found.values() for method in methods), order)
    lines: dict[str, Any] = {}
    sizes = {len(progress.scores) for methods in found.values() for progress in methods.values()}
    with style.look():
        figure, panels = style.panels(list(found), xlabel="environment steps of all runs", ylabel=ylabel, title=None)
        for game, methods in found.items():
            for place, (method, progress) in enumerate(methods.items()):
                shift = (place + 0.5) / len(methods) - 0.5
                lines[method] = _draw_progress(panels[game], progress, looks[method], statistic, bootstrap_seed, shift)
            style.count_axis(panels[game])
        lines |= style.draw_references({game: [panel] for game, panel in panels.items()}, references or {})
        style.legend(figure, lines)
    over = f"{statistics.name(statistic)} over {by_arm.span(sizes)} repetitions"
    several = f"Marks: {over}; bars: 95 % bootstrap interval over repetitions."
    one = "Best of the points that passed most rungs so far: on the tuning seeds, after the final on the final seeds."
    figure.set_label(
        " ".join(filter(None, [several, bootstrap_intervals.caveat(sizes), score] if max(sizes) > 1 else [one, score]))
    )
    return figure


def _draw_progress(
    panel: "Axes",
    progress: Progress,
    look: style.Style,
    statistic: statistics.Statistic,
    bootstrap_seed: int,
    shift: float,
) -> Any:
    estimate = resampling.interval(progress.scores, statistic, np.random.default_rng(bootstrap_seed))
    drawn = {"color": look.color, "linestyle": look.line, "marker": look.marker}
    if len(progress.scores) == 1:
        return panel.plot(progress.spent, estimate.point, drawstyle="steps-post", **drawn)[0]
    places = progress.spent + shift * _WIDTH_OF_METHODS * progress.spent[-1]
    panel.vlines(places, estimate.low, estimate.high, color=look.color, linewidth=1.0)
    return panel.plot(places, estimate.point, **drawn)[0]


def _column(range_: Mapping[str, Any], values: Sequence[Any]) -> tuple[list[float], list[tuple[float, str]]]:
    """Returns the heights of values on an axis from 0 to 1, and its ticks."""
    if range_["type"] == "Choice":
        listed = range_["values"]
        at = [(place + 0.5) / len(listed) for place in range(len(listed))]
        return [at[listed.index(value)] for value in values], [(at[i], _short(v)) for i, v in enumerate(listed)]
    low, high = float(range_["low"]), float(range_["high"])
    scale = np.log10 if range_["type"] == "LogUniform" else np.asarray
    span = scale(high) - scale(low)
    inner = _decades(low, high) if range_["type"] == "LogUniform" else np.linspace(low, high, 5).tolist()
    heights = [float((scale(value) - scale(low)) / span) for value in values]
    return heights, [(float((scale(tick) - scale(low)) / span), _short(tick)) for tick in inner]


def _decades(low: float, high: float) -> list[float]:
    exponents = range(int(np.ceil(np.log10(low) - 1e-9)), int(np.floor(np.log10(high) + 1e-9)) + 1)
    return [10.0**exponent for exponent in exponents[:: -(-len(exponents) // _MOST_TICKS)]]


def _score_column(points: Sequence[Point]) -> tuple[list[float], list[tuple[float, str]]]:
    low, high = points[0].score, points[-1].score
    span = (high - low) or 1.0
    ticks = [(height, _short(low + height * span)) for height in np.linspace(0, 1, 5).tolist()]
    return [(point.score - low) / span for point in points], ticks


def _draw_axes(panel: "Axes", names: Sequence[str], ticks: Sequence[Sequence[tuple[float, str]]]) -> None:
    panel.grid(False)
    panel.spines[["left", "bottom"]].set_visible(False)
    panel.set_yticks([])
    panel.set_xticks(range(len(names)), [name.replace(".", ".\n") for name in names])
    panel.tick_params(axis="x", length=0)
    for place, listed in enumerate(ticks):
        panel.axvline(place, color="#404040", linewidth=0.7, zorder=3)
        for height, text in listed:
            box = {"facecolor": "white", "alpha": 0.75, "linewidth": 0, "pad": 0.6}
            panel.text(place + 0.04, height, text, fontsize=6, va="center", ha="left", zorder=4, bbox=box)
    panel.set_xlim(-0.1, len(names) - 0.55)
    panel.set_ylim(-0.04, 1.04)


def _shades(points: Sequence[Point]) -> list[Any]:
    """Returns a colour for each point by the rank of its score: light to dark, readable in grey."""
    from matplotlib import colormaps

    shades = colormaps["viridis_r"]
    return [shades(0.1 + 0.9 * row / max(1, len(points) - 1)) for row in range(len(points))]


def _short(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value["type"] if isinstance(value, dict) and "type" in value else str(value)
    text = f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
    return text if len(text) <= 7 else np.format_float_scientific(value, precision=1, trim="-", exp_digits=1)


def _title(trials: Trials) -> str:
    dropping = f", dropping after {', '.join(f'{end:,}' for end in trials.ends[:-1])} steps" if trials.ends[1:] else ""
    return f"{trials.facts['game']['name']}: {trials.facts['sampler']}{dropping}"


def _seeds(trials: Trials) -> str:
    return f"{len(trials.facts['tuning_seeds'])} tuning seeds"
