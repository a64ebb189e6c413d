"""How does naive deep Q-learning end on LunarLander, and how much does each part of DQN help?

It fails: its return is -88 (-184 to 13) after 300,000 steps. With replay, a target network and double Q-learning
together, its small network with 30 % random actions ends at -46 (-84 to -3); no part makes a significant difference
(intervals overlap). The strong arm passes 200 after 150,000 steps, is above it at all later evaluations, and ends at
271 (258 to 281). See results/lunar_lander/.

    python experiments/lunar_lander.py            about twenty minutes on two CPU cores (needs the extra box2d)
    python experiments/lunar_lander.py --toy      seconds

Source: the notebook "Intro to Deep Q-Networks". Its agent, the arm "naive", learns from each transition once, when it
occurs. The notebook reports that it fails: the last reward of an episode is -100, a crash, up to episode 8,500.
Departures: gymnasium has LunarLander-v3, and the notebook uses v2. The budget is in steps instead of episodes, and is
smaller. The value after a crash or a landing is zero; the notebook's code uses the network's value. Keras' MSE is the
mean over the four outputs; Adam cancels this factor and that of the blend.

Then one part after another is added: replay (from four parallel environments, with as many updates per step), a target
network, double Q-learning. "strong" is double DQN with 5-step returns, a larger network, more transitions in an update,
a running average as target network, a larger discount and a decreasing epsilon. The film shows a typical run and
episode: `jaxdqn play results/lunar_lander --arm strong --typical`.
"""

import dataclasses
from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from jaxdqn import losses, optimizers
from jaxdqn.algorithms import double_dqn, naive_deep_q_learning
from jaxdqn.analysis import study_tables
from jaxdqn.commands import script
from jaxdqn.exploration import EpsilonGreedy
from jaxdqn.figures.learning_curves import learning_curves
from jaxdqn.figures.training_episodes import episode_curves
from jaxdqn.networks.network import QNetwork
from jaxdqn.networks.torsos import Dense
from jaxdqn.replay.uniform import Uniform
from jaxdqn.schedules import Constant
from jaxdqn.settings import lunar_lander
from jaxdqn.store.record import Run
from jaxdqn.study.spec import Study
from jaxdqn.target_network import Periodic
from jaxdqn.training.evaluate import Evaluation

GAME = "gymnasium:LunarLander-v3"

NAIVE = dataclasses.replace(
    naive_deep_q_learning.CONFIG,  # moves values by a share of 0.1 towards the target
    network=QNetwork(Dense((16, 8)), initializer="glorot_uniform"),
    optimizer=optimizers.Adam(eps=1e-7),
    learning_rate=1e-3,
    discount=0.95,
    exploration=EpsilonGreedy(Constant(0.3)),
)
REPLAY = dataclasses.replace(
    NAIVE, replay=Uniform(50_000), batch_size=32, num_environments=4, train_every=4, num_updates=4
)
TARGET_NETWORK = dataclasses.replace(REPLAY, target_update=Periodic(1_000))
DOUBLE = dataclasses.replace(TARGET_NETWORK, algorithm=double_dqn.DoubleDQN(error=losses.SquaredError(blend=0.1)))

STUDY = Study(
    name="lunar_lander",
    games=(GAME,),
    algorithms={
        "naive": NAIVE,
        "+ replay": REPLAY,
        "+ target network": TARGET_NETWORK,
        "+ double": DOUBLE,
        "strong": lunar_lander.FAMILY.configuration("double_dqn"),
    },
    seeds=range(10),
    steps=lunar_lander.STEPS,
    evaluation=lunar_lander.FAMILY.evaluation,
    episodes_logged=2_500,
    weights_of=(0,),
)

TOY = dataclasses.replace(
    STUDY,
    name="lunar_lander-toy",
    algorithms={label: STUDY.algorithms[label] for label in ("naive", "strong")},
    seeds=range(2),
    steps=2_000,
    evaluation=Evaluation(every=1_000, episodes=2),
    episodes_logged=10,
)

SOLVED = 200.0
LOWEST = -500.0  # lowest return in the figure


def figures(runs: Sequence[Run]) -> Mapping[str, Figure]:
    order = tuple(STUDY.algorithms)
    greedy = learning_curves(runs, reference_lines={GAME: {"solved": SOLVED}}, order=order)
    for panel in greedy.axes:
        panel.set_ylim(LOWEST, 300.0)
    greedy.set_label(f"{greedy.get_label()} Returns below {LOWEST:g} are not shown.")
    return {
        "": greedy,
        "last_reward": episode_curves(
            runs, y="last_reward", window=10, ylabel="last reward of a training episode", order=order
        ),
    }


def table(runs: Sequence[Run]) -> str:
    window = {"last reward of the last 100 logged episodes": slice(-100, None)}
    ends = study_tables.episodes(runs, window, y="last_reward")
    return "\n".join([study_tables.table(runs), study_tables.first_reached(runs, {GAME: SOLVED}), ends])


if __name__ == "__main__":
    script.main(STUDY, TOY, figures, __doc__, table)
