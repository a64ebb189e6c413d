"""Part of `benchmark.py`: the process of one contender.

A script of contenders calls `serve`. Its first argument names a contender, its second one has the keyword arguments as
JSON. The process builds the contender, and then does one slice of work for each line of its input. It answers in JSON,
one line each. Only the standard library is imported, so the script also runs where jaxdqn is not installed.
"""

import contextlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import metadata

PACKAGES = (
    *("jaxdqn", "jax", "jaxlib", "flax", "optax", "numpy", "gymnasium", "ale-py", "flashbax", "gymnax"),
    *("rejax", "sbx-rl", "stable-baselines3", "torch"),
)
Slice = Callable[[], float]  # works, and returns how many units of work it has done; the first call may compile


def serve(contenders: Mapping[str, Callable[..., Slice]]) -> None:
    """Builds the contender that the command line names and measures its slices, until the input ends.

    The first answer has the seconds of building and the versions, or `missing` if a module cannot be imported. Each
    further answer has the units, CPU seconds and wall seconds of a slice. CPU seconds are those of all threads.
    """
    with os.fdopen(os.dup(1), "w") as answers:
        os.dup2(2, 1)  # so that nothing that a library prints is taken for an answer

        def answer(**values: object) -> None:
            print(json.dumps(values), file=answers, flush=True)

        started = time.process_time(), time.perf_counter()
        try:
            work = contenders[sys.argv[1]](**json.loads(sys.argv[2]))
        except ImportError as error:
            answer(missing=str(error))
            return
        answer(**_seconds(*started), versions=dict(versions(PACKAGES)))
        for _ in sys.stdin:
            started = time.process_time(), time.perf_counter()
            units = work()
            answer(units=units, **_seconds(*started))


def versions(names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yields name and version of each package that is installed."""
    for name in names:
        with contextlib.suppress(metadata.PackageNotFoundError):
            yield name, metadata.version(name)


def _seconds(cpu: float, wall: float) -> dict[str, float]:
    return {"cpu_seconds": time.process_time() - cpu, "wall_seconds": time.perf_counter() - wall}
