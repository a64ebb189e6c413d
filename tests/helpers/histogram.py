"""A figure in a file outside the package: the number of runs with each final score."""

from jaxdqn.figures import style
from jaxdqn.figures.entry import LAST, SCORE, Entry, Option


def histogram(runs, *, score="evaluation_return", last=1, bins=10):
    """Returns a figure of a bar for each range of scores, a panel for each game."""
    from jaxdqn.analysis import scores

    found = scores.final(runs, score=score, last=last)
    with style.look():
        figure, panels = style.panels(found.games, xlabel=style.score_name(score, None), ylabel="runs", title=None)
        for game, panel in panels.items():
            panel.hist([by_game[game] for by_game in found.values.values()], bins=bins)
    style.describe(figure, f"Bars: {style.score_name(score, None)} of {len(runs)} runs in {bins} bins.")
    return figure


BINS = Option("bins", "number of bars (default: 10)", "N", int)
FIGURE = Entry("how many runs have each score", (SCORE, LAST, BINS), histogram)
