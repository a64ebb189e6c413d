"""Sample efficiency: an aggregate over all games against environment steps, one line for each algorithm.

The style of figure 7 of Agarwal et al. (2021).
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from jaxdqn.analysis import aggregates
from jaxdqn.analysis.statistics import Aggregate
from jaxdqn.figures import learning_curves, style
from jaxdqn.figures.entry import NORMALISE, SCORE, Entry, Option

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from jaxdqn.analysis.normalise import Transform
    from jaxdqn.store.record import Run


def sample_efficiency(
    runs: "Iterable[Run]",
    *,
    transform: "Transform | None" = None,
    aggregate: Aggregate = aggregates.iqm,
    score: str = "evaluation_return",
    ylabel: str | None = None,
    order: Sequence[str] = (),
    bootstrap_seed: int = 0,
) -> "Figure":
    """Returns a figure of an aggregate over the runs of all games along training, with its 95 % bootstrap band.

    A point at which some run of an algorithm has no finite value is left blank. Algorithms with different numbers of
    runs on the games are left out. The label of the figure says so.

    Args:
      runs: of any games, algorithms and settings, evaluated at the same steps.
      transform: from scores of a game to a scale that games share; not needed for one game.
      aggregate: over games and runs, at each point.
      score: the curve.
      ylabel: name of the score after the transform, with its unit; by default from `score`.
      order: algorithms in the order of colours and legend; others follow as they appear.
      bootstrap_seed: seed of the generator of each band.

    Raises:
      ValueError: if there are no runs, they do not form arms or follow several protocols, several games have no common
        scale or were evaluated at different steps, or no algorithm has a point with a value of every run.
    """
    import numpy as np

    from jaxdqn.analysis import bootstrap_intervals, resampling, scores

    name = aggregates.name(aggregate)
    ylabel = f"{name} of {ylabel or style.score_name(score, transform)}"
    steps, every = scores.along(runs, score=score, transform=transform)
    found = scores.pooled(every)
    looks = style.styles(found.values, order)
    handles: dict[str, Any] = {}
    blank = 0
    with style.look():
        figure, axes = style.panels([""], xlabel="environment steps", ylabel=ylabel, title=None)
        (panel,) = axes.values()
        for index, (label, look) in enumerate(looks.items()):
            by_game = found.values[label]
            known = np.all([np.all(np.isfinite(values), axis=0) for values in by_game.values()], axis=0)  # [points]
            blank += int(np.sum(~known))
            if np.any(known):
                parts = np.full((3, len(steps)), np.nan)
                parts[:, known] = resampling.aggregate_interval(
                    {game: values[:, known] for game, values in by_game.items()},
                    aggregate,
                    np.random.default_rng(bootstrap_seed),
                )
                number = sum(map(len, by_game.values()))
                band = resampling.Interval(*parts)
                handles[f"{label} (n = {number})"] = learning_curves.draw(panel, steps, band, look, index)
        if not handles:
            raise ValueError(f"No arm has a point at which every run has a finite {score}: choose another score.")
        style.count_axis(panel)
        style.legend(figure, handles)
    style.describe(
        figure,
        f"Lines: {name} over the runs of {', '.join(found.games)}; n: number of these runs; bands: pointwise 95 % "
        "stratified bootstrap interval over seeds; not smoothed.",
        f"Blank where some run has no finite value (points: {blank})." if blank else "",
        found.left_out,
        bootstrap_intervals.caveat(len(values) for by_game in found.values.values() for values in by_game.values()),
    )
    return figure


def _draw(
    runs: "Iterable[Run]", *, aggregate: aggregates.Entry = aggregates.AGGREGATES["IQM"], **options: Any
) -> "Figure":
    return sample_efficiency(runs, aggregate=aggregate.aggregate, **options)


AGGREGATE = Option("aggregate", "aggregate over games and runs (default: iqm)", choices=aggregates.AGGREGATES)
FIGURE = Entry("an aggregate over all games against environment steps", (SCORE, AGGREGATE, NORMALISE), _draw)
