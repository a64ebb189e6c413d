"""Failed runs have no record, and no figure or table hides them."""

import numpy as np

from jaxdqn.analysis import failed_runs
from jaxdqn.store import failures, store
from jaxdqn.store.failures import Failure
from jaxdqn.store.manifest import Manifest
from tests.helpers import synthetic_runs

ABOUT = {"game": "catch", "algorithm": "DQN", "settings": {}, "seed": 0}


def failure(id="a", traceback="Traceback ...\nValueError: no more balls.", **about):
    return Failure(id, ABOUT | about, traceback)


def test_failed_runs_are_counted_in_a_sentence_an_arm_whether_or_not_it_has_other_runs():
    runs = [synthetic_runs.run(seed=2), synthetic_runs.run(seed=3, algorithm="PER")]
    failed = [failure(seed=0), failure(seed=1), failure(algorithm="C51")]
    assert failed_runs.sentence(failed, runs) == (
        "2 of 3 runs of DQN on catch failed and are left out. 1 of 1 run of C51 on catch failed and is left out."
    )
    assert failed_runs.sentence([], runs) == ""


def test_arms_that_differ_in_settings_are_told_apart():
    runs = [synthetic_runs.run(settings={"rate": 0.1}), synthetic_runs.run(settings={"rate": 0.2}, seed=1)]
    said = failed_runs.sentence([failure(settings={"rate": 0.2})], runs)
    assert said == "1 of 2 runs of DQN, rate 0.2 on catch failed and is left out."


def test_a_reason_names_game_error_file_and_remedy_once_for_runs_that_failed_alike(tmp_path):
    failed = [failure("a"), failure("b", seed=1), failure("c", traceback="OSError: gone", game="pong")]
    assert failed_runs.reasons(failed, tmp_path) == [
        f"catch: 2 runs failed with ValueError: no more balls ({tmp_path / 'a.json'}); fix it, then run the same "
        "command with --retry-failed",
        f"pong: 1 run failed with OSError: gone ({tmp_path / 'c.json'}); fix it, then run the same command with "
        "--retry-failed",
    ]


def test_many_errors_are_not_all_listed(tmp_path):
    said = failed_runs.reasons([failure(str(i), traceback=f"ValueError: {i}") for i in range(8)], tmp_path)
    assert len(said) == 6
    assert said[-1] == f"3 more errors in {tmp_path}"


def test_runs_that_are_stored_or_not_requested_have_not_failed(tmp_path):
    facts = synthetic_runs.facts()
    store.write(tmp_path / "runs", facts, {"steps": np.ones(1)})
    for id in (facts["id"], "0" * 16, "1" * 16):
        failures.write(tmp_path / "failures", id, ABOUT, "ValueError: no")
    assert [found.id for found in failed_runs.read(tmp_path)] == ["0" * 16, "1" * 16]
    requested = Manifest("any", 100, {"1" * 16: ABOUT | {"algorithm": "renamed"}})
    (found,) = failed_runs.read(tmp_path, requested)
    assert (found.id, found.about["algorithm"]) == ("1" * 16, "renamed")


def test_a_failure_that_cannot_be_read_is_not_hidden(tmp_path):
    (tmp_path / "failures").mkdir()
    (tmp_path / "failures" / "0000000000000000.json").write_text("{")
    failed = failed_runs.read(tmp_path)
    assert failed_runs.sentence(failed, []) == "1 of 1 run of ? on an unknown game failed and is left out."
