"""The setup of `search.py`: configuration, ranges, methods, budget and seeds of the searches."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from jaxdqn.algorithms import dqn
from jaxdqn.exploration import EpsilonGreedy
from jaxdqn.networks.network import QNetwork
from jaxdqn.networks.torsos import Dense
from jaxdqn.replay.uniform import Uniform
from jaxdqn.schedules import Linear
from jaxdqn.search import samplers
from jaxdqn.search.spec import Search
from jaxdqn.study import grids
from jaxdqn.training.evaluate import Evaluation

STEPS = 10_000

DQN = dataclasses.replace(
    dqn.CONFIG,
    network=QNetwork(Dense((32, 32))),
    batch_size=32,
    num_updates=2,  # for every 10 steps
    learning_starts=500,
    exploration=EpsilonGreedy(Linear(1.0, 0.05, STEPS / 4)),
    replay=Uniform(STEPS),
)

SPACE: dict[str, grids.Range] = {  # wide, so that few points are good; otherwise twenty random points are enough
    "learning_rate": grids.LogUniform(1e-6, 1.0),
    "discount": grids.Uniform(0.5, 0.999),
    "target_update.every": grids.LogUniform(2, 10_000),
    "exploration.epsilon.steps": grids.LogUniform(100, 4 * STEPS),
    "exploration.epsilon.end": grids.Uniform(0.0, 0.8),
    "optimizer.eps": grids.LogUniform(1e-8, 1.0),
    "optimizer.b1": grids.Uniform(0.0, 0.99),
}


class Method(NamedTuple):
    """The sampler of points, and the fractions of a run after which the worse two thirds of the points are dropped."""

    sampler: samplers.Sampler
    rungs: tuple[float, ...] = ()


METHODS = {
    "random": Method(samplers.random),
    "TPE": Method(samplers.tpe),
    "TPE + halving": Method(samplers.tpe, rungs=(0.5,)),
    "CMA-ES": Method(samplers.cma_es),
}
BASE = "random"


@dataclasses.dataclass(frozen=True)
class Experiment:
    """Repeated searches for each game and method.

    Attributes:
      name: folder of the results.
      repetitions: numbers of the repetitions, by game.
      num_seeds: number of tuning seeds of a search.
      finalists: number of points in the final.
      num_final_seeds: number of final seeds of each finalist.
      test_seeds: seeds of the reported scores.
      steps: environment steps of a run.
      evaluation: evaluation of a run.
      points: budget of a search, in points that run for all steps on all tuning seeds.
    """

    name: str = "search"
    repetitions: Mapping[str, range] = dataclasses.field(
        default_factory=lambda: {"catch": range(10, 20), "cartpole": range(10, 20), "acrobot": range(10, 30)}
    )
    num_seeds: int = 4
    finalists: int = 6
    num_final_seeds: int = 8
    test_seeds: tuple[int, ...] = tuple(range(100_012, 100_024))
    steps: int = STEPS
    evaluation: Evaluation = Evaluation(every=500, episodes=10)  # noqa: RUF009  # frozen
    points: int = 60

    @property
    def budget(self) -> int:
        """Returns the budget of a search in environment steps."""
        return self.points * self.num_seeds * self.steps

    @property
    def stages(self) -> tuple[int, int]:
        """Returns the environment steps spent before the final and after it."""
        return self.budget - self.finalists * self.num_final_seeds * self.steps, self.budget


EXPERIMENT = Experiment()
TOY = Experiment(
    name="search-toy",
    repetitions={"cartpole": range(2)},
    steps=2_000,
    num_seeds=2,
    finalists=2,
    num_final_seeds=2,
    test_seeds=(100_000, 100_001),
    evaluation=Evaluation(every=200, episodes=2),
    points=6,
)


def search(experiment: Experiment, game: str, method: str, repetition: int) -> Search:
    """Returns a search; its seeds depend on the repetition only."""
    first, first_final = repetition * experiment.num_seeds, 50_000 + repetition * experiment.num_final_seeds
    return Search(
        name=f"{game}-{method}-{repetition}".lower().replace(" + ", "_"),
        game=game,
        config=DQN,
        space=SPACE,
        tuning_seeds=range(first, first + experiment.num_seeds),
        test_seeds=experiment.test_seeds,
        steps=experiment.steps,
        evaluation=experiment.evaluation,
        budget=experiment.budget,
        batch=4,
        final_seeds=range(first_final, first_final + experiment.num_final_seeds),
        finalists=experiment.finalists,
        last=None,
        seed=repetition,
        sampler=METHODS[method].sampler,
        rungs=[round(part * experiment.steps) for part in METHODS[method].rungs],
    )


def every(experiment: Experiment) -> Iterator[tuple[str, str, int, Search]]:
    """Yields game, method, repetition and search; all searches of a repetition come before the next repetition."""
    for repetition in sorted(set().union(*experiment.repetitions.values())):
        for game in [game for game, numbers in experiment.repetitions.items() if repetition in numbers]:
            for method in METHODS:
                yield game, method, repetition, search(experiment, game, method, repetition)


def score_of_a_run(experiment: Experiment) -> str:
    """Returns a sentence that defines the score of a run."""
    evaluation = experiment.evaluation
    return (
        f"The score of a run is the mean return of all its evaluations ({evaluation.episodes} greedy episodes every "
        f"{evaluation.every:,} of {experiment.steps:,} steps), so early learning counts."
    )
