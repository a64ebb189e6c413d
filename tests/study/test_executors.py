"""A study that is run elsewhere ends with the same bytes as one that is run here."""

import argparse
import contextlib
import dataclasses
import functools
import os
import pathlib
import pickle
import signal
import socket
import sys
import threading
import time

import jax
import pytest

from jaxdqn import games
from jaxdqn.commands import options, run_study, script
from jaxdqn.store import claims, failures, store
from jaxdqn.store.record import DamagedResult
from jaxdqn.study import checkpoints, execute, plan, provenance, spec
from jaxdqn.study.executors import driver, on_ray, on_slurm, tasks, work
from jaxdqn.study.executors.driver import Unfinished
from jaxdqn.study.executors.tasks import Needs, Resources
from jaxdqn.study.spec import Study
from jaxdqn.training import cpu_cores, device_layout, devices
from jaxdqn.training.evaluate import Evaluation
from tests.helpers.runs import SMALL, results

pytestmark = pytest.mark.usefixtures("compiled_once")

STUDY = Study(
    name="elsewhere",
    games=("catch",),
    algorithms={"DQN": SMALL, "3 steps": dataclasses.replace(SMALL, n_step=3)},
    seeds=(0, 1, 2),
    steps=3_000,
    evaluation=Evaluation(every=200, episodes=2),
    weights_of=(1,),
)


@pytest.fixture(autouse=True)
def ray_workers_do_not_give_way(monkeypatch):
    """Ray's workers have a low priority, so they would hardly run beside other tests."""
    monkeypatch.setenv("RAY_worker_niceness", "0")


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """Returns the folder of the study, run here."""
    execute.run(STUDY, out := tmp_path_factory.mktemp("here"))
    return out / "elsewhere"


def parts(study, slots, **changes):
    named = {"cpus": 1, "gpus": 0} | changes
    return tasks.split(plan.plan(study), slots, **named)


@pytest.mark.parametrize(
    ("num_seeds", "slots", "named", "sizes"),
    [
        (3, 2, {}, [3, 3]),
        (3, 4, {}, [1, 2, 1, 2]),
        (3, 100, {}, [1, 1, 1, 1, 1, 1]),
        (12, 2, {}, [4, 4, 4, 4, 4, 4]),  # no more than a wave on a core
        (12, None, {}, [4, 4, 4, 4, 4, 4]),
        (12, 1, {"cpus": 2}, [6, 6, 6, 6]),
        (12, 2, {"gpus": 1}, [12, 12]),
        (12, 4, {"gpus": 1}, [6, 6, 6, 6]),
        (12, None, {"gpus": 1}, [12, 12]),
        (3, 0, {}, [3, 3]),  # no machine has what a task needs: that is said when they are handed out
    ],
)
def test_a_study_falls_into_tasks_of_one_program_each_that_fill_the_slots(num_seeds, slots, named, sizes):
    study = dataclasses.replace(STUDY, seeds=range(num_seeds), weights_of=())
    found = parts(study, slots, **named)
    assert [len(task.cells) for task in found] == sizes
    cells = spec.by_identifier(study)
    assert [id for task in found for id in task.cells] == list(cells)
    assert all(len({cells[id].algorithm for id in task.cells}) == 1 for task in found)


def test_a_task_needs_the_memory_of_its_runs_twice_and_that_of_a_process():
    of_a_run = device_layout.size(SMALL, games.make("catch")).total
    assert parts(STUDY, 2)[0].needs == (1, 0, 2**30 + 2 * 3 * of_a_run)
    assert parts(STUDY, 2, cpus=2, gpus=1, memory=10.0**9)[0].needs == (2, 1, 2**30 + 2 * 10**9)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system keeps no process to its cores")
def test_tasks_on_a_machine_have_cores_of_their_own(monkeypatch, tmp_path):
    monkeypatch.setattr(cpu_cores.tempfile, "gettempdir", lambda: str(tmp_path))
    before = devices.cores()

    with cpu_cores.kept_to(1, "task"):
        first = devices.cores()
        with cpu_cores.kept_to(1, "run"):  # of that task
            assert devices.cores() == first
        os.sched_setaffinity(0, before)  # as another process has it
        with cpu_cores.kept_to(1, "task"):
            second = devices.cores()
        with cpu_cores.kept_to(len(before), "task"):
            assert devices.cores() == before  # too few are free: some are shared
    assert devices.cores() == before
    assert (len(first), len(second)) == (1, 1)
    assert len(before) == 1 or first != second


def test_records_from_elsewhere_are_taken_whole_or_not_at_all(tmp_path, here):
    id = spec.cells(STUDY)[1].id
    contents = {path.name: path.read_bytes() for path in (here / "runs").glob(f"{id}*")}
    assert len(contents) == 3
    for name in contents:
        without = {other: content for other, content in contents.items() if other != name}
        for damaged in (without, without | {name: contents[name][:-20]}):
            with pytest.raises(DamagedResult):
                store.adopt(tmp_path, id, damaged)
    with pytest.raises(DamagedResult):
        store.adopt(tmp_path, "0" * 16, contents | {"0" * 16 + ".json": contents[f"{id}.json"]})
    assert not list(tmp_path.iterdir())
    store.adopt(tmp_path, id, contents)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == contents
    with pytest.raises(store.CompleteAlready):
        store.adopt(tmp_path, id, contents)


@pytest.mark.equal_bits
@pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <_io.FileIO name=.*DEBUG:pytest.PytestUnraisableExceptionWarning"
)
@pytest.mark.parametrize("cluster", ["debug", "local"])
def test_on_slurm_results_are_those_of_a_run_here(tmp_path, here, cluster):
    run = functools.partial(on_slurm.run, STUDY, tmp_path, cluster=cluster, resources=Resources(tasks=2))
    report = run()
    assert (report.num_written, report.num_skipped, report.num_failed) == (6, 0, 0)
    folder = tmp_path / "elsewhere"
    assert results(folder) == results(here)
    assert list((folder / "slurm").iterdir())
    assert not (folder / "claims").exists()
    assert run().num_skipped == 6


@pytest.mark.parametrize("settings", [{}, {"mem-per-cpu": "2G", "time": "30", "partition": "long"}])
def test_slurm_is_given_one_array_of_all_tasks_and_what_they_need(tmp_path, monkeypatch, settings):
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("srun", "sbatch"):
        (programs / name).write_text("#!/bin/sh\necho Submitted batch job 7\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(programs), prepend=os.pathsep)
    found = parts(STUDY, 4, cpus=2, gpus=1)
    requests = [work.TaskRequest(task, b"", (), "", {}, "", {}) for task in found]
    with on_slurm.opened(tmp_path, "elsewhere", settings, "slurm") as pool:
        pool.submit(requests)
    script = min(tmp_path.glob("slurm/*.sh"))  # submitit keeps a copy for each job of the array
    lines = set(script.read_text().splitlines())
    expected = {
        "--array=0-3%4",
        "--job-name=elsewhere",
        "--cpus-per-task=2",
        "--gpus-per-node=1",
        "--signal=USR2@90",
        f"--time={settings.get('time', 240)}",
        *(f"--{key}={value}" for key, value in settings.items()),
    }
    assert {f"#SBATCH {option}" for option in expected} <= lines
    assert any(line.startswith("#SBATCH --mem=") for line in lines) == (not settings)


def test_where_there_is_no_slurm_it_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Unfinished, match="this machine knows no Slurm"):
        on_slurm.run(STUDY, tmp_path)
    with pytest.raises(Unfinished, match=r"time .minutes. and array-parallelism as whole numbers"):
        on_slurm.run(STUDY, tmp_path, settings={"time": "1:00:00"})


def when(condition, act):
    """Acts once a condition holds, beside what happens meanwhile; returns the thread that waits for it."""

    def watch():
        until = time.monotonic() + 120
        while time.monotonic() < until:
            if found := condition():
                act(found)
                return
            time.sleep(0.02)

    thread = threading.Thread(target=watch)
    thread.start()
    return thread


def begun(folder):
    return [found for found in checkpoints.read(folder / "checkpoints") if found.step >= 400]


def test_a_preempted_job_leaves_a_checkpoint_and_asks_to_be_run_again(tmp_path, here, monkeypatch):
    folder = tmp_path / "elsewhere"
    steps = []

    # As submitit does it: a handler of the signal that ends the process and has the job's call made again.
    class Again(SystemExit):
        pass

    def queue_again(number, frame):
        steps.extend(found.step for found in checkpoints.read(folder / "checkpoints"))
        raise Again

    before = signal.signal(signal.SIGUSR2, queue_again)
    try:
        task = tasks.Task(tuple(cell.id for cell in spec.cells(STUDY)[:3]), Needs(1, 0, 10**9))
        (folder / "claims").mkdir(parents=True)
        token = work.token_of(folder, "t")
        token.write_text("t")
        request = work.TaskRequest(task, pickle.dumps(STUDY), (), str(tmp_path), {}, "t", {"checkpoint_seconds": 0.0})
        watcher = when(lambda: begun(folder), lambda _: os.kill(os.getpid(), signal.SIGUSR2))
        with pytest.raises(Again):
            on_slurm.Job()(request)
        watcher.join()
        assert signal.getsignal(signal.SIGUSR2) is queue_again
        assert steps
        assert 400 <= steps[0] < STUDY.steps
        again = on_slurm.Job().checkpoint(request)
        assert again.function(*again.args).report.num_written == 3
    finally:
        signal.signal(signal.SIGUSR2, before)
    execute.run(STUDY, tmp_path)
    assert results(folder) == results(here)


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="there is an accelerator")
def test_a_task_has_the_switches_of_the_driver_and_the_gpus_that_were_demanded(tmp_path, monkeypatch):
    applied = []
    monkeypatch.setattr(work.devices, "set_switches", applied.append)
    task, switches = tasks.Task((), Needs(1, 1, 10**9)), {"jax_default_matmul_precision": "highest"}
    request = work.TaskRequest(task, pickle.dumps(STUDY), (), str(tmp_path), switches, "t", {})
    with pytest.raises(RuntimeError, match="JAX finds no GPU of this task"):
        work.work(request)
    assert applied == [switches]


def test_on_ray_where_no_node_sees_the_folder_results_travel_back(tmp_path, here):
    report = on_ray.run(STUDY, tmp_path, resources=Resources(tasks=2), sees=lambda folder, token: False)
    assert (report.num_written, report.num_skipped, report.num_failed, report.num_compilations) == (6, 0, 0, 2)
    assert results(tmp_path / "elsewhere") == results(here)
    assert not (tmp_path / "elsewhere" / "claims").exists()


def test_on_ray_after_a_request_to_stop_it_leaves_checkpoints_to_go_on_from(tmp_path, here):
    folder = tmp_path / "elsewhere"
    watcher = when(lambda: begun(folder), lambda _: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        on_ray.run(STUDY, tmp_path, checkpoint_seconds=0)
    watcher.join()
    assert begun(folder)
    assert not (folder / "claims").exists()
    execute.run(STUDY, tmp_path)
    assert results(folder) == results(here)


@pytest.mark.filterwarnings("ignore:Exception ignored in. <function _at_fork:pytest.PytestUnraisableExceptionWarning")
def test_on_ray_a_node_that_is_killed_loses_nothing_and_nothing_is_done_twice(tmp_path, here, monkeypatch):
    folder = tmp_path / "elsewhere"
    outcomes, take, lost = [], driver._take, []
    monkeypatch.setattr(driver, "_take", lambda *given: (outcomes.append(given[1]), take(*given)))
    with two_nodes() as (cluster, second):
        raylet = second.all_processes["raylet"][0].process.pid

        def under_way():
            held = [holder for holder in claims.holders(folder / "claims") if parent(holder.pid) == raylet]
            cells = {id for found in begun(folder) for id in found.ids}
            return [holder for holder in held if holder.cells and set(holder.cells) <= cells]

        def kill(holders):
            lost.extend(holders[0].cells)
            os.kill(holders[0].pid, signal.SIGKILL)  # Ray would let it live for a second
            cluster.remove_node(second, allow_graceful=False)

        watcher = when(under_way, kill)
        report = on_ray.run(
            STUDY, tmp_path, address=cluster.address, resources=Resources(tasks=2), checkpoint_seconds=0
        )
        watcher.join()
    assert lost
    assert report.num_written == 6
    written = [outcome.result.report.num_written for outcome in outcomes]
    assert written == [3, 3]  # by those tasks that ended, with nothing that another stored first
    assert results(folder) == results(here)
    assert not list((folder / "claims").glob("*.claim"))
    assert not (folder / "checkpoints").exists()


@contextlib.contextmanager
def two_nodes():
    """Yields a Ray cluster of two nodes with a core each, and the second of them."""
    from ray import cluster_utils

    named = {"num_cpus": 1, "object_store_memory": 80_000_000}
    soon = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 300, "health_check_failure_threshold": 3}
    head = named | {"include_dashboard": False, "_system_config": soon}  # a lost node is known after a second
    cluster = cluster_utils.Cluster(initialize_head=True, head_node_args=head)
    try:
        yield cluster, cluster.add_node(**named)
    finally:
        cluster.shutdown()


def parent(pid):
    """Returns the process that started one, or None where that is over."""
    try:
        return int(pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return None


def test_a_ray_address_that_does_not_answer_is_one_sentence_and_nothing_is_lost(tmp_path, capsys):
    arguments = ["--executor", "ray", "--address", "127.0.0.1:1", "--retry-failed"]
    parser = argparse.ArgumentParser()
    options.add_run_options(parser)
    failures.write(tmp_path / "elsewhere" / "failures", "f" * 16, {}, "an older one")
    with pytest.raises(SystemExit) as ended:
        script.run_and_show(
            STUDY, tmp_path, lambda runs: None, options=run_study.RunOptions.of(parser.parse_args(arguments))
        )
    assert ended.value.code == 1
    assert capsys.readouterr().err == (
        "error: no Ray cluster answers at '127.0.0.1:1': start it, or correct --address. Finished work is stored; "
        "run the same command to continue\n"
    )
    assert failures.read(tmp_path / "elsewhere" / "failures")


def test_something_else_at_the_address_is_no_cluster(tmp_path, monkeypatch):
    monkeypatch.setattr(on_ray, "_ANSWER", 2.0)
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(Unfinished, match="no Ray cluster answers"):
        on_ray.run(STUDY, tmp_path, address=f"127.0.0.1:{other.getsockname()[1]}")


@pytest.mark.parametrize("address", ["cluster", "ray://cluster:10001", ":6379", "cluster:port"])
def test_what_is_no_address_is_refused(tmp_path, address):
    with pytest.raises(Unfinished, match=r"is no address of a Ray cluster: give HOST:PORT, or auto"):
        on_ray.run(STUDY, tmp_path, address=address)


def test_what_no_node_could_ever_take_is_refused():
    nodes = [{"CPU": 4.0, "memory": 8e9}, {"CPU": 2.0, "GPU": 1.0, "memory": 8e9}]
    on_ray._check_room(nodes, [Needs(4, 0, 10**9), Needs(2, 1, 10**9)])
    for needs in (Needs(4, 1, 10**9), Needs(8, 0, 10**9), Needs(1, 0, 10**10)):
        with pytest.raises(Unfinished, match=f"no node of the cluster has {needs.cpus} CPUs, {needs.gpus} GPUs"):
            on_ray._check_room(nodes, [needs])


def test_a_task_gets_the_script_that_runs_the_study(tmp_path, monkeypatch):
    """The process that makes them runs another one."""
    asks = provenance.Script("asks.py", "c0ffee", True)
    monkeypatch.setattr(provenance, "script", lambda: asks)
    handed_out = []

    def submit(requests):
        handed_out.extend(requests)
        raise Unfinished("that is all")

    pool = driver.Pool("nowhere", lambda cpus, gpus: 2, 0, submit, lambda seconds: (), lambda: None)
    with pytest.raises(Unfinished, match="that is all"):
        driver.run(STUDY, tmp_path, lambda folder: contextlib.nullcontext(pool), Resources(tasks=2))
    assert [request.options["script"] for request in handed_out] == [asks, asks]


def test_curves_cannot_be_sent_from_elsewhere(tmp_path):
    with pytest.raises(Unfinished, match="only while a study runs here"):
        on_slurm.run(STUDY, tmp_path, cluster="debug", exporters=["one"])


def test_a_part_that_is_defined_in_the_script_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(type(SMALL.network), "__module__", "__main__")
    with pytest.raises(Unfinished, match="QNetwork of 'DQN' is defined in the script itself"):
        on_slurm.run(STUDY, tmp_path, cluster="debug")


@pytest.mark.parametrize(("run", "needed"), [(on_ray.run, "ray"), (on_slurm.run, "slurm")])
def test_what_is_not_installed_is_named_with_the_command_that_installs_it(tmp_path, monkeypatch, run, needed):
    monkeypatch.setitem(sys.modules, {"ray": "ray", "slurm": "submitit"}[needed], None)
    with pytest.raises(Unfinished, match=rf'pip install "jaxdqn\[{needed}\]"'):
        run(STUDY, tmp_path)


def test_options_choose_who_runs_a_study():
    parser = argparse.ArgumentParser()
    options.add_run_options(parser)

    def chosen(arguments):
        return run_study.RunOptions.of(parser.parse_args(arguments)).run

    assert chosen([]) is execute.run
    ray = ["--executor", "ray", "--address", "auto", "--tasks", "8", "--gpus-per-task", "0"]
    found = chosen(ray)
    assert (found.func, found.keywords) == (on_ray.run, {"address": "auto", "resources": Resources(8, 1, 0)})
    slurm = ["--executor", "slurm", "--slurm", "partition=long", "mem_per_cpu=2G"]
    found = chosen(slurm)
    settings = {"partition": "long", "mem-per-cpu": "2G"}
    assert (found.func, found.keywords) == (on_slurm.run, {"settings": settings, "resources": Resources()})
