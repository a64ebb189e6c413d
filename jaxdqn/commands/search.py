"""`jaxdqn search`: searches settings of an algorithm on a game, and evaluates the best on other seeds.

Slow modules are imported inside functions, so `--help` is fast.
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
from jaxdqn.commands.options import add_checkpoint, add_memory, add_settings, add_wrappers, count, whole
from jaxdqn.spelling import counted

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from jaxdqn.config import Config
    from jaxdqn.figures.captions import Drawn
    from jaxdqn.search.run_search import Outcome
    from jaxdqn.search.spec import Search
    from jaxdqn.store.record import Run
    from jaxdqn.study.grids import Range

FIRST_SEED = 100  # of tuning; studies report results on seeds from 0 on
FIRST_FINAL_SEED = 5_000
FIRST_TEST_SEED = 10_000
_NUM_POINTS = 20  # default budget besides the final, in points trained to the end


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `jaxdqn search`."""
    parser.add_argument("game", metavar="GAME", help="a name from `jaxdqn list games`")
    parser.add_argument("algorithm", metavar="ALGORITHM", help="a name from `jaxdqn list algorithms`")
    what = parser.add_argument_group("problem")
    what.add_argument(
        "--space",
        nargs="+",
        required=True,
        metavar="FIELD=RANGE",
        help="ranges of fields of the configuration: log:LOW:HIGH, LOW:HIGH, or a list A,B,C (also for structure)",
    )
    what.add_argument(
        "--set", nargs="+", default=[], metavar="FIELD=VALUE", help="values of other fields, equal for all points"
    )
    add_settings(what)
    add_wrappers(what)
    what.add_argument("--steps", type=whole, default=20_000, help="environment steps of a run (default: 20000)")
    what.add_argument("--every", type=whole, default=1_000, help="steps between evaluations (default: 1000)")
    what.add_argument("--episodes", type=whole, default=20, help="episodes of an evaluation (default: 20)")
    what.add_argument(
        "--evaluation-environments",
        type=whole,
        metavar="N",
        help="environments that play an evaluation; 1, with --set num_environments=1, is for games of which only one "
        "environment can exist (default: the episodes)",
    )
    what.add_argument(
        "--last",
        type=whole,
        metavar="N",
        help="number of last evaluations whose mean is the score; 0 for all (default: up to 3)",
    )
    what.add_argument(
        "--tuning-seeds",
        type=whole,
        default=4,
        metavar="N",
        help="runs of a point, with seeds from 100 on (default: 4)",
    )
    what.add_argument(
        "--test-seeds",
        type=whole,
        default=10,
        metavar="N",
        help="runs of the winner and of the default, with seeds from 10000 on (default: 10)",
    )
    how = parser.add_argument_group("search")
    how.add_argument(
        "--budget",
        type=whole,
        metavar="STEPS",
        help="environment steps of all tuning runs and the final (default: enough for 20 points and the final)",
    )
    how.add_argument("--sampler", choices=("tpe", "random", "cma_es"), default="tpe", help="default: tpe")
    how.add_argument(
        "--rungs",
        type=whole,
        nargs="*",
        metavar="STEPS",
        help="steps after which poor points are dropped; no number: never (default: a quarter of the run)",
    )
    how.add_argument("--share", type=float, default=1 / 3, help="fraction of points that pass a rung (default: 1/3)")
    how.add_argument(
        "--keep-undecided",
        action="store_true",
        help="a point also passes a rung if it does not differ significantly from a point that passes",
    )
    how.add_argument(
        "--finalists", type=whole, default=4, metavar="N", help="number of points in the final (default: 4)"
    )
    how.add_argument(
        "--final-seeds",
        type=count,
        default=4,
        metavar="N",
        help="runs of each finalist, with seeds from 5000 on; only these select the winner; 0: no final (default: 4)",
    )
    how.add_argument("--batch", type=whole, default=8, metavar="N", help="points trained together (default: 8)")
    how.add_argument("--seed", type=whole, default=0, metavar="S", help="seed of the sampler (default: 0)")
    running = parser.add_argument_group("running the search")
    running.add_argument("--name", help="name of the folder of the results (default: game and algorithm)")
    running.add_argument("--out", type=Path, default=Path("results"), help="folder (default: results)")
    add_checkpoint(running)
    add_memory(running)


def main(options: argparse.Namespace) -> None:
    """Runs the search, evaluates the winner and the default on test seeds, and prints and draws the results.

    An invalid name or value ends the command with one sentence and exit status 2, before any training.
    """
    from jaxdqn.analysis import study_tables
    from jaxdqn.commands import script
    from jaxdqn.search import samplers
    from jaxdqn.search import spec as searches
    from jaxdqn.store import search_trials
    from jaxdqn.training import devices

    with one_sentence():
        samplers.check()
        search = parsed(options)
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
        options=script.RunOptions(checkpoint_seconds=options.checkpoint, memory=options.memory),
    )


def parsed(options: argparse.Namespace) -> "Search":
    """Returns the search with the options of `add`.

    Raises:
      ValueError: a name or value is invalid. The message names it.
    """
    from jaxdqn import games, settings
    from jaxdqn.games import names
    from jaxdqn.search import halving, samplers
    from jaxdqn.search.spec import Search
    from jaxdqn.training.evaluate import Evaluation

    game = names.wrapped(options.game, options.wrapper)
    games.make(game)
    family = settings.named(options.settings or settings.name_for(game))
    default = family.configuration(options.algorithm)
    ranges = {"tuning": (FIRST_SEED, FIRST_FINAL_SEED), "final": (FIRST_FINAL_SEED, FIRST_TEST_SEED)}
    for kind, (first, end) in ranges.items():
        if first + (number := getattr(options, f"{kind}_seeds")) > end:
            raise ValueError(f"--{kind}-seeds {number} is out of range: it must be at most {end - first:_}.")
    num_runs = _NUM_POINTS * options.tuning_seeds + options.finalists * options.final_seeds
    quarter = options.steps // 4 // max(options.every, 1) * options.every
    rungs = ([quarter] if quarter else []) if options.rungs is None else options.rungs
    num_evaluations = (rungs or [options.steps])[0] // max(options.every, 1)  # until the first rung
    return Search(
        name=options.name or re.sub("[^a-z0-9_-]+", "-", f"{game}-{options.algorithm}-search".lower()),
        game=game,
        config=_changed(default, options.set),
        space={path: range_of(path, text) for path, text in map(_split, options.space)},
        tuning_seeds=range(FIRST_SEED, FIRST_SEED + options.tuning_seeds),
        test_seeds=range(FIRST_TEST_SEED, FIRST_TEST_SEED + options.test_seeds),
        steps=options.steps,
        evaluation=Evaluation(options.every, options.episodes, environments=options.evaluation_environments),
        budget=options.steps * num_runs if options.budget is None else options.budget,
        sampler=samplers.SAMPLERS[options.sampler],
        rungs=rungs,
        share=options.share,
        rule=halving.best_or_undecided if options.keep_undecided else halving.best,
        batch=options.batch,
        final_seeds=range(FIRST_FINAL_SEED, FIRST_FINAL_SEED + options.final_seeds),
        finalists=options.finalists,
        last=min(3, max(num_evaluations, 1)) if options.last is None else options.last or None,
        seed=options.seed,
    )


def range_of(path: str, text: str) -> "Range":
    """Returns the range of a text: `0.9:0.999`, `log:1e-5:1e-2`, or a list such as `1,3,5`.

    Raises:
      ValueError: the text is not a range. The message names the field and the text.
    """
    from jaxdqn.study.grids import Choice, LogUniform, Uniform

    kind, bounds = (LogUniform, text[4:]) if text.startswith("log:") else (Uniform, text)
    low, colon, high = bounds.partition(":")
    if not colon:
        try:
            values = tuple(ast.literal_eval(f"[{text}]"))
        except (ValueError, SyntaxError):  # strings need no quotes
            values = tuple(text.split(","))
        return Choice(values)
    try:
        return kind(float(low), float(high))
    except ValueError as problem:
        raise ValueError(f"--space {path}={text}: {problem}") from None


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


def _changed(config: "Config", changes: Sequence[str]) -> "Config":
    from jaxdqn import config_fields, own_parts, user_modules

    for path, text in map(_split, changes):
        try:
            value = ast.literal_eval(text)
        except (ValueError, SyntaxError):
            value = text  # a string needs no quotes
        if user_modules.is_part(text):
            value = own_parts.named(text)
        config = config_fields.replace_at(config, path, value)
    config_fields.check(config)
    return config


def _split(text: str) -> tuple[str, str]:
    path, equals, value = text.partition("=")
    if not equals or not value:
        raise ValueError(f"{text!r} must be of the form FIELD=VALUE, such as learning_rate=log:1e-5:1e-2.")
    return path.replace("-", "_"), value


COMMAND = Command(
    "search settings of an algorithm on a game with a given budget",
    "Searches settings with Optuna. Points are trained on tuning seeds, and poor points are dropped early. The best "
    "points are trained again on other seeds, and these select the winner. The winner is compared with the default, "
    "the settings that the search starts from, on test seeds, which no selection has used. The same command continues "
    "an interrupted search. It also continues a search with a larger budget.",
    add,
    main,
    epilog="example: jaxdqn search cartpole dqn --space learning_rate=log:1e-5:1e-1 discount=0.8:0.999 n_step=1,3",
)
