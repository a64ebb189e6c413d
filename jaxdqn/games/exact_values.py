"""Optimal action values of a game by value iteration over all its states.

    q(s, a) = r(s, a) + discount x Σ_c p(c) x (not terminated) x maxₐ' q(s', a')

Sources: Bellman (1957), "Dynamic programming"; Sutton and Barto, "Reinforcement learning", 2nd edition, section 4.4.
The sum is over the values c of the noise of a step, and r is the mean reward; a' is legal in s'. The game
must list its states (`Game.states`). If its steps are random, it must also list their noise (`Game.random_step`). Its
start may be random.

A time limit does not end the value: `truncated` is not used. States are compared without their field `time`, because
`time` only counts towards the time limit in every game here.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxdqn.game_interfaces import Game

TOLERANCE = 1e-12  # error of the values, relative to the largest value if that is above 1
MAX_SWEEPS = 100_000
NUM_KEYS = 8  # keys tried in every state with every action, to detect random steps


class Model(NamedTuple):
    """A game as tables over its states, in NumPy.

    Attributes:
      states: the game's states with a leading axis `[S]`, as `game.states()` lists them.
      observations: `[S, *observation_shape]`; several states may share an observation.
      probability: float64 `[C]`, probabilities of the noise values; `[1.0]` if steps are not random.
      successor: int `[S, A, C]`, index of the next state; arbitrary where `terminated`.
      reward: float64 `[S, A, C]`.
      terminated: bool `[S, A, C]`.
      legal: bool `[S, A]`, the legal actions; None where all are legal. An illegal action counts as a termination with
        reward 0.
    """

    states: Any
    observations: np.ndarray
    probability: np.ndarray
    successor: np.ndarray
    reward: np.ndarray
    terminated: np.ndarray
    legal: np.ndarray | None


class Solution(NamedTuple):
    """Optimal action values, in NumPy.

    Attributes:
      states: the game's states with a leading axis `[S]`, as `game.states()` lists them.
      observations: `[S, *observation_shape]`; several states may share an observation.
      q_values: float64 `[S, A]`, -inf for illegal actions.
    """

    states: Any
    observations: np.ndarray
    q_values: np.ndarray


def solve(game: Game, discount: float) -> Solution:
    """Computes the optimal action values of every state of a game.

    Args:
      game: must list its states, and its noise if its steps are random.
      discount: in [0, 1]; with 1, the sum of rewards must stay finite.

    Returns:
      The states and their action values. Their error is at most 1e-12, relative to the largest value if it is above 1.

    Raises:
      ValueError: the discount is not in [0, 1]; the game does not list its states, lists one twice or misses one; its
        steps are random in a way that it does not list; a state has no legal action; or the values do not converge.
    """
    if not 0.0 <= discount <= 1.0:
        raise ValueError(f"discount must lie in [0, 1], got {discount}")
    known = model(game)
    return Solution(known.states, known.observations, _value_iteration(game.name, known, discount))


def model(game: Game) -> Model:
    """Returns the game as tables. It can be called inside a JAX transformation.

    Raises:
      ValueError: as in `solve`, except for the discount and the convergence.
    """
    if game.states is None:
        raise ValueError(f"game {game.name!r} does not list its states; define `Game.states` to compute exact values")
    with jax.ensure_compile_time_eval():
        states = game.states()
        observations = jax.jit(jax.vmap(game.observe))(states)
        probability = np.ones(1) if game.random_step is None else game.random_step.noise.probabilities
        legal = _legal(game, states)
        tables = _transitions(game, states, legal)
        return Model(jax.tree.map(np.asarray, states), np.asarray(observations), probability, *tables, legal)


def _legal(game: Game, states: Any) -> np.ndarray | None:
    if game.legal_actions is None:
        return None
    legal = np.asarray(jax.jit(jax.vmap(game.legal_actions))(states))
    if not legal.any(axis=1).all():
        raise ValueError(
            f"game {game.name!r} lists {(~legal.any(axis=1)).sum()} states without a legal action; list only states "
            "before the end of an episode in `states`"
        )
    return legal


def _transitions(game: Game, states: Any, legal: np.ndarray | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Steps every state with every action. Returns successor (arbitrary at the end), reward, terminated `[S, A, C]`."""
    identity = _identity(states, num_axes=1)
    index = {row.tobytes(): i for i, row in enumerate(identity)}
    if len(index) < len(identity):
        raise ValueError(
            f"game {game.name!r} lists a state more than once (states are compared without `time`); list each state "
            "once in `states`, and rename the field `time` if the rules depend on it"
        )

    actions = jnp.arange(game.num_actions, dtype=jnp.int32)
    inputs, step_with = _step_inputs(game, len(identity))

    def outcome(step_input: jax.Array, state: Any, action: jax.Array) -> tuple[Any, jax.Array, jax.Array]:
        state_t, time_step = step_with(step_input, state, action)
        return state_t, time_step.reward, time_step.terminated  # not the observation, which may be large

    step = jax.vmap(outcome, in_axes=(0, None, None))  # over keys or noise values
    step = jax.vmap(step, in_axes=(0, None, 0))  # over actions
    step = jax.vmap(step, in_axes=(0, 0, None))  # over states
    states_t, reward, terminated = jax.jit(step)(inputs, states, actions)  # [S, A, NUM_KEYS or C, ...]

    reward, terminated = np.asarray(reward, np.float64), np.asarray(terminated)
    if legal is not None:
        reward, terminated = np.where(legal[..., None], reward, 0.0), terminated | ~legal[..., None]
    # The state after the end does not affect the value.
    identity_t = np.where(terminated[..., None], identity[0], _identity(states_t, num_axes=3))
    if game.random_step is None:
        outcomes = np.concatenate([reward[..., None], terminated[..., None], identity_t], axis=-1)
        if (outcomes != outcomes[:, :, :1]).any():
            raise ValueError(
                f"game {game.name!r} has random steps (two keys gave two outcomes); define `Game.random_step` to list "
                "their noise, or make the step depend on state and action alone"
            )
        identity_t, reward, terminated = identity_t[:, :, :1], reward[:, :, :1], terminated[:, :, :1]
    rows_t = identity_t.reshape(-1, identity.shape[1])
    missing = [row for row in rows_t if row.tobytes() not in index]
    if missing:
        raise ValueError(
            f"game {game.name!r} reaches {len(missing)} states that its `states` does not list, the first is "
            f"{missing[0].tolist()}; add every state that can occur before the end to `states`"
        )
    successor = np.array([index[row.tobytes()] for row in rows_t]).reshape(reward.shape)
    return successor, reward, terminated


def _step_inputs(game: Game, num_states: int) -> tuple[jax.Array, Callable[..., Any]]:
    """Returns the first inputs of the step, `[S, A, NUM_KEYS or C]`, and the step: keys, or all values of the noise."""
    if game.random_step is None:
        return _keys(num_states, game.num_actions, NUM_KEYS), game.step
    values = jnp.asarray(game.random_step.noise.values, jnp.float32)
    return jnp.broadcast_to(values, (num_states, game.num_actions, len(values))), game.random_step.step


def _keys(*shape: int) -> jax.Array:
    """Makes keys of this shape from NumPy's random bits: compiling a large `split` takes longer than all the rest."""
    bits_shape = jax.random.key_data(jax.random.key(0)).shape
    bits = np.random.default_rng(0).integers(2**32, size=(*shape, *bits_shape), dtype=np.uint32)
    return jax.random.wrap_key_data(jnp.asarray(bits))


def _identity(states: Any, num_axes: int) -> np.ndarray:
    """Returns all fields except `time` as one row of numbers for each state, float64 `[*leading axes, D]`."""
    fields = [value for name, value in states._asdict().items() if name != "time"]
    leaves = [np.asarray(leaf, np.float64) for leaf in jax.tree.leaves(fields)]
    rows = np.concatenate([leaf.reshape(*leaf.shape[:num_axes], -1) for leaf in leaves], axis=-1)
    return rows + 0.0  # gives -0.0 the same bytes as 0.0


def _value_iteration(name: str, known: Model, discount: float) -> np.ndarray:
    """Applies the Bellman optimality equation until every value is within the tolerance of its limit."""
    reward, discount_t = known.reward @ known.probability, discount * ~known.terminated
    legal = np.ones(reward.shape, bool) if known.legal is None else known.legal
    q_values = np.zeros_like(reward)
    for _ in range(MAX_SWEEPS):
        previous = q_values
        best = np.where(legal, previous, -np.inf).max(axis=1)
        q_values = reward + (discount_t * best[known.successor]) @ known.probability
        # The equation is a contraction: a change of c in one sweep leaves an error of at most c / (1 - discount).
        scale = max(1.0, np.abs(q_values).max())
        if np.abs(q_values - previous).max() <= TOLERANCE * (1.0 - discount) * scale:
            return np.where(legal, q_values, -np.inf)
    raise ValueError(
        f"the values of game {name!r} did not converge in {MAX_SWEEPS} sweeps with discount {discount}; use a smaller "
        "discount if rewards never end"
    )
