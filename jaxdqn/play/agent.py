"""Builds an agent from trained weights: its game, its network, and the parameters of the network."""

import typing
from collections.abc import Collection
from typing import Any, NamedTuple

import jax

from jaxdqn import action_masks, config_dicts, games, own_parts
from jaxdqn.config import Config
from jaxdqn.game_interfaces import AnyGame, observation_dtype
from jaxdqn.interfaces import Network, Parameters
from jaxdqn.store import weights
from jaxdqn.store.weights import Weights


class Agent(NamedTuple):
    """A trained agent and its game.

    Attributes:
      game: the game in the record of the weights.
      network: maps observations to action values; in a game with masks, it takes `MaskedObservation`s.
      parameters: of the network, with the structure that its `init` returns.
    """

    game: AnyGame
    network: Network
    parameters: Parameters


def make(trained: Weights, *, trusted: Collection[str] = ()) -> Agent:
    """Returns the agent with trained weights.

    Args:
      trained: as returned by `jaxdqn.store.weights.load`.
      trusted: modules that the user named. Games such as `gymnasium:MODULE:ID` and networks such as `MODULE:CLASS` run
        code of the user, so the names in a file are not enough.

    Raises:
      ValueError: the game is not known, has another version now, or needs a module that only the file names; the
        record does not describe a network; or the arrays do not fit the network. The message names the first array that
        differs, with both shapes.
    """
    facts = trained.facts
    name = facts["game"]["name"]
    stored = facts["configuration"].get("network")
    needed = sorted((games.modules(name) | own_parts.modules(stored)) - set(trusted))
    if needed:
        raise ValueError(
            f"{trained.path} needs code of {' and '.join(needed)} to run: if you trust it, add --trust "
            f"{' '.join(needed)}."
        )
    game = games.make(name)
    if game.version != facts["game"]["version"]:
        raise ValueError(
            f"{trained.path} was trained on version {facts['game']['version']} of {game.name}, and the current version "
            f"is {game.version}: train again."
        )
    try:
        allowed = typing.get_type_hints(Config)["network"]
        network = config_dicts.from_dict(allowed, stored, own_parts.types(stored))
        made = network.make(game.observation_shape, game.num_actions, observation_dtype(game))
        template = jax.eval_shape(made.init, jax.random.key(0))
    except (ValueError, TypeError, OverflowError) as problem:
        raise ValueError(f"{trained.path} describes no network for {game.name}: {problem}") from None
    _check_fit(trained, game, template)
    return Agent(game, action_masks.for_game(made, game), weights.unflatten(jax.device_put(trained.arrays)))


def _check_fit(trained: Weights, game: AnyGame, template: Any) -> None:
    """Raises ValueError if the arrays do not have the names and shapes of the template."""
    expected = {name: tuple(leaf.shape) for name, leaf in weights.flatten(template).items()}
    found = {name: values.shape for name, values in trained.arrays.items()}
    for name in (*expected, *found):
        if expected.get(name) != found.get(name):
            in_file, in_network = (str(list(x[name])) if name in x else "absent" for x in (found, expected))
            raise ValueError(
                f"The weights of {trained.path} do not fit their network on {game.name} (observations of shape "
                f"{list(game.observation_shape)}, {game.num_actions} actions): {name} is {in_file} in the file and "
                f"{in_network} in the network."
            )
