"""Does a search that learns from its points, and drops poor ones early, find better settings of DQN than random search?

Of three games on cartpole alone. There, with equal budgets, TPE finds points worth 174 on test seeds, and TPE with
halving 192, where random search finds 151; the paired differences are 23 (8.7 to 38) and 41 (26 to 57). On catch TPE is
not told apart from random search (0.39 and 0.36), nor is TPE with halving (0.19, -0.03 to 0.41), which drops points
after 3,000 steps, when 3 of 632 win more games than they lose. On acrobot, a game chosen before it was run, after the
other two had been seen, neither is told apart from random search (-402 and -392; -387), and CMA-ES is worse (-426).
See results/search/.

    python experiments/search.py                     about half an hour on two CPU cores
    python experiments/search.py --repetitions 3     the first three only
    python experiments/search.py --toy               a minute

The score of a run is the mean of all its evaluations, which rewards learning fast. Seven fields are searched, most of
whose values are poor. All methods have the same budget of environment steps, worth 30 points of 4 seeds each, and are
repeated with other seeds of the sampler and other tuning seeds; repetitions are pairs, since those of one number share
both. The best point by its tuning seeds is then run on test seeds, which no search has seen, at several budgets: only
these scores are reported.
"""

import argparse
import dataclasses
import pathlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import search_comparison

from jaxdqn import configuration
from jaxdqn.algorithms import dqn
from jaxdqn.config import Config
from jaxdqn.exploration import EpsilonGreedy
from jaxdqn.figures import provenance, style
from jaxdqn.figures import search as figures
from jaxdqn.networks.mlp import MLP
from jaxdqn.replay.uniform import Uniform
from jaxdqn.results import files, manifest, store, tidy, trials
from jaxdqn.results.manifest import Manifest
from jaxdqn.results.record import Run
from jaxdqn.results.trials import Trials
from jaxdqn.schedules import Linear
from jaxdqn.sentences import one_sentence
from jaxdqn.study import execute, grids, records, samplers, search_waves, searching, spec
from jaxdqn.study.search import Search
from jaxdqn.study.spec import Study
from jaxdqn.training import devices
from jaxdqn.training.evaluate import Evaluation

STEPS = 10_000

DQN = dataclasses.replace(
    dqn.CONFIG,
    network=MLP((32, 32)),
    batch_size=32,
    num_updates=2,  # for every 10 steps
    learning_starts=500,
    exploration=EpsilonGreedy(Linear(1.0, 0.05, STEPS / 4)),
    replay=Uniform(STEPS),
)

SPACE: dict[str, grids.Range] = {  # wide enough that few points are good: else twenty random ones find what there is
    "learning_rate": grids.LogUniform(1e-6, 1.0),
    "discount": grids.Uniform(0.5, 0.999),
    "target_update.every": grids.LogUniform(2, 10_000),
    "exploration.epsilon.steps": grids.LogUniform(100, 4 * STEPS),
    "exploration.epsilon.end": grids.Uniform(0.0, 0.8),
    "optimizer.eps": grids.LogUniform(1e-8, 1.0),
    "optimizer.b1": grids.Uniform(0.0, 0.99),
}


class Method(NamedTuple):
    """How points are chosen, and after which parts of a run the poorer two thirds are dropped."""

    sampler: samplers.Sampler
    rungs: tuple[float, ...] = ()


METHODS = {
    "random": Method(samplers.random),
    "TPE": Method(samplers.tpe),
    "TPE + halving": Method(samplers.tpe, rungs=(0.3,)),
    "CMA-ES": Method(samplers.cma_es),
}
BASE = "random"


@dataclasses.dataclass(frozen=True)
class Experiment:
    """Searches for each game and method, repeated.

    Attributes:
      name: of the folder of its results.
      games: on which settings are searched.
      repetitions: of each search.
      num_seeds: tuning seeds of a search.
      test_seeds: that judge.
      steps: of a run.
      evaluation: of a run.
      points: whole points that the budget of a search is worth.
      shares: of the budget, at which the best point is judged.
    """

    name: str = "search"
    games: tuple[str, ...] = ("catch", "cartpole", "acrobot")
    repetitions: int = 10
    num_seeds: int = 4
    test_seeds: tuple[int, ...] = tuple(range(100_000, 100_012))
    steps: int = STEPS
    evaluation: Evaluation = Evaluation(every=500, episodes=10)  # noqa: RUF009  # frozen
    points: int = 30
    shares: tuple[float, ...] = (0.4, 0.7, 1.0)


EXPERIMENT = Experiment()
TOY = Experiment(
    name="search-toy",
    games=("cartpole",),
    steps=2_000,
    repetitions=2,
    num_seeds=2,
    test_seeds=(100_000, 100_001),
    evaluation=Evaluation(every=200, episodes=2),
    points=4,
    shares=(1.0,),
)


def search(experiment: Experiment, game: str, method: str, repetition: int) -> Search:
    """Returns one search; tuning seeds are those of its repetition alone, below all test seeds."""
    first = repetition * experiment.num_seeds
    return Search(
        name=f"{game}-{method}-{repetition}".lower().replace(" + ", "_"),
        game=game,
        config=DQN,
        space=SPACE,
        tuning_seeds=range(first, first + experiment.num_seeds),
        test_seeds=experiment.test_seeds,
        steps=experiment.steps,
        evaluation=experiment.evaluation,
        budget=experiment.points * experiment.num_seeds * experiment.steps,
        batch=4,
        last=None,
        seed=repetition,
        sampler=METHODS[method].sampler,
        rungs=[round(part * experiment.steps) for part in METHODS[method].rungs],
    )


def every(experiment: Experiment) -> Iterator[tuple[str, str, int, Search]]:
    """Yields game, method, number and search, whole repetitions first."""
    for repetition in range(experiment.repetitions):
        for game in experiment.games:
            for method in METHODS:
                yield game, method, repetition, search(experiment, game, method, repetition)


def chosen(found: Trials, share: float) -> Config:
    """Returns the best point of a search when a share of its budget was spent."""
    known = [number for spent, number, _ in found.progress if spent <= share * found.facts["budget"]]
    config = DQN
    for path, value in found.points[known[-1]].settings.items():
        config = configuration.replace_at(config, path, value)
    return config


def test_study(experiment: Experiment, game: str, configs: Sequence[Config]) -> Study:
    """Returns the runs on test seeds of the default and of every configuration that was chosen, once each."""
    distinct = {store.identifier(configuration.to_dict(config)): config for config in configs if config != DQN}
    return Study(
        name=experiment.name,
        games=(game,),
        algorithms={"default": DQN} | {f"point {id[:8]}": config for id, config in distinct.items()},
        seeds=experiment.test_seeds,
        steps=experiment.steps,
        evaluation=experiment.evaluation,
    )


def tune(experiment: Experiment, folder: pathlib.Path) -> None:
    """Runs all searches, or what is missing of them."""
    everything = list(every(experiment))
    with search_waves.programs() as programs:
        for number, (_, _, _, one) in enumerate(everything):
            found = searching.run(one, folder, programs=programs, is_stored=False)
            print(f"{number + 1} of {len(everything)}: {one.name}, {found.seconds:.0f} s", file=sys.stderr)


def judge(experiment: Experiment, out: pathlib.Path, studies: Sequence[Study]) -> None:
    """Runs what was chosen on the test seeds."""
    cells: dict[str, dict[str, Any]] = {}
    for study in studies:
        wanted = records.wanted(study).cells
        report = execute.run(study, out, only=wanted)
        if report.num_failed or report.damaged:
            failed = f"{report.num_failed} runs failed: {out / study.name / 'failures'} holds the tracebacks"
            raise SystemExit("\n".join([*report.damaged, *([failed] if report.num_failed else [])]))
        cells |= wanted
    manifest.write(out / experiment.name, Manifest(experiment.name, experiment.steps, cells))  # of all games together


def test_score(experiment: Experiment, game: str, config: Config, runs: Mapping[str, Run]) -> float:
    """Returns the mean score of a configuration on the test seeds."""
    study = test_study(experiment, game, [config])
    ids = {spec.identifier(study, cell) for cell in spec.cells(study) if cell.config == config}
    last = experiment.steps // experiment.evaluation.every
    return float(np.mean(tidy.final([runs[id] for id in sorted(ids)], "evaluation_return", last)))


def test_scores(
    experiment: Experiment, found: Mapping[tuple[str, str, int], Trials], runs: Mapping[str, Run]
) -> dict[str, dict[str, np.ndarray]]:
    """Returns the score of what was chosen, by game and method, float64 `[repetitions, shares]`."""

    def score(game: str, method: str, number: int, share: float) -> float:
        return test_score(experiment, game, chosen(found[game, method, number], share), runs)

    numbers = range(experiment.repetitions)
    return {
        game: {
            method: np.array(
                [[score(game, method, number, share) for share in experiment.shares] for number in numbers]
            )
            for method in METHODS
        }
        for game in experiment.games
    }


def reading(experiment: Experiment) -> str:
    """Returns what the numbers of the table are."""
    return (
        f"\nTest score: mean over {len(experiment.test_seeds)} test seeds of the best point at the whole budget. Means "
        f"and 95 % bootstrap intervals over {experiment.repetitions} repetitions. Better: probability of improvement.\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--toy", action="store_true", help="a whole run in a minute, kept apart from the real results")
    parser.add_argument(
        "--repetitions", type=int, metavar="N", help=f"of each search (default: {Experiment.repetitions})"
    )
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("results"), help="folder (default: results)")
    parser.add_argument("--figure-only", action="store_true", help="draw from the results that are there; run nothing")
    options = parser.parse_args()
    experiment = TOY if options.toy else EXPERIMENT
    if options.repetitions:
        experiment = dataclasses.replace(experiment, repetitions=options.repetitions)
    folder = options.out / experiment.name
    devices.use_all_cores()
    devices.keep_compiled_programs()
    try:
        with one_sentence():
            samplers.check()
        if not options.figure_only:
            tune(experiment, folder / "searches")
        with one_sentence():
            found = _read(experiment, folder / "searches")
        studies = _studies(experiment, found)
        if not options.figure_only:
            judge(experiment, options.out, studies)
    except KeyboardInterrupt:
        print("interrupted: nothing is lost; run the same command again to go on", file=sys.stderr)
        raise SystemExit(130) from None
    with one_sentence():
        _show(experiment, folder, found, studies)


def _show(
    experiment: Experiment, folder: pathlib.Path, found: Mapping[tuple[str, str, int], Trials], studies: Sequence[Study]
) -> None:
    wanted = {spec.identifier(study, cell) for study in studies for cell in spec.cells(study)}
    runs = {run.facts["id"]: run for run in store.read(folder / "runs").runs if run.facts["id"] in wanted}
    if len(runs) < len(wanted):
        raise ValueError(f"{folder / 'runs'} lacks {len(wanted) - len(runs)} runs: run it without --figure-only.")
    scores = test_scores(experiment, found, runs)
    default = {game: test_score(experiment, game, DQN, runs) for game in experiment.games}
    facts = provenance.provenance(runs.values())
    first = {game: found[game, "TPE + halving", 0] for game in experiment.games}
    budget = experiment.points * experiment.num_seeds * experiment.steps
    drawn = {"": search_comparison.figure(scores, default, budget * np.array(experiment.shares))}
    drawn |= {f"points-{game}": figures.parallel_coordinates(trials_) for game, trials_ in first.items()}
    drawn |= {f"importance-{game}": figures.importance(one) for game, one in first.items() if one.importance.shares}
    path = folder / experiment.name
    saved = [
        file
        for suffix, one in drawn.items()
        for file in style.save(one, path.with_name("-".join(filter(None, (path.name, suffix)))), facts)
    ]
    text = search_comparison.table(scores, default, BASE) + reading(experiment)
    files.replace(path.with_name(f"{path.name}.md"), text.encode())
    print(text)
    print(f"runs    {folder / 'runs'}", *(f"figure  {file}" for file in saved), f"table   {path}.md", sep="\n")


def _read(experiment: Experiment, folder: pathlib.Path) -> dict[tuple[str, str, int], Trials]:
    return {
        (game, method, number): trials.read(folder / one.name / "tuning")
        for game, method, number, one in every(experiment)
    }


def _studies(experiment: Experiment, found: Mapping[tuple[str, str, int], Trials]) -> list[Study]:
    """Returns what is to be run on test seeds, a study a game."""
    return [
        test_study(
            experiment,
            game,
            [
                chosen(one, share)
                for (of_game, _, _), one in found.items()
                if of_game == game
                for share in experiment.shares
            ],
        )
        for game in experiment.games
    ]


if __name__ == "__main__":
    main()
