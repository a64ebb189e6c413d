"""Tables of text that fit the width of the terminal: 80 columns where there is none."""

import re
import shutil
from collections.abc import Sequence
from itertools import zip_longest

_GAP = "  "
# A word, or a part of one that ends with `_` or with a sign in the name of a game, and the space behind it.
_PIECE = re.compile(r"(?:[^\s_:?&|]+[_:?&|]*|[_:?&|]+)\s*")
_NARROWEST = 6  # characters of a column that is wrapped


def width() -> int:
    """Returns the columns of the terminal, or 80."""
    return shutil.get_terminal_size().columns


def table(rows: Sequence[Sequence[str]], columns: int | None = None) -> str:
    """Returns rows of cells as lines with aligned columns; the first row is the heading.

    Columns of numbers are aligned to the right. If the lines are too long, columns with nothing but `-` are left out,
    and the widest columns are wrapped.

    Args:
      rows: the cells.
      columns: length of a line; None is the width of the terminal.
    """
    columns = width() if columns is None else columns
    if sum(_natural(rows)) + len(_GAP) * (len(rows[0]) - 1) > columns:
        filled = [set(column) != {"-"} for column in zip(*rows[1:], strict=True)] or [True] * len(rows[0])
        rows = [[cell for cell, is_filled in zip(row, filled, strict=True) if is_filled] for row in rows]
    widths = _widths(rows, columns - len(_GAP) * (len(rows[0]) - 1))
    is_number = [_holds_numbers(column) for column in zip(*rows[1:], strict=True)] or [False] * len(widths)
    lines = []
    for row in rows:
        cells = [_wrapped(cell, wide) for cell, wide in zip(row, widths, strict=True)]
        for parts in zip_longest(*cells, fillvalue=""):
            aligned = zip(parts, widths, is_number, strict=True)
            lines.append(_GAP.join(part.rjust(w) if right else part.ljust(w) for part, w, right in aligned).rstrip())
    return "\n".join(lines)


def markdown_fitted(text: str, columns: int | None = None) -> str:
    """Returns a text with its Markdown tables as tables of `table`; other lines are unchanged."""
    lines: list[str] = []
    rows: list[list[str]] = []
    for line in [*text.split("\n"), ""]:
        if line.startswith("|"):
            cells = re.split(r"(?<!\\)\|", line.strip("|"))  # a `\|` is a part of a cell
            rows.append([cell.strip().replace("\\|", "|") for cell in cells])
            continue
        if rows:
            lines.append(table([row for row in rows if set("".join(row)) - set("-: ")], columns))
            rows = []
        lines.append(line)
    return "\n".join(lines[:-1])


def _widths(rows: Sequence[Sequence[str]], columns: int) -> list[int]:
    """Returns the widths of columns: of their longest cell, or less if these do not fit.

    The widest columns become narrower, first down to their longest word. If that is not enough, words are broken, those
    of the first column last, because it often holds names that are copied.
    """
    widths = _natural(rows)
    words = [_longest_piece(column) for column in zip(*rows, strict=True)]
    narrow = [min(_NARROWEST, word) for word in words]
    for least in (words, [words[0], *narrow[1:]], narrow):
        while sum(widths) > columns:
            room = [wide - smallest for wide, smallest in zip(widths, least, strict=True)]
            if max(room) <= 0:
                break
            widest = max((index for index in range(len(widths)) if room[index] > 0), key=widths.__getitem__)
            widths[widest] -= 1
    return widths


def _natural(rows: Sequence[Sequence[str]]) -> list[int]:
    """Returns the length of the longest cell of each column."""
    return [max(map(len, column)) for column in zip(*rows, strict=True)]


def _longest_piece(column: Sequence[str]) -> int:
    return max((len(piece.rstrip()) for cell in column for piece in _PIECE.findall(cell)), default=0)


def _wrapped(cell: str, wide: int) -> list[str]:
    """Returns a cell as lines of at most this width, broken between words, after `_:?&|`, or else anywhere."""
    lines = [""]
    for piece in _PIECE.findall(cell):
        if len(lines[-1]) + len(piece.rstrip()) > wide and lines[-1]:
            lines.append("")
        while len(piece.rstrip()) > wide:
            lines[-1:] = [piece[:wide], ""]
            piece = piece[wide:]
        lines[-1] += piece
    return [line.rstrip() for line in lines]


def _holds_numbers(column: Sequence[str]) -> bool:
    """Returns whether the cells of a column are numbers, some with a unit; some may be empty or `-`."""
    filled = [cell for cell in column if cell not in ("", "-")]
    return bool(filled) and all(_is_number(cell) for cell in filled)


def _is_number(cell: str) -> bool:
    """Returns whether a cell holds a number, or a number with its unit."""
    try:
        float(cell.split(" ")[0].replace(",", ""))
    except ValueError:
        return False
    return True
