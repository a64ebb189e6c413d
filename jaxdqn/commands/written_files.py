"""The lines that a command prints about the figures and tables that it writes: a replaced file is called so."""

import glob
from collections.abc import Mapping
from pathlib import Path


def contents(path: Path) -> dict[Path, bytes]:
    """Returns the files whose path begins with a path, with their content, before a command writes them."""
    files = path.parent.glob(f"{glob.escape(path.name)}*")
    return {file: file.read_bytes() for file in files if file.is_file()}


def line(noun: str, file: Path, before: Mapping[Path, bytes]) -> str:
    """Returns a line about a written file; it says whether the file has replaced one of other content."""
    is_replaced = file in before and file.read_bytes() != before[file]
    return f"{noun:<7} {file}{' (replaced)' if is_replaced else ''}"
