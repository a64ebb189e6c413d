"""Uniform replay of whole transitions, with n-step returns computed when sampling (Lin 1992; Mnih et al. 2015)."""

from collections.abc import Callable
from typing import ClassVar

import jax
import jax.numpy as jnp

from jaxdqn.fields import configuration, static
from jaxdqn.interfaces import ANY, Array, Provides, Replay, Requires, Sample, Step
from jaxdqn.replay import bits, ring
from jaxdqn.replay.ring import RingState
from jaxdqn.returns import NStepReturn


@configuration
class Uniform:
    """Every stored transition is as likely as any other.

    Attributes:
      capacity: in transitions; the oldest make room. A multiple of the number of environments. With a capacity of one
        transition an environment, learning is online: from what was just seen, and nothing else.
      replacement: whether one transition can be drawn twice for a batch. If not, a memory that holds no more
        transitions than a batch is drawn whole, again and again until the batch is full; within a minibatch only the
        first of equal transitions counts.
    """

    provides: ClassVar[Provides] = Provides()
    requires: ClassVar[Requires] = ANY

    capacity: int = static(10_000, at_least=1)
    replacement: bool = static(True)

    def make(
        self, example: Step, n_step: int, spanned_by: Callable[..., NStepReturn], num_minibatches: int = 1
    ) -> Replay:
        """Returns the memory as functions.

        Args:
          example, n_step, spanned_by: as in `jaxdqn.replay.ring.make`.
          num_minibatches: pieces in which a batch is learned from, in order.
        """
        memory = ring.make(example, self.capacity, n_step, spanned_by)

        def sample(state: RingState, random_bits: Array, steps: Array, episodes: Array) -> Sample:
            del steps, episodes
            number, weight = numbers(random_bits, memory.size(state).sum(), self.replacement, num_minibatches)
            transition, slots = memory.read(state, *ring.numbered(memory.size(state), number))
            return Sample(transition, slots, weight)

        def update(state: RingState, indices: Array, priority: Array) -> RingState:
            del indices, priority
            return state

        return Replay(memory.init, memory.add, sample, update, lambda state: state, memory.size, min_rows=1)


def numbers(random_bits: Array, total: Array, replacement: bool, num_minibatches: int) -> tuple[Array, Array]:
    """Returns numbers below `total`, int32 `[B]`, and their weights, float32 `[B]`.

    With weights, the mean over a minibatch is that of its different numbers. Without replacement these are as many as
    can be: all of a minibatch, or all numbers below `total`.

    Args:
      random_bits: uint32 `[B]`.
      total: int32 `[]`, at least 1.
      replacement: whether a number can be drawn twice.
      num_minibatches: consecutive pieces of the batch, of B / num_minibatches numbers each.
    """
    batch_size = random_bits.shape[0]
    if replacement:
        return bits.below(total, random_bits), jnp.ones(batch_size)
    in_order = jnp.arange(batch_size, dtype=jnp.int32)

    def whole() -> Array:
        if num_minibatches == 1:  # the order inside one mean does not matter
            return in_order % total
        order = jnp.argsort(jnp.where(in_order < total, random_bits, jnp.uint32(0xFFFFFFFF)))  # stable
        return order[in_order % total].astype(jnp.int32)

    chosen = jax.lax.cond(total <= batch_size, whole, lambda: _distinct(random_bits, total))
    size = batch_size // num_minibatches
    # A memory that is drawn whole repeats itself after `total` numbers, so the first of a minibatch are different.
    return chosen, (in_order % size < total) * (size / jnp.minimum(total, size))


def _distinct(random_bits: Array, total: Array) -> Array:
    """Returns B numbers below `total`, all different if it is above B, every set of them equally likely.

    Numbers that an earlier one equals are drawn again until there are none. Nothing in this depends on what the
    numbers are, so no set is favoured. Where `total` is too small there is nothing to wait for: runs side by side
    compute this also for those of them that do not need it.
    """

    def is_repeated(numbers: Array) -> Array:
        return jnp.tril(numbers[:, None] == numbers[None], k=-1).any(axis=1)

    def again(carry: tuple[Array, Array]) -> tuple[Array, Array]:
        numbers, words = carry
        words = bits.mixed(words)
        return jnp.where(is_repeated(numbers), bits.below(total, words), numbers), words

    start = bits.below(total, random_bits), random_bits
    is_possible = total > random_bits.shape[0]
    return jax.lax.while_loop(lambda carry: is_possible & is_repeated(carry[0]).any(), again, start)[0]
