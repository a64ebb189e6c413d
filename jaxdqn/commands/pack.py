"""`jaxdqn pack`: puts the runs of a finished study into one file."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from jaxdqn.commands.command import Command
from jaxdqn.commands.errors import ends_quietly, one_sentence
from jaxdqn.commands.options import folder_of
from jaxdqn.spelling import counted

if TYPE_CHECKING:
    from jaxdqn.store.manifest import Manifest

_DESCRIPTION = """\
Packs finished studies. In the folder of a study, runs.parquet replaces the files of the runs, runs.weights.npz those of
the trained weights, and searches.parquet those of the points of searches. Before the command removes the files of a
run, it reads the packed run back and compares it bit for bit. All commands read packed studies. If you extend a study
later, its new runs are separate files until you pack it again.
"""
_EPILOG = """\
examples:
  jaxdqn pack results/catch
  jaxdqn pack experiments/catch.py                          the study of a script, in results
  jaxdqn pack results/*/                                    folders without runs are left out
  jaxdqn pack results/catch --drop 01a217920c1985d8         remove one packed run
"""


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `jaxdqn pack`."""
    parser.add_argument(
        "studies", type=Path, nargs="+", metavar="STUDY", help="folder of a study, or script of an experiment"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("results"), help="folder of the results of a script (default: results)"
    )
    parser.add_argument("--partial", action="store_true", help="pack a study although some of its runs are missing")
    parser.add_argument(
        "--drop", nargs="+", metavar="ID", help="remove these packed runs of one study, which then repeats them"
    )


def main(options: argparse.Namespace) -> None:
    """Runs the command; an error ends it with one sentence on stderr and exit status 2.

    Args:
      options: studies, out, partial, drop.
    """
    with ends_quietly(), one_sentence():
        is_one = len(options.studies) == 1
        if options.drop and not is_one:
            raise ValueError("--drop removes runs of one study: give only its folder.")
        for study in options.studies:
            folder, requested = folder_of(study, options.out)
            if not folder.is_dir():
                raise ValueError(f"{folder} does not exist or is no folder: give the folder of a study.")
            if options.drop:
                _drop(folder, options.drop)
            elif not is_one and not _holds_runs(folder):
                print(f"{folder}: no runs")
            else:
                _pack(folder, requested, is_partial=options.partial)


def _pack(folder: Path, requested: "Manifest | None", *, is_partial: bool) -> None:
    from jaxdqn.store import manifest, packing, search_trials, status, store
    from jaxdqn.store.record import DamagedResult

    if not _holds_runs(folder):
        raise ValueError(f"{folder} holds no runs: give the folder of a study, such as results/NAME.")
    if requested is None and manifest.exists(folder):
        requested = manifest.read(folder)
    if requested is not None and not is_partial:
        missing = len(requested.cells) - len(status.of(folder, requested).done)
        if missing:
            raise ValueError(
                f"{folder} lacks {counted(missing, 'run')} of its study: run them first, or add --partial."
            )
    before = _sizes(folder)
    try:
        packed = [packing.pack(runs) for runs in _folders_of_runs(folder) if store.exists(runs)]
    except DamagedResult as problem:
        raise ValueError(str(problem)) from problem
    searches = folder / "searches"
    num_searches = search_trials.pack(searches) if searches.is_dir() else 0
    of_searches = f" and {counted(num_searches, 'search')}" if num_searches else ""
    num_runs = sum(one.num_runs for one in packed)
    print(f"{folder}: {counted(num_runs, 'run')}{of_searches}; {_size(before)} before, {_size(_sizes(folder))} now")


def _drop(folder: Path, ids: list[str]) -> None:
    from jaxdqn.store import lookup, packing
    from jaxdqn.store.record import DamagedResult

    packed = {runs: lookup.packed_ids(runs) & set(ids) for runs in _folders_of_runs(folder)}
    if unknown := sorted(set(ids).difference(*packed.values())):
        raise ValueError(f"{folder} has no packed run {unknown[0]!r}: `jaxdqn runs` lists identifiers.")
    try:
        for runs, dropped in packed.items():
            if dropped:
                packing.drop(runs, dropped)
    except DamagedResult as problem:
        raise ValueError(str(problem)) from problem
    print(f"{folder}: {counted(len(ids), 'run')} dropped")


def _folders_of_runs(folder: Path) -> tuple[Path, Path]:
    """Returns the folders of a study's runs and of its tuning runs, whether or not they exist."""
    return folder / "runs", folder / "tuning" / "runs"


def _holds_runs(folder: Path) -> bool:
    """Returns whether a folder holds runs or searches, loose or packed."""
    from jaxdqn.store import store

    return any(map(store.exists, _folders_of_runs(folder))) or (folder / "searches").is_dir()


def _sizes(folder: Path) -> list[int]:
    return [path.stat().st_size for path in folder.rglob("*") if path.is_file()]


def _size(sizes: list[int]) -> str:
    return f"{counted(len(sizes), 'file')} of {sum(sizes) / 1e6:.2f} MB"


COMMAND = Command("put the runs of a finished study into one file", _DESCRIPTION, add, main, epilog=_EPILOG)
