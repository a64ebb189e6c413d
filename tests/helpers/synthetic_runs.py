"""Synthetic runs for tests: facts of a record, and curves with known values."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from jaxdqn.store import store
from jaxdqn.store.record import Run

STEPS = np.arange(500, 20_001, 500)


def facts(
    *, game: str = "catch", algorithm: str = "DQN", seed: int = 0, settings: dict[str, Any] | None = None, **more: Any
) -> dict[str, Any]:
    """Returns facts as a study writes them; further keywords replace whole keys."""
    determinants = {"game": game, "algorithm": algorithm, "seed": seed, "settings": settings or {}}
    return {
        "schema": 1,
        "id": store.identifier(determinants | {"more": more}),
        "study": "example",
        "game": {"name": game, "version": 1},
        "algorithm": algorithm,
        "settings": settings or {},
        "configuration": {"type": "DQN", "discount": 0.99, "network": {"type": "QNetwork", "widths": [64, 64]}},
        "seed": seed,
        "steps": 20_000,
        "evaluation": {"every": 500, "episodes": 100, "epsilon": 0.0},
        "code": {"jaxdqn": "0.1.0", "commit": "0123456789abcdef0123456789abcdef01234567", "training_version": 1},
        "versions": {"jax": "0.10.0", "numpy": "2.4.6"},
        "hardware": {"platform": "cpu"},
        "cost": {"wall_seconds": 12.5, "compile_seconds": 3.0, "runs_at_once": 2},
        "diverged_at": None,
        "created": "2025-01-01T00:00:00+00:00",
        **more,
    }


def curves(*, seed: int = 0, best: float = 1.0, steps: np.ndarray = STEPS) -> dict[str, np.ndarray]:
    """Returns curves that rise from -1 to about `best`; they differ for each seed."""
    generator = np.random.default_rng(seed)
    half = steps[-1] * generator.uniform(0.1, 0.4)
    score = -1 + (best + 1) * steps / (steps + half) + generator.normal(scale=0.05, size=len(steps))
    return {"steps": steps, "evaluation_return": score, "loss": 1 / (1 + steps / 1000)}


def episodes(returns: ArrayLike) -> dict[str, np.ndarray]:
    """Returns training episodes of ten steps each, as stored with a run; their only reward is in the last step."""
    values = np.asarray(returns, np.float64)
    return {"episode_return": values, "last_reward": values, "end_step": np.arange(1, len(values) + 1) * 10}


def run(*, best: float = 1.0, steps: np.ndarray = STEPS, **described: Any) -> Run:
    """Returns a run that is not written to disk."""
    record = facts(**described)
    number = int(record["id"], 16) % 2**32
    return Run(record, curves(seed=number, best=best, steps=steps))
