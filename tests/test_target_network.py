import jax.numpy as jnp
import numpy as np
import pytest

from jaxdqn import target_network


@pytest.mark.parametrize(
    ("before", "after", "copies"),
    [(0, 10, False), (90, 100, True), (100, 110, False), (95, 105, True), (0, 1_000, True)],
)
def test_a_periodic_target_is_copied_when_the_run_passes_a_multiple(before, after, copies):
    target = target_network.Periodic(every=100)(
        {"w": jnp.float32(1)}, {"w": jnp.float32(2)}, jnp.int32(before), jnp.int32(after)
    )
    assert target["w"] == (1 if copies else 2)


def test_a_polyak_target_moves_by_its_rate():
    target = target_network.Polyak(rate=0.25)(jnp.float32(8), jnp.float32(4), jnp.int32(0), jnp.int32(1))
    assert target == 0.25 * 8 + 0.75 * 4


def test_online_returns_the_online_parameters():
    assert target_network.Online()(jnp.float32(8), jnp.float32(4), jnp.int32(0), jnp.int32(1)) == 8


def test_the_last_copies_are_shifted_when_the_run_passes_a_multiple():
    rule = target_network.LastCopies(every=10, num_copies=3)
    target, seen = rule.init({"w": jnp.array([0.0, 0.5])}), []
    for step in range(0, 50, 5):
        target = rule({"w": jnp.array([step + 1.0, step + 1.5])}, target, jnp.int32(step), jnp.int32(step + 5))
        seen.append(np.asarray(target["w"])[:, 0].tolist())
    # A copy at a multiple of ten has the parameters after that update; the newest copy is first.
    assert seen[:4] == [[0.0, 0.0, 0.0], [6.0, 0.0, 0.0], [6.0, 0.0, 0.0], [16.0, 6.0, 0.0]]
    assert seen[-1] == [46.0, 36.0, 26.0]
    np.testing.assert_array_equal(target["w"][:, 1] - target["w"][:, 0], 0.5)


@pytest.mark.parametrize("rule", [target_network.Periodic(), target_network.Polyak(), target_network.Online()])
def test_a_target_starts_as_a_copy_in_its_own_buffer(rule):
    parameters = {"w": jnp.arange(3.0)}
    target = rule.init(parameters)
    np.testing.assert_array_equal(target["w"], parameters["w"])
    assert target["w"].unsafe_buffer_pointer() != parameters["w"].unsafe_buffer_pointer()
