"""Evaluation: whole episodes of a fixed policy, apart from training."""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxdqn import exploration, plain_numbers
from jaxdqn.action_masks import LOWEST, legal_actions, legal_or_random, with_mask
from jaxdqn.game_interfaces import AnyGame, Game, HostGame
from jaxdqn.games import exact_values
from jaxdqn.interfaces import Array, Key, Network, Number, Parameters
from jaxdqn.training.acting import initial_memory

SWEEPS = 10_000  # of value iteration at most


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """When and how a run is evaluated. Numbers may be NumPy's, and counts whole floats such as 1e3.

    Attributes:
      every: environment steps of training between evaluations, and the length of an evaluation period.
      episodes: whole episodes each time; their mean return is one point of the curve.
      epsilon: probability of a random action; 0 is greedy.
      exact_values: whether values are compared with the exact ones, in games that list their states.
      environments: the most environments that play at once, of games that step in Python; None is one an episode. The
        returns are the same for any number. With 1, and one environment for training, there is one environment in all:
        each evaluation then cuts the training episode short, and runs train one after another.
    """

    every: int
    episodes: int
    epsilon: float = 0.0
    exact_values: bool = False
    environments: int | None = None

    @property
    def num_environments(self) -> int:
        """Returns the number of environments that play at once."""
        return min(self.episodes, self.environments or self.episodes)

    def is_shared(self, num_environments: int) -> bool:
        """Returns whether evaluation takes the one environment of training."""
        return self.environments == 1 and num_environments == 1

    def __post_init__(self) -> None:
        for name in ("every", "episodes"):
            object.__setattr__(self, name, plain_numbers.as_whole(getattr(self, name)))
        object.__setattr__(self, "epsilon", plain_numbers.plain(self.epsilon))

    def check(self) -> None:
        """Raises ValueError, naming field, value and what is allowed, if a value is out of range."""
        for name in ("every", "episodes"):
            if type(getattr(self, name)) is not int or getattr(self, name) < 1:
                raise ValueError(f"evaluation.{name} = {getattr(self, name)!r} must be a whole number of at least 1.")
        if self.environments is not None and (type(self.environments) is not int or self.environments < 1):
            raise ValueError(
                f"evaluation.environments = {self.environments!r} must be a whole number of at least 1, or None."
            )
        if type(self.epsilon) not in (int, float) or not 0 <= self.epsilon <= 1:
            raise ValueError(f"evaluation.epsilon = {self.epsilon!r} must be a number between 0 and 1.")
        if type(self.exact_values) is not bool:
            raise ValueError(f"evaluation.exact_values = {self.exact_values!r} must be True or False.")


class _Episodes(NamedTuple):
    """Episodes `[N]` under way: `returns` grows until `ended`."""

    game: Any
    memory: Any
    returns: Array
    ended: Array
    time: Array


def evaluate(key: Key, parameters: Parameters, network: Network, game: Game, evaluation: Evaluation) -> Array:
    """Returns the undiscounted returns of whole episodes, float32 `[evaluation.episodes]`, no gradient.

    All episodes run side by side until the last one ends; an ended episode earns nothing more. The network gets no key,
    so its weights are without noise.

    Args:
      key: consumed; a stream of its own, so that evaluation does not touch training.
      parameters: of the network, held fixed.
      network: from observations to action values.
      game: the game; every episode starts at a reset.
      evaluation: how many episodes, and epsilon.
    """
    reset_key, play_key = jax.random.split(key)
    number = evaluation.episodes

    def is_under_way(episodes: _Episodes) -> Array:
        return ~episodes.ended.all()

    def step(episodes: _Episodes) -> _Episodes:
        policy_key, game_key = jax.random.split(jax.random.fold_in(play_key, episodes.time))
        observation, legal = jax.vmap(game.observe)(episodes.game), legal_actions(game, episodes.game)
        output, memory = network.step(parameters, with_mask(observation, legal), episodes.memory)
        action = _act(policy_key, output.q_values, legal, evaluation.epsilon)
        state, time_step = jax.vmap(game.step)(jax.random.split(game_key, number), episodes.game, action)
        return _Episodes(
            game=state,
            memory=memory,
            returns=episodes.returns + jnp.where(episodes.ended, 0.0, time_step.reward),
            ended=episodes.ended | time_step.terminated | time_step.truncated,
            time=episodes.time + 1,
        )

    start = jax.vmap(game.reset)(jax.random.split(reset_key, number))
    episodes = _Episodes(
        start, initial_memory(network, number), jnp.zeros(number), jnp.zeros(number, bool), jnp.int32(0)
    )
    return jax.lax.while_loop(is_under_way, step, episodes).returns


def _act(key: Key, q_values: Array, legal: Array | None, epsilon: float) -> Array:
    uniform_key, action_key, *replacement_key = jax.random.split(key, 2 if legal is None else 3)
    batch, num_actions = q_values.shape
    uniform = jax.random.uniform(uniform_key, (batch,))
    random_action = jax.random.randint(action_key, (batch,), 0, num_actions)
    action = exploration.epsilon_greedy(q_values, epsilon, uniform, random_action)
    if legal is None:
        return action
    return legal_or_random(action, legal, jax.random.uniform(replacement_key[0], legal.shape))


def value_errors(
    parameters: Parameters, network: Network, game: AnyGame, discount: Number, evaluation: Evaluation
) -> tuple[Array, Array]:
    """Returns the errors of the action values against the exact optimal ones, float32 `[]` each, no gradient.

    The first is the mean of `|q[s, a] − q*[s, a]|` over observations and actions; the second the mean over
    observations of `max_a q[s, a] − max_a q*[s, a]`. Only legal actions count. States that look the same, with the same
    legal actions, count once, with the mean of their exact values: no network can do better than that. A network that
    remembers takes each observation for the first of an episode. NaN where `evaluation.exact_values` is off, or the
    game does not list its states.
    """
    if not evaluation.exact_values or isinstance(game, HostGame) or game.states is None:
        return jnp.float32(jnp.nan), jnp.float32(jnp.nan)
    model = exact_values.model(game)
    looks = model.observations.reshape(len(model.observations), -1)
    if model.legal is not None:
        looks = np.concatenate([looks, model.legal], axis=1)
    _, first, looks_like = np.unique(looks, axis=0, return_index=True, return_inverse=True)
    count = np.bincount(looks_like)[:, None].astype(np.float32)
    exact_q = _optimal_values(model, discount)
    mean_q = jnp.zeros((len(first), game.num_actions)).at[looks_like].add(exact_q) / count
    seen, legal = jnp.asarray(model.observations[first]), None
    if model.legal is not None:
        legal = jnp.asarray(model.legal[first])
        mean_q = jnp.where(legal, mean_q, LOWEST)  # as the network has it
    q_values = network.step(parameters, with_mask(seen, legal), initial_memory(network, len(first)))[0].q_values
    return jnp.abs(q_values - mean_q).mean(where=legal), (q_values.max(-1) - mean_q.max(-1)).mean()


def _optimal_values(model: exact_values.Model, discount: Number) -> Array:
    """Returns the optimal action values, float32 `[S, A]`, where the discount may be traced; 0 for illegal actions."""
    reward, legal = (model.reward @ model.probability).astype(np.float32), model.legal
    discount_t = discount * (~model.terminated * model.probability).astype(np.float32)  # [S, A, C], times probability

    def sweep(carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        number, q_values, _ = carry
        best = (q_values if legal is None else jnp.where(legal, q_values, -jnp.inf)).max(axis=1)
        better = reward + (discount_t * best[model.successor]).sum(axis=-1)
        return number + 1, jnp.asarray(better), jnp.abs(better - q_values).max()

    def goes_on(carry: tuple[Array, Array, Array]) -> Array:
        number, q_values, change = carry
        return (number < SWEEPS) & (change > 1e-6 * jnp.maximum(1.0, jnp.abs(q_values).max()))

    start = jnp.int32(0), jnp.zeros(reward.shape), jnp.float32(jnp.inf)
    return jax.lax.while_loop(goes_on, sweep, start)[1]
