"""Seeds needed: the expected width of the interval against the number of seeds, one line for each algorithm."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from jaxdqn.analysis import aggregates, statistics
from jaxdqn.figures import style
from jaxdqn.figures.entry import FINAL_STATISTIC, Entry, Option

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure

    from jaxdqn.analysis.normalise import Transform
    from jaxdqn.analysis.scores import Scores
    from jaxdqn.store.record import Run

_NUMBERS = (3, 4, 5, 7, 10, 14, 20, 30, 40, 60, 80, 100)


def seeds_needed(
    runs: "Iterable[Run]",
    *,
    width: float | None = None,
    transform: "Transform | None" = None,
    statistic: statistics.Statistic = statistics.iqm,
    score: str = "evaluation_return",
    last: int = 1,
    ylabel: str | None = None,
    order: Sequence[str] = (),
    bootstrap_seed: int = 0,
) -> "Figure":
    """Returns a figure of the expected width of 95 % intervals for 3 to 100 seeds, estimated from pilot runs.

    There is a panel for each game or, with a transform, one for all games together. Algorithms with a
    single run are left out. The label of the figure says so, and has the number of seeds for `width`.

    Args:
      runs: the pilot runs, of any games, algorithms and settings.
      width: requested width of the interval, drawn as a line.
      transform: from scores of a game to a scale that games share.
      statistic: over the runs of an arm.
      score: the curve.
      last: number of its last points that are averaged in each run.
      ylabel: name of the score after the transform, with its unit; by default from `score`.
      order: algorithms in the order of colours and legend; others follow as they appear.
      bootstrap_seed: seed of the generator of each line.

    Raises:
      ValueError: if there are no runs, they do not form arms or follow several protocols, no arm has two runs, the
        width is not positive, or a score is not finite.
    """
    import numpy as np

    from jaxdqn.analysis import sample_size, scores

    found = scores.final(runs, score=score, last=last, transform=transform)
    panels = _panels(found)
    handles: dict[str, Any] = {}
    looks = style.styles(found.values, order)
    needed = []
    with style.look():
        label = f"expected width of the\n95 % interval of the {ylabel or style.score_name(score, transform)}"
        figure, axes = style.panels(list(panels), xlabel="seeds of each game", ylabel=label, title=None)
        for name, panel in axes.items():
            for arm, pilot in panels[name].items():
                widths = sample_size.widths(pilot, _NUMBERS, np.random.default_rng(bootstrap_seed), statistic=statistic)
                (handles[arm],) = panel.plot(
                    _NUMBERS, widths, color=looks[arm].color, linestyle=looks[arm].line, marker=looks[arm].marker
                )
                if width is not None:
                    number = _needed(pilot, width, statistic, bootstrap_seed)
                    needed.append(f"{arm}: {number}" if len(panels) == 1 else f"{arm} on {name}: {number}")
            if width is not None:
                panel.axhline(width, color="#606060", linewidth=0.9, linestyle=(0, (4, 3)), zorder=1.5)
            panel.set_xscale("log")
            panel.set_xticks([3, 5, 10, 20, 50, 100], ["3", "5", "10", "20", "50", "100"])
            panel.set_xticks([], minor=True)
            panel.set_ylim(bottom=0)
        style.legend(figure, {arm: handles[arm] for arm in looks if arm in handles})
    few = [arm for arm in looks if arm not in handles]
    style.describe(
        figure,
        f"The score of a run is {style.averaged(last)}. Lines: expected width of the 95 % interval of the "
        f"{statistics.name(statistic)} over new seeds, by a smoothed bootstrap of {_number_of_runs(panels)} "
        "pilot runs.",
        f"Seeds for a width of {width:g}: {'; '.join(needed)}." if width is not None else "",
        f"Not shown, with too few runs: {', '.join(few)}." if few else "",
        found.left_out,
    )
    return figure


def _panels(found: "Scores") -> "dict[str, dict[str, dict[str, np.ndarray]]]":
    """Returns the scores of pilot runs by panel, label and game."""
    from jaxdqn.analysis import scores

    if found.has_common_scale and len(found.games) > 1:
        pilots = {aggregates.ALL_GAMES: scores.pooled(found).values}
    else:
        pilots = {
            game: {arm: {game: by_game[game]} for arm, by_game in found.values.items() if game in by_game}
            for game in found.games
        }
    panels = {
        name: {arm: pilot for arm, pilot in arms.items() if min(map(len, pilot.values())) > 1}
        for name, arms in pilots.items()
    }
    panels = {name: arms for name, arms in panels.items() if arms}
    if not panels:
        raise ValueError("No arm has two runs on a game: the spread cannot be estimated from one run.")
    return panels


def _needed(pilot: "Mapping[str, np.ndarray]", width: float, statistic: statistics.Statistic, seed: int) -> str:
    """Returns the number of seeds for the width, as text."""
    import numpy as np

    from jaxdqn.analysis import sample_size

    number = sample_size.seeds_needed(pilot, width, np.random.default_rng(seed), statistic=statistic)
    return f"more than {sample_size.MOST}" if number is None else str(number)


def _number_of_runs(panels: "Mapping[str, Mapping[str, Mapping[str, np.ndarray]]]") -> str:
    sizes = {len(final) for arms in panels.values() for pilot in arms.values() for final in pilot.values()}
    return str(min(sizes)) if len(sizes) == 1 else f"{min(sizes)} to {max(sizes)}"


WIDTH = Option("width", "requested width of the interval, in units of the score", "W", float)
FIGURE = Entry("the number of seeds that an interval of a --width needs", (*FINAL_STATISTIC, WIDTH), seeds_needed)
