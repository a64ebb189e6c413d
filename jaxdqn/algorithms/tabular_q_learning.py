"""Tabular Q-learning: one value for each state and action, moved towards its target after every step.

Paper: Watkins and Dayan, "Q-learning", Machine Learning 1992, equation 1: `Q[s_tm1, a_tm1] ← Q + α · δ`.
Differs from the paper: observations are put into the cells of a grid, and exploration is Gaussian noise on the values
that fades with the episodes. The table is a network whose parameters are its values; a step of plain gradient descent
on `½ δ²` with learning rate α is the equation above, from the transition just seen and no other.
"""

from typing import ClassVar

import jax
import jax.numpy as jnp

from jaxdqn import optimizers, target_network, targets
from jaxdqn.config import Config
from jaxdqn.config_fields import configuration
from jaxdqn.exploration import GaussianNoise
from jaxdqn.interfaces import TRANSITIONS, Key, LossOutput, Network, Parameters, Requires, Sample
from jaxdqn.networks.value_table import Table
from jaxdqn.replay.uniform import Uniform


@configuration
class TabularQLearning:
    """Q-learning on a table."""

    version: ClassVar[int] = 1  # raised when the same configuration learns differently
    requires: ClassVar[Requires] = TRANSITIONS._replace(passes=0)

    def loss(
        self, network: Network, parameters: Parameters, target_parameters: Parameters, sample: Sample, key: Key
    ) -> LossOutput:
        """Returns the loss of each transition: `½ (r_t + discount_t · max_a q_t[a] − q_tm1[a_tm1])²`.

        Args:
          network: the table's lookup.
          parameters: the table; the gradient flows through `q_tm1`.
          target_parameters: the table again; gives the values of `s_t`.
          sample: `[B]` transitions.
          key: unused; a table is not random.
        """
        del key
        transition = sample.transition
        q_tm1 = network.apply(parameters, transition.s_tm1).q_values
        q_t = network.apply(target_parameters, transition.s_t).q_values
        td_error = jax.vmap(targets.q_learning)(q_tm1, transition.a_tm1, transition.r_t, transition.discount_t, q_t)
        return LossOutput(
            loss=0.5 * jnp.square(td_error),
            priority=jnp.abs(td_error),
            metrics={"td_error": jnp.abs(td_error), "max_q": q_tm1.max(-1)},
        )


CONFIG = Config(
    algorithm=TabularQLearning(),
    learning_rate=0.1,
    batch_size=1,
    train_every=1,
    num_environments=1,
    learning_starts=0,
    network=Table(),
    optimizer=optimizers.SGD(),
    exploration=GaussianNoise(),
    target_update=target_network.Online(),
    replay=Uniform(capacity=1),
)
