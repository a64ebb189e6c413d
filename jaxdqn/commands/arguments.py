"""The options of `jaxdqn status`, `jaxdqn runs` and `jaxdqn export`. Nothing is imported that would make help wait."""

import argparse
from pathlib import Path
from typing import Any

RUNS = """\
Lists stored runs. Any fact of a run and any field of its configuration can be shown and asked for, by its dotted path
in the run's JSON or by the end of it if that is unambiguous: `learning_rate` is `configuration.learning_rate`. Derived
fields are `settings`, `ended` (finished, diverged or crashed) and `score` (the last evaluation return).
"""
RUNS_EPILOG = """\
examples:
  jaxdqn runs                                               every run of every study in results
  jaxdqn runs results/catch --where seed=0
  jaxdqn runs --where learning_rate=0.001 game=cartpole     all conditions must hold
  jaxdqn runs --where 'score>=0.9' 'created>2026-01-31' ended!=crashed
  jaxdqn runs --where optimizer=Adam --fields id,optimizer.eps,torso.hidden,score
  jaxdqn runs results/catch --csv > runs.csv
"""
EXPORT = """\
Writes stored runs for other tools: CSV of anything, TensorBoard, or Weights & Biases (without a network unless you ask
for it), or the versions of packages that made them, for pip. Exporting a run again replaces its copy in TensorBoard and
Weights & Biases and does not double it.
"""
EXPORT_EPILOG = """\
examples:
  jaxdqn export results/catch --to csv --out curves.csv
  jaxdqn export results --to csv --table scores --last 5 --out scores.csv
  jaxdqn export results/catch --to tensorboard --out logs     then: tensorboard --logdir logs
  jaxdqn export results/catch --to wandb --out logs           then: wandb sync logs/wandb/offline-run-*
  jaxdqn export results/catch --to wandb --out logs --project catch --online
  jaxdqn export results --to requirements --out versions.lock      then, elsewhere: pip install -r versions.lock
"""
TABLES = {
    "curves": "a row a point of every curve",
    "facts": "a row a run, everything that its JSON says",
    "episodes": "a row a logged training episode",
    "scores": "a row a run, its final score",
}


def add_status(commands: Any) -> None:
    """Adds the command `status` to what `argparse.ArgumentParser.add_subparsers` returned."""
    status = commands.add_parser(
        "status",
        help="how far a study is: done, running, failed, missing, time left",
        description="Says of the runs that a study is to have which are done, running, failed and missing.",
    )
    status.add_argument(
        "study", type=Path, metavar="STUDY", help="its folder, such as results/NAME, or the script of an experiment"
    )
    status.add_argument(
        "--out", type=Path, default=Path("results"), help="where the results of a script are (default: results)"
    )


def add_runs(commands: Any) -> None:
    """Adds the command `runs` to what `argparse.ArgumentParser.add_subparsers` returned."""
    style = argparse.RawDescriptionHelpFormatter
    runs = commands.add_parser(
        "runs",
        help="list stored runs, by any of their fields",
        description=RUNS,
        epilog=RUNS_EPILOG,
        formatter_class=style,
    )
    runs.add_argument(
        "folder",
        type=Path,
        nargs="?",
        default=Path("results"),
        metavar="FOLDER",
        help="of a study, or of several (default: results)",
    )
    _add_where(runs)
    runs.add_argument("--fields", metavar="A,B,C", help="which to show, in this order")
    runs.add_argument("--csv", action="store_true", help="as CSV, with values unrounded")


def add_export(commands: Any) -> None:
    """Adds the command `export` to what `argparse.ArgumentParser.add_subparsers` returned."""
    style = argparse.RawDescriptionHelpFormatter
    export = commands.add_parser(
        "export",
        help="write stored runs as CSV, for TensorBoard or for Weights & Biases",
        description=EXPORT,
        epilog=EXPORT_EPILOG,
        formatter_class=style,
    )
    export.add_argument(
        "study",
        type=Path,
        metavar="STUDY",
        help="its folder, or one of several studies, or the script of an experiment",
    )
    export.add_argument(
        "--to", required=True, choices=("csv", "requirements", "tensorboard", "wandb"), help="what to write"
    )
    export.add_argument(
        "--out",
        required=True,
        type=Path,
        metavar="PATH",
        help="a new file for csv and requirements, else a folder, made if missing",
    )
    _add_where(export)
    csv = export.add_argument_group("with --to csv")
    tables = "; ".join(f"{name}: {rows}" for name, rows in TABLES.items())
    csv.add_argument("--table", choices=TABLES, help=f"{tables} (default: curves)")
    csv.add_argument("--score", metavar="CURVE", help="of the table of scores (default: evaluation_return)")
    csv.add_argument("--last", type=int, metavar="N", help="how many of its last points are averaged (default: 1)")
    csv.add_argument("--overwrite", action="store_true", help="replace the file if it exists (also of requirements)")
    wandb = export.add_argument_group("with --to wandb")
    wandb.add_argument("--project", metavar="NAME", help="(default: jaxdqn)")
    wandb.add_argument("--online", action="store_true", help="send the runs now; needs `wandb login` once")


def _add_where(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--where",
        nargs="+",
        action="extend",
        default=[],
        metavar="CONDITION",
        help="only runs with FIELD=VALUE, or != < <= > >= (quote < and > for the shell); several must all hold",
    )
