"""Does an agent learn alike on gymnasium's CartPole and on the one written in JAX?

The two games are equal transition for transition (the tests say so); the loops that train on them are two. Equal
settings, equal seeds, other random numbers: the intervals should overlap.

They do at all 12 points, over 10 seeds; see results/host_games/.

    python experiments/host_games.py            about a minute on two CPU cores
    python experiments/host_games.py --toy      seconds
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from jaxdqn.algorithms import dqn
from jaxdqn.exploration import EpsilonGreedy
from jaxdqn.figures.learning_curves import learning_curves
from jaxdqn.networks.mlp import MLP
from jaxdqn.results import statistics, summary, tidy
from jaxdqn.results.record import Run
from jaxdqn.schedules import Linear
from jaxdqn.study import script
from jaxdqn.study.spec import Study
from jaxdqn.target_network import Periodic
from jaxdqn.training.evaluate import Evaluation

STUDY = Study(
    name="host_games",
    games=("cartpole", "gymnasium:CartPole-v1"),
    algorithms={
        "DQN": dataclasses.replace(
            dqn.CONFIG,
            network=MLP((64, 64), "tanh"),
            learning_rate=1e-3,
            exploration=EpsilonGreedy(Linear(1.0, 0.05, 10_000)),
            target_update=Periodic(200),
        )
    },
    seeds=range(10),
    steps=60_000,
    evaluation=Evaluation(every=5_000, episodes=20),
)

TOY = dataclasses.replace(
    STUDY, name="host_games-toy", seeds=range(2), steps=2_000, evaluation=Evaluation(every=1_000, episodes=2)
)


def figure(runs: Sequence[Run]) -> Figure:
    return learning_curves(runs)


def table(runs: Sequence[Run]) -> str:
    """Returns the final scores, and if both games have some, at how many points their intervals overlap."""
    bands = {}
    for arm, members in tidy.arms(tidy.completed(runs)).items():
        _, values = tidy.curve(members, "evaluation_return")
        bands[arm.game] = statistics.interval(values, statistics.iqm, np.random.default_rng(0))
    if len(bands) < 2:
        return summary.table(runs)
    ours, theirs = bands["cartpole"], bands["gymnasium:CartPole-v1"]
    overlap = (ours.low <= theirs.high) & (theirs.low <= ours.high)
    return summary.table(runs) + f"\nThe 95 % intervals overlap at {overlap.sum()} of {overlap.size} points.\n"


if __name__ == "__main__":
    script.main(STUDY, TOY, figure, __doc__, table)
