"""Does an agent learn equally well on gymnasium's CartPole and on the one written in JAX?

The two games have equal transitions, which tests check, but two different loops train on them. Settings and seeds are
equal. Random numbers are not, so only the distributions over seeds can be compared.

There is no significant difference: over 20 seeds, the return over training has an IQM of 278 (251 to 306) on
gymnasium's game and of 273 (253 to 290) on the one in JAX. The mean difference of pairs is 8.4 (-13.6 to 29.9). See
results/host_games/.

    python experiments/host_games.py            about ten minutes on two CPU cores
    python experiments/host_games.py --toy      seconds

The score of a run is the mean of all its evaluations, because single evaluations of DQN on CartPole vary strongly.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from classic_control import DQN
from jaxdqn.analysis import by_arm, divergence, paired, study_tables, table_formats
from jaxdqn.commands import script
from jaxdqn.figures.learning_curves import learning_curves
from jaxdqn.store.record import Run
from jaxdqn.study.spec import Study
from jaxdqn.training.evaluate import Evaluation

IN_JAX, ON_HOST = "cartpole", "gymnasium:CartPole-v1"

STUDY = Study(
    name="host_games",
    games=(IN_JAX, ON_HOST),
    algorithms={"DQN": DQN},
    seeds=range(20),
    steps=80_000,
    evaluation=Evaluation(every=5_000, episodes=20),
)

TOY = dataclasses.replace(
    STUDY, name="host_games-toy", seeds=range(2), steps=2_000, evaluation=Evaluation(every=1_000, episodes=2)
)


def figure(runs: Sequence[Run]) -> Figure:
    drawn = learning_curves(runs)
    for panel in drawn.axes:
        panel.set_ylim(0, 520)
    return drawn


def table(runs: Sequence[Run]) -> str:
    """Returns the mean scores over training, and the mean of their differences if both games have scores."""
    runs = divergence.as_worst(runs)
    last = min((len(run.curves["steps"]) for run in runs), default=1)
    scores: dict[str, dict[int, float]] = {IN_JAX: {}, ON_HOST: {}}
    for run in runs:
        scores[run.facts["game"]["name"]][run.facts["seed"]] = float(by_arm.final([run], "evaluation_return", last)[0])
    text = study_tables.table(runs, last=last)
    if not all(scores.values()):
        return text
    differences = paired.differences({"both": scores[ON_HOST]}, {"both": scores[IN_JAX]})
    interval = paired.interval(differences, np.random.default_rng(0))
    shown = table_formats.in_brackets(interval, len(differences.seeds["both"]), ".3g")
    return f"{text}\nMean of gymnasium's minus the one in JAX: {shown}.\n"


if __name__ == "__main__":
    script.main(STUDY, TOY, figure, __doc__, table)
