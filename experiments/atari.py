"""How well do data-efficient Rainbow and DQN play Pong after 100,000 steps, beside published agents?

    python experiments/atari.py            about five hours of one CPU core (needs the extra atari)
    python experiments/atari.py --toy      seconds
    python experiments/atari.py --full     all 26 games of the benchmark with 5 seeds: for accelerators or a cluster

The protocol is Atari-100k (Kaiser et al., "Model-Based Reinforcement Learning for Atari", ICLR 2020): 100,000 steps of
four frames, 400,000 frames; four grey frames stacked; rewards clipped to [-1, 1]; no sticky actions; the actions that
the game uses; the loss of a life is an end for learning, and returns are those of whole games. Episodes begin with 1 to
30 frames without an action, and last at most 108,000 frames.

The arms are the rows "rainbow" and "dqn" of the settings `atari_100k` (`jaxdqn/settings/atari.py`). Rainbow is the
data-efficient one of van Hasselt et al., "When to use parametric models in reinforcement learning?" (NeurIPS 2019),
with 20-step returns and an update at every step. DQN has the same torso, 10-step returns and epsilon-greedy
exploration; it is not published in this form.

Departures: three seeds. An evaluation has 20 episodes; the benchmark plays 100, once after training (`--full` has 100).
As in Dopamine, evaluation has an epsilon of 0.001. The memory of priorities has a uniform part, and the weights of a
batch are divided by their largest (`jaxdqn/replay/prioritised.py`).

The lines are published means at 100,000 steps (`results/reference/atari_100k.csv`), and the scores of people and of
random play. DrQ(eps) and SPR learn from augmented pictures.
"""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from jaxdqn import config_fields
from jaxdqn.analysis import normalise, published, study_tables, table_formats
from jaxdqn.commands import script
from jaxdqn.figures.aggregates import aggregate_intervals
from jaxdqn.figures.learning_curves import learning_curves
from jaxdqn.settings.atari import ATARI_100K
from jaxdqn.store.record import Run
from jaxdqn.study.spec import Study

REFERENCE = pathlib.Path(__file__).parents[1] / "results" / "reference" / "atari_100k.csv"
PROTOCOL = "sticky=0,noops=30,life_loss=true"

STUDY = Study(
    name="atari",
    games=(f"atari:pong,{PROTOCOL}",),
    algorithms={
        "data-efficient Rainbow": ATARI_100K.configuration("rainbow"),
        "DQN, 10 steps": ATARI_100K.configuration("dqn"),
    },
    seeds=range(3),
    steps=ATARI_100K.steps,
    evaluation=dataclasses.replace(ATARI_100K.evaluation, every=10_000, episodes=20),
    weights_of=(0,),
    base_settings="atari_100k",
)

SMALL = dataclasses.replace(STUDY.algorithms["DQN, 10 steps"], learning_starts=50)
TOY = dataclasses.replace(
    STUDY,
    name="atari-toy",
    games=(f"atari:pong,{PROTOCOL},limit=200",),
    algorithms={"DQN, 10 steps": config_fields.replace_at(SMALL, "replay.capacity", 200)},
    seeds=(0,),
    steps=120,
    evaluation=dataclasses.replace(STUDY.evaluation, every=60, episodes=1),
    weights_of=(),
)


def full() -> Study:
    """Returns the study of all 26 games."""
    return dataclasses.replace(
        STUDY,
        name="atari_100k",
        games=tuple(dict.fromkeys(f"{curve.game},{PROTOCOL}" for curve in published.read(REFERENCE))),
        seeds=range(5),
        evaluation=dataclasses.replace(STUDY.evaluation, every=50_000, episodes=100),
        weights_of=(),
    )


def references(games: Sequence[str]) -> dict[str, dict[str, float]]:
    """Returns by game the scores of people, of published agents and of random play."""
    means: dict[str, dict[str, float]] = {game: {} for game in games}
    for curve in published.read(REFERENCE):
        for game in games:
            if curve.game == _title(game):
                means[game][f"{curve.algorithm}, published"] = float(curve.score[-1])
    ends = normalise.human(games)
    return {game: {"human": ends[game].high, **means[game], "random play": ends[game].low} for game in games}


def _title(game: str) -> str:
    """Returns the name of a game without the options of the protocol."""
    return game.partition(",")[0]


def figures(runs: Sequence[Run]) -> Mapping[str, Figure]:
    games, order = _games(runs), tuple(STUDY.algorithms)
    drawn = {"": learning_curves(runs, reference_lines=references(games), order=order)}
    if len(games) > 1:
        drawn["aggregates"] = aggregate_intervals(runs, normalise.transform(normalise.human(games)), order=order)
    return drawn


def table(runs: Sequence[Run]) -> str:
    lines = references(_games(runs))
    rows = [
        (_title(game), label, f"{value:.4g}") for game, by_label in lines.items() for label, value in by_label.items()
    ]
    heading = ("game", "reference", "mean return")
    return "\n".join([study_tables.table(runs), table_formats.markdown([heading, *rows])])


def _games(runs: Sequence[Run]) -> list[str]:
    return list(dict.fromkeys(run.facts["game"]["name"] for run in runs))


if __name__ == "__main__":
    script.main(STUDY, TOY, figures, __doc__, table, full=full)
