"""The sum tree, against plain NumPy sums in float64."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdqn.replay import sum_tree

pytestmark = pytest.mark.usefixtures("unoptimised")

MILLION = 1_000_000
SET, FIND = jax.jit(sum_tree.set), jax.jit(sum_tree.find)  # one program instead of one for each operation


def tree_of(leaves, branching=sum_tree.BRANCHING):
    tree = sum_tree.init(len(leaves), branching)
    return SET(tree, jnp.arange(len(leaves), dtype=jnp.int32), jnp.asarray(leaves, jnp.float32))


def levels_of(tree):
    return np.split(np.asarray(tree.nodes), np.asarray(tree.starts)[1:])


def leaves_of(tree):
    return levels_of(tree)[-1].reshape(-1)


def assert_sums(tree):
    """Asserts that every node is the sum of its children, up to rounding."""
    for above, below in itertools.pairwise(levels_of(tree)):
        sums = np.asarray(below).astype(np.float64).sum(axis=1)
        nodes = np.asarray(above).reshape(-1)
        np.testing.assert_allclose(nodes[: len(sums)], sums, rtol=1e-6)
        assert (nodes[len(sums) :] == 0).all()


def find(tree, values):
    values = jnp.asarray(values, jnp.float32)
    return np.asarray(FIND(tree, jnp.zeros_like(values), values))


@pytest.mark.parametrize(
    ("num_leaves", "branching", "rows"),
    [(1, 16, [1]), (16, 16, [1]), (17, 16, [1, 2]), (256, 16, [1, 16]), (257, 16, [1, 2, 17]), (5, 2, [1, 2, 3])],
)
def test_a_tree_has_as_many_levels_as_its_leaves_need(num_leaves, branching, rows):
    tree = sum_tree.init(num_leaves, branching)
    assert [level.shape for level in levels_of(tree)] == [(number, branching) for number in rows]
    assert sum_tree.total(tree) == 0


@pytest.mark.parametrize("branching", [2, 5, 16])
def test_every_node_stays_the_sum_of_its_children(branching):
    generator, num_leaves = np.random.default_rng(0), 300
    tree, kept = sum_tree.init(num_leaves, branching), np.zeros(num_leaves, np.float32)
    change = jax.jit(sum_tree.set)
    for _ in range(60):
        indices = generator.choice(num_leaves, size=7, replace=False).astype(np.int32)
        values = (generator.exponential(size=7) * 10.0 ** generator.integers(-6, 7, size=7)).astype(np.float32)
        values[generator.random(7) < 0.3] = 0.0
        kept[indices] = values
        tree = change(tree, indices, values)
        np.testing.assert_array_equal(leaves_of(tree)[:num_leaves], kept)
        assert_sums(tree)
        np.testing.assert_allclose(sum_tree.total(tree), kept.astype(np.float64).sum(), rtol=1e-6)


def test_the_largest_value_is_written_for_equal_indices_in_any_order():
    values = np.array([3.0, 7.0, 5.0, 2.0], np.float32)
    for order in ([0, 1, 2, 3], [1, 0, 3, 2], [3, 2, 1, 0]):
        tree = tree_of(np.full(40, 9.0))  # the new value is smaller than the old one
        tree = SET(tree, jnp.array([4, 4, 4, 30])[jnp.array(order)], jnp.asarray(values[order]))
        assert leaves_of(tree)[[4, 30]].tolist() == [7.0, 2.0]
        assert sum_tree.total(tree) == 38 * 9 + 7 + 2


@pytest.mark.parametrize("index", [-1, -40, 48, 10_000, 2**31 - 1, -(2**31)])
def test_an_index_out_of_range_changes_nothing(index):
    tree = tree_of(np.arange(48))
    changed = SET(tree, jnp.array([index, 3], jnp.int32), jnp.array([100.0, 5.0]))
    expected = np.arange(48, dtype=np.float32)
    expected[3] = 5.0
    np.testing.assert_array_equal(leaves_of(changed), expected)
    assert sum_tree.total(changed) == expected.sum()


@pytest.mark.parametrize("branching", [2, 3, 16])
def test_find_returns_the_leaf_at_which_the_cumulative_sum_exceeds_the_value(branching):
    leaves = np.random.default_rng(1).integers(0, 4, size=200)  # whole numbers: float32 sums are exact
    values = np.arange(leaves.sum()) + np.array(0.5)
    expected = np.searchsorted(np.cumsum(leaves), values, side="right")
    tree = tree_of(leaves, branching)
    np.testing.assert_array_equal(find(tree, values), expected)
    np.testing.assert_array_equal(find(tree, values - 0.5), expected)  # the lower end belongs to the leaf
    start = np.floor(values / 10) * 10
    split = FIND(tree, jnp.asarray(start, jnp.float32), jnp.asarray(values - start, jnp.float32))
    np.testing.assert_array_equal(split, expected)


@pytest.mark.parametrize("num_leaves", [10, 300, MILLION])
def test_a_leaf_of_zero_is_never_found_despite_rounding(num_leaves):
    generator = np.random.default_rng(2)
    leaves = (10.0 ** generator.uniform(-8, 3, num_leaves)).astype(np.float32)  # sums lose the small ones
    leaves[generator.random(num_leaves) < 0.7] = 0.0
    leaves[[0, -1]] = 0.0
    tree = jax.jit(tree_of)(leaves)
    total = sum_tree.total(tree)
    sums = np.cumsum(leaves.astype(np.float64)).astype(np.float32)
    sums = sums[:: max(1, num_leaves // 10_000)]
    edges = np.concatenate([sums, np.nextafter(sums, 0), np.nextafter(sums, np.float32(np.inf))])
    edges = np.concatenate([edges, [0.0, total, np.nextafter(total, np.float32(np.inf)), 2 * total, np.inf]])
    draws = generator.random(200_000).astype(np.float32) * np.float32(total)
    for values in (edges, draws):
        found = find(tree, values)
        assert (leaves[found] > 0).all()
    start = jnp.asarray(edges[:-1])
    for offset in (0.0, 1e-3, 1e6):
        assert (leaves[np.asarray(FIND(tree, start, jnp.full_like(start, offset)))] > 0).all()


def test_subnormal_values_become_zero():
    tree = tree_of([1e-40, 1e-39, 2.0, 1e-40])
    assert leaves_of(tree)[:4].tolist() == [0.0, 0.0, 2.0, 0.0]
    assert set(find(tree, [0.0, 1e-40, 1.0, 2.0])) == {2}


def test_a_million_leaves_have_the_sums_of_float64_after_many_changes():
    generator = np.random.default_rng(3)
    leaves = generator.exponential(size=MILLION).astype(np.float32) ** 0.6
    tree = jax.jit(tree_of)(leaves)
    indices = generator.integers(0, MILLION, (5_000, 128)).astype(np.int32)
    values = generator.exponential(size=indices.shape).astype(np.float32) * 1e3

    @jax.jit
    def changed(tree):
        return jax.lax.scan(lambda tree, change: (sum_tree.set(tree, *change), None), tree, (indices, values))[0]

    tree = changed(tree)
    exact = leaves_of(tree).astype(np.float64)
    assert np.count_nonzero(exact[:MILLION] != leaves) > 400_000
    assert_sums(tree)
    np.testing.assert_allclose(sum_tree.total(tree), exact.sum(), rtol=5e-7)


def test_a_million_equal_leaves_are_found_equally_often():
    """A single float32 above total / 2 has only 16 values for each leaf; a start and an offset have more."""
    tree = jax.jit(tree_of)(np.ones(MILLION, np.float32))
    batch, per_leaf = 128, 64
    grid = (np.arange(MILLION // batch * per_leaf) + 0.5) / (MILLION // batch * per_leaf) * (MILLION / batch)
    for stratum in (0, 64, 127):
        start = jnp.full(grid.shape, stratum * MILLION / batch, jnp.float32)
        found = np.asarray(FIND(tree, start, jnp.asarray(grid, jnp.float32)))
        counts = np.bincount(found - found.min())[1:-1]  # the leaves at both ends are shared with other strata
        assert abs(counts - per_leaf).max() <= 2


def test_a_change_within_a_loop_is_made_in_place():
    def loop(tree, indices):
        return jax.lax.scan(lambda tree, i: (sum_tree.set(tree, i, jnp.ones(i.shape)), None), tree, indices)[0]

    compiled = jax.jit(loop, donate_argnums=0).lower(sum_tree.init(MILLION), jnp.zeros((10, 8), jnp.int32)).compile()
    assert compiled.memory_analysis().temp_size_in_bytes < 100_000  # the leaves alone are 4 MB


def test_trees_under_vmap_equal_single_trees():

    generator = np.random.default_rng(4)
    trees = [tree_of(generator.random(50)) for _ in range(3)]
    stacked = jax.tree.map(lambda *arrays: jnp.stack(arrays), *trees)
    indices = jnp.asarray(generator.integers(-1, 51, (3, 6)), jnp.int32)
    values = jnp.asarray(generator.random((3, 6)), jnp.float32)
    both = jax.jit(jax.vmap(sum_tree.set))(stacked, indices, values)
    found = jax.jit(jax.vmap(sum_tree.find))(both, jnp.zeros((3, 6)), 20 * values)
    for i, tree in enumerate(trees):
        alone = SET(tree, indices[i], values[i])
        np.testing.assert_array_equal(leaves_of(alone), leaves_of(jax.tree.map(lambda x, i=i: x[i], both)))
        np.testing.assert_array_equal(find(alone, 20 * values[i]), found[i])
