"""Into compiled programs: cells whose configurations have the same tree structure share one program.

A group costs one compilation, however many learning rates and seeds it has. Its members are run in waves
of equal width, laid out for the machine, so that one compiled program serves every wave.
"""

import math
import os
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import jax

from jaxdqn.interfaces import Game
from jaxdqn.study.spec import Cell
from jaxdqn.training import loop

MOST_ON_A_CPU_CORE = 4  # runs one after another on a core: evens out their episodes, keeps waves short


class Group(NamedTuple):
    """Cells of one compiled program: one game, and one structure of configuration."""

    game: str
    cells: tuple[Cell, ...]


class Layout(NamedTuple):
    """Where the members of a group run.

    Attributes:
      devices: one slice of the members each.
      per_device: members on a device in one wave.
      batch: members that a device computes side by side; 1 takes them one after another.
    """

    devices: tuple[Any, ...]
    per_device: int
    batch: int

    @property
    def width(self) -> int:
        """Members of a wave."""
        return len(self.devices) * self.per_device


def groups(cells: Iterable[Cell]) -> tuple[Group, ...]:
    """Returns the cells sorted into programs, in order of first appearance."""
    found: dict[Any, list[Cell]] = {}
    for cell in cells:
        found.setdefault((cell.game, jax.tree.structure(cell.config)), []).append(cell)
    return tuple(Group(game, tuple(members)) for (game, _), members in found.items())


def layout(group: Group, game: Game, devices: Sequence[Any]) -> Layout:
    """Returns how to lay the group out on these devices.

    On CPU cores each member runs alone, since small networks batched over members are slower for each of them;
    on an accelerator as many side by side as half of its memory holds.
    """
    num_members = len(group.cells)
    used = tuple(devices[:num_members])
    is_cpu = used[0].platform == "cpu"
    most = max(1, int(0.5 * _memory(used[0], len(devices)) / _bytes_of_a_run(group.cells[0], game)))
    if is_cpu:
        most = min(most, MOST_ON_A_CPU_CORE)
    num_waves = math.ceil(num_members / (len(used) * most))
    per_device = math.ceil(num_members / (len(used) * num_waves))
    return Layout(used, per_device, batch=1 if is_cpu else per_device)


def waves(group: Group, width: int) -> tuple[tuple[Cell, ...], ...]:
    """Returns the cells in waves of this width; the last may be narrower."""
    return tuple(group.cells[i : i + width] for i in range(0, len(group.cells), width))


def _bytes_of_a_run(cell: Cell, game: Game) -> int:
    state = jax.eval_shape(lambda: loop.init(cell.config, jax.random.key(0), game=game))
    return sum(math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in jax.tree.leaves(state))


def _memory(device: Any, num_devices: int) -> float:
    """Returns the bytes that a device may use; CPU devices share what the machine has."""
    statistics = device.memory_stats() if device.platform != "cpu" else None
    if statistics and "bytes_limit" in statistics:
        return float(statistics["bytes_limit"])
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / num_devices
