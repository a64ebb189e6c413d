"""How a command ends that cannot be carried out: with one sentence, before any work is done."""

import contextlib
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


def printable(text: object) -> str:
    """Returns what a terminal may be shown of text that may come from outside: control characters are escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text))
