"""The command `jaxdqn`: every capability of the project without a line of Python.

JAX is imported by the command that needs it, so that help comes at once.
"""

import argparse
import pathlib
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from jaxdqn.commands import arguments as options_of_results
from jaxdqn.commands import export, pack, runs
from jaxdqn.commands import figure_options as options_of_figures
from jaxdqn.commands import options as options_of_studies

DESCRIPTION = "The Deep-Q-Network family in JAX, from a game to a figure."
EPILOG = """\
examples:
  jaxdqn list games
  jaxdqn train acrobot double_dqn --steps 150000 --seeds 10 --learning-rate 5e-4 --out my_results
  jaxdqn train catch dqn --help                     every option of the algorithm's configuration
  jaxdqn plan experiments/classic_control.py        what it would take
  jaxdqn run experiments/classic_control.py         the same as running the script
  jaxdqn search cartpole dqn --space learning_rate=log:1e-5:1e-1 discount=0.8:0.999 n_step=1,3
  jaxdqn status results/classic_control
  jaxdqn runs --where learning_rate=0.001 game=cartpole
  jaxdqn figure results/classic_control curves
  jaxdqn export results/catch --to csv --out curves.csv
  jaxdqn pack results/catch                         one file in place of one for each run
  jaxdqn play results/catch                         trained weights, live in the terminal
"""
PLAY = """\
An agent plays with trained weights, and a line says what each episode earned. Boards such as catch are drawn live in
the terminal; where stdout is no terminal or NO_COLOR is set, in plain characters (of the first episode only if it is no
terminal). Other games are seen with --out. Nothing needs a display.
"""
PLAY_EPILOG = """\
examples:
  jaxdqn play results/catch                                     the best weights of a study, live in the terminal
  jaxdqn play results/catch --arm tutorial --run-seed 0         those of one run
  jaxdqn play results/cartpole --out film.gif                   one episode as an animation
  jaxdqn play results/cartpole --arm strong --typical --out film.gif      a typical episode of a typical run
  jaxdqn play results/cartpole --out strip.png --episodes 3     six frames of each of three episodes
  jaxdqn play results/cartpole --out film.mp4 --width 600       needs pip install "jaxdqn[video]"
  jaxdqn play weights.npz --episodes 100 --epsilon 0.05         with its weights.json beside it
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line; bad input ends with one sentence and exit status 2."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    # `train GAME ALGORITHM` and `run SCRIPT` have options of their own, behind the names.
    names = {"train": 2, "run": 1}.get(arguments[0] if arguments else "", 0)
    named = arguments[: 1 + names]
    behind = names if len(named) > names and not any(word.startswith("-") for word in named) else 0
    chosen = _parser().parse_args(named if behind else arguments)
    rest = arguments[1 + names :]
    if chosen.command in ("status", "figure", "export", "play") and chosen.study.suffix == ".py":
        from jaxdqn.commands import plan

        out = chosen.out if chosen.command == "status" else pathlib.Path("results")  # the others' is for what they make
        chosen.study, chosen.wanted = plan.wanted(chosen.study, out)
    match chosen.command:
        case "list":
            _list(chosen.table)
        case "train":
            from jaxdqn.commands import train

            train.main(chosen.game, chosen.algorithm, rest)
        case "run":
            from jaxdqn.commands import plan

            plan.run(chosen.study, rest)
        case "plan":
            from jaxdqn.commands import plan

            plan.plan(chosen)
        case "search":
            from jaxdqn.commands import search

            search.main(chosen)
        case "status":
            from jaxdqn.commands import status

            status.main(chosen)
        case "runs":
            runs.main(chosen)
        case "figure":
            from jaxdqn.commands import figure as figure_command

            figure_command.main(chosen)
        case "export":
            export.main(chosen)
        case "pack":
            pack.main(chosen)
        case "play":
            from jaxdqn.commands import play as play_command

            play_command.main(chosen)


def _parser() -> argparse.ArgumentParser:
    style = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("jaxdqn", description=DESCRIPTION, epilog=EPILOG, formatter_class=style)
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    listing = subparsers.add_parser("list", help="the games or the algorithms, one line each")
    listing.add_argument("table", choices=("games", "algorithms"))
    training = subparsers.add_parser(
        "train",
        help="train one algorithm on one game: results, a figure and a short table",
        usage="jaxdqn train GAME ALGORITHM [--steps N] [--seeds N] [--out DIR] [any field of the configuration]",
        description="Trains an algorithm on a game over several seeds; ends in a result folder, a figure and a table.",
        epilog="`jaxdqn train GAME ALGORITHM --help` shows every option with its default.",
    )
    training.add_argument("game", metavar="GAME", help="a name from `jaxdqn list games`, or gymnasium:ID")
    training.add_argument("algorithm", metavar="ALGORITHM", help="a name from `jaxdqn list algorithms`")
    options_of_studies.add_plan(subparsers)
    options_of_studies.add_run(subparsers)
    options_of_studies.add_search(subparsers)
    options_of_results.add_status(subparsers)
    runs.add(subparsers)
    options_of_figures.add_figure(subparsers)
    export.add(subparsers)
    pack.add(subparsers)
    playing = subparsers.add_parser(
        "play",
        help="watch trained weights play, in the terminal or as GIF, PNG or mp4",
        description=PLAY,
        epilog=PLAY_EPILOG,
        formatter_class=style,
    )
    _add_options_of_play(playing)
    return parser


def _add_options_of_play(playing: argparse.ArgumentParser) -> None:
    playing.add_argument(
        "study",
        type=pathlib.Path,
        metavar="STUDY",
        help="its folder, the script of an experiment, a run's JSON, or weights",
    )
    which = playing.add_argument_group("which weights of a folder (default: those whose last evaluation earned most)")
    which.add_argument("--game", metavar="NAME", help="the game, if there are several, or it is of a module of yours")
    which.add_argument("--arm", metavar="LABEL", help="the label of the algorithm in the study")
    which.add_argument("--run-seed", type=int, metavar="N", help="the seed that the run was trained with")
    which.add_argument(
        "--typical",
        action="store_true",
        help="the run nearest to the median of its arm, in the episode nearest to its mean return of 20, or --episodes",
    )
    how = playing.add_argument_group("how it plays")
    how.add_argument("--episodes", type=int, metavar="N", help="episodes to play (default: 3, with --out 1)")
    how.add_argument("--seed", type=int, default=0, metavar="S", help="of all chance in these episodes (default: 0)")
    how.add_argument("--epsilon", type=float, default=0.0, metavar="E", help="share of random actions (default: 0)")
    drawn = playing.add_argument_group("how it is drawn")
    drawn.add_argument("--out", type=pathlib.Path, metavar="FILE", help="a new file: .gif, .png (a strip) or .mp4")
    drawn.add_argument("--width", type=int, default=300, metavar="PIXELS", help="of a frame, at most (default: 300)")
    drawn.add_argument(
        "--every", type=int, metavar="K", help="steps between frames (default: about 25 frames a second)"
    )
    drawn.add_argument(
        "--delay", type=float, metavar="SECONDS", help="that a frame stays (default: the game's own pace)"
    )


def _list(table: str) -> None:
    from jaxdqn.algorithms import ALGORITHMS
    from jaxdqn.games import GAMES

    tables: dict[str, Mapping[str, Any]] = {"games": GAMES, "algorithms": ALGORITHMS}
    entries = tables[table]
    width = max(map(len, entries))
    for name, entry in entries.items():
        print(f"{name:{width}}  {entry.summary}")
    if table == "games":
        print("any discrete-action gymnasium environment: gymnasium:ID, e.g. gymnasium:LunarLander-v3 (box2d extra)")
