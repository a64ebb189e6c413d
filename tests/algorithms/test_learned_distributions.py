"""Distributional algorithms on a game whose rewards are random: they learn the distribution, not its mean alone."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdqn import distributional, learner
from jaxdqn.algorithms import ALGORITHMS
from jaxdqn.games import probes
from jaxdqn.networks.heads import Categorical, ImplicitQuantiles, ProposedFractions, Quantiles
from jaxdqn.networks.network import QNetwork
from jaxdqn.networks.torsos import Dense
from jaxdqn.replay.uniform import Uniform
from jaxdqn.training.evaluate import Evaluation
from tests.helpers.runs import SMALL, advancing, start

HEADS = {
    "c51": Categorical(num_atoms=17, v_min=-2.0, v_max=2.0),
    "qr_dqn": Quantiles(16),
    "iqn": ImplicitQuantiles(num_quantiles=8, num_policy_quantiles=4, num_cosines=32, hidden=(16,)),
    "fqf": ProposedFractions(num_quantiles=16, num_cosines=32, hidden=(16,)),
}


def learned(name):
    """Returns what the algorithm says of the one state and the first action: values and their probabilities."""
    algorithm = ALGORITHMS[name].config.algorithm
    if name != "c51":  # Huber's loss with a kappa of 1 has other minima than quantiles
        algorithm = dataclasses.replace(algorithm, kappa=0.0)
    game = probes.random_reward()
    config = dataclasses.replace(
        SMALL,
        algorithm=algorithm,
        learning_rate=3e-3,
        batch_size=64,
        # The observation is 0, of which a rectifier leaves nothing to multiply an embedded fraction with.
        network=QNetwork(Dense((16,)), activation="tanh", head=HEADS[name]),
        replay=Uniform(4_000),
    )
    config, state = start(game, config)
    state, _ = advancing(game, Evaluation(every=16_000, episodes=1))(config, state)
    network, observation = learner.make(config, game).network, jnp.zeros((1, 1))
    if name == "iqn":  # at fractions of many draws, all equally likely
        keys = jax.random.split(jax.random.key(1), 200)
        quantiles = jax.vmap(lambda key: network.apply(state.learner.parameters, observation, key).quantiles)(keys)
        return quantiles[:, 0, 0].ravel(), np.full(quantiles[:, 0, 0].size, 1 / quantiles[:, 0, 0].size)
    output = network.apply(state.learner.parameters, observation)
    if name == "c51":
        return output.atoms, jax.nn.softmax(output.logits[0, 0])
    if name == "fqf":
        return output.quantiles[0, 0], jnp.diff(output.boundaries[0])
    return output.quantiles[0, 0], np.full(16, 1 / 16)


@pytest.mark.parametrize("name", HEADS)
def test_the_distribution_of_a_random_reward_is_learned(name):
    truth = probes.RANDOM_REWARD
    distance = distributional.wasserstein(
        *map(jnp.float32, learned(name)), jnp.float32(truth.values), jnp.float32(truth.probabilities)
    )
    # All mass on the mean, which is what a value alone says, would be 0.625 away.
    assert distance < 0.15
