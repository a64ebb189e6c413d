"""Into compiled programs: cells whose configurations have the same tree structure share one program.

A group costs one compilation, however many learning rates and seeds it has. Its members are run in waves
of equal width, so that one compiled program serves every wave.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import jax

from jaxdqn.study.spec import Cell


class Group(NamedTuple):
    """Cells of one compiled program: one game, and one structure of configuration."""

    game: str
    cells: tuple[Cell, ...]


def groups(cells: Iterable[Cell]) -> tuple[Group, ...]:
    """Returns the cells sorted into programs, in order of first appearance."""
    found: dict[Any, list[Cell]] = {}
    for cell in cells:
        found.setdefault((cell.game, jax.tree.structure(cell.config)), []).append(cell)
    return tuple(Group(game, tuple(members)) for (game, _), members in found.items())


def waves(group: Group, width: int) -> tuple[tuple[Cell, ...], ...]:
    """Returns the cells in waves of this width; the last may be narrower."""
    return tuple(group.cells[i : i + width] for i in range(0, len(group.cells), width))
