"""Tables of results in Markdown: final scores with intervals, and what the runs cost."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from jaxdqn.results import statistics, tidy
from jaxdqn.results.store import Run


def table(
    runs: Iterable[Run],
    *,
    score: str = "evaluation_return",
    last: int = 1,
    statistic: statistics.Statistic = statistics.iqm,
    bootstrap_seed: int = 0,
) -> str:
    """Returns one row per arm: game, algorithm, settings, runs, final score with interval, and cost.

    Args:
      runs: of any games, algorithms and settings.
      score: the curve.
      last: how many of its last points are averaged inside a run.
      statistic: over the runs of an arm.
      bootstrap_seed: of the generator of each interval.

    Raises:
      ValueError: if there are no runs, or they do not form arms.
    """
    rows = []
    for arm, members in tidy.arms(runs).items():
        generator = np.random.default_rng(bootstrap_seed)
        estimate = statistics.interval(tidy.final(members, score, last), statistic, generator)
        costs = [run.facts["cost"] for run in members]
        rows.append(
            (
                arm.game,
                arm.algorithm,
                _settings(arm),
                str(len(members)),
                str(sum(run.facts["diverged_at"] is not None for run in members)),
                f"{estimate.point:.4g}",
                # One run has no spread: printing its point twice would look like certainty.
                f"{estimate.low:.4g} to {estimate.high:.4g}" if len(members) > 1 else "-",
                f"{np.mean([cost['wall_seconds'] for cost in costs]):.3g}",
                _range([cost["runs_at_once"] for cost in costs]),
            )
        )
    if not rows:
        raise ValueError("No runs to tabulate: run the study first, or choose other runs.")
    heading = f"{statistics.name(statistic)} of {score}, last {last}"
    names = ("game", "algorithm", "settings", "runs", "diverged", heading, "95 % interval", "wall seconds", "at once")
    return _markdown([names, *rows])


def first_reached(
    runs: Iterable[Run],
    thresholds: Mapping[str, float],
    *,
    score: str = "evaluation_return",
    statistic: statistics.Statistic = statistics.iqm,
    bootstrap_seed: int = 0,
) -> str:
    """Returns one row per arm: the first step at which the statistic over its runs is at least the game's threshold.

    It is the statistic of all runs that counts, not the best run's score; it may fall below the threshold again.

    Args:
      runs: of any games, algorithms and settings; those of games without a threshold are left out.
      thresholds: by game.
      score: the curve.
      statistic: over the runs of an arm, at each point.
      bootstrap_seed: of the generator of each interval.
    """
    rows = [("game", "algorithm", "settings", "runs", "threshold", "first step", f"{statistics.name(statistic)} there")]
    for arm, members in tidy.arms(runs).items():
        if arm.game not in thresholds:
            continue
        steps, values = tidy.curve(members, score)
        estimate = statistics.interval(values, statistic, np.random.default_rng(bootstrap_seed))
        reached = np.flatnonzero(estimate.point >= thresholds[arm.game])
        step, there = "never", "-"
        if len(reached):
            first = reached[0]
            step = f"{steps[first]:,}"
            there = f"{estimate.point[first]:.4g} ({estimate.low[first]:.4g} to {estimate.high[first]:.4g})"
        threshold = f"{thresholds[arm.game]:g}"
        rows.append((arm.game, arm.algorithm, _settings(arm), str(len(members)), threshold, step, there))
    return _markdown(rows)


def _settings(arm: tidy.Arm) -> str:
    return ", ".join(f"{field} {value}" for field, value in arm.settings) or "-"


def _markdown(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["| " + " | ".join(map(str.ljust, row, widths)) + " |" for row in rows]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines) + "\n"


def _range(values: Sequence[int]) -> str:
    return str(min(values)) if min(values) == max(values) else f"{min(values)} to {max(values)}"
