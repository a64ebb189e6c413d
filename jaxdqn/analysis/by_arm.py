"""Sorts runs into the arms of a comparison, and stacks the curves of an arm as `[runs, points]`.

The runs of an arm have one game, algorithm and settings (`settings_of_runs`), and differ by seed only. A run that
diverged counts as in `jaxdqn.analysis.divergence`. A run that failed has no record: `failed_runs` counts them.
"""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from jaxdqn.analysis import code_of_runs, divergence, settings_of_runs
from jaxdqn.store import schema
from jaxdqn.store.record import Curves, Run

# Facts that are equal in an arm: runs that differ in one of these do not sample the same distribution.
_SHARED = ("steps", "evaluation", "training_version", "algorithm_version", "part_versions", "switches")

# Facts that are equal in all arms: scores of runs that differ in one of these cannot be compared.
_PROTOCOL = ("steps", "evaluation.every", "evaluation.episodes", "evaluation.epsilon", "training_version", "switches")


class Arm(NamedTuple):
    """The facts that runs of an arm share: `settings` are pairs of dotted field and value, sorted by field."""

    game: str
    algorithm: str
    settings: tuple[tuple[str, Any], ...]


def arms(runs: Iterable[Run]) -> dict[Arm, tuple[Run, ...]]:
    """Returns the runs by arm, in order of first appearance; the runs of an arm are sorted by seed.

    Raises:
      ValueError: if runs of an arm differ by more than their seed, or a seed occurs twice. To pool them would mix two
        distributions, or count one sample as two.
    """
    runs = list(runs)
    grouped: dict[Arm, list[Run]] = defaultdict(list)
    for run, settings in zip(runs, settings_of_runs.of_runs([run.facts for run in runs]), strict=True):
        grouped[arm(run.facts["game"]["name"], run.facts["algorithm"], settings)].append(run)
    for key, members in grouped.items():
        members.sort(key=lambda run: run.facts["seed"])
        _check_arm(key, members)
    return {key: tuple(members) for key, members in grouped.items()}


def arm(game: str, algorithm: str, settings: Mapping[str, Any]) -> Arm:
    """Returns the arm of a run with these facts."""
    return Arm(game, algorithm, tuple((field, _hashable(value)) for field, value in sorted(settings.items())))


def compared(runs: Iterable[Run]) -> dict[Arm, tuple[Run, ...]]:
    """Returns the runs by arm, as `arms`, after a check that all runs follow one protocol.

    The protocol is the budget, the evaluation (period, episodes, epsilon), the version of the training loop, and the
    version of each game. Every comparison of arms starts with this function. From the step of its divergence on, a
    diverged run has the worst return of its game.

    Raises:
      ValueError: as `arms`, or if two arms differ in the protocol; it names the facts and both values.
    """
    grouped = arms(divergence.as_worst(runs))
    firsts: dict[str, tuple[Arm, Run]] = {}  # by game
    for arm, (run, *_) in grouped.items():
        same_game = firsts.setdefault(arm.game, (arm, run))
        _check_alike(same_game, (arm, run), ("game.version",))
        if code := code_of_runs.differences(same_game[1].facts, run.facts, code_of_runs.OF_GAME):
            raise ValueError(
                f"Runs {same_game[1].facts['id']} and {run.facts['id']} are on two versions of {arm.game}, which "
                f"differ in {', '.join(code)}, and cannot be compared: run one of the arms again."
            )
        _check_alike(next(iter(firsts.values())), (arm, run), _PROTOCOL)
    return grouped


def remarks(arms: Mapping[Arm, Sequence[Run]], labels: Mapping[Arm, str], score: str = "evaluation_return") -> str:
    """Returns a sentence for each arm with diverged runs, with their number; else an empty string."""
    sentences = (divergence.sentence(runs, f"{labels[arm]} on {arm.game}", score) for arm, runs in arms.items())
    return " ".join(filter(None, sentences))


def group(runs: Iterable[Run], *keys: str) -> dict[tuple[Any, ...], tuple[Run, ...]]:
    """Returns the runs by the values of the keys, always as a tuple, in order of first appearance.

    Args:
      runs: any runs.
      *keys: `game` (its name), `algorithm`, `seed`, or a dotted field of the settings such as `learning_rate`.

    Raises:
      ValueError: if a run has no such setting; it names the settings of the run.
    """
    grouped: dict[tuple[Any, ...], list[Run]] = defaultdict(list)
    for run in runs:
        grouped[tuple(_value(run, key) for key in keys)].append(run)
    return {values: tuple(members) for values, members in grouped.items()}


def curve(runs: Sequence[Run], name: str) -> tuple[np.ndarray, np.ndarray]:
    """Returns the environment steps of evaluation, int64 `[P]`, and a curve, float64 `[runs, P]`.

    A diverged run has the worst return of these runs from its divergence on; after `compared`, that of all runs.

    Raises:
      ValueError: if there are no runs, one has no such curve, or they were evaluated at different steps.
    """
    if not runs:
        raise ValueError(f"No runs to take {name!r} from: run the study first, or choose other runs.")
    runs = divergence.as_worst(runs)
    steps = runs[0].curves["steps"]
    for run in runs:
        if name not in run.curves:
            known = ", ".join(sorted(run.curves))
            raise ValueError(f"Run {run.facts['id']} has no curve {name!r}: it has {known}.")
        if not np.array_equal(run.curves["steps"], steps):
            raise ValueError(
                f"Runs {runs[0].facts['id']} and {run.facts['id']} were evaluated at different steps "
                f"({_grid(steps)}; {_grid(run.curves['steps'])}): compare runs of one budget and period."
            )
    return steps, np.stack([run.curves[name] for run in runs]).astype(np.float64)


def final(runs: Sequence[Run], name: str, last: int = 1) -> np.ndarray:
    """Returns one score a run, float64 `[runs]`: the mean over the last points of its curve.

    For a diverged run it is the last point alone, which is the worst return.

    Args:
      runs: evaluated at the same steps.
      name: name of the curve, such as `evaluation_return`.
      last: number of points, from 1 to all. Choose it before training: the best value of a curve is no fair score.

    Raises:
      ValueError: as `curve`, or if `last` is out of range.
    """
    _, values = curve(runs, name)  # [runs, P]
    if not 1 <= last <= values.shape[1]:
        raise ValueError(f"last = {last} is out of range: the curves have 1 to {values.shape[1]} points.")
    return np.where([divergence.diverged(run) for run in runs], values[:, -1], values[:, -last:].mean(axis=1))


def thin(curves: Mapping[str, np.ndarray], most: int = 200) -> Curves:
    """Returns at most `most` points of curves `[P]`: every k-th point counted back from the last, with the smallest k.

    Nothing is averaged: each point is the value of one evaluation, the spacing is even, and the last point is kept.

    Raises:
      ValueError: if `most` is not positive.
    """
    if most < 1:
        raise ValueError(f"most = {most} is out of range: keep at least one point.")

    def kept(values: np.ndarray) -> np.ndarray:
        stride = max(1, -(-len(values) // most))  # rounded up
        return values[(len(values) - 1) % stride :: stride]

    return {name: kept(np.asarray(values)) for name, values in curves.items()}


def labels(keys: Iterable[Arm], without: str | None = None) -> dict[Arm, str]:
    """Returns a label for each arm: its algorithm, with its settings if several arms share algorithm and game.

    Args:
      keys: all arms that are shown together.
      without: a field of the settings that is left out, such as the field along an axis.
    """
    keys = list(keys)
    shown = {arm: tuple(pair for pair in arm.settings if pair[0] != without) for arm in keys}
    points: dict[tuple[str, str], set[Any]] = defaultdict(set)
    for arm in keys:
        points[arm.game, arm.algorithm].add(shown[arm])
    several = {algorithm for (_, algorithm), values in points.items() if len(values) > 1}
    return {
        arm: ", ".join([arm.algorithm, *(f"{field} {value}" for field, value in shown[arm])])
        if arm.algorithm in several
        else arm.algorithm
        for arm in keys
    }


def counted(arms: Mapping[Arm, Sequence[Run]], labels: Mapping[Arm, str]) -> dict[str, str]:
    """Returns the labels with their number of runs, `DQN (n = 10)`, or `DQN (n = 5 to 10)` if arms differ."""
    sizes: dict[str, list[int]] = defaultdict(list)
    for arm, members in arms.items():
        sizes[labels[arm]].append(len(members))
    return {label: f"{label} (n = {span(size)})" for label, size in sizes.items()}


def span(numbers: Collection[int]) -> str:
    """Returns the lowest and the highest number, `5 to 10`, or one number if all are equal."""
    fewest, most = min(numbers), max(numbers)
    return str(fewest) if fewest == most else f"{fewest} to {most}"


def _check_arm(arm: Arm, members: Sequence[Run]) -> None:
    name = f"{arm.algorithm} on {arm.game}"
    first = members[0]
    for run in members:
        differing = [
            key
            for key in _SHARED
            if schema.without_none(run.facts.get(key)) != schema.without_none(first.facts.get(key))
        ]
        if run.facts["game"]["version"] != first.facts["game"]["version"]:
            differing.append("the version of the game")
        differing += code_of_runs.differences(first.facts, run.facts)
        if differing:
            raise ValueError(
                f"Runs {first.facts['id']} and {run.facts['id']} of {name} differ in {', '.join(differing)} and cannot "
                f"be pooled: choose runs that agree (on the command line, {_condition(first, run)}), or give the arms "
                "different labels."
            )
    for previous, run in pairwise(members):
        if previous.facts["seed"] == run.facts["seed"]:
            raise ValueError(
                f"Runs {previous.facts['id']} and {run.facts['id']} of {name} both have seed {run.facts['seed']} and "
                "would count twice: keep one of them."
            )


def _condition(first: Run, other: Run) -> str:
    """Returns the option that selects the later one of two runs by a fact in which they differ."""
    earlier, later = sorted((first.facts, other.facts), key=lambda facts: str(facts.get("created")))
    before = schema.leaves(earlier)
    for path, value in schema.leaves(later).items():
        if path.partition(".")[0] in (*_SHARED, "game", *code_of_runs.OF_ALL) and before.get(path) != value:
            return f"--where {path}={value if isinstance(value, str) else json.dumps(value)}"
    return "--where"


def _check_alike(first: tuple[Arm, Run], other: tuple[Arm, Run], paths: Iterable[str]) -> None:
    """Raises a ValueError if two arms, each with one of its runs, differ in a fact at one of the paths."""
    values = {path: [_fact(run, path) for _, run in (first, other)] for path in paths}
    differing = [f"{path} ({one} and {two})" for path, (one, two) in values.items() if one != two]
    if differing:
        names = [f"{described(arm)} on {arm.game}" for arm, _ in (first, other)]
        raise ValueError(
            f"{names[0]} and {names[1]} differ in {', '.join(differing)} and cannot be compared: choose runs of one "
            "protocol (--where on the command line), or run them again under one."
        )


def described(arm: Arm) -> str:
    """Returns the name of an arm with all its settings and without its game."""
    return ", ".join([arm.algorithm, *(f"{field} {value}" for field, value in arm.settings)])


def _fact(run: Run, path: str) -> Any:
    """Returns a fact at a dotted path, or None if the record lacks it."""
    try:
        return schema.at(run.facts, path)
    except ValueError:
        return None


def _value(run: Run, key: str) -> Any:
    if key == "game":
        return run.facts["game"]["name"]
    if key in ("algorithm", "seed"):
        return run.facts[key]
    settings = run.facts["settings"]
    if key not in settings:
        known = ", ".join(["game", "algorithm", "seed", *settings])
        raise ValueError(f"Run {run.facts['id']} has no setting {key!r}: group by {known}.")
    return _hashable(settings[key])


def _hashable(value: Any) -> Any:
    """Returns a setting for keys and labels: a list as a tuple, a part as `adam(epsilon=1e-08)`."""
    if isinstance(value, list):
        return tuple(_hashable(item) for item in value)
    if isinstance(value, dict):
        fields = ", ".join(f"{field}={_hashable(item)}" for field, item in value.items() if field != "type")
        return f"{value.get('type', '')}({fields})"
    return value


def _grid(steps: np.ndarray) -> str:
    return f"{len(steps)} points from {steps[0]} to {steps[-1]}"
