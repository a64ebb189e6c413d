"""The provenance of a run: code, script, versions and machine.

A record names the commit of the package and that of the script, which chose games, configurations and seeds. Its fact
`modified` is true if the package, the script, or a module beside the script that it imports, differs from the commit.
"""

import contextlib
import functools
import os
import pathlib
import platform
import subprocess
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import Any, NamedTuple

import jax

import jaxdqn

_PACKAGES = ("jax", "jaxlib", "flax", "optax", "numpy", "gymnasium")
_CPUINFO = pathlib.Path("/proc/cpuinfo")
_FLAGS = ("sse4", "avx", "fma", "f16c", "bmi", "amx", "asimd", "sve", "bf16", "i8mm")  # beginnings of names


class Script(NamedTuple):
    """The script that a study is run from.

    Attributes:
      path: in its repository; only its name if it is in none.
      commit: that is checked out in its repository; None if no commit holds the script.
      is_modified: whether it, or a module beside it that it imported, differs from that commit.
    """

    path: str
    commit: str | None
    is_modified: bool


def script() -> Script | None:
    """Returns the script that this process runs; None if it runs a command, such as `jaxdqn train`, or a console."""
    file = getattr(sys.modules["__main__"], "__file__", None)
    if file is None or not file.endswith(".py"):
        return None
    path = pathlib.Path(file).resolve()
    installed = [sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")]
    folders = [*map(pathlib.Path, installed), pathlib.Path(jaxdqn.__file__).parent]
    return None if any(path.is_relative_to(folder.resolve()) for folder in folders) else script_at(path)


def script_at(path: pathlib.Path) -> Script:
    """Returns path, commit and changes of a script, by git; modules beside it that are imported count too."""
    path = path.resolve()
    named = [str(getattr(module, "__file__", None) or "") for module in list(sys.modules.values())]
    files = {pathlib.Path(file).resolve() for file in named if file}
    beside = sorted(file.name for file in files if file.parent == path.parent and file != path)
    root = _git(path.parent, "rev-parse", "--show-toplevel")
    if root is None or not _is_held(path.parent, [path.name]):
        return Script(path.name, None, is_modified=True)
    is_modified = not _is_held(path.parent, beside) or bool(_changed(path.parent, [path.name, *beside]))
    return Script(
        str(path.relative_to(pathlib.Path(root).resolve())), _git(path.parent, "rev-parse", "HEAD"), is_modified
    )


def code(of: Script | None) -> dict[str, Any]:
    """Returns version, commit and script of a run, as its record has them.

    Args:
      of: the script that runs the study, as `script` returns it.
    """
    package = commit()
    is_modified = package["modified"] if of is None or not of.is_modified else True
    known = {"jaxdqn": jaxdqn.__version__, "commit": package["commit"], "modified": is_modified}
    return known | {"script": of and of.path, "script_commit": of and of.commit}


def warning(of: Script | None) -> str:
    """Returns a warning if no commit holds the script as it is; otherwise an empty string."""
    if of is None or not of.is_modified:
        return ""
    differs = f"{of.path}, or a module beside it, differs from commit {of.commit[:10]}" if of.commit else ""
    what = differs or f"no commit holds {of.path}"
    return f"warning: {what}, and the records of its runs say so: commit it before runs that you report"


@functools.cache
def commit() -> dict[str, Any]:
    """Returns the commit that the package lies in, and whether its code has changed since; None outside a checkout."""
    here = pathlib.Path(jaxdqn.__file__).parent
    if not _is_held(here, ["__init__.py"]):  # installed, perhaps inside somebody else's repository
        return {"commit": None, "modified": None}
    return {"commit": _git(here, "rev-parse", "HEAD"), "modified": bool(_changed(here, ["."]))}


@functools.cache
def versions(*more: str) -> dict[str, str]:
    """Returns the versions of Python and of the packages that a result may depend on, `more` among them."""
    names = (*_PACKAGES, *more)
    return {"python": platform.python_version(), **{name: metadata.version(name) for name in names}}


def trained_by(earlier: Sequence[Mapping[str, Any]], until: int) -> tuple[dict[str, Any], ...]:
    """Returns the code and machines that trained a run, each with its last step; this process is the last one.

    Each names commit and changes of the package, device, processor and number of cores.

    Args:
      earlier: those before this process continued the run.
      until: the step that the run has reached.
    """
    device = jax.devices()[0].device_kind
    here = commit() | {"device": device, "processor": processor(), "num_cores": os.cpu_count()}
    before = [dict(one) for one in earlier]
    if before and {name: value for name, value in before[-1].items() if name != "until"} == here:
        del before[-1]
    return (*before, {"until": until, **here})


def hardware(devices: Sequence[Any]) -> dict[str, Any]:
    """Returns the machine, as a record has it: the same processor computes the same bits.

    Args:
      devices: of JAX, that the run is spread over.
    """
    return {
        "platform": devices[0].platform,
        "device": devices[0].device_kind,
        "num_devices": len(devices),
        "num_cores": os.cpu_count(),
        "processor": processor(),
        "cpu_flags": list(cpu_flags()),
    }


@functools.cache
def processor() -> str:
    """Returns the name of the processor, with family and model, since virtual machines may hide the name."""
    known = _cpuinfo()
    name = known.get("model name") or platform.processor() or platform.machine()
    numbers = [f"{key.removeprefix('cpu ')} {known[key]}" for key in ("cpu family", "model") if known.get(key)]
    return ", ".join([name, *numbers])


@functools.cache
def cpu_flags() -> tuple[str, ...]:
    """Returns the instruction sets of the processor that compiled code depends on, sorted; none if unknown."""
    known = _cpuinfo()
    listed = (known.get("flags") or known.get("Features") or "").split()
    return tuple(sorted(flag for flag in listed if flag.startswith(_FLAGS)))


def _cpuinfo() -> Mapping[str, str]:
    """Returns the entries of `/proc/cpuinfo` for the first processor; nothing on other systems."""
    with contextlib.suppress(OSError):
        first = _CPUINFO.read_text().partition("\n\n")[0]
        pairs = (line.partition(":") for line in first.splitlines())
        return {name.strip(): value.strip() for name, _, value in pairs}
    return {}


def _git(folder: pathlib.Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def _is_held(folder: pathlib.Path, files: Sequence[str]) -> bool:
    """Returns whether the commit that is checked out holds all of these files of a folder; staged is not committed."""
    return all(_git(folder, "cat-file", "-e", f"HEAD:./{file}") is not None for file in files)


def _changed(folder: pathlib.Path, files: Sequence[str]) -> str | None:
    return _git(folder, "status", "--porcelain", "--", *files)
