"""Words of messages: unknown names with suggestions, and counted nouns."""

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


def not_known(sentence: str, name: str, known: Iterable[str], prefix: str = "") -> str:
    """Returns an error message: `"no algorithm is called 'dnq'. Did you mean 'dqn'? Use one of dqn, c51."`.

    Args:
      sentence: its beginning, such as "no algorithm is called".
      name, known, prefix: as in `did_you_mean`.
    """
    known = list(known)
    return f"{sentence} {name!r}.{did_you_mean(name, known, prefix)} Use one of {', '.join(known)}."


def counted(number: int, noun: str) -> str:
    """Returns a number and its noun: `1 run`, `2,000 runs`. The plural adds an s, or es after ch."""
    plural = f"{noun}es" if noun.endswith("ch") else f"{noun}s"
    return f"{number:,} {noun if number == 1 else plural}"
