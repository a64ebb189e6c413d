"""`jaxdqn play`: an agent plays with trained weights. Episodes are shown in the terminal or saved as a film.

Slow modules are imported inside functions, so `--help` is fast.
"""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxdqn.commands.command import Command
from jaxdqn.commands.errors import ends_quietly, one_sentence, printable
from jaxdqn.commands.options import folder_of, whole
from jaxdqn.spelling import counted

if TYPE_CHECKING:
    from jaxdqn.store.status import Status

EPISODES = 20  # from which a typical one is selected
_FRAMES_PER_SECOND = 25

_DESCRIPTION = """\
An agent plays with trained weights, and a line is printed for the return of each episode. Boards such as catch are
drawn live in the terminal. If NO_COLOR is set or stdout is not a terminal, boards are drawn in plain characters; if
stdout is not a terminal, only the first episode is drawn. Other games need --out. No display is needed.
"""
EPILOG = """\
examples:
  jaxdqn play                                                   the study that was trained last
  jaxdqn play results/catch                                     the best weights of a study, in the terminal
  jaxdqn play results/catch --arm tutorial --run-seed 0         the weights of one run
  jaxdqn play results/lunar_lander --best --out film.gif        weights at the highest evaluation return
  jaxdqn play results/cartpole --out film.gif                   one episode as an animation
  jaxdqn play results/cartpole --arm strong --typical --out film.gif      a typical episode of a typical run
  jaxdqn play results/cartpole --out strip.png --episodes 3     six frames of each of three episodes
  jaxdqn play results/cartpole --out film.mp4 --width 600       needs pip install "jaxdqn[video]"
  jaxdqn play weights.npz --episodes 100 --epsilon 0.05         with weights.json beside it
"""


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `jaxdqn play`."""
    parser.add_argument(
        "study",
        type=Path,
        nargs="?",
        metavar="STUDY",
        help="folder of the study, its name in results, script of an experiment, JSON of a run, or file of weights "
        "(default: the study in results that was trained last)",
    )
    which = parser.add_argument_group("which weights of a folder (default: the highest return of the last evaluation)")
    which.add_argument("--game", metavar="NAME", help="the game, if there are several")
    which.add_argument(
        "--trust",
        nargs="+",
        default=[],
        metavar="MODULE",
        help="your own modules whose code may run, if the run has a game, wrapper or network of your own",
    )
    which.add_argument("--arm", metavar="LABEL", help="the label of the algorithm in the study")
    which.add_argument("--run-seed", type=whole, metavar="N", help="training seed of the run")
    which.add_argument(
        "--typical",
        action="store_true",
        help="the run closest to the median of its arm, in the episode closest to its mean (of 20, or --episodes)",
    )
    which.add_argument(
        "--best", action="store_true", help="weights at the highest evaluation return of a run, not its last ones"
    )
    how = parser.add_argument_group("episodes")
    how.add_argument("--episodes", type=whole, metavar="N", help="number of episodes (default: 3, with --out 1)")
    how.add_argument(
        "--seed", type=whole, default=0, metavar="S", help="seed of the random numbers of these episodes (default: 0)"
    )
    how.add_argument(
        "--epsilon", type=float, default=0.0, metavar="E", help="probability of a random action (default: 0)"
    )
    drawn = parser.add_argument_group("drawing")
    drawn.add_argument("--out", type=Path, metavar="FILE", help="a new file: .gif, .png (a strip) or .mp4")
    drawn.add_argument(
        "--width", type=whole, default=300, metavar="PIXELS", help="maximum width of a frame (default: 300)"
    )
    drawn.add_argument(
        "--every", type=whole, metavar="K", help="steps between frames (default: about 25 frames a second)"
    )
    drawn.add_argument(
        "--delay", type=float, metavar="SECONDS", help="duration of a frame (default: the pace of the game)"
    )


def main(options: argparse.Namespace) -> None:
    """Runs the command. Invalid input exits with status 2 after one sentence on stderr."""
    with ends_quietly():
        _main(options)


def _main(options: argparse.Namespace) -> None:
    from jaxdqn import games
    from jaxdqn.game_interfaces import HostGame
    from jaxdqn.play import agent, episodes, pictures, select_weights, show
    from jaxdqn.store import weights
    from jaxdqn.training import devices

    folder, _ = folder_of(options.study)
    with one_sentence():
        _check(options)
        devices.available()
        game = options.game and games.canonical(options.game)
        encode = None if options.out is None else pictures.encoder(options.out)
        _check_begun(folder)
        chosen = select_weights.select(
            folder,
            game=game,
            arm=options.arm,
            seed=options.run_seed,
            typical=options.typical,
            best=options.best,
        )
        trained = weights.load(chosen, best=options.best)
        _say_if_unfinished(folder)
        player = agent.make(trained, trusted={*options.trust, *(games.modules(game) if game else ())})
    if code := show.changed(trained, player.game):
        verb = "differs" if len(code) == 1 else "differ"
        print(f"note: {printable(' and '.join(code))} {verb} from when the agent was trained", file=sys.stderr)
    number = options.episodes or (1 if encode else 3)
    rendered = encode is not None or show.has_picture(player)
    with (
        one_sentence(),
        episodes.player(player, seed=options.seed, epsilon=options.epsilon, rendered=rendered) as playing,
    ):
        # Stored facts are data from outside: escape control characters.
        print(printable(show.description(trained)))
        every = options.every or max(1, round(playing.pace / _FRAMES_PER_SECOND))
        seconds = (every if encode else 1) / playing.pace if options.delay is None else options.delay
        film: list[list[Any]] = []
        shown = show.in_terminal(player, seconds) if encode is None else show.to_film(film, options.width, every)
        if options.typical:
            show.play_typical(playing, options.episodes or EPISODES, shown)
        else:
            show.play(playing, number, shown)
    if encode is not None:
        film = pictures.of_one_size(film)
        _write(options.out, encode([frames for frames in film if frames], seconds), sum(map(len, film)))
    elif not rendered and (isinstance(player.game, HostGame) or player.game.gymnasium_rendering):
        print("(to see the game: --out film.gif)")


def _status(folder: Path) -> "Status | None":
    """Returns the status of the study in a folder, or None if its requested runs are not known."""
    from jaxdqn.store import manifest, status

    return status.of(folder) if manifest.exists(folder) else None


def _check_begun(folder: Path) -> None:
    """Raises ValueError if no run of a study is finished yet."""
    found = _status(folder)
    if found is not None and found.requested.cells and not found.done:
        counts = f"{len(found.running)} running, {len(found.failed)} failed, {len(found.missing)} missing"
        raise ValueError(
            f"no run of {folder} is finished ({counts}): train it first; `jaxdqn status` shows its progress."
        )


def _say_if_unfinished(folder: Path) -> None:
    """Prints a line on stderr if runs of a study are missing, because the best weights may still come."""
    found = _status(folder)
    if found is not None and len(found.done) < len(found.requested.cells):
        of = counted(len(found.requested.cells), "run")
        print(f"note: the study is not finished: {len(found.done)} of {of} done", file=sys.stderr)


def _write(out: Path, content: bytes, number: int) -> None:
    """Writes a film with this number of frames, and prints its path and size."""
    from jaxdqn.play.show import MOST_FRAMES
    from jaxdqn.store import files

    with one_sentence():
        files.write_new(out, content)
    print(f"{out}: {counted(number, 'frame')}, {len(content) / 1e3:.0f} kB")
    if number == MOST_FRAMES:
        print(
            f"only the first {number} frames are kept; with a larger --every, each episode needs fewer frames",
            file=sys.stderr,
        )


def _check(options: argparse.Namespace) -> None:
    for name, lowest, highest in (
        ("episodes", 1, 10_000),
        ("seed", 0, 2**32 - 1),
        ("epsilon", 0, 1),
        ("width", 16, 4_096),
        ("every", 1, 100_000),
        ("delay", 0, 60),
    ):
        value = getattr(options, name)
        if value is not None and not lowest <= value <= highest:
            raise ValueError(f"--{name} {value} is out of range: it must be between {lowest} and {highest}.")


COMMAND = Command(
    "watch trained weights play, in the terminal or as GIF, PNG or mp4",
    _DESCRIPTION,
    add,
    main,
    epilog=EPILOG,
)
