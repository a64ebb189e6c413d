"""Uniform replay of whole transitions, with n-step returns computed when sampling (Lin 1992; Mnih et al. 2015)."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxdqn.configuration import configuration, static
from jaxdqn.interfaces import Array, Replay, Sample, Step
from jaxdqn.replay import bits, ring
from jaxdqn.replay.ring import RingState
from jaxdqn.returns import NStepReturn


@configuration
class Uniform:
    """Every stored transition is as likely as any other.

    Attributes:
      capacity: in transitions; the oldest make room. A multiple of the number of environments. With a capacity of one
        transition an environment, learning is online: from what was just seen, and nothing else.
      replacement: whether one transition can be drawn twice for a batch. If not, a memory that holds fewer transitions
        than a batch is drawn whole.
    """

    capacity: int = static(10_000, at_least=1)
    replacement: bool = static(True)

    def make(self, example: Step, n_step: int, spanned_by: Callable[..., NStepReturn]) -> Replay:
        """Returns the memory as functions; arguments are those of `jaxdqn.replay.ring.make`."""
        memory = ring.make(example, self.capacity, n_step, spanned_by)

        def sample(state: RingState, random_bits: Array, steps: Array, episodes: Array) -> Sample:
            del steps, episodes
            number, weight = numbers(random_bits, memory.size(state).sum(), self.replacement)
            transition, slots = memory.read(state, *ring.numbered(memory.size(state), number))
            return Sample(transition, slots, weight)

        def update(state: RingState, indices: Array, priority: Array) -> RingState:
            del indices, priority
            return state

        return Replay(memory.init, memory.add, sample, update)


def numbers(random_bits: Array, total: Array, replacement: bool) -> tuple[Array, Array]:
    """Returns numbers below `total`, int32 `[B]`, and the weights that make their mean that of the batch."""
    batch_size = random_bits.shape[0]
    if replacement:
        return bits.below(total, random_bits), jnp.ones(batch_size)
    in_order = jnp.arange(batch_size, dtype=jnp.int32)
    is_whole = total <= batch_size
    chosen = jax.lax.cond(is_whole, lambda: in_order % total, lambda: _distinct(random_bits, total))
    return chosen, jnp.where(is_whole, (in_order < total) * (batch_size / total), 1.0)


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
