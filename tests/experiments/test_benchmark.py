"""The driver of the benchmark: contenders in turn, ratios of their CPU time, and the table of what is compared."""

import contextlib
import inspect
import json
import os
import pathlib
import sys
from unittest import mock

import numpy as np
import pytest

import benchmark
import benchmark_peers
import benchmark_pixels
import benchmark_pixels_jaxdqn
import benchmark_slices
from benchmark_slices import Contender
from jaxdqn.networks.network import QNetwork
from jaxdqn.networks.torsos import NATURE
from jaxdqn.replay.rollout import Rollout
from jaxdqn.training import devices, host_evaluate, host_loop, loop

EXPERIMENTS = pathlib.Path(benchmark_slices.__file__).parent
# A contender whose clock advances by one of `seconds` in each slice, and which writes down that it worked, and where.
SCRIPT = """
import json, os, time
import benchmark_worker

now = 0.0
time.process_time = lambda: now

def contender(name, units, seconds, log):
    global now
    now += 100.0
    left = list(seconds)
    print("this is no answer")
    def work():
        global now
        now += left.pop(0)
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
        with open(log, "a") as file:
            print(json.dumps([name, cores, os.environ.get("XLA_FLAGS"), os.environ.get("OMP_NUM_THREADS")]), file=file)
        return units
    return work

def without_a_module():
    import no_such_module

benchmark_worker.serve({"contender": contender, "without_a_module": without_a_module})
"""


@pytest.fixture
def contender(tmp_path):
    """Returns `(name, units, seconds, **fields) -> Contender`; its log is in `tmp_path`."""
    script = tmp_path / "contenders.py"
    script.write_text(SCRIPT)

    def make(name, units, seconds, **fields):
        arguments = {"name": name, "units": units, "seconds": seconds, "log": str(tmp_path / "log")}
        made = Contender(name, str(script), "contender", arguments, path=str(EXPERIMENTS))
        return made._replace(**fields)

    return make


def test_rates_and_ratios_pair_the_slices_of_a_round(contender):
    ours, theirs = [9.0, 1.0, 2.0, 4.0], [9.0, 4.0, 6.0, 4.0]  # the first slices warm up
    found = benchmark_slices.compare([contender("ours", 10, ours), contender("theirs", 20, theirs)], rounds=3)
    np.testing.assert_allclose(found["ours"]["per_cpu_second"], [3.75, 5.0, 7.5])
    np.testing.assert_allclose(found["theirs"]["per_cpu_second"], [25 / 6, 5.0, 5.0])
    # 10/5, 5/(10/3) and 2.5/5; the ratio of the medians would be 1.
    np.testing.assert_allclose(found["theirs"]["times"], [1.0, 1.5, 1.75])
    assert "times" not in found["ours"]
    assert found["ours"]["built"]["cpu_seconds"] == 100.0
    assert found["ours"]["built"]["versions"]["jax"]
    assert len(found["ours"]["per_wall_second"]) == 3


def test_contenders_work_in_turn_on_one_core_with_one_thread(contender, tmp_path, monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    benchmark_slices.compare([contender("a", 1, [1.0] * 3), contender("b", 1, [1.0] * 3)], rounds=2)
    with benchmark_slices.running(contender("free", 1, [1.0], has_all_cores=True)) as live:
        live.work()
    *limited, free = (tmp_path / "log").read_text().splitlines()
    threads = '1, "--xla_cpu_multi_thread_eigen=false", "1"]'
    assert limited == [f'["{name}", {threads}' for name in "ababab"]
    assert free == f'["free", {len(os.sched_getaffinity(0))}, "", null]'


def test_a_missing_peer_is_one_sentence(contender):
    first, peers = (
        contender("a", 1, [1.0] * 3),
        [
            contender("no environment", 1, [], python=None),
            contender("no module", 1, [], function="without_a_module", arguments={}),
        ],
    )
    found = benchmark_slices.compare([first, *peers], rounds=2)
    assert found["no environment"] == {
        "missing": "no environment is missing: no environment or folder that has it was named."
    }
    assert found["no module"] == {"missing": "no module is missing: No module named 'no_such_module'."}
    with pytest.raises(benchmark_slices.Missing, match="no_such_module"):
        benchmark_slices.compare(peers[::-1], rounds=2)


def test_a_contender_that_fails_stops_the_benchmark_with_its_error(contender):
    with pytest.raises(RuntimeError, match=r"(?s)^b failed in contender:\n.*IndexError: pop from empty list"):
        benchmark_slices.compare([contender("a", 1, [1.0] * 3), contender("b", 1, [1.0])], rounds=2)


def result(median, times=None):
    found = {"per_cpu_second": [median - 1, median, median + 1]}
    return found if times is None else found | {"times": [times - 1, times, times + 1]}


def test_an_aim_is_met_if_the_median_reaches_it(capsys):
    contenders = {
        "jaxdqn": result(10.0),
        "a": result(5.0, 2.0),
        "b": result(5.0, 1.9),
        "c": {"missing": "c is missing."},
    }
    row = benchmark_pixels.Row("task", "steps", (Contender("jaxdqn", "", "", {}),), dict.fromkeys("abc", 2.0), 10.0)
    found = benchmark_pixels.judged(row, contenders)
    assert found["aims"] == {"a": 2.0, "b": 2.0, "c": 2.0, "jaxdqn": 10.0}
    assert found["met"] == {"a": True, "b": False, "c": None, "jaxdqn": True}
    assert not benchmark_pixels.judged(row._replace(at_least=10.1), contenders)["met"]["jaxdqn"]
    benchmark_pixels.show([found])
    shown = capsys.readouterr().out
    assert shown.count("missed") == 1
    assert "c is missing." in shown


def all_rows(peers=pathlib.Path("python"), purejaxql=pathlib.Path("code")):
    return [row for rows in benchmark_pixels.rows(peers, purejaxql).values() for row in rows]


def test_every_row_calls_a_contender_with_arguments_that_it_takes():
    tables = {module.__name__ + ".py": module.CONTENDERS for module in (benchmark_pixels_jaxdqn, benchmark_peers)}
    for row in all_rows():
        for contender in row.contenders:
            inspect.signature(tables[contender.script][contender.function]).bind(**contender.arguments)
        names = [contender.name for contender in row.contenders]
        assert names[0] == "jaxdqn"
        assert list(row.times) == names[1:]


def test_peers_run_in_their_own_environment(tmp_path):
    peers = {
        contender.name: (contender.python, contender.path)
        for row in all_rows()
        for contender in row.contenders[1:]
        if contender.script == benchmark_pixels.PEERS_SCRIPT
    }
    python = str(pathlib.Path("python").absolute())
    without_code = ("rejax", "sbx", "stable-baselines3")
    assert peers == dict.fromkeys(without_code, (python, None)) | {
        "purejaxql": (python, str(pathlib.Path("code").absolute()))
    }
    assert all(contender.python == sys.executable for row in all_rows() for contender in row.contenders[:1])
    purejaxql, *others = [row.contenders[1] for row in all_rows(purejaxql=None) if row.times][:3]
    assert purejaxql.python is None
    assert others[0].python == python
    missing = [row.contenders[1].name for row in all_rows(None) if row.times and row.contenders[1].python is None]
    assert missing == ["purejaxql", "rejax", "sbx"]


@pytest.mark.parametrize(
    ("function", "arguments", "units"),
    [
        ("game_alone", {"game": "minatar_breakout", "num_environments": 2, "steps": 3}, 6),
        ("emulator", {"game": benchmark_pixels.PONG, "num_environments": 2, "steps": 3}, 6),
        ("emulator", {"game": benchmark_pixels.CARTPOLE, "num_environments": 2, "steps": 3}, 6),
        ("gymnasium_vector", {"game": benchmark_pixels.CARTPOLE, "num_environments": 2, "steps": 3}, 6),
        ("sgemm", {"size": 100, "repeats": 5}, 0.01),
    ],
)
def test_a_slice_returns_its_units_of_work(function, arguments, units):
    work = benchmark_pixels_jaxdqn.CONTENDERS[function](**arguments)
    assert [work(), work()] == pytest.approx([units, units])


def test_training_on_minatar_has_the_settings_of_the_family_and_no_evaluation(monkeypatch):
    compiled, steps = mock.Mock(), []

    def program(config, game, every):
        assert (game, every) == ("minatar_breakout", 4_096)
        assert isinstance(loop.evaluate, mock.Mock)
        compiled.init.return_value = config
        return compiled

    compiled.advance.side_effect = lambda config, step: (config, steps.append(step))
    monkeypatch.setattr(benchmark_pixels_jaxdqn, "_program", program)
    first, dqn, *_ = all_rows()
    assert benchmark_pixels_jaxdqn.minatar(**first.contenders[0].arguments)() == 4_096
    assert steps == [0]
    ((config,), seeds), _ = compiled.init.call_args
    assert seeds == [0]
    assert isinstance(config.replay, Rollout)
    assert (config.num_environments, config.train_every, config.num_minibatches, config.num_updates) == (
        128,
        4_096,
        32,
        2,
    )
    benchmark_pixels_jaxdqn.minatar(**dqn.contenders[0].arguments | {"steps": 4_096})
    ((config,), _), _ = compiled.init.call_args
    assert (config.replay.capacity, config.learning_starts, config.batch_size) == (10_000, 256, 32)


def test_training_on_pong_has_the_settings_of_the_row_and_no_evaluation(monkeypatch):
    def init(config, seed, **others):
        assert config.network == QNetwork(NATURE, frames=4)
        assert (config.batch_size, config.train_every, config.learning_starts) == (32, 4, 40)
        assert (config.num_environments, config.replay.capacity, config.reward_clip) == (1, 10_000, 1.0)
        assert seed == 0
        return mock.Mock(state=mock.Mock(step=0))

    def advance(run, *, game, programs, evaluation):
        assert isinstance(host_evaluate.evaluate, mock.Mock)
        assert game.name == benchmark_pixels.PONG
        run.state.step += evaluation.every
        steps.append(run.state.step)
        return run, None

    steps = []
    monkeypatch.setattr(host_loop, "init", init)
    monkeypatch.setattr(host_loop, "advance", advance)
    monkeypatch.setattr(devices, "compute_in_this_thread", lambda: None)
    (row,) = [row for row in all_rows() if row.name == "DQN on Pong"]
    assert benchmark_pixels_jaxdqn.atari_dqn(**row.contenders[0].arguments)() == 12
    assert steps == [12, 24, 36, 48, 60]  # it learns from step 41 on, and the last of these is the slice


def test_compilation_is_the_median_of_new_processes_with_all_cores(monkeypatch, capsys):
    times = iter([(9.0, 19.0), (1.0, 21.0), (2.0, 20.0), (8.0, 30.0), (9.0, 31.0), (7.0, 2.0)])

    @contextlib.contextmanager
    def running(contender):
        assert contender.has_all_cores
        asked.append(contender.arguments)
        yield mock.Mock(built=dict(zip(("cpu_seconds", "wall_seconds"), next(times), strict=True)))

    asked = []
    monkeypatch.setattr(benchmark_slices, "running", running)
    found = benchmark_pixels.measure_compilation(benchmark_pixels.PROGRAMS[:2], repeats=3)
    assert [(one["cpu_seconds"], one["wall_seconds"], one["met"]) for one in found] == [
        (2.0, 20.0, True),
        (8.0, 30.0, False),
    ]
    assert asked == [{"algorithm": name, "game": "minatar_breakout"} for name in ("pqn", "dqn") for _ in range(3)]
    benchmark_pixels.show_compilation(found)
    assert "dqn on minatar_breakout: 30.0 s" in capsys.readouterr().out


@pytest.mark.parametrize("option", ["--peers", "--purejaxql"])
def test_a_path_that_does_not_exist_is_an_error_of_one_sentence(option, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["benchmark.py", option, "no/such/path"])
    with pytest.raises(SystemExit):
        benchmark.main()
    assert capsys.readouterr().err.endswith("error: no/such/path does not exist.\n")


def test_only_the_parts_that_are_named_are_measured(tmp_path, monkeypatch, capsys):
    part = benchmark.Part(lambda: [1], lambda found: print("shown", found))
    monkeypatch.setattr(benchmark, "sgemm_rate", lambda: 1.0)
    monkeypatch.setattr(benchmark, "parts_of", lambda options, sgemm: {"games": part, "frames": part})
    monkeypatch.setattr(devices, "use_all_cores", lambda: None)
    monkeypatch.setattr(sys, "argv", ["benchmark.py", "--only", "games", "--out", str(tmp_path)])
    benchmark.main()
    (path,) = (tmp_path / "benchmark").glob("*.json")
    record = json.loads(path.read_text())
    assert record["games"] == [1]
    assert not {"frames", "cartpole"} & set(record)
    assert "shown [1]" in capsys.readouterr().out
