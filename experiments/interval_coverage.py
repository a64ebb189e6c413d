"""How often do nominal 95 % intervals contain the true value, with 3, 5, 10 and 20 runs?

With 10 runs, the interval of an IQM contains it in 96 to 100 % of cases, over all distributions and comparisons below;
the percentile bootstrap in 89 to 96 %. Intervals of means contain it too rarely in three cases: few runs, very skewed
scores, and games that nearly all runs solve. See results/interval_coverage/.

    python experiments/interval_coverage.py            six minutes on one CPU core; continues an interrupted run
    python experiments/interval_coverage.py --toy      seconds

Scores are sampled from distributions with known IQM, mean, median and optimality gap: normal, skewed (lognormal with
skewness 1.8 and 6.2), and bimodal: a run either solves the game or does not. The intervals are for these statistics of
one game; of four games together (the median is the median of the games' means); for differences of two arms with
independent runs; and for differences of two arms whose runs are pairs with a correlation of about 0.7. The four games
differ in shift and scale, and so do the two arms.

`chosen` is the interval of figures and tables (`jaxdqn.analysis.bootstrap_intervals`). It is compared with Efron's
percentile interval, the same with Student's levels (Hesterberg 2015), Efron's BCa, and, for one game, the bootstrap-t
with the standard error of the statistic. No method has the right coverage if all runs may be equal: if 9 of 10 runs
solve a game, then in one of three experiments all ten runs do, and their scores contain no information about failures.
"""

import argparse
import dataclasses
import datetime
import json
import os
import pathlib
import platform
import sys
import zlib
from collections.abc import Iterator, Sequence
from importlib import metadata
from typing import Any, NamedTuple

from matplotlib.figure import Figure
from rich.console import Console
from rich.progress import track

import interval_coverage_trials as trials
from interval_coverage_trials import DISTRIBUTIONS, OVER_RUNS, QUESTIONS, Result
from jaxdqn.analysis.table_formats import markdown
from jaxdqn.commands.errors import one_sentence, printable
from jaxdqn.figures import style
from jaxdqn.store import files, store
from jaxdqn.study import provenance

AIM = 0.94
UNBOUNDED = 1e6
WAYS = (*trials.FROM_REPLICATES, "bootstrap-t")
PACKAGES = ("numpy", "scipy")


@dataclasses.dataclass(frozen=True)
class Experiment:
    """All statistics of all distributions, with these numbers of runs, trials and resamples.

    True values are computed from `population` runs.
    """

    name: str
    runs: tuple[int, ...]
    trials: int
    resamples: int
    population: int

    def settings(self) -> dict[str, Any]:
        """Returns everything that determines the numbers, except the code."""
        return dataclasses.asdict(self) | {
            "version": 3,  # raised when the computation changes
            "confidence": trials.CONFIDENCE,
            "questions": list(QUESTIONS),
            "distributions": list(DISTRIBUTIONS),
        }


WHOLE = Experiment("interval_coverage", runs=(3, 5, 10, 20), trials=2000, resamples=1000, population=400_000)
TOY = Experiment("interval_coverage-toy", runs=(3, 5), trials=10, resamples=50, population=1000)


class Cell(NamedTuple):
    """A question about a distribution, with a number of runs of a game."""

    question: str
    distribution: str
    runs: int


Found = dict[Cell, dict[str, dict[str, Result]]]  # by cell, statistic and method


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--toy", action="store_true", help="a short run in seconds, stored in a folder of its own")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("results"), help="folder (default: results)")
    parser.add_argument("--figure-only", action="store_true", help="draw the stored record without running anything")
    options = parser.parse_args()
    experiment = TOY if options.toy else WHOLE
    folder = options.out / experiment.name
    path = folder / f"{store.identifier(experiment.settings())}.jsonl"
    try:
        with one_sentence():
            if not options.figure_only:
                run(experiment, path)
            elif not path.exists():
                raise ValueError(f"{path} does not exist: run the experiment first, without --figure-only.")
            facts, found = read(path, experiment)
            figures = style.save(figure(found), folder / experiment.name, made_by(facts), ["png"])
            text, saved = table(found), folder / f"{experiment.name}.md"
            files.replace(saved, f"{text}\n{made_by(facts)}\n".encode())
    except KeyboardInterrupt:
        print("interrupted: finished work is stored; run the same command to continue", file=sys.stderr)
        raise SystemExit(130) from None
    print(text)
    print(f"record  {path}", *(f"figure  {drawn}" for drawn in figures), f"table   {saved}", sep="\n")


def cells(experiment: Experiment) -> Iterator[Cell]:
    """Yields all cells in order of the number of runs."""
    for number in experiment.runs:
        for question in QUESTIONS:
            for distribution in DISTRIBUTIONS:
                yield Cell(question, distribution, number)


def run(experiment: Experiment, path: pathlib.Path) -> None:
    """Appends one line to the record for each missing cell; its first line contains the facts."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        facts = {
            "settings": experiment.settings(),
            "code": provenance.code(provenance.script()),
            "versions": {"python": platform.python_version(), **{name: metadata.version(name) for name in PACKAGES}},
            "hardware": {"platform": "cpu", "num_cores": os.cpu_count()},
            "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        }
        files.write_new(path, (json.dumps(facts) + "\n").encode())
    whole = path.read_bytes().rpartition(b"\n")[0] + b"\n"  # without an incomplete last line
    files.replace(path, whole)
    known = {tuple(json.loads(line)["cell"]) for line in whole.splitlines()[1:]}
    missing = [cell for cell in cells(experiment) if cell not in known]
    for cell in track(missing, "cells", console=Console(stderr=True)):
        seed = zlib.crc32(repr(tuple(cell)).encode())
        results = trials.measure(
            *cell,
            trials=experiment.trials,
            resamples=experiment.resamples,
            population=experiment.population,
            seed=seed,
        )
        rounded = {
            name: {way: (round(of.coverage, 4), float(f"{of.width:.4g}")) for way, of in ways.items()}
            for name, ways in results.items()
        }
        with path.open("a") as file:
            file.write(json.dumps({"cell": cell, "results": rounded}) + "\n")


def read(path: pathlib.Path, experiment: Experiment) -> tuple[dict[str, Any], Found]:
    """Returns the facts and the results; exits with status 1 and one sentence if the record is not complete."""
    try:
        facts, *lines = map(json.loads, path.read_text().splitlines())
        found = {
            Cell(*line["cell"]): {
                name: {way: Result(*result) for way, result in ways.items()} for name, ways in line["results"].items()
            }
            for line in lines
        }
        is_whole = facts["settings"] == json.loads(json.dumps(experiment.settings()))
        is_whole = is_whole and set(found) == set(cells(experiment))
        made_by(facts)
    except (ValueError, KeyError, TypeError):
        is_whole = False
    if not is_whole:
        raise SystemExit(f"damaged: {printable(path)} is not a complete record. Run or delete it first.")
    return facts, found


def figure(found: Found) -> Figure:
    """Returns a figure of coverage against runs: one row for each question, one column for each distribution."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    numbers = sorted({cell.runs for cell in found})
    looks = style.styles(OVER_RUNS)
    places = range(len(numbers))
    handles: dict[str, Any] = {}
    with style.look():
        drawn = Figure(figsize=(9.0, 5.6), layout="constrained")
        FigureCanvasAgg(drawn)
        panels = drawn.subplots(len(QUESTIONS), len(DISTRIBUTIONS), sharex=True, sharey=True)
        for row, question in enumerate(QUESTIONS):
            for column, distribution in enumerate(DISTRIBUTIONS):
                panel = panels[row, column]
                panel.axhline(100 * trials.CONFIDENCE, color="#606060", linewidth=0.8, linestyle=(0, (4, 3)))
                for name, look in looks.items():
                    by_number = [found[Cell(question, distribution, number)][name] for number in numbers]
                    for way, line in (("percentile", (0, (1, 1))), ("chosen", "solid")):
                        values = [100 * ways[way].coverage for ways in by_number]
                        marker = look.marker if way == "chosen" else "none"
                        width = 1.2 if way == "chosen" else 0.9
                        (handles[f"{name}, {way}"],) = panel.plot(
                            places, values, color=look.color, linestyle=line, marker=marker, linewidth=width
                        )
                panel.set_xticks(places, [str(number) for number in numbers])
                panel.set_ylim(40, 101)
                if row == 0:
                    panel.set_title(distribution)
            panels[row, 0].set_ylabel(f"{question}\ncoverage [%]")
        for panel in panels[-1]:
            panel.set_xlabel("runs of a game")
        style.legend(drawn, handles)
    drawn.set_label(
        "Coverage of nominal 95 % intervals by simulation. Solid: the interval of figures and tables, whose ends are "
        "the outermost of percentile, BCa and t intervals with Student's levels; dotted: percentile bootstrap; "
        "dashed grey: 95 %."
    )
    return drawn


def table(found: Found) -> str:
    """Returns tables of coverage: of the chosen and the percentile interval, and of all methods for one game."""
    rows: list[Sequence[str]] = [("runs", "question", "distribution", *OVER_RUNS)]
    for cell, by_statistic in found.items():
        shown = [f"{_percent(ways['chosen'])} ({_percent(ways['percentile'])})" for ways in by_statistic.values()]
        rows.append((str(cell.runs), cell.question, cell.distribution, *shown))
    compared: list[Sequence[str]] = [("runs", "distribution", "statistic", *WAYS)]
    for cell, by_statistic in found.items():
        for name, ways in by_statistic.items() if cell.question == "one game" else ():
            shown = [f"{_percent(ways[way])} ({_width(ways[way])})" if way in ways else "-" for way in WAYS]
            compared.append((str(cell.runs), cell.distribution, name, *shown))
    return (
        f"Coverage in % of nominal 95 % intervals: chosen interval, and in brackets percentile bootstrap.\n\n"
        f"{markdown(rows)}\n{below(found)}\n\n"
        f"All methods for one game: coverage in %, and in brackets the median width.\n\n{markdown(compared)}"
    )


def below(found: Found) -> str:
    """Returns a sentence that lists where the chosen interval covers less than 94 % with ten runs or more."""
    cases = [
        f"{name} of {cell.question}, {cell.distribution}, {cell.runs} runs ({_percent(ways['chosen'])})"
        for cell, by_statistic in found.items()
        for name, ways in by_statistic.items()
        if cell.runs >= 10 and ways["chosen"].coverage < AIM
    ]
    return f"Below {100 * AIM:.0f} % with ten runs or more: {'; '.join(cases) or 'nowhere'}."


def made_by(facts: dict[str, Any]) -> str:
    settings, code = facts["settings"], facts["code"]
    commit = "no commit" if code["commit"] is None else f"commit {code['commit'][:10]}"
    changed = " with changes" if code["modified"] else ""
    return (
        f"Experiment {settings['name']}: {settings['trials']:,} trials with {settings['resamples']:,} resamples each. "
        f"jaxdqn {code['jaxdqn']}, {commit}{changed}. numpy {facts['versions']['numpy']} on cpu."
    )


def _percent(result: Result) -> str:
    return f"{100 * result.coverage:.1f}"


def _width(result: Result) -> str:
    """Returns the width; it is unbounded if a resample has equal runs, because its standard error is 0."""
    return f"{result.width:.3g}" if result.width < UNBOUNDED else "no bound"


if __name__ == "__main__":
    main()
