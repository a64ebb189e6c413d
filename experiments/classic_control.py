"""Does DQN solve three classic-control games, and do double DQN or 3-step returns help?

DQN passes the threshold of each game within 150,000 steps, and is above it at 96 % (acrobot), 41 % (cartpole) and 100 %
(mountain_car) of the later evaluations. 3-step returns pass 475 on cartpole first, after 45,000 steps (62 % later), but
do not solve mountain_car. The IQM of double DQN does not pass the threshold of mountain_car, although half of its seeds
end above it. At the end, double DQN does not differ significantly from DQN on any game (intervals overlap). On
cartpole, the return of every arm drops at times: DQN ends at 452 (251 to 500). See results/classic_control/.

    python experiments/classic_control.py            about ten minutes on two CPU cores
    python experiments/classic_control.py --toy      seconds
"""

import dataclasses
from collections.abc import Sequence

from matplotlib.figure import Figure

from jaxdqn.algorithms import double_dqn
from jaxdqn.analysis import study_tables
from jaxdqn.commands import script
from jaxdqn.figures.learning_curves import learning_curves
from jaxdqn.settings import classic_control
from jaxdqn.store.record import Run
from jaxdqn.study.spec import Study
from jaxdqn.training.evaluate import Evaluation

DQN = classic_control.CARTPOLE.configuration("dqn")  # as on acrobot and mountain_car

STUDY = Study(
    name="classic_control",
    games=("cartpole", "acrobot", "mountain_car"),
    algorithms={
        "DQN": DQN,
        "double DQN": dataclasses.replace(DQN, algorithm=double_dqn.DoubleDQN()),
        "DQN, 3 steps": dataclasses.replace(DQN, n_step=3),
    },
    seeds=range(10),
    steps=classic_control.STEPS,
    evaluation=classic_control.EVALUATION,
)

TOY = dataclasses.replace(
    STUDY,
    name="classic_control-toy",
    algorithms={label: STUDY.algorithms[label] for label in ("DQN", "DQN, 3 steps")},
    games=("cartpole",),
    seeds=range(2),
    steps=2_000,
    evaluation=Evaluation(every=500, episodes=2),
)

THRESHOLDS = {"cartpole": 475.0, "acrobot": -100.0, "mountain_car": -110.0}


def figure(runs: Sequence[Run]) -> Figure:
    present = {run.facts["game"]["name"] for run in runs}
    lines = {game: {"aim": score} for game, score in THRESHOLDS.items() if game in present}
    return learning_curves(runs, reference_lines=lines, order=tuple(STUDY.algorithms))


def table(runs: Sequence[Run]) -> str:
    return study_tables.table(runs) + "\n" + study_tables.first_reached(runs, THRESHOLDS)


if __name__ == "__main__":
    script.main(STUDY, TOY, figure, __doc__, table)
