"""The ring that memories share: whole transitions on the device, read back as windows of n steps (Lin 1992).

Each of E environments has a ring of T = capacity / E rows, so that one of them can add a step while another only
resets. All fields of a transition that can share a type are packed side by side, so that a batch is one gather
instead of six.

A stored transition has three names. Its *slot* `row · E + environment` says where it lies, and stays while it is
stored. `(environment, age)` says whose it is and how many of that environment's are older. Its *number* counts
environment by environment, the oldest first, so that numbers below the sum of `size` are all there are.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxdqn.interfaces import Array, Step, Transition
from jaxdqn.returns import NStepReturn


class RingState(NamedTuple):
    """What is stored, a ring for each environment.

    Attributes:
      packed: `[T, E, width]` for each type of the fields; the newest row of environment e lies at
        `(added[e] - 1) mod T`.
      added: int32 `[E]`, rows added since the start.
    """

    packed: tuple[Array, ...]
    added: Array


class Ring(NamedTuple):
    """A ring as pure functions of its state.

    Attributes:
      num_slots: how many transitions it holds.
      init: `() -> state`.
      add: `(state, Step [E], is_valid bool [E]) -> state`; what is not valid is not stored.
      next_slots: `(state, is_valid bool [E]) -> int32 [E]`, where `add` will store; -1 where it will not.
      size: `state -> int32 [E]`, transitions stored.
      located: `(state, slots int32 [B]) -> (environment, age)`, int32 `[B]` each.
      slots: `(state, environment, age) -> int32`, of the shape of `age`; environments are broadcast to it.
      rows: `(state, slots) -> Step`, what is stored there.
      read: `(state, environment, age) -> (Transition [B], slots int32 [B])`, with n-step returns that end with the
        episode or at the newest row.
    """

    num_slots: int
    init: Callable[[], RingState]
    add: Callable[[RingState, Step, Array], RingState]
    next_slots: Callable[[RingState, Array], Array]
    size: Callable[[RingState], Array]
    located: Callable[[RingState, Array], tuple[Array, Array]]
    slots: Callable[[RingState, Array, Array], Array]
    rows: Callable[[RingState, Array], Step]
    read: Callable[[RingState, Array, Array], tuple[Transition, Array]]


def make(example: Step, capacity: int, n_step: int, spanned_by: Callable[..., NStepReturn]) -> Ring:
    """Returns a ring.

    Args:
      example: a step of E environments whose shapes and types are those to be stored; its values are not read.
      capacity: in transitions, a multiple of E; the oldest make room.
      n_step: steps that a transition read back spans at most.
      spanned_by: `(rewards [n], terminated [n], truncated [n], available [], cut [n]) -> NStepReturn`, what is learned
        from a window of n steps. Stored rewards stay the game's own.
    """
    num_environments = example.a_tm1.shape[0]
    num_rows = capacity // num_environments
    num_slots = num_rows * num_environments
    environments = jnp.arange(num_environments)

    def init() -> RingState:
        packed = tuple(jnp.zeros((num_rows, *x.shape), x.dtype) for x in _pack(example))
        return RingState(packed, added=jnp.zeros(num_environments, jnp.int32))

    def add(state: RingState, step: Step, is_valid: Array) -> RingState:
        place = jnp.where(is_valid, state.added % num_rows, num_rows)  # no such row: dropped
        packed = (
            ring.at[place, environments].set(row, mode="drop", unique_indices=True)
            for ring, row in zip(state.packed, _pack(step), strict=True)
        )
        return RingState(tuple(packed), state.added + is_valid)

    def next_slots(state: RingState, is_valid: Array) -> Array:
        return jnp.where(is_valid, state.added % num_rows * num_environments + environments, -1)

    def size(state: RingState) -> Array:
        return jnp.minimum(state.added, num_rows)

    def located(state: RingState, slots: Array) -> tuple[Array, Array]:
        row, environment = slots // num_environments, slots % num_environments
        return environment, (row - (state.added - size(state))[environment]) % num_rows

    def slots(state: RingState, environment: Array, age: Array) -> Array:
        row = (state.added - size(state))[environment] + age
        return row % num_rows * num_environments + environment

    def rows(state: RingState, slots: Array) -> Step:
        flat = (ring.reshape(num_slots, ring.shape[-1]) for ring in state.packed)
        return _unpack(tuple(rows.at[slots].get(mode="promise_in_bounds") for rows in flat), example)

    def read(state: RingState, environment: Array, age: Array) -> tuple[Transition, Array]:
        ahead = jnp.arange(n_step, dtype=jnp.int32)[None]
        places = slots(state, environment[:, None], age[:, None] + ahead)  # [B, n]
        window = rows(state, places)
        available = size(state)[environment] - age
        spanned = jax.vmap(spanned_by)(window.r_t, window.terminated, window.truncated, available, window.cut)
        return jax.vmap(_transition)(window, spanned), places[:, 0]

    return Ring(num_slots, init, add, next_slots, size, located, slots, rows, read)


def cut(state: RingState, example: Step) -> RingState:
    """Returns the ring with the newest step of each environment marked as cut, so that nothing spans its end.

    Args:
      state: of a ring.
      example: of the steps that it stores; they have the field `cut`.
    """
    flags = _pack(jax.tree.map(jnp.zeros_like, example)._replace(cut=jnp.ones(example.a_tm1.shape, bool)))
    environments = jnp.arange(state.added.shape[0])
    packed = []
    for ring, flag in zip(state.packed, flags, strict=True):
        newest = (state.added - 1) % ring.shape[0]
        packed.append(ring.at[newest, environments].set(jnp.where(flag > 0, flag, ring[newest, environments])))
    return state._replace(packed=tuple(packed))


def numbered(size: Array, number: Array) -> tuple[Array, Array]:
    """Returns the environments and ages `[B]` of numbers `[B]` that count through `size` `[E]` of each environment."""
    stop = jnp.cumsum(size)
    environment = (number[:, None] >= stop[None]).sum(axis=1)
    return environment, number - (stop - size)[environment]


def _transition(window: Step, spanned: NStepReturn) -> Transition:
    """Returns the transition that a window of n steps spans."""
    return Transition(
        s_tm1=window.s_tm1[0],
        a_tm1=window.a_tm1[0],
        r_t=spanned.r_t,
        discount_t=spanned.discount_t,
        s_t=window.s_t[spanned.last],
    )


def _stored(step: Step) -> dict[str, Array]:
    """Returns the fields that are stored: those that are not None."""
    return {name: field for name, field in step._asdict().items() if field is not None}


def _storage_types(example: Step) -> list[jnp.dtype]:
    """Observations keep their type; the other fields ride as float32, which holds an action exactly."""
    float32, observation = jnp.dtype(jnp.float32), jnp.dtype(example.s_t.dtype)
    return [observation if name in ("s_tm1", "s_t") else float32 for name in _stored(example)]


def _pack(step: Step) -> tuple[Array, ...]:
    """Returns the fields flattened to `[E, width]` and concatenated, one array a storage type."""
    columns: dict[jnp.dtype, list[Array]] = {}
    for field, dtype in zip(_stored(step).values(), _storage_types(step), strict=True):
        columns.setdefault(dtype, []).append(field.reshape(field.shape[0], -1).astype(dtype))
    return tuple(jnp.concatenate(fields, axis=-1) for fields in columns.values())


def _unpack(packed: tuple[Array, ...], example: Step) -> Step:
    """Returns the fields of packed rows `[..., width]`, each `[..., *shape]` in its own type; undoes `_pack`."""
    types = _storage_types(example)
    rows_of = dict(zip(dict.fromkeys(types), packed, strict=True))
    offsets = dict.fromkeys(types, 0)
    fields = {}
    for (name, field), dtype in zip(_stored(example).items(), types, strict=True):
        rows, start = rows_of[dtype], offsets[dtype]
        offsets[dtype] = stop = start + field[0].size
        fields[name] = rows[..., start:stop].reshape(*rows.shape[:-1], *field.shape[1:]).astype(field.dtype)
    return Step(**fields)
