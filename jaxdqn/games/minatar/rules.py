"""The rules that all MinAtar games share: six actions, sticky actions, a time limit; and `make`, which adds them.

Actions: 0 nothing, 1 left, 2 up, 3 right, 4 down, 5 fire. By default a game has only the actions that do something in
it, numbered from 0 in this order (its minimal action set); with `full_actions` it has all six. An action that does
nothing in a game is like 0.
Sticky actions (Machado et al. 2018): with probability `sticky`, 0.1 by default, the action of the step before is
repeated in place of the chosen one. So repeats can follow each other. At the start of an episode this action is 0; in
the package `MinAtar` the last action of the episode before is kept.
Ends: truncated after `max_steps` steps (the package has no limit, except in freeway); it can also be terminated then.

Random numbers: each step draws words of 32 bits from its key, one for the sticky action and those that the rules need.
`is_right` reads the highest bit and `below` the lowest 16 bits of a word, so one word gives two independent numbers.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxdqn.game_interfaces import Game, TimeStep
from jaxdqn.games.minatar import board
from jaxdqn.interfaces import Array, Key

NOTHING, LEFT, UP, RIGHT, DOWN, FIRE = range(6)
NUM_ACTIONS = 6
STICKY = 0.1
MAX_STEPS = 10_000


class Rules(NamedTuple):
    """The rules of one game; `make` makes games of them.

    Attributes:
      name: of the game, such as "breakout".
      version: raised when the behaviour changes.
      actions: the minimal action set, in the numbering of all six.
      colours: of the channels in pictures, RGB, in the order of the channels.
      max_steps: the usual time limit, in steps.
      num_words: random words of a start and of a step.
      start: `words uint32 [num_words] -> objects`, a NamedTuple of arrays.
      step: `(words, objects, action) -> (objects, reward int32 [], terminated bool [])`, with an action of the six.
      draw: `objects -> boards`, one board for each channel.
      step_without_ramping: a step that never makes the game harder; None where `step` does not either.
    """

    name: str
    version: int
    actions: tuple[int, ...]
    colours: tuple[tuple[int, int, int], ...]
    max_steps: int
    num_words: int
    start: Callable[[Array], Any]
    step: Callable[[Array, Any, Array], tuple[Any, Array, Array]]
    draw: Callable[[Any], Sequence[Array]]
    step_without_ramping: Callable[[Array, Any, Array], tuple[Any, Array, Array]] | None = None


class MinAtarState(NamedTuple):
    """The state of a game.

    Attributes:
      objects: everything that the rules of this game need, a NamedTuple of arrays.
      last_action: int32 `[]`, the action of the last step, in the numbering of all six; 0 at the start.
      time: int32 `[]`, number of steps so far.
    """

    objects: Any
    last_action: Array
    time: Array


def make(
    rules: Rules,
    full_actions: bool = False,
    sticky: float = STICKY,
    ramping: bool = True,
    max_steps: int | None = None,
) -> Game:
    """Makes a game from its rules.

    Args:
      rules: of the game.
      full_actions: whether the game has all six actions, not only its minimal set.
      sticky: probability of a sticky action, in [0, 1].
      ramping: whether the game gets harder during an episode, if its rules say so.
      max_steps: time limit in steps, at least 1; None for the usual one.

    Returns:
      The game. Its name is "minatar_" and the name of the rules. Options that differ from the usual ones are appended:
      "minatar_asterix_full_sticky_0.25_no_ramping_500".

    Raises:
      ValueError: the probability is outside of [0, 1], the limit is below 1, or `ramping` is off in a game that never
        gets harder.
    """
    name, limit = f"minatar_{rules.name}", rules.max_steps if max_steps is None else max_steps
    if not 0.0 <= sticky <= 1.0:
        raise ValueError(f"{name} needs a probability sticky of 0 to 1, got {sticky}")
    if limit < 1:
        raise ValueError(f"{name} needs max_steps >= 1, got {limit}")
    step_of_rules = rules.step if ramping else rules.step_without_ramping
    if step_of_rules is None:
        raise ValueError(f"{name} never gets harder, so it has no ramping to turn off: leave out ramping=False")
    actions = np.array(range(NUM_ACTIONS) if full_actions else rules.actions, np.int32)

    def reset(key: Key) -> MinAtarState:
        objects = rules.start(random_words(key, rules.num_words))
        return MinAtarState(objects, last_action=jnp.int32(NOTHING), time=jnp.int32(0))

    def step(key: Key, state: MinAtarState, action: Array) -> tuple[MinAtarState, TimeStep]:
        words = random_words(key, 1 + rules.num_words)
        played = jnp.where(uniform(words[0]) < sticky, state.last_action, jnp.asarray(actions)[action])
        objects, reward, terminated = step_of_rules(words[1:], state.objects, played)
        state = MinAtarState(objects, played, state.time + 1)
        return state, TimeStep(observe(state), reward.astype(jnp.float32), terminated, state.time >= limit)

    def observe(state: MinAtarState) -> Array:
        return board.observation(rules.draw(state.objects))

    return Game(
        name=name + _variant(rules, full_actions, sticky, ramping, limit),
        version=rules.version,
        reset=reset,
        step=step,
        observe=observe,
        observation_shape=(board.SIZE, board.SIZE, len(rules.colours)),
        num_actions=len(actions),
        max_steps=limit,
        render_board=lambda state: board.picture(observe(state), rules.colours),
    )


def random_words(key: Key, number: int) -> Array:
    """Returns random words of 32 bits, uint32 `[number]`."""
    return jax.random.bits(key, (number,), jnp.uint32)


def move_sideways(column: Array, action: Array) -> Array:
    """Returns the column of a player after its action; the edges of the board stop it."""
    return jnp.clip(column + (action == RIGHT) - (action == LEFT), 0, board.LAST)


def move_up_or_down(row: Array, action: Array, lowest: int, highest: int) -> Array:
    """Returns the row of a player after its action; it stays in rows `lowest` to `highest`."""
    return jnp.clip(row + (action == DOWN) - (action == UP), lowest, highest)


def uniform(word: Array) -> Array:
    """Returns a uniform number in [0, 1), float32, from the highest 24 bits of a word."""
    return (word >> 8).astype(jnp.float32) * 2.0**-24


def is_right(word: Array) -> Array:
    """Returns True with probability 1/2, from the highest bit of a word: whether a new object moves right."""
    return (word >> 31) == 1


def below(word: Array, number: Array | int) -> Array:
    """Returns a number in 0 .. number - 1, int32, from the lowest 16 bits of a word.

    The number is at most 2^16. Each result has the probability 1 / number, up to an error of 2^-16.
    """
    return (((word & 0xFFFF) * jnp.asarray(number, jnp.uint32)) >> 16).astype(jnp.int32)


def count_down(countdown: Array) -> Array:
    """Returns the countdown one step later; it stops at 0."""
    return jnp.maximum(countdown - 1, 0)


def _variant(rules: Rules, full_actions: bool, sticky: float, ramping: bool, limit: int) -> str:
    """Returns the end of the name of a game: its options that differ from their defaults."""
    return (
        ("_full" if full_actions else "")
        + (f"_sticky_{sticky:g}" if sticky != STICKY else "")
        + ("" if ramping else "_no_ramping")
        + (f"_{limit}" if limit != rules.max_steps else "")
    )
