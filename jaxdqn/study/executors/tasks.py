"""A study in parts that can run apart: some cells of one program each, and what they need of a machine."""

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

from jaxdqn.study import spec
from jaxdqn.study.plan import Planned
from jaxdqn.study.spec import Study
from jaxdqn.training import program

_BASE = 2**30  # bytes of a process that has imported JAX and compiled a program
_WORKING = 2  # a run that learns needs more than it keeps


class Asked(NamedTuple):
    """What a person asked for.

    Attributes:
      tasks: at least so many, if there are as many runs, and on Slurm no more at once; None leaves it to what there is.
      cpus: of a task.
      gpus: of a task; None leaves it to what there is.
    """

    tasks: int | None = None
    cpus: int = 1
    gpus: int | None = None


class Needs(NamedTuple):
    """What a task needs of the machine that it runs on; memory is in bytes."""

    cpus: int
    gpus: int
    memory: int


class Task(NamedTuple):
    """Cells of one program, by identifier, and what running them needs."""

    cells: tuple[str, ...]
    needs: Needs


def split(
    study: Study, planned: Sequence[Planned], slots: int | None, *, cpus: int, gpus: int, memory: float | None = None
) -> tuple[Task, ...]:
    """Returns the tasks of a study: each of one program, as equal in size as can be, and enough to fill all slots.

    On CPU a task is never more than one wave, so that little is lost with a machine; on an accelerator, which takes
    many runs side by side, it is as large as the slots allow.

    Args:
      study: that the plan is of.
      planned: its programs, with the cells that are to be run.
      slots: tasks that can run at once; None if nobody knows. Without any, whoever is given the tasks refuses them.
      cpus: of a task.
      gpus: of a task.
      memory: bytes that the runs of a task may use at once; None for what they need.
    """
    num_cells = sum(len(program.group.cells) for program in planned)
    most = num_cells if gpus else cpus * program.MOST_ON_A_CPU_CORE
    if slots is not None:
        most = min(most, math.ceil(num_cells / max(1, slots)))
    found = []
    for one in planned:
        ids = [spec.identifier(study, cell) for cell in one.group.cells]
        for cells in _parts(ids, most):
            kept = one.size.total * len(cells) if memory is None else memory
            found.append(Task(cells, Needs(cpus, gpus, int(_BASE + _WORKING * kept))))
    return tuple(found)


def _parts(ids: Sequence[str], most: int) -> list[tuple[str, ...]]:
    """Returns the identifiers in parts of at most so many, whose sizes differ by at most one."""
    number = math.ceil(len(ids) / most)
    ends = [len(ids) * part // number for part in range(number + 1)]
    return [tuple(ids[start:end]) for start, end in itertools.pairwise(ends)]
