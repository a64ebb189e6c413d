"""How fast does DQN learn Doom's basic scenario from pixels?

After 50,000 steps greedy episodes return 78.45 (74.9 to 82; IQM of five seeds), and every seed ends between 77 and 82.
No evaluation has an IQM of 80, the lower end of what good agents reach. See results/doom/.

    python experiments/doom.py            an hour and a half beside other work on two CPU cores (needs the extra doom)
    python experiments/doom.py --toy      seconds

The scenario is `doom:basic` of ViZDoom (Kempka et al., "ViZDoom: A Doom-based AI Research Platform for Visual
Reinforcement Learning", 2016): a monster stands at the opposite wall of a room, and the agent moves left, moves right,
shoots or waits. Its death ends the episode and gives 106, a shot costs 5, and each frame costs 1. An action lasts four
frames, and an episode is truncated after 300 frames. The agent sees one grey picture of 84 x 84 pixels at a time. Good
agents are known to have mean returns of about 80 to 90; the line in the figure is at 80.

The settings are those of `jaxdqn/settings/doom.py`, chosen with seed 100.
"""

import dataclasses
from collections.abc import Sequence

from matplotlib.figure import Figure

from jaxdqn import config_fields
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
    algorithms={"DQN": doom.FAMILY.configuration("dqn")},
    seeds=range(5),
    steps=doom.FAMILY.steps,
    evaluation=dataclasses.replace(doom.FAMILY.evaluation, every=2_500),
    weights_of=(0,),
    base_settings="doom",
)

SMALL = dataclasses.replace(STUDY.algorithms["DQN"], learning_starts=40)
TOY = dataclasses.replace(
    STUDY,
    name="doom-toy",
    algorithms={"DQN": config_fields.replace_at(SMALL, "replay.capacity", 200)},
    seeds=(0,),
    steps=160,
    evaluation=dataclasses.replace(STUDY.evaluation, every=80, episodes=1),
    weights_of=(),
)

GOOD = 80.0  # lower end of the mean returns of good agents


def figures(runs: Sequence[Run]) -> Figure:
    return learning_curves(runs, reference_lines={GAME: {"good agent": GOOD}})


def table(runs: Sequence[Run]) -> str:
    return "\n".join([study_tables.table(runs), study_tables.first_reached(runs, {GAME: GOOD})])


if __name__ == "__main__":
    script.main(STUDY, TOY, figures, __doc__, table)
