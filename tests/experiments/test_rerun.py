"""Repeated runs are compared with the recorded ones bit by bit."""

import dataclasses

import numpy as np
import pytest

import rerun
from jaxdqn.store import store
from jaxdqn.store.record import Run
from jaxdqn.study import execute, run_group
from jaxdqn.study.spec import Study
from tests.helpers import synthetic_runs
from tests.helpers.runs import EVALUATION, SMALL, results


def costing(seconds, **described):
    facts = synthetic_runs.facts(**described)
    facts["cost"]["wall_seconds"] = seconds
    return Run(facts, synthetic_runs.curves(seed=described["seed"]))


def test_the_fastest_run_of_each_arm_comes_first():
    runs = [costing(3.0, algorithm="C51", seed=0), costing(9.0, algorithm="C51", seed=1)]
    runs += [costing(2.0, algorithm="DQN", seed=0), costing(1.0, algorithm="DQN", seed=1)]
    order = [(run.facts["algorithm"], run.facts["seed"]) for run in rerun.quickest(runs, 3)]
    assert order == [("DQN", 1), ("C51", 0), ("DQN", 0)]


def test_curves_with_one_different_bit_differ():
    recorded = costing(1.0, seed=0)
    timed = recorded._replace(curves=recorded.curves | {"wall_seconds": np.arange(40.0)})
    assert rerun.differing(recorded, timed) == []
    nan = recorded._replace(curves=recorded.curves | {"loss": np.full(40, np.nan)})
    assert rerun.differing(recorded, recorded) == []
    assert rerun.differing(nan, nan._replace(curves=dict(nan.curves))) == []
    score = recorded.curves["evaluation_return"].copy()
    score[3] = np.nextafter(score[3], 2.0)
    assert rerun.differing(recorded, recorded._replace(curves=recorded.curves | {"evaluation_return": score})) == [
        "evaluation_return"
    ]
    fewer = {name: values for name, values in recorded.curves.items() if name != "loss"}
    assert rerun.differing(recorded, recorded._replace(curves=fewer)) == ["loss"]


def test_a_row_has_both_scores_and_the_scores_of_all_seeds():
    arm = [costing(1.0, seed=seed) for seed in (0, 1, 2)]
    for run, last in zip(arm, (5.0, 2.0, 3.0), strict=True):
        run.curves["evaluation_return"][-1] = last
    again = arm[2]._replace(curves=arm[2].curves | {"evaluation_return": np.array([1.0, 7.0])})
    assert rerun.row(arm[2], again, arm) == ("example", "catch, DQN", "2", "2 of 3", "3", "7", "2 to 5")


def test_a_curve_of_one_run_only_differs():
    recorded = costing(1.0, seed=0)
    more = {name: np.zeros(1) for name in ("max_q", "updates", "td_error", "gradient_norm")}
    again = recorded._replace(curves=recorded.curves | more)
    assert rerun.row(recorded, again, [recorded])[3] == "3 of 7"
    assert rerun.row(again, recorded, [recorded])[3] == "3 of 7"


def test_the_row_of_a_failed_repetition_contains_the_error(tmp_path, monkeypatch):
    study = Study("tiny", ("catch",), {"DQN": SMALL}, (0, 1), steps=400, evaluation=EVALUATION)
    execute.run(study, tmp_path / "results")

    def break_down(*arguments, **named):
        raise RuntimeError("it broke: a | b")

    monkeypatch.setattr(run_group.program, "make", break_down)
    rows = list(rerun.rows_of(study, tmp_path / "results", 2, tmp_path / "again"))
    assert sorted(row[:4] for row in rows) == [("tiny", "catch, DQN", seed, "none") for seed in "01"]
    assert {row[5] for row in rows} == {"failed: RuntimeError: it broke: a \\| b"}
    scores = sorted(float(row[4]) for row in rows)
    assert {row[6] for row in rows} == {f"{scores[0]:.4g} to {scores[1]:.4g}"}


def test_a_repeated_study_has_the_same_bits_and_its_record_is_unchanged(tmp_path):
    study = Study("tiny", ("catch",), {"DQN": SMALL}, (0, 1), steps=400, evaluation=EVALUATION)
    execute.run(study, tmp_path / "results")
    with pytest.raises(ValueError, match="has no run of this study: give the folder"):
        next(rerun.rows_of(dataclasses.replace(study, seeds=(7,)), tmp_path / "results", 1, tmp_path / "again"))
    before = results(tmp_path / "results" / "tiny")
    (row,) = rerun.rows_of(study, tmp_path / "results", 1, tmp_path / "again")
    assert row[:2] == ("tiny", "catch, DQN")
    assert row[3] == "all"
    assert row[4] == row[5]
    assert results(tmp_path / "results" / "tiny") == before
    assert len(store.read(tmp_path / "again" / "tiny" / "runs").runs) == 1
