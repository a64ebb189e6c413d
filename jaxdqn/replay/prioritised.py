"""Proportional prioritised replay (Schaul et al. 2016, *Prioritized Experience Replay*, section 3.3 and appendix B.2).

With priorities p, exponents α and β, and N transitions stored, transition i is drawn with probability

    P(i) = (1 - mix) · p_i^α / Σ p_k^α + mix / N                     (equation 1; the mix is DQN Zoo's)

and its loss is multiplied by `w_i = (N · P(i))^-β / max_j w_j`, with the maximum over the batch (section 3.4).

What differs between implementations, and what is done here:

- The maximum is over the batch, as in DQN Zoo and Dopamine; the paper leaves open over what, OpenAI's baselines take
  the smallest probability in memory. So a transition's weight depends on which others were drawn with it: a single one
  of small probability, such as the uniform part draws now and then, scales all others of its batch down. Optimizers
  that divide by the size of the gradient undo some of that.
- New transitions have the largest priority seen since the start, also if the transition that had it is gone.
- Nothing is added to a priority, where the paper adds a small constant to the size of the error: a transition of
  priority 0 can be drawn by the uniform part only. But with α = 0 all are equally likely: 0^0 is 1 for what is stored.
  Slots that hold nothing have no part in anything.
- Where all priorities are 0, all transitions are equally likely.
- A batch is stratified (appendix B.2.1): the unit interval is cut into B equal ranges with one draw in each. Ranges are
  in the order of slots, so they are spread over the batch, and each of its minibatches sees all of the memory.
- A draw resolves 2^-24 of its range: with 128 ranges, one of a million equal priorities has 2,000 values.
"""

from collections.abc import Callable
from typing import ClassVar, NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxdqn.fields import configuration, number, part, static
from jaxdqn.interfaces import ANY, Array, Provides, Replay, Requires, Sample, Step
from jaxdqn.replay import bits, ring, sum_tree
from jaxdqn.replay.ring import RingState
from jaxdqn.replay.sum_tree import SumTree
from jaxdqn.returns import NStepReturn
from jaxdqn.schedules import Linear, Schedule

GOLDEN_RATIO = (1 + 5**0.5) / 2


class PrioritisedState(NamedTuple):
    """The memory.

    Attributes:
      ring: what is stored.
      tree: priorities to the power of the exponent, a leaf for each slot of the ring.
      max_priority: float32 `[]`, the largest priority so far, without the exponent; 1 at the start.
    """

    ring: RingState
    tree: SumTree
    max_priority: Array


@configuration
class Prioritised:
    """Transitions are drawn in proportion to a power of their priority, which is an algorithm's to say.

    Attributes:
      capacity: in transitions; the oldest make room. A multiple of the number of environments.
      exponent: alpha; 0 draws uniformly, 1 in proportion to the priority.
      importance: beta, how much of the bias that this brings is taken back: 1 for all of it. The paper goes there in a
        straight line over the whole run, so its steps should be those of the run.
      uniform_mix: share of the draws for which all transitions are equally likely, so that none is forgotten.
    """

    provides: ClassVar[Provides] = Provides()
    requires: ClassVar[Requires] = ANY

    capacity: int = static(10_000, at_least=1)
    exponent: float = number(0.6, at_least=0)
    importance: Schedule = part(Linear(0.4, 1.0, 100_000))
    uniform_mix: float = number(1e-3, at_least=0, at_most=1)

    def make(
        self, example: Step, n_step: int, spanned_by: Callable[..., NStepReturn], num_minibatches: int = 1
    ) -> Replay:
        """Returns the memory as functions.

        Args:
          example, n_step, spanned_by: as in `jaxdqn.replay.ring.make`.
          num_minibatches: has no effect: strata are spread over the batch.
        """
        del num_minibatches
        memory = ring.make(example, self.capacity, n_step, spanned_by)

        def init() -> PrioritisedState:
            return PrioritisedState(memory.init(), sum_tree.init(memory.num_slots), jnp.float32(1.0))

        def add(state: PrioritisedState, step: Step, is_valid: Array) -> PrioritisedState:
            leaves = jnp.full(is_valid.shape, state.max_priority**self.exponent)
            tree = sum_tree.set(state.tree, memory.next_slots(state.ring, is_valid), leaves)
            return state._replace(ring=memory.add(state.ring, step, is_valid), tree=tree)

        def sample(state: PrioritisedState, random_bits: Array, steps: Array, episodes: Array) -> Sample:
            num_stored = memory.size(state.ring).sum()
            total = sum_tree.total(state.tree)
            mix = jnp.where(total > 0, self.uniform_mix, 1.0)
            is_uniform, start, offset = _strata(random_bits, mix, total)
            anywhere = ring.numbered(memory.size(state.ring), bits.below(num_stored, bits.mixed(random_bits)))
            by_priority = memory.located(state.ring, sum_tree.find(state.tree, start, offset))
            environment, age = (jnp.where(is_uniform, *both) for both in zip(anywhere, by_priority, strict=True))
            transition, slots = memory.read(state.ring, environment, age)
            leaf = sum_tree.get(state.tree, slots)
            weight = ((1 - mix) * leaf / jnp.where(total > 0, total, 1.0) * num_stored + mix) ** -self.importance(
                steps, episodes
            )
            # No leaf is negative, but so the slots are not known before the leaves are read. Else an update could come
            # before the reading, for which the compiler copies the whole tree.
            return Sample(transition, jnp.where(leaf < 0, -1, slots), weight / weight.max())

        def update(state: PrioritisedState, indices: Array, priority: Array) -> PrioritisedState:
            tree = sum_tree.set(state.tree, indices, priority**self.exponent)
            return state._replace(tree=tree, max_priority=jnp.maximum(state.max_priority, priority.max()))

        def size(state: PrioritisedState) -> Array:
            return memory.size(state.ring)

        return Replay(init, add, sample, update, lambda state: state, size, min_rows=1)


def _strata(random_bits: Array, mix: Array, total: Array) -> tuple[Array, Array, Array]:
    """Returns one draw from each of B equal ranges of the unit interval, whose first part, `mix`, is uniform.

    Args:
      random_bits: uint32 `[B]`.
      mix: float32 `[]`.
      total: float32 `[]`, what the rest of the interval is stretched to.

    Returns:
      is_uniform: bool `[B]`, whether the draw lies in the first part.
      start, offset: float32 `[B]`, not negative, which add up to the draw in `[0, total]` where it does not.
    """
    batch_size = random_bits.shape[0]
    # Multiples of the golden ratio, less their whole parts, spread out evenly, however many one takes.
    order = np.argsort(np.argsort(np.arange(batch_size) * GOLDEN_RATIO % 1)).astype(np.float32)
    draw = (random_bits >> 8).astype(jnp.float32) * 2.0**-24  # [0, 1)
    uniform_part = mix * batch_size - order  # of this range; above 1 all of it
    width = total / jnp.where(mix < 1, (1 - mix) * batch_size, 1.0)
    start = jnp.maximum(-uniform_part, 0.0) * width
    offset = jnp.maximum(draw - jnp.maximum(uniform_part, 0.0), 0.0) * width
    return draw < uniform_part, start, offset
