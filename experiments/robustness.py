"""Does the ranking of algorithms depend on how they were tuned?

It does. At the setting chosen for DQN, DQN is ahead on mountain_car: its normalised score is 0.86 (0.54 to 1.01),
against 0.56 (0.01 to 0.91) for double DQN and 0.26 (0.00 to 0.78) for Munchausen DQN. With three times the learning
rate, Munchausen DQN is ahead: 1.00 (0.95 to 1.05), against 0.85 (0.72 to 0.98) for DQN and 0.87 (0.29 to 1.05) for
double DQN. In both cases the intervals of the algorithms overlap; the intervals of Munchausen DQN's two scores do not.
With the shorter period as well, seven of its ten seeds score above one half, two of double DQN's and none of DQN's. On
every game, the best, the median and the worst of Munchausen DQN's six settings are at or above those of the others. On
catch every setting solves the game. See results/robustness/.

    python experiments/robustness.py            about an hour on two CPU cores
    python experiments/robustness.py --toy      seconds

DQN, double DQN and Munchausen DQN run on four games with three learning rates and two periods of the target network:
720 runs, with one compiled program for each game and algorithm. The score of a run is the mean of its last five
evaluations, normalised: 0 is the lowest return, and 1 is the threshold at which a game counts as solved (on catch, 98 %
wins). One of the settings, 1e-3 and 200 steps, was chosen for DQN on the classic-control games, on seeds from 100 on.
The others differ by a factor of about three in learning rate, or of four in period. Munchausen DQN keeps its authors'
temperature, scale and clip.
"""

import dataclasses
import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from classic_control import DQN
from jaxdqn.algorithms import double_dqn, munchausen
from jaxdqn.analysis import by_arm, normalise, statistics, study_tables, table_formats
from jaxdqn.analysis.normalise import Reference
from jaxdqn.commands import script
from jaxdqn.figures.captions import Drawn, provenance
from jaxdqn.figures.heat_map import heat_map
from jaxdqn.figures.paired_differences import paired_differences
from jaxdqn.figures.performance_profiles import performance_profiles
from jaxdqn.store.record import Run
from jaxdqn.study.spec import Study
from jaxdqn.training.evaluate import Evaluation

RATE, PERIOD = "learning_rate", "target_update.every"

STUDY = Study(
    name="robustness",
    games=("catch", "cartpole", "acrobot", "mountain_car"),
    algorithms={
        "DQN": DQN,
        "double DQN": dataclasses.replace(DQN, algorithm=double_dqn.DoubleDQN()),
        "Munchausen DQN": dataclasses.replace(DQN, algorithm=munchausen.MunchausenDQN()),
    },
    grid={RATE: (3e-4, 1e-3, 3e-3), PERIOD: (50, 200)},
    seeds=range(10),
    steps=80_000,
    evaluation=Evaluation(every=4_000, episodes=20),
)

TOY = dataclasses.replace(
    STUDY,
    name="robustness-toy",
    games=("cartpole",),
    algorithms={label: STUDY.algorithms[label] for label in ("DQN", "Munchausen DQN")},
    grid={RATE: (1e-3, 3e-3), PERIOD: (200, 800)},
    seeds=range(2),
    steps=2_000,
    evaluation=Evaluation(every=400, episodes=2),
)

LAST = 5
TUNED = {RATE: 1e-3, PERIOD: 200}
normalised = normalise.transform(
    {
        "catch": Reference(-1.0, 0.96),
        "cartpole": Reference(0.0, 475.0),
        "acrobot": Reference(-500.0, -100.0),
        "mountain_car": Reference(-200.0, -110.0),
    }
)


def figures(runs: Sequence[Run]) -> Mapping[str, Figure | Drawn]:
    drawn: dict[str, Figure | Drawn] = {
        "": heat_map(
            runs,
            (PERIOD, RATE),
            last=LAST,
            transform=normalised,
            name="normalised greedy return at the end of a run",
            xlabel="target period [steps]",
            ylabel="learning rate of Adam",
        )
    }
    tuned = [run for run in runs if run.facts["settings"] == TUNED]
    order = list(dict.fromkeys(run.facts["algorithm"] for run in tuned))
    scale: dict[str, Any] = {"transform": normalised, "last": LAST, "order": order}
    facts = f"Learning rate {TUNED[RATE]:g} and target period {TUNED[PERIOD]} only."
    if tuned:
        profiles = performance_profiles(tuned, xlabel="normalised score", **scale)
        drawn["profiles"] = Drawn(profiles, f"{facts} {provenance(tuned)}")
    if len(order) > 1:
        differences = paired_differences(tuned, "DQN", xlabel="difference of normalised scores", **scale)
        drawn["differences"] = Drawn(differences, f"{facts} {provenance(tuned)}")
    return drawn


def table(runs: Sequence[Run]) -> str:
    return study_tables.table(runs, last=LAST) + "\n" + over_settings(runs)


def over_settings(runs: Iterable[Run]) -> str:
    """Returns a table of the best, the median and the worst setting of each game and algorithm.

    A setting is rated by the interquartile mean over seeds of the normalised score. The table also has the number of
    settings that solve the game.
    """
    rows = [("game", "algorithm", "settings", "solved by", "best", "median", "worst")]
    arms = by_arm.compared(runs)
    for (game, algorithm), settings in itertools.groupby(arms, key=lambda arm: (arm.game, arm.algorithm)):
        scores = [normalised(game, by_arm.final(arms[arm], "evaluation_return", LAST)) for arm in settings]
        means = np.array([statistics.iqm(score) for score in scores])
        best, middle, worst = (f"{value:.2f}" for value in np.quantile(means, (1.0, 0.5, 0.0)))
        rows.append((game, algorithm, str(len(means)), str(sum(means >= 1)), best, middle, worst))
    return table_formats.markdown(rows)


if __name__ == "__main__":
    script.main(STUDY, TOY, figures, __doc__, table)
