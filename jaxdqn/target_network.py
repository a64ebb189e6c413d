"""How the target network follows the learning one.

A rule is a configuration with `init(parameters) -> target parameters` and is called after every update.
"""

import jax
import jax.numpy as jnp

from jaxdqn.fields import configuration, number, static, whole
from jaxdqn.interfaces import Array, Parameters


@configuration
class Periodic:
    """A copy each time the run passes a multiple of `every` environment steps (Mnih et al. 2015, algorithm 1)."""

    every: int = whole(500, at_least=1)

    def init(self, parameters: Parameters) -> Parameters:
        """Returns a copy."""
        return _copy(parameters)

    def __call__(
        self, parameters: Parameters, target_parameters: Parameters, steps_before: Array, steps_after: Array
    ) -> Parameters:
        """Returns `parameters` if a multiple of `every` lies in (steps_before, steps_after], else the old ones."""
        # A select, not a cond: it costs a hundredth of an update, lets `every` be traced, and survives vmap.
        is_due = steps_after // self.every > steps_before // self.every
        return jax.tree.map(lambda new, old: jnp.where(is_due, new, old), parameters, target_parameters)


@configuration
class Polyak:
    """A running average, moved by `rate` at each update (Lillicrap et al. 2016, algorithm 1)."""

    rate: float = number(0.005, above=0, at_most=1)

    def init(self, parameters: Parameters) -> Parameters:
        """Returns a copy."""
        return _copy(parameters)

    def __call__(
        self, parameters: Parameters, target_parameters: Parameters, steps_before: Array, steps_after: Array
    ) -> Parameters:
        """Returns `rate · parameters + (1 − rate) · target_parameters`."""
        del steps_before, steps_after
        return jax.tree.map(lambda new, old: self.rate * new + (1 - self.rate) * old, parameters, target_parameters)


@configuration
class Online:
    """No target network: the learning parameters themselves judge what comes next."""

    def init(self, parameters: Parameters) -> Parameters:
        """Returns a copy."""
        return _copy(parameters)

    def __call__(
        self, parameters: Parameters, target_parameters: Parameters, steps_before: Array, steps_after: Array
    ) -> Parameters:
        """Returns `parameters`."""
        del target_parameters, steps_before, steps_after
        return parameters


@configuration
class LastCopies:
    """The last K copies, one made each time the run passes a multiple of `every` steps (Anschel et al. 2017).

    Attributes:
      every: in environment steps.
      num_copies: K.
    """

    every: int = whole(500, at_least=1)
    num_copies: int = static(10, at_least=1)

    def init(self, parameters: Parameters) -> Parameters:
        """Returns K copies, along a leading axis."""
        return jax.tree.map(lambda x: jnp.repeat(x[None], self.num_copies, axis=0), parameters)

    def __call__(
        self, parameters: Parameters, target_parameters: Parameters, steps_before: Array, steps_after: Array
    ) -> Parameters:
        """Returns the copies, newest first, with `parameters` before them and the oldest dropped where it is due."""
        is_due = steps_after // self.every > steps_before // self.every

        def shifted(new: Array, old: Array) -> Array:
            return jnp.where(is_due, jnp.concatenate([new[None], old[:-1]]), old)

        return jax.tree.map(shifted, parameters, target_parameters)


def _copy(parameters: Parameters) -> Parameters:
    return jax.tree.map(jnp.copy, parameters)  # one buffer twice could not be donated
