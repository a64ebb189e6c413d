"""What a person sees while a study runs: how far, how fast, how well, and how long still."""

import time
from types import TracebackType

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn


class Bar:
    """A progress bar over the environment steps of many runs, for a `with` statement.

    Speed and time left leave compilation out. Where the output is no terminal, each program is one line instead.
    """

    def __init__(self, num_runs: int, steps_per_run: int) -> None:
        self._console = Console(stderr=True)
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.fields[facts]}"),
            TextColumn("left"),
            TimeRemainingColumn(compact=True),
            console=self._console,
        )
        self._task = self._progress.add_task("starting", total=num_runs * steps_per_run, facts="")
        self._is_shown = self._console.is_terminal and num_runs > 0
        self._num_steps = 0
        self._seconds = 0.0
        self._since = time.perf_counter()

    def __enter__(self) -> "Bar":
        if self._is_shown:
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_shown:
            self._progress.stop()

    def compiling(self, text: str) -> None:
        """Shows what is being compiled."""
        self._show(text)
        if not self._is_shown:
            self._console.print(text, highlight=False)

    def training(self) -> None:
        """Starts the clock of the speed: what came before was no training."""
        self._since = time.perf_counter()

    def advance(self, text: str, num_steps: int, scores: np.ndarray) -> None:
        """Moves on by environment steps, and shows the mean of the scores just reached; a run without one has NaN."""
        now = time.perf_counter()
        self._num_steps += num_steps
        self._seconds += now - self._since
        self._since = now
        self._progress.advance(self._task, num_steps)
        known = scores[np.isfinite(scores)]
        score = f" · score {known.mean():.4g}" if known.size else ""
        self._show(text, f"{self._num_steps / self._seconds:,.0f} steps/s{score}")

    def _show(self, text: str, facts: str = "") -> None:
        self._progress.update(self._task, description=text, facts=facts)
