"""How fast is training, compared with the arithmetic limit of the machine?

    python experiments/benchmark.py                            about half an hour on two CPU cores
    python experiments/benchmark.py --toy                      seconds; the rates are not meaningful
    python experiments/benchmark.py --only atari frames        some of its parts
    python experiments/benchmark.py --peers peers/bin/python --purejaxql purejaxql

The last one compares training on pictures with other libraries: `benchmark_peers.txt` has the two commands that get
them. A library that is missing leaves an empty cell.

In the part `cartpole` there is one study for each number of members (runs in one compiled program). Each trains DQN on
cartpole: a network of 120 and 84 units, 10 environments, one update of 128 transitions every 10 steps, capacity 10,000,
squared error, Adam, 10 episodes of evaluation every 100,000 steps. Rates include training and evaluation and exclude
compilation. The limit counts only the multiplications and additions of the dense layers. It assumes the rate at which
the machine multiplies large float32 matrices in the same process, so fractions of the limit can be compared between
machines.

Further parts:

- `host`: the same agent on gymnasium's CartPole-v1, which steps in Python, with one environment: in one run, and in as
  many runs as there are cores. sbx's DQN in the same settings and process, if sbx is installed (tested with 0.28: `pip
  install sbx-rl==0.28.0`).
- `replay`: replay alone, uniform and prioritised, and flashbax's if it is installed (`benchmark_replay.py`).
- `updates`: an update of each algorithm, relative to DQN's (`benchmark_updates.py`).
- `studies`: the overhead of a study beyond training (`benchmark_studies.py`).
- `minatar`, `atari`, `games`, `frames`, `compilation`: training on pictures, and its parts (`benchmark_pixels.py`).
  Rates are per CPU second there, except for compilation.

Run it on an idle machine only; other load changes the rates, least those per CPU second.
"""

import argparse
import dataclasses
import datetime
import json
import pathlib
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from rich.console import Console
from rich.table import Table

import benchmark_pixels
import benchmark_replay
import benchmark_studies
import benchmark_updates
from benchmark_worker import PACKAGES, versions
from jaxdqn import config_dicts
from jaxdqn.algorithms import dqn
from jaxdqn.networks.network import QNetwork
from jaxdqn.networks.torsos import Dense
from jaxdqn.study import execute, provenance
from jaxdqn.study.spec import Study
from jaxdqn.training import devices
from jaxdqn.training.evaluate import Evaluation

LAYERS = (4, 120, 84, 2)
CONFIG = dataclasses.replace(dqn.CONFIG, network=QNetwork(Dense(LAYERS[1:-1])), learning_rate=2.5e-4)
MEMBERS = (1, 2, 8, 32)
# By members: the aimed factor over the best comparable library, and steps/s of that library at 400 GFLOP/s.
AIMS = {1: (1.5, 72_000), 8: (2.0, 94_000)}
AIMS_SGEMM = 400e9
HOST_GAME = "gymnasium:CartPole-v1"
HOST_AIM = 4.0  # times sbx
PARTS = ("cartpole", "host", "replay", "updates", "studies", "minatar", "atari", "games", "frames", "compilation")
ROUNDS = 7  # slices of each contender


class Part(NamedTuple):
    """A part of the benchmark: `measure` returns what the record gets, and `show` prints it."""

    measure: Callable[[], Any]
    show: Callable[[Any], None]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--toy", action="store_true", help="a short run")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("results"), help="folder (default: results)")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--peers", type=pathlib.Path, help="Python of an environment with the other libraries")
    parser.add_argument("--purejaxql", type=pathlib.Path, help="folder of purejaxql's code")
    options = parser.parse_args()
    for path in (options.peers, options.purejaxql):
        if path is not None and not path.exists():
            parser.error(f"{path} does not exist.")
    devices.use_all_cores()
    sgemm, found = sgemm_rate(), {}
    parts = parts_of(options, sgemm)
    for name in options.only:
        found[name] = parts[name].measure()
        parts[name].show(found[name])
    created = datetime.datetime.now(datetime.UTC)
    record = {
        "created": created.isoformat(timespec="seconds"),
        "setting": {"configuration": config_dicts.to_dict(CONFIG)},
        "machine": {
            "devices": [f"{device.platform}: {device.device_kind}" for device in jax.devices()],
            "processor": provenance.processor(),
            "sgemm_gflops": sgemm / 1e9,
        },
        "code": provenance.code(provenance.script()),
        "versions": dict(versions(PACKAGES)),
        **found,
    }
    path = options.out / ("benchmark-toy" if options.toy else "benchmark") / f"{created:%Y%m%dT%H%M%SZ}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "x") as file:  # one file for each call; never overwrites
        json.dump(record, file, indent=1)
    print(f"\nrecord  {path}")


def parts_of(options: argparse.Namespace, sgemm: float) -> dict[str, Part]:
    """Returns all parts, by name; those of a toy are as short as they can be."""
    toy = options.toy
    steps, members = (10_000, (1,)) if toy else (500_000, MEMBERS)
    host = ((1,), 2_000, 2_000) if toy else (tuple(sorted({1, len(devices.cores())})), 100_000, 30_000)
    capacities, operations = ((1_000,), 100) if toy else ((10_000, 100_000, 1_000_000), 5_000)
    updates = (10, ("dqn", "r2d2")) if toy else (1_000,)
    studies = (10_000, 100) if toy else (200_000, 10_000)
    rows = benchmark_pixels.toy_rows() if toy else benchmark_pixels.rows(options.peers, options.purejaxql)
    rounds, programs = (2, ()) if toy else (ROUNDS, benchmark_pixels.PROGRAMS)

    def on_pixels(kind: str) -> Part:
        return Part(lambda: benchmark_pixels.measure(rows[kind], rounds), benchmark_pixels.show)

    return {
        "cartpole": Part(lambda: [measure(number, steps, sgemm) for number in members], partial(show, sgemm=sgemm)),
        "host": Part(lambda: measure_host(*host), show_host),
        "replay": Part(
            lambda: benchmark_replay.measure(capacities, {"uniform": 4 * operations, "prioritised": operations}),
            benchmark_replay.show,
        ),
        "updates": Part(lambda: benchmark_updates.measure(*updates), benchmark_updates.show),
        "studies": Part(lambda: benchmark_studies.measure(CONFIG, *studies), benchmark_studies.show),
        "minatar": on_pixels("minatar"),
        "atari": on_pixels("atari"),
        "games": on_pixels("games"),
        "frames": on_pixels("frames"),
        "compilation": Part(lambda: benchmark_pixels.measure_compilation(programs), benchmark_pixels.show_compilation),
    }


def measure(members: int, steps: int, sgemm: float) -> dict[str, Any]:
    """Returns rates, compilations and memory of a study with this number of seeds."""
    study = Study(
        name="benchmark",
        games=("cartpole",),
        algorithms={"DQN": CONFIG},
        seeds=range(members),
        steps=steps,
        evaluation=Evaluation(every=min(steps, 100_000), episodes=10),
    )
    with tempfile.TemporaryDirectory() as folder:
        report = execute.run(study, folder)
    rate = members * steps / report.wall_seconds
    row = {
        "members": members,
        "steps_per_second": rate,
        "updates_per_second": rate * CONFIG.num_updates / CONFIG.train_every,
        "fraction_of_limit": rate * flops_per_step() / sgemm,
        "num_compilations": report.num_compilations,
        "compile_seconds": report.compile_seconds,
        "peak_memory_mib": peak_memory() / 2**20,
    }
    if members in AIMS:
        factor, reference = AIMS[members]
        row["fraction_of_aim"] = rate / (factor * reference * sgemm / AIMS_SGEMM)
    return row


def measure_host(numbers: tuple[int, ...], steps: int, sbx_steps: int) -> dict[str, Any]:
    """Returns the rates of several numbers of parallel runs, including one, and of sbx, in environment steps/s."""
    rates = {}
    for members in numbers:
        study = Study(
            name="benchmark",
            games=(HOST_GAME,),
            algorithms={"DQN": dataclasses.replace(CONFIG, num_environments=1)},
            seeds=range(members),
            steps=steps,
            evaluation=Evaluation(every=steps // 2, episodes=1),
        )
        with tempfile.TemporaryDirectory() as folder:
            report = execute.run(study, folder)
        rates[members] = members * steps / report.wall_seconds
    sbx = sbx_rate(sbx_steps)
    return {
        "game": HOST_GAME,
        "steps": steps,
        "steps_per_second": {str(members): rate for members, rate in rates.items()},
        "sbx_steps_per_second": sbx,
        "times_sbx": None if sbx is None else rates[1] / sbx,
        "aim": HOST_AIM,
    }


def sbx_rate(steps: int) -> float | None:
    """Returns the rate of sbx's DQN in the settings of `CONFIG`, without compilation; None if sbx is not installed."""
    try:
        from sbx import DQN
    except ImportError:
        return None
    agent = DQN(
        "MlpPolicy",
        "CartPole-v1",
        learning_rate=CONFIG.learning_rate,
        buffer_size=CONFIG.replay.capacity,
        batch_size=CONFIG.batch_size,
        train_freq=CONFIG.train_every,
        gradient_steps=CONFIG.num_updates,
        learning_starts=CONFIG.learning_starts,
        policy_kwargs={"net_arch": list(LAYERS[1:-1])},
        seed=0,
    )
    agent.learn(CONFIG.learning_starts + 1_000)
    started = time.perf_counter()
    agent.learn(steps, reset_num_timesteps=False)
    return steps / (time.perf_counter() - started)


def sgemm_rate(size: int = 2048, repeats: int = 10) -> float:
    """Returns the best rate of multiplying float32 matrices of this size in FLOP/s, on all cores or one accelerator."""
    matrix = jnp.ones((size, size), jnp.float32)
    multiply = jax.jit(lambda matrix: matrix @ matrix)
    multiply(matrix).block_until_ready()
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        multiply(matrix).block_until_ready()
        seconds.append(time.perf_counter() - started)
    return 2 * size**3 / min(seconds)


def flops_per_step() -> float:
    """Returns the number of multiplications and additions of the dense layers for one environment step.

    Acting needs one forward pass. For each transition of the batch, an update needs a forward pass of both networks, a
    backward pass to the weights, and a backward pass to the inputs of all layers except the first.
    """
    sizes = [2 * inputs * outputs for inputs, outputs in pairwise(LAYERS)]
    forward = sum(sizes)
    update = CONFIG.batch_size * (2 * forward + forward + forward - sizes[0])
    return forward + update * CONFIG.num_updates / CONFIG.train_every


def peak_memory() -> float:
    """Returns the peak memory so far in bytes: of the device if it reports it, else of the process."""
    statistics = jax.devices()[0].memory_stats() or {}
    unit = 1 if sys.platform == "darwin" else 1024
    return statistics.get("peak_bytes_in_use", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)


def show(rows: list[dict[str, Any]], sgemm: float) -> None:
    table = Table(title=f"DQN on cartpole, {len(jax.devices())} devices, sgemm {sgemm / 1e9:.0f} GFLOP/s")
    columns = {
        "members": "{members}",
        "steps/s": "{steps_per_second:,.0f}",
        "updates/s": "{updates_per_second:,.0f}",
        "of the limit": "{fraction_of_limit:.0%}",
        "compilations": "{num_compilations}",
        "compile s": "{compile_seconds:.1f}",
        "peak MiB": "{peak_memory_mib:,.0f}",
        "of the aim": "{aim}",
    }
    for heading in columns:
        table.add_column(heading, justify="right")
    for row in rows:
        aim = f"{row['fraction_of_aim']:.0%}" if "fraction_of_aim" in row else "-"
        table.add_row(*(text.format(**row, aim=aim) for text in columns.values()))
    Console().print(table)


def show_host(host: dict[str, Any]) -> None:
    rates = [f"{rate:,.0f} with {members}" for members, rate in host["steps_per_second"].items()]
    print(f"\nDQN on {host['game']}, one environment per run, steps/s by parallel runs: {'; '.join(rates)}")
    if host["times_sbx"] is not None:
        rate, factor = host["sbx_steps_per_second"], host["times_sbx"]
        print(f"sbx's DQN: {rate:,.0f} steps/s; one run here is {factor:.1f} times as fast (aim: {host['aim']:g})")


if __name__ == "__main__":
    main()
