"""The Blind Cliffwalk and kinds of replay for it (Schaul et al. 2016, "Prioritized Experience Replay", 3.1 and B.1).

There are n states in a row. In each state one action is right; the right action alternates between states. The right
action moves to the next state; the wrong action ends the episode with reward 0. The last right action ends the episode
with reward 1. The memory contains the transitions of all 2^n sequences of actions, one sequence after the other in
random order: 2^(n+1) - 2 transitions, one of them with the reward. There are 2n kinds of transitions. The memory is a
list of kinds. Each kind of replay keeps its priorities for each single transition, so nothing is approximated.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxdqn import targets
from jaxdqn.interfaces import Array
from jaxdqn.replay import hashing, sum_tree

STEP_SIZE = 0.25
INITIAL_SCALE = 0.1  # the 0.1 in N(0, 0.1) is taken as the standard deviation
TOLERANCE = 1e-3  # bound of the mean squared error over all states and actions
EXPONENT = 0.6  # alpha of proportional replay: the paper gives none for this problem; this is its value for Atari
OFFSET = 1e-3  # epsilon: without it, a transition with error 0 would never be replayed again
FIRST_PRIORITY = 1.0  # priority of transitions not yet replayed: the largest priority so far, 1 at the start

_CHUNK = 4096  # number of updates for which random bits are generated in one call


class Transition(NamedTuple):
    """A transition, or `[2n]` of them: kind 2i is the wrong action of state i, and kind 2i + 1 the right one."""

    s_tm1: Array
    a_tm1: Array
    r_t: Array
    discount_t: Array
    s_t: Array


class Walk(NamedTuple):
    """The problem.

    Attributes:
      kinds: all kinds of transitions, `[2n]`.
      true_q: float32 `[n, 2]`, true action values.
      memory: int32 `[2^(n+1) - 2]`, the kind of each transition.
    """

    kinds: Transition
    true_q: Array
    memory: Array


class Replay(NamedTuple):
    """A kind of replay.

    Attributes:
      init: `() -> state`.
      choose: `(state, q, random_bits) -> index` in the memory.
      update: `(state, index, td_error) -> state`, with the TD error of the transition before its update.
    """

    init: Callable[[], Any]
    choose: Callable[[Any, Array, Array], Array]
    update: Callable[[Any, Array, Array], Any]


def walk(memory: Array, num_states: int) -> Walk:
    state = np.repeat(np.arange(num_states), 2)
    is_right = np.tile([False, True], num_states)
    right = state % 2  # the right action
    is_last = state == num_states - 1
    kinds = Transition(
        s_tm1=jnp.asarray(state),
        a_tm1=jnp.asarray(np.where(is_right, right, 1 - right)),
        r_t=jnp.asarray(is_right & is_last, jnp.float32),
        discount_t=jnp.where(is_right & ~is_last, jnp.float32(1 - 1 / num_states), 0.0),
        s_t=jnp.asarray(np.minimum(state + 1, num_states - 1)),
    )
    return Walk(kinds, jnp.asarray(true_values(num_states)), memory)


def true_values(num_states: int) -> np.ndarray:
    """Returns float32 `[n, 2]`: discount^k if k right actions are needed after a right action; 0 for a wrong one."""
    state = np.arange(num_states)
    values = np.zeros((num_states, 2), np.float32)
    values[state, state % 2] = (1 - 1 / num_states) ** (num_states - 1 - state)
    return values


def memory(key: Array, num_states: int) -> np.ndarray:
    """Returns the kinds of all transitions, int32 `[2^(n+1) - 2]`, from all sequences of actions in random order."""
    sequences = np.asarray(jax.random.permutation(key, 2**num_states))
    is_right = sequences[:, None] >> np.arange(num_states) & 1  # [2^n, n]
    is_reached = np.cumprod(np.hstack([np.ones_like(is_right[:, :1]), is_right[:, :-1]]), axis=1) > 0
    return (2 * np.arange(num_states) + is_right)[is_reached].astype(np.int32)


def uniform(walk: Walk) -> Replay:
    """Samples all transitions with equal probability."""

    def choose(state: tuple[()], q: Array, random_bits: Array) -> Array:
        del state, q
        return hashing.below(jnp.uint32(walk.memory.size), random_bits)

    return Replay(lambda: (), choose, lambda state, index, td_error: state)


def proportional(walk: Walk) -> Replay:
    """Samples transitions in proportion to (|error| + epsilon)^alpha, without importance weights (section 3.3)."""
    size = walk.memory.size

    def init() -> sum_tree.SumTree:
        return sum_tree.set(sum_tree.init(size), jnp.arange(size), jnp.full(size, FIRST_PRIORITY**EXPONENT))

    def choose(tree: sum_tree.SumTree, q: Array, random_bits: Array) -> Array:
        del q
        width = sum_tree.total(tree) / 256  # 32 random bits, in two parts that are exact in float32
        start, offset = random_bits >> 24, (random_bits & 0xFFFFFF).astype(jnp.float32) * 2.0**-24
        return sum_tree.find(tree, (start.astype(jnp.float32) * width)[None], (offset * width)[None])[0]

    def update(tree: sum_tree.SumTree, index: Array, td_error: Array) -> sum_tree.SumTree:
        return sum_tree.set(tree, index[None], (jnp.abs(td_error)[None] + OFFSET) ** EXPONENT)

    return Replay(init, choose, update)


def greedy(walk: Walk) -> Replay:
    """Replays the transition with the largest last |error|; of equal errors, the first in memory.

    Priorities are stored in rows, with the maximum of each row, so that a search reads two rows instead of all
    priorities.
    """
    size = walk.memory.size
    length = int(np.ceil(size**0.5))

    def init() -> tuple[Array, Array]:
        places = jnp.arange(length * length).reshape(length, length)
        priorities = jnp.where(places < size, FIRST_PRIORITY, -1.0)
        return priorities, priorities.max(axis=1)

    def choose(state: tuple[Array, Array], q: Array, random_bits: Array) -> Array:
        del q, random_bits
        priorities, largest = state
        row = jnp.argmax(largest)
        return row * length + jnp.argmax(priorities[row])

    def update(state: tuple[Array, Array], index: Array, td_error: Array) -> tuple[Array, Array]:
        priorities, largest = state
        row = index // length
        # The row is read only before it is written; otherwise the compiler copies all priorities in each update.
        changed = jnp.where(jnp.arange(length) == index % length, jnp.abs(td_error), priorities[row])
        return priorities.at[row].set(changed), largest.at[row].set(changed.max())

    return Replay(init, choose, update)


def oracle(walk: Walk) -> Replay:
    """Replays the transition whose update gives the smallest mean squared error; of equal ones, the first in memory."""
    num_kinds = walk.kinds.s_tm1.size
    first_of_kind = jnp.argmax(walk.memory[None] == jnp.arange(num_kinds)[:, None], axis=1)  # [2n]

    def choose(state: tuple[()], q: Array, random_bits: Array) -> Array:
        del state, random_bits
        after, _ = jax.vmap(learn, in_axes=(None, 0))(q, walk.kinds)  # [2n, n, 2]
        return first_of_kind[jnp.argmin(jax.vmap(error, in_axes=(0, None))(after, walk.true_q))]

    return Replay(lambda: (), choose, lambda state, index, td_error: state)


WAYS: dict[str, Callable[[Walk], Replay]] = {
    "uniform": uniform,
    "proportional": proportional,
    "greedy by TD error": greedy,
    "oracle": oracle,
}


def learn(q: Array, transition: Transition) -> tuple[Array, Array]:
    """Returns the table after a Q-learning update, and the TD error before it."""
    s_tm1, a_tm1, r_t, discount_t, s_t = transition
    td_error = targets.q_learning(q[s_tm1], a_tm1, r_t, discount_t, q[s_t])
    return q.at[s_tm1, a_tm1].add(STEP_SIZE * td_error), td_error


def error(q: Array, true_q: Array) -> Array:
    """Returns the mean squared error over states and actions."""
    return jnp.mean((q - true_q) ** 2)


def initial_values(key: Array, num_states: int) -> Array:
    return INITIAL_SCALE * jax.random.normal(key, (num_states, 2))


def draws(key: Array, chunk: Array | int) -> Array:
    """Returns the random bits for a chunk of updates, uint32."""
    return jax.random.bits(jax.random.fold_in(key, chunk), (_CHUNK,))


def num_updates(initial_key: Array, draw_key: Array, walk: Walk, way: Callable[[Walk], Replay], cap: int) -> Array:
    """Returns the number of updates until the error is below the tolerance, int32 `[]`; -1 if `cap` is too small.

    Args:
      initial_key: key of the initial values.
      draw_key: key of the samples from memory.
      walk: the problem.
      way: the kind of replay.
      cap: largest number of updates.
    """
    replay = way(walk)

    def is_due(carry: tuple[Array, Any, Array]) -> Array:
        q, _, count = carry
        return (error(q, walk.true_q) >= TOLERANCE) & (count < cap)

    def run_chunk(carry: tuple[Array, Any, Array]) -> tuple[Array, Any, Array]:
        first = carry[2]  # a multiple of the chunk's length, because only the last chunk ends early

        random_bits = draws(draw_key, first // _CHUNK)

        def update(carry: tuple[Array, Any, Array]) -> tuple[Array, Any, Array]:
            q, state, count = carry
            index = replay.choose(state, q, random_bits[count - first])
            q, td_error = learn(q, jax.tree.map(lambda of_kinds: of_kinds[walk.memory[index]], walk.kinds))
            return q, replay.update(state, index, td_error), count + 1

        return jax.lax.while_loop(lambda carry: is_due(carry) & (carry[2] < first + _CHUNK), update, carry)

    start = initial_values(initial_key, walk.true_q.shape[0]), replay.init(), jnp.int32(0)
    q, _, count = jax.lax.while_loop(is_due, run_chunk, start)
    return jnp.where(error(q, walk.true_q) < TOLERANCE, count, -1)
