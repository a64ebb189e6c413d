"""How many episodes does exploration need in deep sea of size N: 2^N, or far fewer?

Ensembles need far fewer, in every seed. At N = 16, random play needs 65,536 episodes. UCB needs 616 (522 to 658) and
bootstrapped DQN with priors 652 (508 to 767), medians of 10 seeds. No seed of epsilon-greedy DQN or NoisyNet solves
N = 16 in 1,250 episodes. At N = 12, epsilon-greedy DQN solves it in 1 of 10 seeds and NoisyNet in 8, in at most 1,666
episodes; the median of NoisyNet is 899. At N = 6, NoisyNet needs fewer episodes than bootstrapped DQN: 172 (145 to 210)
against 265 (221 to 300); the intervals of UCB and epsilon-greedy DQN overlap with NoisyNet's. See
results/deep_exploration/.

    python experiments/deep_exploration.py            some twenty minutes on two CPU cores
    python experiments/deep_exploration.py --toy      seconds

A diver sinks through N x N cells and finds the treasure only by moving right in each of its N steps; each of these
moves has a small cost. Random actions find it once in 2^N episodes. All arms have a network of 64 hidden units, or ten
networks of 16 each, and learn from one batch after every fourth step; they differ in their exploration. "UCB" and
"bootstrapped" learn in the same way. UCB plays the action with the highest upper confidence bound over the members.
Bootstrapped DQN follows one member for a whole episode. Their priors are fixed random networks that are added to the
members.

A seed counts as solved, after bsuite, at the first episode after which 10 of the last 100 episodes found the treasure
(`jaxdqn/analysis/time_to_solve.py`).
"""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from jaxdqn.algorithms import bootstrapped_dqn, dqn
from jaxdqn.analysis import study_tables, time_to_solve
from jaxdqn.commands import script
from jaxdqn.exploration import EpsilonGreedy, OneMember, UpperConfidence
from jaxdqn.figures.episodes_to_solve import scaling
from jaxdqn.networks.ensemble import Ensemble
from jaxdqn.networks.network import QNetwork
from jaxdqn.networks.noisy import Noisy
from jaxdqn.networks.torsos import Dense
from jaxdqn.replay.uniform import Uniform
from jaxdqn.schedules import Constant
from jaxdqn.store.record import Run
from jaxdqn.study.spec import Study
from jaxdqn.target_network import Periodic
from jaxdqn.training.evaluate import Evaluation

SIZES = {f"deep_sea_{size}": size for size in (4, 6, 8, 10, 12, 16)}
STEPS = 20_000

SINGLE = dataclasses.replace(
    dqn.CONFIG,
    network=QNetwork(Dense((64,))),
    learning_rate=3e-3,
    exploration=EpsilonGreedy(Constant(0.2)),
    replay=Uniform(STEPS),
    batch_size=32,
    num_environments=1,
    train_every=4,
    learning_starts=128,
    target_update=Periodic(100),
)
ENSEMBLE = dataclasses.replace(
    SINGLE,
    algorithm=bootstrapped_dqn.BootstrappedDQN(share=1.0),
    network=Ensemble(QNetwork(Dense((16,))), num_members=10, prior_scale=10.0),
    exploration=OneMember(),
)

STUDY = Study(
    name="deep_exploration",
    games=tuple(SIZES),
    algorithms={
        "epsilon-greedy": SINGLE,
        "NoisyNet": dataclasses.replace(
            SINGLE, network=QNetwork(Dense((64,)), noisy=Noisy()), exploration=EpsilonGreedy(Constant(0.0))
        ),
        "UCB": dataclasses.replace(ENSEMBLE, exploration=UpperConfidence(Constant(3.0))),
        "bootstrapped, priors": ENSEMBLE,
    },
    seeds=range(10),
    steps=STEPS,
    evaluation=Evaluation(every=1_000, episodes=1),
    episodes_logged=STEPS // min(SIZES.values()),
)

TOY = dataclasses.replace(
    STUDY,
    name="deep_exploration-toy",
    algorithms={label: STUDY.algorithms[label] for label in ("epsilon-greedy", "bootstrapped, priors")},
    games=("deep_sea_4",),
    seeds=range(2),
    steps=1_200,
    evaluation=Evaluation(every=600, episodes=1),
    episodes_logged=300,
)


def found(returns: np.ndarray) -> np.ndarray:
    """Returns whether episodes found the treasure: it gives 1, and the path to it costs 0.01."""
    return returns > 0.5


def figures(runs: Sequence[Run]) -> Mapping[str, Figure]:
    return {
        "": scaling(
            runs,
            SIZES,
            found,
            law=("$2^N$, random actions", lambda size: 2.0**size),
            xlabel="size N of deep sea",
            order=tuple(STUDY.algorithms),
        )
    }


def table(runs: Sequence[Run]) -> str:
    order = list(STUDY.algorithms)
    runs = sorted(runs, key=lambda run: (SIZES[run.facts["game"]["name"]], order.index(run.facts["algorithm"])))
    return time_to_solve.table(runs, found) + "\n" + study_tables.table(runs)


if __name__ == "__main__":
    script.main(STUDY, TOY, figures, __doc__, table)
