import io
import re

import numpy as np
import pytest

from jaxdqn.play import terminal
from jaxdqn.play.episodes import Moment
from tests.helpers import trained


class Terminal(io.StringIO):
    """A stream that reports to be a terminal."""

    def isatty(self):
        return True


def screen(written):
    """Returns the lines that a terminal shows after this output; it supports only the codes that `live` uses."""
    lines, row = [""], 0
    for text, up, clear in re.findall(r"([^\x1b]+)|\x1b\[(\d+)A|\x1b\[(?:(J)|[\d;]+m|0m)", written):
        if up:
            row -= int(up)
        if clear:
            lines[row:] = [""]
        for part in text.splitlines(keepends=True):
            if row == len(lines):
                lines.append("")
            lines[row] = part.rstrip("\n")
            row += part.endswith("\n")
    return lines


def moments(number):
    """Returns the moments of an episode in which a cell moves from left to right."""
    rows = [trained.colours(*(0 if column == step else 255 for column in range(4))) for step in range(number + 1)]
    return [Moment(step, 0.5 * step, step == number, lambda row=row: row) for step, row in enumerate(rows)]


def test_a_cell_has_the_nearest_of_a_terminals_colours():
    colours = [(38, 38, 38), (255, 255, 175), (0, 0, 0), (255, 255, 255), (255, 0, 0), (9, 9, 9), (90, 140, 180)]
    text = terminal.coloured(np.array([colours], np.uint8))
    assert re.findall(r"48;5;(\d+)m", text) == ["235", "229", "16", "231", "196", "232", "67"]


def test_a_coloured_cell_is_two_characters_wide():
    text = terminal.coloured(np.concatenate([trained.colours(38, 255), trained.colours(255, 38)]))
    dark, bright = "\x1b[48;5;235m  ", "\x1b[48;5;231m  "
    assert text == f"{dark}{bright}\x1b[0m\n{bright}{dark}\x1b[0m\n"


def test_plain_characters_mark_cells_that_differ_from_the_most_common_colour():
    image = np.concatenate([trained.colours(200, 200, 38), trained.colours(110, 200, 255)])
    assert terminal.plain(image) == "..#\n*.o\n"


def test_a_live_board_is_drawn_over_the_previous_one_and_cleared_at_the_end():
    stream = Terminal()
    show = terminal.live(stream, delay=0.0)
    for episode in range(2):
        for moment in moments(3):
            show(episode, moment)
        stream.write(f"episode {episode}\n")
    assert [line for line in screen(stream.getvalue()) if line] == ["episode 0", "episode 1"]
    assert stream.getvalue().count("\x1b[48;5;16m") == 2 * 4  # the cell is shown in each moment


@pytest.mark.parametrize(("only_first", "expected"), [(True, 1), (False, 2)])
def test_plain_boards_follow_each_other_with_their_step_and_return(only_first, expected):
    stream = io.StringIO()
    show = terminal.boards(stream, only_first=only_first)
    for episode in range(2):
        for moment in moments(2):
            show(episode, moment)
    one = "step 0, return 0\n#...\n\nstep 1, return 0.5\n.#..\n\nstep 2, return 1\n..#.\n\n"
    assert stream.getvalue() == one * expected


@pytest.mark.parametrize(
    ("stream", "variables", "expected"),
    [
        (Terminal(), {}, True),
        (Terminal(), {"NO_COLOR": "1"}, False),
        (Terminal(), {"NO_COLOR": ""}, True),
        (Terminal(), {"TERM": "dumb"}, False),
        (io.StringIO(), {}, False),
    ],
)
def test_only_a_terminal_with_colour_is_live(monkeypatch, stream, variables, expected):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert terminal.is_live(stream) == expected
