"""The options of `jaxdqn status`. Nothing is imported that would make help wait."""

from pathlib import Path
from typing import Any


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
