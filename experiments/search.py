"""Do searches that learn from their points find better settings of DQN than random search, at equal budget?

Only in part. On cartpole the mean test score of the settings found by CMA-ES is 23.7 (4.6 to 42.9) above that of random
search, 168. TPE is 23.9 above, which is not significant (-2.9 to 44.2). The default has 102. On acrobot CMA-ES is worse
by 28 (8 to 48). TPE with halving does not differ significantly there: 14 more (-18 to 42), better with a probability of
0.72 (0.48 to 0.92). On catch no difference is significant. Over all three games, TPE with halving is better with a
probability of 0.69 (0.51 to 0.85); TPE with 0.66 (0.48 to 0.82) and CMA-ES with 0.53 (0.36 to 0.69) do not differ
significantly from random search. See results/search/. The setup is in search_setup.py.

    python experiments/search.py                     about an hour on two CPU cores
    python experiments/search.py --repetitions 3     the first three only
    python experiments/search.py --toy               a minute

The score of a run is the mean of all its evaluations, so early learning counts. Seven fields are searched, and most of
their values are poor. All methods have the same budget of environment steps, enough for 60 points of 4 seeds each. A
fifth of it is spent on a final: the six best points by their tuning seeds are run with eight more seeds, and only these
final seeds select the winner. Searches are repeated with other seeds of the sampler and other tuning seeds. Repetitions
with the same number share both, so they are pairs. The selected settings are run on test seeds, which no search uses.
Only these scores are reported, for the best point before the final and for the winner of the final.

The final was added after repetitions 0 to 9, on other test seeds, had shown two facts: the best of many noisy means is
a poor selection, and a rung after 3,000 of 10,000 steps is too early for catch. All reported repetitions were run
later: 10 to 19 on the same three games, and 20 to 29 on acrobot, because ten repetitions were not conclusive there.
Intervals of comparisons have a level of 97 %, for two looks at the same question.
"""

import argparse
import dataclasses
import pathlib
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import search_comparison
from jaxdqn import config_dicts, config_fields
from jaxdqn.analysis import by_arm, divergence, failed_runs
from jaxdqn.commands.errors import one_sentence
from jaxdqn.commands.script import save_figures
from jaxdqn.config import Config
from jaxdqn.figures import captions as caption
from jaxdqn.figures import search as figures
from jaxdqn.figures.captions import Drawn
from jaxdqn.search import run_search, samplers, waiting_runs
from jaxdqn.store import files, manifest, search_trials, store
from jaxdqn.store.manifest import Manifest
from jaxdqn.store.record import Run
from jaxdqn.store.search_trials import Trials
from jaxdqn.study import execute, provenance, records, spec
from jaxdqn.study.spec import Study
from jaxdqn.training import devices
from search_setup import BASE, DQN, EXPERIMENT, METHODS, TOY, Experiment, every, score_of_a_run


def chosen(found: Trials, spent: int) -> Config:
    """Returns the best point of a search after a number of environment steps.

    Raises:
      ValueError: no point was best, because all diverged or none was trained.
    """
    known = [number for until, number, _ in found.progress if until <= spent]
    if not known:
        raise ValueError(f"{found.name} has no best point after {spent:,} environment steps.")
    config = DQN
    for path, value in found.points[known[-1]].settings.items():
        config = config_fields.replace_at(config, path, value)
    return config


def test_study(experiment: Experiment, game: str, configs: Sequence[Config]) -> Study:
    """Returns the study on test seeds of the default and of every distinct selected configuration."""
    distinct = {store.identifier(config_dicts.to_dict(config)): config for config in configs if config != DQN}
    return Study(
        name=experiment.name,
        games=(game,),
        algorithms={"default": DQN} | {f"point {id[:8]}": config for id, config in distinct.items()},
        seeds=experiment.test_seeds,
        steps=experiment.steps,
        evaluation=experiment.evaluation,
    )


def tune(experiment: Experiment, folder: pathlib.Path, script: provenance.Script | None) -> None:
    """Runs all searches that are missing; `script` is the content of this script at the start."""
    everything = list(every(experiment))
    with waiting_runs.programs() as programs:
        for number, (_, _, _, one) in enumerate(everything):
            found = run_search.run(one, folder, programs=programs, is_stored=False, script=script)
            print(f"{number + 1} of {len(everything)}: {one.name}, {found.seconds:.0f} s", file=sys.stderr)


def evaluate(
    experiment: Experiment, out: pathlib.Path, studies: Sequence[Study], script: provenance.Script | None
) -> None:
    """Runs the selected settings on the test seeds; `script` is the content of this script at the start."""
    cells: dict[str, dict[str, Any]] = {}
    for study in studies:
        requested = records.manifest(study, spec.cells(study)).cells
        report = execute.run(study, out, only=requested, script=script)
        if report.failed or report.damaged:
            reasons = failed_runs.reasons(report.failed, out / study.name / "failures")
            raise SystemExit("\n".join([*report.damaged, *reasons]))
        cells |= requested
    manifest.write(out / experiment.name, Manifest(experiment.name, experiment.steps, cells))  # one for all games


def test_score(experiment: Experiment, game: str, config: Config, runs: Mapping[str, Run]) -> float:
    """Returns the mean score of a configuration on the test seeds."""
    study = test_study(experiment, game, [config])
    ids = sorted(cell.id for cell in spec.cells(study) if cell.config == config)
    last = experiment.steps // experiment.evaluation.every
    return float(np.mean(by_arm.final([runs[id] for id in ids], "evaluation_return", last)))


def test_scores(
    experiment: Experiment, found: Mapping[tuple[str, str, int], Trials], runs: Mapping[str, Run]
) -> dict[str, dict[str, np.ndarray]]:
    """Returns the test scores of the selected settings by game and method, float64 `[repetitions, stages]`."""

    def score(game: str, method: str, number: int, spent: int) -> float:
        return test_score(experiment, game, chosen(found[game, method, number], spent), runs)

    return {
        game: {
            method: np.array(
                [[score(game, method, number, spent) for spent in experiment.stages] for number in numbers]
            )
            for method in METHODS
        }
        for game, numbers in experiment.repetitions.items()
    }


def reading(experiment: Experiment) -> str:
    """Returns a paragraph that explains the numbers of the table."""
    return (
        f"\n{score_of_a_run(experiment)} Test score: mean over {len(experiment.test_seeds)} test seeds, of the winner "
        f"of the final, after {experiment.budget:,} environment steps. Means, differences of pairs and probabilities "
        "of improvement have bootstrap intervals over repetitions; intervals of comparisons are wider, because there "
        "were two looks (Pocock 1977).\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--toy", action="store_true", help="a short run in a minute, stored in a folder of its own")
    parser.add_argument(
        "--repetitions", type=int, metavar="N", help="maximum repetitions of each search (default: 10 to 20, by game)"
    )
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("results"), help="folder (default: results)")
    parser.add_argument("--figure-only", action="store_true", help="draw the stored results without running anything")
    options = parser.parse_args()
    experiment = TOY if options.toy else EXPERIMENT
    if options.repetitions:
        fewer = {game: numbers[: options.repetitions] for game, numbers in experiment.repetitions.items()}
        experiment = dataclasses.replace(experiment, repetitions=fewer)
    folder = options.out / experiment.name
    devices.use_all_cores()
    devices.keep_compiled_programs()
    script = provenance.script()
    if not options.figure_only and (doubt := provenance.warning(script)):
        print(doubt, file=sys.stderr)
    try:
        with one_sentence():
            samplers.check()
        if not options.figure_only:
            tune(experiment, folder / "searches", script)
        with one_sentence():
            found = _read(experiment, folder / "searches")
            studies = _studies(experiment, found)
        if not options.figure_only:
            evaluate(experiment, options.out, studies, script)
    except KeyboardInterrupt:
        print("interrupted: finished work is stored; run the same command to continue", file=sys.stderr)
        raise SystemExit(130) from None
    with one_sentence():
        _show(experiment, folder, found, studies)


def _show(
    experiment: Experiment, folder: pathlib.Path, found: Mapping[tuple[str, str, int], Trials], studies: Sequence[Study]
) -> None:
    ids = {cell.id for study in studies for cell in spec.cells(study)}
    stored = [run for run in store.read(folder / "runs").runs if run.facts["id"] in ids]
    runs = {run.facts["id"]: run for run in divergence.as_worst(stored)}
    if len(runs) < len(ids):
        raise ValueError(f"{folder / 'runs'} lacks {len(ids) - len(runs)} runs: run it without --figure-only.")
    scores = test_scores(experiment, found, runs)
    default = {game: test_score(experiment, game, DQN, runs) for game in experiment.repetitions}
    first = {game: found[game, "TPE", numbers[0]] for game, numbers in experiment.repetitions.items()}
    comparison = search_comparison.figure(scores, default, np.array(experiment.stages, np.float64))
    comparison.set_label(f"{score_of_a_run(experiment)} Test score: mean over the test seeds. {comparison.get_label()}")
    drawn: dict[str, Figure | Drawn] = {"": comparison}
    for game, one in first.items():
        drawn[f"points-{game}"] = Drawn(figures.parallel_coordinates(one), caption.of_search(one))
        if one.importance.shares:
            drawn[f"importance-{game}"] = Drawn(figures.importance(one), caption.of_search(one))
    path = folder / experiment.name
    saved = save_figures(drawn, path, caption.provenance(runs.values()))
    text = search_comparison.table(scores, default, BASE) + reading(experiment)
    files.replace(path.with_name(f"{path.name}.md"), text.encode())
    print(text)
    print(f"runs    {folder / 'runs'}", *(f"figure  {file}" for file in saved), f"table   {path}.md", sep="\n")


def _read(experiment: Experiment, folder: pathlib.Path) -> dict[tuple[str, str, int], Trials]:
    return {
        (game, method, number): search_trials.read(folder / one.name / "tuning")
        for game, method, number, one in every(experiment)
    }


def _studies(experiment: Experiment, found: Mapping[tuple[str, str, int], Trials]) -> list[Study]:
    """Returns the studies to run on test seeds, one for each game."""
    return [
        test_study(
            experiment,
            game,
            [
                chosen(one, spent)
                for (of_game, _, _), one in found.items()
                if of_game == game
                for spent in experiment.stages
            ],
        )
        for game in experiment.repetitions
    ]


if __name__ == "__main__":
    main()
