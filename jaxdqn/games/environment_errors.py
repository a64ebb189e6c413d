"""Errors that an environment raises, in one sentence."""

import contextlib
from collections.abc import Iterator

from jaxdqn import spelling


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
    """Returns `spelling.in_one_line` of an error, and of SystemExit what the environment did."""
    return spelling.in_one_line(ended(error) if isinstance(error, SystemExit) else error)


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
