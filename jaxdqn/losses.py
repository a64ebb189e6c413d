"""Losses applied to the TD error. Each is a configuration that is called with the error."""

import jax.numpy as jnp

from jaxdqn.config_fields import configuration, number
from jaxdqn.interfaces import Array


@configuration
class SquaredError:
    """The squared error without the factor 1/2, as deep-learning libraries mean by MSE.

    Attributes:
      blend: a learning rate inside the target: the prediction is pulled towards `q + blend · δ`, held fixed, in place
        of `q + δ`. It scales the gradient, which Adam and RMSProp undo and SGD does not.
    """

    blend: float = number(1.0, above=0, at_most=1)

    def __call__(self, td_error: Array) -> Array:
        """Returns `blend · δ²`, of the shape of `td_error`."""
        return self.blend * jnp.square(td_error)


@configuration
class HalfSquaredError:
    """Half of the squared error, `optax.l2_loss`, as in Gallici et al. (2025): its gradient is half that of
    `SquaredError`.
    """

    def __call__(self, td_error: Array) -> Array:
        """Returns `½ δ²`, of the shape of `td_error`."""
        return 0.5 * jnp.square(td_error)


@configuration
class Huber:
    """The Huber loss (Huber 1964), quadratic near zero and linear beyond; Nature DQN's error clipping is `delta = 1`.

    Its quadratic part has the factor 1/2, so its gradient there is half that of `SquaredError`.

    Attributes:
      delta: the error beyond which the gradient stays `±delta`.
    """

    delta: float = number(1.0, above=0)

    def __call__(self, td_error: Array) -> Array:
        """Returns `½ δ²` where `|δ| ≤ delta`, else `delta · (|δ| − ½ delta)`, of the shape of `td_error`."""
        size = jnp.abs(td_error)
        quadratic = jnp.minimum(size, self.delta)
        return 0.5 * jnp.square(quadratic) + self.delta * (size - quadratic)


ErrorLoss = SquaredError | HalfSquaredError | Huber
