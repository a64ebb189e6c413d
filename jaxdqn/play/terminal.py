"""Prints boards in a terminal: redrawn in place in colour, or one below the other in plain characters."""

import functools
import os
import time
from collections.abc import Callable
from typing import TextIO

import numpy as np

from jaxdqn.play.episodes import Moment

Show = Callable[[int, Moment], None]  # (number of an episode, moment of it) -> None

CLEAR = "\x1b[J"  # clears from the cursor to the end of the screen
_MARKS = "#*+o"  # marks of cells from dark to bright


def is_live(stream: TextIO) -> bool:
    """Returns whether a stream is a terminal that can be redrawn in place, in colour (no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def live(stream: TextIO, delay: float) -> Show:
    """Returns a function that draws each moment over the previous one and clears the board at the end of an episode.

    Args:
      stream: a terminal.
      delay: seconds for which a moment is shown; the last one of an episode is shown four times as long.
    """

    def show(episode: int, moment: Moment) -> None:
        del episode
        board = coloured(moment.render())
        back = f"\x1b[{board.count(chr(10))}A"
        stream.write(board if moment.steps == 0 else back + board)
        stream.flush()
        time.sleep(4 * delay if moment.ended else delay)
        if moment.ended:
            stream.write(back + CLEAR)

    return show


def boards(stream: TextIO, *, only_first: bool) -> Show:
    """Returns a function that writes each moment in plain characters, for every episode or only the first."""

    def show(episode: int, moment: Moment) -> None:
        if episode == 0 or not only_first:
            stream.write(f"step {moment.steps}, return {moment.total:g}\n{plain(moment.render())}\n")

    return show


def coloured(image: np.ndarray) -> str:
    """Returns an image, uint8 `[height, width, 3]`, as lines of coloured cells that are two characters wide."""
    lines = ("".join(f"{_background(*colour)}  " for colour in row) for row in image.tolist())
    return "".join(f"{line}\x1b[0m\n" for line in lines)


def plain(image: np.ndarray) -> str:
    """Returns an image as lines of characters: a dot for the most common colour, marks by brightness for the others."""
    colours, index, count = np.unique(image.reshape(-1, 3), axis=0, return_inverse=True, return_counts=True)
    marks = [_MARKS[int(brightness) * len(_MARKS) // 256] for brightness in colours.mean(axis=1)]
    marks[int(count.argmax())] = "."
    return "".join("".join(marks[cell] for cell in row) + "\n" for row in index.reshape(image.shape[:2]))


@functools.cache
def _background(red: int, green: int, blue: int) -> str:
    """Returns the code that makes the nearest of a terminal's 256 colours the background."""
    from rich.color import Color, ColorSystem

    codes = Color.from_rgb(red, green, blue).downgrade(ColorSystem.EIGHT_BIT).get_ansi_codes(foreground=False)
    return f"\x1b[{';'.join(codes)}m"
