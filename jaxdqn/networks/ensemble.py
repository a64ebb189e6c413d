"""Several networks of one kind beside one another, each with parameters of its own."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxdqn import noise as noises
from jaxdqn.fields import configuration, number, part, static
from jaxdqn.interfaces import Array, Key, Network, Parameters, feed_forward
from jaxdqn.networks.mlp import MLP
from jaxdqn.outputs import EnsembleOutput


@configuration
class Ensemble:
    """Members that share nothing. What they say together is their mean.

    Attributes:
      member: each of them; its action values are all that is used of it.
      num_members: K.
      prior_scale: how much a fixed random network counts that is added to each member (Osband et al. 2018, "Randomized
        Prior Functions"); None adds none. Nothing is learned in it and it has no noise, so where there are no data
        members go on to differ.
    """

    member: MLP = part(MLP())
    num_members: int = static(10, at_least=1)
    prior_scale: float | None = number(None, at_least=0)

    def make(self, observation_shape: tuple[int, ...], num_actions: int) -> Network:
        """Returns the ensemble for observations of this shape; parameters have a leading axis `[K]`."""
        member = self.member.make(observation_shape, num_actions)

        def init(key: Key) -> Parameters:
            learned_key, prior_key = jax.random.split(key)
            parameters = {"members": jax.vmap(member.init)(jax.random.split(learned_key, self.num_members))}
            if self.prior_scale is not None:
                parameters["priors"] = jax.vmap(member.init)(jax.random.split(prior_key, self.num_members))
            return parameters

        def noise(key: Key) -> Any:
            return jax.vmap(member.noise)(jax.random.split(key, self.num_members))

        def of_all(parameters: Parameters, observation: Array, noise_of_all: Any) -> Array:
            """Returns `[..., K, A]`."""
            values = jax.vmap(lambda one, noise: member.apply(one, observation, noise).q_values)(
                parameters, noise_of_all
            )
            return jnp.moveaxis(values, 0, -2)

        def apply(parameters: Any, observation: Array, key: Any = None) -> EnsembleOutput:
            values = of_all(parameters["members"], observation, noises.of_pass(key, noise))
            if self.prior_scale is not None:
                values = values + self.prior_scale * jax.lax.stop_gradient(
                    of_all(parameters["priors"], observation, None)
                )
            return EnsembleOutput(values.mean(-2), values)

        return feed_forward(init, apply, EnsembleOutput, noise)
