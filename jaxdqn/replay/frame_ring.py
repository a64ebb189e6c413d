"""A ring that stores each observation once, for pictures and for networks that see stacked frames.

A whole transition holds two observations, and a stack of k frames k pictures: 2k copies of each picture. This ring has
the functions of `jaxdqn.replay.ring`, but it stores single frames and rebuilds stacks when it samples. Each environment
has a second ring for its frames. A step writes one frame, the one after it, and the first step of an episode also the
one before it. So the frames of an episode lie in a row, and the final observation of a truncated episode is among them.

The ring for frames has room for one more frame in 16 steps, or 256 more if that is more. If episodes are shorter than
that, frames are overwritten while a step still needs them. Such a step *drops out*: it leaves the memory before its
slot is written again, so the memory holds fewer steps than its capacity, at the worst about half of them.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxdqn.action_masks import with_mask
from jaxdqn.interfaces import Array, Step, Transition
from jaxdqn.replay import ring
from jaxdqn.replay.ring import Ring, RingState
from jaxdqn.returns import NStepReturn

_MARGIN = 2  # frames that one step can write
_STEPS_OF_A_FRAME = 16  # steps for which there is room for one more frame
_LEAST_SPARE = 256  # more frames than steps that each environment has room for, if it has that many steps


class FrameRingState(NamedTuple):
    """The stored steps and frames. F is the number of frames of each environment that fit in.

    Attributes:
      steps: the steps without their observations.
      frames: `[F, E, width]`, flattened frames; of booleans, eight in a byte.
      newest: int32 `[T, E]`, for each stored step the place in `[0, F)` of the frame before its action.
      num_earlier: uint8 `[T, E]`, number of frames of the same episode before that one, at most k - 1.
      oldest: int32 `[E]`, number of rows that have left; row `oldest` mod T is the oldest stored step.
      head: int32 `[E]`, place of the next frame.
      num_played: int32 `[E]`, steps of the episode under way, at most k - 1; -1 before its first step.
    """

    steps: RingState
    frames: Array
    newest: Array
    num_earlier: Array
    oldest: Array
    head: Array
    num_played: Array

    @property
    def added(self) -> Array:
        """Number of rows added so far, int32 `[E]`."""
        return self.steps.added


def choose(
    example: Step,
    capacity: int,
    n_step: int,
    spanned_by: Callable[..., NStepReturn],
    frames: int,
    num_kept: int = 1,
) -> Ring:
    """Returns a ring of whole transitions for vectors, and one that stores each frame once for pictures and stacks.

    Args:
      example, capacity, n_step, spanned_by: as in `jaxdqn.replay.ring.make`; observations are single frames.
      frames: k, number of frames in a stack that is read.
      num_kept: number of newest steps of each environment that must never drop out.
    """
    is_picture = example.s_t.ndim == 4  # [E, height, width, channels]
    if frames == 1 and not is_picture:
        return ring.make(example, capacity, n_step, spanned_by)
    return make(example, capacity, n_step, spanned_by, frames, num_kept)


def make(
    example: Step,
    capacity: int,
    n_step: int,
    spanned_by: Callable[..., NStepReturn],
    frames: int,
    num_kept: int = 1,
) -> Ring:
    """Makes a ring that stores each frame once; the arguments are those of `choose`."""
    shape, dtype = example.s_t.shape[1:], jnp.dtype(example.s_t.dtype)
    num_environments, frame_size, is_bool = example.a_tm1.shape[0], math.prod(shape), dtype == jnp.dtype(bool)
    num_rows = capacity // num_environments
    # As many episodes can start among the stored steps before one drops out.
    num_spare = max(num_rows // _STEPS_OF_A_FRAME, min(num_rows, _LEAST_SPARE), 2 * num_kept - num_rows)
    num_frames = num_rows + num_spare + frames + _MARGIN
    environments = jnp.arange(num_environments)
    none = jnp.zeros((num_environments, 0))
    steps = ring.make(example._replace(s_tm1=none, s_t=none), capacity, n_step, spanned_by)

    def encoded(observation: Array) -> Array:
        flat = observation.reshape(num_environments, frame_size)
        return jnp.packbits(flat, axis=-1) if is_bool else flat

    def init() -> FrameRingState:
        empty = jax.eval_shape(encoded, example.s_t)
        counts = jnp.zeros(num_environments, jnp.int32)
        return FrameRingState(
            steps=steps.init(),
            frames=jnp.zeros((num_frames, *empty.shape), empty.dtype),
            newest=jnp.zeros((num_rows, num_environments), jnp.int32),
            num_earlier=jnp.zeros((num_rows, num_environments), jnp.uint8),
            oldest=counts,
            head=jnp.copy(counts),
            num_played=jnp.full(num_environments, -1, jnp.int32),
        )

    def add(state: FrameRingState, step: Step, is_valid: Array) -> FrameRingState:
        def written(rows: Array, place: Array, values: Array, condition: Array) -> Array:
            place = jnp.where(condition, place, rows.shape[0])  # this place does not exist and is dropped
            return rows.at[place, environments].set(values, mode="drop", unique_indices=True)

        is_first = is_valid & (state.num_played < 0)
        after = (state.head + is_first) % num_frames
        stored = written(state.frames, state.head, encoded(step.s_tm1), is_first)
        stored = written(stored, after, encoded(step.s_t), is_valid)
        row, num_earlier = state.added % num_rows, jnp.maximum(state.num_played, 0)
        newest = written(state.newest, row, (after - 1) % num_frames, is_valid)
        head, added = (after + is_valid) % num_frames, state.added + is_valid
        oldest = jnp.maximum(state.oldest, added - num_rows)
        for _ in range(_MARGIN):  # frames of consecutive steps differ, so each frame written drops at most one step
            num_since = (head - newest[oldest % num_rows, environments] - 1) % num_frames + 1
            oldest = oldest + ((oldest < added) & (num_since + frames - 1 > num_frames - _MARGIN))
        is_end = step.terminated | step.truncated
        num_played = jnp.where(is_end, -1, jnp.minimum(num_earlier + 1, frames - 1))
        return FrameRingState(
            steps=steps.add(state.steps, step._replace(s_tm1=none, s_t=none), is_valid),
            frames=stored,
            newest=newest,
            num_earlier=written(state.num_earlier, row, num_earlier.astype(jnp.uint8), is_valid),
            oldest=oldest,
            head=head,
            num_played=jnp.where(is_valid, num_played, state.num_played),
        )

    def next_slots(state: FrameRingState, is_valid: Array) -> Array:
        return steps.next_slots(state.steps, is_valid)

    def dropped_slots(before: FrameRingState, after: FrameRingState) -> Array:
        # The slot of the new step may be among them: of two values for one slot, a sum tree takes the larger.
        row = before.oldest[None] + jnp.arange(_MARGIN)[:, None]  # [2, E]
        slot = row % num_rows * num_environments + environments[None]
        return jnp.where(row < after.oldest[None], slot, -1).reshape(-1)

    def size(state: FrameRingState) -> Array:
        return state.added - state.oldest

    def located(state: FrameRingState, slots: Array) -> tuple[Array, Array]:
        row, environment = slots // num_environments, slots % num_environments
        return environment, (row - state.oldest[environment]) % num_rows

    def slots(state: FrameRingState, environment: Array, age: Array) -> Array:
        return (state.oldest[environment] + age) % num_rows * num_environments + environment

    def stacked(state: FrameRingState, slots: Array, later: int) -> Array:
        """Returns the stacks `[..., *stack_shape]` before the actions of steps, or after them if `later` is 1."""
        one_each = (1,) * slots.ndim
        back = jnp.arange(frames - 1, -1, -1).reshape(*one_each, frames)  # oldest first
        newest, num_earlier = (
            x.reshape(-1).at[slots].get(mode="promise_in_bounds")[..., None].astype(jnp.int32) + later
            for x in (state.newest, state.num_earlier)
        )
        place = (newest - back) % num_frames * num_environments + slots[..., None] % num_environments  # [..., k]
        flat = state.frames.reshape(-1, state.frames.shape[-1]).at[place].get(mode="promise_in_bounds")
        if is_bool:
            flat = jnp.unpackbits(flat, axis=-1, count=frame_size).astype(bool)
        flat = jnp.where((back <= num_earlier)[..., None], flat, jnp.zeros((), dtype))
        by_frame = jnp.moveaxis(flat.reshape(*place.shape, *shape), place.ndim - 1, -2)  # [..., *shape[:-1], k, C]
        return by_frame.reshape(*slots.shape, *shape[:-1], frames * shape[-1])

    def rows(state: FrameRingState, slots: Array) -> Step:
        without = steps.rows(state.steps, slots)
        return without._replace(s_tm1=stacked(state, slots, 0), s_t=stacked(state, slots, 1))

    def read(state: FrameRingState, environment: Array, age: Array) -> tuple[Transition, Array]:
        ahead = jnp.arange(n_step, dtype=jnp.int32)[None]
        window_slots = slots(state, environment[:, None], age[:, None] + ahead)  # [B, n]
        window = steps.rows(state.steps, window_slots)
        available = size(state)[environment] - age
        spanned = jax.vmap(spanned_by)(window.r_t, window.terminated, window.truncated, available, window.cut)
        first = window_slots[:, 0]
        last = jnp.take_along_axis(window_slots, spanned.last[:, None], axis=1)[:, 0]
        s_tm1 = with_mask(stacked(state, first, 0), jax.tree.map(lambda x: x[:, 0], window.legal_tm1))
        of_last = jax.vmap(lambda x, last: x[last])
        s_t = with_mask(stacked(state, last, 1), jax.tree.map(lambda x: of_last(x, spanned.last), window.legal_t))
        return Transition(s_tm1, window.a_tm1[:, 0], spanned.r_t, spanned.discount_t, s_t), first

    def cut(state: FrameRingState) -> FrameRingState:
        return state._replace(steps=steps.cut(state.steps), num_played=jnp.full_like(state.num_played, -1))

    return Ring(steps.num_slots, init, add, next_slots, dropped_slots, size, located, slots, rows, read, cut)
