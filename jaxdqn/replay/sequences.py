"""Replay of sequences: T consecutive steps of one environment, for recurrent networks.

A sequence can start at every stored step with T - 1 later ones. A sequence can contain the end of an episode; returns
and the memory of the network restart there.
"""

from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from jaxdqn.action_masks import with_mask
from jaxdqn.config_fields import configuration, number, part, static
from jaxdqn.interfaces import ANY, Array, Provides, Replay, Requires, Sample, Sequence, Step
from jaxdqn.replay import frame_ring, ring, sum_tree
from jaxdqn.replay.uniform import numbers
from jaxdqn.returns import NStepReturn


class SequencesState(NamedTuple):
    """The state of the memory.

    Attributes:
      ring: the stored steps, the state of a `Ring`.
      tree: for each slot of the ring, the priority (to the power of the exponent) of the sequence that starts there, 0
        if none can start there; None for uniform sampling.
      max_priority: float32 `[]`, the largest priority so far, without the exponent; 1 at the start.
    """

    ring: Any
    tree: Any  # a SumTree, or None
    max_priority: Array


@configuration
class Priorities:
    """Samples sequences in proportion to a power of their priority (Schaul et al. 2016).

    Attributes:
      exponent: α; 0 samples uniformly.
      importance: β, degree of the correction by importance sampling, in [0, 1]; weights are divided by the largest
        weight of the batch.
    """

    exponent: float = number(0.9, at_least=0)
    importance: float = number(0.6, at_least=0, at_most=1)


@configuration
class Sequences:
    """Samples sequences of consecutive steps.

    Attributes:
      capacity: number of steps, a multiple of the number of environments; when it is full, the oldest are overwritten.
        Pictures of very short episodes leave earlier (`jaxdqn.replay.frame_ring`).
      length: T, number of steps in a sequence.
      replacement: whether a batch is sampled with replacement, as in `Uniform`; sampling by priority is always with
        replacement.
      priorities: sampling by priority; None samples uniformly.
    """

    requires: ClassVar[Requires] = ANY

    capacity: int = static(10_000, at_least=1)
    length: int = static(20, at_least=1)
    replacement: bool = static(True)
    priorities: Priorities | None = part(None)

    @property
    def provides(self) -> Provides:
        """Returns what it samples."""
        return Provides(Sequence, self.length)

    def make(
        self,
        example: Step,
        n_step: int,
        spanned_by: Callable[..., NStepReturn],
        num_minibatches: int = 1,
        frames: int = 1,
    ) -> Replay:
        """Makes the memory; the arguments are those of `Uniform.make`."""
        num_environments, later = example.a_tm1.shape[0], self.length - 1
        memory = frame_ring.choose(example, self.capacity, n_step, spanned_by, frames, num_kept=self.length)
        environments = jnp.arange(num_environments)

        def init() -> SequencesState:
            tree = None if self.priorities is None else sum_tree.init(memory.num_slots)
            return SequencesState(memory.init(), tree, jnp.float32(1.0))

        def add(state: SequencesState, step: Step, is_valid: Array) -> SequencesState:
            tree, stored = state.tree, memory.add(state.ring, step, is_valid)
            if self.priorities is not None:
                # Each new step overwrites the start of one sequence and completes another.
                ended = jnp.append(memory.next_slots(state.ring, is_valid), memory.dropped_slots(state.ring, stored))
                tree = sum_tree.set(tree, ended, jnp.zeros(ended.shape))
                age = memory.size(stored) - 1 - later
                start = memory.slots(stored, environments, jnp.maximum(age, 0))
                leaves = jnp.full(is_valid.shape, state.max_priority**self.priorities.exponent)
                tree = sum_tree.set(tree, jnp.where(is_valid & (age >= 0), start, -1), leaves)
            return state._replace(ring=stored, tree=tree)

        def sample(state: SequencesState, random_bits: Array, steps: Array, episodes: Array) -> Sample:
            del steps, episodes
            num_starts = jnp.maximum(memory.size(state.ring) - later, 0)  # [E]
            if self.priorities is None:
                number, weight = numbers(random_bits, num_starts.sum(), self.replacement, num_minibatches)
                environment, age = ring.numbered(num_starts, number)
            else:
                total = sum_tree.total(state.tree)
                uniform_sample = (random_bits >> 8).astype(jnp.float32) * 2.0**-24
                slots = sum_tree.find(state.tree, jnp.zeros_like(uniform_sample), uniform_sample * total)
                environment, age = memory.located(state.ring, slots)
                probability = sum_tree.get(state.tree, slots) / total
                weight = (probability * num_starts.sum()) ** -self.priorities.importance
                weight = weight / weight.max()
            ages = age[:, None] + jnp.arange(self.length)[None]  # [B, T]
            places = memory.slots(state.ring, environment[:, None], ages)
            return Sample(_sequence(memory.rows(state.ring, places), n_step, spanned_by), places[:, 0], weight)

        def update(state: SequencesState, indices: Array, priority: Array) -> SequencesState:
            if self.priorities is None:
                return state
            tree = sum_tree.set(state.tree, indices, priority**self.priorities.exponent)
            return state._replace(tree=tree, max_priority=jnp.maximum(state.max_priority, priority.max()))

        def size(state: SequencesState) -> Array:
            return memory.size(state.ring)

        def cut(state: SequencesState) -> SequencesState:
            return state._replace(ring=memory.cut(state.ring))

        return Replay(init, add, sample, update, lambda state, value: state, size, min_rows=self.length, cut=cut)


def _sequence(rows: Step, n_step: int, spanned_by: Callable[..., NStepReturn]) -> Sequence:
    """Returns sequences of steps `[B, T]`; n-step returns stop at the end of the episode or of the sequence."""
    length = rows.a_tm1.shape[1]
    start = jnp.arange(length)
    window = jnp.minimum(start[:, None] + jnp.arange(n_step)[None], length - 1)  # [T, n]

    def spanned(rewards: Array, terminated: Array, truncated: Array, cut: Array | None) -> NStepReturn:
        cut = None if cut is None else cut[window]
        return jax.vmap(spanned_by)(rewards[window], terminated[window], truncated[window], length - start, cut)

    returns = jax.vmap(spanned)(rows.r_t, rows.terminated, rows.truncated, rows.cut)
    last = start[None] + returns.last  # [B, T]
    ended = rows.terminated | rows.truncated
    if rows.cut is not None:
        ended = ended | rows.cut
    return Sequence(
        s_tm1=with_mask(rows.s_tm1, rows.legal_tm1),
        a_tm1=rows.a_tm1,
        r_t=returns.r_t,
        discount_t=returns.discount_t,
        last=last,
        s_t=jax.vmap(lambda s_t, last: jax.tree.map(lambda x: x[last], s_t))(with_mask(rows.s_t, rows.legal_t), last),
        ended=ended,
        is_first=jnp.pad(ended[:, :-1], ((0, 0), (1, 0))),
        memory=None if rows.memory is None else rows.memory[:, 0],
    )
