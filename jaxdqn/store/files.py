"""Writes files completely or not at all, even if the writer is interrupted."""

import os
import secrets
import time
from collections.abc import Callable, Iterable
from pathlib import Path

# Seconds. A write takes less than one second, so no process still writes a temporary file of that age.
_DAY = 24 * 60 * 60


Stamp = tuple[int, int, int]  # inode, time of change, size


def write_new(path: Path, content: bytes | Iterable[bytes]) -> None:
    """Creates a file with this content, durably and in one step, by a hard link to a finished temporary file.

    Args:
      path: the new file.
      content: the bytes, or an iterable of pieces that need not fit in memory together.

    Raises:
      FileExistsError: the file exists; it stays as it is.
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
    """Creates or replaces a file in one step; a reader sees the old content or the new one, never a mixture.

    Args:
      path: the file.
      content: the bytes, or an iterable of pieces that need not fit in memory together.
      check: reads the finished temporary file; if it raises an error, the earlier file stays.
    """
    temporary = _write_temporary(path, content)
    try:
        check(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    _flush_folder(path.parent)


def beside(folder: Path, suffix: str) -> Path:
    """Returns the path of a file next to a folder: the folder's name with a suffix. "." has the name it resolves to."""
    named = folder if folder.name not in ("", "..") else folder.resolve()
    return named.with_name(f"{named.name}{suffix}")


def remove_old_temporaries(folder: Path) -> None:
    """Removes the temporary files of interrupted writers that are a day old."""
    for temporary in folder.glob(".*.tmp"):
        if is_abandoned(temporary):
            temporary.unlink(missing_ok=True)  # another process may have removed it


def is_abandoned(path: Path) -> bool:
    """Returns whether a file is a day old, so that no process still writes it; False if it does not exist."""
    try:
        return path.stat().st_mtime < time.time() - _DAY
    except FileNotFoundError:  # its writer, or another process, removed it
        return False


def stamp_of(status: os.stat_result) -> Stamp:
    """Returns what changes if a file is replaced: a cache of its content is valid while its stamp is the same."""
    return status.st_ino, status.st_mtime_ns, status.st_size


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
    descriptor = os.open(folder, os.O_RDONLY)  # the name of a new file is durable only after its folder is
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
