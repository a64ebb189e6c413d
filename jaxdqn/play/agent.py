"""Builds an agent from trained weights: its game, its network, and the parameters of the network."""

import typing
from typing import Any, NamedTuple

import jax

from jaxdqn import action_masks, config_fields, games
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


def make(trained: Weights, *, game_given: str | None = None) -> Agent:
    """Returns the agent with trained weights.

    Args:
      trained: as returned by `jaxdqn.store.weights.load`.
      game_given: the game that the user named, if any. Making a game such as `gymnasium:MODULE:ID` imports the module
        and runs its code, so the name in a file is not enough.

    Raises:
      ValueError: the game is not known, has another version now, or is in a module that only the file names; the record
        does not describe a network; or the arrays do not fit the network. The message names the first array that
        differs, with both shapes.
    """
    facts = trained.facts
    name = facts["game"]["name"]
    if ":" in name.partition(":")[2] and name != game_given:  # PREFIX:MODULE:ID
        raise ValueError(f"{trained.path} needs code of a module to run: if you trust the module, add --game {name}.")
    game = games.make(name)
    if game.version != facts["game"]["version"]:
        raise ValueError(
            f"{trained.path} was trained on version {facts['game']['version']} of {game.name}, and the current version "
            f"is {game.version}: train again."
        )
    try:
        allowed = typing.get_type_hints(Config)["network"]
        network = config_fields.from_dict(allowed, facts["configuration"].get("network"))
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
