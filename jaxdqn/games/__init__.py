"""The table of games and their names. Each game is one file of pure functions.

A game is an `game_interfaces.Game`: `reset(key) -> state`, `step(key, state, action) -> (state, TimeStep)` and
`observe(state) -> observation`. To add a game, write a file with a function `make` and add a line to `GAMES`.

Games that step in Python, outside of compiled code, have names such as `gymnasium:LunarLander-v3` or `atari:pong`. To
add a kind, write a file with a function `make(name) -> HostGame` and add a line to `PREFIXES`.

A game in a module of your own is named `module:name`, such as `my_games:corridor`: `corridor` is a `Game`, or a
function `() -> Game`.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

from jaxdqn import code_versions, other_names, user_modules
from jaxdqn.game_interfaces import AnyGame, Game, HostGame
from jaxdqn.games import (
    acrobot,
    cartpole,
    catch,
    connect,
    deep_sea,
    mountain_car,
    probe_memory,
    probe_picture,
    probes,
    random_walk,
)
from jaxdqn.games.minatar import asterix, breakout, freeway, rules, seaquest, space_invaders
from jaxdqn.games.names import canonical, modules
from jaxdqn.spelling import did_you_mean, in_one_line

__all__ = ["GAMES", "PREFIXES", "canonical", "make", "modules"]


class Entry(NamedTuple):
    """A game of the table: the function that makes it, `() -> game`, and a summary in one line."""

    make: Callable[[], Game]
    summary: str


MINATAR: dict[str, tuple[rules.Rules, str]] = {  # of each game its rules, and a summary
    "asterix": (asterix.RULES, "collect gold, avoid enemies"),
    "breakout": (breakout.RULES, "break bricks with a ball"),
    "freeway": (freeway.RULES, "cross a road again and again, 2,501 steps"),
    "seaquest": (seaquest.RULES, "shoot fish, pick up divers, come up for air"),
    "space_invaders": (space_invaders.RULES, "shoot aliens that shoot back"),
}

GAMES: dict[str, Entry] = {
    "catch": Entry(catch.make, "catch a falling ball with a paddle on a 10 x 10 board; pixels"),
    "catch_noisy": Entry(functools.partial(catch.make, noise=1.0), "catch with noise of +1 or -1 in every reward"),
    "connect_three": Entry(
        connect.make, "three discs in a row, 3 x 4 cells, random opponent; full columns are illegal"
    ),
    "connect_four": Entry(functools.partial(connect.make, 6, 7, 4), "four discs in a row, 6 x 7 cells, likewise"),
    "cartpole": Entry(cartpole.make, "keep the pole upright, at most 500 steps; gymnasium's CartPole-v1"),
    "cartpole_200": Entry(functools.partial(cartpole.make, max_steps=200), "cartpole, at most 200 steps; CartPole-v0"),
    "mountain_car": Entry(mountain_car.make, "swing a weak car up the hill, at most 200 steps; MountainCar-v0"),
    "acrobot": Entry(acrobot.make, "swing two links up, at most 500 steps; Acrobot-v1"),
    **{
        f"deep_sea_{size}": Entry(
            functools.partial(deep_sea.make, size),
            f"find the one path to a treasure, {size} x {size}; bsuite's deep sea",
        )
        for size in range(4, 51, 2)
    },
    **{
        f"minatar_{name}{suffix}": Entry(
            functools.partial(rules.make, of_game, full_actions=full_actions), f"{summary}; {source}"
        )
        for suffix, full_actions, source in (("", False, "MinAtar"), ("_full", True, "MinAtar, all six actions"))
        for name, (of_game, summary) in MINATAR.items()
    },
    "random_walk_5": Entry(random_walk.make, "add up five random steps; the distribution of the return is known"),
    "probe_value": Entry(probes.value, "probe: the value is a constant"),
    "probe_observation": Entry(probes.observation, "probe: the value depends on the observation"),
    "probe_discount": Entry(probes.discount, "probe: the reward comes one step later"),
    "probe_action": Entry(probes.action, "probe: the value depends on the action"),
    "probe_both": Entry(probes.both, "probe: the best action depends on the observation"),
    "probe_time_limit": Entry(probes.time_limit, "probe: a learner must bootstrap at a time limit"),
    "probe_random_reward": Entry(probes.random_reward, "probe: the return is random"),
    "probe_picture": Entry(probe_picture.make, "probe: the best action depends on a shape in a picture of 10 x 10"),
    "probe_memory": Entry(probe_memory.make, "probe: the best action depends on an earlier observation"),
}


def _atari(name: str) -> HostGame:
    from jaxdqn.games import atari

    return atari.make(name)


def _doom(name: str) -> HostGame:
    from jaxdqn.games import doom

    return doom.make(name)


def _gymnasium(name: str) -> HostGame:
    from jaxdqn.games import gymnasium

    return gymnasium.make(name)


class Prefix(NamedTuple):
    """A kind of games that step in Python, by the beginning of their names.

    Attributes:
      make: `name -> game`. It imports its module, because gymnasium and the emulators load slowly.
      names: the names that follow the prefix.
      summary: in one line, with the extra that installs what the games need.
    """

    make: Callable[[str], HostGame]
    names: str
    summary: str


PREFIXES: dict[str, Prefix] = {
    "atari:": Prefix(
        _atari, "ROM", "any Atari game of ale-py, pixels, e.g. atari:pong or atari:pong,sticky=0 (atari extra)"
    ),
    "doom:": Prefix(_doom, "SCENARIO", "a scenario of ViZDoom, pixels, e.g. doom:basic (doom extra)"),
    "gymnasium:": Prefix(
        _gymnasium,
        "ID",
        "any discrete-action gymnasium environment, e.g. gymnasium:LunarLander-v3, or with arguments "
        '"gymnasium:FrozenLake-v1?is_slippery=False" (box2d extra)',
    ),
}


def make(name: str) -> AnyGame:
    """Makes the game with a given name.

    Args:
      name: a name in `GAMES`, one that begins with a prefix of `PREFIXES`, such as `gymnasium:LunarLander-v3`, or
        `module:name` of a game of your own. `canonical` returns the name that the game then has.

    Returns:
      A new game.

    Raises:
      ValueError: no game has this name, it is not supported, or a package that it needs is not installed.
    """
    prefix = next((prefix for prefix in PREFIXES if name.startswith(prefix)), None)
    if prefix is not None:
        return PREFIXES[prefix].make(name)
    if user_modules.is_part(name):
        return _own(name)
    if name not in GAMES:
        kinds = ", ".join(f"{prefix}{kind.names}" for prefix, kind in PREFIXES.items())
        hint = other_names.game(name) or did_you_mean(name, GAMES)
        raise ValueError(
            f"no game is called {name!r}.{hint} `jaxdqn list games` lists the games; others are {kinds}, such as "
            "gymnasium:LunarLander-v3, or my_module:my_game."
        )
    return GAMES[name].make()


def _own(name: str) -> AnyGame:
    """Returns the game of a module of the user, which then has the name that finds it again."""
    found = user_modules.part(name)
    try:
        game = found() if callable(found) else found
    except Exception as error:
        raise ValueError(f"{name} cannot be made: calling it raised {in_one_line(error)}.") from error
    if not isinstance(game, Game | HostGame):
        kind = "returns" if callable(found) else "is"
        if callable(getattr(game, "reset", None)):  # an environment of gymnasium
            module = name.partition(":")[0]
            raise ValueError(
                f"{name} {kind} an environment, not a game: register it with gymnasium.register in {module}, and name "
                f"it gymnasium:{module}:ID."
            )
        raise ValueError(
            f"{name} {kind} a {type(game).__name__}: it must be a jaxdqn.game_interfaces.Game, or a function without "
            "arguments that returns one."
        )
    functions = (
        (game.reset, game.step, game.observe) if isinstance(game, Game) else (game.make_vector, game.make_rendered)
    )
    return game._replace(name=name, code=code_versions.of([name.partition(":")[0], *functions]))
