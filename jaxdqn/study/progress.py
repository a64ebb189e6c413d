"""The progress of a study on the screen: share done, speed, scores and time left."""

import time
from types import TracebackType

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

from jaxdqn.spelling import counted

_LINE_SECONDS = 30.0  # between lines where the output is no terminal


class Bar:
    """Progress over the environment steps of many runs, for a `with` statement.

    A terminal shows a bar for the study and a line for the group of runs that train; elsewhere plain lines are printed.
    The speed counts only training by this call, without compilation and earlier steps. The time left includes the
    compilations still to come, each as long as the mean of those before.
    """

    def __init__(self, num_runs: int, steps_per_run: int) -> None:
        self._console = Console(stderr=True)
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.fields[facts]}"),
            console=self._console,
        )
        self._steps_per_run = steps_per_run
        self._total = num_runs * steps_per_run
        self._study = self._progress.add_task(counted(num_runs, "run"), total=self._total, facts="")
        self._group = self._progress.add_task("starting", total=None, facts="")
        self._is_shown = self._console.is_terminal and num_runs > 0
        self._done = 0  # steps, earlier ones included
        self._trained = 0  # steps, by this call
        self._seconds = 0.0
        self._best = -np.inf
        self._compilations: list[float] = []  # seconds
        self._programs_left = 0
        self._name = "starting"
        self._since = self._line_at = time.perf_counter()

    def __enter__(self) -> "Bar":
        if self._is_shown:
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_shown:
            self._progress.stop()

    def group(self, text: str, num_runs: int) -> None:
        """Begins a group of runs, while its program compiles."""
        self._best = -np.inf
        self._progress.reset(
            self._group, total=num_runs * self._steps_per_run, description=f"{text}: compiling", facts=""
        )
        self._name = text
        if not self._is_shown:
            self.note(f"{text}: compiling a program for {counted(num_runs, 'run')}")

    def programs_left(self, number: int) -> None:
        """Sets the number of programs that are still to be compiled after the present one."""
        self._programs_left = number

    def compiled(self, seconds: float) -> None:
        """Adds the time of a compilation."""
        self._compilations.append(seconds)

    def left(self, num_runs: int) -> None:
        """Counts all but this number of runs as done: other processes recorded them meanwhile, or they failed."""
        self._done = self._total - num_runs * self._steps_per_run
        self._progress.update(self._study, completed=self._done)

    def training(self, steps_before: int) -> None:
        """Starts the clock of the speed, for a wave that has these steps, over all its runs, from before."""
        self._since = time.perf_counter()
        self._move(steps_before)

    def advance(self, num_steps: int, scores: np.ndarray) -> None:
        """Adds environment steps, and shows the newest scores; a run that diverged or has no score has NaN."""
        now = time.perf_counter()
        self._trained += num_steps
        self._seconds += now - self._since
        self._since = now
        self._move(num_steps)
        known = scores[np.isfinite(scores)]
        self._best = max([self._best, *known.tolist()])
        score = f"score {known.mean():.4g}, best {self._best:.4g}" if known.size else ""
        speed = self._trained / self._seconds
        compiling = self._programs_left * float(np.mean(self._compilations or 0.0))
        facts = f"{speed:,.0f} steps/s · {duration((self._total - self._done) / speed + compiling)} left"
        self._progress.update(self._group, description=self._name, facts=score)
        self._progress.update(self._study, facts=facts)
        if not self._is_shown and now - self._line_at >= _LINE_SECONDS:
            part = f"{100 * self._done // max(self._total, 1)} %"
            self.note(" · ".join(filter(None, (part, self._name, score, facts))))

    def elsewhere(self, text: str) -> None:
        """Shows a text about runs elsewhere; as a line once."""
        self._progress.update(self._group, description=text, facts="")
        if not self._is_shown and self._name != text:
            self.note(text)
        self._name = text

    def waiting(self, num_runs: int) -> None:
        """Shows that other processes have claimed all remaining runs; as a line once."""
        self.elsewhere(f"waiting for {counted(num_runs, 'run')} of other processes")

    def note(self, text: str) -> None:
        """Prints a line above the bar."""
        self._line_at = time.perf_counter()
        self._console.print(text, highlight=False, markup=False)

    def _move(self, num_steps: int) -> None:
        self._done += num_steps
        self._progress.advance(self._study, num_steps)
        self._progress.advance(self._group, num_steps)


def duration(seconds: float) -> str:
    """Returns a time in words: 40 s, 12 min, 3 h 20 min."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
