"""The record of a command, for the table in `jaxdqn/commands/__init__.py`."""

import argparse
from collections.abc import Callable, Sequence
from typing import NamedTuple


class Command(NamedTuple):
    """A command of `jaxdqn`. Its module imports slow modules inside functions, so `--help` is fast.

    Attributes:
      summary: one line for `jaxdqn --help`.
      description: one paragraph for `jaxdqn COMMAND --help`.
      add: adds the options to a parser.
      main: runs the command with the parsed options.
      epilog: examples, printed after the options.
      usage: the line of usage, for a command whose options depend on its arguments. By default argparse writes it.
      completed: adds to the arguments what argparse cannot, before it parses them.
    """

    summary: str
    description: str
    add: Callable[[argparse.ArgumentParser], None]
    main: Callable[[argparse.Namespace], None]
    epilog: str = ""
    usage: str | None = None
    completed: Callable[[Sequence[str]], list[str]] = list
