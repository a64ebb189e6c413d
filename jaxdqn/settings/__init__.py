"""Settings that work, by family of games: one file each, and the table of them."""

from jaxdqn.settings import minatar
from jaxdqn.settings.family import Family

FAMILIES: dict[str, Family] = {"minatar": minatar.FAMILY}
