"""Figure of training episodes: score against episode number, one panel for each arm.

Single episodes scatter widely; a mean over the last few episodes shows the trend.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from jaxdqn.analysis import bootstrap_intervals, by_arm, divergence, resampling, statistics
from jaxdqn.analysis.normalise import Transform
from jaxdqn.figures import style
from jaxdqn.store import store
from jaxdqn.store.record import Run

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_DOTS = 12_000  # per figure; more dots make the files larger and show nothing new
_POINTS = 300  # per line, about the resolution of print


def episode_curves(
    runs: Iterable[Run],
    *,
    window: int,
    y: str = "episode_return",
    transform: Transform | None = None,
    ylabel: str = "return of a training episode",
    statistic: statistics.Statistic = statistics.iqm,
    num_episodes: int | None = None,
    reference_lines: Mapping[str, Mapping[str, float]] | None = None,
    title: str | None = None,
    order: Sequence[str] = (),
    bootstrap_seed: int = 0,
) -> "Figure":
    """Returns a figure of training episodes: trailing means over seeds in colour, single episodes in grey behind them.

    Scores are averaged over the last `window` episodes of each seed, from the first episode that ends a whole window;
    then the statistic over seeds and its 95 % bootstrap band are computed at each episode number. Seeds finish
    different numbers of episodes in the same number of steps: a panel ends where the first seed has no more episodes,
    or its log was full. The log of a run that diverged is continued with the worst score of its game. The label of the
    figure says so.

    Args:
      runs: stored runs with the attachment `episodes`, of any games and algorithms; each setting has its own panel.
      window: number of episodes of a mean.
      y: name of the array `[N]` in the attachment: `episode_return` or `last_reward`.
      transform: `(game, [runs, N]) -> [runs, N]`, applied to scores before the mean.
      ylabel: name of the score after the transform, with its unit.
      statistic: statistic over the runs of an arm.
      num_episodes: largest episode number of a panel; None shows all.
      reference_lines: by game, values by label, such as the score of a solved game; they are not transformed.
      title: title above all panels.
      order: algorithms in the order of colours and panels; others follow as they appear.
      bootstrap_seed: seed of the generator of each band.

    Raises:
      ValueError: there are no runs, they do not form arms, they follow several protocols, a run has no such episodes
        or fewer than `window`, or a score is not finite.
    """
    runs = list(runs)
    arms = by_arm.compared(runs)
    if not arms:
        raise ValueError("No runs to draw: run the study first, or choose other runs.")
    labels = by_arm.labels(arms)
    looks = style.styles(labels.values(), order)
    games = list(dict.fromkeys(arm.game for arm in arms))
    ordered = sorted(arms, key=lambda arm: (games.index(arm.game), list(looks).index(labels[arm])))
    scores = {}
    worst = _worst(arms, y)
    for arm in ordered:
        values = _scores(arms[arm], y, worst[arm.game])[:, :num_episodes]  # [runs, N]
        if not 1 <= window <= values.shape[1]:
            name = f"{labels[arm]} on {arm.game}"
            raise ValueError(f"window = {window} is out of range: every run of {name} has {values.shape[1]} episodes.")
        scores[arm] = values if transform is None else np.asarray(transform(arm.game, values), np.float64)
    strides = {arm: -(-values.size * len(scores) // _DOTS) for arm, values in scores.items()}  # rounded up

    with style.look():
        names = {arm: f"{labels[arm]} (n = {len(arms[arm])})" for arm in ordered}
        if len(games) > 1:
            names = {arm: f"{arm.game}: {name}" for arm, name in names.items()}
        figure, axes = style.panels(list(names.values()), xlabel="training episode", ylabel=ylabel, title=title)
        panels: dict[str, list[Axes]] = {arm.game: [] for arm in arms}
        for arm, values in scores.items():
            panel = axes[names[arm]]
            panels[arm.game].append(panel)
            _draw_dots(panel, values, strides[arm])
            _draw_means(panel, values, window, statistic, looks[labels[arm]].color, bootstrap_seed)
        references = style.draw_references(panels, reference_lines or {})
        for of_game in panels.values():
            _share_axes(of_game)
        if references:
            style.legend(figure, references)
    lengths = {arm: values.shape[1] for arm, values in scores.items()}
    full = {n for arm, n in lengths.items() if any(run.facts.get("episodes_logged") == n for run in arms[arm])}
    remarks = by_arm.remarks(arms, labels)
    caveat = bootstrap_intervals.caveat(map(len, arms.values()))
    figure.set_label(_reading(statistic, window, sorted(strides.values()), num_episodes, sorted(full), remarks, caveat))
    return figure


def _worst(arms: Mapping[by_arm.Arm, Sequence[Run]], y: str) -> dict[str, float]:
    """Returns the lowest score of an episode of any run, by game; NaN if no run diverged on the game."""
    games = {arm.game for arm, members in arms.items() if any(map(divergence.diverged, members))}
    every = {game: [run for arm in arms if arm.game == game for run in arms[arm]] for game in games}
    lowest = {game: float(np.min(np.concatenate([_row(run, y) for run in runs]))) for game, runs in every.items()}
    return {arm.game: lowest.get(arm.game, np.nan) for arm in arms}


def _scores(members: Sequence[Run], y: str, worst: float) -> np.ndarray:
    """Returns the scores of the episodes that every run finished, float64 `[runs, N]`.

    The log of a diverged run is continued with the worst score.
    """
    rows = divergence.of_episodes(members, [_row(run, y) for run in members], worst)
    shared = min(len(row) for row in rows)
    return np.stack([row[:shared] for row in rows]).astype(np.float64)


def _row(run: Run, y: str) -> np.ndarray:
    episodes = store.attachment(run, "episodes")
    if y not in episodes:
        known = ", ".join(episodes)
        raise ValueError(f"Run {run.facts['id']} has no episode array {y!r}: choose from {known}.")
    return episodes[y]


def _draw_dots(panel: "Axes", values: np.ndarray, stride: int) -> None:
    """Draws one episode in `stride` of every run, counted back from the last."""
    episodes = np.arange(values.shape[1])[::-1][::stride]
    numbers = np.broadcast_to(episodes + 1, (len(values), len(episodes)))
    # An SVG also has the dots as an image: thousands of shapes would make it far larger.
    panel.scatter(
        numbers, values[:, episodes], s=1.2, color="#808080", alpha=0.35, linewidths=0, zorder=1.2, rasterized=True
    )


def _draw_means(
    panel: "Axes",
    values: np.ndarray,
    window: int,
    statistic: statistics.Statistic,
    color: str,
    bootstrap_seed: int,
) -> None:
    """Draws the statistic over runs of the mean over the last `window` episodes, at `_POINTS` points at most."""
    ends = np.arange(window, values.shape[1] + 1)  # numbers of the episodes that end a window
    ends = by_arm.thin({"ends": ends}, _POINTS)["ends"]
    windows = np.lib.stride_tricks.sliding_window_view(values, window, axis=1)  # [runs, N - window + 1, window]
    means = windows[:, ends - window].mean(axis=2)  # [runs, points]
    band = resampling.interval(means, statistic, np.random.default_rng(bootstrap_seed))
    panel.fill_between(ends, band.low, band.high, color=color, alpha=0.3, linewidth=0, zorder=1.6)
    panel.plot(ends, band.point, color=color)


def _share_axes(panels: "Sequence[Axes]") -> None:
    """Gives the panels of a game the same limits, so that they can be compared."""
    low = min((panel.get_ylim()[0] for panel in panels), default=0.0)
    high = max((panel.get_ylim()[1] for panel in panels), default=1.0)
    right = max((panel.get_xlim()[1] for panel in panels), default=1.0)
    for panel in panels:
        panel.set_ylim(low, high)
        panel.set_xlim(right=right)
        style.count_axis(panel)


def _reading(
    statistic: statistics.Statistic,
    window: int,
    strides: Sequence[int],
    num_episodes: int | None,
    full: Sequence[int],
    remarks: str,
    caveat: str,
) -> str:
    latest = "" if num_episodes is None else f"episode {num_episodes:,}, or before it with "
    fewest, most = strides[0], strides[-1]
    shown = "every episode" if most == 1 else f"one in {most} episodes"
    if fewest < most:
        shown = f"one in {fewest} to {most} episodes, by panel,"
    numbers = " or ".join(f"{number:,}" for number in full)
    logged = f", or with episode {numbers}, beyond which none was logged" if full else ""
    sentences = (
        f"Lines: {statistics.name(statistic)} over seeds of each seed's mean over its last {window} episodes; bands: "
        "pointwise 95 % stratified bootstrap interval over seeds.",
        caveat,
        f"Dots: {shown} of every seed.",
        f"A panel ends with {latest}the last episode that every seed of its arm finished{logged}.",
        remarks,
    )
    return " ".join(filter(None, sentences))
