import jax.numpy as jnp
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


def test_without_a_target_network_the_learning_parameters_judge():
    assert target_network.Online()(jnp.float32(8), jnp.float32(4), jnp.int32(0), jnp.int32(1)) == 8
