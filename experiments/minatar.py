"""How well do DQN, Rainbow without noisy networks and PQN play MinAtar, beside published curves?

    python experiments/minatar.py            about eight hours on two CPU cores
    python experiments/minatar.py --toy      seconds

All arms play the games with all six actions and with sticky actions of probability 0.1, as both publications do: Young
and Tian, "MinAtar" (2019), learning curves of DQN, and Obando-Ceron and Castro, "Revisiting Rainbow" (2021), whose
games are Dopamine's. Both report the return of training episodes, so these are compared; the second figure shows greedy
episodes. `results/reference/sources.csv` has the protocols. Ours has one update of 32 transitions in 8 steps: Young and
Tian have 8, Obando-Ceron and Castro 2. Their networks have no hidden layer of 128 units (Obando-Ceron and Castro), and
their Rainbow has noisy networks. Freeway ends after 2,501 steps by truncation; the other games are truncated after
10,000 steps, those of the publications are not.
"""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from jaxdqn.algorithms import dqn, rainbow
from jaxdqn.analysis import by_arm, published, resampling, statistics, study_tables, table_formats
from jaxdqn.analysis.published import Curve
from jaxdqn.commands import script
from jaxdqn.figures.learning_curves import learning_curves
from jaxdqn.games import MINATAR
from jaxdqn.settings import minatar
from jaxdqn.store.record import Run
from jaxdqn.study.spec import Study
from jaxdqn.training.evaluate import Evaluation

RAINBOW = rainbow.compose([part for part in rainbow.PARTS if part != "noisy"], dqn.CONFIG)

STUDY = Study(
    name="minatar",
    games=tuple(f"minatar_{game}_full" for game in MINATAR),
    algorithms={
        "PQN": minatar.FAMILY.configuration("pqn"),
        "DQN": minatar.FAMILY.configuration("dqn"),
        "Rainbow without noisy networks": minatar.FAMILY.apply("rainbow", RAINBOW),
    },
    seeds=range(10),
    steps=minatar.STEPS,
    evaluation=minatar.FAMILY.evaluation,
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

REFERENCE = pathlib.Path(__file__).parents[1] / "results" / "reference" / "minatar.csv"
LABELS = {  # of published curves, by source
    "young_tian_2019": "Young & Tian (published: 30 runs, an update in each step, epsilon 0.1)",
    "obando_ceron_castro_2021": "Obando-Ceron & Castro (published: 10 runs, mean over a million steps)",
}
HEADING = ("game", "published", "steps", "published mean", "ours", "our mean", "95 % interval", "ours is")
ARMS = {"DQN": "DQN", "Rainbow": "Rainbow without noisy networks"}  # our arm, by the algorithm of a publication


def figures(runs: Sequence[Run]) -> Mapping[str, Figure]:
    order = tuple(STUDY.algorithms)
    lines: dict[str, dict[str, tuple[np.ndarray, np.ndarray]]] = {}
    for curve in _published(runs):
        label = f"{curve.algorithm}, {LABELS[curve.source]}"
        lines.setdefault(curve.game, {})[label] = curve.line()
    return {
        "": learning_curves(runs, score="episode_return", statistic=statistics.mean, published=lines, order=order),
        "greedy": learning_curves(runs, order=order),
    }


def table(runs: Sequence[Run]) -> str:
    return "\n".join([study_tables.table(runs), compared(runs)])


def compared(runs: Sequence[Run]) -> str:
    """Returns a row for each published curve: its last point within our steps, ours at the same steps, a verdict."""
    rows: list[tuple[str, ...]] = [HEADING]
    arms = {(arm.game, arm.algorithm): members for arm, members in by_arm.compared(runs).items()}
    for curve in _published(runs):
        members = arms.get((curve.game, ARMS[curve.algorithm]))
        if not members:
            continue
        first, last, score = curve.first[-1], curve.last[-1], curve.score[-1]
        means = np.array([_mean_training_return(run, first, last) for run in members])
        estimate = resampling.interval(means, statistics.mean, np.random.default_rng(0))
        verdict = "better" if estimate.low > score else "worse" if estimate.high < score else "not different"
        steps = f"{first:,} to {last:,}" if first < last else f"{last:,}"
        interval = table_formats.ends(estimate) or "none"
        published_name = f"{curve.algorithm}, {curve.source}"
        ours = ARMS[curve.algorithm]
        rows.append(
            (curve.game, published_name, steps, f"{score:.4g}", ours, f"{estimate.point:.4g}", interval, verdict)
        )
    return table_formats.markdown(rows)


def _published(runs: Sequence[Run]) -> list[Curve]:
    """Returns the published curves of the games of the runs, until the last step of the runs."""
    games = {run.facts["game"]["name"] for run in runs}
    last = int(max(run.curves["steps"][-1] for run in runs))
    curves = [curve.until(last) for curve in published.read(REFERENCE) if curve.game in games]
    return [curve for curve in curves if len(curve.score)]


def _mean_training_return(run: Run, first: int, last: int) -> float:
    """Returns the mean return of the training episodes that ended in the periods from `first` to `last`.

    Where both are one step, the period is the one that contains it.
    """
    ends = run.curves["steps"]
    begins = np.concatenate([[0], ends[:-1]])
    chosen = (begins < last) & (ends > first) if first < last else (begins < last) & (ends >= last)
    episodes, returns = run.curves["episodes"][chosen], run.curves["episode_return"][chosen]
    return float(np.average(returns[episodes > 0], weights=episodes[episodes > 0]))


if __name__ == "__main__":
    script.main(STUDY, TOY, figures, __doc__, table)
