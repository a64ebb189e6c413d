"""`jaxdqn export`: writes stored runs as CSV, for TensorBoard or Weights & Biases, or their package versions."""

import argparse
import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxdqn.commands.command import Command
from jaxdqn.commands.errors import ends_quietly, one_sentence, printable
from jaxdqn.commands.options import folder_of, whole
from jaxdqn.commands.runs import WHERE
from jaxdqn.spelling import counted

if TYPE_CHECKING:
    from jaxdqn.export.csv_tables import Table
    from jaxdqn.export.exporter import Exporter
    from jaxdqn.store.record import Record

_DESCRIPTION = """\
Writes stored runs for other tools: CSV, TensorBoard, or Weights & Biases (offline unless you add --online). It can also
write the package versions of the runs as a requirements file for pip. If you export a run again, the new copy replaces
the old one in TensorBoard and Weights & Biases.
"""
_EPILOG = """\
examples:
  jaxdqn export results/catch --to csv --out curves.csv
  jaxdqn export results --to csv --table scores --last 5 --out scores.csv
  jaxdqn export results/catch --to tensorboard --out logs     then: tensorboard --logdir logs
  jaxdqn export results/catch --to wandb --out logs           then: wandb sync logs/wandb/offline-run-*
  jaxdqn export results/catch --to wandb --out logs --project catch --online
  jaxdqn export results --to requirements --out versions.lock      then, elsewhere: pip install -r versions.lock
"""
TABLES = {
    "curves": "a row for each point of the curves",
    "facts": "a row for each run with all its facts",
    "episodes": "a row for each logged training episode",
    "scores": "a row for each run with its final score",
}
# Options that only some kinds of export have. The value None or False means that an option is not given.
_ONLY = {
    "csv": ("table", "score", "last", "overwrite"),
    "requirements": ("overwrite",),
    "tensorboard": (),
    "wandb": ("project", "online"),
}


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `jaxdqn export`."""
    parser.add_argument(
        "study",
        type=Path,
        metavar="STUDY",
        help="folder of a study or of several studies, or script of an experiment",
    )
    parser.add_argument(
        "--to", required=True, choices=("csv", "requirements", "tensorboard", "wandb"), help="output format"
    )
    parser.add_argument(
        "--out",
        required=True,
        type=Path,
        metavar="PATH",
        help="new file for csv and requirements; else a folder, created if it is missing",
    )
    parser.add_argument("--where", nargs="+", action="extend", default=[], metavar="FIELD=VALUE", help=WHERE)
    csv = parser.add_argument_group("with --to csv")
    tables = "; ".join(f"{name}: {rows}" for name, rows in TABLES.items())
    csv.add_argument("--table", choices=TABLES, help=f"{tables} (default: curves)")
    csv.add_argument("--score", metavar="CURVE", help="curve of the table of scores (default: evaluation_return)")
    csv.add_argument("--last", type=whole, metavar="N", help="number of its last points that are averaged (default: 1)")
    csv.add_argument(
        "--overwrite", action="store_true", help="replace the file if it exists (also with --to requirements)"
    )
    wandb = parser.add_argument_group("with --to wandb")
    wandb.add_argument("--project", metavar="NAME", help="name of the project (default: jaxdqn)")
    wandb.add_argument("--online", action="store_true", help="send the runs now; needs `wandb login` once")


def main(options: argparse.Namespace) -> None:
    """Runs the command; an error ends it with one sentence on stderr and exit status 2.

    Args:
      options: study, to, out, where, and the options in `_ONLY`.
    """
    from jaxdqn.export import package_versions, tensorboard, weights_and_biases

    with ends_quietly(), one_sentence():
        _check(options)
        records = _records(options)
        if options.to == "csv":
            _write_table(options, records)
        elif options.to == "requirements":
            text = package_versions.requirements(records, str(options.study), options.out.name)
            _write(options, text.encode())
            print(f"{options.out}: versions of {_number(records)}")
        elif options.to == "tensorboard":
            _send(tensorboard.opened(options.out), records)
            print(f"{options.out}: {_number(records)}; view them with: tensorboard --logdir {options.out}")
        else:
            project = options.project or "jaxdqn"
            _send(weights_and_biases.opened(options.out, project=project, is_online=options.online), records)
            sent = "sent" if options.online else f"send them with: wandb sync {options.out}/wandb/offline-run-*"
            print(f"{options.out}: {_number(records)} of project {project}; {sent}")


def _records(options: argparse.Namespace) -> "list[Record]":
    """Returns the selected records, at least one."""
    from jaxdqn.commands import select_runs

    folder, _ = folder_of(options.study)
    found = select_runs.read(folder)
    for problem in found.damaged:
        print(f"left out: {printable(problem)}", file=sys.stderr)
    if num_failed := select_runs.num_failed(folder):
        print(f"left out: {counted(num_failed, 'failed run')}, without a record", file=sys.stderr)
    if not found.records:
        raise ValueError(f"{options.study} holds no complete runs: run the study first.")
    selected = select_runs.select(found.records, options.where)
    if not selected:
        raise ValueError(
            f"No run of {len(found.records)} has {' and '.join(options.where)}: `jaxdqn runs` lists the runs."
        )
    return selected


def _write_table(options: argparse.Namespace, records: "Sequence[Record]") -> None:
    from jaxdqn.export import csv_tables

    with _damage_as_sentence():
        _write(options, csv_tables.csv_of(_table(options, records)))
    print(f"{options.out}: {options.table or 'curves'} of {_number(records)}")


def _write(options: argparse.Namespace, content: Any) -> None:
    """Writes the output file; it replaces an existing file only with --overwrite."""
    from jaxdqn.store import files

    if options.out.exists() and not options.overwrite:
        raise FileExistsError(f"{options.out} exists and is not overwritten: choose another name, or add --overwrite.")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    write: Callable[..., None] = files.replace if options.overwrite else files.write_new
    write(options.out, content)


def _table(options: argparse.Namespace, records: "Sequence[Record]") -> "Table":
    from jaxdqn.export import csv_tables

    if options.table == "scores":
        return csv_tables.scores(records, score=options.score or "evaluation_return", last=options.last or 1)
    if options.table == "facts":
        return csv_tables.facts(records)
    return csv_tables.episodes(records) if options.table == "episodes" else csv_tables.curves(records)


def _send(opened: "contextlib.AbstractContextManager[Exporter]", records: "Sequence[Record]") -> None:
    from jaxdqn.export import exporter
    from jaxdqn.store import store

    with opened as receiver, _damage_as_sentence():
        for number, record in enumerate(records, start=1):
            exporter.send(receiver, store.load(record))
            if sys.stderr.isatty():
                print(f"\r{number} of {len(records)}", end="" if number < len(records) else "\n", file=sys.stderr)


@contextlib.contextmanager
def _damage_as_sentence() -> Iterator[None]:
    from jaxdqn.store.record import DamagedResult

    try:
        yield
    except DamagedResult as problem:
        raise ValueError(str(problem)) from problem


def _number(records: "Sequence[Record]") -> str:
    return f"{len(records)} {'run' if len(records) == 1 else 'runs'}"


def _check(options: argparse.Namespace) -> None:
    for name in dict.fromkeys(name for names in _ONLY.values() for name in names):
        if name not in _ONLY[options.to] and getattr(options, name) not in (None, False):
            kinds = " or ".join(kind for kind, names in _ONLY.items() if name in names)
            raise ValueError(f"--{name} has no effect on --to {options.to}: it belongs to --to {kinds}.")
    for name in ("score", "last"):
        if getattr(options, name) is not None and options.table != "scores":
            raise ValueError(f"--{name} has no effect on the table of {options.table or 'curves'}: add --table scores.")
    if options.last is not None and options.last < 1:
        raise ValueError(f"--last {options.last} is out of range: it must be at least 1.")


COMMAND = Command(
    "write stored runs as CSV, for TensorBoard or for Weights & Biases", _DESCRIPTION, add, main, epilog=_EPILOG
)
