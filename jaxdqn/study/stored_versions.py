"""Stored runs of a study whose game or parts had other code than now."""

import pathlib
from collections.abc import Collection, Mapping
from importlib import metadata
from typing import Any

from jaxdqn.analysis import code_of_runs
from jaxdqn.game_interfaces import HostGame
from jaxdqn.spelling import counted
from jaxdqn.store import failures, store
from jaxdqn.study import spec
from jaxdqn.study.spec import Cell


def check_packages(folder: pathlib.Path, cells: Mapping[str, Cell]) -> None:
    """Checks that missing runs of emulator games would be trained with the packages of the stored runs.

    Identifiers of these runs do not hold the versions of `HostGame.packages`.

    Args:
      folder: of the runs of the study.
      cells: of the study, by identifier.

    Raises:
      ValueError: the packages have other versions; the message names both.
    """
    stored = store.ids(folder)
    games = {cell.game for id, cell in cells.items() if id not in stored and _packages(cell.game)}
    for facts in _facts(folder, games):
        for package in _packages(facts["game"]["name"]):
            then, now = facts["versions"].get(package), metadata.version(package)
            if facts["id"] in cells and then not in (None, now):
                raise ValueError(
                    f"stored runs of {facts['game']['name']} in {folder} were played by {package} {then}, and "
                    f"{package} {now} is installed: install {package}=={then}, or take another folder."
                )


def notes(folder: pathlib.Path, cells: Mapping[str, Cell]) -> list[str]:
    """Returns a sentence for each arm with stored or failed runs of another version of its code, which are not used.

    Args:
      folder: of the runs of the study.
      cells: of the study, by identifier.
    """
    arms = {(cell.game, cell.algorithm): cell.determinants for cell in cells.values() if _has_code(cell.determinants)}
    stored = [(facts["algorithm"], facts) for facts in _facts(folder, {game for game, _ in arms})]
    failed = [
        (failure.about["algorithm"], failure.about["determinants"] | {"id": failure.id})
        for failure in (failures.read(folder.parent / "failures") if arms else ())
        if "determinants" in failure.about
    ]
    found: dict[tuple[str, str, str], list[str]] = {}
    for kind, runs in (("stored run", stored), ("failed run", failed)):
        for algorithm, facts in runs:
            arm = facts["game"]["name"], algorithm
            code = code_of_runs.differences(arms[arm], facts) if arm in arms else []
            if code and facts["id"] not in cells:
                found.setdefault((kind, *arm), []).append(", ".join(code))
    outcome = {
        "stored run": "new runs are trained, and the old ones stay",
        "failed run": "new runs begin at step 0, because a run has one version from its first step to its last",
    }
    return [
        f"{counted(len(code), kind)} of {algorithm} on {game} {'is' if len(code) == 1 else 'are'} of another "
        f"version, which differs in {'; '.join(dict.fromkeys(code))}: {outcome[kind]}"
        for (kind, game, algorithm), code in found.items()
    ]


def _facts(folder: pathlib.Path, games: Collection[str]) -> list[dict[str, Any]]:
    """Returns the facts of the stored runs on some games; without games, no file is read."""
    if not games or not store.exists(folder):
        return []
    return [one.facts for one in store.read_facts(folder).records if one.facts["game"]["name"] in games]


def _packages(name: str) -> tuple[str, ...]:
    game = spec.game(name)
    return game.packages if isinstance(game, HostGame) else ()


def _has_code(determinants: Mapping[str, Any]) -> bool:
    """Returns whether code outside of jaxdqn is among what determines a run."""
    return bool(
        {"sources", "packages"} & set(determinants["game"]) or {"part_sources", "part_packages"} & set(determinants)
    )
