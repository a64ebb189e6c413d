import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdqn import losses


def test_squared_error_has_no_factor_of_one_half():
    np.testing.assert_array_equal(losses.SquaredError()(jnp.array([-3.0, 0.5])), [9.0, 0.25])


def test_half_of_the_squared_error_is_half_of_it():
    np.testing.assert_array_equal(losses.HalfSquaredError()(jnp.array([-3.0, 0.5])), [4.5, 0.125])


@pytest.mark.parametrize(
    ("td_error", "loss", "slope"),
    [(0.5, 0.125, 0.5), (-2.0, 2.0, -2.0), (5.0, 2.0 * (5.0 - 1.0), 2.0), (-5.0, 8.0, -2.0), (0.0, 0.0, 0.0)],
)
def test_huber_is_quadratic_up_to_delta_and_linear_beyond(td_error, loss, slope):
    huber = losses.Huber(delta=2.0)
    assert huber(jnp.float32(td_error)) == loss
    assert jax.grad(huber)(jnp.float32(td_error)) == slope


def test_a_blended_target_pulls_as_far_as_a_fixed_one_part_of_the_way():
    def to_fixed_target(q, target=3.0, blend=0.1):
        return (jax.lax.stop_gradient(q + blend * (target - q)) - q) ** 2

    blended = losses.SquaredError(blend=0.1)
    for q in (-1.0, 2.5):
        slope = jax.grad(lambda q: blended(3.0 - q))(q)
        np.testing.assert_allclose(slope, jax.grad(to_fixed_target)(q), rtol=1e-6)
