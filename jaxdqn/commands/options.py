"""The options of `jaxdqn plan`, `jaxdqn search` and of a study. Nothing is imported that would make help wait."""

import argparse
import pathlib
from typing import Any

ASYNCHRONOUS = "a process for each environment of a host game: faster where one step is slow, with equal results"


def add_plan(commands: Any) -> None:
    """Adds the command `plan` to what `argparse.ArgumentParser.add_subparsers` returned."""
    plan = commands.add_parser(
        "plan",
        help="what a study would take: programs, waves, memory, time",
        description="Says into which compiled programs a study falls, how they are laid out on this machine, how much "
        "memory a run needs, and how long they take, by earlier runs or by --calibrate. Nothing is stored.",
    )
    plan.add_argument("study", type=pathlib.Path, metavar="STUDY", help="the script of an experiment")
    plan.add_argument("--toy", action="store_true", help="of its toy")
    plan.add_argument("--out", type=pathlib.Path, default=pathlib.Path("results"), help="folder (default: results)")
    plan.add_argument("--calibrate", action="store_true", help="compile each program and time a little of it")
    add_memory(plan)


def add_run(commands: Any) -> None:
    """Adds the command `run` to what `argparse.ArgumentParser.add_subparsers` returned."""
    run = commands.add_parser(
        "run",
        help="run a study, or go on with it: the same as running its script",
        usage="jaxdqn run STUDY [--out DIR] [any option of the script]",
        description="Runs what is missing of a study, and draws its figures.",
        epilog="`jaxdqn run STUDY --help` shows every option.",
    )
    run.add_argument("study", type=pathlib.Path, metavar="STUDY", help="the script of an experiment")


def add_search(commands: Any) -> None:
    """Adds the command `search` to what `argparse.ArgumentParser.add_subparsers` returned."""
    search = commands.add_parser(
        "search",
        help="search settings of an algorithm on a game, within a budget",
        description="Searches settings with Optuna: points are trained on tuning seeds, poor ones dropped early; the "
        "best meet in a final on further seeds, and its winner is judged beside the default on test seeds that no "
        "choice has seen. The same command goes on with a search that was interrupted, or whose budget has grown.",
        epilog="example: jaxdqn search cartpole dqn --space learning_rate=log:1e-5:1e-1 discount=0.8:0.999 n_step=1,3",
    )
    search.add_argument("game", metavar="GAME", help="a name from `jaxdqn list games`, or gymnasium:ID")
    search.add_argument("algorithm", metavar="ALGORITHM", help="a name from `jaxdqn list algorithms`")
    what = search.add_argument_group("what is searched")
    what.add_argument(
        "--space",
        nargs="+",
        required=True,
        metavar="FIELD=RANGE",
        help="fields of the configuration: log:LOW:HIGH, LOW:HIGH, or a list A,B,C, for structure as well",
    )
    what.add_argument("--set", nargs="+", default=[], metavar="FIELD=VALUE", help="other fields, for all points")
    what.add_argument("--steps", type=int, default=20_000, help="of a run, environment steps (default: 20000)")
    what.add_argument("--every", type=int, default=1_000, help="steps between evaluations (default: 1000)")
    what.add_argument("--episodes", type=int, default=20, help="of an evaluation (default: 20)")
    what.add_argument(
        "--last", type=int, metavar="N", help="evaluations that a score averages; 0 for all (default: up to 3)"
    )
    what.add_argument(
        "--tuning-seeds", type=int, default=4, metavar="N", help="runs of a point, with seeds from 100 on (default: 4)"
    )
    what.add_argument(
        "--test-seeds",
        type=int,
        default=10,
        metavar="N",
        help="runs that judge, with seeds from 10000 on (default: 10)",
    )
    how = search.add_argument_group("how it is searched")
    how.add_argument(
        "--budget",
        type=int,
        metavar="STEPS",
        help="of all tuning runs and the final (default: what the final and 20 points trained to the end take)",
    )
    how.add_argument("--sampler", choices=("tpe", "random", "cma_es"), default="tpe", help="(default: tpe)")
    how.add_argument(
        "--rungs",
        type=int,
        nargs="*",
        metavar="STEPS",
        help="after which poor points are dropped; none without a number (default: a quarter of the run)",
    )
    how.add_argument("--share", type=float, default=1 / 3, help="of the points that passes a rung (default: 1/3)")
    how.add_argument(
        "--keep-undecided", action="store_true", help="also points that the seeds cannot tell from those that pass"
    )
    how.add_argument(
        "--finalists", type=int, default=4, metavar="N", help="best points that the final is between (default: 4)"
    )
    how.add_argument(
        "--final-seeds",
        type=_count,
        default=4,
        metavar="N",
        help="runs of a finalist, with seeds from 5000 on, which alone say who wins; 0 for no final (default: 4)",
    )
    how.add_argument("--batch", type=int, default=8, metavar="N", help="points trained side by side (default: 8)")
    how.add_argument("--seed", type=int, default=0, metavar="S", help="of what the sampler draws (default: 0)")
    running = search.add_argument_group("how it is run")
    running.add_argument("--name", help="of the folder of its results (default: game and algorithm)")
    running.add_argument("--out", type=pathlib.Path, default=pathlib.Path("runs"), help="folder (default: runs)")
    running.add_argument(
        "--checkpoint", type=_seconds, default=300.0, metavar="SECONDS", help="of training between checkpoints"
    )
    add_memory(running)


def add_running(parser: argparse.ArgumentParser) -> None:
    """Adds how a study is run to the options of its script."""
    running = parser.add_argument_group("how it is run")
    running.add_argument("--async", dest="asynchronous", action="store_true", help=ASYNCHRONOUS)
    running.add_argument("--retry-failed", action="store_true", help="try again what failed or crashed before")
    running.add_argument(
        "--checkpoint",
        type=_seconds,
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
        type=_number,
        metavar="N",
        help="at least so many parts; Slurm runs no more at once (default: as there is room for)",
    )
    where.add_argument("--cpus-per-task", type=_number, default=1, metavar="N", help="default: 1")
    where.add_argument(
        "--gpus-per-task",
        type=_count,
        metavar="N",
        help="default: 1 on a Ray cluster that has GPUs, else 0",
    )
    where.add_argument(
        "--slurm",
        nargs="+",
        type=_setting,
        default=[],
        metavar="KEY=VALUE",
        help="options of sbatch without their dashes, such as partition=long time=240 (in minutes) account=mine",
    )


def add_memory(parser: Any) -> None:
    """Adds the option `--memory`."""
    parser.add_argument(
        "--memory",
        type=_bytes,
        metavar="SIZE",
        help="that runs may use at once, such as 8G or 500M (default: half of what the machine or the accelerator has)",
    )


def _number(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} must be a whole number of at least 1")
    return int(text)


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} must be a whole number of at least 0")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not seconds >= 0.0:
        raise argparse.ArgumentTypeError(f"{text!r} must be a number of seconds of at least 0")
    return seconds


def _setting(text: str) -> tuple[str, str]:
    key, sign, value = text.partition("=")
    if not (key and sign and value):
        raise argparse.ArgumentTypeError(f"{text!r} is no KEY=VALUE")
    return key.removeprefix("--").replace("_", "-"), value


def _bytes(text: str) -> float:
    units = {"K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
    unit = units.get(text[-1:].upper(), 1)
    try:
        size = float(text[:-1] if unit > 1 else text) * unit
    except ValueError:
        size = 0.0
    if not size > 0.0:
        raise argparse.ArgumentTypeError(f"{text!r} is no size: give bytes, or a number with K, M, G or T")
    return size
