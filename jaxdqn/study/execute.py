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

import jax
import numpy as np

import jaxdqn
from jaxdqn import configuration, games
from jaxdqn.results import schema, store, tidy
from jaxdqn.study import plan, program, progress, spec
from jaxdqn.study.spec import Cell, Study
from jaxdqn.training import loop

_PACKAGES = ("jax", "jaxlib", "flax", "optax", "numpy")


class Report(NamedTuple):
    """What a call of `run` did.

    Attributes:
      folder: where the study's runs are.
      num_written: runs made now.
      num_skipped: runs that were there already.
      num_diverged: of those made now.
      damaged: sentences about records that could not be read; their runs were left out.
      num_compilations: groups compiled, one program each.
      compile_seconds: spent on them.
      wall_seconds: spent on training and evaluating.
    """

    folder: pathlib.Path
    num_written: int
    num_skipped: int
    num_diverged: int
    damaged: tuple[str, ...]
    num_compilations: int
    compile_seconds: float
    wall_seconds: float


class _Wave(NamedTuple):
    """Curves `[members, periods]` by name, the members' steps of divergence or -1, and what they cost."""

    curves: dict[str, np.ndarray]
    diverged_at: np.ndarray
    seconds: np.ndarray  # float64 [periods], since the start of the wave, without compilation


def run(study: Study, out: str | pathlib.Path) -> Report:
    """Runs every cell of the study that has no result yet, and stores each when it is done.

    Runs that are stored stay as they are; a run that was interrupted starts again. A damaged record is named in the
    report and left alone, with its run.

    Args:
      study: what to run.
      out: its results go to `<out>/<study.name>/runs`.
    """
    folder = pathlib.Path(out) / study.name / "runs"
    cells = spec.cells(study)
    missing, damaged = _missing(study, cells, folder)
    devices = jax.devices()
    compile_seconds, wall_seconds, num_diverged, groups = 0.0, 0.0, 0, plan.groups(missing)
    _commit()  # of the code as it is now, not as it may be when the first wave ends
    with progress.Bar(len(missing), study.steps) as bar:
        for number, group in enumerate(groups, start=1):
            game = games.make(group.game)
            layout = plan.layout(group, game, devices)
            bar.compiling(f"{group.game}: compiling program {number} of {len(groups)}")
            compiled = program.compile_group(group.cells[0].config, game, study.evaluation, layout)
            compile_seconds += compiled.compile_seconds
            for members in plan.waves(group, layout.width):
                wave = _run_wave(study, members, compiled, layout, bar)
                wall_seconds += wave.seconds[-1]
                num_diverged += int((wave.diverged_at[: len(members)] >= 0).sum())
                for i, cell in enumerate(members):
                    with contextlib.suppress(FileExistsError):  # another process was quicker with this run
                        store.write(folder, *_record(study, cell, wave, i, compiled.compile_seconds, layout))
    return Report(
        folder=folder,
        num_written=len(missing),
        num_skipped=len(cells) - len(missing) - len(damaged),
        num_diverged=num_diverged,
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
    study: Study, members: tuple[Cell, ...], compiled: program.Program, layout: plan.Layout, bar: progress.Bar
) -> _Wave:
    """Trains the members of one wave side by side. A narrow wave is filled up with its last member, run in vain."""
    filled = [*members, *[members[-1]] * (layout.width - len(members))]
    configs = configuration.stack([cell.config for cell in filled])
    states = compiled.init(configs, np.array([cell.seed for cell in filled], np.uint32))
    points: list[loop.Curves] = []
    seconds: list[float] = []
    started = time.perf_counter()
    bar.training()
    for step in range(0, study.steps, study.evaluation.every):
        states, curves = compiled.advance(configs, states, np.int32(step))
        points.append(jax.device_get(curves))
        seconds.append(time.perf_counter() - started)
        bar.advance(
            f"{members[0].game}: {', '.join(dict.fromkeys(cell.algorithm for cell in members))}",
            num_steps=study.evaluation.every * len(members),
            score=float(np.mean(points[-1].evaluation_return[: len(members)])),
        )
    stacked = {name: np.stack([getattr(point, name) for point in points], axis=1) for name in loop.Curves._fields}
    return _Wave(stacked, np.asarray(states.diverged_at), np.array(seconds))


def _record(
    study: Study, cell: Cell, wave: _Wave, member: int, compile_seconds: float, layout: plan.Layout
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Returns the facts and curves of one run."""
    diverged_at = int(wave.diverged_at[member])
    curves = {name: values[member] for name, values in wave.curves.items()} | {"wall_seconds": wave.seconds}
    facts = {
        "schema": schema.VERSION,
        "id": spec.identifier(study, cell),
        "study": study.name,
        "algorithm": cell.algorithm,
        "settings": spec.plain_settings(cell),
        **spec.determinants(study, cell),
        "code": {"jaxdqn": jaxdqn.__version__, **_commit()},
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
        "diverged_at": diverged_at if diverged_at >= 0 else None,
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }
    return facts, tidy.thin(curves)


@functools.cache
def _commit() -> dict[str, Any]:
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
