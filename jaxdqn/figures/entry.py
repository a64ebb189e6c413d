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
      type: a function that converts a word of the command line to the value of the option.
      choices: the allowed words, each with the value that it stands for; None allows any word.
      nargs: number of words, or `+` for one or more; the value is then a list. None means one word and no list.
      is_flag: whether the option takes no word. Its value is True if the option is given.
      is_required: whether the option must be given.
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
    """The file formats of a figure or table, and the functions that write it.

    Attributes:
      noun: the word for it in messages: `figure` or `table`.
      formats: all formats it can be written in, as suffixes of files without the dot, such as `png`.
      usual: the formats that are written by default.
      save: `(drawn, path without suffix, provenance, formats) -> paths`; writes one file for each format. `drawn` is
        what `Entry.draw` returned; `provenance` is the sentence about the runs in the caption.
      text: `(drawn, provenance) -> str`, the text that the command prints.
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
      summary: what the figure shows, in one line.
      options: the options of the figure: those that figures share, such as `SCORE`, and those of this figure only.
      draw: `(runs, **options) -> drawn`, a figure or a table. Options that the user does not give are not passed. If
        the option `NORMALISE` is listed, the command passes `transform` instead: a function from scores of a game to
        normalised scores (`jaxdqn.analysis.normalise.Transform`).
      output: the file formats, and the functions that write the figure or the table.
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
