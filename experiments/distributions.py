"""How accurate are learned distributions of the return, and how many atoms or quantiles do they need?

QR-DQN is most accurate: with 51 quantiles its distance to the true distribution is 0.089 (0.079 to 0.099), and IQN's is
0.19 (0.16 to 0.22). C51 with 51 atoms, 0.12 (0.09 to 0.16), does not differ significantly from QR-DQN (intervals
overlap); with 5, 11 and 21 atoms its distance is larger. All methods improve from 5 to 51. The papers' Huber loss with
kappa 1 hurts if rewards are of size 1: 0.57 (0.54 to 0.59) with 51 quantiles and 0.68 (0.66 to 0.70) with 5. See
results/distributions/.

    python experiments/distributions.py            about five minutes on two free CPU cores
    python experiments/distributions.py --toy      seconds

The game is the random walk of five steps. With a discount of 0.9, the return of the right action at the start has 32
values with known probabilities. Play is uniformly random, so both actions are tried everywhere. The distance is the
1-Wasserstein distance, which is the area between two distribution functions, in units of the return. Two bounds are
computed: the fixed point of C51 with exact expectations, and the nearest N equally probable values. Quantile regression
has no such fixed point here: its fractions lie on steps of the distribution function, where each value between two
neighbouring values is a quantile.

Distributions are computed from the stored weights. IQN is evaluated with as many quantiles as in training, at the
midpoints of equal intervals. Quantile regression uses the loss without Huber smoothing, except in one arm, which has
the papers' Huber loss with kappa 1: it squares errors below kappa, which pulls quantiles towards the mean. All arms
have the same settings; they were tried on seeds 100 and 101 with batches of 64, and batches were made smaller since.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from jaxdqn import distributional
from jaxdqn.algorithms import c51, quantile
from jaxdqn.analysis import study_tables
from jaxdqn.commands import script
from jaxdqn.config import Config
from jaxdqn.exploration import EpsilonGreedy
from jaxdqn.figures import style
from jaxdqn.figures.sensitivity import sensitivity
from jaxdqn.game_interfaces import DiscreteDistribution
from jaxdqn.games import random_walk
from jaxdqn.networks.heads import Categorical, Head, ImplicitQuantiles, Quantiles
from jaxdqn.networks.network import QNetwork
from jaxdqn.networks.torsos import Dense
from jaxdqn.outputs import CategoricalOutput
from jaxdqn.play import agent
from jaxdqn.protocols import Algorithm
from jaxdqn.replay.uniform import Uniform
from jaxdqn.schedules import Constant
from jaxdqn.store import weights
from jaxdqn.store.record import Run
from jaxdqn.study.spec import Study
from jaxdqn.target_network import Periodic
from jaxdqn.training.evaluate import Evaluation

RANGE = (-5.0, 5.0)  # of the return; with a discount of 0.9 its maximum is 4.1
NUM_STEPS = 5
REWARDS = np.array([1.0, -1.0], np.float32)
PROBABILITIES = np.array([random_walk.FORWARD, 1.0 - random_walk.FORWARD], np.float32)  # with the right action

BASE = dataclasses.replace(
    c51.CONFIG,
    learning_rate=1e-3,
    discount=0.9,
    exploration=EpsilonGreedy(Constant(1.0)),
    replay=Uniform(20_000),
    batch_size=32,
    target_update=Periodic(1_000),
)


def _arm(algorithm: Algorithm, head: Head) -> Config:
    return dataclasses.replace(BASE, algorithm=algorithm, network=QNetwork(Dense((32,)), head=head))


PLAIN, HUBER = quantile.QuantileRegression(kappa=0.0), quantile.QuantileRegression(kappa=1.0)

# Families of distributions: from the number N of atoms or quantiles to the configuration.
FAMILIES: dict[str, Callable[[int], Config]] = {
    "C51": lambda n: _arm(c51.C51(), Categorical(n, *RANGE)),
    "QR-DQN": lambda n: _arm(PLAIN, Quantiles(n)),
    "QR-DQN, kappa 1": lambda n: _arm(HUBER, Quantiles(n)),
    "IQN": lambda n: _arm(PLAIN, ImplicitQuantiles(n, num_policy_quantiles=8, num_cosines=16, hidden=())),
}
NUMBERS = (5, 11, 21, 51)
ARMS = {f"{family}, {number}": (family, number) for family in FAMILIES for number in NUMBERS}

STUDY = Study(
    name="distributions",
    games=("random_walk_5",),
    algorithms={label: FAMILIES[family](number) for label, (family, number) in ARMS.items()},
    seeds=range(10),
    steps=40_000,
    evaluation=Evaluation(every=20_000, episodes=100),
    weights_of=range(10),
)

TOY = dataclasses.replace(
    STUDY,
    name="distributions-toy",
    algorithms={label: STUDY.algorithms[label] for label, (_, number) in ARMS.items() if number == 5},
    seeds=range(2),
    steps=2_000,
    evaluation=Evaluation(every=1_000, episodes=5),
    weights_of=range(2),
)

TICKS = (0.05, 0.1, 0.2, 0.5, 1.0)  # of the distance
DRAWN = 21  # N of the functions in the figure, or the largest smaller N that was run


def figures(runs: Sequence[Run]) -> Mapping[str, Figure]:
    return {"": functions(runs), "distance": distances(runs)}


def functions(runs: Sequence[Run]) -> Figure:
    """Returns a panel for each family: the true distribution function, and the learned one of every seed."""
    number = max(ARMS[run.facts["algorithm"]][1] for run in runs if ARMS[run.facts["algorithm"]][1] <= DRAWN)
    selected = [run for run in runs if ARMS[run.facts["algorithm"]][1] == number]
    looks = style.styles(FAMILIES)
    with style.look():
        figure, panels = style.panels(
            list(looks),
            xlabel="return of the right action at the start",
            ylabel="probability of at most this",
            title=None,
        )
        handles = {}
        for panel in panels.values():
            handles["true"] = panel.step(*_steps(true_distribution()), where="post", color="#A0A0A0", linewidth=2.5)[0]
            panel.set_xlim(*RANGE)
        for run in selected:
            family, _ = ARMS[run.facts["algorithm"]]
            (line,) = panels[family].step(
                *_steps(learned_distribution(_facts_path(run))), where="post", color=looks[family].color, linewidth=0.5
            )
            handles[f"{family}, N = {number}"] = line
        style.legend(figure, handles)
    figure.set_label(f"Distribution functions of the return: true, and learned by every seed; N = {number}.")
    return figure


def distances(runs: Sequence[Run]) -> Figure:
    """Returns the distance to the true distribution against N, with the two bounds."""
    figure = sensitivity(
        measured(runs),
        "number",
        score="wasserstein",
        xlabel="atoms or quantiles N",
        ylabel="Wasserstein distance to the true distribution",
        order=tuple(FAMILIES),
    )
    looks = style.styles(FAMILIES)
    with style.look():
        (panel,) = figure.axes
        for color, limit in zip((looks["C51"].color, "#606060"), LIMITS.values(), strict=True):
            values = [_distance(limit(number)) for number in NUMBERS]
            panel.plot(NUMBERS, values, color=color, linewidth=0.7, linestyle=(0, (2, 2)), zorder=1.0)
        panel.set_yscale("log")
        panel.set_yticks(TICKS, [f"{tick:g}" for tick in TICKS])
        panel.set_yticks([], minor=True)
    figure.set_label(f"{figure.get_label()} Thin dashes: {'; '.join(LIMITS)} (grey). Markers are shifted apart.")
    return figure


def table(runs: Sequence[Run]) -> str:
    limits = [
        f"{name}: " + ", ".join(f"{_distance(limit(number)):.4f} (N = {number})" for number in NUMBERS)
        for name, limit in LIMITS.items()
    ]
    return study_tables.table(measured(runs), score="wasserstein") + "\n" + "\n\n".join(limits) + "\n"


def measured(runs: Sequence[Run]) -> list[Run]:
    """Returns a run for each run: its algorithm is the family, its setting is N, and its score is the distance."""
    found = []
    for run in sorted(runs, key=lambda run: list(ARMS).index(run.facts["algorithm"])):
        family, number = ARMS[run.facts["algorithm"]]
        distance = _distance(learned_distribution(_facts_path(run)))
        curves = {"steps": run.curves["steps"][-1:], "wasserstein": np.array([distance])}
        found.append(Run({**run.facts, "algorithm": family, "settings": {"number": number}}, curves))
    return found


@functools.cache
def true_distribution() -> DiscreteDistribution:
    """Returns the true distribution of the return of the right action at the start, followed by right actions."""
    return random_walk.return_distribution(BASE.discount)


@functools.cache
def learned_distribution(facts: Path) -> DiscreteDistribution:
    """Returns the distribution that a trained network predicts for the right action at the start.

    Args:
      facts: path of the run's record.
    """
    player = agent.make(weights.load(facts))
    start = jnp.eye(player.game.observation_shape[0])[0]
    action = int(random_walk.right_action(jnp.int32(0)))
    output = jax.device_get(player.network.apply(player.parameters, start))
    if isinstance(output, CategoricalOutput):
        return DiscreteDistribution(np.asarray(output.atoms), np.asarray(jax.nn.softmax(output.logits[action])))
    quantiles = output.quantiles[action]
    return DiscreteDistribution(quantiles, np.full(len(quantiles), 1.0 / len(quantiles)))


def categorical_limit(number: int) -> DiscreteDistribution:
    """Returns the fixed point of C51 with exact expectations: each backup is projected onto the atoms."""
    atoms = jnp.linspace(*RANGE, number)
    target = jax.vmap(distributional.categorical_target, in_axes=(0, None, None, None))
    probabilities, discount = jnp.eye(number)[0], 0.0  # nothing follows the last step
    for _ in range(NUM_STEPS):
        targets = target(jnp.asarray(REWARDS), jnp.float32(discount), probabilities, atoms)
        probabilities = jnp.asarray(PROBABILITIES) @ targets
        discount = BASE.discount
    return DiscreteDistribution(np.asarray(atoms), np.asarray(probabilities))


def nearest_quantiles(number: int) -> DiscreteDistribution:
    """Returns the N equally probable values nearest to the true distribution (Dabney et al. 2018a, lemma 2)."""
    values, probabilities = true_distribution()
    fractions = (np.arange(number) + 0.5) / number
    return DiscreteDistribution(
        values[np.searchsorted(np.cumsum(probabilities), fractions)], np.full(number, 1.0 / number)
    )


LIMITS = {"C51 with exact expectations": categorical_limit, "best N equally probable values": nearest_quantiles}


def _distance(found: DiscreteDistribution) -> float:
    numbers = [jnp.asarray(values, jnp.float32) for values in (*found, *true_distribution())]
    return float(distributional.wasserstein(*numbers))


def _steps(known: DiscreteDistribution) -> tuple[np.ndarray, np.ndarray]:
    """Returns a distribution function as a step line over the whole range."""
    order = np.argsort(known.values)
    heights = np.cumsum(np.asarray(known.probabilities)[order])
    return np.array([RANGE[0], *np.asarray(known.values)[order], RANGE[1]]), np.array([0.0, *heights, 1.0])


def _facts_path(run: Run) -> Path:
    assert run.folder is not None  # stored runs have a folder
    return run.folder / f"{run.facts['id']}.json"


if __name__ == "__main__":
    script.main(STUDY, TOY, figures, __doc__, table)
