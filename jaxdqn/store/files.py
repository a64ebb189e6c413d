"""Files that appear whole under their name or not at all, whatever interrupts the writer."""

import os
import secrets
import time
from collections.abc import Callable, Iterable
from pathlib import Path

_DAY = 24 * 60 * 60  # seconds; a write takes less than one, so a temporary file of that age belongs to nobody


def write_new(path: Path, content: bytes | Iterable[bytes]) -> None:
    """Puts content under a name, at once and durably, by a hard link to a finished temporary file.

    Args:
      path: the name.
      content: whole, or in pieces that need not fit in memory together.

    Raises:
      FileExistsError: if the name is taken; the file that has it stays as it is.
    """
    temporary = _write_temporary(path, content)
    try:
        os.link(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    _flush_folder(path.parent)


def replace(
    path: Path, content: bytes | Iterable[bytes], check: Callable[[Path], None] = lambda temporary: None
) -> None:
    """Puts content under a name as `write_new`, in place of the earlier file; no reader sees a mixture of the two.

    Args:
      path: the name.
      content: whole, or in pieces that need not fit in memory together.
      check: reads the finished temporary file; if it raises, the earlier file stays.
    """
    temporary = _write_temporary(path, content)
    try:
        check(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    _flush_folder(path.parent)


def remove_old_temporaries(folder: Path) -> None:
    """Removes what interrupted writers left in a folder, once it is a day old."""
    for temporary in folder.glob(".*.tmp"):
        if is_abandoned(temporary):
            temporary.unlink(missing_ok=True)  # another one cleaning up may be quicker


def is_abandoned(path: Path) -> bool:
    """Returns whether what somebody has begun to write is a day old, so that nobody goes on with it."""
    try:
        return path.stat().st_mtime < time.time() - _DAY
    except FileNotFoundError:  # its writer, or another one cleaning up, was quicker
        return False


def _write_temporary(path: Path, content: bytes | Iterable[bytes]) -> Path:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    with open(temporary, "xb") as file:
        try:
            file.writelines([content] if isinstance(content, bytes) else content)
            file.flush()
            os.fsync(file.fileno())
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    return temporary


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)  # a new name is durable when its folder is
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
