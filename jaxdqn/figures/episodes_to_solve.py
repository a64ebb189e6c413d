"""Figure of scaling: episodes until a game is solved, against the size of the game.

Source: the figure of deep sea in Osband et al., "Behaviour Suite for Reinforcement Learning" (ICLR 2020), over seeds.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxdqn.analysis import by_arm, time_to_solve
from jaxdqn.figures import style
from jaxdqn.store.record import Run

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_UNSOLVED = "#C00000"


def scaling(
    runs: Iterable[Run],
    sizes: Mapping[str, int],
    succeeds: time_to_solve.Succeeds,
    *,
    law: tuple[str, Callable[[np.ndarray], np.ndarray]] | None = None,
    xlabel: str = "size",
    order: Sequence[str] = (),
) -> "Figure":
    """Returns a figure of the episodes until solved (`jaxdqn.analysis.time_to_solve`), one line for each arm.

    A point is the median over seeds; it is drawn if more than half of the runs solved the game. A grey line is the end
    of training. Above it, a hollow red marker for each arm has the number of runs that did not solve the game.

    Args:
      runs: stored runs with the attachment `episodes`.
      sizes: sizes of the games, by name.
      succeeds: `returns of episodes [N] -> bool [N]`, True if the episode succeeded.
      law: label, and function from sizes to episodes, of a dashed line.
      xlabel: name of the size.
      order: algorithms in the order of colours and legend; others follow as they appear.

    Raises:
      ValueError: there are no runs, they do not form arms, they follow several protocols, or a game has no size.
    """
    arms = by_arm.compared(runs)
    if not arms:
        raise ValueError("No runs to draw: run the study first, or choose other runs.")
    unknown = sorted({arm.game for arm in arms} - set(sizes))
    if unknown:
        raise ValueError(f"sizes lacks {', '.join(unknown)}: give the size of every game.")
    labels = by_arm.labels(arms)
    looks = style.styles(labels.values(), order)
    found = {arm: time_to_solve.times(members, succeeds) for arm, members in arms.items()}
    seen: dict[int, int] = {}  # length of the shortest log of each size, in episodes
    for arm, (_, number) in found.items():
        seen[sizes[arm.game]] = min(number, seen.get(sizes[arm.game], number))
    every = np.array(sorted(seen))
    highest = max(seen.values())

    lines: dict[str, Any] = {}
    with style.look():
        figure, axes = style.panels([""], xlabel=xlabel, ylabel="episodes until solved", title=None)
        (panel,) = axes.values()
        figure.set_size_inches(5.0, 3.4)
        panel.set_yscale("log")
        for index, (label, look) in enumerate(looks.items()):
            points = sorted((sizes[arm.game], arm) for arm in found if labels[arm] == label)
            shift = 0.9 * ((index + 0.5) / len(looks) - 0.5)  # so that the bars of arms are side by side
            medians = [
                _draw(panel, size, shift, found[arm][0], seen[size], look, 1.35 ** (2 + index)) for size, arm in points
            ]
            (lines[label],) = panel.plot(
                [size + shift for size, _ in points],
                [middle if np.isfinite(middle) else np.nan for middle in medians],
                color=look.color,
                linestyle=look.line,
                marker=look.marker,
            )
        ends = [seen[size] for size in every]
        (end,) = panel.plot(every, ends, color="#B0B0B0", linewidth=0.9, zorder=1.2)
        entries = by_arm.counted(arms, labels)
        handles = {entries[label]: lines[label] for label in lines}
        if law is not None:
            fine = np.linspace(every[0] - 0.5, every[-1] + 0.5, 200)
            (handles[law[0]],) = panel.plot(fine, law[1](fine), color="#606060", linewidth=0.9, linestyle=(0, (4, 3)))
        handles["end of training"] = end
        (handles["unsolved, with their number"],) = panel.plot(
            [], [], linestyle="none", marker="o", markerfacecolor="none", markeredgecolor=_UNSOLVED
        )
        panel.set_ylim(bottom=5, top=highest * 1.35 ** (len(looks) + 3))
        panel.set_xticks(every)
        style.legend(figure, handles)
    style.describe(
        figure,
        f"Solved: the first episode at which {time_to_solve.FOUND} of the last {time_to_solve.WINDOW} succeeded. "
        "Lines: median over seeds, where unsolved runs count as later than all others; no point if half of the runs or "
        "more are unsolved. Bars: distribution-free interval of the median, at least 95 %, up to the end of training "
        "if it has no upper end; no interval with fewer than six runs. Faint dots: runs.",
        by_arm.remarks(arms, labels),
    )
    return figure


def _draw(
    panel: "Axes", size: int, shift: float, times: np.ndarray, seen: int, look: style.Style, above: float
) -> float:
    """Draws the runs of an arm at one size, and returns their median."""
    solved, place = times[np.isfinite(times)], size + shift
    panel.scatter(np.full(len(solved), place), solved, s=6, color=look.color, alpha=0.3, linewidths=0, zorder=1.5)
    middle, low, high = time_to_solve.median(times)
    if 0 < low < np.inf:
        panel.vlines(place, low, min(high, seen), color=look.color, linewidth=1.0)
    if len(solved) < len(times):
        panel.plot(
            place,
            seen * above,
            linestyle="none",
            marker=look.marker,
            markerfacecolor="none",
            markeredgecolor=_UNSOLVED,
            markersize=4,
        )
        panel.annotate(
            str(len(times) - len(solved)),
            (place, seen * above),
            xytext=(3.5, 0),
            textcoords="offset points",
            va="center",
            fontsize=6,
            color=_UNSOLVED,
        )
    return middle
