"""`jaxdqn play`: an agent from weights plays; its episodes are shown, filmed, and told in a line each."""

import argparse
import contextlib
import os
import sys
from pathlib import Path
from typing import Any

from jaxdqn.commands.errors import one_sentence, printable
from jaxdqn.interfaces import HostGame
from jaxdqn.play import agent, episodes, pictures, ranking, select_weights, terminal
from jaxdqn.play.agent import Agent
from jaxdqn.play.terminal import Show
from jaxdqn.store import files, weights

MOST_FRAMES = 2_000  # kept for a file: half a gigabyte at the default width
EPISODES = 20  # among which a typical one is looked for
_SMOOTH = 25  # frames a second of a film


def main(options: argparse.Namespace) -> None:
    """Runs the command; bad input ends with one sentence on stderr and exit status 2.

    Args:
      options: path, game, arm, run_seed, typical, episodes, seed, epsilon, out, width, every, delay; as
        `jaxdqn.commands` reads them.
    """
    try:
        _main(options)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        raise SystemExit(130) from None
    except BrokenPipeError:  # who reads the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python complains when it ends
        raise SystemExit(1) from None


def _main(options: argparse.Namespace) -> None:
    with one_sentence():
        _check(options)
        encode = None if options.out is None else pictures.encoder(options.out)
        chosen = select_weights.select(
            options.study, game=options.game, arm=options.arm, seed=options.run_seed, typical=options.typical
        )
        trained = weights.load(chosen)
        player = agent.make(trained, game_given=options.game)
    number = options.episodes or (1 if encode else 3)
    rendered = encode is not None or _has_picture(player)
    with contextlib.ExitStack() as stack:
        with one_sentence():
            seat = episodes.player(player, seed=options.seed, epsilon=options.epsilon, rendered=rendered)
            playing = stack.enter_context(seat)
        print(_described(trained))
        every = options.every or max(1, round(playing.pace / _SMOOTH))
        film: list[list[Any]] = []
        show = _shown(player, options, playing.pace) if encode is None else _filmed(film, options.width, every)
        if options.typical:
            _play_typical(playing, options.episodes or EPISODES, show)
        else:
            _play(playing, number, show)
    if encode is not None:
        seconds = every / playing.pace if options.delay is None else options.delay
        _write(options.out, encode([frames for frames in film if frames], seconds), sum(map(len, film)))
    elif not rendered and (isinstance(player.game, HostGame) or player.game.gymnasium_rendering):
        print("(to see it: --out film.gif)")


def _write(out: Path, content: bytes, number: int) -> None:
    """Writes a film of so many frames, and says so."""
    with one_sentence():
        files.write_new(out, content)
    print(f"{out}: {number} frames, {len(content) / 1e3:.0f} kB")
    if number == MOST_FRAMES:
        print(f"only the first {number} frames are kept: a larger --every draws fewer of each", file=sys.stderr)


def _play(playing: episodes.Player, number: int, show: Show) -> None:
    """Plays episodes, shows them, and prints a line for each and the mean."""
    returns = []
    for episode in range(number):
        for moment in playing.play(episode):
            show(episode, moment)
        returns.append(moment.total)
        print(f"episode {episode}: return {moment.total:g}, {moment.steps} steps", flush=True)
    print(f"mean return of {number} {'episode' if number == 1 else 'episodes'}: {sum(returns) / number:g}")


def _play_typical(playing: episodes.Player, number: int, show: Show) -> None:
    """Plays episodes, shows the one whose return is nearest to their mean, and prints both."""
    returns = [[moment.total for moment in playing.play(episode)][-1] for episode in range(number)]
    mean = sum(returns) / number
    nearest = min(range(number), key=lambda episode: (abs(returns[episode] - mean), episode))
    for moment in playing.play(nearest):
        show(0, moment)
    said = f"return {moment.total:g}, {moment.steps} steps"
    print(f"episode {nearest}: {said}, nearest of {number} to their mean return {mean:g}", flush=True)


def _has_picture(player: Agent) -> bool:
    return not isinstance(player.game, HostGame) and player.game.render_board is not None


def _shown(player: Agent, options: argparse.Namespace, pace: float) -> Show:
    if not _has_picture(player):
        return lambda episode, moment: None
    if terminal.is_live(sys.stdout):
        return terminal.live(sys.stdout, 1 / pace if options.delay is None else options.delay)
    return terminal.boards(sys.stdout, only_first=not sys.stdout.isatty())


def _filmed(film: list[list[Any]], width: int, every: int) -> Show:
    """Returns what adds frames to a film: every so many steps, and the last of each episode."""

    def show(episode: int, moment: episodes.Moment) -> None:
        if moment.steps == 0:
            film.append([])
        if (moment.steps % every == 0 or moment.ended) and sum(map(len, film)) < MOST_FRAMES:
            film[episode].append(pictures.resized(moment.render(), width))

    return show


def _described(trained: weights.Weights) -> str:
    """Returns a line about the run that is shown."""
    facts = trained.facts
    returns = ranking.evaluation_returns(trained.path, facts)
    stands = ranking.standing(trained.path, facts) if returns else None
    known = [
        facts.get("algorithm"),
        *(f"{field} {value}" for field, value in sorted(_dictionary(facts.get("settings")).items())),
        f"seed {facts['seed']}" if "seed" in facts else None,
        f"{facts['steps']:,} steps" if isinstance(facts.get("steps"), int) else None,
        f"last evaluation {returns[-1]:g}" if returns else None,
        f"number {stands.rank} of {stands.num_runs} runs, whose median is {stands.median:g}" if stands else None,
    ]
    about = ", ".join(str(fact) for fact in known if fact is not None) or "weights"
    # Facts are data from outside, and a terminal obeys control characters.
    return printable(f"{facts['game']['name']}: {about} ({trained.path})")


def _dictionary(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


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
