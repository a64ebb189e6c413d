"""Replay of one training: the steps since the last training, each with its λ-return (Gallici et al. 2025, algorithm 1).

The λ-returns are computed once, before the first batch of a training. Each batch contains all steps in random order, so
its minibatches are single steps of any environments, and a training of several batches is one of several epochs.

In a host game, a copy that resets adds fewer steps than the others. A batch then repeats some steps until it is full.
"""

from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from jaxdqn import targets
from jaxdqn.action_masks import with_mask
from jaxdqn.config_fields import configuration, number, static
from jaxdqn.interfaces import Array, Observation, Provides, Replay, Requires, Return, Sample, Step
from jaxdqn.replay import frame_ring, ring, uniform
from jaxdqn.returns import NStepReturn


class RolloutState(NamedTuple):
    """The state of the memory; T is the number of steps that fit in for each environment.

    Attributes:
      ring: the stored steps, the state of a `Ring`.
      num_waiting: int32 `[E]`, number of the newest steps that no training has learned from yet.
      num_learned: int32 `[E]`, number of the newest steps in the last training, or in the one under way.
      returns: float32 `[E, T]`, the λ-returns of these steps in order of time; entries after them mean nothing.
    """

    ring: Any
    num_waiting: Array
    num_learned: Array
    returns: Array


@configuration
class Rollout:
    """Samples all steps since the last training, in random order and with their λ-returns.

    Attributes:
      capacity: number of steps; it equals `train_every` and `batch_size`.
      lambda_: λ, weight of longer returns: 0 gives the 1-step return, 1 the return of all steps until the end of the
        episode or the newest step.
    """

    provides: ClassVar[Provides] = Provides(Return)
    requires: ClassVar[Requires] = Requires(max_n_step=1, one_training=True)  # λ already weighs longer returns

    capacity: int = static(4_096, at_least=1)
    lambda_: float = number(0.65, at_least=0, at_most=1)

    def make(
        self,
        example: Step,
        n_step: int,
        spanned_by: Callable[..., NStepReturn],
        num_minibatches: int = 1,
        frames: int = 1,
    ) -> Replay:
        """Makes the memory; the arguments are those of `Uniform.make`."""
        num_environments = example.a_tm1.shape[0]
        length, environments = self.capacity // num_environments, jnp.arange(num_environments)
        memory = frame_ring.choose(example, self.capacity, n_step, spanned_by, frames, num_kept=length)

        def init() -> RolloutState:
            none = jnp.zeros(num_environments, jnp.int32)
            return RolloutState(memory.init(), none, jnp.copy(none), jnp.zeros((num_environments, length)))

        def add(state: RolloutState, step: Step, is_valid: Array) -> RolloutState:
            return state._replace(ring=memory.add(state.ring, step, is_valid), num_waiting=state.num_waiting + is_valid)

        def before_training(state: RolloutState, value: Callable[[Observation], Array]) -> RolloutState:
            size = memory.size(state.ring)
            num_new = jnp.minimum(state.num_waiting, size)

            def one_step(place: Array) -> tuple[Array, Array, Array, Array]:
                rows = memory.rows(state.ring, memory.slots(state.ring, environments, size - num_new + place))
                parts = (rows.r_t, rows.terminated, rows.truncated, rows.cut)
                rewards, terminated, truncated, cut = (None if x is None else x[:, None] for x in parts)
                earned = jax.vmap(spanned_by)(rewards, terminated, truncated, jnp.ones_like(place), cut)
                ended = rows.terminated | rows.truncated | (place >= num_new - 1)
                if rows.cut is not None:
                    ended = ended | rows.cut
                return earned.r_t, earned.discount_t, ended, value(with_mask(rows.s_t, rows.legal_t))

            # The values of one step of all environments at a time: activations of all steps need much memory.
            places = jnp.broadcast_to(jnp.arange(length, dtype=jnp.int32)[:, None], (length, num_environments))
            returns = jax.vmap(lambda *steps: targets.q_lambda(*steps, lambda_=self.lambda_), in_axes=1)(
                *jax.lax.map(one_step, places)
            )
            return RolloutState(state.ring, jnp.zeros_like(num_new), num_new, returns)

        def sample(state: RolloutState, random_bits: Array, steps: Array, episodes: Array) -> Sample:
            del steps, episodes
            num_new, batch_size = state.num_learned, random_bits.shape[0]
            total = num_new.sum()
            environment, place = ring.numbered(num_new, uniform.all_numbers(random_bits, total, num_minibatches))
            age = (memory.size(state.ring) - num_new)[environment] + place
            slots = memory.slots(state.ring, environment, age)
            rows = memory.rows(state.ring, slots)
            weight = uniform.weights_of_distinct(batch_size, total, num_minibatches)
            s_tm1 = with_mask(rows.s_tm1, rows.legal_tm1)
            return Sample(Return(s_tm1, rows.a_tm1, state.returns[environment, place]), slots, weight)

        def update(state: RolloutState, indices: Array, priority: Array) -> RolloutState:
            del indices, priority
            return state

        def size(state: RolloutState) -> Array:
            return memory.size(state.ring)

        def cut(state: RolloutState) -> RolloutState:
            return state._replace(ring=memory.cut(state.ring))

        return Replay(init, add, sample, update, before_training, size, min_rows=1, cut=cut)
