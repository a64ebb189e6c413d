"""Writes `rliable_values.json`: what rliable makes of arrays, to be compared with what we make of them.

rliable does not import with pandas 3, so that its numbers are recorded. To make them again, in an environment apart
(`pip install rliable 'pandas<3'`):

    python tests/analysis/rliable_values.py

Scores are `[runs, games]`, and curves `[runs, games, points]`, as rliable has them. It draws from NumPy's global
generator: whoever draws as it does after the same seed has the same replicates.
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
RESAMPLES = 40
PAIRS = {"few and many": ("few runs", "many runs"), "with ties": ("two peaks", "other peaks")}


def arrays():
    """Returns scores `[runs, games]`: of few runs and many, of one game, and of two peaks with ties."""
    generator = np.random.default_rng(15)
    return {
        "few runs": generator.gamma(2.0, 0.4, size=(5, 4)).round(3),
        "many runs": generator.normal(0.8, 0.5, size=(11, 4)).round(3),
        "one game": generator.normal(0.8, 0.5, size=(10, 1)).round(3),
        "two peaks": (generator.random((8, 5)) < 0.6).astype(float),
        "other peaks": (generator.random((6, 5)) < 0.4).astype(float),
    }


def replicates(scores, aggregate):
    """Returns the statistic of the first draws, float64 `[RESAMPLES]`."""
    np.random.seed(0)  # noqa: NPY002  # what rliable draws from
    drawn = library.StratifiedBootstrap(scores)
    return drawn.apply(lambda x: np.array([aggregate(x)]), reps=RESAMPLES).ravel()


def of_scores(scores):
    profile, _ = library.create_performance_profile({"X": scores}, np.array(THRESHOLDS), reps=2)
    return {
        "scores": scores.tolist(),
        "points": {name: float(aggregate(scores)) for name, aggregate in AGGREGATES.items()},
        "replicates": {name: replicates(scores, aggregate).tolist() for name, aggregate in AGGREGATES.items()},
        "profile": profile["X"].tolist(),
    }


def main():
    every = arrays()
    improvement = {
        name: float(metrics.probability_of_improvement(every[x], every[y])) for name, (x, y) in PAIRS.items()
    }
    recorded = {
        "versions": {name: metadata.version(name) for name in PACKAGES},
        "thresholds": THRESHOLDS,
        "arrays": {name: of_scores(scores) for name, scores in every.items()},
        "probability of improvement": [[*PAIRS[name], value] for name, value in improvement.items()],
    }
    path = pathlib.Path(__file__).with_suffix(".json")
    path.write_text(json.dumps(recorded) + "\n")
    print(path)


if __name__ == "__main__":
    main()
