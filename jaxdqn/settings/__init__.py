"""Settings that work, by family of games: one file each, and the table of them."""

from jaxdqn.settings import atari, doom, minatar
from jaxdqn.settings.family import Family

FAMILIES: dict[str, Family] = {
    "minatar": minatar.FAMILY,
    "atari": atari.DOPAMINE,
    "atari_nature": atari.NATURE,
    "atari_100k": atari.ATARI_100K,
    "doom": doom.FAMILY,
}
