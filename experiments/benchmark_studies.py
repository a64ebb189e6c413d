"""The part of `benchmark.py` that asks what a study costs beyond training.

Eight cells of a grid over numbers beside one cell, and beside as many as there are devices, which says what the cores
give: eight should take no longer than eight times one, divided by 0.9 of that speed-up. The share of a study's time
that goes into anything but training and compiling, and a checkpoint of its runs, as a share of the time between two.
And `jaxdqn status` on a folder of many cells, from the shell to its last line.
"""

import json
import math
import pathlib
import subprocess
import sys
import tempfile
import time
from typing import Any
from unittest import mock

import jax

from jaxdqn.config import Config
from jaxdqn.store import manifest
from jaxdqn.store.manifest import Manifest
from jaxdqn.study import checkpoints, execute
from jaxdqn.study.execute import Report
from jaxdqn.study.spec import Study
from jaxdqn.training.evaluate import Evaluation

CELLS = 8
AIMS = {"cells": 1.0, "overhead": 0.02, "status_seconds": 2.0}  # at most


def measure(config: Config, steps: int, num_listed: int) -> dict[str, Any]:
    """Returns what a study of so many steps a run costs, and a status of so many cells."""
    num_devices = len(jax.devices())
    (one, _), (side_by_side, _), (many, overhead) = (
        _timed(config, steps, number) for number in (1, num_devices, CELLS)
    )
    speed_up = num_devices * one.wall_seconds / side_by_side.wall_seconds
    allowed = CELLS * one.wall_seconds / (0.9 * speed_up)
    checkpoint = _checkpoint_seconds(config, steps)
    return {
        "steps": steps,
        "speed_up": speed_up,
        "compilations_of_cells": many.num_compilations,
        "cells": many.wall_seconds / allowed,
        "checkpoint_seconds": checkpoint,
        "overhead": overhead + checkpoint / execute.CHECKPOINT_SECONDS,
        "num_listed": num_listed,
        "status_seconds": _status_seconds(num_listed),
        "aims": AIMS,
    }


def show(row: dict[str, Any]) -> None:
    cores = f"{row['cells']:.2f} of the time that the cores allow (speed-up {row['speed_up']:.2f})"
    rest = f"{100 * row['overhead']:.1f} % of a study's time is neither training nor compiling"
    checkpoint = f"a checkpoint takes {1_000 * row['checkpoint_seconds']:.0f} ms"
    print(f"\n{CELLS} cells of a grid: {row['compilations_of_cells']} compilation, {cores}; {rest}; {checkpoint}")
    print(f"status of {row['num_listed']:,} cells: {row['status_seconds']:.2f} s")


def _study(config: Config, steps: int, number: int) -> Study:
    rates = [config.learning_rate * 0.9**i for i in range(number)]
    return Study(
        name="benchmark",
        games=("cartpole",),
        algorithms={"DQN": config},
        seeds=(0,),
        steps=steps,
        evaluation=Evaluation(every=steps // 10, episodes=10),
        grid={"learning_rate": rates},
    )


def _timed(config: Config, steps: int, number: int) -> tuple[Report, float]:
    """Returns the report of a study of so many cells, and what part of its training time went into anything else."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        report = execute.run(_study(config, steps, number), folder)
        rest = time.perf_counter() - started - report.compile_seconds - report.wall_seconds
    return report, rest / report.wall_seconds


def _checkpoint_seconds(config: Config, steps: int) -> float:
    """Returns what a checkpoint of as many runs as there are cells takes, the best of those of a short study."""
    write, taken = checkpoints.write, [math.inf]

    def timed(*arguments: Any) -> None:
        started = time.perf_counter()
        write(*arguments)
        taken.append(time.perf_counter() - started)

    with mock.patch.object(checkpoints, "write", timed), tempfile.TemporaryDirectory() as folder:
        execute.run(_study(config, steps // 10, CELLS), folder, checkpoint_seconds=0.0)
    return min(taken)


def _status_seconds(number: int) -> float:
    """Returns how long `jaxdqn status` takes on so many cells, nine of ten of them done."""
    with tempfile.TemporaryDirectory() as path:
        folder = pathlib.Path(path)
        (folder / "runs").mkdir()
        about = {"game": "catch", "algorithm": "DQN", "settings": {}, "seed": 0}
        manifest.write(folder, Manifest("study", 1_000, {f"{cell:016x}": about for cell in range(number)}))
        record = json.dumps({"cost": {"wall_seconds": 1.0, "runs_at_once": 1}})
        for cell in range(number * 9 // 10):
            (folder / "runs" / f"{cell:016x}.json").write_text(record)
        started = time.perf_counter()
        subprocess.run([sys.executable, "-m", "jaxdqn", "status", path], check=True, capture_output=True)
        return time.perf_counter() - started
