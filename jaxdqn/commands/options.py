"""Options that several commands share: the study, its execution, and memory.

This module imports no slow modules, so `--help` is fast.
"""

import argparse
import pathlib
import sys
from typing import TYPE_CHECKING, Any

from jaxdqn.commands.errors import one_sentence

if TYPE_CHECKING:
    from jaxdqn.store.manifest import Manifest

ASYNCHRONOUS = "one process for each environment of a host game: faster if a step is slow; the results are equal"


def add_study(parser: Any, default: str, nargs: str | None = "?") -> None:
    """Adds the argument STUDY, which `folder_of` reads; `default` says what a command does without it."""
    parser.add_argument(
        "study",
        type=pathlib.Path,
        nargs=nargs,
        metavar="STUDY",
        help=f"folder of the study, its name in results, or its script (default: {default})",
    )


def folder_of(
    study: pathlib.Path | None, out: pathlib.Path = pathlib.Path("results")
) -> "tuple[pathlib.Path, Manifest | None]":
    """Returns the folder of a study and, if the study is given by its script, the runs of the script's study.

    Args:
      study: the folder, its name in the folder of results, or the script of an experiment. None is the study that was
        trained last; a line on stderr names it.
      out: the folder of results.
    """
    with one_sentence():
        if study is None:
            return _last_trained(out), None
        if study.suffix != ".py":
            is_name = not study.exists() and (out / study).is_dir()
            return out / study if is_name else study, None
        from jaxdqn.study import load_script, records, spec

        found = load_script.load(study).study
        return out / found.name, records.manifest(found, spec.cells(found))


def studies_in(out: pathlib.Path) -> list[pathlib.Path]:
    """Returns the folders of the studies in a folder, sorted by name."""
    from jaxdqn.store import manifest, store

    return [path for path in sorted(out.glob("*")) if manifest.exists(path) or store.exists(path / "runs")]


def _last_trained(out: pathlib.Path) -> pathlib.Path:
    from jaxdqn.store import archive, manifest

    def trained_at(study: pathlib.Path) -> float:
        files = (manifest.path_in(study), study / "runs", archive.files_of(study / "runs").runs)
        return max(file.stat().st_mtime for file in files if file.exists())

    studies = studies_in(out)
    if not studies:
        raise ValueError(
            f"{out} holds no study: train one with `jaxdqn train GAME ALGORITHM`, or give the folder of a study."
        )
    found = max(studies, key=trained_at)
    others = f", the last of {len(studies)} in {out}" if len(studies) > 1 else ""
    print(f"study   {found}{others}", file=sys.stderr)
    return found


def add_settings(parser: Any) -> None:
    """Adds the option `--settings`."""
    parser.add_argument(
        "--settings",
        metavar="NAME",
        help="settings to start from: a name from `jaxdqn list settings` (default: those of the game)",
    )


def add_wrappers(parser: Any) -> None:
    """Adds the option `--wrapper`, for `jaxdqn.games.names.wrapped`."""
    parser.add_argument(
        "--wrapper",
        action="append",
        default=[],
        metavar="MODULE:CLASS",
        help="a wrapper around a gymnasium environment, with its arguments as MODULE:CLASS?NAME=VALUE&NAME=VALUE; "
        "several options: the first one is innermost",
    )


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options for running a study."""
    running = parser.add_argument_group("running the study")
    running.add_argument("--async", dest="asynchronous", action="store_true", help=ASYNCHRONOUS)
    running.add_argument("--retry-failed", action="store_true", help="run failed runs again")
    add_checkpoint(running)
    add_memory(running)
    running.add_argument(
        "--tensorboard", type=pathlib.Path, metavar="DIR", help="folder for live curves in TensorBoard"
    )
    running.add_argument(
        "--wandb", type=pathlib.Path, metavar="DIR", help="folder for live curves in Weights & Biases, offline"
    )
    add_executor(parser)


def add_executor(parser: argparse.ArgumentParser) -> None:
    """Adds the options for the machines that run a study."""
    where = parser.add_argument_group("machines")
    where.add_argument(
        "--executor",
        choices=("local", "ray", "slurm"),
        default="local",
        help="local: all cores of this machine (default); ray: tasks of a Ray cluster; slurm: a job array, in a folder "
        "that all nodes share. With ray and slurm, --memory is the memory of one task",
    )
    where.add_argument(
        "--address",
        metavar="HOST:PORT",
        help="address of a Ray cluster; auto for the cluster of this machine (default: a new cluster on this machine, "
        "which ends with this command)",
    )
    where.add_argument(
        "--tasks",
        type=positive,
        metavar="N",
        help="minimum number of parts of the study; Slurm runs at most N at once (default: by the free resources)",
    )
    where.add_argument(
        "--cpus-per-task", type=positive, default=1, metavar="N", help="CPU cores of a task (default: 1)"
    )
    where.add_argument(
        "--gpus-per-task",
        type=count,
        metavar="N",
        help="GPUs of a task (default: 1 on a Ray cluster with GPUs, otherwise 0)",
    )
    where.add_argument(
        "--slurm",
        nargs="+",
        type=setting,
        default=[],
        metavar="KEY=VALUE",
        help="options of sbatch without dashes, such as partition=long time=240 (in minutes) account=mine",
    )


def add_checkpoint(parser: Any) -> None:
    """Adds the option `--checkpoint`."""
    parser.add_argument(
        "--checkpoint",
        type=seconds,
        default=300.0,
        metavar="SECONDS",
        help="seconds of training between checkpoints of active runs (default: 300)",
    )


def add_memory(parser: Any) -> None:
    """Adds the option `--memory`."""
    parser.add_argument(
        "--memory",
        type=size,
        metavar="SIZE",
        help="memory of all runs together, such as 8G or 500M (default: half the memory of the machine or accelerator)",
    )


def positive(text: str) -> int:
    """Returns the whole number of a text, such as 2000, 2_000 or 2e3; argparse reports one below 1."""
    return _at_least(1, text)


def count(text: str) -> int:
    """Returns the whole number of a text; argparse reports one below 0."""
    return _at_least(0, text)


def whole(text: str) -> int:
    """Returns the whole number of a text, such as 2000, 2_000, 2e3 or -1."""
    from jaxdqn.plain_numbers import whole_of  # NumPy is slow to import, and help needs no number

    try:
        return whole_of(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error).removesuffix(".")) from None


def _at_least(least: int, text: str) -> int:
    number = whole(text)
    if number < least:
        raise argparse.ArgumentTypeError(f"{text!r} must be a whole number of at least {least}")
    return number


def seconds(text: str) -> float:
    """Returns the seconds of a text; argparse reports a number below 0."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not number >= 0.0:
        raise argparse.ArgumentTypeError(f"{text!r} must be a number of seconds of at least 0")
    return number


def setting(text: str) -> tuple[str, str]:
    """Returns key and value of an option of sbatch, such as `time=240`; the key is written with dashes."""
    key, sign, value = text.partition("=")
    if not (key and sign and value):
        raise argparse.ArgumentTypeError(f"{text!r} must be of the form KEY=VALUE")
    return key.removeprefix("--").replace("_", "-"), value


def size(text: str) -> float:
    """Returns the bytes of a size, such as `8G` or `500M`."""
    units = {"K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
    unit = units.get(text[-1:].upper(), 1)
    try:
        number = float(text[:-1] if unit > 1 else text) * unit
    except ValueError:
        number = 0.0
    if not number > 0.0:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a size: use a number of bytes, or a number with K, M, G or T"
        )
    return number
