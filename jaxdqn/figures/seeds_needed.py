"""How many seeds: the expected width of the interval against the number of seeds, one line an algorithm."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxdqn.analysis import sample_size, scores, statistics
from jaxdqn.analysis.normalise import Transform
from jaxdqn.figures import style
from jaxdqn.figures.intervals import ALL_GAMES
from jaxdqn.store.record import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_NUMBERS = (3, 4, 5, 7, 10, 14, 20, 30, 40, 60, 80, 100)


def seeds_needed(
    runs: Iterable[Run],
    *,
    width: float | None = None,
    transform: Transform | None = None,
    statistic: statistics.Statistic = statistics.iqm,
    score: str = "evaluation_return",
    last: int = 1,
    ylabel: str = "score",
    order: Sequence[str] = (),
    bootstrap_seed: int = 0,
) -> "Figure":
    """Returns a figure of how wide 95 % intervals would be with so many seeds, expected from the runs there are.

    There is a panel for each game, or on a scale that games share one for all together. Runs that crashed are left out,
    and so are algorithms with a single run; the label says so, and how many seeds the wanted width needs.

    Args:
      runs: the pilot: of any games, algorithms and settings.
      width: that is wanted, drawn as a line.
      transform: of the scores of a game to a scale that games share.
      statistic: over the runs of an arm.
      score: the curve.
      last: how many of its last points are averaged inside a run.
      ylabel: what the score is after the transform, with its unit.
      order: algorithms in the order of colours and legend; others follow as they appear.
      bootstrap_seed: of the generator of each line.

    Raises:
      ValueError: if there are no runs, they do not form arms or follow several protocols, no arm has two runs, the
        width is not positive, or a score is not finite.
    """
    found = scores.final(runs, score=score, last=last, transform=transform)
    panels = _panels(found)
    handles: dict[str, Any] = {}
    looks = style.styles(found.values, order)
    needed = []
    with style.look():
        label = f"expected width of the\n95 % interval of the {ylabel}"
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
    sentences = (
        f"The score of a run is {style.averaged(last)}. Lines: expected width of the 95 % interval of "
        f"{statistics.name(statistic)} over so many new seeds, by a smoothed bootstrap of {_number_of_runs(panels)} "
        "pilot runs.",
        f"Seeds for a width of {width:g}: {'; '.join(needed)}." if width is not None else "",
        f"With too few runs to say: {', '.join(few)}." if few else "",
        found.left_out,
    )
    figure.set_label(" ".join(filter(None, sentences)))
    return figure


def _panels(found: scores.Scores) -> dict[str, dict[str, dict[str, np.ndarray]]]:
    """Returns the pilots by panel and label, each by game."""
    if found.has_common_scale and len(found.games) > 1:
        pilots = {ALL_GAMES: scores.pooled(found).values}
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
        raise ValueError("No arm has two completed runs on a game: one run has no spread to plan by.")
    return panels


def _needed(pilot: Mapping[str, np.ndarray], width: float, statistic: statistics.Statistic, seed: int) -> str:
    number = sample_size.seeds_needed(pilot, width, np.random.default_rng(seed), statistic=statistic)
    return f"more than {sample_size.MOST}" if number is None else str(number)


def _number_of_runs(panels: Mapping[str, Mapping[str, Mapping[str, np.ndarray]]]) -> str:
    sizes = {len(final) for arms in panels.values() for pilot in arms.values() for final in pilot.values()}
    return str(min(sizes)) if len(sizes) == 1 else f"{min(sizes)} to {max(sizes)}"
