"""Weights & Biases: a run of theirs for each of ours, of the same identifier, without a network or with it."""

import contextlib
import importlib.util
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jaxdqn.export import exporter
from jaxdqn.export.exporter import IDENTITY, OUTCOME, Exporter, Facts, Values
from jaxdqn.store import schema

_LONGEST = 128  # letters of a name, as the service allows
_LONGEST_TAG = 64


@contextlib.contextmanager
def opened(folder: str | Path, *, project: str = "jaxdqn", is_online: bool = False) -> Iterator[Exporter]:
    """Gives an exporter that writes to `<folder>/wandb`, and sends it if online.

    The process that the client starts for it ends with the `with` statement, and that one waits until all is sent.

    Args:
      folder: made if missing.
      project: of all runs.
      is_online: else nothing leaves the machine until somebody calls `wandb sync <folder>/wandb/offline-run-*`.

    Raises:
      ValueError: if wandb is not installed, or the project's name is not allowed.
      OSError: from `begin`, if the service refuses the run or cannot be reached, saying why.
    """
    if importlib.util.find_spec("wandb") is None:
        raise ValueError('Weights & Biases needs wandb: pip install "jaxdqn[wandb]".')
    if not re.fullmatch(rf"[^/\\#?%:]{{1,{_LONGEST}}}", project):
        raise ValueError(f"project = {project!r} must have 1 to {_LONGEST} letters and none of / \\ # ? % and :.")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    import wandb

    running: dict[str, Any] = {}

    def begin(facts: Facts) -> Any:
        identity = exporter.identity(facts)
        for earlier in (folder / "wandb").glob(f"offline-run-*-{identity['id']}"):
            shutil.rmtree(earlier)
        try:
            run = wandb.init(
                mode="online" if is_online else "offline",
                project=project,
                dir=folder,
                config=identity,
                settings=_settings(),
                reinit="create_new",  # runs that train side by side are open at a time
                **_names(identity),
            )
        except wandb.errors.Error as problem:
            raise OSError(f"Weights & Biases refuses run {identity['id']}: {problem}") from problem
        running[identity["id"]] = run
        return run

    def end(run: Any, facts: Facts) -> None:
        run.config.update(_more(facts))
        run.summary.update(schema.leaves({key: facts.get(key) for key in OUTCOME}))
        del running[facts["id"]]
        run.finish(exit_code=int(schema.crashed(facts)))

    try:
        yield Exporter(begin, _point, end)
    finally:
        for run in running.values():
            run.finish(exit_code=1)
        wandb.teardown()


def _point(run: Any, step: int, values: Values) -> None:
    known = exporter.known(values)
    if known:  # their steps are environment steps
        run.log(known, step=step)


def _more(facts: Facts) -> dict[str, Any]:
    """Returns the facts that are neither known before the run nor its outcome, and not about files of the store."""
    more = {key: value for key, value in facts.items() if key not in (*IDENTITY, *OUTCOME)}
    return {key: value for key, value in more.items() if not (isinstance(value, dict) and "file" in value)}


def _names(identity: Facts) -> dict[str, Any]:
    """Returns what a run is called and where it belongs: runs of a group differ by seed only."""
    *arm, seed = exporter.title(identity)
    return {
        "id": identity["id"],
        "name": ", ".join([*arm, seed])[-_LONGEST:],
        "group": ", ".join(arm)[:_LONGEST],
        "tags": [identity["study"][:_LONGEST_TAG]],
    }


def _settings() -> Any:
    """Returns settings by which nothing is recorded but what is sent: neither the machine nor the command."""
    import wandb

    return wandb.Settings(
        silent=True,
        console="off",
        disable_code=True,
        disable_git=True,
        x_disable_meta=True,
        x_disable_stats=True,
        x_save_requirements=False,
    )
