"""Words of messages: unknown names with suggestions, errors in one line, and counted nouns."""

import difflib
from collections.abc import Iterable

from jaxdqn import other_names


def did_you_mean(name: str, known: Iterable[str], prefix: str = "") -> str:
    """Returns a question for the end of an error message: `" Did you mean 'dqn' or 'c51'?"`.

    Args:
      name: a name that is not known. Upper case and `-` for `_` do not count.
      known: the known names. The one that means the same as `name` in another library is preferred, `learning_rate` for
        `lr`; then those with a dotted path that ends in `name`, `optimizer.eps` for `eps`.
      prefix: is put before every suggested name.

    Returns:
      The question with a leading space and at most three names, or "" if no known name is similar.
    """
    known = {other_names.key(one): one for one in known}
    wanted = other_names.key(name)
    same = [one for one in (other_names.MEANINGS.get(wanted, wanted),) if one in known]
    ends = [path for path in known if path.endswith(f".{wanted}")]
    similar = same or ends or difflib.get_close_matches(wanted, known, n=3)
    names = [repr(prefix + known[one]) for one in similar[:3]]
    return f" Did you mean {' or '.join(names)}?" if names else ""


def not_known(sentence: str, name: str, known: Iterable[str], prefix: str = "") -> str:
    """Returns an error message: `"no algorithm is called 'dnq'. Did you mean 'dqn'? Use one of dqn, c51."`.

    Args:
      sentence: its beginning, such as "no algorithm is called".
      name, known, prefix: as in `did_you_mean`.
    """
    known = list(known)
    return f"{sentence} {name!r}.{did_you_mean(name, known, prefix)} Use one of {', '.join(known)}."


def first_line(error: BaseException) -> str:
    """Returns the first line of the message of an error, without its period; the type if there is no message."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


def in_one_line(error: BaseException) -> str:
    """Returns the type of an error and the first line of its message: `KeyError: 'seed'`."""
    return f"{type(error).__name__}: {first_line(error)}" if str(error).strip() else first_line(error)


def counted(number: int, noun: str) -> str:
    """Returns a number and its noun: `1 run`, `2,000 runs`. The plural adds an s, or es after ch."""
    plural = f"{noun}es" if noun.endswith("ch") else f"{noun}s"
    return f"{number:,} {noun if number == 1 else plural}"
