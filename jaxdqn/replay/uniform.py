"""Uniform replay of whole transitions, with n-step returns computed when sampling (Lin 1992; Mnih et al. 2015).

A step of E environments is one row of the ring, `[T, E, width]` with T = capacity / E. All fields of a
transition that can share a type are packed side by side, so that a batch is one gather instead of six.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxdqn import returns
from jaxdqn.configuration import configuration, static
from jaxdqn.interfaces import Array, Number, Replay, Sample, Step, Transition


class UniformState(NamedTuple):
    """The memory.

    Attributes:
      packed: `[T, E, width]` for each type of the fields; the newest row lies at `(added - 1) mod T`.
      added: int32 `[]`, rows added since the start.
    """

    packed: tuple[Array, ...]
    added: Array


@configuration
class Uniform:
    """Every stored transition is as likely as any other, drawn with replacement.

    Attributes:
      capacity: in transitions; the oldest make room. A multiple of the number of environments.
    """

    capacity: int = static(10_000, at_least=1)

    def make(self, example: Step, discount: Number, n_step: int, reward_clip: Number | None) -> Replay:
        """Returns the memory as functions.

        Args:
          example: a step of E environments whose shapes and types are those to be stored; its values are not read.
          discount: gamma for one step.
          n_step: steps that a sampled transition spans at most.
          reward_clip: rewards are clipped to `[-reward_clip, reward_clip]` one by one before they are summed; None
            leaves them. Stored rewards stay the game's own.
        """
        num_environments = example.a_tm1.shape[0]
        num_rows = self.capacity // num_environments
        num_slots = num_rows * num_environments

        def init() -> UniformState:
            packed = tuple(jnp.zeros((num_rows, *x.shape), x.dtype) for x in _pack(example))
            return UniformState(packed, added=jnp.int32(0))

        def add(state: UniformState, step: Step) -> UniformState:
            place = state.added % num_rows
            packed = (
                jax.lax.dynamic_update_index_in_dim(ring, row, place, axis=0)
                for ring, row in zip(state.packed, _pack(step), strict=True)
            )
            return UniformState(tuple(packed), state.added + 1)

        def sample(state: UniformState, random_bits: Array) -> Sample:
            size = jnp.minimum(state.added, num_rows)
            oldest = (state.added - size) % num_rows * num_environments
            # Counted from the oldest transition. The modulus favours none by more than 2^-32 * capacity.
            age = (random_bits % (size * num_environments).astype(jnp.uint32)).astype(jnp.int32)
            ahead = jnp.arange(n_step, dtype=jnp.int32)[None] * num_environments
            slots = (oldest + age[:, None] + ahead) % num_slots  # [B, n]
            flat = (ring.reshape(num_slots, ring.shape[-1]) for ring in state.packed)
            window = _unpack(tuple(rows.at[slots].get(mode="promise_in_bounds") for rows in flat), example)
            available = size - age // num_environments
            transition = jax.vmap(lambda steps, left: _transition(steps, left, discount, reward_clip))(
                window, available
            )
            return Sample(transition, slots[:, 0], jnp.ones(random_bits.shape, jnp.float32))

        def update(state: UniformState, indices: Array, priority: Array) -> UniformState:
            del indices, priority
            return state

        return Replay(init, add, sample, update)


def _transition(window: Step, available: Array, discount: Number, reward_clip: Number | None) -> Transition:
    """Returns the transition that a window of n steps spans, of which `available` have been taken."""
    rewards = window.r_t if reward_clip is None else jnp.clip(window.r_t, -reward_clip, reward_clip)
    spanned = returns.n_step(rewards, window.terminated, window.truncated, available, discount)
    return Transition(
        s_tm1=window.s_tm1[0],
        a_tm1=window.a_tm1[0],
        r_t=spanned.r_t,
        discount_t=spanned.discount_t,
        s_t=window.s_t[spanned.last],
    )


def _storage_types(example: Step) -> list[jnp.dtype]:
    """Observations keep their type; the other fields ride as float32, which holds an action exactly."""
    float32, observation = jnp.dtype(jnp.float32), jnp.dtype(example.s_t.dtype)
    return [observation if name in ("s_tm1", "s_t") else float32 for name in example._fields]


def _pack(step: Step) -> tuple[Array, ...]:
    """Returns the fields flattened to `[E, width]` and concatenated, one array a storage type."""
    columns: dict[jnp.dtype, list[Array]] = {}
    for field, dtype in zip(step, _storage_types(step), strict=True):
        columns.setdefault(dtype, []).append(field.reshape(field.shape[0], -1).astype(dtype))
    return tuple(jnp.concatenate(fields, axis=-1) for fields in columns.values())


def _unpack(packed: tuple[Array, ...], example: Step) -> Step:
    """Returns the fields of packed rows `[..., width]`, each `[..., *shape]` in its own type; undoes `_pack`."""
    types = _storage_types(example)
    rows_of = dict(zip(dict.fromkeys(types), packed, strict=True))
    offsets = dict.fromkeys(types, 0)
    fields = []
    for field, dtype in zip(example, types, strict=True):
        rows, start = rows_of[dtype], offsets[dtype]
        offsets[dtype] = stop = start + field[0].size
        fields.append(rows[..., start:stop].reshape(*rows.shape[:-1], *field.shape[1:]).astype(field.dtype))
    return Step(*fields)
