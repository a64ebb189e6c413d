"""The records and callable types that the parts agree on.

Suffix `_tm1` is before a step of the game, `_t` after it. Leading axes: `B` a batch of transitions,
`E` environments that run side by side. `A` is the number of actions.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from jaxdqn.outputs import NetworkOutput

Array = jax.Array
Number = jax.Array | float  # of a configuration: traced in a compiled program, plain outside
Key = jax.Array  # a typed key, as `jax.random.key` makes it
Parameters = Any  # the pytree of a network's parameters


def nothing_stored(memory: Any) -> None:
    """Returns None: replay stores no part of the memory of a network that is not recurrent."""
    del memory


class Network(NamedTuple):
    """A network as pure functions. Without a key its weights have no noise and nothing in it is random.

    Where a function takes a key, it also takes the noise that `noise` returned for that key, drawn ahead of time
    (`jaxdqn.noise` says why).

    Attributes:
      init: `key -> parameters`.
      noise: `key -> noise`, all random numbers of one pass; an empty pytree if there are none. It needs neither
        parameters nor observations.
      apply: `(parameters, observation [..., *observation_shape], key=None) -> output with q_values [..., A]`. A
        recurrent network takes each observation for the first of an episode.
      output: the record that `apply` returns.
      memory: at the start of an episode, without a batch axis; `()` if the network remembers nothing.
      step: `(parameters, observation [E, ...], memory [E, ...], key=None) -> (output, memory)`, for acting.
      unroll: `(parameters, observations [B, T, ...], memory [B, M], is_first bool [B, T], key=None) -> (output,
        memory [B, T, M])` with the memory after each observation, reset where an episode starts. None if the network
        is not recurrent.
      unroll_step: `(parameters, observation [..., *observation_shape], memory [..., M], key=None) -> (output, memory
        [..., M])`, one step of `unroll`. None if the network is not recurrent.
      stored_memory: `memory -> float32 [..., M]`, the part of the memory that replay stores, and from which `unroll`
        starts; None if the network is not recurrent.
      frames: k, number of observations that learning sees at once: `apply`, `unroll` and `unroll_step` take the last k
        observations of the episode stacked along their last axis, oldest first. `step` takes single observations, and
        remembers the earlier ones.
    """

    init: Callable[[Key], Parameters]
    noise: Callable[[Key], Any]
    apply: Callable[..., Any]
    output: type
    memory: Any
    step: Callable[..., tuple[Any, Any]]
    unroll: Callable[..., tuple[Any, Any]] | None
    unroll_step: Callable[..., tuple[Any, Any]] | None = None
    stored_memory: Callable[[Any], Any] = nothing_stored
    frames: int = 1


def no_noise(key: Key) -> None:
    """Returns None, the noise of a network that is not random."""
    del key


def feed_forward(
    init: Callable[[Key], Parameters],
    apply: Callable[..., Any],
    output: type = NetworkOutput,
    noise: Callable[[Key], Any] = no_noise,
) -> Network:
    """Returns a network that remembers nothing."""

    def step(parameters: Parameters, observation: Array, memory: Any, key: Any = None) -> tuple[Any, Any]:
        return apply(parameters, observation, key), memory

    return Network(init, noise, apply, output, (), step, None)


class MaskedObservation(NamedTuple):
    """An observation with its action mask, `legal`, bool `[..., A]`: the actions that can be taken."""

    observation: Array
    legal: Array


Observation = Any  # an array; a MaskedObservation in games where some actions can be illegal


class Step(NamedTuple):
    """One step of `E` environments, as replay stores it. Fields have a leading axis `[E]`.

    Attributes:
      s_tm1, a_tm1, r_t, terminated, truncated, s_t: as in `TimeStep` and `Transition`.
      memory: float32 `[E, M]`, what the network that acted remembered before `s_tm1`, without the last frames; None if
        it is not recurrent.
      cut: bool `[E]`, whether the episode was cut after this step because a resumed run could not continue it. The step
        itself is an ordinary one; no return and no sequence of one episode spans its end. None where the game cannot be
        cut.
      legal_tm1, legal_t: bool `[E, A]`, the legal actions in `s_tm1` and `s_t`; None where all actions are legal. No
        action need be legal in the `s_t` of a step that terminated.
    """

    s_tm1: Array
    a_tm1: Array
    r_t: Array
    terminated: Array
    truncated: Array
    s_t: Array
    memory: Array | None = None
    cut: Array | None = None
    legal_tm1: Array | None = None
    legal_t: Array | None = None


class Transition(NamedTuple):
    """The data that one target is computed from, `[B]` of them when sampled.

    Attributes:
      s_tm1: observation before the action.
      a_tm1: int32, the action.
      r_t: float32, the discounted sum of the rewards of the k <= n steps taken.
      discount_t: float32, how much the value of `s_t` counts: gamma^k, and 0 only where the game *terminated*.
      s_t: observation after the k steps, before any reset.
    """

    s_tm1: Observation
    a_tm1: Array
    r_t: Array
    discount_t: Array
    s_t: Observation


class Sequence(NamedTuple):
    """Steps in a row out of one environment, `[B, T]` of them when sampled; episodes may end among them.

    Attributes:
      s_tm1: `[B, T, ...]`, observations before the actions.
      a_tm1: int32 `[B, T]`.
      r_t: float32 `[B, T]`, the discounted sum of the rewards of the k <= n steps from here on, as in `Transition`;
        k also ends with the sequence.
      discount_t: float32 `[B, T]`, gamma^k, and 0 where the game terminated.
      last: int32 `[B, T]`, the place in the sequence of the last of these k steps.
      s_t: `[B, T, ...]`, observations after the k steps, before any reset.
      ended: bool `[B, T]`, whether the single step was the last of its episode, or the episode was cut after it.
      is_first: bool `[B, T]`, whether the episode of the step before was another one; off at the first step.
      memory: float32 `[B, M]`, what the network remembered before the first `s_tm1`; None if nothing.
    """

    s_tm1: Observation
    a_tm1: Array
    r_t: Array
    discount_t: Array
    last: Array
    s_t: Observation
    ended: Array
    is_first: Array
    memory: Array | None


class Return(NamedTuple):
    """A step and the return that its action value is trained towards, `[B]` of them when sampled.

    Attributes:
      s_tm1: observation before the action.
      a_tm1: int32, the action.
      return_t: float32, the return that starts with the reward of this step.
    """

    s_tm1: Observation
    a_tm1: Array
    return_t: Array


class Sample(NamedTuple):
    """A batch from replay: the transitions, where they lie (int32 `[B]`), and their importance weights `[B]`."""

    transition: Any  # a Transition, a Sequence or a Return, as `Provides.sample` of the replay states
    indices: Array
    weight: Array


class Replay(NamedTuple):
    """A replay memory as pure functions of its state, which lives on the device.

    Attributes:
      init: `() -> state`.
      add: `(state, Step [E], is_valid bool [E]) -> state`; what is not valid is not stored.
      sample: `(state, random_bits uint32 [B], steps [], episodes []) -> Sample`. Bits come from outside, because one
        draw for many batches costs a small part of a draw inside a loop. The counts are those of a schedule.
      update: `(state, indices [B], priority [B]) -> state`, of what `sample` gave, before anything is added.
      before_training: `(state, value) -> state`, once before the batches of a training. `value` maps observations
        `[E, ...]` to their largest action values by the target network, float32 `[E]`.
      size: `state -> int32 [E]`, steps stored of each environment.
      min_rows: `sample` must not be called before an environment has stored this number of steps.
      cut: `state -> state`, marks the newest step of each environment as the last before a cut (`Step.cut`).
    """

    init: Callable[[], Any]
    add: Callable[[Any, Step, Array], Any]
    sample: Callable[[Any, Array, Array, Array], Sample]
    update: Callable[[Any, Array, Array], Any]
    before_training: Callable[[Any, Callable[[Observation], Array]], Any]
    size: Callable[[Any], Array]
    min_rows: int
    cut: Callable[[Any], Any]


class LossOutput(NamedTuple):
    """A loss for each example of a batch, float32 `[B]` each.

    Attributes:
      loss: before importance weights; the learner differentiates its weighted mean.
      priority: how often replay should sample the example again, not negative.
      metrics: by name, such as `td_error`. Each becomes a curve of that name: the mean over the batch, every example
        counting once, and then over the updates of an evaluation period. The algorithm returns `|δ|` where the size of
        the TD error is meant. No metric has the name of another curve (`jaxdqn.training.curves.FIXED`).
    """

    loss: Array
    priority: Array
    metrics: dict[str, Array]


class Requires(NamedTuple):
    """The requirements of one part on the other parts; `training.check_config` enforces them. None requires nothing.

    Attributes:
      output: the record that the network must return; `NetworkOutput` accepts any network.
      recurrent: whether the network must have a memory (True) or must have none (False).
      sample: what replay must sample, `Transition`, `Sequence` or `Return`.
      min_length: steps that a sample must have at least.
      target_copies: whether the target parameters must be several copies along a leading axis (True) or one (False).
      max_n_step: the largest n of n-step returns.
      one_training: whether replay must hold the steps of one training and no more, and each batch all of them.
      passes: of an algorithm, the number of passes through a network in its loss, if the noise of the passes is to be
        drawn ahead; the loss then splits its key with `noise.split`. None: the loss is given a key of its own.
    """

    output: type = NetworkOutput
    recurrent: bool | None = None
    sample: type | None = None
    min_length: int = 1
    target_copies: bool | None = None
    max_n_step: int | None = None
    one_training: bool = False
    passes: int | None = None


ANY = Requires()
# Most algorithms: single transitions, one target network, and no memory, which a loss would have to unroll.
TRANSITIONS = Requires(recurrent=False, sample=Transition, target_copies=False)


class Provides(NamedTuple):
    """The samples of a replay: the record, `Transition`, `Sequence` or `Return`, and the steps in each sample."""

    sample: type = Transition
    length: int = 1


class LearnerState(NamedTuple):
    """The state of learning between updates.

    Attributes:
      parameters: online parameters, which act and learn.
      target_parameters: of the target network.
      optimizer_state: as optax has it.
      num_updates: int32 `[]`, gradient steps so far.
    """

    parameters: Parameters
    target_parameters: Parameters
    optimizer_state: Any
    num_updates: Array
