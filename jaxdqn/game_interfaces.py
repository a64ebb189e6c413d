"""The records of a game: as pure functions in JAX (`Game`), or outside of compiled code (`HostGame`)."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxdqn.code_versions import CodeVersions
from jaxdqn.interfaces import Array, Key


class TimeStep(NamedTuple):
    """The result of an action in a game.

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


class DiscreteDistribution(NamedTuple):
    """The distribution of a number that takes N values: `values` and `probabilities`, float64 `[N]` each, in NumPy."""

    values: np.ndarray
    probabilities: np.ndarray


class RandomStep(NamedTuple):
    """A random step of a game, split into its noise and a deterministic function, so that outcomes can be enumerated.

    Attributes:
      noise: the distribution of the number that each step samples; it is the same in every state and for every action.
      step: `(number float32 [], state, action) -> (state, TimeStep)`, deterministic once the number is given.
    """

    noise: DiscreteDistribution
    step: Callable[[Array, Any, Array], tuple[Any, TimeStep]]


class GymnasiumRendering(NamedTuple):
    """A gymnasium environment that renders the states of a game in JAX.

    Attributes:
      environment: its id in gymnasium, such as `CartPole-v1`.
      physical_state: `state -> float32 [N]`, the value that the environment keeps in its attribute `state`.
    """

    environment: str
    physical_state: Callable[[Any], Array]


class Game(NamedTuple):
    """A game as pure functions of one state; `vmap` gives many. States are named tuples of arrays.

    Attributes:
      name: as in the table `jaxdqn.games.GAMES`.
      version: raised when the behaviour changes, because results of two versions must not be mixed.
      reset: `key -> state`, samples the start of an episode. It takes only a key, so the training loop can sample many
        starts in one call.
      step: `(key, state, action) -> (state, TimeStep)`; do not call it on the state of an ended episode.
      observe: `state -> observation`.
      observation_shape: without a batch axis.
      num_actions: actions are int32 in `[0, num_actions)`.
      max_steps: the longest episode, in steps.
      states: `() -> state` with a leading axis over every state that can occur before the end of an episode; None where
        there are too many. `jaxdqn.games.exact_values` computes optimal values from it. A field `time` must count
        towards a time limit and do nothing else: states that differ only in `time` are treated as one.
      random_step: noise and outcome of a step, for exact values of games whose steps are random; `step` must be
        `jaxdqn.games.random_steps.make_step` of it. None where steps are not random, or have too many outcomes.
      render_board: `state -> uint8 [height, width, 3]`, one pixel for each cell of a board; None where the game has no
        board.
      gymnasium_rendering: the gymnasium environment that renders the game's states; None where there is none.
      code: versions of the code of the game outside of this package; `jaxdqn.games.make` sets it.
      legal_actions: `state -> bool [num_actions]`, the actions that can be taken: at least one in every state before
        the end of an episode. `step` is never called with another action. None where all actions are always legal.
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
    random_step: RandomStep | None = None
    render_board: Callable[[Any], Array] | None = None
    gymnasium_rendering: GymnasiumRendering | None = None
    code: CodeVersions = CodeVersions()  # immutable
    legal_actions: Callable[[Any], Array] | None = None


class HostGame(NamedTuple):
    """A game that steps in Python, outside of compiled code: many copies of one gymnasium environment.

    Where the flag `life_lost` (bool `[E]`) is in the `info` of a step, a copy has ended an episode for learning and
    acting, and its game goes on: returns and the number of episodes are those of whole games. Nothing else in `info` is
    read. Values that cannot be used are the environment's error (`jaxdqn.games.checked_environment`).

    Attributes:
      name: as `jaxdqn.games.make` takes it, such as `gymnasium:LunarLander-v3` or `atari:pong`.
      version: raised when this package treats the environment differently; the environment's own version is in its
        name, or `packages` has it.
      make_vector: `(num_environments, asynchronous=False) -> gymnasium.vector.VectorEnv` with NEXT_STEP autoreset:
        after the end of an episode, the next `step` ignores the action and returns the reset observation. Observations
        are one array `[E, *observation_shape]` of `observation_dtype`; actions are one array `[E]` of numbers in
        `[0, num_actions)`, of any integer type: a copy gets its action in the type of its own action space.
        `asynchronous` runs each copy in a process of its own.
      make_rendered: `() -> gymnasium.Env`, one copy with the same observations and actions that renders `rgb_array`
        frames.
      observation_shape: without a batch axis.
      observation_dtype: the environment's own, with 64 bits reduced to 32; float32 for integers beyond 32 bits.
      num_actions: actions are numbered from 0, also where the environment starts at another number.
      max_steps: the longest episode, in steps; None where the environment sets no limit.
      saves_state: whether each copy has an attribute `saved_state`, bytes with its whole state: setting it in another
        copy, also in another process, continues the episode exactly. Otherwise a run that is resumed takes all its
        actions again.
      packages: names of the packages that step the game; their versions are recorded with each run.
      code: versions of the code of the game outside of this package, gymnasium and `packages`; they determine results.
      has_masks: whether `info["action_mask"]` of each reset and step, bool `[E, num_actions]`, says which actions are
        legal; otherwise all are.
    """

    name: str
    version: int
    make_vector: Callable[..., Any]
    make_rendered: Callable[[], Any]
    observation_shape: tuple[int, ...]
    observation_dtype: Any
    num_actions: int
    max_steps: int | None
    saves_state: bool = False
    packages: tuple[str, ...] = ()
    code: CodeVersions = CodeVersions()  # immutable
    has_masks: bool = False


AnyGame = Game | HostGame


def observation_dtype(game: AnyGame) -> Any:
    """Returns the dtype of a game's observations; of a JAX game it is found without computing anything."""
    if isinstance(game, HostGame):
        return game.observation_dtype
    return jax.eval_shape(lambda: game.observe(game.reset(jax.random.key(0)))).dtype
