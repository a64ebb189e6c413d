"""Which parts of Rainbow help DQN on small games, alone and together?

Rainbow without noisy networks is best by all four aggregates over games: IQM 0.97, mean 0.92, median 0.99, optimality
gap 0.10 (DQN: 0.61, 0.64, 0.58, 0.36). It is best on cartpole and mountain_car. It is also ahead on LunarLander, but
there the intervals overlap with those of other arms. All six parts together are better than DQN by IQM (0.74) and
median (0.74), but not by mean (0.63) and optimality gap (0.38): with noisy networks instead of epsilon-greedy
exploration, agents hardly ever reach the goal of mountain_car.

Added to DQN alone, noisy networks hurt by all four aggregates (mean 0.44). 3-step returns help by IQM and median (both
0.72), but not by mean (0.62) and optimality gap, because agents with them never reach the goal of mountain_car.
Prioritised replay (IQM 0.71) and dueling networks (0.69) are above DQN by all four aggregates, but intervals overlap,
except for the IQM of prioritised replay. Distributions and double Q-learning do not differ significantly from DQN
(intervals overlap). Removing n-step returns from Rainbow hurts (mean 0.55, optimality gap 0.45; by IQM and median,
intervals overlap). Removing distributions, double Q-learning, dueling networks or prioritised replay makes no
significant difference by any aggregate (intervals overlap). See results/ablation/.

    python experiments/ablation.py            about two hours on two CPU cores (needs the extra box2d)
    python experiments/ablation.py --toy      seconds

The question is from Obando-Ceron and Castro, "Revisiting Rainbow" (2021), figures 1 and 2: DQN with each part of
Rainbow alone, and Rainbow without each part. `jaxdqn.algorithms.rainbow.compose` makes every arm from one configuration
of DQN. It is that of `classic_control.py`, which was chosen for DQN on seeds from 100 on; no arm was tuned separately.
The score of a run is the mean of all its evaluations, so early learning counts. A normalised score of 0 is the lowest
return of a game; LunarLander has no lowest return, so 0 is about the return of random play. A score of 1 is the
threshold at which gymnasium calls a game solved.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from classic_control import DQN
from jaxdqn.algorithms import rainbow
from jaxdqn.analysis import comparison_table, study_tables
from jaxdqn.commands import script
from jaxdqn.config import Config
from jaxdqn.figures.captions import Drawn, provenance
from jaxdqn.figures.intervals import intervals
from jaxdqn.figures.learning_curves import learning_curves
from jaxdqn.networks.heads import Categorical
from jaxdqn.store.record import Run
from jaxdqn.study.spec import Study
from jaxdqn.training.evaluate import Evaluation

LUNAR_LANDER = "gymnasium:LunarLander-v3"
HEAD = Categorical(num_atoms=51, v_min=-100.0, v_max=100.0)  # contains all discounted returns except bad crashes
NAMES = {"n_step": "3 steps"}  # labels of parts whose own name is not clear


def arms() -> dict[str, Config]:
    """Returns DQN, DQN with each part, Rainbow, and Rainbow without each part."""
    parts = rainbow.PARTS
    alone = {f"+ {NAMES.get(part, part)}": rainbow.compose([part], DQN, head=HEAD) for part in parts}
    without = {
        f"- {NAMES.get(part, part)}": rainbow.compose([other for other in parts if other != part], DQN, head=HEAD)
        for part in parts
    }
    return {"DQN": DQN, **alone, "Rainbow": rainbow.compose(parts, DQN, head=HEAD), **without}


STUDY = Study(
    name="ablation",
    games=("cartpole", "acrobot", "mountain_car", LUNAR_LANDER),
    algorithms=arms(),
    seeds=range(10),
    steps=100_000,
    evaluation=Evaluation(every=10_000, episodes=20),
)

TOY = dataclasses.replace(
    STUDY,
    name="ablation-toy",
    games=("cartpole",),
    algorithms={label: STUDY.algorithms[label] for label in ("DQN", "Rainbow")},
    seeds=range(2),
    steps=2_000,
    evaluation=Evaluation(every=1_000, episodes=2),
)

SCALE = {  # returns with the normalised scores 0 and 1, by game
    "cartpole": (0.0, 475.0),
    "acrobot": (-500.0, -100.0),
    "mountain_car": (-200.0, -110.0),
    LUNAR_LANDER: (-200.0, 200.0),
}


def normalised(game: str, scores: np.ndarray) -> np.ndarray:
    """Returns normalised scores: 0 is the lowest return of the game, and 1 is its threshold."""
    low, high = SCALE[game]
    return (scores - low) / (high - low)


def figures(runs: Sequence[Run]) -> Mapping[str, Figure | Drawn]:
    order = tuple(STUDY.algorithms)
    first = order.index("Rainbow")
    last = _num_evaluations(runs)
    overview = intervals(runs, normalised, last=last, xlabel="normalised mean over training", order=order)
    scale = "These are all its evaluations. 0: lowest return of a game (LunarLander: random play); 1: solved."
    overview.set_label(f"{overview.get_label()} {scale}")
    drawn: dict[str, Figure | Drawn] = {"": overview}
    for name, labels in (("added", order[:first]), ("removed", order[first:])):
        chosen = [run for run in runs if run.facts["algorithm"] in labels]
        ylabel = "normalised evaluation return"
        figure = learning_curves(chosen, transform=normalised, ylabel=ylabel, order=labels)
        drawn[name] = Drawn(figure, provenance(chosen))
    return drawn


def table(runs: Sequence[Run]) -> str:
    last = _num_evaluations(runs)
    compared = comparison_table.compare(runs, last=last, transform=normalised)
    return f"{study_tables.table(runs, last=last)}\n{comparison_table.markdown(compared)}"


def _num_evaluations(runs: Sequence[Run]) -> int:
    """Returns the number of evaluations of a run."""
    return min(len(run.curves["steps"]) for run in runs)


if __name__ == "__main__":
    script.main(STUDY, TOY, figures, __doc__, table)
