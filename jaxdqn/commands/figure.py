"""`jaxdqn figure`: draws one figure, or makes one table, from the stored runs of a study."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxdqn.commands import text_tables, written_files
from jaxdqn.commands.command import Command
from jaxdqn.commands.errors import one_sentence, printable
from jaxdqn.commands.options import add_study, folder_of
from jaxdqn.commands.runs import WHERE
from jaxdqn.figures import FIGURES, style
from jaxdqn.figures.entry import NORMALISE, Entry, Option

if TYPE_CHECKING:
    from jaxdqn.store.record import Run

_DESCRIPTION = """\
Draws one figure, or makes one table, from the stored runs of a study, with 95 % stratified bootstrap intervals over
seeds. It trains nothing. Runs with different protocols (budget, evaluation, versions) raise an error. Failed runs are
left out, and the caption gives their number. A diverged run counts as the worst return of its game.
"""
_EPILOG = """\
kinds of figures (`jaxdqn figure STUDY KIND --help` lists the options of a kind):
{kinds}

examples:
  jaxdqn figure curves                                      the study that was trained last
  jaxdqn figure results/classic_control curves
  jaxdqn figure results/catch-dqn curves --where learning_rate=0.001
  jaxdqn figure results/classic_control profile --normalise cartpole=0:475 acrobot=-500:-100 mountain_car=-200:-110
  jaxdqn figure results/classic_control efficiency --normalise references.csv --aggregate median
  jaxdqn figure results/classic_control improvement --base DQN --last 5
  jaxdqn figure results/mountain_car ablation --base strong
  jaxdqn figure results/mountain_car seeds --width 20
  jaxdqn figure results/learning_rate sensitivity --field learning_rate --games cartpole
  jaxdqn figure results/overestimation table --score value_error --lower-is-better --format tex
"""


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `jaxdqn figure`: the study, and a parser for each kind of figure."""
    add_study(parser, _DEFAULT, nargs=None)  # `_with_study` adds it
    kinds = parser.add_subparsers(
        prog="jaxdqn figure STUDY", dest="kind", metavar="KIND", help="kind of figure, see below (default: list them)"
    )
    for name, entry in FIGURES.items():
        _add_kind(kinds.add_parser(name, description=entry.summary), name, entry)


def main(chosen: argparse.Namespace) -> None:
    """Runs the command. Without a kind of figure, it prints the kinds.

    Invalid input exits with status 2 after an error message. If records are damaged, the figure is drawn without them,
    and the exit status is 1.

    Args:
      chosen: the options of `add`.
    """
    from jaxdqn.analysis import failed_runs
    from jaxdqn.commands import select_runs
    from jaxdqn.figures import captions, inputs

    if chosen.kind is None:
        print("give a kind of figure, such as `jaxdqn figure STUDY curves`; kinds are", _KINDS, sep="\n")
        return
    entry = FIGURES[chosen.kind]
    study, requested = folder_of(chosen.study)
    with one_sentence():
        folder, found = inputs.stored(study, requested)
        path, formats = _files(chosen, entry, folder)
        selected = select_runs.select(found.runs, chosen.where)
        if not selected:
            raise ValueError(f"no run of {folder} has {' and '.join(chosen.where)}: `jaxdqn runs` lists the runs.")
        runs = inputs.chosen(selected, chosen.games, chosen.arms)
        options, scale = _options(chosen, entry, inputs.chosen(selected, chosen.games, None))
        drawn = entry.draw(runs, **options)
        failed = inputs.chosen_failures(failed_runs.read(folder, requested), chosen.games, chosen.arms)
        facts = " ".join(filter(None, [scale, captions.provenance(runs), failed_runs.sentence(failed, runs)]))
        before = written_files.contents(path)
        written = entry.output.save(drawn, path, facts, formats)
    lines = (written_files.line(entry.output.noun, file, before) for file in written)
    print(text_tables.markdown_fitted(entry.output.text(drawn, facts)), *lines, sep="\n")
    if found.damaged:
        raise SystemExit("\n".join(f"damaged: {printable(problem)}" for problem in found.damaged))


def _add_kind(parser: argparse.ArgumentParser, name: str, entry: Entry) -> None:
    """Adds the options of a kind of figure, the selection of runs, and the output file."""
    for option in entry.options:
        _add_option(parser, option)
    which = parser.add_argument_group("selected runs (default: all)")
    which.add_argument("--games", nargs="+", metavar="NAME", help="select these games")
    which.add_argument("--arms", nargs="+", metavar="LABEL", help="select these arms, drawn in this order")
    which.add_argument("--where", nargs="+", action="extend", default=[], metavar="FIELD=VALUE", help=WHERE)
    where = parser.add_argument_group(f"output file (default: figures/{name} in the folder of the study)")
    where.add_argument("--out", type=Path, metavar="FILE", help="path of the file; its suffix selects the format")
    output = entry.output
    usual = f"{', '.join(output.formats)} (default: {' '.join(output.usual)})"
    where.add_argument("--format", nargs="+", choices=output.formats, metavar="F", help=usual)


def _add_option(parser: argparse.ArgumentParser, option: Option) -> None:
    flag = f"--{option.name.replace('_', '-')}"
    if option.is_flag:
        parser.add_argument(flag, action="store_const", const=True, help=option.help)
        return
    choices = None if option.choices is None else list(_choices(option.choices))
    parser.add_argument(
        flag,
        type=option.type,
        choices=choices,
        nargs=option.nargs,
        metavar=option.metavar,
        required=option.is_required,
        help=option.help,
    )


def _choices(table: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the values of a table by their names on the command line, such as `optimality-gap`."""
    return {name.lower().replace(" ", "-"): value for name, value in table.items()}


def _options(chosen: argparse.Namespace, entry: Entry, runs: "Sequence[Run]") -> tuple[dict[str, Any], str]:
    """Returns the arguments of the draw function, and a sentence about the scale of the scores.

    Args:
      chosen: all options. An option that is None keeps the default of the draw function.
      entry: the kind of figure.
      runs: the runs of all arms, because any arm may be a reference of the scale.
    """
    from jaxdqn.analysis import normalise
    from jaxdqn.figures import inputs

    values = {option.name: getattr(chosen, option.name) for option in entry.options}
    given = {name: value for name, value in values.items() if value is not None}
    for option in entry.options:
        if option.choices is not None and option.name in given:
            given[option.name] = _choices(option.choices)[given[option.name]]
    words = given.pop(NORMALISE.name, None)
    if words is None:
        return given, ""
    of_score = {name: given[name] for name in ("score", "last") if name in given}
    references = inputs.references(words, runs, **of_score)
    return given | {"transform": normalise.transform(references)}, normalise.reading(references)


def _files(chosen: argparse.Namespace, entry: Entry, folder: Path) -> tuple[Path, list[str]]:
    """Returns the path without suffix, and the formats to write.

    Raises:
      ValueError: the suffix of the file contradicts the formats, or the file exists and this command did not write it.
    """
    output = entry.output
    if chosen.out is None:
        return folder / "figures" / chosen.kind, list(dict.fromkeys(chosen.format or output.usual))
    suffix = chosen.out.suffix.removeprefix(".")
    known = {name for other in FIGURES.values() for name in other.output.formats}
    if suffix in known and suffix not in output.formats:
        raise ValueError(f"A {output.noun} has no format {suffix}: use one of {', '.join(output.formats)}.")
    if suffix in known and chosen.format not in (None, [suffix]):
        raise ValueError(f"--out {chosen.out} and --format {' '.join(chosen.format)} name different formats: omit one.")
    path = chosen.out.with_suffix("") if suffix in known else chosen.out
    formats = [suffix] if suffix in known else list(dict.fromkeys(chosen.format or output.usual))
    for name in formats:
        file = path.with_name(f"{path.name}.{name}")
        if file.exists() and not (name in style.FORMATS and b"jaxdqn" in file.read_bytes()):
            raise ValueError(f"{file} exists, and this command did not write it: choose another name.")
    return path, formats


def _with_study(arguments: Sequence[str]) -> list[str]:
    """Returns the arguments with the study that was trained last, if they begin with a kind of figure or are none."""
    is_complete = arguments and arguments[0] not in FIGURES
    return list(arguments) if is_complete else [str(folder_of(None)[0]), *arguments]


_DEFAULT = "the study in results that was trained last"
_KINDS = "\n".join(f"  {name:<13} {entry.summary}" for name, entry in FIGURES.items())
COMMAND = Command(
    "draw or tabulate a comparison from stored runs",
    _DESCRIPTION,
    add,
    main,
    epilog=_EPILOG.format(kinds=_KINDS),
    usage="jaxdqn figure [STUDY] [KIND] [any option of the kind]",
    completed=_with_study,
)
