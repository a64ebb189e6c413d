"""`jaxdqn play`: an agent plays with trained weights; its episodes are shown or filmed, with a line for each.

Modules that take long to import are imported inside functions, so that help is instant.
"""

import argparse
import contextlib
import sys
from pathlib import Path
from typing import Any

from jaxdqn.commands.command import Command
from jaxdqn.commands.errors import ends_quietly, one_sentence, printable
from jaxdqn.commands.options import folder_of

EPISODES = 20  # among which a typical one is looked for
_SMOOTH = 25  # frames a second of a film

_DESCRIPTION = """\
An agent plays with trained weights, and a line says what each episode earned. Boards such as catch are drawn live in
the terminal; where stdout is no terminal or NO_COLOR is set, in plain characters (of the first episode only if it is no
terminal). Other games are seen with --out. Nothing needs a display.
"""
EPILOG = """\
examples:
  jaxdqn play results/catch                                     the best weights of a study, live in the terminal
  jaxdqn play results/catch --arm tutorial --run-seed 0         those of one run
  jaxdqn play results/cartpole --out film.gif                   one episode as an animation
  jaxdqn play results/cartpole --arm strong --typical --out film.gif      a typical episode of a typical run
  jaxdqn play results/cartpole --out strip.png --episodes 3     six frames of each of three episodes
  jaxdqn play results/cartpole --out film.mp4 --width 600       needs pip install "jaxdqn[video]"
  jaxdqn play weights.npz --episodes 100 --epsilon 0.05         with its weights.json beside it
"""


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `jaxdqn play`."""
    parser.add_argument(
        "study",
        type=Path,
        metavar="STUDY",
        help="its folder, the script of an experiment, a run's JSON, or weights",
    )
    which = parser.add_argument_group("which weights of a folder (default: those whose last evaluation earned most)")
    which.add_argument("--game", metavar="NAME", help="the game, if there are several, or it is of a module of yours")
    which.add_argument("--arm", metavar="LABEL", help="the label of the algorithm in the study")
    which.add_argument("--run-seed", type=int, metavar="N", help="the seed that the run was trained with")
    which.add_argument(
        "--typical",
        action="store_true",
        help="the run nearest to the median of its arm, in the episode nearest to its mean return of 20, or --episodes",
    )
    how = parser.add_argument_group("how it plays")
    how.add_argument("--episodes", type=int, metavar="N", help="episodes to play (default: 3, with --out 1)")
    how.add_argument("--seed", type=int, default=0, metavar="S", help="of all chance in these episodes (default: 0)")
    how.add_argument("--epsilon", type=float, default=0.0, metavar="E", help="share of random actions (default: 0)")
    drawn = parser.add_argument_group("how it is drawn")
    drawn.add_argument("--out", type=Path, metavar="FILE", help="a new file: .gif, .png (a strip) or .mp4")
    drawn.add_argument("--width", type=int, default=300, metavar="PIXELS", help="of a frame, at most (default: 300)")
    drawn.add_argument(
        "--every", type=int, metavar="K", help="steps between frames (default: about 25 frames a second)"
    )
    drawn.add_argument(
        "--delay", type=float, metavar="SECONDS", help="that a frame stays (default: the game's own pace)"
    )


def main(options: argparse.Namespace) -> None:
    """Runs the command; bad input ends with one sentence on stderr and exit status 2."""
    with ends_quietly():
        _main(options)


def _main(options: argparse.Namespace) -> None:
    from jaxdqn.interfaces import HostGame
    from jaxdqn.play import agent, episodes, pictures, select_weights, show
    from jaxdqn.store import weights

    folder, _ = folder_of(options.study)
    with one_sentence():
        _check(options)
        encode = None if options.out is None else pictures.encoder(options.out)
        chosen = select_weights.select(
            folder, game=options.game, arm=options.arm, seed=options.run_seed, typical=options.typical
        )
        trained = weights.load(chosen)
        player = agent.make(trained, game_given=options.game)
    number = options.episodes or (1 if encode else 3)
    rendered = encode is not None or show.has_picture(player)
    with contextlib.ExitStack() as stack:
        with one_sentence():
            playing = stack.enter_context(
                episodes.player(player, seed=options.seed, epsilon=options.epsilon, rendered=rendered)
            )
        # Facts are data from outside, and a terminal obeys control characters.
        print(printable(show.description(trained)))
        every = options.every or max(1, round(playing.pace / _SMOOTH))
        seconds = (every if encode else 1) / playing.pace if options.delay is None else options.delay
        film: list[list[Any]] = []
        shown = show.in_terminal(player, seconds) if encode is None else show.to_film(film, options.width, every)
        if options.typical:
            show.play_typical(playing, options.episodes or EPISODES, shown)
        else:
            show.play(playing, number, shown)
    if encode is not None:
        _write(options.out, encode([frames for frames in film if frames], seconds), sum(map(len, film)))
    elif not rendered and (isinstance(player.game, HostGame) or player.game.gymnasium_rendering):
        print("(to see it: --out film.gif)")


def _write(out: Path, content: bytes, number: int) -> None:
    """Writes a film of so many frames, and prints its path and size."""
    from jaxdqn.play.show import MOST_FRAMES
    from jaxdqn.store import files

    with one_sentence():
        files.write_new(out, content)
    print(f"{out}: {number} frames, {len(content) / 1e3:.0f} kB")
    if number == MOST_FRAMES:
        print(f"only the first {number} frames are kept: a larger --every keeps fewer of each episode", file=sys.stderr)


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
            raise ValueError(f"--{name} {value} is out of range: it must lie between {lowest} and {highest}.")


COMMAND = Command(
    "watch trained weights play, in the terminal or as GIF, PNG or mp4",
    _DESCRIPTION,
    add,
    main,
    epilog=EPILOG,
)
