"""What the searches of `search.py` are worth, beside a base: a figure and a table of scores on test seeds.

Scores are by game and method, float64 `[repetitions, stages]`, of the best point before the final and after it; those
of one repetition are pairs. `default` is by game the score of the configuration that all searches start from.
"""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from jaxdqn.analysis import paired, resampling, statistics, tables
from jaxdqn.figures import search, style
from jaxdqn.figures.search import Progress

CONFIDENCE = 0.97  # of comparisons: Pocock's for two looks, for those of acrobot after 10 and after 20 repetitions

Scores = Mapping[str, Mapping[str, np.ndarray]]


def figure(scores: Scores, default: Mapping[str, float], spent: np.ndarray) -> Figure:
    """Returns the scores against the budget `spent`, environment steps `[stages]`, a line a method."""
    drawn = search.best_so_far(
        {
            game: {method: Progress(spent, values) for method, values in methods.items()}
            for game, methods in scores.items()
        },
        ylabel="test score of the best point",
        references={game: {"default": value} for game, value in default.items()},
        order=tuple(next(iter(scores.values()))),
    )
    before, after = spent
    for panel in drawn.axes:
        panel.set_xlim(0.9 * before, 1.08 * after)
        panel.set_xticks(spent, [f"{style.readable(before)}\nbefore the final", f"{style.readable(after)}\nafter it"])
    return drawn


def table(scores: Scores, default: Mapping[str, float], base: str) -> str:
    """Returns the scores at the whole budget, and how they compare with those of the base, in Markdown."""
    wider = f"{100 * CONFIDENCE:.0f} %"
    names = ("before the final", "mean test score (95 %)", f"mean minus that of {base} ({wider})", f"better ({wider})")
    rows = [("game", "method", "repetitions", *names)]
    final = {game: {method: values[:, -1] for method, values in methods.items()} for game, methods in scores.items()}
    for game, methods in final.items():
        rows.append((game, "default", "-", "-", f"{default[game]:.4g}", "-", "-"))
        for method, values in methods.items():
            better = _probability({game: values}, {game: methods[base]})
            compared = ("-", "-") if method == base else (_difference(values, methods[base]), better)
            mean = tables.in_brackets(
                resampling.interval(values, statistics.mean, np.random.default_rng(0)), len(values), ".4g"
            )
            before = f"{scores[game][method][:, 0].mean():.4g}"
            rows.append((game, method, str(len(values)), before, mean, *compared))
    for method in next(iter(final.values())):
        if method != base:
            pooled = ({game: methods[name] for game, methods in final.items()} for name in (method, base))
            rows.append(("all games", method, "-", "-", "-", "-", _probability(*pooled)))
    return tables.markdown(rows)


def _difference(scores: np.ndarray, base: np.ndarray) -> str:
    """Returns the mean difference over pairs, with its interval."""
    arm, of_base = ({"game": dict(enumerate(values.tolist()))} for values in (scores, base))
    pairs = paired.differences(arm, of_base)
    found = paired.interval(pairs, np.random.default_rng(0), confidence=CONFIDENCE)
    return tables.in_brackets(found, len(scores), ".3g")


def _probability(scores: Mapping[str, np.ndarray], base: Mapping[str, np.ndarray]) -> str:
    """Returns the probability of improvement, with its interval."""
    found = resampling.probability_of_improvement(scores, base, np.random.default_rng(0), confidence=CONFIDENCE)
    return tables.in_brackets(found, min(map(len, scores.values())), ".3g")
