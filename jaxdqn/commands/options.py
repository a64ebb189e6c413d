"""Options that several commands share: the study, its execution, and memory.

This module imports no slow modules, so `--help` is fast.
"""

import argparse
import pathlib
from typing import TYPE_CHECKING, Any

from jaxdqn.commands.errors import one_sentence

if TYPE_CHECKING:
    from jaxdqn.store.manifest import Manifest

ASYNCHRONOUS = "one process for each environment of a host game: faster if a step is slow; the results are equal"


def add_study(parser: Any) -> None:
    """Adds the argument STUDY, which `folder_of` reads."""
    parser.add_argument(
        "study", type=pathlib.Path, metavar="STUDY", help="folder of the study, such as results/NAME, or its script"
    )


def folder_of(
    study: pathlib.Path, out: pathlib.Path = pathlib.Path("results")
) -> "tuple[pathlib.Path, Manifest | None]":
    """Returns the folder of a study and, if the study is given by its script, the runs of the script's study.

    Args:
      study: the folder, or the script of an experiment.
      out: the folder of the results of scripts.
    """
    if study.suffix != ".py":
        return study, None
    from jaxdqn.study import load_script, records, spec

    with one_sentence():
        found = load_script.load(study).study
        return out / found.name, records.manifest(found, spec.cells(found))


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
        help="a wrapper of your own around a gymnasium environment; several options: the first one is innermost",
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
    """Returns the whole number of a text; argparse reports one below 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} must be a whole number of at least 1")
    return int(text)


def count(text: str) -> int:
    """Returns the whole number of a text; argparse reports one below 0."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} must be a whole number of at least 0")
    return int(text)


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
