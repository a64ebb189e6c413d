"""Words of messages: suggestions for a misspelled name, and counted nouns."""

import difflib
from collections.abc import Iterable


def did_you_mean(name: str, known: Iterable[str], prefix: str = "") -> str:
    """Returns a question for the end of an error message: `" Did you mean 'dqn' or 'c51'?"`.

    Args:
      name: a name that is not known.
      known: the known names. Those with a dotted path that ends in `name` are preferred: `optimizer.eps` for `eps`.
      prefix: is put before every suggested name.

    Returns:
      The question with a leading space and at most three names, or "" if no known name is similar.
    """
    known = list(known)
    ends = [path for path in known if path.endswith(f".{name}")]
    similar = ends or difflib.get_close_matches(name, known, n=3)
    names = [repr(prefix + one) for one in similar[:3]]
    return f" Did you mean {' or '.join(names)}?" if names else ""


def counted(number: int, noun: str) -> str:
    """Returns a number and its noun: `1 run`, `2,000 runs`. The plural adds an s, or es after ch."""
    plural = f"{noun}es" if noun.endswith("ch") else f"{noun}s"
    return f"{number:,} {noun if number == 1 else plural}"
