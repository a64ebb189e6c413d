"""Errors of commands: one sentence and an exit status instead of a traceback."""

import contextlib
import errno
import os
import sys
from collections.abc import Iterator

_REMEDIES = {
    errno.EACCES: "choose a folder or file that you may read and write, such as with --out",
    errno.EPERM: "choose a folder or file that you may read and write, such as with --out",
    errno.EROFS: "choose a folder that can be written, with --out",
    errno.ENOENT: "correct the path",
    errno.ENOTDIR: "a part of this path is a file: choose a folder",
    errno.EISDIR: "choose a file",
    errno.ENAMETOOLONG: "choose a shorter name, such as with --name",
    errno.ENOSPC: "free some space, or choose a folder on another disk with --out",
    errno.EDQUOT: "free some space, or choose a folder on another disk with --out",
    errno.EMFILE: "allow more open files (ulimit -n)",
}


@contextlib.contextmanager
def one_sentence() -> Iterator[None]:
    """Converts errors of the input into one sentence and exit status 2. Only for code that does no long work."""
    try:
        with system_errors_as_sentences():
            yield
    except ValueError as error:
        print(f"error: {printable(error)}", file=sys.stderr)
        raise SystemExit(2) from None


@contextlib.contextmanager
def system_errors_as_sentences() -> Iterator[None]:
    """Converts errors of the operating system, such as a full disk, into one sentence and exit status 2."""
    try:
        yield
    except BrokenPipeError:  # the reader of the output has closed the pipe: `ends_quietly`
        raise
    except OSError as error:
        print(f"error: {printable(sentence_of(error))}", file=sys.stderr)
        raise SystemExit(2) from None


def sentence_of(error: OSError) -> str:
    """Returns a sentence with the path of an error of the operating system, the reason and a remedy."""
    if error.errno is None or error.strerror is None:
        return str(error)
    where = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes | os.PathLike) else ""
    remedy = _REMEDIES.get(error.errno, "choose another folder or file")
    return f"{where}{error.strerror[0].lower()}{error.strerror[1:]}: {remedy}."


@contextlib.contextmanager
def ends_quietly() -> Iterator[None]:
    """Ends a command without a traceback if it is interrupted, or if the reader of its output closes the pipe."""
    try:
        yield
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        raise SystemExit(130) from None
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # otherwise Python prints an error at exit
        raise SystemExit(1) from None


def printable(text: object) -> str:
    """Returns text with control characters escaped. A terminal would obey control characters in data from outside."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text))
