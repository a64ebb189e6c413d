"""A study that is interrupted at any moment ends with the same bytes as one that is not."""

import contextlib
import dataclasses
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from jaxdqn import games, target_network
from jaxdqn.after_update import Reset
from jaxdqn.networks.network import QNetwork
from jaxdqn.networks.torsos import Dense
from jaxdqn.replay.prioritised import Prioritised
from jaxdqn.store import failures, store
from jaxdqn.study import checkpoints, execute, provenance, run_group, spec, stop_signals, wave
from jaxdqn.study.spec import Study
from jaxdqn.training import device_layout, host_checkpoint, program
from jaxdqn.training.evaluate import Evaluation
from tests.helpers.runs import SMALL, results

pytestmark = pytest.mark.usefixtures("compiled_once")


def study(**changes):
    plain = Study(
        name="resumed",
        games=("catch",),
        algorithms={
            "DQN": dataclasses.replace(SMALL, replay=Prioritised(200)),
            "Polyak": dataclasses.replace(
                SMALL,
                target_update=target_network.Polyak(0.1),
                n_step=3,
                network=QNetwork(Dense((16,)), frames=3),
                after_update=Reset(every=35, layers=("Dense_0",)),  # periods have 50 updates
            ),
        },
        seeds=(0, 1, 2),
        steps=1_000,
        evaluation=Evaluation(every=200, episodes=2),
        episodes_logged=20,
        weights_of=(1,),
    )
    return dataclasses.replace(plain, **changes)


def stopping_after(number, monkeypatch):
    """Requests a stop after some evaluation periods."""
    count, advance = [], execute.progress.Bar.advance

    def counted(bar, *arguments):
        advance(bar, *arguments)
        count.append(arguments)
        if len(count) == number:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(execute.progress.Bar, "advance", counted)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("uninterrupted")
    execute.run(study(), folder)
    return results(folder / "resumed")


@pytest.mark.parametrize("periods", [1, 4, pytest.param(5, marks=pytest.mark.equal_bits), 7])
def test_after_a_request_to_stop_it_ends_with_the_period_and_continues_from_there(
    tmp_path, monkeypatch, uninterrupted, periods
):
    handler = signal.getsignal(signal.SIGINT)
    with monkeypatch.context() as patch:
        stopping_after(periods, patch)
        with pytest.raises(KeyboardInterrupt):
            execute.run(study(), tmp_path)
    assert signal.getsignal(signal.SIGINT) is handler
    folder = tmp_path / "resumed"
    steps = [found.step for found in checkpoints.read(folder / "checkpoints")]
    assert steps == ([200 * (periods % 5)] if periods % 5 else [])
    assert not (folder / "claims").exists()
    report = execute.run(study(), tmp_path)
    assert report.num_written == (6 if periods < 5 else 3)
    assert results(folder) == uninterrupted
    assert not list(folder.glob("checkpoints/*"))


def test_killed_at_random_moments_it_ends_with_the_same_bytes(tmp_path, uninterrupted):
    code = (
        "import sys; from tests import conftest; from tests.study import test_resume\n"
        "from jaxdqn.study import execute\n"
        "execute.run(test_resume.study(), sys.argv[1], checkpoint_seconds=0)"
    )
    command = [sys.executable, "-c", code, tmp_path]
    folder, generator, kills = tmp_path / "resumed", random.Random(0), 0
    while kills < 4:
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        started = time.monotonic()
        while process.poll() is None and not list(folder.glob("claims/*.claim")):
            assert time.monotonic() - started < 120
            time.sleep(0.01)
        time.sleep(generator.uniform(0.1, 1.5))  # compiling, training, writing a checkpoint or a result
        if process.poll() is not None:
            break
        process.send_signal(signal.SIGKILL)
        process.wait()
        kills += 1
    assert kills >= 2
    assert subprocess.run(command, check=True).returncode == 0
    assert results(folder) == uninterrupted
    assert not list(folder.glob("checkpoints/*"))


def starting_steps(monkeypatch):
    """Returns a list to which every wave adds the step at which it starts."""
    begun, begin = [], wave._begin

    def starting(*given):
        found = begin(*given)
        begun.append(found.step)
        return found

    monkeypatch.setattr(wave, "_begin", starting)
    return begun


def test_a_checkpoint_that_is_damaged_or_of_other_shapes_lets_its_runs_begin_again(
    tmp_path, monkeypatch, uninterrupted
):
    for damage in (_lose_a_file, _cut_the_state, _lose_a_point, _lose_a_run, _lose_the_state, _rename_a_curve):
        with monkeypatch.context() as patch:
            stopping_after(2, patch)
            with pytest.raises(KeyboardInterrupt):
                execute.run(study(), tmp_path / damage.__name__)
        folder = tmp_path / damage.__name__ / "resumed"
        damage(folder / "checkpoints")
        execute.run(study(), tmp_path / damage.__name__)
        assert results(folder) == uninterrupted


def _lose_a_file(folder):
    (found,) = checkpoints.read(folder)
    for path in found.arrays.rglob("*"):
        if path.is_file() and path.name != "_CHECKPOINT_METADATA":
            path.unlink()


def _cut_the_state(folder):
    (found,) = checkpoints.read(folder)
    snapshot = checkpoints.load(found)
    cut = [values[:, :1] if values.ndim > 1 else values for values in snapshot.state]
    checkpoints.write(folder, snapshot._replace(state=cut))


def _lose_a_point(folder):
    (found,) = checkpoints.read(folder)
    snapshot = checkpoints.load(found)
    checkpoints.write(folder, snapshot._replace(seconds=snapshot.seconds[:, :-1]))


def _lose_a_run(folder):
    (found,) = checkpoints.read(folder)
    snapshot = checkpoints.load(found)
    checkpoints.write(folder, snapshot._replace(state=[values[:-1] for values in snapshot.state]))


def _lose_the_state(folder):
    (found,) = checkpoints.read(folder)
    checkpoints.write(folder, checkpoints.load(found)._replace(state=[]))


def _rename_a_curve(folder):
    (found,) = checkpoints.read(folder)
    snapshot = checkpoints.load(found)
    curves = {name.replace("max_q", "mean_q"): values for name, values in snapshot.curves.items()}
    checkpoints.write(folder, snapshot._replace(curves=curves))


def test_runs_begin_again_where_their_checkpoint_was_made_with_other_versions(
    tmp_path, monkeypatch, uninterrupted, capsys
):
    with monkeypatch.context() as patch:
        stopping_after(2, patch)
        versions = provenance.versions()
        patch.setattr(provenance, "versions", lambda: versions | {"jax": "0.0.1"})
        with pytest.raises(KeyboardInterrupt):
            execute.run(study(), tmp_path)
    begun = starting_steps(monkeypatch)
    execute.run(study(), tmp_path)
    assert begun == [0, 0]
    said = " ".join(capsys.readouterr().err.split())
    assert (
        "3 runs must begin again, because the checkpoint cannot be used: it was made with other versions of jax" in said
    )
    assert results(tmp_path / "resumed") == uninterrupted


def test_a_run_that_went_on_under_another_commit_says_so(tmp_path, monkeypatch, uninterrupted):
    with monkeypatch.context() as patch:
        stopping_after(2, patch)
        patch.setattr(provenance, "commit", lambda: {"commit": "an earlier one", "modified": False})
        with pytest.raises(KeyboardInterrupt):
            execute.run(study(), tmp_path)
    execute.run(study(), tmp_path)
    runs = store.read(tmp_path / "resumed" / "runs").runs
    trained_by = {run.facts["algorithm"]: run.facts.get("trained_by") for run in runs}
    assert trained_by["Polyak"] is None
    assert [one["until"] for one in trained_by["DQN"]] == [400, 1_000]
    assert [one["commit"] for one in trained_by["DQN"]] == ["an earlier one", runs[0].facts["code"]["commit"]]


def test_the_progress_bar_leaves_out_the_scores_of_diverged_runs(tmp_path, monkeypatch):
    shown, advance = [], execute.progress.Bar.advance
    monkeypatch.setattr(
        execute.progress.Bar, "advance", lambda bar, *arguments: shown.append(arguments[1]) or advance(bar, *arguments)
    )
    one = {"DQN": study().algorithms["DQN"]}
    execute.run(study(algorithms=one, grid={"learning_rate": (0.01, 1e30, 0.001)}, seeds=(1,), steps=600), tmp_path)
    scores = np.stack(shown)  # the second run diverges in the first of three periods
    assert np.isnan(scores).tolist() == [[False, True, False]] * 3
    stored = store.read(tmp_path / "resumed" / "runs").runs
    assert sorted(run.facts["diverged_at"] is not None for run in stored) == [False, False, True]
    assert all(np.isfinite(run.curves["evaluation_return"]).all() for run in stored)


def test_a_period_without_updates_is_no_divergence():
    points = [  # the first run diverges in the second period; the others have no updates in the first and the third
        {"updates": (1, 0, 0), "loss": (0.5, np.nan, np.nan), "evaluation_return": (9.0, 1.0, 2.0)},
        {"updates": (2, 1, 3), "loss": (np.inf, 0.5, 0.5), "evaluation_return": (9.0, 3.0, 4.0)},
        {"updates": (2, 1, 3), "loss": (np.nan, np.nan, np.nan), "evaluation_return": (9.0, 5.0, np.nan)},
    ]
    points = [{name: np.array(values) for name, values in point.items()} for point in points]
    found = [wave.scores(wave.Wave(("a", "b", "c"), 0, None, points[:number], [], 0, ())) for number in (1, 2, 3)]
    np.testing.assert_array_equal(found, [[9.0, 1.0, 2.0], [np.nan, 3.0, 4.0], [np.nan, 5.0, np.nan]])


def snapshot_of(ids, step=200, value=0.0):
    curves = {"loss": np.full((len(ids), 2), value, np.float32), "steps": np.full((len(ids), 2), step, np.int32)}
    state, seconds = [np.full((len(ids), 3), value)], np.ones((len(ids), 2))
    trained_by = tuple(({"until": step, "commit": id},) for id in ids)
    return checkpoints.Snapshot(tuple(ids), step, state, curves, seconds, trained_by)


def equal(one, other):
    """Returns whether two snapshots are the same, types of arrays included."""
    described = [
        repr(snapshot._replace(state=None, curves=None, seconds=None))
        + repr([(values.dtype, values.tolist()) for values in (*snapshot.state, snapshot.seconds)])
        + repr([(name, values.dtype, values.tolist()) for name, values in snapshot.curves.items()])
        for snapshot in (one, other)
    ]
    return described[0] == described[1]


def test_a_checkpoint_holds_a_snapshot_and_curves_by_name(tmp_path):
    snapshot = snapshot_of("abc", value=np.nan)
    checkpoints.write(tmp_path, snapshot)
    (found,) = checkpoints.read(tmp_path)
    assert (found.ids, found.step, found.curves) == (("a", "b", "c"), 200, ("loss", "steps"))
    assert equal(checkpoints.load(found), snapshot)


def test_runs_of_a_snapshot_are_selected_and_joined():
    snapshot = checkpoints.join([snapshot_of("ab"), snapshot_of("c", value=1.0)])
    assert snapshot.ids == ("a", "b", "c")
    assert equal(checkpoints.select(snapshot, ("c",)), snapshot_of("c", value=1.0))
    assert equal(checkpoints.select(snapshot, ("b", "a")), snapshot_of("ba"))
    alone = checkpoints.select(snapshot, ("a",))
    assert not np.shares_memory(alone.state[0], snapshot.state[0])  # or one run would keep the memory of all


def test_a_checkpoint_of_the_same_step_as_a_damaged_one_takes_its_place(tmp_path):
    for value in (0.0, 1.0):
        checkpoints.write(tmp_path, snapshot_of("ab", value=value))
        (found,) = checkpoints.read(tmp_path)
        np.testing.assert_array_equal(checkpoints.load(found).state[0], np.full((2, 3), value))
        assert len(list(tmp_path.iterdir())) == 2
        _lose_a_file(tmp_path)


def test_the_arrays_of_a_checkpoint_are_on_the_disk_before_it_counts(tmp_path, monkeypatch):
    flushed, fsync = set(), os.fsync
    monkeypatch.setattr(os, "fsync", lambda file: flushed.add(os.fstat(file).st_ino) or fsync(file))
    checkpoints.write(tmp_path, snapshot_of("ab"))
    (found,) = checkpoints.read(tmp_path)
    assert {path.stat().st_ino for path in (found.arrays, *found.arrays.rglob("*"))} <= flushed


def test_what_interrupted_writers_left_goes_after_a_day(tmp_path):
    checkpoints.write(tmp_path, snapshot_of("ab"))
    kept = set(tmp_path.iterdir())
    for age, name in ((2, "0123-200-4567"), (2, "0123-400-89ab.orbax-checkpoint-tmp"), (0, "cdef-200-4567")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "d").touch()
        os.utime(tmp_path / name, (time.time() - age * 24 * 3600 - 60,) * 2)
    for path in kept:
        os.utime(path, (0, 0))
    checkpoints.remove_left_over(tmp_path)
    assert set(tmp_path.iterdir()) == kept | {tmp_path / "cdef-200-4567"}


def test_after_a_request_to_stop_while_it_compiles_nothing_is_trained(tmp_path, monkeypatch):
    make = program.make

    def requesting(*arguments, **named):
        os.kill(os.getpid(), signal.SIGINT)
        return make(*arguments, **named)

    monkeypatch.setattr(program, "make", requesting)
    with pytest.raises(KeyboardInterrupt):
        execute.run(study(), tmp_path)
    assert not checkpoints.read(tmp_path / "resumed" / "checkpoints")


@pytest.mark.parametrize("looks", [2, 3, 4])
def test_whenever_a_stop_is_requested_finished_periods_are_kept(tmp_path, monkeypatch, looks):
    class Stop:
        left = looks

        @property
        def is_requested(self):
            self.left -= 1
            return self.left < 0

        raise_if_requested = stop_signals.StopRequest.raise_if_requested

    advanced, advance = [], execute.progress.Bar.advance
    monkeypatch.setattr(stop_signals, "watched", lambda say: contextlib.nullcontext(Stop()))
    monkeypatch.setattr(execute.progress.Bar, "advance", lambda *given: advanced.append(advance(*given)))
    with pytest.raises(KeyboardInterrupt):
        execute.run(study(), tmp_path)
    steps = [found.step for found in checkpoints.read(tmp_path / "resumed" / "checkpoints")]
    assert steps == [200 * len(advanced)]


def test_a_request_to_stop_is_answered_by_another_thread():
    said, speakers = threading.Event(), []
    with stop_signals.watched(lambda text: (speakers.append(threading.current_thread()), said.set())) as stop:
        os.kill(os.getpid(), signal.SIGINT)
        assert said.wait(10)
    assert stop.is_requested
    assert len(speakers) == 1
    assert speakers[0] is not threading.main_thread()
    assert signal.set_wakeup_fd(-1) == -1


def test_without_memory_for_a_checkpoint_training_continues(tmp_path, monkeypatch, uninterrupted, capsys):
    make = program.make

    def failing(*arguments, **named):
        def save(states):
            raise MemoryError("no memory")

        return make(*arguments, **named)._replace(save=save)

    monkeypatch.setattr(program, "make", failing)
    assert execute.run(study(), tmp_path, checkpoint_seconds=0).num_failed == 0
    assert results(tmp_path / "resumed") == uninterrupted
    assert "no checkpoint could be written: no memory" in capsys.readouterr().err


def test_more_seeds_leave_a_checkpoint_of_fewer_as_it_is(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        stopping_after(2, patch)
        with pytest.raises(KeyboardInterrupt):
            execute.run(study(), tmp_path / "cut")
    more = study(seeds=(0, 1, 2, 3))
    begun = starting_steps(monkeypatch)
    execute.run(more, tmp_path / "cut")
    assert sorted(begun) == [0, 0, 400]  # three continue, and one begins
    execute.run(more, tmp_path / "whole")
    assert results(tmp_path / "cut" / "resumed") == results(tmp_path / "whole" / "resumed")


def one_host_run(name):
    algorithms = {"DQN": dataclasses.replace(SMALL, network=QNetwork(Dense((16,))))}
    games = (f"gymnasium:tests.helpers.host_games:{name}-v0",)
    return study(games=games, algorithms=algorithms, seeds=(0,), steps=600, weights_of=())


def host_study():
    return study(games=("gymnasium:CartPole-v1",), seeds=(0, 1))


@pytest.fixture(scope="module")
def uninterrupted_host(tmp_path_factory):
    folder = tmp_path_factory.mktemp("uninterrupted_host")
    execute.run(host_study(), folder)
    return results(folder / "resumed")


def test_games_in_python_go_on_where_they_were(tmp_path, monkeypatch, uninterrupted_host):
    for periods in (1, 2, 5):  # the third time in the second group
        with monkeypatch.context() as patch:
            stopping_after(periods, patch)
            with pytest.raises(KeyboardInterrupt):
                execute.run(host_study(), tmp_path)
        assert len(checkpoints.read(tmp_path / "resumed" / "checkpoints")) == 1
    execute.run(host_study(), tmp_path)
    assert results(tmp_path / "resumed") == uninterrupted_host


def test_a_game_that_cannot_be_brought_back_begins_new_episodes_and_its_record_says_so(tmp_path, monkeypatch):
    entropic = study(games=("gymnasium:tests.helpers.host_games:RandomObservation-v0",), seeds=(0,), weights_of=())
    stopping_after(2, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        execute.run(entropic, tmp_path)
    monkeypatch.undo()
    execute.run(entropic, tmp_path)
    runs = store.read(tmp_path / "resumed" / "runs").runs
    assert [run.facts.get("new_episodes_at") for run in runs if run.facts["algorithm"] == "DQN"] == [[400]]
    assert [run.facts.get("new_episodes_at") for run in runs if run.facts["algorithm"] == "Polyak"] == [None]


@pytest.mark.parametrize("name", ["RandomReward", "FailsAfterReset"])
def test_a_game_that_shows_the_same_but_goes_another_way_begins_new_episodes(tmp_path, monkeypatch, name):
    other = study(
        games=(f"gymnasium:tests.helpers.host_games:{name}-v0",),
        seeds=(0,),
        algorithms={"DQN": dataclasses.replace(SMALL, network=QNetwork(Dense((16,)), frames=2))},
        steps=400,
        weights_of=(),
    )
    stopping_after(1, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        execute.run(other, tmp_path)
    monkeypatch.undo()
    execute.run(other, tmp_path)
    (run,) = store.read(tmp_path / "resumed" / "runs").runs
    assert run.facts.get("new_episodes_at") == [200]


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_game_that_saves_its_state_goes_on_although_no_seed_determines_it(tmp_path, monkeypatch, asynchronous):
    secret = one_host_run("Saves")
    assert spec.game(secret.games[0]).saves_state
    stopping_after(1, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        execute.run(secret, tmp_path, asynchronous=asynchronous)
    monkeypatch.undo()
    execute.run(secret, tmp_path, asynchronous=asynchronous)
    (run,) = store.read(tmp_path / "resumed" / "runs").runs
    assert "new_episodes_at" not in run.facts
    assert (store.attachment(run, "episodes")["episode_return"][:10] > 0).all()


def test_a_run_whose_environment_failed_goes_on_from_its_checkpoint(tmp_path, monkeypatch, capsys):
    flaky, link = one_host_run("Flaky"), tmp_path / "link"
    monkeypatch.setenv("JAXDQN_TEST_LINK", str(link))
    folder = tmp_path / "resumed"
    report = execute.run(flaky, tmp_path, checkpoint_seconds=0)
    assert (report.num_written, report.num_failed) == (0, 1)
    (kept,) = checkpoints.read(folder / "checkpoints")
    assert kept.step > 0
    link.touch()
    assert execute.run(flaky, tmp_path).num_written == 0
    begun = starting_steps(monkeypatch)
    assert execute.run(flaky, tmp_path, retry_failed=True).num_written == 1
    assert begun == [kept.step]
    assert not (folder / "checkpoints").exists()
    assert "the last call began" not in capsys.readouterr().err
    execute.run(flaky, tmp_path / "whole")
    assert results(folder) == results(tmp_path / "whole" / "resumed")


def test_new_episodes_begin_where_earlier_steps_cannot_be_taken_again_in_time(tmp_path, monkeypatch, capsys):
    counter = one_host_run("Counter")
    stopping_after(2, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        execute.run(counter, tmp_path)
    monkeypatch.undo()
    monkeypatch.setattr(run_group, "_FEWEST_SECONDS", 0.0)
    execute.run(counter, tmp_path, checkpoint_seconds=0)
    (run,) = store.read(tmp_path / "resumed" / "runs").runs
    assert run.facts["new_episodes_at"] == [400]
    said = " ".join(capsys.readouterr().err.split())
    assert "Counter-v0, seed 0: 0 of " in said
    assert "earlier steps are taken again in 0 s, of at most 0 s" in said
    assert "Counter-v0, seed 0: new episodes begin at step 400; the environments are not where they were" in said


def test_earlier_steps_are_taken_again_in_order_with_notes_until_the_time_is_over(monkeypatch):
    clock, notes, taken = iter([0.0, 1.0, 3.0, 5.0, 34.0, 61.0]), [], []
    monkeypatch.setattr(host_checkpoint.time, "monotonic", lambda: next(clock))
    restoring = host_checkpoint.Restoring(60.0, notes.append)
    with pytest.raises(TimeoutError):
        taken.extend(host_checkpoint._in_time(np.arange(5), restoring, "game"))
    assert taken == [0, 1, 2, 3]
    assert notes == [
        f"game: {number} of 5 earlier steps are taken again in {seconds} s, of at most 60 s"
        for number, seconds in ((1, 3), (3, 34), (4, 61))
    ]


def test_earlier_steps_are_given_up_at_once_if_they_are_clearly_too_slow(monkeypatch):
    clock, notes, taken = iter([0.0, 0.5, 1.0, 3.0]), [], []
    monkeypatch.setattr(host_checkpoint.time, "monotonic", lambda: next(clock))
    with pytest.raises(TimeoutError):
        taken.extend(host_checkpoint._in_time(np.arange(50), host_checkpoint.Restoring(40.0, notes.append), "game"))
    assert taken == [0, 1]  # 2 steps in 3 s: 50 would take 75 s
    assert notes == ["game: 2 of 50 earlier steps are taken again in 3 s, of at most 40 s"]


def test_a_call_that_begins_where_the_last_one_began_says_so(tmp_path, capsys):
    begun, folder = one_host_run("Counter"), tmp_path / "resumed" / "checkpoints"
    ids = [cell.id for cell in spec.cells(begun)]
    folder.mkdir(parents=True)
    assert [checkpoints.begin(folder, ids, step) for step in (0, 0, 200, 200, 0)] == [False, True, False, True, False]
    execute.run(begun, tmp_path)
    said = " ".join(capsys.readouterr().err.split())
    assert (
        "the last call began 1 run at step 0, too, and was ended before the next checkpoint, which follows an "
        "evaluation: give it more time" in said
    )
    assert not folder.exists()
    for path in (tmp_path / "resumed" / "runs").iterdir():
        path.unlink()
    execute.run(begun, tmp_path)
    assert "the last call began" not in capsys.readouterr().err


def test_an_error_is_recorded_with_its_traceback_and_tried_again_only_on_request(tmp_path, monkeypatch):
    make = program.make

    def failing(config, *arguments, **named):
        if config.n_step == 3:
            raise RuntimeError("out of memory, say")
        return make(config, *arguments, **named)

    monkeypatch.setattr(program, "make", failing)
    report = execute.run(study(), tmp_path)
    assert (report.num_written, report.num_failed) == (3, 3)
    found = failures.read(tmp_path / "resumed" / "failures")
    assert [failure.reason for failure in found] == ["RuntimeError: out of memory, say"] * 3
    assert {failure.about["algorithm"] for failure in found} == {"Polyak"}
    assert "test_resume.py" in found[0].traceback
    monkeypatch.undo()
    report = execute.run(study(), tmp_path)
    assert (report.num_written, report.num_skipped, report.num_failed) == (0, 3, 3)
    report = execute.run(study(), tmp_path, retry_failed=True)
    assert (report.num_written, report.num_skipped, report.num_failed) == (3, 3, 0)


def test_what_cannot_be_compiled_is_tried_once_and_an_error_of_a_wave_fails_no_other_wave(tmp_path, monkeypatch):
    one = study(algorithms={"DQN": SMALL})
    room = 1.5 * device_layout.size(SMALL, games.make(one.games[0])).total  # so that each of three waves has one run
    tries, train = [], run_group._train

    def without_a_compiler(*arguments, **named):
        tries.append("make")
        raise RuntimeError("no compiler, say")

    def failing_first(*arguments):
        tries.append("train")
        if tries == ["train"]:
            raise RuntimeError("the device is lost, say")
        return train(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(program, "make", without_a_compiler)
        assert execute.run(one, tmp_path / "a", memory=room).num_failed == 3
    assert tries == ["make"]
    tries.clear()
    monkeypatch.setattr(run_group, "_train", failing_first)
    report = execute.run(one, tmp_path / "b", memory=room)
    assert (report.num_written, report.num_failed, tries) == (2, 1, ["train"] * 3)


def test_what_failed_is_tried_again_from_its_checkpoint_though_other_waves_have_ended_since(
    tmp_path, monkeypatch, uninterrupted
):
    train = run_group._train

    def failing(context, cells, *rest):
        if {cell.algorithm for cell in cells} != {"DQN"}:
            return train(context, cells, *rest)
        with monkeypatch.context() as patched:
            stopping_after(3, patched)
            with contextlib.suppress(KeyboardInterrupt):
                train(context, cells, *rest)
        context.stop.is_requested = False
        raise RuntimeError("the device is lost, say")

    monkeypatch.setattr(run_group, "_train", failing)
    assert execute.run(study(), tmp_path).num_failed == 3
    monkeypatch.undo()
    (found,) = checkpoints.read(tmp_path / "resumed" / "checkpoints")
    assert found.step == 600
    assert execute.run(study(), tmp_path, retry_failed=True).num_written == 3
    assert results(tmp_path / "resumed") == uninterrupted
    assert checkpoints.read(tmp_path / "resumed" / "checkpoints") == ()


def test_of_two_checkpoints_with_a_run_the_one_that_came_further_is_taken_up(tmp_path):
    checkpoints.write(tmp_path, snapshot_of("abc"))
    checkpoints.write(tmp_path, snapshot_of("ab", step=400))
    assert [found.step for found in checkpoints.read(tmp_path)] == [400, 200]


def test_a_run_too_large_for_the_memory_fails_and_the_others_continue(tmp_path):
    sizes = [device_layout.size(cell.config, spec.game(cell.game)).total for cell in spec.cells(study())]
    report = execute.run(study(), tmp_path, memory=(min(sizes) + max(sizes)) / 2)
    assert (report.num_written, report.num_failed) == (3, 3)
    assert {"allow more" in found.reason for found in failures.read(tmp_path / "resumed" / "failures")} == {True}


def test_cells_that_are_none_of_the_study_are_refused(tmp_path):
    with pytest.raises(ValueError, match="'0123' is no cell of this study"):
        execute.run(study(), tmp_path, only=["0123"])


def test_a_run_whose_environment_failed_stays_failed_and_keeps_its_checkpoint_until_it_is_run_again(tmp_path):
    failing = study(
        games=("gymnasium:tests.helpers.host_games:Crash-v0",), seeds=(1,), algorithms={"DQN": SMALL}, steps=400
    )
    report = execute.run(failing, tmp_path, checkpoint_seconds=0)
    assert (report.num_written, report.num_failed) == (0, 1)
    assert execute.run(failing, tmp_path).failed == report.failed
    assert [found.step for found in checkpoints.read(tmp_path / "resumed" / "checkpoints")] == [200]
    assert execute.run(failing, tmp_path).num_compilations == 0
    again = execute.run(failing, tmp_path, retry_failed=True)
    assert (again.num_written, again.num_failed, again.num_compilations) == (0, 1, 1)


def test_who_was_silent_for_long_leaves_its_runs_to_the_one_that_took_them(
    tmp_path, monkeypatch, capsys, uninterrupted
):
    looks = iter((True, True, False))
    monkeypatch.setattr(execute.Claims, "holds", lambda claims, cells: next(looks, True))
    assert execute.run(study(), tmp_path).num_failed == 0
    assert "3 runs are left to another process" in " ".join(capsys.readouterr().err.split())
    assert results(tmp_path / "resumed") == uninterrupted


def test_two_processes_on_one_study_share_its_cells(tmp_path, uninterrupted):
    code = (
        "import sys; from tests import conftest; from tests.study import test_resume\n"
        "from jaxdqn.study import execute\n"
        "print(execute.run(test_resume.study(), sys.argv[1]).num_written)"
    )
    command = [sys.executable, "-c", code, tmp_path]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) for _ in range(2)]
    written = [int(process.communicate()[0]) for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert sum(written) == 6
    assert results(tmp_path / "resumed") == uninterrupted


def test_a_full_disk_ends_the_study_and_the_next_call_continues_it(tmp_path, uninterrupted):
    mounted = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    if not shutil.which("unshare") or subprocess.run([*mounted, "mount -t tmpfs none /mnt"], check=False).returncode:
        pytest.skip("needs to mount a file system of its own")
    code = (
        "import sys; from tests import conftest; from tests.study import test_resume\n"
        "from jaxdqn.commands import run_study, script\n"
        "options = run_study.RunOptions(checkpoint_seconds=0.0)\n"
        "script.run_and_show(test_resume.study(), script.pathlib.Path(sys.argv[1]), None, options=options)"
    )
    out, kept = tmp_path / "out", tmp_path / "kept"
    out.mkdir()
    # 60 KB hold the first few results and no more.
    run = (
        f"mount -t tmpfs -o size=60k none {out} && {sys.executable} -c '{code}' {out};"
        f" status=$?; cp -a {out} {kept}; exit $status"
    )
    done = subprocess.run([*mounted, run], check=False, capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    assert re.search("error: .*no space left on device: free some space", done.stderr)
    assert "run the same command to continue" in done.stderr
    assert "Traceback" not in done.stderr
    stored = len(store.read(kept / "resumed" / "runs").runs)
    assert stored < 6
    report = execute.run(study(), kept)
    assert (report.num_skipped, report.num_written) == (stored, 6 - stored)
    assert results(kept / "resumed") == uninterrupted


@pytest.mark.equal_bits
def test_members_are_spread_over_many_devices(tmp_path, uninterrupted):
    code = (
        "import sys, jax; from tests import conftest; from tests.study import test_resume\n"
        "from jaxdqn.study import execute\n"
        "jax.config.update('jax_num_cpu_devices', 8); execute.run(test_resume.study(), sys.argv[1])\n"
        "print(len(jax.devices()))"
    )
    command = [sys.executable, "-c", code, tmp_path]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["8"]
    found = results(tmp_path / "resumed")
    assert found == uninterrupted


def test_without_room_for_a_checkpoint_training_continues(tmp_path, monkeypatch, uninterrupted, capsys):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoints.checkpoint, "save", full)
    execute.run(study(), tmp_path, checkpoint_seconds=0)
    assert results(tmp_path / "resumed") == uninterrupted
    assert "no checkpoint could be written: [Errno 28] No space left on device" in capsys.readouterr().err
