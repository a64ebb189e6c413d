"""A game whose illegal actions look better than they are, for tests of action masks."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxdqn.game_interfaces import Game, TimeStep
from jaxdqn.interfaces import Array

LEGAL = np.array([[1, 1, 0], [0, 1, 1], [1, 0, 0]], bool)  # in places 0, 1 and 2
FORBIDDEN = 1_000.0  # reward of an illegal action, which no run may ever earn


class Place(NamedTuple):
    place: Array


def make(is_picture=False):
    """Makes the game: three places in a row, each left by two legal actions, the last by one.

    The lower of two legal actions costs 1, the other 2, and the only one costs 1. So with a discount of 1/2 the exact
    values are -1.75 and -2.75, -1.5 and -2.5, and -1. The values of illegal actions stay near 0, above all of these.
    The observation is `place - 1`, or its cells in a picture.
    """

    def observe(state):
        if is_picture:
            return jnp.broadcast_to(jnp.arange(3)[:, None, None] == state.place, (3, 3, 1))
        return (state.place[None] - 1).astype(jnp.float32)

    def legal_actions(state):
        return jnp.asarray(LEGAL)[jnp.minimum(state.place, 2)] & (state.place < 3)  # none after the end

    def step(key, state, action):
        del key
        legal = legal_actions(state)
        cost = jnp.where(action == legal.argmax(), 1.0, 2.0)
        state = Place(state.place + 1)
        reward = jnp.where(legal[action], -cost, FORBIDDEN)
        return state, TimeStep(observe(state), reward, state.place == 3, jnp.zeros((), bool))

    return Game(
        name="trap",
        version=1,
        reset=lambda key: Place(jax.random.randint(key, (), 0, 3)),
        step=step,
        observe=observe,
        observation_shape=(3, 3, 1) if is_picture else (1,),
        num_actions=3,
        max_steps=3,
        states=lambda: Place(jnp.arange(3)),
        legal_actions=legal_actions,
    )
