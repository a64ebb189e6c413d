"""Tables of results in Markdown: final scores with intervals, and what the runs cost."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

import numpy as np

from jaxdqn.analysis import by_arm, divergence, statistics
from jaxdqn.analysis.bootstrap_intervals import Interval
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

    Where runs crashed, a column counts them; score, interval, cost and divergence are those of the other runs. A run
    that diverged counts as the worst return of its game (`jaxdqn.analysis.divergence`). There is no score where some
    run has no finite one. Fewer than three runs have no interval, and the cell says so.

    Args:
      runs: of any games, algorithms and settings.
      score: the curve.
      last: how many of its last points are averaged inside a run.
      statistic: over the runs of an arm.
      bootstrap_seed: of the generator of each interval.

    Raises:
      ValueError: if there are no runs, or they do not form arms or follow several protocols.
    """
    arms = by_arm.compared(runs)
    if not arms:
        raise ValueError("No runs to tabulate: run the study first, or choose other runs.")
    heading = f"{statistics.name(statistic)} of {score}, last {last}"
    rows = [(*_names(arms, "diverged"), heading, "95 % interval", "wall seconds", "at once")]
    for arm, members in arms.items():
        completed = by_arm.completed(members)
        point = ends = seconds = at_once = "-"
        if completed:
            scores = by_arm.final(completed, score, last)
            if np.all(np.isfinite(scores)):
                estimate = statistics.interval(scores, statistic, np.random.default_rng(bootstrap_seed))
                point, ends = f"{estimate.point:.4g}", _ends(estimate, ".4g") or f"none: {_runs(len(scores))}"
            costs = [run.facts["cost"] for run in completed]
            seconds = f"{np.mean([cost['wall_seconds'] for cost in costs]):.3g}"
            at_once = by_arm.span([cost["runs_at_once"] for cost in costs])
        rows.append((*_identity(arm, arms, "diverged"), point, ends, seconds, at_once))
    diverged = [divergence.sentence(members, by_arm.described(arm), score) for arm, members in arms.items()]
    return "\n".join(filter(None, [markdown(rows), " ".join(filter(None, diverged))]))


def first_reached(
    runs: Iterable[Run],
    thresholds: Mapping[str, float],
    *,
    score: str = "evaluation_return",
    statistic: statistics.Statistic = statistics.iqm,
    bootstrap_seed: int = 0,
) -> str:
    """Returns one row per arm: the first step at which the statistic over its runs is at least the game's threshold.

    It is the statistic of all runs that counts, not the best run's score. It may fall below the threshold again, so the
    last column says at how many of the later evaluations it also is at least the threshold: `87 % of 23`. Where runs
    crashed, a column counts them, and the statistic is that of the other runs. A step at which some run has no
    finite score does not count.

    Args:
      runs: of any games, algorithms and settings; those of games without a threshold are left out.
      thresholds: by game.
      score: the curve.
      statistic: over the runs of an arm, at each point.
      bootstrap_seed: of the generator of each interval.
    """
    arms = {arm: members for arm, members in by_arm.compared(runs).items() if arm.game in thresholds}
    rows = [(*_names(arms), "threshold", "first step", f"{statistics.name(statistic)} there", "later also")]
    for arm, members in arms.items():
        completed = by_arm.completed(members)
        step, there, later = "never", "-", "-"
        if completed:
            steps, values = by_arm.curve(completed, score)
            known = np.flatnonzero(np.all(np.isfinite(values), axis=0))
            reached = known[statistic(values[:, known]) >= thresholds[arm.game]]
            if len(reached):
                step = f"{steps[reached[0]]:,}"
                there = _in_brackets(values[:, reached[0]], statistic, bootstrap_seed)
                later = _share(len(reached) - 1, len(steps) - 1 - int(reached[0]))
        rows.append((*_identity(arm, arms), f"{thresholds[arm.game]:g}", step, there, later))
    return markdown(rows)


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

    A window for which some run of the arm has too few episodes is left blank: a mean over fewer would not be what the
    heading says. A run that diverged has the worst score of an episode on its game, in every window.

    Args:
      runs: stored with the attachment `episodes`; those that crashed are counted and left out.
      windows: of the episodes `[N]`, by heading, such as `{"first 100": slice(100)}`.
      y: the array of the attachment: `episode_return`, `last_reward`.
      transform: of the scores before the mean, such as whether an episode is won.
      statistic: over the runs of an arm.
      bootstrap_seed: of the generator of each interval.
    """
    arms = by_arm.compared(runs)
    rows = [(*_names(arms), *(f"{statistics.name(statistic)}, {name}" for name in windows))]
    completed = {arm: by_arm.completed(members) for arm, members in arms.items()}
    logs = {arm: [transform(store.attachment(run, "episodes")[y]) for run in completed[arm]] for arm in arms}
    for arm in arms:
        lowest = [np.min(log, initial=np.inf) for other in arms if other.game == arm.game for log in logs[other]]
        worst = float(min(lowest, default=np.nan))
        cells = []
        for window in windows.values():
            means = [_over(window, run, log, worst) for run, log in zip(completed[arm], logs[arm], strict=True)]
            cells.append(_in_brackets(np.array(means or [np.nan]), statistic, bootstrap_seed))
        rows.append((*_identity(arm, arms), *cells))
    return markdown(rows)


def _over(window: slice, run: Run, log: np.ndarray, worst: float) -> float:
    """Returns the mean over a window of episodes: the worst score if the run diverged, NaN if it has too few."""
    if divergence.diverged(run):
        return worst
    return float(np.mean(log[window])) if _holds(window, len(log)) else np.nan


def in_brackets(estimate: Interval, number: int, digits: str = ".4g") -> str:
    """Returns a statistic and its interval as text, `3 (1 to 4)` or `3 (no interval: 2 runs)`.

    Args:
      estimate: of one number.
      number: of runs.
      digits: the format of a number.
    """
    ends = _ends(estimate, digits) or f"no interval: {_runs(number)}"
    return f"{estimate.point:{digits}} ({ends})"


def _ends(estimate: Interval, digits: str) -> str:
    """Returns the ends of an interval; an empty string where there is none."""
    return "" if np.isnan(estimate.low) else f"{estimate.low:{digits}} to {estimate.high:{digits}}"


def _runs(number: int) -> str:
    return f"{number} run" if number == 1 else f"{number} runs"


def _in_brackets(scores: np.ndarray, statistic: statistics.Statistic, bootstrap_seed: int) -> str:
    """Returns the statistic of scores `[runs]` and its interval, or `-` if one is not finite."""
    if not np.all(np.isfinite(scores)):
        return "-"
    estimate = statistics.interval(scores, statistic, np.random.default_rng(bootstrap_seed))
    return in_brackets(estimate, len(scores))


def _share(part: int, number: int) -> str:
    """Returns a part as `87 % of 23`, and `-` of none."""
    return f"{100 * part / number:.0f} % of {number}" if number else "-"


def _holds(window: slice, number: int) -> bool:
    """Returns whether so many episodes have all those of a window: `slice(100)`, `slice(-100, None)`."""
    bounds = [bound for bound in (window.start, window.stop) if bound is not None]
    return all(abs(bound) <= number for bound in bounds) and len(range(number)[window]) > 0


def _names(arms: Mapping[by_arm.Arm, Sequence[Run]], *always: str) -> tuple[str, ...]:
    """Returns the headings of `_identity`."""
    return ("game", "algorithm", "settings", "runs", *_counted(arms, always))


def _identity(arm: by_arm.Arm, arms: Mapping[by_arm.Arm, Sequence[Run]], *always: str) -> tuple[str, ...]:
    """Returns what tells a row of a table from the others, with its number of runs.

    Crashed and diverged runs have a column each where there are any in the table, or it always has one.
    """
    settings = ", ".join(f"{field} {value}" for field, value in arm.settings) or "-"
    numbers = _endings(arms[arm])
    return (
        arm.game,
        arm.algorithm,
        settings,
        str(len(arms[arm])),
        *(str(numbers[name]) for name in _counted(arms, always)),
    )


def _counted(arms: Mapping[by_arm.Arm, Sequence[Run]], always: Collection[str]) -> list[str]:
    """Returns the endings of runs that have a column."""
    of_arms = [_endings(members) for members in arms.values()]
    return [name for name in _endings(()) if name in always or any(numbers[name] for numbers in of_arms)]


def _endings(members: Sequence[Run]) -> dict[str, int]:
    """Returns how many runs did not end as they should, by how they ended."""
    crashed = len(members) - len(by_arm.completed(members))
    return {"crashed": crashed, "diverged": sum(map(divergence.diverged, members))}


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """Returns a table in Markdown, aligned to be read as text too; the first row is its heading."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["| " + " | ".join(map(str.ljust, row, widths)) + " |" for row in rows]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines) + "\n"
