"""The records and callable types that the parts agree on.

Suffix `_tm1` is before a step of the game, `_t` after it. Leading axes: `B` a batch of transitions,
`E` environments that run side by side. `A` is the number of actions.
"""

from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple, Protocol

import jax

Array = jax.Array
Number = jax.Array | float  # of a configuration: traced in a compiled program, plain outside
Key = jax.Array  # a typed key, as `jax.random.key` makes it
Parameters = Any  # the pytree of a network's parameters


class TimeStep(NamedTuple):
    """What a game answers to an action.

    Attributes:
      observation: the true observation after the step, also where the episode ended; games never reset themselves.
      reward: float32 `[]`.
      terminated: bool `[]`, the episode ended by the rules of the game: nothing can be earned after it.
      truncated: bool `[]`, the episode was cut by a time limit: the value of what follows is not zero.
    """

    observation: Array
    reward: Array
    terminated: Array
    truncated: Array


class Game(NamedTuple):
    """A game as pure functions of one state; `vmap` gives many. States are named tuples of arrays.

    Attributes:
      name: as in the table `jaxdqn.games.GAMES`.
      version: raised when the behaviour changes, since results of two versions must not be mixed.
      reset: `key -> state`, the start of an episode. It needs nothing but a key, so the loop draws starts ahead.
      step: `(key, state, action) -> (state, TimeStep)`; not to be called on the state of an ended episode.
      observe: `state -> observation`.
      observation_shape: without a batch axis.
      num_actions: actions are int32 in `[0, num_actions)`.
      max_steps: no episode is longer, in steps.
      states: `() -> state` with a leading axis over every state that can occur before an episode has ended, or None
        where they are too many; `jaxdqn.games.exact` computes optimal values from it. A field called `time` counts
        towards a time limit and nothing else, so states that differ only in it are one.
      picture: `state -> uint8 [height, width, 3]`, one pixel a cell of a board, drawn large in a terminal or a file;
        None where the game is no board.
      drawn_by: gymnasium's environment that draws the game, and the state that it is given; None where it has none.
    """

    name: str
    version: int
    reset: Callable[[Key], Any]
    step: Callable[[Key, Any, Array], tuple[Any, TimeStep]]
    observe: Callable[[Any], Array]
    observation_shape: tuple[int, ...]
    num_actions: int
    max_steps: int
    states: Callable[[], Any] | None = None
    picture: Callable[[Any], Array] | None = None
    drawn_by: "DrawnBy | None" = None


class DrawnBy(NamedTuple):
    """How gymnasium draws a game that is not gymnasium's.

    Attributes:
      environment: its id there, such as `CartPole-v1`.
      physical_state: `state -> float32 [N]`, what that environment keeps as its `state`.
    """

    environment: str
    physical_state: Callable[[Any], Array]


class HostGame(NamedTuple):
    """A game that steps in Python, outside of compiled code: many copies of one gymnasium environment.

    Attributes:
      name: as `jaxdqn.games.make` takes it, such as `gymnasium:LunarLander-v3`.
      version: raised when what this package does with the environment changes; the environment's own is in its name.
      make_vector: `(num_environments, asynchronous=False) -> gymnasium.vector.VectorEnv` with NEXT_STEP autoreset:
        after an episode has ended, the next `step` ignores the action and answers with the reset observation. Its
        observations are one array `[E, *observation_shape]` of `observation_dtype`, its actions `[E]` in
        `[0, num_actions)`. `asynchronous` gives each copy a process.
      make_drawn: `() -> gymnasium.Env`, one copy with the same observations and actions that draws `rgb_array` frames.
      observation_shape: without a batch axis.
      observation_dtype: as the environment has it, but 64 bits become 32.
      num_actions: actions are counted from 0, also where the environment's own start elsewhere.
      max_steps: no episode is longer, in steps; None where the environment sets no limit.
    """

    name: str
    version: int
    make_vector: Callable[..., Any]
    make_drawn: Callable[[], Any]
    observation_shape: tuple[int, ...]
    observation_dtype: Any
    num_actions: int
    max_steps: int | None


AnyGame = Game | HostGame


class NetworkOutput(NamedTuple):
    """What every network names, so that acting and evaluation do not know the algorithm: `q_values` `[..., A]`."""

    q_values: Array


class Network(NamedTuple):
    """A network as a pair of pure functions.

    Attributes:
      init: `key -> parameters`.
      apply: `(parameters, observation [..., *observation_shape]) -> output with q_values [..., A]`.
    """

    init: Callable[[Key], Parameters]
    apply: Callable[[Parameters, Array], NetworkOutput]


class Step(NamedTuple):
    """One step of `E` environments, as replay stores it. Fields have a leading axis `[E]`."""

    s_tm1: Array
    a_tm1: Array
    r_t: Array
    terminated: Array
    truncated: Array
    s_t: Array


class Transition(NamedTuple):
    """What a target is computed from, `[B]` of them when sampled.

    Attributes:
      s_tm1: observation before the action.
      a_tm1: int32, the action.
      r_t: float32, the discounted sum of the rewards of the k <= n steps taken.
      discount_t: float32, how much the value of `s_t` counts: gamma^k, and 0 only where the game *terminated*.
      s_t: observation after the k steps, before any reset.
    """

    s_tm1: Array
    a_tm1: Array
    r_t: Array
    discount_t: Array
    s_t: Array


class Sample(NamedTuple):
    """A batch from replay: the transitions, where they lie (int32 `[B]`), and their importance weights `[B]`."""

    transition: Transition
    indices: Array
    weight: Array


class Replay(NamedTuple):
    """A replay memory as pure functions of its state, which lives on the device.

    Attributes:
      init: `() -> state`.
      add: `(state, Step [E], is_valid bool [E]) -> state`; what is not valid is not stored.
      sample: `(state, random_bits uint32 [B]) -> Sample`. Bits come from outside, because one draw for many
        batches costs a small part of a draw inside a loop.
      update: `(state, indices [B], priority [B]) -> state`.
    """

    init: Callable[[], Any]
    add: Callable[[Any, Step, Array], Any]
    sample: Callable[[Any, Array], Sample]
    update: Callable[[Any, Array, Array], Any]


class LossOutput(NamedTuple):
    """What an algorithm's loss returns: each field `[B]`, one number an example.

    Attributes:
      loss: before importance weights; the learner differentiates its weighted mean.
      priority: how much the example deserves to be drawn again, not negative.
      td_error: signed.
      max_q: the largest action value of `s_tm1`.
    """

    loss: Array
    priority: Array
    td_error: Array
    max_q: Array


Apply = Callable[[Parameters, Array], NetworkOutput]


class Algorithm(Protocol):
    """The seam between an algorithm and everything else: its configuration has a version and a loss."""

    version: ClassVar[int]

    def loss(
        self,
        apply: Apply,
        parameters: Parameters,
        target_parameters: Parameters,
        transition: Transition,
    ) -> LossOutput: ...
