"""`jaxdqn search`: settings of an algorithm on a game, chosen on tuning seeds and evaluated on others.

Modules that take long to import are imported inside functions, so that help is instant.
"""

import argparse
import ast
import functools
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxdqn.commands.command import Command
from jaxdqn.commands.errors import one_sentence
from jaxdqn.commands.options import add_memory, count, seconds

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from jaxdqn.config import Config
    from jaxdqn.figures.captions import Drawn
    from jaxdqn.search.spec import Search
    from jaxdqn.store.record import Run
    from jaxdqn.study.grids import Range

FIRST_SEED = 100  # of tuning: studies report on those from 0 on
FIRST_FINAL_SEED = 5_000
FIRST_TEST_SEED = 10_000
_POINTS = 20  # of whole runs, that the budget is worth beside the final if none is given


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `jaxdqn search`."""
    parser.add_argument("game", metavar="GAME", help="a name from `jaxdqn list games`, or gymnasium:ID")
    parser.add_argument("algorithm", metavar="ALGORITHM", help="a name from `jaxdqn list algorithms`")
    what = parser.add_argument_group("what is searched")
    what.add_argument(
        "--space",
        nargs="+",
        required=True,
        metavar="FIELD=RANGE",
        help="fields of the configuration: log:LOW:HIGH, LOW:HIGH, or a list A,B,C, for structure as well",
    )
    what.add_argument("--set", nargs="+", default=[], metavar="FIELD=VALUE", help="other fields, for all points")
    what.add_argument("--steps", type=int, default=20_000, help="of a run, environment steps (default: 20000)")
    what.add_argument("--every", type=int, default=1_000, help="steps between evaluations (default: 1000)")
    what.add_argument("--episodes", type=int, default=20, help="of an evaluation (default: 20)")
    what.add_argument(
        "--last", type=int, metavar="N", help="evaluations that a score averages; 0 for all (default: up to 3)"
    )
    what.add_argument(
        "--tuning-seeds", type=int, default=4, metavar="N", help="runs of a point, with seeds from 100 on (default: 4)"
    )
    what.add_argument(
        "--test-seeds",
        type=int,
        default=10,
        metavar="N",
        help="runs that judge, with seeds from 10000 on (default: 10)",
    )
    how = parser.add_argument_group("how it is searched")
    how.add_argument(
        "--budget",
        type=int,
        metavar="STEPS",
        help="of all tuning runs and the final (default: what the final and 20 points trained to the end take)",
    )
    how.add_argument("--sampler", choices=("tpe", "random", "cma_es"), default="tpe", help="(default: tpe)")
    how.add_argument(
        "--rungs",
        type=int,
        nargs="*",
        metavar="STEPS",
        help="after which poor points are dropped; none without a number (default: a quarter of the run)",
    )
    how.add_argument("--share", type=float, default=1 / 3, help="of the points that passes a rung (default: 1/3)")
    how.add_argument(
        "--keep-undecided", action="store_true", help="also points that the seeds cannot tell from those that pass"
    )
    how.add_argument(
        "--finalists", type=int, default=4, metavar="N", help="best points that the final is between (default: 4)"
    )
    how.add_argument(
        "--final-seeds",
        type=count,
        default=4,
        metavar="N",
        help="runs of a finalist, with seeds from 5000 on, which alone say who wins; 0 for no final (default: 4)",
    )
    how.add_argument("--batch", type=int, default=8, metavar="N", help="points trained side by side (default: 8)")
    how.add_argument("--seed", type=int, default=0, metavar="S", help="of what the sampler draws (default: 0)")
    running = parser.add_argument_group("how it is run")
    running.add_argument("--name", help="of the folder of its results (default: game and algorithm)")
    running.add_argument("--out", type=Path, default=Path("runs"), help="folder (default: runs)")
    running.add_argument(
        "--checkpoint", type=seconds, default=300.0, metavar="SECONDS", help="of training between checkpoints"
    )
    add_memory(running)


def main(options: argparse.Namespace) -> None:
    """Searches, runs the choice and the default on the test seeds, and prints and draws what came out.

    A name or value that is not allowed ends the program with one sentence and exit status 2, before work starts.
    """
    from jaxdqn.analysis import study_tables
    from jaxdqn.commands import script
    from jaxdqn.search import samplers
    from jaxdqn.search import spec as searches
    from jaxdqn.store import trials
    from jaxdqn.training import devices

    with one_sentence():
        samplers.check()
        search = parsed(options)
    devices.use_all_cores()
    devices.keep_compiled_programs()
    settings = _searched(search, options)
    print(f"A point scores by its mean over seeds. {trials.score_definition(searches.about(search))}")
    print("chosen  " + ", ".join(f"{path} = {_shown(value)}" for path, value in settings.items()))
    script.run_and_show(
        searches.test_study(search, settings),
        options.out,
        functools.partial(_drawn, search, options.out),
        functools.partial(study_tables.table, last=search.last or search.steps // search.evaluation.every),
        running=script.Running(checkpoint_seconds=options.checkpoint, memory=options.memory),
    )


def parsed(options: argparse.Namespace) -> "Search":
    """Returns the search that the options of `add` describe.

    Raises:
      ValueError: in one sentence, naming what is not allowed.
    """
    from jaxdqn import games
    from jaxdqn.algorithms import configuration_of
    from jaxdqn.search import halving, samplers
    from jaxdqn.search.spec import Search
    from jaxdqn.training.evaluate import Evaluation

    games.make(options.game)
    default = configuration_of(options.algorithm)
    ranges = {"tuning": (FIRST_SEED, FIRST_FINAL_SEED), "final": (FIRST_FINAL_SEED, FIRST_TEST_SEED)}
    for kind, (first, end) in ranges.items():
        if first + (number := getattr(options, f"{kind}_seeds")) > end:
            raise ValueError(f"--{kind}-seeds {number} are too many: at most {end - first:_}.")
    num_runs = _POINTS * options.tuning_seeds + options.finalists * options.final_seeds
    quarter = options.steps // 4 // max(options.every, 1) * options.every
    rungs = ([quarter] if quarter else []) if options.rungs is None else options.rungs
    at_first = (rungs or [options.steps])[0] // max(options.every, 1)  # evaluations until there
    return Search(
        name=options.name or re.sub("[^a-z0-9_-]+", "-", f"{options.game}-{options.algorithm}-search".lower()),
        game=options.game,
        config=_changed(default, options.set),
        space={path: range_of(path, text) for path, text in map(_split, options.space)},
        tuning_seeds=range(FIRST_SEED, FIRST_SEED + options.tuning_seeds),
        test_seeds=range(FIRST_TEST_SEED, FIRST_TEST_SEED + options.test_seeds),
        steps=options.steps,
        evaluation=Evaluation(every=options.every, episodes=options.episodes),
        budget=options.steps * num_runs if options.budget is None else options.budget,
        sampler=samplers.SAMPLERS[options.sampler],
        rungs=rungs,
        share=options.share,
        rule=halving.best_or_undecided if options.keep_undecided else halving.best,
        batch=options.batch,
        final_seeds=range(FIRST_FINAL_SEED, FIRST_FINAL_SEED + options.final_seeds),
        finalists=options.finalists,
        last=min(3, max(at_first, 1)) if options.last is None else options.last or None,
        seed=options.seed,
    )


def range_of(path: str, text: str) -> "Range":
    """Returns the range that a text stands for: `0.9:0.999`, `log:1e-5:1e-2`, or a list such as `1,3,5`.

    Raises:
      ValueError: naming the field and the text.
    """
    from jaxdqn.study.grids import Choice, LogUniform, Uniform

    kind, bounds = (LogUniform, text[4:]) if text.startswith("log:") else (Uniform, text)
    low, colon, high = bounds.partition(":")
    if not colon:
        return Choice(_listed(text))
    try:
        return kind(float(low), float(high))
    except ValueError as problem:
        raise ValueError(f"--space {path}={text}: {problem}") from None


def _searched(search: "Search", options: argparse.Namespace) -> dict[str, Any]:
    import numpy as np

    from jaxdqn.search import halving, run_search
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
        print("interrupted: nothing is lost; run the same command again to go on", file=sys.stderr)
        raise SystemExit(130) from None
    num_whole = sum(len(wave.points) for wave in found.waves if wave.rung == len(search.rungs))
    print(
        f"{len(found.settings)} points asked, {num_whole} trained to the end, {found.spent:,} environment steps of "
        f"{search.budget:,} spent, in {found.seconds:.0f} s",
        file=sys.stderr,
    )
    num_failed = sum(bool(np.isnan(scores).any()) for wave in found.waves for scores in wave.scores)
    if num_failed:
        folder = options.out / search.name / "tuning" / "failures"
        print(f"{num_failed} points could not be trained; {folder} holds the tracebacks", file=sys.stderr)
    num_diverged = len(halving.diverged(found.waves))
    if num_diverged:
        print(f"{num_diverged} points diverged, and count as worse than all others", file=sys.stderr)
    with one_sentence():
        return run_search.best(found)


def _drawn(search: "Search", out: Path, runs: "Sequence[Run]") -> "Mapping[str, Figure | Drawn]":
    """Returns the learning curves on test seeds, and the figures of the search."""
    from jaxdqn.figures import search as figures
    from jaxdqn.figures.captions import Drawn, of_search
    from jaxdqn.figures.learning_curves import learning_curves
    from jaxdqn.search import spec as searches
    from jaxdqn.store import trials

    found = trials.read(out / search.name / "tuning")
    method = search.sampler.__name__ + (" + halving" if search.rungs else "")
    drawn: dict[str, Figure | Drawn] = {
        "": learning_curves(runs, order=(searches.DEFAULT, searches.TUNED)),
    }
    progress = {search.game: {method: figures.progress_of(found)}}
    of_points = {
        "progress": figures.best_so_far(progress, score=trials.score_definition(found.facts)),
        "points": figures.parallel_coordinates(found),
    }
    if found.importance.shares:
        of_points["importance"] = figures.importance(found)
    return drawn | {name: Drawn(figure, of_search(found)) for name, figure in of_points.items()}


def _changed(config: "Config", changes: Sequence[str]) -> "Config":
    from jaxdqn import fields

    for path, text in map(_split, changes):
        try:
            value = ast.literal_eval(text)
        except (ValueError, SyntaxError):
            value = text  # a name
        config = fields.replace_at(config, path, value)
    fields.check(config)
    return config


def _split(text: str) -> tuple[str, str]:
    path, equals, value = text.partition("=")
    if not equals or not value:
        raise ValueError(f"{text!r} must be of the form FIELD=VALUE, such as learning_rate=log:1e-5:1e-2.")
    return path.replace("-", "_"), value


def _listed(text: str) -> tuple[Any, ...]:
    """Returns the values of a list: numbers, True, False, None and tuples as Python writes them, else names."""
    try:
        found = ast.literal_eval(f"[{text}]")
        return tuple(found)
    except (ValueError, SyntaxError):
        return tuple(text.split(","))


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


COMMAND = Command(
    "search settings of an algorithm on a game, within a budget",
    "Searches settings with Optuna. Points are trained on tuning seeds, and poor points are dropped early. The best "
    "points meet in a final on further seeds. The winner of the final is compared with the default on test seeds that "
    "no choice has seen. The same command continues a search that was interrupted, or whose budget has grown.",
    add,
    main,
    epilog="example: jaxdqn search cartpole dqn --space learning_rate=log:1e-5:1e-1 discount=0.8:0.999 n_step=1,3",
)
