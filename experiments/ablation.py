"""Which parts of Rainbow help DQN on small games, alone and together?

All six together help (0.74 over all games; DQN 0.61), and without noisy networks far more: 0.97. That arm is the best
on cartpole and mountain_car, and ahead on LunarLander, where intervals overlap. With noise in place of epsilon-greedy
exploration mountain_car's goal is hardly ever found; alone it is the one part that harms (0.46). Alone, 3 steps (0.72)
and prioritised replay (0.71) are told apart from DQN, since intervals do not overlap; dueling (0.69), distributions
(0.62) and double Q-learning (0.59) are not. Taken out of Rainbow, 3 steps alone are missed (0.64). See
results/ablation/.

    python experiments/ablation.py            about two hours on two CPU cores (needs the extra box2d)
    python experiments/ablation.py --toy      seconds

The question of Obando-Ceron and Castro, "Revisiting Rainbow" (2021), figures 1 and 2: DQN with each part of Rainbow
alone, and Rainbow without each. Every arm is composed by `jaxdqn.algorithms.rainbow.compose` from one setting of DQN,
that of `classic_control.py`, chosen for DQN on seeds from 100 on; no arm was tuned apart. The score of a run is the
mean of all its evaluations, so that learning early counts. 0 is the least that a game gives, or, of LunarLander, which
has no least, about what random play gets; 1 is the threshold at which gymnasium calls a game solved.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from classic_control import DQN
from jaxdqn.algorithms import rainbow
from jaxdqn.config import Config
from jaxdqn.figures.intervals import intervals
from jaxdqn.figures.learning_curves import learning_curves
from jaxdqn.networks.heads import Categorical
from jaxdqn.results import summary, tables
from jaxdqn.results.record import Run
from jaxdqn.study import script
from jaxdqn.study.spec import Study
from jaxdqn.training.evaluate import Evaluation

LUNAR_LANDER = "gymnasium:LunarLander-v3"
HEAD = Categorical(num_atoms=51, v_min=-100.0, v_max=100.0)  # holds the discounted returns, but for bad crashes
NAMES = {"n_step": "3 steps"}  # of parts, where their own does not read well


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

SCALE = {  # by game the returns that are 0 and 1
    "cartpole": (0.0, 475.0),
    "acrobot": (-500.0, -100.0),
    "mountain_car": (-200.0, -110.0),
    LUNAR_LANDER: (-200.0, 200.0),
}


def normalised(game: str, scores: np.ndarray) -> np.ndarray:
    """Returns scores on the scale on which 0 is the least that the game gives and 1 its threshold."""
    low, high = SCALE[game]
    return (scores - low) / (high - low)


def figures(runs: Sequence[Run]) -> Mapping[str, Figure]:
    order = tuple(STUDY.algorithms)
    first = order.index("Rainbow")
    drawn = {"": intervals(runs, normalised, last=_every(runs), xlabel="normalised mean over training", order=order)}
    scale = "Those are all its evaluations. 0: the least that a game gives, or random play on LunarLander; 1: solved."
    drawn[""].set_label(f"{drawn[''].get_label()} {scale}")
    for name, labels in (("added", order[:first]), ("removed", order[first:])):
        chosen = [run for run in runs if run.facts["algorithm"] in labels]
        ylabel = "normalised evaluation return"
        drawn[name] = learning_curves(chosen, transform=normalised, ylabel=ylabel, order=labels)
    return drawn


def table(runs: Sequence[Run]) -> str:
    compared = tables.compare(runs, last=_every(runs), transform=normalised)
    return f"{summary.table(runs, last=_every(runs))}\n{tables.markdown(compared)}"


def _every(runs: Sequence[Run]) -> int:
    """Returns the number of evaluations of a run."""
    return min(len(run.curves["steps"]) for run in runs)


if __name__ == "__main__":
    script.main(STUDY, TOY, figures, __doc__, table)
