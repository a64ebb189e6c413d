"""A wide sum tree stores priorities and samples in proportion to them (Schaul et al. 2016, appendix B.2.1).

Each node is the sum of K children on the level below; the leaves are the last level. A sum is always recomputed from
the children and never updated by differences, so that rounding errors do not accumulate: a node has at most K rounding
errors for each level below it. A leaf of zero is never found, because each step down goes to a child above zero.

A smaller K gives more levels; a larger K gives more children to add up in each. On one machine under other load, K = 16
was among the fastest of 8 to 128.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxdqn.interfaces import Array

BRANCHING = 16


class SumTree(NamedTuple):
    """The nodes. All levels are in one array, so that a loop over levels has one compiled body.

    Attributes:
      nodes: float32 `[rows, K]`, from the children of the root to the leaves. Row r of a level holds the children of
        node r of the level above.
      starts: int32 `[depth]`, index of the first row of each level; constant.
    """

    nodes: Array
    starts: Array


def init(num_leaves: int, branching: int = BRANCHING) -> SumTree:
    """Returns a tree of zeros with `num_leaves` leaves, rounded up to a multiple of `branching`."""
    rows = [-(-num_leaves // branching)]
    while rows[0] > 1:
        rows.insert(0, -(-rows[0] // branching))
    starts = np.cumsum([0, *rows[:-1]])
    return SumTree(jnp.zeros((sum(rows), branching)), jnp.asarray(starts, jnp.int32))


def total(tree: SumTree) -> Array:
    """Returns the sum of all leaves, float32 `[]`."""
    return tree.nodes[0].sum()


def get(tree: SumTree, indices: Array) -> Array:
    """Returns leaves, float32 `[B]`. Indices must be in range."""
    branching = tree.nodes.shape[1]
    rows = tree.nodes.at[tree.starts[-1] + indices // branching].get(mode="promise_in_bounds")  # [B, K]
    return jnp.where(indices[:, None] % branching == jnp.arange(branching)[None], rows, 0.0).sum(axis=1)


def set(tree: SumTree, indices: Array, values: Array) -> SumTree:
    """Returns the tree with some leaves replaced.

    Args:
      tree: updated in place if it is donated or carried by a loop.
      indices: int32 `[B]`. If indices are equal, the largest value is written. Indices out of range, also below 0, are
        ignored.
      values: float32 `[B]`, not negative. Values below the smallest normal float32 become 0, so that all processors
        give the same tree; some flush such values to 0 in some operations only.
    """
    nodes, starts = tree
    num_rows, branching = nodes.shape
    num_leaves = (num_rows - starts[-1]) * branching
    is_inside = (indices >= 0) & (indices < num_leaves)
    values = jnp.where(values < np.finfo(np.float32).tiny, 0.0, values)
    # Write 0 first, then the maximum: neither depends on the order in which equal indices are written.
    row = jnp.where(is_inside, starts[-1] + indices // branching, num_rows)  # row num_rows does not exist: dropped
    column = indices % branching
    nodes = nodes.at[row, column].set(0.0, mode="drop").at[row, column].max(values, mode="drop")

    def sum_above(i: Array, carry: tuple[Array, Array]) -> tuple[Array, Array]:
        nodes, row = carry  # the row to sum next, counted within its level
        level = starts.size - 1 - i
        sums = nodes.at[starts[level] + row].get(mode="promise_in_bounds").sum(axis=1)  # [B]
        above, column = row // branching, row % branching
        return nodes.at[starts[level - 1] + above, column].set(sums, mode="promise_in_bounds"), above

    # Summing an unchanged row again gives the same sum.
    row = jnp.clip(indices, 0, num_leaves - 1) // branching
    nodes, _ = jax.lax.fori_loop(0, starts.size - 1, sum_above, (nodes, row))
    return SumTree(nodes, starts)


def find(tree: SumTree, start: Array, offset: Array) -> Array:
    """Returns the leaf at which the cumulative sum of the leaves exceeds `start + offset`, int32 `[B]`.

    float32 has a resolution of 24 bits: only 16 values for each of a million equal leaves. For this reason the value is
    given in two parts, the start of a stratum and an offset in it. They are added only after the first step down has
    subtracted most of `start`.

    Args:
      tree: its total must be above 0; otherwise leaf 0 is returned.
      start: float32 `[B]`, not negative.
      offset: float32 `[B]`, not negative. If `start + offset` is at or above the total, the last leaf above zero is
        returned.
    """
    branching = tree.nodes.shape[1]

    def step_down(level: Array, carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        node, before, offset = carry
        children = tree.nodes.at[tree.starts[level] + node].get(mode="promise_in_bounds")  # [B, K]
        child, taken = jnp.zeros_like(node), jnp.zeros_like(offset)
        for i in range(branching):  # unrolled: one pass over a row, with sums that never decrease from left to right
            is_here_or_right = (children[:, i] > 0) & (before <= offset)
            child = jnp.where(is_here_or_right, i, child)
            taken = jnp.where(is_here_or_right, before, taken)
            before = before + children[:, i]
        return node * branching + child, jnp.zeros_like(before), offset - taken

    # The cumulative sum of the children to the left, less the amount already subtracted, begins at -start.

    carry = jnp.zeros(offset.shape, jnp.int32), -start, offset
    return jax.lax.fori_loop(0, tree.starts.size, step_down, carry)[0]
