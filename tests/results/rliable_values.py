"""Writes `rliable_values.json`: what rliable makes of the arrays of `test_rliable.py`, to be compared with ours.

rliable does not import with pandas 3, so that its numbers are recorded. To make them again:

    python -m venv /tmp/rliable && /tmp/rliable/bin/pip install rliable 'pandas<3'
    /tmp/rliable/bin/python tests/results/rliable_values.py

Scores are `[runs, games]`, and curves `[runs, games, points]`, as rliable has them. `replicates` are the statistics of
the first of its draws, which come from `np.random.RandomState(0)`: whoever has the same draws has the same numbers.
"""

import json
import pathlib
from importlib import metadata

import numpy as np
from rliable import library, metrics

PACKAGES = ("rliable", "pandas", "arch", "numpy", "scipy")
THRESHOLDS = [0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0]
AGGREGATES = {
    "IQM": metrics.aggregate_iqm,
    "median": metrics.aggregate_median,
    "mean": metrics.aggregate_mean,
    "optimality gap": metrics.aggregate_optimality_gap,
}
RESAMPLES = 50


def arrays() -> dict[str, np.ndarray]:
    """Returns scores: few runs and many, skewed, and of two peaks with ties."""
    generator = np.random.default_rng(15)
    return {
        "five runs": generator.gamma(2.0, 0.4, size=(5, 3)),
        "ten runs": generator.normal(0.8, 0.5, size=(10, 4)),
        "one game": generator.normal(0.8, 0.5, size=(11, 1)),
        "two peaks": (generator.random((8, 5)) < 0.6).astype(float),
    }


def of_scores(scores: np.ndarray) -> dict[str, object]:
    """Returns points, the statistics of the first draws, and the percentile intervals of rliable."""
    found: dict[str, object] = {"scores": scores.round(3).tolist()}
    scores = scores.round(3)
    found["aggregates"] = {name: float(aggregate(scores)) for name, aggregate in AGGREGATES.items()}
    found["profile"] = library.create_performance_profile(
        {"X": scores}, np.array(THRESHOLDS), custom_profile_func=None
    )[0]["X"].tolist()
    replicates: dict[str, list[float]] = {}
    for name, aggregate in AGGREGATES.items():
        drawn = library.StratifiedBootstrap(scores, random_state=np.random.RandomState(0))
        replicates[name] = [float(value) for value in drawn.apply(aggregate, reps=RESAMPLES).ravel()]
    found["replicates"] = replicates
    return found


def main() -> None:
    every = arrays()
    names = list(every)
    found = {name: of_scores(scores) for name, scores in every.items()}
    x, y = (np.array(found[name]["scores"]) for name in names[:2])
    improvement = {
        "five runs over ten": float(metrics.probability_of_improvement(x, y[:, :3])),
        "ten runs over five": float(metrics.probability_of_improvement(y[:, :3], x)),
        "two peaks over themselves": float(metrics.probability_of_improvement(every["two peaks"], every["two peaks"])),
    }
    text = {
        "versions": {name: metadata.version(name) for name in PACKAGES},
        "thresholds": THRESHOLDS,
        "arrays": found,
        "probability of improvement": improvement,
    }
    path = pathlib.Path(__file__).with_suffix(".json")
    path.write_text(json.dumps(text, indent=1) + "\n")
    print(path)


if __name__ == "__main__":
    main()
