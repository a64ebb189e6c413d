"""Options that several commands share: the study, how and where it is run, memory.

Nothing is imported here that takes long, so that help is instant.
"""

import argparse
import pathlib
from typing import TYPE_CHECKING, Any

from jaxdqn.commands.errors import one_sentence

if TYPE_CHECKING:
    from jaxdqn.store.manifest import Manifest

ASYNCHRONOUS = "a process for each environment of a host game: faster where one step is slow, with equal results"


def add_study(parser: Any) -> None:
    """Adds the argument STUDY, which `folder_of` reads."""
    parser.add_argument(
        "study", type=pathlib.Path, metavar="STUDY", help="its folder, such as results/NAME, or its script"
    )


def folder_of(
    study: pathlib.Path, out: pathlib.Path = pathlib.Path("results")
) -> "tuple[pathlib.Path, Manifest | None]":
    """Returns the folder of a study and, if the study is given by its script, the runs that the script requests.

    Args:
      study: the folder, or the script of an experiment.
      out: the folder of the results of scripts.
    """
    if study.suffix != ".py":
        return study, None
    from jaxdqn.study import records, scripts, spec

    with one_sentence():
        found = scripts.load(study).study
        return out / found.name, records.manifest(found, spec.cells(found))


def add_running(parser: argparse.ArgumentParser) -> None:
    """Adds how a study is run to the options of its script."""
    running = parser.add_argument_group("how it is run")
    running.add_argument("--async", dest="asynchronous", action="store_true", help=ASYNCHRONOUS)
    running.add_argument("--retry-failed", action="store_true", help="try again what failed or crashed before")
    running.add_argument(
        "--checkpoint",
        type=seconds,
        default=300.0,
        metavar="SECONDS",
        help="of training between checkpoints of the runs under way (default: 300)",
    )
    add_memory(running)
    running.add_argument(
        "--tensorboard", type=pathlib.Path, metavar="DIR", help="curves for TensorBoard while they grow"
    )
    running.add_argument(
        "--wandb", type=pathlib.Path, metavar="DIR", help="curves for Weights & Biases, offline, while they grow"
    )
    add_executor(parser)


def add_executor(parser: argparse.ArgumentParser) -> None:
    """Adds where a study is run."""
    where = parser.add_argument_group("where it is run")
    where.add_argument(
        "--executor",
        choices=("local", "ray", "slurm"),
        default="local",
        help="this machine with all its cores (default); tasks of a Ray cluster; a job array of Slurm, from a folder "
        "that its nodes share. With the latter two, --memory is that of a task",
    )
    where.add_argument(
        "--address",
        metavar="HOST:PORT",
        help="of a Ray cluster, or auto for the one that this machine is part of "
        "(default: one on this machine, for this command alone)",
    )
    where.add_argument(
        "--tasks",
        type=number,
        metavar="N",
        help="at least so many parts; Slurm runs no more at once (default: as there is room for)",
    )
    where.add_argument("--cpus-per-task", type=number, default=1, metavar="N", help="default: 1")
    where.add_argument(
        "--gpus-per-task",
        type=count,
        metavar="N",
        help="default: 1 on a Ray cluster that has GPUs, else 0",
    )
    where.add_argument(
        "--slurm",
        nargs="+",
        type=setting,
        default=[],
        metavar="KEY=VALUE",
        help="options of sbatch without their dashes, such as partition=long time=240 (in minutes) account=mine",
    )


def add_memory(parser: Any) -> None:
    """Adds the option `--memory`."""
    parser.add_argument(
        "--memory",
        type=bytes,
        metavar="SIZE",
        help="that runs may use at once, such as 8G or 500M (default: half of what the machine or the accelerator has)",
    )


def number(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} must be a whole number of at least 1")
    return int(text)


def count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} must be a whole number of at least 0")
    return int(text)


def seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not seconds >= 0.0:
        raise argparse.ArgumentTypeError(f"{text!r} must be a number of seconds of at least 0")
    return seconds


def setting(text: str) -> tuple[str, str]:
    key, sign, value = text.partition("=")
    if not (key and sign and value):
        raise argparse.ArgumentTypeError(f"{text!r} is no KEY=VALUE")
    return key.removeprefix("--").replace("_", "-"), value


def bytes(text: str) -> float:
    units = {"K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
    unit = units.get(text[-1:].upper(), 1)
    try:
        size = float(text[:-1] if unit > 1 else text) * unit
    except ValueError:
        size = 0.0
    if not size > 0.0:
        raise argparse.ArgumentTypeError(f"{text!r} is no size: give bytes, or a number with K, M, G or T")
    return size
