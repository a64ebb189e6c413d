"""Does DQN learn to shoot in Doom from pixels, and how fast?

    python experiments/doom.py            about twenty minutes of one CPU core (needs the extra doom)
    python experiments/doom.py --toy      seconds

The scenario is `doom:basic` of ViZDoom (Kempka et al. 2016): the agent stands in a room, and can move left, move right
or shoot. A shot that hits the monster ends the episode and gives 106, a shot that misses costs 5, and each of the 35
frames a second costs 1; after 300 frames the episode is truncated. The scenario's authors and its users report mean
returns of about 80 to 90 for trained agents.
"""

import dataclasses
from collections.abc import Sequence

from matplotlib.figure import Figure

from jaxdqn import config_fields
from jaxdqn.algorithms import configuration_of
from jaxdqn.analysis import study_tables
from jaxdqn.commands import script
from jaxdqn.figures.learning_curves import learning_curves
from jaxdqn.settings import doom
from jaxdqn.store.record import Run
from jaxdqn.study.spec import Study

GAME = "doom:basic"

STUDY = Study(
    name="doom",
    games=(GAME,),
    algorithms={"DQN": doom.FAMILY.apply("dqn", configuration_of("dqn"))},
    seeds=range(5),
    steps=doom.FAMILY.steps,
    evaluation=doom.FAMILY.evaluation,
    weights_of=(0,),
    base_settings="doom",
)

SMALL = dataclasses.replace(STUDY.algorithms["DQN"], learning_starts=40)
TOY = dataclasses.replace(
    STUDY,
    name="doom-toy",
    algorithms={"DQN": config_fields.replace_at(SMALL, "replay.capacity", 200)},
    seeds=range(2),
    steps=160,
    evaluation=dataclasses.replace(STUDY.evaluation, every=80, episodes=1),
    weights_of=(),
)

SOLVED = 80.0


def figures(runs: Sequence[Run]) -> Figure:
    return learning_curves(runs, reference_lines={GAME: {"good agents": SOLVED}})


def table(runs: Sequence[Run]) -> str:
    return "\n".join([study_tables.table(runs), study_tables.first_reached(runs, {GAME: SOLVED})])


if __name__ == "__main__":
    script.main(STUDY, TOY, figures, __doc__, table)
