"""Do the agents of two CartPole tutorials learn, and do target networks and double Q-learning help?

The first agent learns: its greedy episodes last 195 steps after 36,000 steps (and at 95 % of the later evaluations).
With a target network this takes 20,000 steps (100 % later). Adding double Q-learning makes no significant difference.
The second agent, as printed, does not reach 195: its greedy episodes last 105 steps (48 to 160) after 200,000 steps.
With exploration, its first 100 episodes last 24 steps (20 to 27), and the last 100 of 1,000 also 24 (10 to 56);
learning at every step raises these to 133 (109 to 158). The strong arm needs 4,000 steps (98 % later). All values are
IQMs. See results/cartpole/.

    python experiments/cartpole.py            about five minutes on two CPU cores
    python experiments/cartpole.py --toy      seconds

There are two sources. Both use episodes of at most 200 steps and 1,000 episodes (200,000 steps contain at least as
many).

"replay after each step": the notebook "Deep Q-learning". Departures: its code continues after 200 steps without a
reset; here the game is reset and the time limit bootstraps, as in its code, which stores only a fall as an end. Its
code takes one random step after each reset; here there is none. The notebook names extensions and leaves them to the
reader: the arms "+ target network" and "+ double" are two of them; prioritised replay and dueling networks are not
included.

"replay after each episode": the post "Deep Q Learning with Keras and Gym". As in its code, and unlike its text, the
time limit also counts as a fall. Departures: the first replay samples 32 transitions with replacement from the fewer of
the first episode, and its code takes as many as there are. Its memory is unlimited; here it stores all 200,000 steps of
the run. The epsilon of RMSProp is inside the root. Keras' MSE is the mean over the outputs; RMSProp cancels this
factor.

"strong" is DQN with a target network, 3-step returns and larger batches, as chosen in `classic_control.py`. The
animation shows a typical run: `jaxdqn play results/cartpole --arm strong --typical`. Eight of the ten seeds end at 200
steps, including seed 1; seed 0 ends at 132.
"""

import dataclasses
from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from classic_control import DQN
from jaxdqn import optimizers
from jaxdqn.algorithms import double_dqn, dqn
from jaxdqn.analysis import study_tables
from jaxdqn.commands import script
from jaxdqn.exploration import EpsilonGreedy
from jaxdqn.figures.learning_curves import learning_curves
from jaxdqn.figures.training_episodes import episode_curves
from jaxdqn.networks.network import QNetwork
from jaxdqn.networks.torsos import Dense
from jaxdqn.replay.uniform import Uniform
from jaxdqn.schedules import ExponentialPerStep, MultiplicativePerEpisode
from jaxdqn.store.record import Run
from jaxdqn.study.spec import Study
from jaxdqn.target_network import Online, Periodic
from jaxdqn.training.evaluate import Evaluation

AFTER_EACH_STEP = dataclasses.replace(
    dqn.CONFIG,
    network=QNetwork(Dense((64, 64)), initializer="glorot_uniform"),
    learning_rate=1e-4,
    discount=0.99,
    exploration=EpsilonGreedy(ExponentialPerStep(1.0, 0.01, 0.0001)),
    replay=Uniform(10_000, replacement=False),
    batch_size=20,
    num_environments=1,
    train_every=1,
    learning_starts=20,
    target_update=Online(),
)
TARGET_NETWORK = dataclasses.replace(AFTER_EACH_STEP, target_update=Periodic(200))

AFTER_EACH_EPISODE = dataclasses.replace(
    dqn.CONFIG,
    network=QNetwork(Dense((128, 128, 128)), activation="tanh", initializer="glorot_uniform"),
    optimizer=optimizers.RMSProp(decay=0.9, eps=1e-14),
    learning_rate=1e-4,
    discount=0.9,
    terminal_reward=-100.0,
    bootstrap_time_limits=False,
    exploration=EpsilonGreedy(MultiplicativePerEpisode(1.0, 0.1, 0.995)),
    replay=Uniform(200_000),
    batch_size=32,
    num_minibatches=32,  # one transition after the other
    num_environments=1,
    train_every=1,
    train_at="episode_end",
    learning_starts=0,
    target_update=Online(),
)

STUDY = Study(
    name="cartpole",
    games=("cartpole_200",),
    algorithms={
        "replay after each step": AFTER_EACH_STEP,
        "+ target network": TARGET_NETWORK,
        "+ double": dataclasses.replace(TARGET_NETWORK, algorithm=double_dqn.DoubleDQN()),
        "replay after each episode": AFTER_EACH_EPISODE,
        "the same, after each step": dataclasses.replace(
            AFTER_EACH_EPISODE, train_at="steps", num_minibatches=1, learning_starts=32
        ),
        "strong": dataclasses.replace(DQN, n_step=3),
    },
    seeds=range(10),
    steps=200_000,
    evaluation=Evaluation(every=2_000, episodes=20),
    episodes_logged=1_000,
    weights_of=(0, 1),  # in the strong arm, seed 0 ended worst, and seed 1 ended as most seeds
)

TOY = dataclasses.replace(
    STUDY,
    name="cartpole-toy",
    algorithms={label: STUDY.algorithms[label] for label in ("replay after each episode", "strong")},
    seeds=range(2),
    steps=2_000,
    evaluation=Evaluation(every=1_000, episodes=2),
    episodes_logged=20,
)

SOLVED = 195.0  # threshold of gymnasium's CartPole-v0


def figures(runs: Sequence[Run]) -> Mapping[str, Figure]:
    order, lines = tuple(STUDY.algorithms), {"cartpole_200": {"solved": SOLVED}}
    return {
        "": learning_curves(runs, reference_lines=lines, order=order),
        "episodes": episode_curves(runs, window=10, reference_lines=lines, order=order),
    }


def table(runs: Sequence[Run]) -> str:
    windows = {"first 100 episodes": slice(100), "last 100 of 1,000": slice(-100, None)}
    reached = study_tables.first_reached(runs, {"cartpole_200": SOLVED})
    return "\n".join([study_tables.table(runs), reached, study_tables.episodes(runs, windows)])


if __name__ == "__main__":
    script.main(STUDY, TOY, figures, __doc__, table)
