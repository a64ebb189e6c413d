"""Proportional prioritised replay (Schaul et al. 2016, *Prioritized Experience Replay*, section 3.3 and appendix B.2).

With priorities p, exponents α and β, and N stored transitions, transition i is sampled with probability

    P(i) = (1 - mix) · p_i^α / Σ p_k^α + mix / N                     (equation 1; `mix` is from DQN Zoo)

and its loss is multiplied by `w_i = (N · P(i))^-β / max_j w_j`, with the maximum over the batch (section 3.4).

Implementations differ in these points. This one works as follows:

- The maximum of the weights is over the batch, as in DQN Zoo and Dopamine. The paper does not define its range; OpenAI
  baselines use the smallest probability in memory. So a transition's weight depends on the rest of its batch: one
  transition of small probability, such as the uniform part samples at times, scales down all other weights. Optimizers
  that normalise the gradient undo part of this.
- New transitions get the largest priority seen since the start, even if the transition with this priority is gone.
- No constant is added to the priorities; the paper adds a small one to the absolute error. So only the uniform part can
  sample a transition of priority 0. With α = 0, however, all transitions are equally likely: 0^0 is 1 for stored
  transitions. Empty slots are never sampled.
- If all priorities are 0, all transitions are equally likely.
- Batches are stratified (appendix B.2.1): the unit interval is split into B equal ranges, with one sample from each.
  Ranges are in the order of slots. They are spread over the batch, so that each minibatch covers the whole memory.
- A sample has a resolution of 2^-24 of its range: with 128 ranges, one of a million equal priorities has 2,000 values.
"""

from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxdqn.config_fields import configuration, number, part, static
from jaxdqn.interfaces import ANY, Array, Provides, Replay, Requires, Sample, Step
from jaxdqn.replay import frame_ring, hashing, ring, sum_tree
from jaxdqn.replay.sum_tree import SumTree
from jaxdqn.returns import NStepReturn
from jaxdqn.schedules import Linear, Schedule

GOLDEN_RATIO = (1 + 5**0.5) / 2


class PrioritisedState(NamedTuple):
    """The state of the memory.

    Attributes:
      ring: the stored transitions, the state of a `Ring`.
      tree: priorities to the power of the exponent, with one leaf for each slot of the ring.
      max_priority: float32 `[]`, the largest priority so far, without the exponent; 1 at the start.
    """

    ring: Any
    tree: SumTree
    max_priority: Array


@configuration
class Prioritised:
    """Samples transitions in proportion to a power of their priority, which the algorithm's loss returns.

    Attributes:
      capacity: number of transitions, a multiple of the number of environments; when it is full, the oldest are
        overwritten. Pictures of very short episodes leave earlier (`jaxdqn.replay.frame_ring`).
      exponent: α; 0 samples uniformly, 1 in proportion to the priority.
      importance: β, degree of the correction by importance sampling, in [0, 1]; 1 corrects the bias fully. The paper
        increases it linearly over the whole run, so the steps of the schedule should equal the steps of the run.
      uniform_mix: probability with which a sample is uniform over all transitions, so that none is never sampled.
    """

    provides: ClassVar[Provides] = Provides()
    requires: ClassVar[Requires] = ANY

    capacity: int = static(10_000, at_least=1)
    exponent: float = number(0.6, at_least=0)
    importance: Schedule = part(Linear(0.4, 1.0, 100_000))
    uniform_mix: float = number(1e-3, at_least=0, at_most=1)

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
          num_minibatches: has no effect, because strata are spread over the batch.
          frames: number of observations in the stacks that are sampled.
        """
        del num_minibatches
        memory = frame_ring.choose(example, self.capacity, n_step, spanned_by, frames)
        num_environments = example.a_tm1.shape[0]

        def init() -> PrioritisedState:
            return PrioritisedState(memory.init(), sum_tree.init(memory.num_slots), jnp.float32(1.0))

        def add(state: PrioritisedState, step: Step, is_valid: Array) -> PrioritisedState:
            stored = memory.add(state.ring, step, is_valid)
            slots = jnp.append(memory.next_slots(state.ring, is_valid), memory.dropped_slots(state.ring, stored))
            leaves = jnp.where(jnp.arange(slots.size) < num_environments, state.max_priority**self.exponent, 0.0)
            return state._replace(ring=stored, tree=sum_tree.set(state.tree, slots, leaves))

        def sample(state: PrioritisedState, random_bits: Array, steps: Array, episodes: Array) -> Sample:
            num_stored = memory.size(state.ring).sum()
            total = sum_tree.total(state.tree)
            mix = jnp.where(total > 0, self.uniform_mix, 1.0)
            is_uniform, start, offset = _strata(random_bits, mix, total)
            uniform = ring.numbered(memory.size(state.ring), hashing.below(num_stored, hashing.mixed(random_bits)))
            by_priority = memory.located(state.ring, sum_tree.find(state.tree, start, offset))
            environment, age = (jnp.where(is_uniform, *both) for both in zip(uniform, by_priority, strict=True))
            transition, slots = memory.read(state.ring, environment, age)
            leaf = sum_tree.get(state.tree, slots)
            weight = ((1 - mix) * leaf / jnp.where(total > 0, total, 1.0) * num_stored + mix) ** -self.importance(
                steps, episodes
            )
            # No leaf is negative. The condition makes the slots depend on the leaves, so that the leaves are read
            # before the tree is updated; otherwise the compiler copies the whole tree.
            return Sample(transition, jnp.where(leaf < 0, -1, slots), weight / weight.max())

        def update(state: PrioritisedState, indices: Array, priority: Array) -> PrioritisedState:
            tree = sum_tree.set(state.tree, indices, priority**self.exponent)
            return state._replace(tree=tree, max_priority=jnp.maximum(state.max_priority, priority.max()))

        def size(state: PrioritisedState) -> Array:
            return memory.size(state.ring)

        def cut(state: PrioritisedState) -> PrioritisedState:
            return state._replace(ring=memory.cut(state.ring))

        return Replay(init, add, sample, update, lambda state, value: state, size, min_rows=1, cut=cut)


def _strata(random_bits: Array, mix: Array, total: Array) -> tuple[Array, Array, Array]:
    """Takes one sample from each of B equal ranges of the unit interval, whose first part, `mix`, is uniform.

    Args:
      random_bits: uint32 `[B]`.
      mix: float32 `[]`, length of the uniform part.
      total: float32 `[]`, length to which the rest of the interval is scaled.

    Returns:
      is_uniform: bool `[B]`, whether the sample is in the uniform part.
      start, offset: float32 `[B]`, not negative; their sum is the sample in `[0, total]` where it is not uniform.
    """
    batch_size = random_bits.shape[0]
    # The fractional parts of multiples of the golden ratio are evenly spread for every batch size.
    order = np.argsort(np.argsort(np.arange(batch_size) * GOLDEN_RATIO % 1)).astype(np.float32)
    uniform_sample = (random_bits >> 8).astype(jnp.float32) * 2.0**-24  # [0, 1)
    uniform_part = mix * batch_size - order  # share of this range that is uniform; all of it if above 1
    width = total / jnp.where(mix < 1, (1 - mix) * batch_size, 1.0)
    start = jnp.maximum(-uniform_part, 0.0) * width
    offset = jnp.maximum(uniform_sample - jnp.maximum(uniform_part, 0.0), 0.0) * width
    return uniform_sample < uniform_part, start, offset
