"""Part of `benchmark.py`: contenders that work in turn, and the ratios of their CPU time.

Each contender is a process of its own. All of a row are alive at once, on the same core, with one thread each. They
work in turn, one slice each a round. So a busy moment of the machine slows all of them. A ratio pairs the slices of one
round; the record has the median and the quartiles of these ratios. Rates are units of work per CPU second. The speed of
matrix products before and after each row shows whether the machine was the same throughout.
"""

import contextlib
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from typing import IO, Any, NamedTuple, cast

from jaxdqn.training import devices

ONE_THREAD = {
    "JAX_PLATFORMS": "cpu",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}


class Contender(NamedTuple):
    """One library at one task.

    Attributes:
      name: of the library.
      script: that serves it (`benchmark_worker.serve`), a file in the folder of this one.
      function: its name in that script.
      arguments: of the function.
      python: that runs the script; None if there is none, because the user has named no environment.
      path: folder whose modules the script imports besides those that are installed.
      has_all_cores: whether it may use all cores and any number of threads.
    """

    name: str
    script: str
    function: str
    arguments: dict[str, Any]
    python: str | None = sys.executable
    path: str | None = None
    has_all_cores: bool = False


class Missing(Exception):
    """A contender that cannot be started here; the message is one sentence."""


class Live(NamedTuple):
    """A contender's process.

    Attributes:
      built: its first answer: seconds of building, and versions.
      work: `() -> answer`, units, CPU seconds and wall seconds of one slice.
    """

    built: dict[str, Any]
    work: Callable[[], dict[str, float]]


@contextlib.contextmanager
def running(contender: Contender) -> Iterator[Live]:
    """Starts a contender, waits until it is built, and ends it afterwards.

    Raises:
      Missing: there is no Python for it, or a module cannot be imported.
      RuntimeError: it failed; the message has the end of its errors.
    """
    if contender.python is None:
        raise Missing(f"{contender.name} is missing: no environment or folder that has it was named.")
    script = pathlib.Path(__file__).parent / contender.script
    command = [contender.python, str(script), contender.function, json.dumps(contender.arguments)]
    environment = os.environ | ({} if contender.has_all_cores else ONE_THREAD)
    if contender.path is not None:
        environment["PYTHONPATH"] = contender.path
    with tempfile.TemporaryFile("w+") as errors, contextlib.ExitStack() as stack:
        with contextlib.nullcontext() if contender.has_all_cores else _on_one_core():
            process = subprocess.Popen(
                command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True
            )
        stack.callback(process.communicate)  # the end of its input ends it
        answers, orders = cast(IO[str], process.stdout), cast(IO[str], process.stdin)

        def answer() -> dict[str, Any]:
            line = answers.readline()
            if not line:
                process.wait()  # it writes its error when it ends
                errors.seek(0)
                raise RuntimeError(f"{contender.name} failed in {contender.function}:\n{errors.read()[-2_000:]}")
            answer: dict[str, Any] = json.loads(line)
            return answer

        def work() -> dict[str, float]:
            with contextlib.suppress(BrokenPipeError):  # it has failed, and `answer` says so
                print(file=orders, flush=True)
            return answer()

        built = answer()
        if "missing" in built:
            raise Missing(f"{contender.name} is missing: {built['missing']}.")
        yield Live(built, work)


@contextlib.contextmanager
def _on_one_core() -> Iterator[None]:
    """Keeps what is started meanwhile to one core, the last, where the system can do that."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    cores = devices.cores()
    os.sched_setaffinity(0, cores[-1:])
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def compare(contenders: Sequence[Contender], rounds: int) -> dict[str, Any]:
    """Returns the rates of contenders, and how many times as fast the first is as each other one.

    The first round warms up and is not counted.

    Args:
      contenders: the first must start; another that is missing has one sentence in place of its rates.
      rounds: how many slices of each count, at least two.
    """
    with contextlib.ExitStack() as stack:
        live: dict[str, Live] = {}
        found: dict[str, Any] = {}
        for contender in contenders:
            try:
                live[contender.name] = stack.enter_context(running(contender))
            except Missing as missing:
                if contender is contenders[0]:
                    raise
                found[contender.name] = {"missing": str(missing)}
        slices: dict[str, list[dict[str, float]]] = {name: [] for name in live}
        for _ in range(rounds + 1):
            for name, process in live.items():
                slices[name].append(process.work())
    per_cpu = {name: _rates(of, "cpu_seconds") for name, of in slices.items()}
    first = contenders[0].name
    for name, process in live.items():
        found[name] = {
            "per_cpu_second": quartiles(per_cpu[name]),
            "per_wall_second": quartiles(_rates(slices[name], "wall_seconds")),
            "built": process.built,
        }
        if name != first:
            pairs = zip(per_cpu[first], per_cpu[name], strict=True)
            found[name]["times"] = quartiles([ours / theirs for ours, theirs in pairs])
    return {contender.name: found[contender.name] for contender in contenders}


def _rates(slices: Sequence[dict[str, float]], seconds: str) -> list[float]:
    return [one["units"] / one[seconds] for one in slices[1:]]


def quartiles(values: Sequence[float]) -> list[float]:
    """Returns lower quartile, median and upper quartile of at least two values."""
    return statistics.quantiles(values, n=4, method="inclusive")
