"""The entry of a figure in the table `FIGURES`: a line of help, its options as data, and the function that draws it.

`jaxdqn.commands.figure` turns the options into a parser. Help lists all figures, so that the files of figures import
NumPy, matplotlib and `jaxdqn.analysis` inside functions only: these take longer to import than all of help.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jaxdqn.analysis import statistics
from jaxdqn.figures import style


class Option(NamedTuple):
    """An option of a figure, `--name`. Its value is the argument `name` of the function that draws.

    Attributes:
      name: with underscores, which are dashes on the command line.
      help: one line; it says the default.
      metavar: what the value is, such as `N`.
      type: from a word of the command line to a value.
      choices: a table of the allowed values by name; the value is then that of the table.
      nargs: number of words, or `+` for one or more; None for one word that is no list.
      is_flag: whether the option has no value; it is then True where it is given.
      is_required: whether the figure cannot be drawn without it.
    """

    name: str
    help: str
    metavar: str | None = None
    type: Callable[[str], Any] = str
    choices: Mapping[str, Any] | None = None
    nargs: int | str | None = None
    is_flag: bool = False
    is_required: bool = False


class Output(NamedTuple):
    """What a figure is written as.

    Attributes:
      noun: `figure` or `table`.
      formats: suffixes of files.
      usual: the formats that are written by default.
      save: `(drawn, path without suffix, provenance, formats) -> paths`.
      text: `(drawn, provenance) -> text` that is printed.
    """

    noun: str
    formats: tuple[str, ...]
    usual: tuple[str, ...]
    save: Callable[[Any, Path, str, Sequence[str]], list[Path]]
    text: Callable[[Any, str], str]


DRAWING = Output(
    "figure", style.FORMATS, ("png", "svg"), style.save, lambda figure, facts: f"{figure.get_label()} {facts}"
)


class Entry(NamedTuple):
    """A figure of the table.

    Attributes:
      summary: what it shows, in one line.
      options: shared ones from below, and its own.
      draw: `(runs, **options) -> drawn`; options that are not given are left out. The command replaces `NORMALISE` by
        the argument `transform`, from scores of a game to scores on a scale that games share.
      output: what it is written as.
    """

    summary: str
    options: tuple[Option, ...]
    draw: Callable[..., Any]
    output: Output = DRAWING


SCORE = Option("score", "curve that scores are taken from (default: evaluation_return)", "CURVE")
LAST = Option("last", "number of its last points that are averaged in each run (default: 1)", "N", int)
STATISTIC = Option("statistic", "statistic over seeds (default: iqm)", choices=statistics.STATISTICS)
NORMALISE = Option(
    "normalise",
    "the scores that become 0 and 1: [GAME=]LOW:HIGH, each a number or the label of an arm; a CSV with the columns "
    "game,low,high; a JSON object with [low, high] for each game; or `human` for Atari",
    "BY",
    nargs="+",
)
BASE = Option("base", "label of the arm that the others are compared with", "LABEL", is_required=True)
FINAL = (SCORE, LAST)
FINAL_STATISTIC = (SCORE, LAST, STATISTIC, NORMALISE)
