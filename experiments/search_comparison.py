"""Compares the searches of `search.py` with a base: a figure and a table of scores on test seeds.

Scores are float64 `[repetitions, stages]` by game and method, of the best point before and after the final. Scores of
one repetition are pairs. `default` is the score by game of the configuration from which all searches start.
"""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from jaxdqn.analysis import paired, probability_of_improvement, resampling, statistics, table_formats
from jaxdqn.figures import search, style
from jaxdqn.figures.search import Progress

CONFIDENCE = 0.97  # of comparisons, after Pocock for two looks: acrobot was compared after 10 and after 20 repetitions

Scores = Mapping[str, Mapping[str, np.ndarray]]


def figure(scores: Scores, default: Mapping[str, float], spent: np.ndarray) -> Figure:
    """Returns a figure of scores against environment steps `spent` `[stages]`, with one line for each method."""
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
        labels = f"{style.readable(before)}\nbefore the final", f"{style.readable(after)}\nafter the final"
        panel.set_xticks(spent, labels)
    return drawn


def table(scores: Scores, default: Mapping[str, float], base: str) -> str:
    """Returns a Markdown table of the scores after the whole budget and their comparison with the base."""
    percent = f"{100 * CONFIDENCE:.0f} %"
    compared_names = f"mean minus that of {base} ({percent})", f"better ({percent})"
    names = ("before the final", "mean test score (95 %)", *compared_names)
    rows = [("game", "method", "repetitions", *names)]
    final = {game: {method: values[:, -1] for method, values in methods.items()} for game, methods in scores.items()}
    for game, methods in final.items():
        rows.append((game, "default", "-", "-", f"{default[game]:.4g}", "-", "-"))
        for method, values in methods.items():
            better = _probability({game: values}, {game: methods[base]})
            compared = ("-", "-") if method == base else (_difference(values, methods[base]), better)
            mean = table_formats.in_brackets(
                resampling.interval(values, statistics.mean, np.random.default_rng(0)), len(values), ".4g"
            )
            before = f"{scores[game][method][:, 0].mean():.4g}"
            rows.append((game, method, str(len(values)), before, mean, *compared))
    for method in next(iter(final.values())):
        if method != base:
            pooled = ({game: methods[name] for game, methods in final.items()} for name in (method, base))
            rows.append(("all games", method, "-", "-", "-", "-", _probability(*pooled)))
    return table_formats.markdown(rows)


def _difference(scores: np.ndarray, base: np.ndarray) -> str:
    """Returns the mean difference of pairs, with its interval."""
    arm, of_base = ({"game": dict(enumerate(values.tolist()))} for values in (scores, base))
    pairs = paired.differences(arm, of_base)
    found = paired.interval(pairs, np.random.default_rng(0), confidence=CONFIDENCE)
    return table_formats.in_brackets(found, len(scores), ".3g")


def _probability(scores: Mapping[str, np.ndarray], base: Mapping[str, np.ndarray]) -> str:
    """Returns the probability of improvement, with its interval."""
    found = probability_of_improvement.interval(scores, base, np.random.default_rng(0), confidence=CONFIDENCE)
    return table_formats.in_brackets(found, min(map(len, scores.values())), ".3g")
