"""Modules of the user: where Python searches them, and how they are imported.

Names on the command line hold modules: `gymnasium:my_module:MyEnv-v0`, or `my_games:corridor` for a part of one.
"""

import contextlib
import importlib
import os
import re
import sys
import types
from typing import Any

from jaxdqn.spelling import did_you_mean, in_one_line


def search_current_folder() -> None:
    """Makes Python search modules in the current folder first, as `python -m` does. Other processes inherit it."""
    with contextlib.suppress(FileNotFoundError):  # the folder was deleted
        here = os.getcwd()
        if not sys.flags.safe_path and not {"", here} & set(sys.path):
            sys.path.insert(0, here)


def load(module: str, name: str) -> types.ModuleType:
    """Imports a module.

    Args:
      module: dotted name of the module.
      name: of what is made from the module, for the error.

    Raises:
      ValueError: the module does not exist, or importing it raises an error. The message is one sentence.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if not f"{module}.".startswith(f"{error.name}."):  # a module that it imports is missing
            raise _failed(module, name, error) from error
        if module.endswith(".py"):
            raise ValueError(
                f"{name} names the file {module}: write the module, {module.removesuffix('.py')}."
            ) from None
        folder = f"the folder that holds {module.partition('.')[0]}"
        raise ValueError(
            f"{name} cannot be made, because Python finds no module {module!r}: run the command in {folder}, add this "
            "folder to PYTHONPATH, or install the module (pip install -e)."
        ) from None
    except (Exception, SystemExit) as error:  # importing a module can raise any error
        raise _failed(module, name, error) from error


def is_part(text: str) -> bool:
    """Returns whether a text has the form `module:name`, such as `my_games:corridor` or `my.games:Corridor.long`."""
    return re.fullmatch(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*", text) is not None


def part(text: str) -> Any:
    """Returns the object that `module:name` names; the module is imported.

    Raises:
      ValueError: the text has another form, the module cannot be imported, or it has no such attribute.
    """
    if not is_part(text):
        raise ValueError(f"{text!r} must be of the form module:name, such as my_module:MyClass.")
    module, _, attributes = text.partition(":")
    found: Any = load(module, text)
    for attribute in attributes.split("."):
        if not hasattr(found, attribute):
            known = [one for one in vars(found) if not one.startswith("_")] if hasattr(found, "__dict__") else []
            hint = did_you_mean(attribute, known, f"{module}:")
            raise ValueError(f"{text} does not exist: {module} has no {attribute!r}.{hint}")
        found = getattr(found, attribute)
    return found


def _failed(module: str, name: str, error: BaseException) -> ValueError:
    return ValueError(f"{name} cannot be made: importing {module!r} raised {in_one_line(error)}.")
