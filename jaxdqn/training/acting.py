"""Choosing actions: the same for both loops, all networks and all exploration rules."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxdqn.config import Config
from jaxdqn.interfaces import Array, Network, Observation, Parameters


class ActorState(NamedTuple):
    """The state of acting between the steps of an episode, `[E, ...]`.

    Attributes:
      memory: of the network; `()` if it remembers nothing.
      policy: of the episode, such as the member of an ensemble that acts in it; `()` if the exploration rule has none.
      is_first: bool `[E]`, whether the next observation is the first of an episode; None if nothing is carried.
    """

    memory: Any
    policy: Any
    is_first: Array | None

    def after_step(self, ended: Array) -> "ActorState":
        """Returns this after a step that ended the episodes `[E]`."""
        return self if self.is_first is None else self._replace(is_first=ended)


def init(config: Config, network: Network, num_actions: int) -> ActorState:
    """Returns the state before the first step; only its shapes and `is_first` count."""
    batch = (config.num_environments,)
    memory = initial_memory(network, config.num_environments)
    noise = jax.eval_shape(lambda: config.exploration.draw(jax.random.key(0), batch, num_actions))
    shapes = jax.eval_shape(config.exploration.episode_policy, noise)
    policy = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)
    return ActorState(memory, policy, jnp.ones(batch, bool) if jax.tree.leaves((memory, policy)) else None)


def initial_memory(network: Network, num_environments: int) -> Any:
    """Returns the memory of the network at the start of an episode, `[E, ...]`."""
    return jax.tree.map(lambda x: jnp.broadcast_to(x, (num_environments, *x.shape)), network.memory)


def act(
    config: Config,
    network: Network,
    parameters: Parameters,
    actor: ActorState,
    observation: Observation,
    noise: tuple[Any, Any],
    counts: Any,
) -> tuple[Array, ActorState, ActorState]:
    """Returns the actions, int32 `[E]`, the state with which they were chosen, and the state for the next step.

    Args:
      config: of the run.
      network: from observations to action values.
      parameters: of the network.
      actor: the state so far.
      observation: `[E, *observation_shape]`, with its mask in a game with masks. The exploration rule may still choose
        an illegal action at random.
      noise: of the exploration rule, `[E]`, and of the network (`Network.noise`).
      counts: steps and episodes so far.
    """
    rule, (of_rule, of_network) = config.exploration, noise
    is_first = actor.is_first
    if is_first is not None:
        fresh = initial_memory(network, len(is_first)), rule.episode_policy(of_rule)
        memory, policy = jax.tree.map(lambda new, old: choose(is_first, new, old), fresh, (actor.memory, actor.policy))
        actor = ActorState(memory, policy, is_first)
    output, memory = network.step(parameters, observation, actor.memory, of_network)
    return rule.choose(output, of_rule, actor.policy, *counts), actor, actor._replace(memory=memory)


def choose(condition: Array, yes: Array, no: Array) -> Array:
    """Returns `yes` for the environments `[E]` of which the condition holds, else `no`; both `[E, ...]`."""
    return jnp.where(condition.reshape(condition.shape + (1,) * (yes.ndim - 1)), yes, no)
