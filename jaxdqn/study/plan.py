"""The compiled programs of a study: cells whose configurations have the same tree structure share one program.

A group of cells costs one compilation, however many learning rates and seeds it has. Its cells run in waves of equal
width, as many side by side as fit, so that one program serves every wave.
"""

import math
import time
from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

import jax

from jaxdqn import config_fields
from jaxdqn.store.status import Seconds
from jaxdqn.study import grids, spec
from jaxdqn.study.spec import Cell, Study
from jaxdqn.training import device_layout, program
from jaxdqn.training.device_layout import Layout, Size


class Group(NamedTuple):
    """Cells of one compiled program: one game, and one structure of configuration."""

    game: str
    cells: tuple[Cell, ...]


class Planned(NamedTuple):
    """A group with what its program needs.

    Attributes:
      group: the cells.
      layout: of a wave on this machine.
      num_waves: that run one after another.
      size: of one run in memory.
      seconds: that all waves take without compilation; None if unknown.
      compile_seconds: that its program takes to compile; None if unknown.
    """

    group: Group
    layout: Layout
    num_waves: int
    size: Size
    seconds: float | None
    compile_seconds: float | None


def plan(
    study: Study,
    done: Collection[str] = (),
    *,
    memory: float | None = None,
    seconds: Mapping[tuple[str, str], Seconds] | None = None,
) -> tuple[Planned, ...]:
    """Returns the programs of a study, in the order in which they run.

    Args:
      study: the study.
      done: identifiers of the cells that need no run.
      memory: bytes that runs may use at once; None for half of what there is.
      seconds: times by game and arm, from earlier runs.

    Raises:
      ValueError: if one run needs more than `memory`.
    """
    planned = []
    for group in groups(cell for cell in spec.cells(study) if cell.id not in done):
        config, game = group.cells[0].config, spec.game(group.game)
        layout = device_layout.choose(config, game, len(group.cells), memory, study.evaluation)
        taken = [(seconds or {}).get((cell.game, cell.algorithm)) for cell in group.cells]
        known = [one for one in taken if one is not None]
        planned.append(
            Planned(
                group=group,
                layout=layout,
                num_waves=math.ceil(len(group.cells) / layout.width),
                size=device_layout.size(config, game),
                seconds=sum(one.training for one in known) / len(known) * len(taken) if known else None,
                compile_seconds=max(one.compiling for one in known) if known else None,
            )
        )
    return tuple(planned)


def check_memory(study: Study, done: Collection[str] = (), memory: float | None = None) -> None:
    """Checks that the memory holds a run of each program, before anything is compiled; arguments are those of `plan`.

    Raises:
      ValueError: if one run needs more. The message has the bytes that are needed and available.
    """
    for group in groups(cell for cell in spec.cells(study) if cell.id not in done):
        device_layout.choose(group.cells[0].config, spec.game(group.game), len(group.cells), memory)


def calibrated(study: Study, planned: Planned) -> Planned:
    """Returns the plan of a program with its time; if unknown, it is estimated from the second evaluation period."""
    if planned.seconds is not None:
        return planned
    group, layout, evaluation = planned.group, planned.layout, study.evaluation
    config = group.cells[0].config
    made = program.make(config, spec.game(group.game), evaluation, layout, num_logged=study.episodes_logged)
    try:
        states = made.init([config] * layout.width, list(range(layout.width)))
        for period in range(2):  # the first may only fill the replay memory
            started = time.perf_counter()
            states, _ = made.advance(states, period * evaluation.every)
        per_wave = (time.perf_counter() - started) * study.steps / evaluation.every
    finally:
        made.close()
    return planned._replace(seconds=per_wave * planned.num_waves, compile_seconds=made.compile_seconds)


def structural_fields(study: Study) -> list[str]:
    """Returns the fields of the grid that are structure: another value needs another compiled program."""
    (base, *_) = study.algorithms.values()
    values: dict[str, list[Any]] = {}
    for point in grids.points(study.grid):
        for path, value in point.items():
            values.setdefault(path, []).append(value)
    return [
        path
        for path, tried in values.items()
        if len({jax.tree.structure(config_fields.replace_at(base, path, value)) for value in tried}) > 1
    ]


def groups(cells: Iterable[Cell]) -> tuple[Group, ...]:
    """Returns the groups of cells, one for each program, in order of first appearance."""
    found: dict[Any, list[Cell]] = {}
    for cell in cells:
        found.setdefault((cell.game, jax.tree.structure(cell.config)), []).append(cell)
    return tuple(Group(game, tuple(members)) for (game, _), members in found.items())
