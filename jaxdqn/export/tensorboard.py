"""TensorBoard: writes one folder of scalars for each run, against environment steps, with tensorboardX."""

import contextlib
import importlib.util
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jaxdqn.export import exporter
from jaxdqn.export.exporter import Exporter, Facts, Values
from jaxdqn.store import schema

_FLUSH_SECONDS = 10  # short enough to watch a run live


@contextlib.contextmanager
def opened(folder: str | Path) -> Iterator[Exporter]:
    """Gives an exporter that writes to a folder; `tensorboard --logdir <folder>` shows it.

    Args:
      folder: created if it does not exist.

    Raises:
      ValueError: tensorboardX is not installed.
    """
    if importlib.util.find_spec("tensorboardX") is None:
        raise ValueError('TensorBoard needs tensorboardX: pip install "jaxdqn[tensorboard]".')
    from tensorboardX import SummaryWriter

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    writers: set[Any] = set()

    def begin(facts: Facts) -> Any:
        identity = exporter.identity(facts)
        run_folder = folder / name(identity)
        for earlier in run_folder.glob("events.out.tfevents.*"):
            earlier.unlink()
        writer = SummaryWriter(str(run_folder), flush_secs=_FLUSH_SECONDS)
        writers.add(writer)
        for summary in _hyperparameters(identity)[:2]:  # the third marks the end of the run
            writer.file_writer.add_summary(summary)
        return writer

    def point(writer: Any, step: int, values: Values) -> None:
        for curve, value in exporter.known(values).items():
            writer.add_scalar(curve, value, step)

    def end(writer: Any, facts: Facts) -> None:
        writer.file_writer.add_summary(_hyperparameters(exporter.identity(facts))[2])
        writers.discard(writer)
        writer.close()

    try:
        yield Exporter(begin, point, end)
    finally:
        for writer in writers:
            writer.close()


def name(facts: Facts) -> str:
    """Returns the path of a run inside the folder: `<game>/<algorithm>/<settings>/seed-<seed>-<id>`.

    Parts contain only letters, digits, `.`, `_`, `+`, `=` and `-`. The identifier makes the path unique. No code parses
    it.
    """
    *parts, seed = (_safe(part) for part in exporter.title(facts))
    return "/".join([*parts, f"{seed}-{facts['id']}"])


def _safe(text: str) -> str:
    return re.sub("[^A-Za-z0-9._+=-]+", "-", text)[:80].strip(".-") or "-"


def _hyperparameters(identity: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    """Returns the summaries of TensorBoard's table of runs: columns, values of the run, and end of the run."""
    from tensorboardX.summary import hparams

    shown = {"study": identity["study"], "game": identity["game"]["name"], "algorithm": identity["algorithm"]}
    configuration = {key: _plain(value) for key, value in schema.leaves(identity["configuration"]).items()}
    columns, values, ended = hparams(shown | {"seed": identity["seed"]} | configuration, {"evaluation_return": None})
    return columns, values, ended


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, list) else value
