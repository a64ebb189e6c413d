"""Do DQN and double DQN learn to catch every ball?

Yes: within 2,000 games (20,000 steps) both win at least 99 % of greedy games, over 10 seeds; see results/catch/.
A win is a return of +1 and a loss -1, so a win rate of 99 % is a return of 0.98.

    python experiments/catch.py --out my_results     about half a minute on two CPU cores
"""

import dataclasses
from collections.abc import Sequence

from matplotlib.figure import Figure

from jaxdqn.algorithms import double_dqn, dqn
from jaxdqn.exploration import EpsilonGreedy
from jaxdqn.figures.learning_curves import learning_curves
from jaxdqn.results import summary
from jaxdqn.results.store import Run
from jaxdqn.schedules import Linear
from jaxdqn.study import script
from jaxdqn.study.spec import Study
from jaxdqn.training.evaluate import Evaluation

DQN = dataclasses.replace(dqn.CONFIG, exploration=EpsilonGreedy(Linear(start=1.0, end=0.05, steps=5_000)))

STUDY = Study(
    name="catch",
    games=("catch",),
    algorithms={"DQN": DQN, "double DQN": dataclasses.replace(DQN, algorithm=double_dqn.DoubleDQN())},
    seeds=range(10),
    steps=20_000,
    evaluation=Evaluation(every=1_000, episodes=200),
)

TOY = dataclasses.replace(
    STUDY, name="catch-toy", seeds=range(2), steps=4_000, evaluation=Evaluation(every=1_000, episodes=20)
)


WON = 0.98  # the mean return where 99 % of games are won


def figure(runs: Sequence[Run]) -> Figure:
    return learning_curves(runs, reference_lines={"catch": {"99 % of games won": WON}})


def table(runs: Sequence[Run]) -> str:
    return summary.table(runs) + "\n" + summary.first_reached(runs, {"catch": WON})


if __name__ == "__main__":
    script.main(STUDY, TOY, figure, __doc__, table)
