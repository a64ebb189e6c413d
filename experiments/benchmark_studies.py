"""Part of `benchmark.py`: what is the overhead of a study beyond training?

It measures:

- eight cells of a grid over numbers, relative to one cell and to as many cells as there are devices. The latter gives
  the speed-up of the cores. The eight cells should take at most eight times the time of one, divided by 0.9 of this
  speed-up;
- the share of a study's time that is neither training nor compiling, and the time of a checkpoint as a share of the
  time between two checkpoints;
- the time of `jaxdqn status` on a folder of many cells, including the start of Python.
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
    """Returns the overhead of a study with this number of steps, and the time of a status of this number of cells."""
    num_devices = len(jax.devices())
    (one, _), (parallel, _), (many, overhead) = (_timed(config, steps, number) for number in (1, num_devices, CELLS))
    speed_up = num_devices * one.wall_seconds / parallel.wall_seconds
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
    """Returns the report of a study of this number of cells, and its other time as a share of its training time."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        report = execute.run(_study(config, steps, number), folder)
        rest = time.perf_counter() - started - report.compile_seconds - report.wall_seconds
    return report, rest / report.wall_seconds


def _checkpoint_seconds(config: Config, steps: int) -> float:
    """Returns the shortest time of a checkpoint of as many runs as there are cells, in a short study."""
    write, taken = checkpoints.write, [math.inf]

    def timed(*arguments: Any) -> None:
        started = time.perf_counter()
        write(*arguments)
        taken.append(time.perf_counter() - started)

    with mock.patch.object(checkpoints, "write", timed), tempfile.TemporaryDirectory() as folder:
        execute.run(_study(config, steps // 10, CELLS), folder, checkpoint_seconds=0.0)
    return min(taken)


def _status_seconds(number: int) -> float:
    """Returns the time of `jaxdqn status` on this number of cells, of which 90 % are finished."""
    with tempfile.TemporaryDirectory() as path:
        folder = pathlib.Path(path)
        (folder / "runs").mkdir()
        cell_facts = {"game": "catch", "algorithm": "DQN", "settings": {}, "seed": 0}
        manifest.write(folder, Manifest("study", 1_000, {f"{cell:016x}": cell_facts for cell in range(number)}))
        record = json.dumps({"cost": {"wall_seconds": 1.0, "runs_at_once": 1}})
        for cell in range(number * 9 // 10):
            (folder / "runs" / f"{cell:016x}.json").write_text(record)
        started = time.perf_counter()
        subprocess.run([sys.executable, "-m", "jaxdqn", "status", path], check=True, capture_output=True)
        return time.perf_counter() - started
