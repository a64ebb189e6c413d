"""Does the tutorial's agent learn catch as well as the tutorial says, and how few episodes are enough?

Yes, and the optimizer matters more than anything else. The tutorial's agent wins 32 % of the first 100 episodes and
90.5 % of the last 100 of 10,000 (interquartile means, IQMs, over 10 seeds). With Adam instead of SGD, the greedy policy
wins 99 % of episodes after 450 training episodes, and at 87 % of the later evaluations. The strong arm needs 500
episodes, and wins 99 % at 99 % of the later evaluations. See results/catch/.

The tutorial reports about 30 % of episodes won at the start, and about 90 % after 10,000 episodes, with exploration.
Its figure shows the share of wins in the last 100 episodes. A win is a return of +1 and a loss is -1, so 99 % wins are
a return of 0.98.

    python experiments/catch.py            about a quarter of an hour on two CPU cores
    python experiments/catch.py --toy      seconds

Source: the guide "Reinforcement Learning: Deep Q-Networks". Its agent is the arm "tutorial". Departures: weights are
stored in single precision, and another generator samples their Glorot uniform initial values. Keras' MSE is the mean
over the three outputs, and only one of them is trained, so its gradient is a third of the gradient here; the learning
rate is divided by 3 instead. The arm "+ Adam" uses Adam instead of SGD. "strong" is double DQN with Adam, a target
network, 3-step returns, a wider network with LeCun normal initial values, smaller batches every second step, sampled
with replacement from the last 20,000 transitions, 200 initial steps of random play, and a decreasing epsilon.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from jaxdqn.algorithms import dqn
from jaxdqn.analysis import study_tables
from jaxdqn.commands import script
from jaxdqn.exploration import EpsilonGreedy
from jaxdqn.figures.learning_curves import learning_curves
from jaxdqn.figures.training_episodes import episode_curves
from jaxdqn.networks.network import QNetwork
from jaxdqn.networks.torsos import Dense
from jaxdqn.optimizers import SGD, Adam
from jaxdqn.replay.uniform import Uniform
from jaxdqn.schedules import Constant
from jaxdqn.settings import catch
from jaxdqn.store.record import Run
from jaxdqn.study.spec import Study
from jaxdqn.target_network import Online
from jaxdqn.training.evaluate import Evaluation

TUTORIAL = dataclasses.replace(
    dqn.CONFIG,
    network=QNetwork(Dense((100, 100)), initializer="glorot_uniform"),
    optimizer=SGD(),
    learning_rate=0.01 / 3,
    discount=0.9,
    exploration=EpsilonGreedy(Constant(0.1)),
    replay=Uniform(5_000, replacement=False),
    batch_size=256,
    num_environments=1,
    train_every=1,
    learning_starts=0,
    target_update=Online(),
)

STUDY = Study(
    name="catch",
    games=("catch",),
    algorithms={
        "tutorial": TUTORIAL,
        "+ Adam": dataclasses.replace(TUTORIAL, optimizer=Adam(), learning_rate=1e-3),
        "strong": catch.FAMILY.configuration("double_dqn"),
    },
    seeds=range(10),
    steps=100_000,  # 10,000 games
    evaluation=Evaluation(every=500, episodes=200, exact_values=True),
    episodes_logged=10_000,
    weights_of=(0,),
)

TOY = dataclasses.replace(
    STUDY,
    name="catch-toy",
    algorithms={label: STUDY.algorithms[label] for label in ("tutorial", "strong")},
    seeds=range(2),
    steps=2_000,
    evaluation=Evaluation(every=500, episodes=20, exact_values=True),
    episodes_logged=200,
)


WON = 0.98  # mean return with 99 % wins


def figures(runs: Sequence[Run]) -> Mapping[str, Figure]:
    order = tuple(STUDY.algorithms)
    return {
        "": learning_curves(
            runs,
            ylabel="greedy games won",
            transform=lambda game, returns: (returns + 1) / 2,
            reference_lines={"catch": {"99 %": 0.99}},
            order=order,
        ),
        "win_rate": episode_curves(
            runs,
            y="last_reward",
            window=100,
            transform=lambda game, rewards: (rewards > 0).astype(np.float64),
            ylabel="games won of the last 100",
            reference_lines={"catch": {"90 %": 0.9}},
            order=order,
        ),
        "value_error": learning_curves(runs, score="value_error", ylabel="mean |Q - Q*|", yscale="log", order=order),
    }


def table(runs: Sequence[Run]) -> str:
    windows = {"first 100 games won": slice(100), "last 100 games won": slice(-100, None)}
    won = study_tables.episodes(runs, windows, y="last_reward", transform=lambda rewards: rewards > 0)
    return "\n".join([study_tables.table(runs), study_tables.first_reached(runs, {"catch": WON}), won])


if __name__ == "__main__":
    script.main(STUDY, TOY, figures, __doc__, table)
