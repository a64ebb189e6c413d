"""Ensembles: several networks of one kind, each with parameters of its own."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxdqn import noise as noises
from jaxdqn.config_fields import configuration, number, part, static
from jaxdqn.interfaces import Array, Key, Network, Parameters, feed_forward
from jaxdqn.networks import frame_stack
from jaxdqn.networks.network import QNetwork
from jaxdqn.outputs import EnsembleOutput


@configuration
class Ensemble:
    """K networks that share no parameters. The action values of the ensemble are the mean over its members.

    Attributes:
      member: configuration of each member, of whose output only the action values are used.
      num_members: K.
      prior_scale: β of randomised prior functions (Osband et al. 2018). The values of a member are `f_k + β p_k`, where
        `p_k` is a fixed random network without noise. So the members differ where there are no data. None: no prior.
    """

    member: QNetwork = part(QNetwork())
    num_members: int = static(10, at_least=1)
    prior_scale: float | None = number(None, at_least=0)

    def make(
        self, observation_shape: tuple[int, ...], num_actions: int, observation_dtype: np.typing.DTypeLike = np.float32
    ) -> Network:
        """Returns the ensemble for observations of this shape and dtype. Parameters have a leading axis `[K]`.

        Raises:
          ValueError: if the members have a memory.
        """
        if self.member.memory is not None:
            raise ValueError("network.member.memory must be None: the members of an ensemble have no memory.")
        member = self.member.make(observation_shape, num_actions, observation_dtype)

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

        network = feed_forward(init, apply, EnsembleOutput, noise)
        return frame_stack.over_frames(network, member.frames, observation_shape, observation_dtype)
