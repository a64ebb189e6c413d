"""Optimal action values of a game by value iteration over all its states.

    q(s, a) = r(s, a) + discount x (not terminated) x maxₐ' q(s', a')

Bellman (1957), "Dynamic programming"; Sutton and Barto, "Reinforcement learning", 2nd edition, section 4.4. It needs a
game that lists its states (`Game.states`) and whose steps are not random (its start may be).

A time limit does not end the value: `truncated` is not read, and states are compared without their field `time`, which
in every game here counts towards the time limit and nothing else.
"""

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
      successor: int `[S, A]`, the state that follows; any where the game has terminated.
      reward: float64 `[S, A]`.
      terminated: bool `[S, A]`.
    """

    states: Any
    observations: np.ndarray
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
      game: one that lists its states and whose steps are not random.
      discount: in [0, 1]; 1 works where nothing is gained or lost for ever.

    Returns:
      The states and their values; values are accurate to 1e-12, relative to the largest one where that is above 1.

    Raises:
      ValueError: the discount is not in [0, 1], the game does not list its states, lists one twice or misses one, its
        step is random, or the values do not converge.
    """
    if not 0.0 <= discount <= 1.0:
        raise ValueError(f"discount must lie in [0, 1], got {discount}")
    known = model(game)
    q_values = _value_iteration(game.name, known.successor, known.reward, discount, known.terminated)
    return Solution(known.states, known.observations, q_values)


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
        return Model(jax.tree.map(np.asarray, states), np.asarray(observations), *_transitions(game, states))


def _transitions(game: Game, states: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Steps every state with every action: index of the successor (any after the end), reward, terminated, `[S, A]`."""
    identity = _identity(states, num_axes=1)
    index = {row.tobytes(): i for i, row in enumerate(identity)}
    if len(index) < len(identity):
        raise ValueError(
            f"game {game.name!r} lists a state more than once (`time` aside, which is no part of the value); its "
            "`states` must list each once, and a field that the rules depend on must not be called `time`"
        )

    actions = jnp.arange(game.num_actions, dtype=jnp.int32)
    keys = _keys(len(identity), game.num_actions, NUM_KEYS)
    step = jax.vmap(game.step, in_axes=(0, None, None))  # over keys
    step = jax.vmap(step, in_axes=(0, None, 0))  # over actions
    step = jax.vmap(step, in_axes=(0, 0, None))  # over states
    states_t, time_step = jax.jit(step)(keys, states, actions)  # [S, A, NUM_KEYS, ...]

    reward, terminated = np.asarray(time_step.reward, np.float64), np.asarray(time_step.terminated)
    # What follows the end has no part in the value.
    identity_t = np.where(terminated[..., None], identity[0], _identity(states_t, num_axes=3))
    outcome = np.concatenate([reward[..., None], terminated[..., None], identity_t], axis=-1)
    if (outcome != outcome[:, :, :1]).any():
        raise ValueError(
            f"game {game.name!r} has random steps (two keys gave two outcomes); exact values need steps that depend on "
            "state and action alone"
        )
    missing = [row for row in identity_t[:, :, 0].reshape(-1, identity.shape[1]) if row.tobytes() not in index]
    if missing:
        raise ValueError(
            f"game {game.name!r} reaches {len(missing)} states that its `states` does not list, the first is "
            f"{missing[0].tolist()}; `states` must list every state that can occur before the end"
        )
    successor = np.array([[index[row.tobytes()] for row in rows] for rows in identity_t[:, :, 0]])
    return successor, reward[:, :, 0], terminated[:, :, 0]


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


def _value_iteration(
    name: str, successor: np.ndarray, reward: np.ndarray, discount: float, terminated: np.ndarray
) -> np.ndarray:
    """Applies the optimality equation until no value can be further than the tolerance from its limit."""
    discount_t = discount * ~terminated
    q_values = np.zeros_like(reward)
    for _ in range(MAX_SWEEPS):
        previous = q_values
        q_values = reward + discount_t * previous.max(axis=1)[successor]
        # The equation is a contraction: a change of c in one sweep leaves an error of at most c / (1 - discount).
        scale = max(1.0, np.abs(q_values).max())
        if np.abs(q_values - previous).max() <= TOLERANCE * (1.0 - discount) * scale:
            return q_values
    raise ValueError(
        f"the values of game {name!r} did not converge in {MAX_SWEEPS} sweeps with discount {discount}; where rewards "
        "go on for ever, take a smaller discount"
    )
