"""The tasks of a study: some cells of one program each, with the resources that they need."""

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

from jaxdqn.study.plan import Planned
from jaxdqn.training import device_layout

_BASE = 2**30  # bytes of a process that has imported JAX and compiled a program
_WORKING = 2  # a run that learns needs more than it keeps


class Resources(NamedTuple):
    """The resources that a person requests.

    Attributes:
      tasks: at least this number, if there are as many runs, and on Slurm the most at once; None uses all slots.
      cpus: of a task.
      gpus: of a task; None takes one where the cluster has GPUs.
    """

    tasks: int | None = None
    cpus: int = 1
    gpus: int | None = None


class Needs(NamedTuple):
    """The resources that a task needs on its machine; memory is in bytes."""

    cpus: int
    gpus: int
    memory: int


class Task(NamedTuple):
    """Identifiers of cells of one program, and the resources that their runs need."""

    cells: tuple[str, ...]
    needs: Needs


def split(
    planned: Sequence[Planned], slots: int | None, *, cpus: int, gpus: int, memory: float | None = None
) -> tuple[Task, ...]:
    """Returns the tasks of a study: of one program each, of nearly equal size, and enough to fill all slots.

    On CPU a task is at most one wave, so that little is lost with a machine. An accelerator trains many runs side by
    side; there a task is as large as the slots allow.

    Args:
      planned: the programs of the study, with the cells to run.
      slots: tasks that can run at once; None if unknown. With 0, the pool refuses the tasks.
      cpus: of a task.
      gpus: of a task.
      memory: bytes that the runs of a task may use at once; None for what they need.
    """
    num_cells = sum(len(program.group.cells) for program in planned)
    most = num_cells if gpus else cpus * device_layout.MOST_ON_A_CPU_CORE
    if slots is not None:
        most = min(most, math.ceil(num_cells / max(1, slots)))
    found = []
    for one in planned:
        ids = [cell.id for cell in one.group.cells]
        for cells in _parts(ids, most):
            kept = one.size.total * len(cells) if memory is None else memory
            found.append(Task(cells, Needs(cpus, gpus, int(_BASE + _WORKING * kept))))
    return tuple(found)


def _parts(ids: Sequence[str], most: int) -> list[tuple[str, ...]]:
    """Returns the identifiers in parts of at most `most`, whose sizes differ by at most one."""
    number = math.ceil(len(ids) / most)
    ends = [len(ids) * part // number for part in range(number + 1)]
    return [tuple(ids[start:end]) for start, end in itertools.pairwise(ends)]
