"""Loads the script of an experiment: its study and its toy study, without running them."""

import importlib.util
import pathlib
import sys
import types
from typing import NamedTuple

from jaxdqn.study.spec import Study


class Script(NamedTuple):
    """The studies that the script of an experiment defines as `STUDY` and `TOY`."""

    study: Study
    toy: Study | None


def load(path: pathlib.Path) -> Script:
    """Returns the studies of a script.

    Raises:
      ValueError: if there is no such script, it cannot be imported, or it defines no study.
    """
    module = imported(path)
    study, toy = getattr(module, "STUDY", None), getattr(module, "TOY", None)
    if not isinstance(study, Study):
        raise ValueError(f"{path} defines no STUDY: it must be a jaxdqn.study.spec.Study.")
    return Script(study, toy if isinstance(toy, Study) else None)


def imported(path: pathlib.Path) -> types.ModuleType:
    """Returns a script as a module: its code outside of `main` runs.

    Raises:
      ValueError: if there is no such script, or it cannot be imported.
    """
    if not path.is_file():
        raise ValueError(f"{path} is no file: give the script of an experiment, such as experiments/catch.py.")
    found = importlib.util.spec_from_file_location(f"script_{path.stem}", path)
    if found is None or found.loader is None:
        raise ValueError(f"{path} is no Python script.")
    module = importlib.util.module_from_spec(found)
    sys.modules[found.name] = module
    sys.path.insert(0, str(path.parent.resolve()))  # as Python does for a script, which may import modules beside it
    try:
        found.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise ValueError(f"{path} cannot be imported: {type(error).__name__}: {error}") from error
    finally:
        sys.path.pop(0)
    return module
