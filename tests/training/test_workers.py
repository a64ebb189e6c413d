"""Processes that train on host games: a failing environment ends its own run only."""

import dataclasses
import multiprocessing
import os

import jax
import numpy as np
import pytest

from jaxdqn import games
from jaxdqn.code_versions import CodeVersions
from jaxdqn.store import store
from jaxdqn.study import execute
from jaxdqn.study.spec import Study
from jaxdqn.training import device_layout, host_checkpoint, program, worker_process, workers
from jaxdqn.training.evaluate import Evaluation
from tests.helpers.runs import SMALL

pytestmark = pytest.mark.usefixtures("unoptimised")

GAMES = [f"gymnasium:tests.helpers.host_games:{name}-v0" for name in ("OneState", "Crash", "Die")]


def study(**changes):
    plain = Study("workers", GAMES[:1], {"DQN": SMALL}, seeds=(0, 1), steps=400, evaluation=Evaluation(200, 2))
    return dataclasses.replace(plain, **changes)


def test_a_failing_environment_ends_only_its_run_and_records_the_traceback(tmp_path):
    found = execute.run(study(games=GAMES), tmp_path)  # a copy has steps for one period, not for two
    assert (found.num_written, found.num_failed) == (2, 4)
    assert all(run.curves["steps"].tolist() == [200, 400] for run in store.read(found.folder).runs)
    assert {run.facts["game"]["name"] for run in store.read(found.folder).runs} == {GAMES[0]}
    by_game = {failure.about["game"]: failure for failure in found.failed}
    assert by_game[GAMES[1]].reason == "RuntimeError: the engine exploded"
    assert "host_games.py" in by_game[GAMES[1]].traceback
    assert "ended with status 7" in by_game[GAMES[2]].reason


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="cores cannot be chosen here")
@pytest.mark.skipif(jax.default_backend() != "cpu", reason="the parent has an accelerator")
def test_a_worker_has_one_core_no_accelerator_unless_its_parent_has_and_the_same_switches(tmp_path):
    with jax.default_matmul_precision("highest"):
        report = execute.run(
            study(games=["gymnasium:tests.helpers.host_games:ProcessReporter-v0"], seeds=(0,), steps=200), tmp_path
        )
    (run,) = store.read(report.folder).runs
    assert run.curves["evaluation_return"].tolist() == [1_101.0]
    assert run.facts["switches"] == {"jax_default_matmul_precision": "highest"}


def test_a_worker_refuses_a_game_whose_code_has_changed():
    name = "gymnasium:tests.helpers.host_games:OneState-v0"
    task = worker_process.Task("cpu", SMALL, name, games.make(name).code, {}, Evaluation(200, 1), 0, False, 0.0)
    assert worker_process._game(task).name == name
    with pytest.raises(
        RuntimeError, match=f"^the code of {name} has changed since the command began: run the command again$"
    ):
        worker_process._game(task._replace(code=CodeVersions({"tests.helpers.host_games": "0"})))


@pytest.mark.parametrize("name", [GAMES[0], "catch"])
def test_the_seconds_before_the_first_run_are_the_elapsed_time(monkeypatch, name):
    clock = iter([1000.0, 1007.5])
    monkeypatch.setattr(program.time, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(workers, "start", lambda *arguments: (None,) * 6)
    monkeypatch.setattr(program, "_compile", lambda *arguments: (None,) * 3)
    made = program.make(SMALL, games.make(name), Evaluation(200, 2), device_layout.Layout((), 1, 1))
    assert made.compile_seconds == 7.5


def test_environments_in_processes_give_the_same_runs(tmp_path):
    game = ["gymnasium:CartPole-v1"]
    for name, asynchronous in (("together", False), ("apart", True)):
        execute.run(study(name=name, games=game, seeds=(0,)), tmp_path, asynchronous=asynchronous)
    (ours,), (theirs,) = (store.read(tmp_path / name / "runs").runs for name in ("together", "apart"))
    assert ours.facts["id"] == theirs.facts["id"]
    for name, values in ours.curves.items():
        np.testing.assert_array_equal(values, theirs.curves[name])


def test_the_process_of_one_environment_may_die_without_ending_the_study(tmp_path):
    found = execute.run(study(games=GAMES[2:], seeds=(0, 1, 2)), tmp_path, asynchronous=True)
    assert (found.num_written, found.num_failed) == (0, 3)


@pytest.mark.parametrize("moment", ["init", "advance", "end"])
def test_a_process_that_is_killed_while_it_waits_ends_only_its_run(tmp_path, monkeypatch, moment):
    start, killed = workers.start, []

    def started(*arguments):
        wave = start(*arguments)

        def killing_first(*given):
            if not killed:
                (process,) = [child for child in multiprocessing.active_children() if child.name == "jaxdqn run 0"]
                process.kill()
                os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # dead, and not noticed
                killed.append(process)
                monkeypatch.setattr(process, "is_alive", lambda: True)
            return getattr(wave, moment)(*given)

        return wave._replace(**{moment: killing_first})

    monkeypatch.setattr(workers, "start", started)
    report = execute.run(study(), tmp_path)
    assert (report.num_written, report.num_failed) == (1, 1)
    (failure,) = report.failed
    assert failure.about["seed"] == 0
    assert "was killed by signal 9" in failure.reason


def test_a_process_that_is_killed_while_it_compiles_is_replaced_and_no_run_fails(tmp_path, monkeypatch):
    start, places = workers._start, []

    def killed_at_first(task, place, note):
        worker = start(task, place, note)
        if not places:
            worker.process.kill()
        places.append(place)
        return worker

    monkeypatch.setattr(workers, "_start", killed_at_first)
    report = execute.run(study(), tmp_path)
    assert (report.num_written, report.num_failed) == (2, 0)
    assert places.count(0) == 2


def test_the_traceback_of_an_environment_in_its_own_process_is_recorded(tmp_path):
    found = execute.run(study(games=GAMES[1:2], seeds=(0,)), tmp_path, asynchronous=True)
    (failure,) = found.failed
    assert failure.reason == "RuntimeError: the engine exploded"
    assert "host_games.py" in failure.traceback


class Scripted:
    """A worker that returns prepared answers in order."""

    def __init__(self, *answers):
        self.connection, self.process, self.answers = self, self, list(answers)

    def is_alive(self):
        return True

    def send(self, message):
        self.answers.append(("ok", f"answer to {message[0]}"))

    def recv(self):
        return self.answers.pop(0)


def test_after_an_error_of_one_worker_the_others_answer_the_next_request(monkeypatch):
    failing, other = Scripted(("ok", None)), Scripted(("ok", None))
    started = [failing, other]
    monkeypatch.setattr(workers, "_start", lambda task, place, note: started[place])
    wave = workers.start(
        SMALL, games.make("gymnasium:CartPole-v1"), Evaluation(200, 2), 2, 0, False, host_checkpoint.UNLIMITED
    )
    states = [None, None]
    for ask in (lambda: wave.advance(states, 0), lambda: wave.save(states), lambda: wave.end(states)):
        failing.answers.append(("error", "out of memory"))
        with pytest.raises(RuntimeError, match="out of memory"):
            ask()
        failing.answers.clear()
        assert other.answers == []


class Busy:
    """A worker that does not react, and its process, with a clock that it advances."""

    def __init__(self, clock):
        self.clock, self.connection, self.process, self.is_killed, self.is_told = clock, self, self, False, False

    def close(self):
        self.is_told = True

    def join(self, timeout=0.0):
        self.clock[0] += timeout

    def is_alive(self):
        return not self.is_killed

    def kill(self):
        self.is_killed = True


def test_stopping_many_workers_takes_no_longer_than_stopping_one(monkeypatch):

    clock = [100.0]
    monkeypatch.setattr(workers.time, "monotonic", lambda: clock[0])
    busy = [Busy(clock) for _ in range(64)]
    workers._stop(busy)
    assert all(worker.is_told and worker.is_killed for worker in busy)
    assert clock == [105.0]
