"""Episodes that an agent plays: shown in the terminal or kept as a film, with one line for each."""

import sys
from typing import Any

from jaxdqn.analysis import code_of_runs
from jaxdqn.game_interfaces import AnyGame, HostGame
from jaxdqn.play import episodes, pictures, rank_runs, terminal
from jaxdqn.play.agent import Agent
from jaxdqn.play.terminal import Show
from jaxdqn.store import schema
from jaxdqn.store.weights import Weights

MOST_FRAMES = 2_000  # of a film: half a gigabyte at the default width


def play(playing: episodes.Player, number: int, show: Show) -> None:
    """Plays episodes, shows them, and prints a line for each and the mean."""
    returns = []
    for episode in range(number):
        for moment in playing.play(episode):
            show(episode, moment)
        returns.append(moment.total)
        print(f"episode {episode}: return {moment.total:g}, {moment.steps} steps", flush=True)
    print(f"mean return of {number} {'episode' if number == 1 else 'episodes'}: {sum(returns) / number:g}")


def play_typical(playing: episodes.Player, number: int, show: Show) -> None:
    """Plays episodes, shows the one whose return is nearest to their mean, and prints both."""
    returns = [[moment.total for moment in playing.play(episode)][-1] for episode in range(number)]
    mean = sum(returns) / number
    nearest = min(range(number), key=lambda episode: (abs(returns[episode] - mean), episode))
    for moment in playing.play(nearest):
        show(0, moment)
    text = f"return {moment.total:g}, {moment.steps} steps"
    print(f"episode {nearest}: {text}, nearest of {number} to their mean return {mean:g}", flush=True)


def has_picture(player: Agent) -> bool:
    """Returns whether the game is a board that a terminal can show."""
    return not isinstance(player.game, HostGame) and player.game.render_board is not None


def in_terminal(player: Agent, seconds: float) -> Show:
    """Returns a function that shows a board in the terminal, `seconds` a frame, or nothing for other games."""
    if not has_picture(player):
        return lambda episode, moment: None
    if terminal.is_live(sys.stdout):
        return terminal.live(sys.stdout, seconds)
    return terminal.boards(sys.stdout, only_first=not sys.stdout.isatty())


def to_film(film: list[list[Any]], width: int, every: int) -> Show:
    """Returns a function that appends frames to a film: one in `every` steps, and the last of each episode.

    Args:
      film: the frames of each episode, which grow.
      width: of a frame, in pixels, at most.
      every: steps between frames.
    """

    def show(episode: int, moment: episodes.Moment) -> None:
        if moment.steps == 0:
            film.append([])
        if (moment.steps % every == 0 or moment.ended) and sum(map(len, film)) < MOST_FRAMES:
            film[episode].append(pictures.resized(moment.render(), width))

    return show


def changed(trained: Weights, game: AnyGame) -> list[str]:
    """Returns the code of a game that is not what it was when the weights were trained: `the source of my_envs`."""
    now = {"game": schema.without_empty(game.code._asdict())}
    return code_of_runs.differences(trained.facts, now, code_of_runs.OF_GAME)


def description(trained: Weights) -> str:
    """Returns one line about the run whose weights play."""
    facts = trained.facts
    returns = rank_runs.evaluation_returns(trained.path, facts)
    rank = rank_runs.standing(trained.path, facts) if returns else None
    known = [
        facts.get("algorithm"),
        *(f"{field} {value}" for field, value in sorted(_dictionary(facts.get("settings")).items())),
        f"seed {facts['seed']}" if "seed" in facts else None,
        f"{facts['steps']:,} steps" if isinstance(facts.get("steps"), int) else None,
        _evaluation(trained, returns) if returns else None,
        f"number {rank.rank} of {rank.num_runs} runs, whose median is {rank.median:g}" if rank else None,
    ]
    about = ", ".join(str(fact) for fact in known if fact is not None) or "weights"
    return f"{facts['game']['name']}: {about} ({trained.path})"


def _evaluation(trained: Weights, returns: list[float]) -> str:
    if trained.step is None:
        return f"last evaluation {returns[-1]:g}"
    return f"best evaluation {max(returns):g} after {trained.step:,} steps (the last one {returns[-1]:g})"


def _dictionary(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
