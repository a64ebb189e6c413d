"""A wide sum tree: priorities that change one by one, and draws in proportion to them (Schaul et al. 2016, B.2.1).

Every node of a level is the sum of K children of the level below; the leaves are the last level. Sums are computed
anew from the children and never moved by differences, so that rounding does not grow with the number of changes: a
node is off by K roundings a level. A leaf of zero is never found, however sums are rounded, because a step down only
ever goes to a child above zero.

A smaller K makes more levels, a larger one more children to add up in each. K = 16 was among the fastest of 8 to 128
on the one machine it was measured on, which was busy with other work.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxdqn.interfaces import Array

BRANCHING = 16


class SumTree(NamedTuple):
    """The nodes. All levels lie in one array, so that a walk through them is a loop of one compiled body.

    Attributes:
      nodes: float32 `[rows, K]`, the root's children first and the leaves last. Row r of a level holds the children of
        the r-th node of the level above.
      starts: int32 `[depth]`, the first row of each level; constant.
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
    """Returns leaves, float32 `[B]`. Indices must lie in the tree."""
    branching = tree.nodes.shape[1]
    rows = tree.nodes.at[tree.starts[-1] + indices // branching].get(mode="promise_in_bounds")  # [B, K]
    return jnp.where(indices[:, None] % branching == jnp.arange(branching)[None], rows, 0.0).sum(axis=1)


def set(tree: SumTree, indices: Array, values: Array) -> SumTree:
    """Returns the tree with leaves replaced.

    Args:
      tree: updated in place where it is donated or carried by a loop.
      indices: int32 `[B]`. Of equal ones the largest value counts; those outside of the tree, also below 0, do not.
      values: float32 `[B]`, not negative. Those below the smallest normal float32 are taken as 0, which processors
        that flush such numbers would do in some places only.
    """
    nodes, starts = tree
    num_rows, branching = nodes.shape
    num_leaves = (num_rows - starts[-1]) * branching
    is_inside = (indices >= 0) & (indices < num_leaves)
    values = jnp.where(values < np.finfo(np.float32).tiny, 0.0, values)
    # First nothing, then the largest: neither depends on the order in which equal indices are written.
    row = jnp.where(is_inside, starts[-1] + indices // branching, num_rows)  # no such row: dropped
    column = indices % branching
    nodes = nodes.at[row, column].set(0.0, mode="drop").at[row, column].max(values, mode="drop")

    def sum_above(i: Array, carry: tuple[Array, Array]) -> tuple[Array, Array]:
        nodes, row = carry  # the row whose sum is due, counted within its level
        level = starts.size - 1 - i
        sums = nodes.at[starts[level] + row].get(mode="promise_in_bounds").sum(axis=1)  # [B]
        above, column = row // branching, row % branching
        return nodes.at[starts[level - 1] + above, column].set(sums, mode="promise_in_bounds"), above

    # A row that none of the indices changed is summed again to what it was.
    row = jnp.clip(indices, 0, num_leaves - 1) // branching
    nodes, _ = jax.lax.fori_loop(0, starts.size - 1, sum_above, (nodes, row))
    return SumTree(nodes, starts)


def find(tree: SumTree, start: Array, offset: Array) -> Array:
    """Returns the leaves at which the running sum of all leaves passes `start + offset`, int32 `[B]`.

    float32 resolves the total to 24 bits: 16 values for each of a million equal leaves. So the value comes as the two
    parts of a stratum's start and a place in it, which are not added up before the first step down has taken off most
    of `start`.

    Args:
      tree: with a total above 0. If it is 0, leaf 0 is returned.
      start: float32 `[B]`, not negative.
      offset: float32 `[B]`, not negative. A sum at or above the total finds the last leaf above zero.
    """
    branching = tree.nodes.shape[1]

    def step_down(level: Array, carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        node, before, offset = carry
        children = tree.nodes.at[tree.starts[level] + node].get(mode="promise_in_bounds")  # [B, K]
        child, taken = jnp.zeros_like(node), jnp.zeros_like(offset)
        for i in range(branching):  # unrolled: one pass over a row, and sums that never fall from left to right
            is_here_or_right = (children[:, i] > 0) & (before <= offset)
            child = jnp.where(is_here_or_right, i, child)
            taken = jnp.where(is_here_or_right, before, taken)
            before = before + children[:, i]
        return node * branching + child, jnp.zeros_like(before), offset - taken

    # What the children left of one sum up to, less what is taken off already, begins at -start.
    carry = jnp.zeros(offset.shape, jnp.int32), -start, offset
    return jax.lax.fori_loop(0, tree.starts.size, step_down, carry)[0]
