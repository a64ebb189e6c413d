"""An agent from weights: the game that it plays, its network, and the parameters that fit it."""

import typing
from typing import Any, NamedTuple

import jax

from jaxdqn import fields, games
from jaxdqn.config import Config
from jaxdqn.interfaces import AnyGame, Network, Parameters
from jaxdqn.store import weights
from jaxdqn.store.weights import Weights


class Agent(NamedTuple):
    """Who plays what.

    Attributes:
      game: as the facts of the weights name it.
      network: from its observations to action values.
      parameters: of that network, as its `init` lays them out.
    """

    game: AnyGame
    network: Network
    parameters: Parameters


def make(trained: Weights, *, game_given: str | None = None) -> Agent:
    """Returns the agent of trained weights.

    Args:
      trained: as `jaxdqn.store.weights.load` returns them.
      game_given: the game that the user named, if any. To make a game such as `gymnasium:MODULE:ID` imports that module
        and so runs its code, which a file alone may not ask for.

    Raises:
      ValueError: if the game is not known, has changed since, or is of a module that only the file names, the facts
        describe no network, or the arrays are not the parameters of that network: the sentence names the first that
        differs, and both shapes.
    """
    facts = trained.facts
    name = facts["game"]["name"]
    if ":" in name.removeprefix(games.GYMNASIUM) and name != game_given:
        raise ValueError(f"{trained.path} wants code of a module to be run: if you trust it, give --game {name}.")
    game = games.make(name)
    if game.version != facts["game"]["version"]:
        raise ValueError(
            f"{trained.path} was trained on version {facts['game']['version']} of {game.name}, which is at version "
            f"{game.version} now: train again."
        )
    try:
        allowed = typing.get_type_hints(Config)["network"]
        network = fields.from_dict(allowed, facts["configuration"].get("network"))
        made = network.make(game.observation_shape, game.num_actions)
        template = jax.eval_shape(made.init, jax.random.key(0))
    except (ValueError, TypeError, OverflowError) as problem:
        raise ValueError(f"{trained.path} describes no network for {game.name}: {problem}") from None
    _check_fit(trained, game, template)
    return Agent(game, made, weights.unflatten(jax.device_put(trained.arrays)))


def _check_fit(trained: Weights, game: AnyGame, template: Any) -> None:
    """Raises ValueError if the arrays are not the parameters that the template describes."""
    wanted = {name: tuple(leaf.shape) for name, leaf in weights.flatten(template).items()}
    found = {name: values.shape for name, values in trained.arrays.items()}
    for name in (*wanted, *found):
        if wanted.get(name) != found.get(name):
            here, there = (str(list(shapes[name])) if name in shapes else "absent" for shapes in (found, wanted))
            raise ValueError(
                f"The weights of {trained.path} do not fit their network on {game.name} (observations of shape "
                f"{list(game.observation_shape)}, {game.num_actions} actions): {name} is {here} in the file and "
                f"{there} in the network."
            )
