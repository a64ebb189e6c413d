"""Errors of commands: one sentence and an exit status instead of a traceback."""

import contextlib
import os
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def one_sentence() -> Iterator[None]:
    """Converts errors of the input into one sentence and exit status 2. Only for code that does no long work."""
    try:
        yield
    except BrokenPipeError:  # not the user's error: `ends_quietly` ends the command
        raise
    except (ValueError, OSError) as error:
        print(f"error: {printable(error)}", file=sys.stderr)
        raise SystemExit(2) from None


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
