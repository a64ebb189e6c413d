"""How well does PQN play MinAtar, beside published curves?

    python experiments/minatar.py            about an hour on two CPU cores
    python experiments/minatar.py --toy      seconds

It plays the games with all six actions and sticky actions of probability 0.1, as both publications do: Young and
Tian, "MinAtar" (2019), figure 2, and Obando-Ceron and Castro, "Revisiting Rainbow" (2021), whose games are Dopamine's.
"""

import dataclasses

from jaxdqn.algorithms import configuration_of
from jaxdqn.commands import script
from jaxdqn.figures.learning_curves import learning_curves
from jaxdqn.games import MINATAR
from jaxdqn.settings import minatar
from jaxdqn.study.spec import Study
from jaxdqn.training.evaluate import Evaluation

STUDY = Study(
    name="minatar",
    games=tuple(f"minatar_{game}_full" for game in MINATAR),
    algorithms={
        "PQN": minatar.FAMILY.apply("pqn", configuration_of("pqn")),
    },
    seeds=range(10),
    steps=minatar.STEPS,
    evaluation=Evaluation(every=40_960, episodes=20),
    weights_of=(0,),
)

TOY = dataclasses.replace(
    STUDY,
    name="minatar-toy",
    games=("minatar_breakout_full",),
    seeds=range(2),
    steps=8_192,
    evaluation=Evaluation(every=4_096, episodes=2),
    weights_of=(),
)

if __name__ == "__main__":
    script.main(STUDY, TOY, learning_curves, __doc__)
