"""Choosing actions: the same for both loops, whatever a network remembers and an exploration rule intends."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxdqn.config import Config
from jaxdqn.interfaces import Array, Network, Parameters


class Chance(NamedTuple):
    """What one choice of E actions draws.

    Attributes:
      explore: a part of what `config.exploration.draw` makes, `[E]`.
      network: what `Network.draw` made.
    """

    explore: Any
    network: Any


class Acting(NamedTuple):
    """What choosing actions carries from one step of an episode to the next, `[E, ...]`.

    Attributes:
      memory: of the network; `()` if it remembers nothing.
      intent: of the exploration; `()` if each choice stands alone.
      is_first: bool `[E]`, whether the next observation is the first of an episode; None if nothing is carried.
    """

    memory: Any
    intent: Any
    is_first: Array | None

    def after_step(self, ended: Array) -> "Acting":
        """Returns this after a step that ended the episodes `[E]`."""
        return self if self.is_first is None else self._replace(is_first=ended)

    def stored_memory(self) -> Any:
        """Returns the memory as replay stores it, None if there is none."""
        return self.memory if jax.tree.leaves(self.memory) else None


def begin(config: Config, network: Network, num_actions: int) -> Acting:
    """Returns what is carried before the first step; only its shapes and `is_first` count."""
    batch = (config.num_environments,)
    memory = beginning_memory(network, config.num_environments)
    drawn = jax.eval_shape(lambda: config.exploration.draw(jax.random.key(0), batch, num_actions))
    shapes = jax.eval_shape(config.exploration.intent, drawn)
    intent = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)
    return Acting(memory, intent, jnp.ones(batch, bool) if jax.tree.leaves((memory, intent)) else None)


def beginning_memory(network: Network, num_environments: int) -> Any:
    """Returns what the network remembers at the start of an episode, `[E, ...]`."""
    return jax.tree.map(lambda x: jnp.broadcast_to(x, (num_environments, *x.shape)), network.memory)


def act(
    config: Config,
    network: Network,
    parameters: Parameters,
    acting: Acting,
    observation: Array,
    chance: Chance,
    counts: Any,
) -> tuple[Array, Acting, Acting]:
    """Returns the actions, and what was carried when they were chosen and what is carried on.

    Args:
      config: of the run.
      network: that acts.
      parameters: of the network.
      acting: what is carried.
      observation: `[E, *observation_shape]`.
      chance: of this choice.
      counts: steps and episodes so far.
    """
    rule = config.exploration
    is_first = acting.is_first
    if is_first is not None:
        fresh = beginning_memory(network, len(is_first)), rule.intent(chance.explore)
        memory, intent = jax.tree.map(
            lambda new, old: choose(is_first, new, old), fresh, (acting.memory, acting.intent)
        )
        acting = Acting(memory, intent, is_first)
    output, memory = network.step(parameters, observation, acting.memory, chance.network)
    return rule.choose(output, chance.explore, acting.intent, *counts), acting, acting._replace(memory=memory)


def choose(condition: Array, yes: Array, no: Array) -> Array:
    """Returns `yes` for the environments `[E]` of which the condition holds, else `no`; both `[E, ...]`."""
    return jnp.where(condition.reshape(condition.shape + (1,) * (yes.ndim - 1)), yes, no)
