"""Weights & Biases: makes one run of the service for each run, with the same identifier, offline or online."""

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

_LONGEST = 128  # letters of a name, the limit of the service
_LONGEST_TAG = 64


@contextlib.contextmanager
def opened(folder: str | Path, *, project: str = "jaxdqn", is_online: bool = False) -> Iterator[Exporter]:
    """Gives an exporter that writes to `<folder>/wandb` and, if online, also sends the runs to the service.

    The end of the `with` statement waits until everything is sent, and ends the background process of the client.

    Args:
      folder: created if it does not exist.
      project: project of all runs.
      is_online: if False, nothing leaves the machine until you call `wandb sync <folder>/wandb/offline-run-*`.

    Raises:
      ValueError: wandb is not installed, or the name of the project is not allowed.
      OSError: raised by `begin` if the service rejects the run or cannot be reached; the message gives the reason.
    """
    if importlib.util.find_spec("wandb") is None:
        raise ValueError('Weights & Biases needs wandb: pip install "jaxdqn[wandb]".')
    if not re.fullmatch(rf"[^/\\#?%:]{{1,{_LONGEST}}}", project):
        raise ValueError(f"project = {project!r} must have 1 to {_LONGEST} letters, without / \\ # ? % and :.")
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
                reinit="create_new",  # runs that train in parallel are open at the same time
                **_names(identity),
            )
        except wandb.errors.Error as problem:
            raise OSError(f"Weights & Biases rejected run {identity['id']}: {problem}") from problem
        running[identity["id"]] = run
        return run

    def end(run: Any, facts: Facts) -> None:
        run.config.update(_more(facts))
        run.summary.update(schema.leaves({key: facts.get(key) for key in OUTCOME}))
        del running[facts["id"]]
        run.finish(exit_code=int("failure" in facts))

    try:
        yield Exporter(begin, _point, end)
    finally:
        for run in running.values():
            run.finish(exit_code=1)
        wandb.teardown()


def _point(run: Any, step: int, values: Values) -> None:
    known = exporter.known(values)
    if known:  # the steps of wandb are environment steps
        run.log(known, step=step)


def _more(facts: Facts) -> dict[str, Any]:
    """Returns the facts that are not in `IDENTITY` or `OUTCOME` and do not describe files of the store."""
    more = {key: value for key, value in facts.items() if key not in (*IDENTITY, *OUTCOME)}
    return {key: value for key, value in more.items() if not (isinstance(value, dict) and "file" in value)}


def _names(identity: Facts) -> dict[str, Any]:
    """Returns id, name, group and tags of a run; runs in a group differ only in their seeds."""
    *arm, seed = exporter.title(identity)
    return {
        "id": identity["id"],
        "name": ", ".join([*arm, seed])[-_LONGEST:],
        "group": ", ".join(arm)[:_LONGEST],
        "tags": [identity["study"][:_LONGEST_TAG]],
    }


def _settings() -> Any:
    """Returns settings of the client that record only what is sent, and neither the machine nor the command."""
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
