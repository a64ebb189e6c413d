"""Agents for tests: weights with known behaviour, and games with short episodes."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxdqn import config_dicts, games
from jaxdqn.interfaces import feed_forward
from jaxdqn.networks.network import QNetwork
from jaxdqn.networks.torsos import Dense
from jaxdqn.outputs import NetworkOutput
from jaxdqn.play.agent import Agent
from jaxdqn.store import schema, weights

SMALL = QNetwork(Dense((8,)))


def facts(game="catch", network=SMALL, **more):
    """Returns the facts that weights need, and additional ones."""
    made = games.make(game)
    return {
        "game": {"name": game, "version": made.version} | schema.without_empty(made.code._asdict()),
        "configuration": {"type": "Config", "network": config_dicts.to_dict(network)},
        **more,
    }


def parameters(game="catch", network=SMALL, seed=0):
    """Returns untrained parameters of a network for a game, as NumPy arrays."""
    made = games.make(game)
    return jax.device_get(network.make(made.observation_shape, made.num_actions).init(jax.random.key(seed)))


def save(path, game="catch", network=SMALL, seed=0, **more):
    """Writes untrained weights and returns the path of their record."""
    return weights.save(path, facts(game, network, **more), weights.flatten(parameters(game, network, seed)))


def agent(game, values):
    """Returns an agent whose action values are a function of the observation."""

    def apply(parameters, observation, key=None):
        del parameters
        return NetworkOutput(q_values=values(observation))

    return Agent(games.make(game), feed_forward(lambda key: {}, apply), {})


def catcher():
    """Returns an agent that moves the paddle under the ball, and so wins every episode of catch."""

    def values(observation):
        board = observation.reshape(10, 10)
        ball = (board[:9].sum(0) * jnp.arange(10)).sum()  # 0 when the ball is in the row of the paddle

        paddle = (board[9] * jnp.arange(10)).sum() / board[9].sum()
        is_falling = board[:9].sum() > 0
        move = jnp.where(is_falling, jnp.sign(ball - paddle), 0.0)
        return -jnp.abs(jnp.arange(3) - 1 - move)

    return agent("catch", values)


def constant(game, action):
    """Returns an agent that always chooses one action."""
    number = games.make(game).num_actions
    return agent(game, lambda observation: jnp.zeros((*observation.shape[:-1], number)).at[..., action].set(1.0))


def colours(*numbers):
    """Returns an image of one row with these grey values."""
    return np.repeat(np.array([numbers], np.uint8)[..., None], 3, axis=-1)
