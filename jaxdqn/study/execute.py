"""On this machine: compiles each group once, runs its members in waves, and stores the runs of a wave as it ends."""

import contextlib
import datetime
import functools
import os
import pathlib
import platform
import subprocess
import time
from importlib import metadata
from typing import Any, NamedTuple

import numpy as np

import jaxdqn
from jaxdqn.results import schema, store
from jaxdqn.study import plan, progress, spec
from jaxdqn.study.spec import Cell, Study
from jaxdqn.training import program
from jaxdqn.training.run import Curves, Ending

_PACKAGES = ("jax", "jaxlib", "flax", "optax", "numpy", "gymnasium")


class Report(NamedTuple):
    """What a call of `run` did.

    Attributes:
      folder: where the study's runs are.
      num_written: runs made and stored now.
      num_skipped: runs that were there already, or that another process stored first.
      num_diverged: of those made now.
      num_crashed: of those made now, ended by an error of their game.
      damaged: sentences about records that could not be read; their runs were left out.
      num_compilations: groups compiled, one program each.
      compile_seconds: spent on them.
      wall_seconds: spent on training and evaluating.
    """

    folder: pathlib.Path
    num_written: int
    num_skipped: int
    num_diverged: int
    num_crashed: int
    damaged: tuple[str, ...]
    num_compilations: int
    compile_seconds: float
    wall_seconds: float


class _Wave(NamedTuple):
    """Curves `[members, periods]` by name, how each member ended, and what the wave cost."""

    curves: dict[str, np.ndarray]
    endings: list[Ending]
    seconds: np.ndarray  # float64 [periods], since the start of the wave, without compilation


def run(study: Study, out: str | pathlib.Path, *, asynchronous: bool = False) -> Report:
    """Runs every cell of the study that has no result yet, and stores each when it is done.

    Runs that are stored stay as they are; a run that was interrupted starts again. A damaged record is named in the
    report and left alone, with its run.

    Args:
      study: what to run.
      out: its results go to `<out>/<study.name>/runs`.
      asynchronous: whether each environment of a host game has a process; results are the same.

    Raises:
      OSError: if there can be no such folder; nothing has been trained then.
    """
    folder = pathlib.Path(out) / study.name / "runs"
    folder.mkdir(parents=True, exist_ok=True)  # or no run could be stored
    cells = spec.cells(study)
    missing, damaged = _missing(study, cells, folder)
    compile_seconds, wall_seconds, endings, groups = 0.0, 0.0, [], plan.groups(missing)
    commit()  # of the code as it is now, not as it may be when the first wave ends
    with progress.Bar(len(missing), study.steps) as bar:
        for number, group in enumerate(groups, start=1):
            game, config = spec.game(group.game), group.cells[0].config
            bar.compiling(f"{group.game}: compiling program {number} of {len(groups)}")
            layout = program.layout(config, game, len(group.cells))
            compiled = program.make(
                config,
                game,
                study.evaluation,
                layout,
                num_logged=study.episodes_logged,
                asynchronous=asynchronous,
            )
            compile_seconds += compiled.compile_seconds
            with contextlib.closing(compiled):
                for members in plan.waves(group, layout.width):
                    wave = _run_wave(study, members, compiled, layout, bar)
                    wall_seconds += wave.seconds[-1]
                    for i, cell in enumerate(members):
                        record = _record(study, cell, wave, i, compiled.compile_seconds, layout)
                        with contextlib.suppress(store.CompleteAlready):  # another process was quicker with this run
                            store.write(folder, *record, _attachments(study, cell, wave.endings[i]))
                            endings.append(wave.endings[i])
    return Report(
        folder=folder,
        num_written=len(endings),
        num_skipped=len(cells) - len(endings) - len(damaged),
        num_diverged=sum(ending.diverged_at is not None for ending in endings),
        num_crashed=sum(ending.crash is not None for ending in endings),
        damaged=damaged,
        num_compilations=len(groups),
        compile_seconds=compile_seconds,
        wall_seconds=wall_seconds,
    )


def _missing(study: Study, cells: tuple[Cell, ...], folder: pathlib.Path) -> tuple[tuple[Cell, ...], tuple[str, ...]]:
    """Returns the cells without a result, and a sentence about each damaged one."""
    missing, damaged = [], []
    for cell in cells:
        try:
            if store.find(folder, spec.identifier(study, cell)) is None:
                missing.append(cell)
        except store.DamagedResult as problem:
            damaged.append(str(problem))
    return tuple(missing), tuple(damaged)


def _run_wave(
    study: Study, members: tuple[Cell, ...], compiled: program.Program, layout: program.Layout, bar: progress.Bar
) -> _Wave:
    """Trains the members of one wave side by side. A narrow wave is filled up with its last member, run in vain."""
    filled = [*members, *[members[-1]] * (layout.width - len(members))]
    states = compiled.init([cell.config for cell in filled], [cell.seed for cell in filled])
    points: list[Curves] = []
    seconds: list[float] = []
    started = time.perf_counter()
    bar.training()
    for step in range(0, study.steps, study.evaluation.every):
        states, curves = compiled.advance(states, step)
        points.append(curves)
        seconds.append(time.perf_counter() - started)
        bar.advance(
            f"{members[0].game}: {', '.join(dict.fromkeys(cell.algorithm for cell in members))}",
            num_steps=study.evaluation.every * len(members),
            scores=curves.evaluation_return[: len(members)],
        )
    stacked = {name: np.stack([getattr(point, name) for point in points], axis=1) for name in Curves._fields}
    return _Wave(stacked, compiled.end(states)[: len(members)], np.array(seconds))


def _record(
    study: Study, cell: Cell, wave: _Wave, member: int, compile_seconds: float, layout: program.Layout
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Returns the facts and curves of one run; those of a run that crashed end before it did."""
    ending = wave.endings[member]
    curves = {name: values[member] for name, values in wave.curves.items()} | {"wall_seconds": wave.seconds}
    if ending.crash is not None:
        num_points = int((curves["steps"] > 0).sum())
        curves = {name: values[:num_points] for name, values in curves.items()}
    facts = {
        "schema": schema.VERSION,
        "id": spec.identifier(study, cell),
        "study": study.name,
        "algorithm": cell.algorithm,
        "settings": spec.plain_settings(cell.settings),
        **spec.determinants(study, cell),
        "code": {"jaxdqn": jaxdqn.__version__, **commit()},
        "versions": {"python": platform.python_version(), **{name: metadata.version(name) for name in _PACKAGES}},
        "hardware": {
            "platform": layout.devices[0].platform,
            "device": layout.devices[0].device_kind,
            "num_devices": len(layout.devices),
            "num_cores": os.cpu_count(),
        },
        "cost": {
            "wall_seconds": float(wave.seconds[-1]),
            "compile_seconds": compile_seconds,
            "runs_at_once": layout.width,
        },
        "diverged_at": ending.diverged_at,
        "crash": ending.crash,
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }
    return facts, curves


def _attachments(study: Study, cell: Cell, ending: Ending) -> dict[str, dict[str, np.ndarray]]:
    """Returns what is kept beside the curves: the log of episodes, and the weights of the seeds asked for."""
    kept = {"episodes": ending.episodes}
    if cell.seed in study.weights_of:
        kept["weights"] = ending.parameters
    return {kind: arrays for kind, arrays in kept.items() if arrays}


@functools.cache
def commit() -> dict[str, Any]:
    """Returns the commit that the package lies in, and whether its code has changed since; None outside a checkout."""
    here = pathlib.Path(jaxdqn.__file__).parent

    def git(*arguments: str) -> str | None:
        try:
            done = subprocess.run(["git", "-C", str(here), *arguments], capture_output=True, text=True, check=True)
        except (OSError, subprocess.CalledProcessError):
            return None
        return done.stdout.strip()

    tracked = git("ls-files", "--error-unmatch", "__init__.py")
    if tracked is None:  # installed, perhaps inside somebody else's repository
        return {"commit": None, "modified": None}
    return {"commit": git("rev-parse", "HEAD"), "modified": bool(git("status", "--porcelain", "--", "."))}
