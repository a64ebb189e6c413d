"""The options of `jaxdqn search`, and the search that they describe.

Slow modules are imported inside functions, so `--help` is fast.
"""

import argparse
import ast
import math
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxdqn.commands.options import add_checkpoint, add_memory, add_settings, add_wrappers, count, whole

if TYPE_CHECKING:
    from jaxdqn.config import Config
    from jaxdqn.search.spec import Search
    from jaxdqn.study.grids import Range
    from jaxdqn.training.round_counts import Change

FIRST_SEED = 100  # of tuning; studies report results on seeds from 0 on
FIRST_FINAL_SEED = 5_000
FIRST_TEST_SEED = 10_000
_NUM_POINTS = 20  # default budget besides the final, in points trained to the end
_OPTIONS = {"evaluation.every": "--every", "steps": "--steps", "rungs": "--rungs"}
_EVERY = 1_000  # steps between evaluations where that fits the steps


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `jaxdqn search`."""
    parser.add_argument("game", metavar="GAME", help="a name from `jaxdqn list games`")
    parser.add_argument("algorithm", metavar="ALGORITHM", help="a name from `jaxdqn list algorithms`")
    _add_problem(parser.add_argument_group("problem"))
    _add_method(parser.add_argument_group("search"))
    running = parser.add_argument_group("running the search")
    running.add_argument("--name", help="name of the folder of the results (default: game and algorithm)")
    running.add_argument("--out", type=Path, default=Path("results"), help="folder (default: results)")
    add_checkpoint(running)
    add_memory(running)


def _add_problem(what: Any) -> None:
    """Adds the options of what is searched: the space, the settings, and the length and seeds of runs."""
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
    what.add_argument(
        "--every",
        type=whole,
        help="steps between evaluations (default: 1000 if that is 20 to 40 evaluations, else derived from the steps)",
    )
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


def _add_method(how: Any) -> None:
    """Adds the options of how points are chosen, dropped and compared."""
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


def parsed(options: argparse.Namespace) -> "Search":
    """Returns the search with the options of `add`. Lines on stderr name the counts that it rounds up.

    Raises:
      ValueError: a name or value is invalid. The message names it.
    """
    from jaxdqn import games, settings
    from jaxdqn.games import names
    from jaxdqn.search import halving, samplers
    from jaxdqn.search.spec import Search
    from jaxdqn.training import round_counts
    from jaxdqn.training.evaluate import Evaluation

    game = names.wrapped(options.game, options.wrapper)
    games.make(game)
    family = settings.named(options.settings or settings.name_for(game))
    default = family.configuration(options.algorithm)
    ranges = {"tuning": (FIRST_SEED, FIRST_FINAL_SEED), "final": (FIRST_FINAL_SEED, FIRST_TEST_SEED)}
    for kind, (first, end) in ranges.items():
        if first + (number := getattr(options, f"{kind}_seeds")) > end:
            raise ValueError(f"--{kind}-seeds {number} is out of range: it must be at most {end - first:_}.")
    every = _EVERY if options.every is None else options.every
    evaluation = Evaluation(every, options.episodes, environments=options.evaluation_environments)
    space = {path: range_of(path, text) for path, text in map(_split, options.space)}
    fitted = round_counts.fitted(
        [_changed(default, options.set)],
        options.steps,
        evaluation,
        derive_period=options.every is None,
        unit=_unit(space.get("train_every")),
    )
    steps, every = fitted.steps, fitted.evaluation.every
    num_runs = _NUM_POINTS * options.tuning_seeds + options.finalists * options.final_seeds
    changes = dict.fromkeys(fitted.changes)
    quarter = steps // 4 // max(every, 1) * every
    rungs = [quarter] if quarter else []
    if options.rungs is not None:
        rungs = [round_counts.rounded("rungs", rung, every, "evaluation.every", changes) for rung in options.rungs]
    num_evaluations = (rungs or [steps])[0] // max(every, 1)  # until the first rung
    _print(changes)
    return Search(
        name=options.name or re.sub("[^a-z0-9_-]+", "-", f"{game}-{options.algorithm}-search".lower()),
        game=game,
        config=fitted.configs[0],
        space=space,
        tuning_seeds=range(FIRST_SEED, FIRST_SEED + options.tuning_seeds),
        test_seeds=range(FIRST_TEST_SEED, FIRST_TEST_SEED + options.test_seeds),
        steps=steps,
        evaluation=fitted.evaluation,
        budget=steps * num_runs if options.budget is None else options.budget,
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


def _unit(train_every: "Range | None") -> int:
    """Returns the least common multiple of the listed values of `train_every`, since all points share the period."""
    values = getattr(train_every, "values", ())
    return math.lcm(*(value for value in values if type(value) is int and value > 0))


def _print(changes: "Iterable[Change]") -> None:
    """Prints a line for each count that was rounded up, with the name that the command line gives it."""
    for change in changes:
        name = _OPTIONS.get(change.field, change.field)
        reason = change.reason.replace("evaluation.every", "--every")
        print(f"note: {name} {change.value:_} instead of {change.given:_}: {reason}", file=sys.stderr)


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
