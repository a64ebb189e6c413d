"""What a command is, for the table in `jaxdqn/commands/__init__.py`."""

import argparse
from collections.abc import Callable
from typing import NamedTuple


class Command(NamedTuple):
    """A command of `jaxdqn`. Its file imports what takes long inside functions, so that `--help` is instant.

    Attributes:
      summary: one line for `jaxdqn --help`.
      description: for `jaxdqn COMMAND --help`.
      add: adds the options to a parser.
      main: runs the command with the options that the parser has read.
      epilog: examples, printed after the options.
      usage: of a command whose options depend on its arguments; else argparse writes it.
    """

    summary: str
    description: str
    add: Callable[[argparse.ArgumentParser], None]
    main: Callable[[argparse.Namespace], None]
    epilog: str = ""
    usage: str | None = None
