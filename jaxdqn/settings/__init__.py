"""Settings that work, by family of games: a file for each kind of games, and the table of all families.

To add a family, write a file with a `Family` (see `catch.py`) and add a line to `FAMILIES`. A game belongs to the first
family that holds it.
"""

from jaxdqn.settings import atari, catch, classic_control, doom, lunar_lander, minatar
from jaxdqn.settings.family import Family
from jaxdqn.spelling import not_known
from jaxdqn.training.evaluate import Evaluation

DEFAULT = Family(
    games=("*",),
    shared={},
    own={},
    steps=100_000,
    evaluation=Evaluation(every=5_000, episodes=20),
    source="the plain configuration of each algorithm, tuned for no game",
    result=None,
)

FAMILIES: dict[str, Family] = {
    "catch": catch.FAMILY,
    "cartpole": classic_control.CARTPOLE,
    "acrobot": classic_control.ACROBOT,
    "mountain_car": classic_control.MOUNTAIN_CAR,
    "lunar_lander": lunar_lander.FAMILY,
    "minatar": minatar.FAMILY,
    "atari": atari.DOPAMINE,
    "atari_nature": atari.NATURE,
    "atari_100k": atari.ATARI_100K,
    "doom": doom.FAMILY,
    "gymnasium": classic_control.GYMNASIUM,
    "default": DEFAULT,
}


def name_for(game: str) -> str:
    """Returns the name of the first family that holds a game; the last family holds all games."""
    return next(name for name, family in FAMILIES.items() if family.holds(game))


def named(name: str) -> Family:
    """Returns the family with this name.

    Raises:
      ValueError: the table has no such name. The message suggests similar names and lists the table.
    """
    if name not in FAMILIES:
        raise ValueError(not_known("no settings are called", name, FAMILIES))
    return FAMILIES[name]
