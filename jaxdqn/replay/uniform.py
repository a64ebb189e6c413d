"""Uniform replay of whole transitions, with n-step returns computed when sampling (Lin 1992; Mnih et al. 2015).

Each of E environments has a ring of T = capacity / E rows, so that one of them can add a step while another only
resets. All fields of a transition that can share a type are packed side by side, so that a batch is one gather
instead of six.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxdqn.configuration import configuration, static
from jaxdqn.interfaces import Array, Replay, Sample, Step, Transition
from jaxdqn.returns import NStepReturn


class UniformState(NamedTuple):
    """The memory, a ring for each environment.

    Attributes:
      packed: `[T, E, width]` for each type of the fields; the newest row of environment e lies at
        `(added[e] - 1) mod T`.
      added: int32 `[E]`, rows added since the start.
    """

    packed: tuple[Array, ...]
    added: Array


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
        """Returns the memory as functions.

        Args:
          example: a step of E environments whose shapes and types are those to be stored; its values are not read.
          n_step: steps that a sampled transition spans at most.
          spanned_by: `(rewards [n], terminated [n], truncated [n], available []) -> NStepReturn`, what is learned from
            a window of n steps. Stored rewards stay the game's own.
        """
        num_environments = example.a_tm1.shape[0]
        num_rows = self.capacity // num_environments
        num_slots = num_rows * num_environments
        environments = jnp.arange(num_environments)

        def init() -> UniformState:
            packed = tuple(jnp.zeros((num_rows, *x.shape), x.dtype) for x in _pack(example))
            return UniformState(packed, added=jnp.zeros(num_environments, jnp.int32))

        def add(state: UniformState, step: Step, is_valid: Array) -> UniformState:
            place = jnp.where(is_valid, state.added % num_rows, num_rows)  # no such row: dropped
            packed = (
                ring.at[place, environments].set(row, mode="drop", unique_indices=True)
                for ring, row in zip(state.packed, _pack(step), strict=True)
            )
            return UniformState(tuple(packed), state.added + is_valid)

        def sample(state: UniformState, random_bits: Array) -> Sample:
            size = jnp.minimum(state.added, num_rows)  # [E]
            stop = jnp.cumsum(size)
            number, weight = self._numbers(random_bits, stop[-1])  # of transitions, environment by environment
            environment = (number[:, None] >= stop[None]).sum(axis=1)
            age = number - (stop - size)[environment]  # counted from the oldest
            ahead = jnp.arange(n_step, dtype=jnp.int32)[None]
            row = ((state.added - size)[environment] + age)[:, None] + ahead  # [B, n]
            slots = row % num_rows * num_environments + environment[:, None]
            flat = (ring.reshape(num_slots, ring.shape[-1]) for ring in state.packed)
            window = _unpack(tuple(rows.at[slots].get(mode="promise_in_bounds") for rows in flat), example)
            spanned = jax.vmap(spanned_by)(window.r_t, window.terminated, window.truncated, size[environment] - age)
            return Sample(jax.vmap(_transition)(window, spanned), slots[:, 0], weight)

        def update(state: UniformState, indices: Array, priority: Array) -> UniformState:
            del indices, priority
            return state

        return Replay(init, add, sample, update)

    def _numbers(self, random_bits: Array, total: Array) -> tuple[Array, Array]:
        """Returns numbers below `total`, int32 `[B]`, and the weights that make their mean that of the batch."""
        batch_size = random_bits.shape[0]
        if self.replacement:
            return _below(total, random_bits), jnp.ones(batch_size)
        in_order = jnp.arange(batch_size, dtype=jnp.int32)
        is_whole = total <= batch_size
        numbers = jax.lax.cond(is_whole, lambda: in_order % total, lambda: _distinct(random_bits, total))
        return numbers, jnp.where(is_whole, (in_order < total) * (batch_size / total), 1.0)


def _below(total: Array, random_bits: Array) -> Array:
    """Returns int32 `[B]` in [0, total); the modulus favours none by more than 2^-32 * total."""
    return (random_bits % total.astype(jnp.uint32)).astype(jnp.int32)


def _distinct(random_bits: Array, total: Array) -> Array:
    """Returns B numbers below `total`, all different if it is above B, every set of them equally likely.

    Numbers that an earlier one equals are drawn again until there are none. Nothing in this depends on what the
    numbers are, so no set is favoured. Where `total` is too small there is nothing to wait for: runs side by side
    compute this also for those of them that do not need it.
    """

    def is_repeated(numbers: Array) -> Array:
        return jnp.tril(numbers[:, None] == numbers[None], k=-1).any(axis=1)

    def again(carry: tuple[Array, Array]) -> tuple[Array, Array]:
        numbers, bits = carry
        bits = _mixed(bits)
        return jnp.where(is_repeated(numbers), _below(total, bits), numbers), bits

    start = _below(total, random_bits), random_bits
    is_possible = total > random_bits.shape[0]
    return jax.lax.while_loop(lambda carry: is_possible & is_repeated(carry[0]).any(), again, start)[0]


def _mixed(bits: Array) -> Array:
    """Returns other uniform bits, uint32 (Appleby 2011, MurmurHash3, its finalizer, after a Weyl step)."""
    bits = bits + jnp.uint32(0x9E3779B9)
    bits = (bits ^ (bits >> 16)) * jnp.uint32(0x85EBCA6B)
    bits = (bits ^ (bits >> 13)) * jnp.uint32(0xC2B2AE35)
    return bits ^ (bits >> 16)


def _transition(window: Step, spanned: NStepReturn) -> Transition:
    """Returns the transition that a window of n steps spans."""
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
