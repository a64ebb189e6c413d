"""How many updates does Q-learning need to learn from one success among exponentially many failures?

With 131,070 transitions, uniform replay needs 1,982,283 updates (15.1 per transition), proportional replay 250,009
(1.9), greedy replay 131,799, and an oracle 1,134; medians over 10 seeds. New transitions have the largest priority, so
greedy replay first replays the whole memory once; then it needs a few hundred updates more. See results/cliffwalk/.

This is the Blind Cliffwalk of Schaul et al. (2016), *Prioritized Experience Replay*, section 3.1, figure 1 and appendix
B.1: n states, and 2^(n+1) - 2 transitions in memory, one of them with a reward. Tabular Q-learning updates one
transition at a time until the mean squared error of the values is below 0.001.

    python experiments/cliffwalk.py            three to four minutes on two busy CPU cores
    python experiments/cliffwalk.py --toy      seconds

The memory stores every transition, without approximation (`cliffwalk_replay.py`). As in the paper: n from 2 to 16,
discount 1 - 1/n, step size 1/4, initial values from N(0, 0.1), new transitions at the largest priority, later at the
priority of their last error. Chosen here: 0.1 is a standard deviation; proportional replay has the exponent 0.6 and
adds 0.001 to the error; there are no importance weights.

Bands are from the smallest to the largest of the seeds, as in the paper; they are not confidence intervals. All kinds
of replay share the seeds, so they have the same initial values and the same memory. It always runs on the CPU.
"""

import argparse
import concurrent.futures
import dataclasses
import datetime
import functools
import json
import os
import pathlib
import platform
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib import metadata
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter
from rich.console import Console
from rich.progress import track

import cliffwalk_replay
from jaxdqn.analysis.table_formats import markdown
from jaxdqn.commands.errors import one_sentence, printable
from jaxdqn.figures import style
from jaxdqn.store import files, store
from jaxdqn.study import provenance
from jaxdqn.training import devices

PACKAGES = ("jax", "jaxlib", "numpy")


@dataclasses.dataclass(frozen=True)
class Experiment:
    """Sizes, seeds 0 to `num_seeds` - 1, and the largest number of updates, `cap`; all kinds of replay are run."""

    name: str
    sizes: tuple[int, ...]
    num_seeds: int
    cap: int

    def __post_init__(self) -> None:
        if self.num_seeds < 1:
            raise ValueError(f"seeds = {self.num_seeds} is too small: give at least 1.")

    def settings(self) -> dict[str, Any]:
        """Returns everything that determines the numbers, except the code."""
        return {
            "experiment": self.name,
            "version": 1,  # raised when the computation changes
            "sizes": list(self.sizes),
            "seeds": list(range(self.num_seeds)),
            "ways": list(cliffwalk_replay.WAYS),
            "cap": self.cap,
            "discount": "1 - 1 / size",
            "step_size": cliffwalk_replay.STEP_SIZE,
            "initial_scale": cliffwalk_replay.INITIAL_SCALE,
            "tolerance": cliffwalk_replay.TOLERANCE,
            "first_priority": cliffwalk_replay.FIRST_PRIORITY,
            "exponent": cliffwalk_replay.EXPONENT,
            "offset": cliffwalk_replay.OFFSET,
        }


WHOLE = Experiment("cliffwalk", sizes=tuple(range(2, 17)), num_seeds=10, cap=20_000_000)
TOY = Experiment("cliffwalk-toy", sizes=(2, 3, 5), num_seeds=3, cap=500)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--toy", action="store_true", help="a short run in seconds, stored in a folder of its own")
    parser.add_argument(
        "--seeds",
        type=int,
        metavar="N",
        help="use seeds 0 to N-1 and add N to the names of figure and table "
        f"(default: {WHOLE.num_seeds}; with --toy {TOY.num_seeds})",
    )
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("results"), help="folder (default: results)")
    parser.add_argument("--figure-only", action="store_true", help="draw the stored record without running anything")
    options = parser.parse_args()
    default = experiment = TOY if options.toy else WHOLE
    with one_sentence():
        if options.seeds is not None:
            experiment = dataclasses.replace(default, num_seeds=options.seeds)
        folder = options.out / experiment.name
        path = folder / f"{store.identifier(experiment.settings())}.json"
        if not path.exists():
            if options.figure_only:
                raise ValueError(f"{path} does not exist: run the experiment first, without --figure-only.")
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=folder):
                pass  # raises an error before any work if the folder is not writable
    if not path.exists():
        record = run(experiment)
        with one_sentence():
            files.write_new(path, (json.dumps(record, indent=1, allow_nan=False) + "\n").encode())
    elif not options.figure_only:
        print(f"{path} exists already: nothing is run", file=sys.stderr)
    with one_sentence():
        record = read(path, experiment)
        name = experiment.name if experiment == default else f"{experiment.name}-{experiment.num_seeds}_seeds"
        figures = style.save(figure(record), folder / name, caption(record))
        text, saved = table(record), folder / f"{name}.md"
        files.replace(saved, text.encode())
    print(text)
    print(f"record  {path}", *(f"figure  {drawn}" for drawn in figures), f"table   {saved}", sep="\n")


def run(experiment: Experiment) -> dict[str, Any]:
    """Returns the record of an experiment; if interrupted, it exits with status 130 and stores nothing."""
    jax.config.update("jax_default_device", jax.devices("cpu")[0])
    devices.keep_compiled_programs()
    code = provenance.code(provenance.script())
    started = time.perf_counter()
    # Largest sizes first: each size takes twice the time of the one below.
    cells = [(size, way) for size in reversed(experiment.sizes) for way in cliffwalk_replay.WAYS]
    counts = functools.partial(count_updates, seeds=range(experiment.num_seeds), cap=experiment.cap)
    with concurrent.futures.ThreadPoolExecutor(len(devices.cores())) as pool:
        try:
            running = pool.map(counts, *zip(*cells, strict=True))
            results = list(track(running, "sizes and ways", total=len(cells), console=Console(stderr=True)))
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            print("interrupted: nothing is stored", file=sys.stderr)
            raise SystemExit(130) from None
    return {
        "id": store.identifier(experiment.settings()),
        "settings": experiment.settings(),
        "code": code,
        "versions": {"python": platform.python_version(), **{name: metadata.version(name) for name in PACKAGES}},
        "hardware": {"platform": "cpu", "num_cores": os.cpu_count()},
        "cost": {"wall_seconds": time.perf_counter() - started},
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "cells": [
            {"size": size, "transitions": 2 ** (size + 1) - 2, "way": way, "updates": updates}
            for (size, way), updates in sorted(zip(cells, results, strict=True), key=lambda cell: cell[0][0])
        ],
    }


def count_updates(size: int, way: str, *, seeds: Sequence[int], cap: int) -> list[int | None]:
    """Returns the number of updates of each seed; None if `cap` updates were not enough."""
    keys = jnp.stack([jax.random.split(jax.random.key(seed), 3) for seed in seeds])  # [S, 3]
    memories = jnp.stack([cliffwalk_replay.memory(key, size) for key in keys[:, 0]])

    def count_of_seed(inputs: tuple[jax.Array, jax.Array]) -> jax.Array:
        keys, memory = inputs
        walk = cliffwalk_replay.walk(memory, size)
        return cliffwalk_replay.num_updates(keys[1], keys[2], walk, cliffwalk_replay.WAYS[way], cap)

    # One seed after the other: in parallel, all would wait for the slowest, and memories would be copied.
    counts = jax.jit(lambda keys, memories: jax.lax.map(count_of_seed, (keys, memories)))(keys, memories)
    return [count if count >= 0 else None for count in counts.tolist()]


def read(path: pathlib.Path, experiment: Experiment) -> dict[str, Any]:
    """Returns the record; exits with status 1 and one sentence if it is not a complete record of this experiment."""
    settings = experiment.settings()
    expected = [(size, way) for size in settings["sizes"] for way in settings["ways"]]
    try:
        record = json.loads(path.read_bytes())
        cells = [(cell["size"], cell["way"]) for cell in record["cells"]]
        lengths = {len(cell["updates"]) for cell in record["cells"]}
        counts = [count for cell in record["cells"] for count in cell["updates"]]
        is_whole = (
            (record["id"], record["settings"], cells) == (path.stem, settings, expected)
            and lengths == {experiment.num_seeds}
            and all(count is None or (isinstance(count, int) and count >= 0) for count in counts)
        )
        caption(record)
    except (ValueError, KeyError, TypeError):
        is_whole = False
    if not is_whole:
        raise SystemExit(f"damaged: {printable(path)} is not a complete record. Delete it and run this script again.")
    return record


def summary(cell: dict[str, Any]) -> tuple[float, float, float]:
    """Returns median, smallest and largest number of updates of a cell; infinite above the cap."""
    counts = [np.inf if count is None else count for count in cell["updates"]]
    return float(np.median(counts)), min(counts), max(counts)


def figure(record: dict[str, Any]) -> Figure:
    """Returns a figure of updates against transitions on logarithmic axes, with one line for each kind of replay."""
    settings, cap = record["settings"], record["settings"]["cap"]
    looks = style.styles(settings["ways"])
    not_solved = 0
    with style.look():
        drawn, axes = style.panels(
            ["Blind Cliffwalk"], xlabel="transitions in memory", ylabel="updates until solved", title=None
        )
        panel, lines = axes["Blind Cliffwalk"], {}
        panel.set(xscale="log", yscale="log")
        for way, look in looks.items():
            cells = [cell for cell in record["cells"] if cell["way"] == way]
            transitions = np.array([cell["transitions"] for cell in cells])
            median, least, most = np.array([summary(cell) for cell in cells]).T
            not_solved += sum(cell["updates"].count(None) for cell in cells)
            # If some seeds are not solved, the band ends at the cap. If the median is not solved, the line ends.
            panel.fill_between(
                transitions, np.minimum(least, cap), np.minimum(most, cap), color=look.color, alpha=0.18, linewidth=0
            )
            (lines[way],) = panel.plot(
                transitions,
                np.where(np.isfinite(median), median, np.nan),
                color=look.color,
                linestyle=look.line,
                marker=look.marker,
            )
            above = transitions[np.isinf(median)]
            if len(above):
                panel.plot(above, np.full(len(above), cap), color=look.color, marker="x", linestyle="none")
        panel.xaxis.set_minor_formatter(NullFormatter())
        (lines["updates = transitions"],) = panel.plot(
            transitions, transitions, color="#606060", linewidth=0.9, linestyle=(0, (4, 3)), zorder=1.5
        )
        style.legend(drawn, lines)
    drawn.set_label(
        f"Lines: medians over {len(settings['seeds'])} seeds; bands: from the smallest to the largest of them. "
        + (f"{not_solved} runs are not solved in {cap:,} updates; crosses: medians above it. " if not_solved else "")
        + f"Solved: mean squared error of the values below {settings['tolerance']:g}."
    )
    return drawn


def table(record: dict[str, Any]) -> str:
    """Returns a Markdown table of median (smallest to largest) updates by size and kind of replay."""
    ways, cap = record["settings"]["ways"], record["settings"]["cap"]

    def shown(count: float) -> str:
        return f"over {cap:,}" if np.isinf(count) else f"{count:,.1f}".removesuffix(".0")

    rows = [["states", "transitions", *ways]]
    for size in record["settings"]["sizes"]:
        cells = [cell for cell in record["cells"] if cell["size"] == size]
        summaries = [[shown(count) for count in summary(cell)] for cell in cells]
        medians = ["{} ({} to {})".format(*counts) if len({*counts}) > 1 else counts[0] for counts in summaries]
        rows.append([str(size), f"{cells[0]['transitions']:,}", *medians])
    seeds = len(record["settings"]["seeds"])
    return f"{markdown(rows)}\nUpdates until solved: median of {seeds} seeds (least to most).\n"


def caption(record: dict[str, Any]) -> str:
    settings, code = record["settings"], record["code"]
    commit = "no commit" if code["commit"] is None else f"commit {code['commit'][:10]}"
    changed = " with changes" if code["modified"] else ""
    return (
        f"Experiment {settings['experiment']}: {len(settings['sizes'])} sizes, {len(settings['ways'])} ways of replay, "
        f"{len(settings['seeds'])} seeds each. jaxdqn {code['jaxdqn']}, {commit}{changed}. "
        f"jax {record['versions']['jax']} on {record['hardware']['platform']}."
    )


if __name__ == "__main__":
    main()
