"""Errors that an environment raises, in one sentence."""

import contextlib
from collections.abc import Iterator


@contextlib.contextmanager
def one_sentence(subject: str) -> Iterator[None]:
    """Converts what an environment raises into a ValueError: the subject, and the error in one line.

    Args:
      subject: name of the game and what fails, such as `gymnasium:CartPole-v1 cannot be reset`.
    """
    try:
        yield
    except (Exception, SystemExit) as error:
        raise ValueError(f"{subject}: {in_one_line(error)}.") from error


def in_one_line(error: BaseException) -> str:
    """Returns the type of an error and the first line of its message."""
    if isinstance(error, SystemExit):
        error = ended(error)
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0].rstrip('.')}" if lines else type(error).__name__


@contextlib.contextmanager
def survived() -> Iterator[None]:
    """Converts SystemExit, which would end the process of a copy without a message, into an error."""
    try:
        yield
    except SystemExit as error:
        raise ended(error) from error


def ended(error: SystemExit) -> RuntimeError:
    """Returns the error of an environment that ends its process."""
    return RuntimeError(f"the environment called sys.exit({'' if error.code is None else error.code})")
