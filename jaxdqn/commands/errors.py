"""How a command ends that cannot be carried out: with one sentence, before any work is done."""

import contextlib
import os
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def one_sentence() -> Iterator[None]:
    """Turns what is wrong with the input into one sentence and exit status 2; for code that does no work yet."""
    try:
        yield
    except (ValueError, OSError) as error:
        print(f"error: {printable(error)}", file=sys.stderr)
        raise SystemExit(2) from None


@contextlib.contextmanager
def ends_quietly() -> Iterator[None]:
    """Ends a command without a traceback where a person interrupts it, or who reads its output has seen enough."""
    try:
        yield
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        raise SystemExit(130) from None
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python complains when it ends
        raise SystemExit(1) from None


def printable(text: object) -> str:
    """Returns what a terminal may be shown of text that may come from outside: control characters are escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text))
