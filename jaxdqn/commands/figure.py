"""`jaxdqn figure`: one figure, or one table, of the runs in a folder."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxdqn.analysis import aggregates as over_games
from jaxdqn.analysis import comparison_table, statistics
from jaxdqn.analysis.statistics import Aggregate, Statistic
from jaxdqn.commands import figure_inputs
from jaxdqn.commands.errors import one_sentence, printable
from jaxdqn.figures import (
    aggregates,
    captions,
    differences,
    efficiency,
    heat_map,
    improvement,
    intervals,
    learning_curves,
    profiles,
    seeds_needed,
    sensitivity,
    style,
)
from jaxdqn.store import files
from jaxdqn.store.record import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_STATISTICS: dict[str, Statistic] = {"iqm": statistics.iqm, "mean": statistics.mean, "median": statistics.median}
_AGGREGATES: dict[str, Aggregate] = {"iqm": over_games.iqm, "mean": over_games.mean, "median": over_games.median}
_WRITTEN = {"md": comparison_table.markdown, "tex": comparison_table.latex, "csv": comparison_table.comma_separated}


def main(chosen: argparse.Namespace) -> None:
    """Runs the command; bad input ends with one sentence and exit status 2, damaged records with 1 after the figure.

    Args:
      chosen: as `jaxdqn.commands.figure_options` reads them.
    """
    with one_sentence():
        figure_inputs.check(chosen)
        folder, found = figure_inputs.stored(chosen.study, getattr(chosen, "wanted", None))
        runs = figure_inputs.narrowed(found.runs, chosen.games, chosen.arms)
        paths = figure_inputs.paths(chosen, folder)
        scale = figure_inputs.scale(figure_inputs.narrowed(found.runs, chosen.games, None), chosen)
        write = _tabulate if chosen.kind == "table" else _draw
        written = write(runs, chosen, scale, paths)
    print(*(f"{'table' if chosen.kind == 'table' else 'figure'}  {path}" for path in written), sep="\n")
    if found.damaged:
        raise SystemExit("\n".join(f"damaged: {printable(problem)}" for problem in found.damaged))


def _tabulate(
    runs: Sequence[Run], chosen: argparse.Namespace, scale: figure_inputs.Scale, paths: Sequence[Path]
) -> list[Path]:
    """Writes a table in each format, prints it, and returns the paths."""
    table = comparison_table.compare(
        runs,
        score=figure_inputs.score(chosen),
        last=figure_inputs.last(chosen),
        statistic=_STATISTICS[chosen.statistic or "iqm"],
        transform=scale.transform,
        lower_is_better=bool(chosen.lower_is_better),
    )
    reading = " ".join(filter(None, [table.reading, scale.reading, captions.provenance(runs)]))
    table = table._replace(reading=reading)
    print(comparison_table.markdown(table))
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        files.replace(path, _WRITTEN[path.suffix[1:]](table).encode())
    return list(paths)


def _draw(
    runs: Sequence[Run], chosen: argparse.Namespace, scale: figure_inputs.Scale, paths: Sequence[Path]
) -> list[Path]:
    """Writes a figure in each format, prints how to read it, and returns the paths."""
    figure = DRAW[chosen.kind](runs, chosen, scale)
    figure.set_label(" ".join(filter(None, [str(figure.get_label()), scale.reading])))
    print(figure.get_label())
    formats = [path.suffix[1:] for path in paths]
    return style.save(figure, paths[0].with_suffix(""), captions.provenance(runs), formats)


def _common(chosen: argparse.Namespace) -> dict[str, Any]:
    """Returns the arguments that a kind hands on as they are; those not given keep the function's default."""
    given: dict[str, Any] = {"score": chosen.score, "last": chosen.last}
    given["statistic"] = _STATISTICS.get(chosen.statistic)
    given["order"] = chosen.arms
    return {name: value for name, value in given.items() if value is not None}


def _curves(runs: Sequence[Run], chosen: argparse.Namespace, scale: figure_inputs.Scale) -> "Figure":
    ylabel = figure_inputs.named(chosen, scale)
    return learning_curves.learning_curves(runs, transform=scale.transform, ylabel=ylabel, **_common(chosen))


def _efficiency(runs: Sequence[Run], chosen: argparse.Namespace, scale: figure_inputs.Scale) -> "Figure":
    statistic = chosen.statistic or "iqm"
    return efficiency.sample_efficiency(
        runs,
        transform=scale.transform,
        aggregate=_AGGREGATES[statistic],
        name="IQM" if statistic == "iqm" else statistic,
        score=figure_inputs.score(chosen),
        ylabel=figure_inputs.named(chosen, scale),
        order=chosen.arms or (),
    )


def _intervals(runs: Sequence[Run], chosen: argparse.Namespace, scale: figure_inputs.Scale) -> "Figure":
    xlabel = f"final {figure_inputs.named(chosen, scale)}"
    return intervals.intervals(runs, figure_inputs.on_one_scale(runs, scale), xlabel=xlabel, **_common(chosen))


def _aggregates(runs: Sequence[Run], chosen: argparse.Namespace, scale: figure_inputs.Scale) -> "Figure":
    if scale.transform is None:
        raise ValueError("aggregates needs --normalise: the optimality gap is the distance to a score of 1.")
    xlabel = f"final {figure_inputs.named(chosen, scale)}"
    return aggregates.aggregate_intervals(runs, scale.transform, xlabel=xlabel, **_common(chosen))


def _profile(runs: Sequence[Run], chosen: argparse.Namespace, scale: figure_inputs.Scale) -> "Figure":
    xlabel = f"final {figure_inputs.named(chosen, scale)}"
    return profiles.performance_profiles(runs, transform=scale.transform, xlabel=xlabel, **_common(chosen))


def _improvement(runs: Sequence[Run], chosen: argparse.Namespace, scale: figure_inputs.Scale) -> "Figure":
    del scale  # only the order of scores counts
    return improvement.probability_of_improvement(runs, chosen.base, **_common(chosen))


def _paired(runs: Sequence[Run], chosen: argparse.Namespace, scale: figure_inputs.Scale) -> "Figure":
    xlabel = f"difference of {_plural(chosen)} of {figure_inputs.named(chosen, scale)}"
    return differences.paired_differences(
        runs, chosen.base, transform=scale.transform, xlabel=xlabel, **_common(chosen)
    )


def _ablation(runs: Sequence[Run], chosen: argparse.Namespace, scale: figure_inputs.Scale) -> "Figure":
    ylabel = f"difference of {_plural(chosen)} of {figure_inputs.named(chosen, scale)}"
    return differences.ablation(runs, chosen.base, transform=scale.transform, ylabel=ylabel, **_common(chosen))


def _plural(chosen: argparse.Namespace) -> str:
    return f"{statistics.name(_STATISTICS[chosen.statistic or 'mean'])}s"


def _sensitivity(runs: Sequence[Run], chosen: argparse.Namespace, scale: figure_inputs.Scale) -> "Figure":
    ylabel = f"final {figure_inputs.named(chosen, scale)}"
    return sensitivity.sensitivity(runs, chosen.field[0], transform=scale.transform, ylabel=ylabel, **_common(chosen))


def _heat_map(runs: Sequence[Run], chosen: argparse.Namespace, scale: figure_inputs.Scale) -> "Figure":
    given = {name: value for name, value in _common(chosen).items() if name != "order"}
    name = f"final {figure_inputs.named(chosen, scale)}"
    across, up = chosen.field
    return heat_map.heat_map(runs, (across, up), transform=scale.transform, name=name, **given)


def _seeds(runs: Sequence[Run], chosen: argparse.Namespace, scale: figure_inputs.Scale) -> "Figure":
    ylabel = figure_inputs.named(chosen, scale)
    return seeds_needed.seeds_needed(
        runs, width=chosen.width, transform=scale.transform, ylabel=ylabel, **_common(chosen)
    )


DRAW: dict[str, Callable[[Sequence[Run], argparse.Namespace, figure_inputs.Scale], "Figure"]] = {
    "curves": _curves,
    "efficiency": _efficiency,
    "intervals": _intervals,
    "aggregates": _aggregates,
    "profile": _profile,
    "improvement": _improvement,
    "paired": _paired,
    "ablation": _ablation,
    "sensitivity": _sensitivity,
    "heatmap": _heat_map,
    "seeds": _seeds,
}
