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

from jaxdqn.algorithms import double_dqn, dqn
from jaxdqn.analysis import study_tables
from jaxdqn.commands import script
from jaxdqn.exploration import EpsilonGreedy
from jaxdqn.figures.learning_curves import learning_curves
from jaxdqn.networks.network import QNetwork
from jaxdqn.networks.torsos import Dense
from jaxdqn.replay.uniform import Uniform
from jaxdqn.schedules import Linear
from jaxdqn.store.record import Run
from jaxdqn.study.spec import Study
from jaxdqn.target_network import Periodic
from jaxdqn.training.evaluate import Evaluation

DQN = dataclasses.replace(
    dqn.CONFIG,
    learning_rate=1e-3,
    # With relu units of this width or less, mountain_car is rarely solved.
    network=QNetwork(Dense((128, 128)), activation="tanh"),
    batch_size=64,
    num_updates=5,  # for every 10 steps
    exploration=EpsilonGreedy(Linear(start=1.0, end=0.05, steps=10_000)),
    target_update=Periodic(200),
    replay=Uniform(50_000),
)

STUDY = Study(
    name="classic_control",
    games=("cartpole", "acrobot", "mountain_car"),
    algorithms={
        "DQN": DQN,
        "double DQN": dataclasses.replace(DQN, algorithm=double_dqn.DoubleDQN()),
        "DQN, 3 steps": dataclasses.replace(DQN, n_step=3),
    },
    seeds=range(10),
    steps=150_000,
    evaluation=Evaluation(every=5_000, episodes=20),
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
