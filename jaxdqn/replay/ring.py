"""The ring buffer of replay memories: it stores transitions on the device and reads windows of n steps (Lin 1992).

`make` stores whole transitions, each with both observations. `jaxdqn.replay.frame_ring` has a ring with the same
functions that stores each observation once.

Each of E environments has a ring of T = capacity / E rows, so that one environment can add a step while another only
resets. Fields that can share a type are packed side by side, so that reading a batch needs one gather instead of six.

A stored transition is identified in three ways:

- Its *slot* `row · E + environment` is its position in memory; it does not change while the transition is stored.
- `(environment, age)`: its environment, and the number of older transitions of that environment.
- Its *number* counts all stored transitions, environment by environment, from the oldest: 0 .. sum of `size` - 1.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxdqn.action_masks import with_mask
from jaxdqn.interfaces import Array, Step, Transition
from jaxdqn.returns import NStepReturn


class RingState(NamedTuple):
    """The stored transitions, with one ring for each environment.

    Attributes:
      packed: `[T, E, width]` for each storage type; the newest row of environment e is at `(added[e] - 1) mod T`.
      added: int32 `[E]`, number of rows added so far.
    """

    packed: tuple[Array, ...]
    added: Array


class Ring(NamedTuple):
    """A ring buffer as pure functions of its state.

    Attributes:
      num_slots: number of transitions that fit in.
      init: `() -> state`.
      add: `(state, Step [E], is_valid bool [E]) -> state`; invalid steps are not stored.
      next_slots: `(state, is_valid bool [E]) -> int32 [E]`, the slots that `add` will write; -1 for invalid steps.
      dropped_slots: `(state before an add, state after it) -> int32 [N]`, the slots of the transitions that the add
        dropped without writing to their slots; -1 for none.
      size: `state -> int32 [E]`, number of stored transitions.
      located: `(state, slots int32 [B]) -> (environment, age)`, int32 `[B]` each.
      slots: `(state, environment, age) -> int32`, of the shape of `age`; environments are broadcast to it.
      rows: `(state, slots) -> Step`, the stored steps.
      read: `(state, environment, age) -> (Transition [B], slots int32 [B])`, with n-step returns that stop at the end
        of the episode or at the newest row.
      cut: `state -> state`, marks the newest step of each environment as cut, so that no return and no sequence crosses
        its end; only of steps with the field `cut`.
    """

    num_slots: int
    init: Callable[[], Any]
    add: Callable[[Any, Step, Array], Any]
    next_slots: Callable[[Any, Array], Array]
    dropped_slots: Callable[[Any, Any], Array]
    size: Callable[[Any], Array]
    located: Callable[[Any, Array], tuple[Array, Array]]
    slots: Callable[[Any, Array, Array], Array]
    rows: Callable[[Any, Array], Step]
    read: Callable[[Any, Array, Array], tuple[Transition, Array]]
    cut: Callable[[Any], Any]


def make(example: Step, capacity: int, n_step: int, spanned_by: Callable[..., NStepReturn]) -> Ring:
    """Makes a ring buffer of whole transitions.

    Args:
      example: a step of E environments with the shapes and types to store; its values are not used.
      capacity: number of transitions, a multiple of E; when it is full, the oldest are overwritten.
      n_step: maximum number of steps in a transition that is read.
      spanned_by: `(rewards [n], terminated [n], truncated [n], available [], cut [n]) -> NStepReturn`, computes the
        return of a window of n steps. The stored rewards are the unchanged rewards of the game.
    """
    num_environments = example.a_tm1.shape[0]
    num_rows = capacity // num_environments
    num_slots = num_rows * num_environments
    environments = jnp.arange(num_environments)

    def init() -> RingState:
        packed = tuple(jnp.zeros((num_rows, *x.shape), x.dtype) for x in _pack(example))
        return RingState(packed, added=jnp.zeros(num_environments, jnp.int32))

    def add(state: RingState, step: Step, is_valid: Array) -> RingState:
        target = jnp.where(is_valid, state.added % num_rows, num_rows)  # row num_rows does not exist and is dropped
        packed = (
            ring.at[target, environments].set(row, mode="drop", unique_indices=True)
            for ring, row in zip(state.packed, _pack(step), strict=True)
        )
        return RingState(tuple(packed), state.added + is_valid)

    def next_slots(state: RingState, is_valid: Array) -> Array:
        return jnp.where(is_valid, state.added % num_rows * num_environments + environments, -1)

    def dropped_slots(before: RingState, after: RingState) -> Array:
        del before, after  # a transition leaves only when another is written to its slot
        return jnp.zeros(0, jnp.int32)

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
        window_slots = slots(state, environment[:, None], age[:, None] + ahead)  # [B, n]
        window = rows(state, window_slots)
        available = size(state)[environment] - age
        spanned = jax.vmap(spanned_by)(window.r_t, window.terminated, window.truncated, available, window.cut)
        return jax.vmap(_transition)(window, spanned), window_slots[:, 0]

    return Ring(
        num_slots,
        init,
        add,
        next_slots,
        dropped_slots,
        size,
        located,
        slots,
        rows,
        read,
        lambda state: cut(state, example),
    )


def cut(state: RingState, example: Step) -> RingState:
    """Marks the newest step of each environment as cut, so that no return and no sequence crosses its end.

    Args:
      state: state of a ring.
      example: a step as in `make`, with the field `cut`.

    Returns:
      The new state.
    """
    flags = _pack(jax.tree.map(jnp.zeros_like, example)._replace(cut=jnp.ones(example.a_tm1.shape, bool)))
    environments = jnp.arange(state.added.shape[0])
    packed = []
    for ring, flag in zip(state.packed, flags, strict=True):
        newest = (state.added - 1) % ring.shape[0]
        packed.append(ring.at[newest, environments].set(jnp.where(flag > 0, flag, ring[newest, environments])))
    return state._replace(packed=tuple(packed))


def numbered(size: Array, number: Array) -> tuple[Array, Array]:
    """Returns environments and ages `[B]` of the transitions with these numbers `[B]`; `size` is int32 `[E]`."""
    stop = jnp.cumsum(size)
    environment = (number[:, None] >= stop[None]).sum(axis=1)
    return environment, number - (stop - size)[environment]


def _transition(window: Step, spanned: NStepReturn) -> Transition:
    """Returns the n-step transition of a window of steps."""
    return Transition(
        s_tm1=with_mask(*jax.tree.map(lambda x: x[0], (window.s_tm1, window.legal_tm1))),
        a_tm1=window.a_tm1[0],
        r_t=spanned.r_t,
        discount_t=spanned.discount_t,
        s_t=with_mask(*jax.tree.map(lambda x: x[spanned.last], (window.s_t, window.legal_t))),
    )


def _stored(step: Step) -> dict[str, Array]:
    """Returns the stored fields, which are the fields that are not None."""
    return {name: field for name, field in step._asdict().items() if field is not None}


def _storage_types(example: Step) -> list[jnp.dtype]:
    """Returns the storage type of each field: observations and masks keep theirs; the others are float32, exact for
    actions.
    """
    own: dict[str, Any] = {"s_tm1": example.s_t.dtype, "s_t": example.s_t.dtype, "legal_tm1": bool, "legal_t": bool}
    return [jnp.dtype(own.get(name, jnp.float32)) for name in _stored(example)]


def _pack(step: Step) -> tuple[Array, ...]:
    """Returns the fields flattened to `[E, width]` and concatenated, one array for each storage type."""
    columns: dict[jnp.dtype, list[Array]] = {}
    for field, dtype in zip(_stored(step).values(), _storage_types(step), strict=True):
        columns.setdefault(dtype, []).append(field.reshape(field.shape[0], -1).astype(dtype))
    return tuple(jnp.concatenate(fields, axis=-1) for fields in columns.values())


def _unpack(packed: tuple[Array, ...], example: Step) -> Step:
    """Returns the fields of packed rows `[..., width]`, each `[..., *shape]` in its own type; inverse of `_pack`."""
    types = _storage_types(example)
    rows_of = dict(zip(dict.fromkeys(types), packed, strict=True))
    offsets = dict.fromkeys(types, 0)
    fields = {}
    for (name, field), dtype in zip(_stored(example).items(), types, strict=True):
        rows, start = rows_of[dtype], offsets[dtype]
        offsets[dtype] = stop = start + field[0].size
        fields[name] = rows[..., start:stop].reshape(*rows.shape[:-1], *field.shape[1:]).astype(field.dtype)
    return Step(**fields)
