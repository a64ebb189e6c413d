"""How sensitive is DQN to its learning rate on three classic-control games?

With 1e-3, DQN learns every game. With half of it, mountain_car is at -191 (-200 to -138), against -112 (-121 to -106)
with 1e-3. With 5e-3, acrobot falls from -81 (-121 to -74) to -219 (-281 to -152). With 1e-2, cartpole falls from 475
(413 to 500) to 327 (279 to 371); with 5e-3, cartpole's 363 (260 to 452) does not differ significantly (intervals
overlap). See results/learning_rate/.

    python experiments/learning_rate.py            about twenty minutes on two CPU cores
    python experiments/learning_rate.py --toy      seconds

The score of a run is the mean of its last five evaluations, because single evaluations vary strongly. All other
settings are those of `classic_control.py`.
"""

import dataclasses
from collections.abc import Sequence

from matplotlib.figure import Figure

from classic_control import DQN
from jaxdqn.analysis import study_tables
from jaxdqn.commands import script
from jaxdqn.figures.sensitivity import sensitivity
from jaxdqn.store.record import Run
from jaxdqn.study.spec import Study
from jaxdqn.training.evaluate import Evaluation

STUDY = Study(
    name="learning_rate",
    games=("cartpole", "acrobot", "mountain_car"),
    algorithms={"DQN": DQN},
    grid={"learning_rate": (1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2)},
    seeds=range(10),
    steps=100_000,
    evaluation=Evaluation(every=5_000, episodes=20),
)

TOY = dataclasses.replace(
    STUDY,
    name="learning_rate-toy",
    games=("mountain_car",),
    grid={"learning_rate": (1e-4, 1e-3, 1e-2)},
    seeds=range(2),
    steps=2_000,
    evaluation=Evaluation(every=400, episodes=2),
)

LAST = 5


def figure(runs: Sequence[Run]) -> Figure:
    return sensitivity(runs, "learning_rate", last=LAST, xlabel="learning rate of Adam")


def table(runs: Sequence[Run]) -> str:
    return study_tables.table(runs, last=LAST)


if __name__ == "__main__":
    script.main(STUDY, TOY, figure, __doc__, table)
