import json

import numpy as np

from jaxdqn.play import rank_runs
from jaxdqn.store import store
from tests.helpers import synthetic_runs


def write(folder, *, score, **described):
    """Writes a run with one evaluation, and returns the path of its record."""
    curves = {"steps": np.arange(1, 2), "evaluation_return": np.array([score])}
    return store.write(folder, synthetic_runs.facts(**described), curves)


def test_a_run_is_ranked_among_the_runs_of_its_arm(tmp_path):
    added = [{}, {}, {"a_later_field": None}, {}]  # an unused option does not make another arm
    paths = [
        write(tmp_path, seed=seed, score=score, configuration={"type": "Config", **added[seed]})
        for seed, score in enumerate((3.0, 1.0, 3.0, 7.0))
    ]
    write(tmp_path, seed=0, algorithm="C51", score=100.0)
    write(tmp_path, seed=4, score=100.0, configuration={"type": "Config", "a_later_field": 1})
    standings = [rank_runs.standing(path, json.loads(path.read_text())) for path in paths]
    assert standings[1] == (1.0, 4, 4, 3.0)
    assert [standing.rank for standing in standings] == [2, 4, 2, 1]
    (alone,) = (path for path in tmp_path.glob("*.json") if '"C51"' in path.read_text())
    assert rank_runs.standing(alone, json.loads(alone.read_text())) is None
