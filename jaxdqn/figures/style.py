"""The look, layout and saving of figures.

Sizes are those of print: a figure of one panel fits a column of 3.5 inches, and three panels fit a page of 7 inches.
Algorithms differ in colour, line and marker, so that a grey copy can still be read.

pyplot is not used: figures are objects, drawn by Agg, and settings of matplotlib change only inside `look`.
"""

import io
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:  # matplotlib takes half a second to import, so that functions do it
    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Line = tuple["np.ndarray", "np.ndarray"]  # steps and scores of a curve, `[P]` each

FORMATS = ("png", "svg", "pdf")

# Okabe and Ito (2008), "Color Universal Design", darkest contrast first; their yellow is too faint for a line on white
# and has given way to a grey.
_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8C8C8C")
_LINES: tuple[Any, ...] = (
    "solid",
    (0, (5, 1.5)),
    (0, (1, 1)),
    (0, (5, 1.5, 1, 1.5)),
    (0, (9, 2)),
    (0, (3, 1, 1, 1, 1, 1)),
    (0, (2, 1)),
    (0, (8, 1.5, 2, 1.5)),
)
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "p")
_REFERENCE_LINES: tuple[Any, ...] = ((0, (4, 3)), (0, (1, 2)), (0, (6, 2, 1, 2)))

_WIDTHS = {1: 3.5, 2: 5.0, 3: 7.0}  # inches, by panels in a row
_PANEL_HEIGHT = 1.9  # inches
_CAPTION_SIZE = 6.0  # points
_TITLE_LETTERS = 36  # in a line of 8 points above a panel
_LOOK: dict[Any, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so that a figure is the same everywhere
    "font.size": 8.0,
    "axes.titlesize": 8.0,
    "axes.labelsize": 8.0,
    "figure.titlesize": 9.0,
    "xtick.labelsize": 7.0,
    "ytick.labelsize": 7.0,
    "legend.fontsize": 7.0,
    "legend.frameon": False,
    "legend.handlelength": 3.2,  # long enough to tell dashes apart
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E6E6E6",
    "grid.linewidth": 0.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "lines.linewidth": 1.2,
    "lines.markersize": 3.5,
    "svg.hashsalt": "jaxdqn",  # element names in an SVG are otherwise random
    "svg.fonttype": "path",
}


class Style(NamedTuple):
    """The look of an algorithm: a colour, and for grey print a dash pattern and a marker."""

    color: str
    line: Any
    marker: str


def styles(labels: Iterable[str], order: Sequence[str] = ()) -> dict[str, Style]:
    """Returns a style for each label, in the order of the legend: first those of `order`, then by first appearance.

    The first eight differ in colour; later ones repeat a colour with another line and marker. Two figures of
    different algorithms use the same colours if both are given the same order.
    """
    present = list(dict.fromkeys(labels))
    ordered = list(dict.fromkeys([*order, *present]))

    def style(index: int) -> Style:
        shifted = (index + index // len(_COLORS)) % len(_LINES)
        return Style(_COLORS[index % len(_COLORS)], _LINES[shifted], _MARKERS[shifted])

    return {label: style(index) for index, label in enumerate(ordered) if label in present}


@contextmanager
def look() -> Iterator[None]:
    """Applies the look to figures created or drawn inside, and restores the settings of matplotlib."""
    import matplotlib

    with matplotlib.rc_context(_LOOK):
        yield


def panels(names: Sequence[str], *, xlabel: str, ylabel: str, title: str | None) -> "tuple[Figure, dict[str, Axes]]":
    """Returns a figure with one panel for each name, at most three in a row, and its axes by name.

    To be called in `look`.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = len(names) if len(names) <= 3 else 2 if len(names) == 4 else 3
    rows = -(-len(names) // columns)
    figure = Figure(figsize=(_WIDTHS[columns], 0.4 + _PANEL_HEIGHT * rows), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    axes = {}
    for index, (name, panel) in enumerate(zip_longest(names, grid)):
        if name is None:
            panel.remove()
            continue
        panel.set_title(textwrap.fill(name, _TITLE_LETTERS))
        if index % columns == 0:
            panel.set_ylabel(ylabel)
        if index + columns >= len(names):  # nothing below it
            panel.set_xlabel(xlabel)
        axes[name] = panel
    if title is not None:
        figure.suptitle(title)
    return figure, axes


def count_axis(panel: "Axes") -> None:
    """Makes the horizontal axis an axis of counts: it starts at zero and has few, readable ticks."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    panel.set_xlim(left=0)
    panel.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))
    panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: readable(value)))


def readable(count: float) -> str:
    """Returns a short text for a count: 500, 10k, 2.5M."""
    for unit, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(count) >= unit:
            return f"{count / unit:g}{letter}"
    return f"{count:g}"


def averaged(last: int) -> str:
    """Returns the definition of the score of a run, for the label of a figure."""
    return "its last evaluation" if last == 1 else f"the mean of its last {last} evaluations"


def score_name(score: str, transform: object) -> str:
    """Returns the name of a score for an axis: `evaluation return`, `normalised evaluation return`."""
    words = score.replace("_", " ")
    return words if transform is None else f"normalised {words}"


def describe(figure: "Figure", *sentences: str) -> None:
    """Makes these sentences the label of a figure, which `save` puts into its caption; empty ones are left out."""
    figure.set_label(" ".join(filter(None, sentences)))


def draw_references(
    panels: "Mapping[str, Sequence[Axes]]", values: Mapping[str, Mapping[str, float]]
) -> dict[str, Any]:
    """Draws grey horizontal lines, and returns one line of each label for the legend. To be called in `look`.

    Args:
      panels: by game; a game may have none.
      values: by game, values by label.

    Raises:
      ValueError: if a game has no panels.
    """
    _check_games("reference lines", values, panels)
    lines: dict[str, Any] = {}
    labels = dict.fromkeys(label for game in panels for label in values.get(game, {}) if panels[game])
    for index, label in enumerate(labels):
        dashes = _REFERENCE_LINES[index % len(_REFERENCE_LINES)]
        for game, of_game in panels.items():
            for panel in of_game if label in values.get(game, {}) else ():
                height = values[game][label]
                lines[label] = panel.axhline(height, color="#606060", linewidth=0.9, linestyle=dashes, zorder=1.5)
    return lines


def draw_published(
    panels: "Mapping[str, Sequence[Axes]]", curves: "Mapping[str, Mapping[str, Line]]"
) -> dict[str, Any]:
    """Draws grey curves, and returns one line of each label for the legend. To be called in `look`.

    Args:
      panels: by game; a game may have none.
      curves: by game, steps and scores `[P]` by label.

    Raises:
      ValueError: if a game has no panels.
    """
    _check_games("published curves", curves, panels)
    labels = list(dict.fromkeys(label for of_game in curves.values() for label in of_game))
    lines: dict[str, Any] = {}
    for game, of_game in curves.items():
        for label, (steps, scores) in of_game.items():
            dashes = _REFERENCE_LINES[labels.index(label) % len(_REFERENCE_LINES)]
            for panel in panels[game]:
                (lines[label],) = panel.plot(steps, scores, color="#303030", linewidth=1.1, linestyle=dashes)
    return {label: lines[label] for label in labels if label in lines}


def _check_games(kind: str, games: Iterable[str], panels: Iterable[str]) -> None:
    unknown = sorted(set(games) - set(panels))
    if unknown:
        raise ValueError(f"There are {kind} for {unknown}, which have no runs: the games are {sorted(panels)}.")


def legend(figure: "Figure", handles: Mapping[str, Any]) -> None:
    """Adds one legend below all panels, in as many columns as fit, and makes the figure higher for it."""
    longest = max(len(label) for label in handles)
    entry = 0.055 * longest + 0.58  # inches: letters of 7 points, and the line before them
    columns = max(1, min(len(handles), int(figure.get_figwidth() / entry)))
    rows = -(-len(handles) // columns)
    room = (10.5 * rows + 10.0) / 72  # inches: a line of 7 points with its spacing is 10.5 high
    height = figure.get_figheight() + room
    figure.set_figheight(height)
    figure.set_layout_engine("constrained", rect=(0.0, room / height, 1.0, 1.0 - room / height))
    # A legend of `loc="outside ..."` would move with the box that `save` enlarges for the caption; this one does not.
    figure.legend(
        list(handles.values()),
        list(handles),
        loc="lower center",
        ncols=columns,
        bbox_to_anchor=(0.0, 0.0, 1.0, 1.0),
        bbox_transform=figure.transFigure,
    )


def save(figure: "Figure", path: str | Path, provenance: str, formats: Sequence[str] = ("png", "svg")) -> list[Path]:
    """Writes a figure, by default as PNG (200 dots an inch) and SVG, and returns the paths.

    The caption is the label of the figure, which explains it, and the provenance. It is below the figure and in the
    metadata of the files. Equal figures give equal files. Existing files are replaced: they can be drawn again.

    Args:
      figure: from a function of `jaxdqn.figures`; it is not changed.
      path: without suffix; missing folders are made.
      provenance: from `jaxdqn.figures.captions.provenance`.
      formats: of `FORMATS`; each is a file with that suffix.

    Raises:
      ValueError: if the path has a suffix of `FORMATS`, or a format is not known.
    """
    from jaxdqn.store import files

    path = Path(path)
    if path.suffix.removeprefix(".") in FORMATS:
        raise ValueError(f"{path} has a suffix: give the path without it; each format adds its own.")
    if not set(formats) <= set(FORMATS):
        raise ValueError(f"formats = {formats} has an unknown format: choose among {', '.join(FORMATS)}.")
    description = " ".join(filter(None, [str(figure.get_label()), provenance]))
    metadata: dict[str, dict[str, Any]] = {
        "png": {"Title": path.name, "Description": description},
        "svg": {"Title": path.name, "Description": description, "Date": None},  # a date would change every file
        "pdf": {"Title": path.name, "Subject": description, "CreationDate": None},
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with look():
        width = int(
            figure.get_figwidth() * 72 / (0.56 * _CAPTION_SIZE)
        )  # letters in a line: a letter is about half as wide as high
        below = -0.05 / figure.get_figheight()
        caption = figure.text(
            0.01, below, textwrap.fill(description, width), ha="left", va="top", fontsize=_CAPTION_SIZE, color="#404040"
        )
        try:
            # The caption is below the figure; the tight bounding box includes it.
            drawn = {suffix: _draw(figure, suffix, metadata[suffix]) for suffix in dict.fromkeys(formats)}
        finally:
            caption.remove()
    paths = {suffix: path.with_name(f"{path.name}.{suffix}") for suffix in drawn}
    for suffix, content in drawn.items():
        files.replace(paths[suffix], content)
    return list(paths.values())


def _draw(figure: "Figure", suffix: str, metadata: Mapping[str, Any]) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(
        buffer, format=suffix, dpi=200, metadata=metadata, bbox_inches="tight", pad_inches=0.04, facecolor="white"
    )
    return buffer.getvalue()
