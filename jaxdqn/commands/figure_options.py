"""What `jaxdqn figure` understands. Nothing is imported here that takes time, so that help comes at once."""

import argparse
import pathlib
from typing import Any, NamedTuple

from jaxdqn.figures.style import FORMATS as FIGURE_FORMATS

SUMMARY = "draw or tabulate a comparison from stored runs"
DESCRIPTION = """\
Draws one figure of the runs of a study, or tabulates them, with 95 % stratified bootstrap intervals over seeds. Nothing
is run. Runs of several protocols (budget, evaluation, versions) are refused; runs that crashed are left out and said to
be; a run that diverged counts as the worst return of its game.
"""


class Kind(NamedTuple):
    """A kind of figure: what it shows, and the options it has beside those of all."""

    summary: str
    options: tuple[str, ...]


_FINAL = ("score", "last")
KINDS = {
    "curves": Kind("a statistic over seeds along training, one panel a game", ("score", "statistic", "normalise")),
    "efficiency": Kind("an aggregate over all games along training", ("score", "statistic", "normalise")),
    "intervals": Kind("final scores, all games together and each", (*_FINAL, "statistic", "normalise")),
    "aggregates": Kind("median, IQM, mean and optimality gap over all games", (*_FINAL, "normalise")),
    "profile": Kind("the share of runs above each score", (*_FINAL, "normalise")),
    "improvement": Kind("how often a run beats one of --base", (*_FINAL, "base")),
    "paired": Kind("differences to --base, seed by seed", (*_FINAL, "statistic", "normalise", "base")),
    "ablation": Kind("differences to --base as bars", (*_FINAL, "statistic", "normalise", "base")),
    "sensitivity": Kind("final scores against one --field", (*_FINAL, "statistic", "normalise", "field")),
    "heatmap": Kind("final scores over two values of --field", (*_FINAL, "statistic", "normalise", "field")),
    "seeds": Kind("how many seeds an interval of a --width needs", (*_FINAL, "statistic", "normalise", "width")),
    "table": Kind("final scores, the best in bold", (*_FINAL, "statistic", "normalise", "lower_is_better")),
}
TABLE_FORMATS = ("md", "tex", "csv")
SPECIFIC = ("score", "last", "statistic", "normalise", "base", "field", "width", "lower_is_better")

_KINDS = "\n".join(f"  {name:<13} {kind.summary}" for name, kind in KINDS.items())
EPILOG = f"""\
kinds, and what they show:
{_KINDS}

examples:
  jaxdqn figure results/classic_control curves
  jaxdqn figure results/classic_control profile --normalise cartpole=0:475 acrobot=-500:-100 mountain_car=-200:-110
  jaxdqn figure results/classic_control efficiency --normalise references.csv --statistic iqm
  jaxdqn figure results/classic_control improvement --base DQN --last 5
  jaxdqn figure results/mountain_car ablation --base strong
  jaxdqn figure results/mountain_car seeds --width 20
  jaxdqn figure results/learning_rate sensitivity --field learning_rate --games cartpole
  jaxdqn figure results/overestimation table --score value_error --lower-is-better --format tex
"""


def add_figure(commands: Any) -> None:
    """Adds the command `figure` to what `argparse.ArgumentParser.add_subparsers` returned."""
    parser = commands.add_parser(
        "figure",
        help=SUMMARY,
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "study", type=pathlib.Path, metavar="STUDY", help="results/NAME, or the script of an experiment"
    )
    parser.add_argument("kind", choices=KINDS, metavar="KIND", help="what to show, see below")
    which = parser.add_argument_group("which runs (default: all)")
    which.add_argument("--games", nargs="+", metavar="NAME", help="only those of these games")
    which.add_argument("--arms", nargs="+", metavar="LABEL", help="only those of these algorithms; also their order")
    what = parser.add_argument_group("what is compared (a kind refuses what it has no use for)")
    what.add_argument("--score", metavar="CURVE", help="the curve (default: evaluation_return)")
    what.add_argument("--last", type=int, metavar="N", help="points at its end that are averaged in a run (default: 1)")
    what.add_argument(
        "--statistic",
        choices=("iqm", "mean", "median"),
        help="over seeds (default: iqm; of differences, mean)",
    )
    what.add_argument(
        "--normalise",
        nargs="+",
        metavar="BY",
        help="what becomes 0 and 1: [GAME=]LOW:HIGH, each a number or the label of an arm; a CSV with the columns "
        "game,low,high; a JSON object with [low, high] for each game; or `human` for Atari",
    )
    what.add_argument("--base", metavar="LABEL", help="the algorithm that the others are compared to")
    what.add_argument("--field", nargs="+", metavar="PATH", help="dotted settings, such as exploration.epsilon")
    what.add_argument("--width", type=float, metavar="W", help="of the interval that is wanted, in units of the score")
    what.add_argument("--lower-is-better", action="store_const", const=True, help="as for an error")
    where = parser.add_argument_group("where it is written (default: figures/KIND in the folder of the study)")
    where.add_argument("--out", type=pathlib.Path, metavar="FILE", help="another file; the suffix says the format")
    where.add_argument(
        "--format",
        nargs="+",
        choices=(*FIGURE_FORMATS, *TABLE_FORMATS),
        metavar="F",
        help="of a figure png, svg, pdf (default: png svg); of a table md, tex, csv (default: md)",
    )
