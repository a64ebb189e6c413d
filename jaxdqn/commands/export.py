"""`jaxdqn export`: stored runs as CSV, to TensorBoard or Weights & Biases, or the versions that made them."""

import argparse
import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from jaxdqn.commands import query
from jaxdqn.commands.errors import ends_quietly, one_sentence, printable
from jaxdqn.export import csv_tables, exporter, requirements, tensorboard, weights_and_biases
from jaxdqn.export.exporter import Exporter
from jaxdqn.store import files, store
from jaxdqn.store.record import DamagedResult, Record

# Which options only one kind of export has; None and False say that they are not given.
_ONLY = {
    "csv": ("table", "score", "last", "overwrite"),
    "requirements": ("overwrite",),
    "tensorboard": (),
    "wandb": ("project", "online"),
}


def main(options: argparse.Namespace) -> None:
    """Runs the command; what cannot be done ends with one sentence on stderr and exit status 2.

    Args:
      options: study, to, out, where, and those of `_ONLY`; as `jaxdqn.commands.arguments.add_export` reads them.
    """
    with ends_quietly(), one_sentence():
        _check(options)
        records = _records(options)
        if options.to == "csv":
            _write_table(options, records)
        elif options.to == "requirements":
            text = requirements.lock(records, str(options.study), options.out.name)
            _write(options, text.encode())
            print(f"{options.out}: versions of {_number(records)}")
        elif options.to == "tensorboard":
            _send(tensorboard.opened(options.out), records)
            print(f"{options.out}: {_number(records)}; to see them: tensorboard --logdir {options.out}")
        else:
            project = options.project or "jaxdqn"
            _send(weights_and_biases.opened(options.out, project=project, is_online=options.online), records)
            sent = "sent" if options.online else f"to send them: wandb sync {options.out}/wandb/offline-run-*"
            print(f"{options.out}: {_number(records)} of project {project}; {sent}")


def _records(options: argparse.Namespace) -> tuple[Record, ...]:
    """Returns the records that are meant, at least one."""
    conditions = [query.condition(text) for text in options.where]
    found = query.read(options.study)
    for problem in found.damaged:
        print(f"left out: {printable(problem)}", file=sys.stderr)
    if not found.records:
        raise ValueError(f"{options.study} holds no whole runs: run the study first.")
    selected = query.select([query.describe(record) for record in found.records], conditions)
    if not selected:
        raise ValueError(
            f"none of {len(found.records)} runs has {' and '.join(options.where)}: `jaxdqn runs` lists them."
        )
    return tuple(described.record for described in selected)


def _write_table(options: argparse.Namespace, records: Sequence[Record]) -> None:
    with _damage_as_sentence():
        _write(options, csv_tables.csv_of(_table(options, records)))
    print(f"{options.out}: {options.table or 'curves'} of {_number(records)}")


def _write(options: argparse.Namespace, content: Any) -> None:
    """Writes a new file, or in the place of another one if that is allowed."""
    if options.out.exists() and not options.overwrite:
        raise FileExistsError(f"{options.out} exists and is not overwritten: choose another name, or add --overwrite.")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    write: Callable[..., None] = files.replace if options.overwrite else files.write_new
    write(options.out, content)


def _table(options: argparse.Namespace, records: Sequence[Record]) -> csv_tables.Table:
    if options.table == "scores":
        return csv_tables.scores(records, score=options.score or "evaluation_return", last=options.last or 1)
    if options.table == "facts":
        return csv_tables.facts(records)
    return csv_tables.episodes(records) if options.table == "episodes" else csv_tables.curves(records)


def _send(opened: contextlib.AbstractContextManager[Exporter], records: Sequence[Record]) -> None:
    with opened as receiver, _damage_as_sentence():
        for number, record in enumerate(records, start=1):
            exporter.send(receiver, store.load(record))
            if sys.stderr.isatty():
                print(f"\r{number} of {len(records)}", end="" if number < len(records) else "\n", file=sys.stderr)


@contextlib.contextmanager
def _damage_as_sentence() -> Iterator[None]:
    try:
        yield
    except DamagedResult as problem:
        raise ValueError(str(problem)) from problem


def _number(records: Sequence[Record]) -> str:
    return f"{len(records)} {'run' if len(records) == 1 else 'runs'}"


def _check(options: argparse.Namespace) -> None:
    for name in dict.fromkeys(name for names in _ONLY.values() for name in names):
        if name not in _ONLY[options.to] and getattr(options, name) not in (None, False):
            kinds = " or ".join(kind for kind, names in _ONLY.items() if name in names)
            raise ValueError(f"--{name} has no effect on --to {options.to}: it belongs to --to {kinds}.")
    for name in ("score", "last"):
        if getattr(options, name) is not None and options.table != "scores":
            raise ValueError(
                f"--{name} says nothing about the table of {options.table or 'curves'}: add --table scores."
            )
    if options.last is not None and options.last < 1:
        raise ValueError(f"--last {options.last} is out of range: it must be at least 1.")
