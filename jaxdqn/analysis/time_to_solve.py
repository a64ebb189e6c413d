"""When a run solved its game, in episodes of training: a time that may lie beyond what was seen.

The rule is bsuite's for deep sea (Osband et al., "Behaviour Suite for Reinforcement Learning", ICLR 2020): a game is
solved by the first episode with which fewer than nine tenths were bad. Here it is ten good ones of the last hundred
episodes, not a share of all, so that a late solution is not judged by how long the search was.

A run that did not get there has the time infinity. It is larger than any that was seen, which is all that is known of
it and all that a median asks for; no run is left out. A run that diverged never solved its game, even if it did before.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from jaxdqn.analysis import by_arm, divergence
from jaxdqn.store import store
from jaxdqn.store.record import Run

WINDOW = 100  # episodes
FOUND = 10  # of them, at least
FEWEST = 6  # runs that have an interval

Succeeds = Callable[[np.ndarray], np.ndarray]  # returns [N] of episodes -> bool [N]


class Median(NamedTuple):
    """A median and its interval, each of which may be infinite."""

    point: float
    low: float
    high: float


def solved_at(succeeded: np.ndarray, *, window: int = WINDOW, found: int = FOUND) -> float:
    """Returns the first episode, counted from 1, with which so many of the last `window` succeeded, or infinity.

    Args:
      succeeded: bool `[N]`, of the episodes in their order.
      window: how many episodes count; the first ones have fewer before them.
      found: how many of these have to succeed.
    """
    total = np.cumsum(np.concatenate([np.zeros(window, np.int64), succeeded]))  # [window + N]
    is_solved = total[window:] - total[:-window] >= found
    return float(np.argmax(is_solved)) + 1 if np.any(is_solved) else math.inf


def times(runs: Iterable[Run], succeeds: Succeeds) -> tuple[np.ndarray, int]:
    """Returns when each run solved its game, float64 `[runs]`, and the fewest episodes that one of them was seen for.

    The log of a run that diverged ends there, and does not count as how long it was seen, unless all diverged.

    Args:
      runs: stored with the attachment `episodes`.
      succeeds: which episodes do, from their returns.
    """
    logs = [(divergence.diverged(run), store.attachment(run, "episodes")["episode_return"]) for run in runs]
    solved = [math.inf if diverged else solved_at(succeeds(values)) for diverged, values in logs]
    seen = [len(values) for diverged, values in logs if not diverged]
    return np.array(solved), min(seen or [len(values) for _, values in logs])


def kept(runs: Iterable[Run], succeeds: Succeeds) -> float:
    """Returns the share of later episodes that succeed, a mean over the runs that solved their game; NaN if none did.

    What is solved may be lost again. A run that was not seen any more after it solved its game does not count.

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

    The interval lies between two of the sorted times and holds for any distribution, since as many of n times lie below
    the true median as a fair coin shows heads in n throws (David and Nagaraja, "Order Statistics", 2003, section 7.1).
    With ten runs these are the second and the ninth (98 %). Fewer than six have none, since from the first to the last
    of five covers 94 %: theirs is from 0 to infinity. Times may be infinite, so that it is no bootstrap interval.
    """
    ordered, number = np.sort(solved), len(solved)
    tails = np.cumsum([math.comb(number, heads) * 0.5**number for heads in range(number)])
    rank = int(np.sum(tails[: number // 2] <= 0.025))  # times to go in from either end
    low, high = (ordered[rank - 1], ordered[number - rank]) if rank else (0.0, math.inf)
    middle = 0.5 * (ordered[(number - 1) // 2] + ordered[number // 2])
    return Median(float(middle), float(low), float(high))


def table(runs: Sequence[Run], succeeds: Succeeds) -> str:
    """Returns one row per arm in Markdown: how many diverged, how many solved the game, and the median episode.

    Then come the share of later episodes that succeed, and the number of episodes that were seen. Runs that diverged
    count as runs that never solved it.
    """
    rows = [
        "| game | algorithm | diverged | solved | median episode | 95 % interval | later successes | episodes |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for arm, members in by_arm.compared(runs).items():
        completed = by_arm.completed(members)
        if not completed:
            continue
        solved, budget = times(completed, succeeds)
        estimate = median(solved)
        ends = f"{_episode(estimate.low)} to {_episode(estimate.high)}"
        interval = ends if estimate.low > 0 else f"none: {len(completed)} of at least {FEWEST} runs"
        share = f"{np.sum(np.isfinite(solved))} of {len(members)}"
        diverged = sum(map(divergence.diverged, completed))
        share_kept = kept(completed, succeeds)
        later = "-" if math.isnan(share_kept) else f"{100 * share_kept:.0f} %"
        rows.append(
            f"| {arm.game} | {arm.algorithm} | {diverged} | {share} | {_episode(estimate.point)} | {interval} "
            f"| {later} | {budget:,} |"
        )
    return "\n".join(rows) + "\n"


def _episode(time: float) -> str:
    return f"{time:,.0f}" if math.isfinite(time) else "never"
