"""Tables of a study in Markdown, one row for each arm: final scores and cost, first steps at a score, episodes."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from jaxdqn.analysis import by_arm, divergence, resampling, statistics, table_formats
from jaxdqn.spelling import counted
from jaxdqn.store import store
from jaxdqn.store.record import Run


def table(
    runs: Iterable[Run],
    *,
    score: str = "evaluation_return",
    last: int = 1,
    statistic: statistics.Statistic = statistics.iqm,
    bootstrap_seed: int = 0,
) -> str:
    """Returns one row per arm: game, algorithm, settings, runs, final score with interval, and cost.

    A run that diverged counts as the worst return of its game (`jaxdqn.analysis.divergence`). An arm has no score if
    some run has no finite score. With fewer than three runs there is no interval, and the cell says so.

    Args:
      runs: of any games, algorithms and settings.
      score: the curve.
      last: number of its last points that are averaged in each run.
      statistic: over the runs of an arm.
      bootstrap_seed: seed of the generator of each interval.

    Raises:
      ValueError: if there are no runs, or they do not form arms or follow several protocols.
    """
    arms = by_arm.compared(runs)
    if not arms:
        raise ValueError("No runs to tabulate: run the study first, or choose other runs.")
    heading = f"{statistics.name(statistic)} of {score}, last {last}"
    rows = [(*_names(arms, always=True), heading, "95 % interval", "wall seconds", "at once")]
    for arm, members in arms.items():
        point = ends = "-"
        scores = by_arm.final(members, score, last)
        if np.all(np.isfinite(scores)):
            estimate = resampling.interval(scores, statistic, np.random.default_rng(bootstrap_seed))
            point = f"{estimate.point:.4g}"
            ends = table_formats.ends(estimate) or f"none: {counted(len(scores), 'run')}"
        costs = [run.facts["cost"] for run in members]
        seconds = f"{np.mean([cost['wall_seconds'] for cost in costs]):.3g}"
        at_once = by_arm.span([cost["runs_at_once"] for cost in costs])
        rows.append((*_identity(arm, arms, always=True), point, ends, seconds, at_once))
    diverged = [divergence.sentence(members, by_arm.described(arm), score) for arm, members in arms.items()]
    return "\n".join(filter(None, [table_formats.markdown(rows), " ".join(filter(None, diverged))]))


def first_reached(
    runs: Iterable[Run],
    thresholds: Mapping[str, float],
    *,
    score: str = "evaluation_return",
    statistic: statistics.Statistic = statistics.iqm,
    bootstrap_seed: int = 0,
) -> str:
    """Returns one row per arm: the first step at which the statistic over its runs is at least the game's threshold.

    The statistic is that of all runs, not the score of the best run. It may fall below the threshold again, so the last
    column has the share of later evaluations at which it is at least the threshold: `87 % of 23`. Steps at which some
    run has no finite score are skipped.

    Args:
      runs: of any games, algorithms and settings; runs of games without a threshold are left out.
      thresholds: by game.
      score: the curve.
      statistic: over the runs of an arm, at each point.
      bootstrap_seed: seed of the generator of each interval.
    """
    arms = {arm: members for arm, members in by_arm.compared(runs).items() if arm.game in thresholds}
    rows = [(*_names(arms), "threshold", "first step", f"{statistics.name(statistic)} there", "later also")]
    for arm, members in arms.items():
        step, there, later = "never", "-", "-"
        steps, values = by_arm.curve(members, score)
        known = np.flatnonzero(np.all(np.isfinite(values), axis=0))
        reached = known[statistic(values[:, known]) >= thresholds[arm.game]]
        if len(reached):
            step = f"{steps[reached[0]]:,}"
            there = _in_brackets(values[:, reached[0]], statistic, bootstrap_seed)
            later = _share(len(reached) - 1, len(steps) - 1 - int(reached[0]))
        rows.append((*_identity(arm, arms), f"{thresholds[arm.game]:g}", step, there, later))
    return table_formats.markdown(rows)


def episodes(
    runs: Iterable[Run],
    windows: Mapping[str, slice],
    *,
    y: str = "episode_return",
    transform: Callable[[np.ndarray], np.ndarray] = np.asarray,
    statistic: statistics.Statistic = statistics.iqm,
    bootstrap_seed: int = 0,
) -> str:
    """Returns one row per arm: a statistic over seeds of each seed's mean over windows of its training episodes.

    A cell is blank if some run of the arm has too few episodes for the window. A run that diverged has the worst score
    of an episode on its game, in every window.

    Args:
      runs: stored with the attachment `episodes`.
      windows: of the episodes `[N]`, by heading, such as `{"first 100": slice(100)}`.
      y: the array of the attachment: `episode_return`, `last_reward`.
      transform: of the scores before the mean, such as 1 for an episode that is won.
      statistic: over the runs of an arm.
      bootstrap_seed: seed of the generator of each interval.
    """
    arms = by_arm.compared(runs)
    rows = [(*_names(arms), *(f"{statistics.name(statistic)}, {name}" for name in windows))]
    logs = {arm: [transform(store.attachment(run, "episodes")[y]) for run in arms[arm]] for arm in arms}
    for arm in arms:
        lowest = [np.min(log, initial=np.inf) for other in arms if other.game == arm.game for log in logs[other]]
        worst = float(min(lowest, default=np.nan))
        cells = []
        for window in windows.values():
            means = [_over(window, run, log, worst) for run, log in zip(arms[arm], logs[arm], strict=True)]
            cells.append(_in_brackets(np.array(means), statistic, bootstrap_seed))
        rows.append((*_identity(arm, arms), *cells))
    return table_formats.markdown(rows)


def _over(window: slice, run: Run, log: np.ndarray, worst: float) -> float:
    """Returns the mean over a window of episodes: the worst score if the run diverged, NaN if it has too few."""
    if divergence.diverged(run):
        return worst
    return float(np.mean(log[window])) if _holds(window, len(log)) else np.nan


def _in_brackets(scores: np.ndarray, statistic: statistics.Statistic, bootstrap_seed: int) -> str:
    """Returns the statistic of scores `[runs]` and its interval, or `-` if one is not finite."""
    if not np.all(np.isfinite(scores)):
        return "-"
    estimate = resampling.interval(scores, statistic, np.random.default_rng(bootstrap_seed))
    return table_formats.in_brackets(estimate, len(scores))


def _share(part: int, number: int) -> str:
    """Returns a share as `87 % of 23`, or `-` if the number is 0."""
    return f"{100 * part / number:.0f} % of {number}" if number else "-"


def _holds(window: slice, number: int) -> bool:
    """Returns whether a log of this many episodes fills a window, such as `slice(100)` or `slice(-100, None)`."""
    bounds = [bound for bound in (window.start, window.stop) if bound is not None]
    return all(abs(bound) <= number for bound in bounds) and len(range(number)[window]) > 0


def _names(arms: Mapping[by_arm.Arm, Sequence[Run]], *, always: bool = False) -> tuple[str, ...]:
    """Returns the headings of `_identity`."""
    return ("game", "algorithm", "settings", "runs", *(["diverged"] if always or _any_diverged(arms) else []))


def _identity(arm: by_arm.Arm, arms: Mapping[by_arm.Arm, Sequence[Run]], *, always: bool = False) -> tuple[str, ...]:
    """Returns game, algorithm, settings and number of runs of a row.

    Diverged runs have a column if the table has any, or always.
    """
    settings = ", ".join(f"{field} {value}" for field, value in arm.settings) or "-"
    diverged = [str(sum(map(divergence.diverged, arms[arm])))] if always or _any_diverged(arms) else []
    return (arm.game, arm.algorithm, settings, str(len(arms[arm])), *diverged)


def _any_diverged(arms: Mapping[by_arm.Arm, Sequence[Run]]) -> bool:
    return any(divergence.diverged(run) for members in arms.values() for run in members)
