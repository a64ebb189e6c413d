"""Processes that train on host games: what a failing environment leaves, and that the others go on."""

import dataclasses

import numpy as np

from jaxdqn.results import schema, store, tidy
from jaxdqn.study import execute
from jaxdqn.study.spec import Study
from jaxdqn.training.evaluate import Evaluation
from runs import SMALL

GAMES = [f"gymnasium:host_games:{name}-v0" for name in ("OneState", "Crash", "Die")]


def study(**changes):
    plain = Study("workers", GAMES[:1], {"DQN": SMALL}, seeds=(0, 1), steps=400, evaluation=Evaluation(200, 2))
    return dataclasses.replace(plain, **changes)


def test_a_failing_environment_ends_its_run_with_its_traceback_and_no_other(tmp_path):
    short = dataclasses.replace(SMALL, num_environments=1)  # one copy has steps for one period and not for two
    found = execute.run(study(games=GAMES, algorithms={"DQN": short}, seeds=(0, 1, 2)), tmp_path)
    assert (found.num_written, found.num_crashed) == (9, 6)
    runs = tidy.group(store.read(found.folder).runs, "game")
    whole, crashed, died = (runs[game,] for game in GAMES)
    for run in whole:
        assert run.facts["crash"] is None
        assert run.curves["steps"].tolist() == [200, 400]
    for run in (*crashed, *died):
        assert schema.crashed(run.facts)
        assert len(run.curves["steps"]) < 2
    assert "RuntimeError: the engine exploded" in crashed[0].facts["crash"]
    assert "host_games.py" in crashed[0].facts["crash"]
    assert "ended with status 7" in died[0].facts["crash"]


def test_environments_in_processes_give_the_same_runs(tmp_path):
    game = ["gymnasium:CartPole-v1"]
    for name, asynchronous in (("together", False), ("apart", True)):
        execute.run(study(name=name, games=game, seeds=(0,)), tmp_path, asynchronous=asynchronous)
    (ours,), (theirs,) = (store.read(tmp_path / name / "runs").runs for name in ("together", "apart"))
    assert ours.facts["id"] == theirs.facts["id"]
    for name, values in ours.curves.items():
        if name != "wall_seconds":
            np.testing.assert_array_equal(values, theirs.curves[name])
