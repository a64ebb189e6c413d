"""Part of `benchmark.py`: how fast are MinAtar, Atari and replay of pictures, beside other libraries?

Contenders work in turn on one core with one thread each, and rates are per CPU second (`benchmark_slices.py`). So these
rows can be measured on a machine that others use. Other libraries train as they are published, in an environment of
their own (`benchmark_peers.txt`); evaluation is left out on both sides.

MinAtar:

- PQN on breakout in the settings of its paper (128 environments, 32 steps, 32 minibatches, 2 epochs), and purejaxql's,
  whose games are gymnax's: pictures of float32, no sticky actions.
- DQN on breakout in the settings of `jaxdqn.settings`, but with 10,000 transitions, and rejax's with the same network.
  rejax samples without replacement, so its time grows with the number of transitions.

Atari: DQN on Pong with the Nature paper's network, an update of 32 transitions every 4 steps; sbx and stable-baselines3
in their own Atari wrappers.

Games: Pong's emulator alone, with its pictures, in steps of four frames; the MinAtar games alone; CartPole in Python
alone, with the checks of what an environment returns, and gymnasium's vector of it, without. Actions are random.

Frames: replay that stores each picture once. An operation adds a step of 8 environments, samples 32 transitions and
writes them to memory; 100,000 transitions.

Compilation: the program of a run, on all cores, each time in a new process: CPU and wall seconds.
"""

import os
import pathlib
import statistics
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

import benchmark_slices
from benchmark_slices import Contender
from jaxdqn.games import MINATAR
from jaxdqn.training import devices

SCRIPT, PEERS_SCRIPT = "benchmark_pixels_jaxdqn.py", "benchmark_peers.py"
PROGRAMS = (("pqn", "minatar_breakout"), ("dqn", "minatar_breakout"), ("pqn", "minatar_seaquest"))  # to compile
COMPILE_AIM = 20.0  # s
PONG = "atari:pong,sticky=0,noops=30"  # what stable-baselines3's wrappers play; Pong has no lives to lose
CARTPOLE = "gymnasium:CartPole-v1"
ATARI = {"batch_size": 32, "learning_starts": 40}


class Row(NamedTuple):
    """A comparison.

    Attributes:
      name: of the task.
      unit: of which rates are counted.
      contenders: jaxdqn first.
      times: by contender, how many times as fast jaxdqn is to be.
      at_least: units per CPU second that jaxdqn is to reach, or None.
    """

    name: str
    unit: str
    contenders: tuple[Contender, ...]
    times: dict[str, float]
    at_least: float | None = None


def rows(peers: pathlib.Path | None, purejaxql: pathlib.Path | None) -> dict[str, Iterable[Row]]:
    """Returns the rows of each part; `peers` is the Python of other libraries, `purejaxql` the folder of its code."""
    python, folder = (None if path is None else str(path.absolute()) for path in (peers, purejaxql))
    return {
        "minatar": minatar_rows(python, folder),
        "atari": atari_rows(python),
        "games": game_rows(),
        "frames": frame_rows(),
    }


def toy_rows() -> dict[str, Iterable[Row]]:
    """Returns the rows of a toy: one, with a library that is missing."""
    first = next(frame_rows(capacity=80, operations=1))
    other = first.contenders[0]._replace(name="other", python=None)
    return {"minatar": (), "atari": (), "games": (), "frames": (first._replace(contenders=(*first.contenders, other)),)}


def minatar_rows(peers: str | None, purejaxql: str | None) -> Iterator[Row]:
    """Yields the rows of training on MinAtar beside other libraries."""
    ours = _ours("minatar", algorithm="pqn", game="minatar_breakout", steps=4_096, changes={})
    theirs = Contender(
        "purejaxql",
        PEERS_SCRIPT,
        "purejaxql_pqn",
        {"game": "Breakout-MinAtar", "steps": 4_096},
        python=None if purejaxql is None else peers,
        path=purejaxql,
    )
    yield Row("PQN on breakout", "environment steps", (ours, theirs), {"purejaxql": 3.0})
    capacity, steps = 10_000, 2_000
    changes = {"replay.capacity": capacity, "learning_starts": 256}
    ours = _ours("minatar", algorithm="dqn", game="minatar_breakout", steps=steps, changes=changes)
    arguments = {"game": "Breakout-MinAtar", "steps": steps, "capacity": capacity}
    theirs = Contender("rejax", PEERS_SCRIPT, "rejax_dqn", arguments, peers)
    yield Row("DQN on breakout", "environment steps", (ours, theirs), {"rejax": 2.0})


def atari_rows(peers: str | None) -> Iterator[Row]:
    """Yields the row of training on Pong beside other libraries."""
    ours = _ours("atari_dqn", game=PONG, steps=12, train_every=4, capacity=10_000, **ATARI)
    arguments = {"steps": 12, "train_freq": 4, "buffer_size": 10_000, **ATARI}
    sbx = Contender("sbx", PEERS_SCRIPT, "sbx_dqn", arguments, peers)
    torch = Contender("stable-baselines3", PEERS_SCRIPT, "stable_baselines3_dqn", arguments, peers)
    yield Row("DQN on Pong", "environment steps", (ours, sbx, torch), {"sbx": 5.0, "stable-baselines3": 1.3})


def game_rows() -> Iterator[Row]:
    """Yields the rows of games alone, with several numbers of environments."""
    for number in (1, 8):
        emulator = _ours("emulator", game=PONG, num_environments=number, steps=400 // number)
        yield Row(f"Pong, {number} at once", "environment steps", (emulator,), {}, at_least=1_200)
    cartpole = {"game": CARTPOLE, "num_environments": 8, "steps": 500}
    unchecked = Contender("gymnasium", SCRIPT, "gymnasium_vector", cartpole)
    row = "CartPole in Python, 8 at once"
    yield Row(row, "environment steps", (_ours("emulator", **cartpole), unchecked), {"gymnasium": 0.98})
    for game in MINATAR:
        for number, steps in ((1, 10_000), (8, 4_000), (64, 1_000)):
            alone = _ours("game_alone", game=f"minatar_{game}", num_environments=number, steps=steps)
            yield Row(f"{game}, {number} at once", "environment steps", (alone,), {})


def frame_rows(capacity: int = 100_000, operations: int = 100) -> Iterator[Row]:
    """Yields the rows of replay of pictures; MinAtar's do 40 times as many operations."""
    for kind, number, longest in (("minatar", 40 * operations, 60e-6), ("atari", operations, 4e-3)):
        ring = _ours("frame_ring", kind=kind, capacity=capacity, operations=number)
        yield Row(f"replay of {kind} pictures", "operations", (ring,), {}, at_least=1 / longest)


def _ours(function: str, **arguments: Any) -> Contender:
    return Contender("jaxdqn", SCRIPT, function, arguments)


def measure(rows: Iterable[Row], rounds: int) -> list[dict[str, Any]]:
    """Returns the results of rows, each with the speed of the machine before and after it."""
    rows, found = list(rows), []
    if not rows:
        return []
    with benchmark_slices.running(_ours("sgemm", size=1_024, repeats=10)) as sgemm:
        before = _speed(sgemm)
        for row in rows:
            result = judged(row, benchmark_slices.compare(row.contenders, rounds))
            after = _speed(sgemm)
            found.append(result | {"before": before, "after": after})
            before = after
    return found


def _speed(sgemm: benchmark_slices.Live) -> dict[str, float]:
    """Returns the speed of matrix products on one core, and the load of the machine over the last minute."""
    slices = [sgemm.work() for _ in range(3)]
    rate = statistics.median(one["units"] / one["cpu_seconds"] for one in slices)
    return {"sgemm_gflops": rate, "load": os.getloadavg()[0]}


def judged(row: Row, contenders: dict[str, Any]) -> dict[str, Any]:
    """Returns the record of a row. An aim is met if the median reaches it; None stands for a contender that is missing.

    Args:
      row: with its aims.
      contenders: as `benchmark_slices.compare` returns them.
    """
    aims, met = dict(row.times), {}
    for name, aim in row.times.items():
        times = contenders[name].get("times")
        met[name] = None if times is None else times[1] >= aim
    if row.at_least is not None:
        name = row.contenders[0].name
        aims[name], met[name] = row.at_least, contenders[name]["per_cpu_second"][1] >= row.at_least
    return {"row": row.name, "unit": row.unit, "contenders": contenders, "aims": aims, "met": met}


def measure_compilation(programs: Iterable[tuple[str, str]], repeats: int = 3) -> list[dict[str, Any]]:
    """Returns CPU and wall seconds of compiling each program in new processes, the median of each."""
    found = []
    for algorithm, game in programs:
        contender = _ours("compilation", algorithm=algorithm, game=game)._replace(has_all_cores=True)
        built = []
        for _ in range(repeats):
            with benchmark_slices.running(contender) as live:
                built.append(live.built)
        cpu, wall = (statistics.median(one[name] for one in built) for name in ("cpu_seconds", "wall_seconds"))
        found.append(
            {
                "algorithm": algorithm,
                "game": game,
                "cpu_seconds": cpu,
                "wall_seconds": wall,
                "cores": len(devices.cores()),
                "load": os.getloadavg()[0],
                "aim": COMPILE_AIM,
                "met": wall <= COMPILE_AIM,
            }
        )
    return found


def show(found: list[dict[str, Any]]) -> None:
    table = Table(title="Units per CPU second of one core, and times as fast as another library (quartiles)")
    for heading in ("row", "library", "rate", "times", "aim"):
        table.add_column(heading, justify="left" if heading in ("row", "library") else "right")
    for row in found:
        for name, result in row["contenders"].items():
            aim = _number(row["aims"][name]) if name in row["aims"] else ""
            missed = ": missed" if row["met"].get(name) is False else ""
            rate, times = (_range(result.get(key)) for key in ("per_cpu_second", "times"))
            table.add_row(row["row"], name, rate, times, aim + missed)
    Console().print(table)
    missing = (result["missing"] for row in found for result in row["contenders"].values() if "missing" in result)
    print(*dict.fromkeys(missing), sep="\n")


def show_compilation(found: list[dict[str, Any]]) -> None:
    for one in found:
        took = f"{one['wall_seconds']:.1f} s on {one['cores']} cores, {one['cpu_seconds']:.1f} CPU seconds"
        print(f"compilation of {one['algorithm']} on {one['game']}: {took} (aim: {one['aim']:g} s)")


def _range(quartiles: list[float] | None) -> str:
    """Returns the median, with the quartiles in brackets; empty if there are none."""
    if quartiles is None:
        return ""
    low, median, high = map(_number, quartiles)
    return f"{median} ({low}-{high})"


def _number(x: float) -> str:
    return f"{x:,.0f}" if x >= 100 else f"{x:.2f}"
