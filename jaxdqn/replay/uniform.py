"""Uniform replay of transitions, with n-step returns computed at sampling time (Lin 1992; Mnih et al. 2015)."""

from collections.abc import Callable
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from jaxdqn.config_fields import configuration, static
from jaxdqn.interfaces import ANY, Array, Provides, Replay, Requires, Sample, Step
from jaxdqn.replay import frame_ring, hashing, ring
from jaxdqn.returns import NStepReturn


@configuration
class Uniform:
    """Samples all stored transitions with equal probability.

    Attributes:
      capacity: number of transitions, a multiple of the number of environments; when it is full, the oldest are
        overwritten. Pictures of very short episodes leave earlier (`jaxdqn.replay.frame_ring`). With a capacity of one
        transition for each environment, learning is online: it uses only the newest transitions.
      replacement: whether a batch is sampled with replacement. Without replacement, a memory with no more transitions
        than a batch is returned whole and repeated until the batch is full; within a minibatch, only the first of equal
        transitions counts.
    """

    provides: ClassVar[Provides] = Provides()
    requires: ClassVar[Requires] = ANY

    capacity: int = static(10_000, at_least=1)
    replacement: bool = static(True)

    def make(
        self,
        example: Step,
        n_step: int,
        spanned_by: Callable[..., NStepReturn],
        num_minibatches: int = 1,
        frames: int = 1,
    ) -> Replay:
        """Makes the memory.

        Args:
          example, n_step, spanned_by: as in `jaxdqn.replay.ring.make`.
          num_minibatches: number of consecutive minibatches that a batch is split into.
          frames: number of observations in the stacks that are sampled.
        """
        memory = frame_ring.choose(example, self.capacity, n_step, spanned_by, frames)

        def sample(state: Any, random_bits: Array, steps: Array, episodes: Array) -> Sample:
            del steps, episodes
            number, weight = numbers(random_bits, memory.size(state).sum(), self.replacement, num_minibatches)
            transition, slots = memory.read(state, *ring.numbered(memory.size(state), number))
            return Sample(transition, slots, weight)

        def update(state: Any, indices: Array, priority: Array) -> Any:
            del indices, priority
            return state

        return Replay(
            memory.init, memory.add, sample, update, lambda state, value: state, memory.size, min_rows=1, cut=memory.cut
        )


def numbers(random_bits: Array, total: Array, replacement: bool, num_minibatches: int) -> tuple[Array, Array]:
    """Samples numbers below `total`, int32 `[B]`, and their weights, float32 `[B]`.

    The weighted mean over a minibatch is the mean over its distinct numbers. Without replacement, all numbers of a
    minibatch are distinct, or it contains all numbers below `total`.

    Args:
      random_bits: uint32 `[B]`.
      total: int32 `[]`, at least 1.
      replacement: whether a number can be sampled twice.
      num_minibatches: number of consecutive parts of the batch, with B / num_minibatches numbers each.
    """
    batch_size = random_bits.shape[0]
    if replacement:
        return hashing.below(total, random_bits), jnp.ones(batch_size)
    chosen = jax.lax.cond(
        total <= batch_size,
        lambda: all_numbers(random_bits, total, num_minibatches),
        lambda: _distinct(random_bits, total),
    )
    return chosen, weights_of_distinct(batch_size, total, num_minibatches)


def all_numbers(random_bits: Array, total: Array, num_minibatches: int) -> Array:
    """Returns all numbers below `total` in random order, repeated in this order until they are B, int32 `[B]`.

    Args:
      random_bits: uint32 `[B]`.
      total: int32 `[]`, from 1 to B.
      num_minibatches: as in `numbers`. With one minibatch the numbers are in ascending order, since the order does not
        change the mean.
    """
    in_order = jnp.arange(random_bits.shape[0], dtype=jnp.int32)
    if num_minibatches == 1:
        return in_order % total
    order = jnp.argsort(jnp.where(in_order < total, random_bits, jnp.uint32(0xFFFFFFFF)))  # stable
    return order[in_order % total].astype(jnp.int32)


def weights_of_distinct(batch_size: int, total: Array, num_minibatches: int) -> Array:
    """Returns the weights of a batch without replacement, float32 `[B]`: equal for the first `total` of a minibatch.

    A whole memory repeats after `total` numbers, so the first `total` numbers of a minibatch are distinct. The others
    have weight 0, and the mean weight of a minibatch is 1.
    """
    size = batch_size // num_minibatches
    return (jnp.arange(batch_size, dtype=jnp.int32) % size < total) * (size / jnp.minimum(total, size))


def _distinct(random_bits: Array, total: Array) -> Array:
    """Samples B distinct numbers below `total` if it is above B; every set of numbers has the same probability.

    A number that equals an earlier one is sampled again until all are distinct. This rule does not depend on the values
    of the numbers, so all sets are equally likely. If `total` is not above B, the loop ends at once: under `vmap`, this
    function also runs for members that do not need it.
    """

    def is_repeated(numbers: Array) -> Array:
        return jnp.tril(numbers[:, None] == numbers[None], k=-1).any(axis=1)

    def resample(carry: tuple[Array, Array]) -> tuple[Array, Array]:
        numbers, words = carry
        words = hashing.mixed(words)
        return jnp.where(is_repeated(numbers), hashing.below(total, words), numbers), words

    start = hashing.below(total, random_bits), random_bits
    is_possible = total > random_bits.shape[0]
    return jax.lax.while_loop(lambda carry: is_possible & is_repeated(carry[0]).any(), resample, start)[0]
