"""Evaluation: whole episodes of a fixed policy, apart from training."""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxdqn import exploration
from jaxdqn.interfaces import Array, Game, Key, Network, Parameters


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """When and how a run is evaluated.

    Attributes:
      every: environment steps of training between evaluations, and the length of an evaluation period.
      episodes: whole episodes each time; their mean return is one point of the curve.
      epsilon: probability of a random action; 0 is greedy.
    """

    every: int
    episodes: int
    epsilon: float = 0.0

    def check(self) -> None:
        """Raises ValueError, naming field, value and what is allowed, if a value is out of range."""
        for name in ("every", "episodes"):
            if not isinstance(getattr(self, name), int) or getattr(self, name) < 1:
                raise ValueError(f"evaluation.{name} = {getattr(self, name)!r} must be a whole number of at least 1.")
        if not 0 <= self.epsilon <= 1:
            raise ValueError(f"evaluation.epsilon = {self.epsilon!r} must lie between 0 and 1.")


class _Episodes(NamedTuple):
    """Episodes `[N]` under way: `returns` grows until `ended`."""

    game: Array
    returns: Array
    ended: Array
    time: Array


def evaluate(key: Key, parameters: Parameters, network: Network, game: Game, evaluation: Evaluation) -> Array:
    """Returns the undiscounted returns of whole episodes, float32 `[evaluation.episodes]`, no gradient.

    All episodes run side by side until the last one ends; an ended episode earns nothing more.

    Args:
      key: consumed; a stream of its own, so that evaluation does not touch training.
      parameters: of the network, held fixed.
      network: from observations to action values.
      game: to be played from its start.
      evaluation: how many episodes, and epsilon.
    """
    reset_key, play_key = jax.random.split(key)
    number = evaluation.episodes

    def is_under_way(episodes: _Episodes) -> Array:
        return ~episodes.ended.all()

    def step(episodes: _Episodes) -> _Episodes:
        policy_key, game_key = jax.random.split(jax.random.fold_in(play_key, episodes.time))
        q_values = network.apply(parameters, jax.vmap(game.observe)(episodes.game)).q_values
        action = _act(policy_key, q_values, evaluation.epsilon)
        state, time_step = jax.vmap(game.step)(jax.random.split(game_key, number), episodes.game, action)
        return _Episodes(
            game=state,
            returns=episodes.returns + jnp.where(episodes.ended, 0.0, time_step.reward),
            ended=episodes.ended | time_step.terminated | time_step.truncated,
            time=episodes.time + 1,
        )

    start = jax.vmap(game.reset)(jax.random.split(reset_key, number))
    episodes = _Episodes(start, jnp.zeros(number), jnp.zeros(number, bool), jnp.int32(0))
    return jax.lax.while_loop(is_under_way, step, episodes).returns


def _act(key: Key, q_values: Array, epsilon: float) -> Array:
    uniform_key, action_key = jax.random.split(key)
    batch, num_actions = q_values.shape
    uniform = jax.random.uniform(uniform_key, (batch,))
    random_action = jax.random.randint(action_key, (batch,), 0, num_actions)
    return exploration.epsilon_greedy(q_values, epsilon, uniform, random_action)
