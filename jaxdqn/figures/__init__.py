"""Figures of stored runs, one in each file, without JAX; and the table of figures that `jaxdqn figure` draws."""

from jaxdqn.figures import (
    ablation,
    aggregates,
    comparison_table,
    heat_map,
    intervals,
    learning_curves,
    paired_differences,
    performance_profiles,
    probability_of_improvement,
    sample_efficiency,
    seeds_needed,
    sensitivity,
)
from jaxdqn.figures.entry import Entry

# By the name on the command line. A new figure is a file with an entry, and a line here.
FIGURES: dict[str, Entry] = {
    "curves": learning_curves.FIGURE,
    "efficiency": sample_efficiency.FIGURE,
    "intervals": intervals.FIGURE,
    "aggregates": aggregates.FIGURE,
    "profile": performance_profiles.FIGURE,
    "improvement": probability_of_improvement.FIGURE,
    "paired": paired_differences.FIGURE,
    "ablation": ablation.FIGURE,
    "sensitivity": sensitivity.FIGURE,
    "heatmap": heat_map.FIGURE,
    "seeds": seeds_needed.FIGURE,
    "table": comparison_table.FIGURE,
}
