"""Optimal action values of a game by value iteration over all its states.

    q(s, a) = r(s, a) + discount x Σ_c p(c) x (not terminated) x maxₐ' q(s', a')

Bellman (1957), "Dynamic programming"; Sutton and Barto, "Reinforcement learning", 2nd edition, section 4.4. The sum is
over what a step leaves to chance, r is the mean reward. It needs a game that lists its states (`Game.states`), and what
its steps draw (`Game.chance`) where they are random; its start may be random.

A time limit does not end the value: `truncated` is not read, and states are compared without their field `time`, which
in every game here counts towards the time limit and nothing else.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxdqn.interfaces import Game

TOLERANCE = 1e-12  # of the values, relative to the largest one where that is above 1
MAX_SWEEPS = 100_000
NUM_KEYS = 8  # tried in every state with every action, to see whether the step is random


class Model(NamedTuple):
    """A game as tables over its states, in NumPy.

    Attributes:
      states: the game's states with a leading axis `[S]`, as `game.states()` lists them.
      observations: `[S, *observation_shape]`; several states may look the same.
      probability: float64 `[C]`, of the outcomes of a step; 1 alone where steps are not random.
      successor: int `[S, A, C]`, the state that follows; any where the game has terminated.
      reward: float64 `[S, A, C]`.
      terminated: bool `[S, A, C]`.
    """

    states: Any
    observations: np.ndarray
    probability: np.ndarray
    successor: np.ndarray
    reward: np.ndarray
    terminated: np.ndarray


class Solution(NamedTuple):
    """Optimal values, in NumPy.

    Attributes:
      states: the game's states with a leading axis `[S]`, as `game.states()` lists them.
      observations: `[S, *observation_shape]`; several states may look the same.
      q_values: float64 `[S, A]`.
    """

    states: Any
    observations: np.ndarray
    q_values: np.ndarray


def solve(game: Game, discount: float) -> Solution:
    """The optimal action values of every state of the game.

    Args:
      game: one that lists its states, and what its steps draw where they are random.
      discount: in [0, 1]; 1 works where nothing is gained or lost for ever.

    Returns:
      The states and their values; values are accurate to 1e-12, relative to the largest one where that is above 1.

    Raises:
      ValueError: the discount is not in [0, 1], the game does not list its states, lists one twice or misses one, its
        step is random beyond what it lists, or the values do not converge.
    """
    if not 0.0 <= discount <= 1.0:
        raise ValueError(f"discount must lie in [0, 1], got {discount}")
    known = model(game)
    return Solution(known.states, known.observations, _value_iteration(game.name, known, discount))


def model(game: Game) -> Model:
    """Returns the game as tables; it may be called while something else is being traced.

    Raises:
      ValueError: as `solve`, but for the discount and the convergence.
    """
    if game.states is None:
        raise ValueError(f"game {game.name!r} does not list its states; exact values need `Game.states`")
    with jax.ensure_compile_time_eval():
        states = game.states()
        observations = jax.jit(jax.vmap(game.observe))(states)
        probability = np.ones(1) if game.chance is None else game.chance.distribution.probabilities
        tables = _transitions(game, states)
        return Model(jax.tree.map(np.asarray, states), np.asarray(observations), probability, *tables)


def _transitions(game: Game, states: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Steps every state with every action: index of the successor (any at the end), reward, terminated, `[S, A, C]`."""
    identity = _identity(states, num_axes=1)
    index = {row.tobytes(): i for i, row in enumerate(identity)}
    if len(index) < len(identity):
        raise ValueError(
            f"game {game.name!r} lists a state more than once (`time` aside, which is no part of the value); its "
            "`states` must list each once, and a field that the rules depend on must not be called `time`"
        )

    actions = jnp.arange(game.num_actions, dtype=jnp.int32)
    drawn, step_of = _draws(game, len(identity))

    def outcome_of(drawn: jax.Array, state: Any, action: jax.Array) -> tuple[Any, jax.Array, jax.Array]:
        state_t, time_step = step_of(drawn, state, action)
        return state_t, time_step.reward, time_step.terminated  # not the observation, which may be large

    step = jax.vmap(outcome_of, in_axes=(0, None, None))  # over keys or numbers
    step = jax.vmap(step, in_axes=(0, None, 0))  # over actions
    step = jax.vmap(step, in_axes=(0, 0, None))  # over states
    states_t, reward, terminated = jax.jit(step)(drawn, states, actions)  # [S, A, NUM_KEYS or C, ...]

    reward, terminated = np.asarray(reward, np.float64), np.asarray(terminated)
    # What follows the end has no part in the value.
    identity_t = np.where(terminated[..., None], identity[0], _identity(states_t, num_axes=3))
    if game.chance is None:
        outcome = np.concatenate([reward[..., None], terminated[..., None], identity_t], axis=-1)
        if (outcome != outcome[:, :, :1]).any():
            raise ValueError(
                f"game {game.name!r} has random steps (two keys gave two outcomes); exact values need steps that "
                "depend on state and action alone, or `Game.chance`, which says what they draw"
            )
        identity_t, reward, terminated = identity_t[:, :, :1], reward[:, :, :1], terminated[:, :, :1]
    rows_t = identity_t.reshape(-1, identity.shape[1])
    missing = [row for row in rows_t if row.tobytes() not in index]
    if missing:
        raise ValueError(
            f"game {game.name!r} reaches {len(missing)} states that its `states` does not list, the first is "
            f"{missing[0].tolist()}; `states` must list every state that can occur before the end"
        )
    successor = np.array([index[row.tobytes()] for row in rows_t]).reshape(reward.shape)
    return successor, reward, terminated


def _draws(game: Game, num_states: int) -> tuple[jax.Array, Callable[..., Any]]:
    """What a step takes first, `[S, A, NUM_KEYS or C]`, and the step: keys, or all that it can draw."""
    if game.chance is None:
        return _keys(num_states, game.num_actions, NUM_KEYS), game.step
    values = jnp.asarray(game.chance.distribution.values, jnp.float32)
    return jnp.broadcast_to(values, (num_states, game.num_actions, len(values))), game.chance.step


def _keys(*shape: int) -> jax.Array:
    """Keys of that shape from NumPy's bits: a split of that shape would compile for longer than all else takes."""
    bits_shape = jax.random.key_data(jax.random.key(0)).shape
    bits = np.random.default_rng(0).integers(2**32, size=(*shape, *bits_shape), dtype=np.uint32)
    return jax.random.wrap_key_data(jnp.asarray(bits))


def _identity(states: Any, num_axes: int) -> np.ndarray:
    """All fields but `time` in one row of numbers, float64 `[*leading axes, D]`."""
    fields = [value for name, value in states._asdict().items() if name != "time"]
    leaves = [np.asarray(leaf, np.float64) for leaf in jax.tree.leaves(fields)]
    rows = np.concatenate([leaf.reshape(*leaf.shape[:num_axes], -1) for leaf in leaves], axis=-1)
    return rows + 0.0  # makes -0.0 the same bytes as 0.0


def _value_iteration(name: str, known: Model, discount: float) -> np.ndarray:
    """Applies the optimality equation until no value can be further than the tolerance from its limit."""
    reward, discount_t = known.reward @ known.probability, discount * ~known.terminated
    q_values = np.zeros_like(reward)
    for _ in range(MAX_SWEEPS):
        previous = q_values
        q_values = reward + (discount_t * previous.max(axis=1)[known.successor]) @ known.probability
        # The equation is a contraction: a change of c in one sweep leaves an error of at most c / (1 - discount).
        scale = max(1.0, np.abs(q_values).max())
        if np.abs(q_values - previous).max() <= TOLERANCE * (1.0 - discount) * scale:
            return q_values
    raise ValueError(
        f"the values of game {name!r} did not converge in {MAX_SWEEPS} sweeps with discount {discount}; where rewards "
        "go on for ever, take a smaller discount"
    )
