"""Action masks: the legal actions of each state, and how all parts obey them.

A game states its legal actions (`Game.legal_actions`, `HostGame.has_masks`). A mask stays with the observation that it
belongs to: replay stores it in a `Step`, and the network gets both as a `MaskedObservation`. `over_masks` lowers the
values of illegal actions in the network's output. So each maximum, greedy action and softmax is over legal actions
only, in acting and in the targets of all algorithms, and no algorithm has code of its own. An illegal action that an
exploration rule chooses all the same, such as a random one, is replaced (`legal_or_random`).

The mask is applied after the network: the mean over actions of dueling streams includes illegal actions.

In a game without masks, None stands in all these places. It is an empty pytree, so the programs are the same as if
there were no masks.
"""

from typing import Any

import jax
import jax.numpy as jnp

from jaxdqn.game_interfaces import AnyGame, Game, HostGame
from jaxdqn.interfaces import Array, MaskedObservation, Network, Parameters
from jaxdqn.outputs import EnsembleOutput

# Value of an illegal action. It is finite, because a probability of 0 times -inf is NaN in soft targets; and so small
# that its rounding errors, squared in the standard deviation over an ensemble, do not overflow.
LOWEST = -(2.0**50)


def is_masked(game: AnyGame) -> bool:
    """Returns whether some actions of a game can be illegal."""
    return game.has_masks if isinstance(game, HostGame) else game.legal_actions is not None


def legal_actions(game: Game, states: Any) -> Array | None:
    """Returns the legal actions in states `[N]`, bool `[N, A]`; None if all actions are legal in this game."""
    return None if game.legal_actions is None else jax.vmap(game.legal_actions)(states)


def with_mask(observation: Any, legal: Any) -> Any:
    """Returns an observation and its mask as a network takes them: the observation alone if the mask is None."""
    return observation if legal is None else MaskedObservation(observation, legal)


def for_game(network: Network, game: AnyGame) -> Network:
    """Returns the network for the observations of a game: `over_masks` of it if the game has masks."""
    return over_masks(network) if is_masked(game) else network


def over_masks(network: Network) -> Network:
    """Returns a network that takes `MaskedObservation`s, and gives illegal actions the value `LOWEST`.

    Values stay as they are where no action is legal: after the end of an episode, where targets multiply them by 0. No
    gradient flows through the values of illegal actions. Distributions of the return are not changed.
    """

    def apply(parameters: Parameters, seen: MaskedObservation, key: Any = None) -> Any:
        return _masked(network.apply(parameters, seen.observation, key), seen.legal)

    def step(parameters: Parameters, seen: MaskedObservation, memory: Any, key: Any = None) -> tuple[Any, Any]:
        output, memory = network.step(parameters, seen.observation, memory, key)
        return _masked(output, seen.legal), memory

    def unroll(
        parameters: Parameters, seen: MaskedObservation, memory: Any, is_first: Array, key: Any = None
    ) -> tuple[Any, Any]:
        assert network.unroll is not None
        output, memories = network.unroll(parameters, seen.observation, memory, is_first, key)
        return _masked(output, seen.legal), memories

    def unroll_step(parameters: Parameters, seen: MaskedObservation, memory: Any, key: Any = None) -> tuple[Any, Any]:
        assert network.unroll_step is not None
        output, memory = network.unroll_step(parameters, seen.observation, memory, key)
        return _masked(output, seen.legal), memory

    is_recurrent = network.unroll is not None
    return network._replace(
        apply=apply,
        step=step,
        unroll=unroll if is_recurrent else None,
        unroll_step=unroll_step if is_recurrent else None,
    )


@jax.jit
def legal_or_random(action: Array, legal: Array, uniform: Array) -> Array:
    """Returns the action where it is legal, else a uniformly random legal action.

    So an action that was uniformly random over all actions becomes uniformly random over the legal ones.

    Args:
      action: int32 `[...]`.
      legal: bool `[..., A]`; where it allows no action, the action stays.
      uniform: float32 `[..., A]`, drawn from [0, 1).

    Returns:
      int32 `[...]`.
    """
    allowed = _allowed(legal)
    random_action = jnp.where(allowed, uniform, -1.0).argmax(-1)
    is_legal = jnp.take_along_axis(allowed, action[..., None], axis=-1)[..., 0]
    return jnp.where(is_legal, action, random_action).astype(jnp.int32)


def _allowed(legal: Array) -> Array:
    """Returns the mask, and a mask that allows all actions in place of one that allows none."""
    return legal | ~legal.any(-1, keepdims=True)


def _masked(output: Any, legal: Array) -> Any:
    allowed = _allowed(legal)
    masked = output._replace(q_values=jnp.where(allowed, output.q_values, LOWEST))
    if isinstance(output, EnsembleOutput):
        masked = masked._replace(members=jnp.where(allowed[..., None, :], output.members, LOWEST))
    return masked
