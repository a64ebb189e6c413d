"""`jaxdqn search`: searches settings of an algorithm on a game, and evaluates the best on other seeds.

Slow modules are imported inside functions, so `--help` is fast.
"""

import argparse
import functools
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxdqn.commands import search_options
from jaxdqn.commands.command import Command
from jaxdqn.commands.errors import one_sentence
from jaxdqn.spelling import counted

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from jaxdqn.figures.captions import Drawn
    from jaxdqn.search.run_search import Outcome
    from jaxdqn.search.spec import Search
    from jaxdqn.store.record import Run


def main(options: argparse.Namespace) -> None:
    """Runs the search, evaluates the winner and the default on test seeds, and prints and draws the results.

    An invalid name or value ends the command with one sentence and exit status 2, before any training.
    """
    from jaxdqn.analysis import study_tables
    from jaxdqn.commands import script
    from jaxdqn.commands.run_study import RunOptions
    from jaxdqn.search import samplers
    from jaxdqn.search import spec as searches
    from jaxdqn.store import search_trials
    from jaxdqn.training import devices

    with one_sentence():
        samplers.check()
        search = search_options.parsed(options)
    devices.use_all_cores()
    devices.keep_compiled_programs()
    settings = _search(search, options)
    print(f"The score of a point is its mean over seeds. {search_trials.score_definition(searches.about(search))}")
    shown = {path: f"{value:.4g}" if isinstance(value, float) else str(value) for path, value in settings.items()}
    print("chosen  " + ", ".join(f"{path} = {value}" for path, value in shown.items()))
    script.run_and_show(
        searches.test_study(search, settings),
        options.out,
        functools.partial(_draw, search, options.out),
        functools.partial(study_tables.table, last=search.last or search.steps // search.evaluation.every),
        options=RunOptions(checkpoint_seconds=options.checkpoint, memory=options.memory),
    )


def _search(search: "Search", options: argparse.Namespace) -> dict[str, Any]:
    """Runs the search, prints its result in numbers, and returns the best settings."""
    from jaxdqn.search import run_search
    from jaxdqn.study import progress

    num_runs = search.budget // search.steps
    try:
        with progress.Bar(num_runs, search.steps) as bar:
            bar.group(f"{search.game}: {search.sampler.__name__}", num_runs)
            with one_sentence():
                found = run_search.run(
                    search,
                    options.out,
                    checkpoint_seconds=options.checkpoint,
                    memory=options.memory,
                    advanced=bar.advance,
                )
    except KeyboardInterrupt:
        print("interrupted: finished work is stored; run the same command to continue", file=sys.stderr)
        raise SystemExit(130) from None
    _report(found, search, options.out)
    with one_sentence():
        return run_search.best(found)


def _report(found: "Outcome", search: "Search", out: Path) -> None:
    """Prints the numbers of points that were suggested, trained, failed and diverged."""
    import numpy as np

    from jaxdqn.search import halving

    num_whole = sum(len(wave.points) for wave in found.waves if wave.rung == len(search.rungs))
    print(
        f"{counted(len(found.settings), 'point')} suggested, {num_whole} trained to the end, {found.spent:,} "
        f"environment steps of {search.budget:,} spent, in {found.seconds:.0f} s",
        file=sys.stderr,
    )
    num_failed = sum(bool(np.isnan(scores).any()) for wave in found.waves for scores in wave.scores)
    if num_failed:
        folder = out / search.name / "tuning" / "failures"
        print(f"{counted(num_failed, 'point')} failed; the tracebacks are in {folder}", file=sys.stderr)
    num_diverged = len(halving.diverged(found.waves))
    if num_diverged:
        print(f"{counted(num_diverged, 'point')} diverged and ranked below all others", file=sys.stderr)


def _draw(search: "Search", out: Path, runs: "Sequence[Run]") -> "Mapping[str, Figure | Drawn]":
    """Returns the learning curves on test seeds, and the figures of the search."""
    from jaxdqn.figures import search as figures
    from jaxdqn.figures.captions import Drawn, of_search
    from jaxdqn.figures.learning_curves import learning_curves
    from jaxdqn.search import spec as searches
    from jaxdqn.store import search_trials

    found = search_trials.read(out / search.name / "tuning")
    method = search.sampler.__name__ + (" + halving" if search.rungs else "")
    drawn: dict[str, Figure | Drawn] = {"": learning_curves(runs, order=(searches.DEFAULT, searches.TUNED))}
    progress = {search.game: {method: figures.progress_of(found)}}
    of_points = {
        "progress": figures.best_so_far(progress, score=search_trials.score_definition(found.facts)),
        "points": figures.parallel_coordinates(found),
    }
    if found.importance.shares:
        of_points["importance"] = figures.importance(found)
    return drawn | {name: Drawn(figure, of_search(found)) for name, figure in of_points.items()}


COMMAND = Command(
    "search settings of an algorithm on a game with a given budget",
    "Searches settings with Optuna. Points are trained on tuning seeds, and poor points are dropped early. The best "
    "points are trained again on other seeds, and these select the winner. The winner is compared with the default, "
    "the settings that the search starts from, on test seeds, which no selection has used. The same command continues "
    "an interrupted search. It also continues a search with a larger budget.",
    search_options.add,
    main,
    epilog="example: jaxdqn search cartpole dqn --space learning_rate=log:1e-5:1e-1 discount=0.8:0.999 n_step=1,3",
)
