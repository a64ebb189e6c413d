"""How the target network follows the learning one. Every rule is called after every update."""

import jax
import jax.numpy as jnp

from jaxdqn.configuration import configuration, number, whole
from jaxdqn.interfaces import Array, Parameters


@configuration
class Periodic:
    """A copy each time the run passes a multiple of `every` environment steps (Mnih et al. 2015, algorithm 1)."""

    every: int = whole(500, at_least=1)

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

    def __call__(
        self, parameters: Parameters, target_parameters: Parameters, steps_before: Array, steps_after: Array
    ) -> Parameters:
        """Returns `rate · parameters + (1 − rate) · target_parameters`."""
        del steps_before, steps_after
        return jax.tree.map(lambda new, old: self.rate * new + (1 - self.rate) * old, parameters, target_parameters)


@configuration
class Online:
    """No target network: the learning parameters themselves judge what comes next."""

    def __call__(
        self, parameters: Parameters, target_parameters: Parameters, steps_before: Array, steps_after: Array
    ) -> Parameters:
        """Returns `parameters`."""
        del target_parameters, steps_before, steps_after
        return parameters
