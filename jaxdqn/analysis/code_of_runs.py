"""Versions of code outside of jaxdqn in the facts of runs: environments, wrappers and parts of the user."""

from collections.abc import Mapping
from typing import Any

from jaxdqn.store import schema

# Facts with versions by module or package, and what they are in words.
OF_GAME = {"game.sources": "the source of", "game.packages": "the version of"}
OF_ALL = OF_GAME | {"part_sources": "the source of", "part_packages": "the version of"}


def differences(one: Mapping[str, Any], other: Mapping[str, Any], facts: Mapping[str, str] = OF_ALL) -> list[str]:
    """Returns the code that differs between two runs: `the source of my_envs`, `the version of minigrid`.

    Args:
      one: facts of a run.
      other: facts of another run.
      facts: which code is compared, `OF_GAME` or `OF_ALL`.
    """
    found = []
    for path, words in facts.items():
        versions = [_at(run, path) for run in (one, other)]
        names = sorted({*versions[0], *versions[1]})
        found += [f"{words} {name}" for name in names if versions[0].get(name) != versions[1].get(name)]
    return list(dict.fromkeys(found))  # a module may hold both the game and a part


def _at(facts: Mapping[str, Any], path: str) -> dict[str, str]:
    try:
        return dict(schema.at(facts, path) or {})
    except ValueError:
        return {}
