"""Time to solve: the training episode at which a run solved its game, and its median over seeds.

The rule follows that of bsuite for deep sea (Osband et al., "Behaviour Suite for Reinforcement Learning", ICLR 2020),
by which a game is solved at the first episode at which fewer than nine tenths of all episodes failed. Here a game is
solved when ten of the last hundred episodes succeeded, so that the number of earlier episodes does not matter.

A run that did not solve its game has the time infinity. That is larger than every observed time, and a median needs to
know no more; no run is left out. A run that diverged counts as not solved, even if it solved the game before.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from jaxdqn.analysis import by_arm, divergence, table_formats
from jaxdqn.store import store
from jaxdqn.store.record import Run

WINDOW = 100  # episodes
FOUND = 10  # of them, at least
FEWEST = 6  # runs that have an interval

Succeeds = Callable[[np.ndarray], np.ndarray]  # returns [N] of episodes -> bool [N]


class Median(NamedTuple):
    """A median and its interval; each number may be infinite."""

    point: float
    low: float
    high: float


def solved_at(succeeded: np.ndarray, *, window: int = WINDOW, found: int = FOUND) -> float:
    """Returns the first episode, from 1, at which `found` of the last `window` episodes succeeded, or infinity.

    Args:
      succeeded: bool `[N]`, whether each episode succeeded, in their order.
      window: number of last episodes that count; early episodes have fewer before them.
      found: number of these that must succeed.
    """
    total = np.cumsum(np.concatenate([np.zeros(window, np.int64), succeeded]))  # [window + N]
    is_solved = total[window:] - total[:-window] >= found
    return float(np.argmax(is_solved)) + 1 if np.any(is_solved) else math.inf


def times(runs: Iterable[Run], succeeds: Succeeds) -> tuple[np.ndarray, int]:
    """Returns the training episode at which each run solved its game, and the length of the shortest log.

    A run solved its game at the first episode at which ten of the last hundred episodes succeeded.

    Args:
      runs: stored with the attachment `episodes`.
      succeeds: a function: from returns `[N]` to success flags, bool `[N]`, of N episodes.

    Returns:
      The episode of each run, from 1, float64 `[runs]`; infinity for a run that never solved its game, or diverged.
      The number of episodes of the shortest log, an int. The log of a run that diverged ends early and is left out,
      unless all runs diverged.
    """
    logs = [(divergence.diverged(run), store.attachment(run, "episodes")["episode_return"]) for run in runs]
    solved = [math.inf if diverged else solved_at(succeeds(values)) for diverged, values in logs]
    seen = [len(values) for diverged, values in logs if not diverged]
    return np.array(solved), min(seen or [len(values) for _, values in logs])


def kept(runs: Iterable[Run], succeeds: Succeeds) -> float:
    """Returns the share of later episodes that succeed, averaged over the runs that solved their game; NaN if none did.

    An agent that has solved a game may fail again. Runs without an episode after the one that solved it do not count.

    Args:
      runs: as for `times`.
      succeeds: as for `times`.
    """
    runs = list(runs)
    solved, _ = times(runs, succeeds)
    shares = []
    for run, at in zip(runs, solved, strict=True):
        if math.isfinite(at):
            later = succeeds(store.attachment(run, "episodes")["episode_return"])[int(at) :]
            shares += [float(np.mean(later))] if len(later) else []
    return float(np.mean(shares)) if shares else math.nan


def median(solved: np.ndarray) -> Median:
    """Returns the median of times `[runs]` and its interval of at least 95 %.

    The ends of the interval are two of the sorted times. It holds for any distribution, since the number of times below
    the true median is binomial with p = 1/2 (David and Nagaraja, "Order Statistics", 2003, section 7.1). With ten runs
    the ends are the second and the ninth time (98 %). With fewer than six runs there is none, since from the first to
    the last of five times it has only 94 %: the ends are then 0 and infinity. It is no bootstrap interval, since times
    may be infinite.
    """
    ordered, number = np.sort(solved), len(solved)
    tails = np.cumsum([math.comb(number, heads) * 0.5**number for heads in range(number)])
    rank = int(np.sum(tails[: number // 2] <= 0.025))  # number of times to leave out at either end
    low, high = (ordered[rank - 1], ordered[number - rank]) if rank else (0.0, math.inf)
    middle = 0.5 * (ordered[(number - 1) // 2] + ordered[number // 2])
    return Median(float(middle), float(low), float(high))


def table(runs: Sequence[Run], succeeds: Succeeds) -> str:
    """Returns one row per arm in Markdown: numbers of diverged and solved runs, median episode, later successes.

    The last column is the length of the shortest log, in episodes. Runs that diverged count as not solved.
    """
    rows: list[tuple[str, ...]] = [
        ("game", "algorithm", "diverged", "solved", "median episode", "95 % interval", "later successes", "episodes")
    ]
    for arm, members in by_arm.compared(runs).items():
        solved, budget = times(members, succeeds)
        estimate = median(solved)
        ends = f"{_episode(estimate.low)} to {_episode(estimate.high)}"
        interval = ends if estimate.low > 0 else f"none: {len(members)} of at least {FEWEST} runs"
        share = f"{np.sum(np.isfinite(solved))} of {len(members)}"
        diverged = sum(map(divergence.diverged, members))
        share_kept = kept(members, succeeds)
        later = "-" if math.isnan(share_kept) else f"{100 * share_kept:.0f} %"
        middle = _episode(estimate.point)
        rows.append((arm.game, arm.algorithm, str(diverged), share, middle, interval, later, f"{budget:,}"))
    return table_formats.markdown(rows)


def _episode(time: float) -> str:
    return f"{time:,.0f}" if math.isfinite(time) else "never"
