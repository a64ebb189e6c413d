"""`jaxdqn plan`, `run` and `status` on the command line, with small studies."""

import argparse
import dataclasses
import json
import re
import subprocess
import sys
import textwrap
import time
import traceback

import jax
import numpy as np
import pytest

from jaxdqn import commands
from jaxdqn.algorithms import dqn
from jaxdqn.commands import options, plan
from jaxdqn.store import claims, failures, manifest, status, store
from jaxdqn.store.claims import Claims
from jaxdqn.store.manifest import Manifest
from jaxdqn.store.status import Seconds
from jaxdqn.study import load_script, progress, spec
from jaxdqn.study import plan as plans
from jaxdqn.study.spec import Study
from jaxdqn.training import device_layout
from jaxdqn.training.evaluate import Evaluation
from tests.helpers import synthetic_runs

pytestmark = pytest.mark.usefixtures("compiled_once")

SCRIPT = """
'''Does it run?'''
from jaxdqn.algorithms import dqn
from jaxdqn.figures.learning_curves import learning_curves
from jaxdqn.commands import script
from jaxdqn.study.spec import Study
from jaxdqn.training.evaluate import Evaluation

STUDY = Study("small", ("probe_value", "catch"), {"DQN": dqn.CONFIG}, range(3), 400, Evaluation(200, 1))
TOY = Study("small-toy", ("probe_value",), {"DQN": dqn.CONFIG}, range(1), 200, Evaluation(200, 1))

if __name__ == "__main__":
    script.main(STUDY, TOY, learning_curves, __doc__)
"""


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "small.py"
    path.write_text(textwrap.dedent(SCRIPT))
    return path


def test_jaxdqn_run_is_the_same_as_running_the_script(script, tmp_path):
    command = [sys.executable, "-m", "jaxdqn", "run", script, "--toy", "--out", tmp_path / "out"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "1 run trained, 0 already stored" in done.stderr
    again = subprocess.run([sys.executable, *command[4:]], capture_output=True, text=True, check=False)
    assert "0 runs trained, 1 already stored" in again.stderr
    assert again.stdout == done.stdout
    shown = subprocess.run([*command[:5], "--help"], capture_output=True, text=True, check=True).stdout
    assert "--retry-failed" in shown
    assert "Does it run?" in shown


def test_a_plan_shows_missing_runs_and_the_known_times(script, tmp_path, capsys):
    commands.main(["plan", str(script), "--out", str(tmp_path)])
    shown = capsys.readouterr().out
    assert "small: 6 runs missing, 0 done; 400 steps each" in shown
    assert "\n2 programs to compile; 2,400 steps. Replay" in shown
    assert "\nThe time of 2 programs is unknown, because no run is stored: --calibrate compiles each" in shown
    with pytest.raises(SystemExit, match="2"):
        commands.main(["plan", str(script), "--memory", "1K"])
    assert "error: A run on probe_value needs" in capsys.readouterr().err
    commands.main(["plan", str(script), "--toy", "--out", str(tmp_path), "--calibrate"])
    assert "in all" in (shown := capsys.readouterr().out)
    assert "unknown" not in shown


def test_a_plan_shows_the_number_of_environments_of_games_that_step_in_python(script, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(device_layout.devices, "cores", lambda: list(range(2)))
    text = SCRIPT.replace('"catch"', '"gymnasium:CartPole-v1"').replace("(200, 1))", "(200, 7, environments=3))", 1)
    script.write_text(text)
    commands.main(["plan", str(script), "--out", str(tmp_path)])
    shown = capsys.readouterr().out
    number = dqn.CONFIG.num_environments
    assert (
        f"\ngymnasium:CartPole-v1: {number} + 3 environments for training and evaluation of a run, 2 runs at" in shown
    )
    assert "\nprobe_value: " not in shown
    alone, evaluation = dataclasses.replace(dqn.CONFIG, num_environments=1), Evaluation(200, 7, environments=1)
    study = Study("alone", ("gymnasium:CartPole-v1",), {"DQN": alone}, (0, 1), 400, evaluation)
    (planned,) = plans.plan(study)
    assert plan._environments(planned, evaluation) == "one environment for training and evaluation, 1 run at a time"


def test_a_plan_shows_the_memory_of_single_frames_and_a_refusal_what_to_change(script, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")  # of the table
    stacked = """
import dataclasses
from jaxdqn.networks.network import QNetwork
from jaxdqn.networks.torsos import MINATAR
from jaxdqn.replay.uniform import Uniform
CONFIG = dataclasses.replace(
    dqn.CONFIG, num_environments=8, train_every=8, replay=Uniform(100_000), network=QNetwork(MINATAR, frames=4)
)
STUDY = Study("stacked", ("minatar_breakout",), {"DQN": CONFIG}, range(3), 400, Evaluation(200, 1))
"""
    script.write_text(SCRIPT.replace("\nif __name__", f"{stacked}\nif __name__"))
    commands.main(["plan", str(script), "--out", str(tmp_path)])
    # Of each of 8 environments 12,500 steps: frames of 400 bits for them, 781 more, and 6; action, reward and two ends
    # of 4 bytes; place and number of earlier frames, 5 bytes; and four counts. Whole stacks would take 321.6 MB.
    replay = 8 * ((12_500 + 781 + 6) * 50 + 12_500 * (4 * 4 + 5) + 4 * 4)
    (row,) = (line for line in capsys.readouterr().out.splitlines() if "minatar_breakout" in line)
    assert f"{replay / 1e6:.3g} MB" in row
    with pytest.raises(SystemExit, match="2"):
        commands.main(["plan", str(script), "--memory", "8M"])
    said = capsys.readouterr().err
    found = re.fullmatch(
        rf"error: A run on minatar_breakout needs ([\d,]+) bytes \({replay:,} for replay, [\d,]+ for a batch\), and "
        r"([\d,]+) may be "
        r"used: allow more, or lower replay.capacity = 100_000 to about ([\d_]+)\.\n",
        said,
    )
    assert found, said
    needed, allowed, capacity = (int(re.sub("[,_]", "", number)) for number in found.groups())
    assert allowed == 8 * 2**20
    assert capacity == int(100_000 * (1 - (needed - allowed) / replay)) // 8 * 8


def test_a_script_without_a_study_is_refused_in_one_sentence(tmp_path, capsys):
    (tmp_path / "wrong.py").write_text("x = 1")
    with pytest.raises(SystemExit, match="2"):
        commands.main(["plan", str(tmp_path / "wrong.py")])
    assert "defines no STUDY: it must be a jaxdqn.study.spec.Study" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["plan", "run"])
@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("import sys; sys.exit(3)", "cannot be imported: SystemExit: 3"),
        ("import jaxdqn.nothing", "cannot be imported: ModuleNotFoundError: No module named 'jaxdqn.nothing'"),
        (
            SCRIPT.replace("400", "300"),
            "cannot be imported: ValueError: algorithms['DQN']: steps = 300 must be a multiple",
        ),
        (SCRIPT.replace("1))\nTOY", "1), stepz=1)\nTOY"), "unexpected keyword argument 'stepz'"),
    ],
)
def test_a_script_that_cannot_be_imported_is_refused_in_one_sentence(tmp_path, capsys, command, text, sentence):
    (tmp_path / "wrong.py").write_text(text)
    with pytest.raises(SystemExit, match="2"):
        commands.main([command, str(tmp_path / "wrong.py")])
    said = capsys.readouterr().err
    assert sentence in said
    assert said.count("\n") == 1


def test_the_status_of_a_script_is_that_of_its_folder(script, tmp_path, capsys):
    study = load_script.load(script).study
    failed = spec.cells(study)[0].id
    failures.write(tmp_path / "small" / "failures", failed, about(0), "Traceback\nValueError: it broke")
    commands.main(["status", str(script), "--out", str(tmp_path)])
    shown = capsys.readouterr().out
    assert "small: 0 of 6 runs done" in shown
    assert "it broke" in shown


def test_without_a_manifest_the_stored_runs_are_the_study(folder, capsys):
    (folder / "study.json").unlink()
    commands.main(["status", str(folder)])
    assert "study: 4 of 4 runs done" in capsys.readouterr().out


def test_the_status_counts_runs_of_earlier_commands_apart(folder, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")  # the path of the folder is not broken
    last = {id: about(number) for number, id in enumerate(manifest.read(folder).cells) if number in (0, 1, 7)}
    manifest.write(folder, Manifest("study", 1_000, last))
    commands.main(["status", str(folder)])
    shown = capsys.readouterr().out
    assert "study: 2 of 3 runs done" in shown
    assert f"\n2 other runs of earlier commands: `jaxdqn runs {folder}` lists all\n" in shown
    commands.main(["status", str(folder.parent)])
    assert capsys.readouterr().out.splitlines()[1].split()[1:] == ["2", "1", "2"]


def test_the_status_of_a_folder_of_studies_has_a_line_for_each(folder, monkeypatch, capsys):
    (folder.parent / "no_study").mkdir()
    (folder.parent / "broken").mkdir()
    (folder.parent / "broken" / "study.json").write_text("{")
    folder.parent.rename(folder.parent.with_name("results"))
    monkeypatch.chdir(folder.parent.parent)
    for arguments in ([], ["results"]):
        commands.main(["status", *arguments])
        shown = capsys.readouterr()
        assert [line.split() for line in shown.out.splitlines()][1:] == [["results/study", "4", "1", "5"]]
        assert "left out: results/broken/study.json cannot be read" in shown.err
    commands.main(["status", "study"])
    assert "study: 4 of 10 runs done" in capsys.readouterr().out


def test_a_plan_names_the_structure_of_its_grid_and_warns_if_compiling_takes_longer_than_training(
    script, tmp_path, capsys, monkeypatch
):
    grid = '{"batch_size": (8, 16), "learning_rate": (0.1, 0.01), "network.torso.hidden": ((4,), (8,))}'
    script.write_text(SCRIPT.replace("1))\nTOY", f"1), {grid})\nTOY"))
    times = {(game, "DQN"): Seconds(1.0, 30.0) for game in ("probe_value", "catch")}
    monkeypatch.setattr(status, "seconds_of_a_run", lambda *given: times)
    commands.main(["plan", str(script), "--out", str(tmp_path)])
    shown = capsys.readouterr().out
    assert "8 programs to compile; 19,200 steps; in all 5 min, of which 4 min compiling." in shown
    assert "Structure: batch_size, network.torso.hidden. Each combination" in shown
    assert "Warning: compiling takes longer than training (4 min and 48 s): try fewer values of batch_size" in shown
    assert max(len(line) for line in shown.splitlines() if line.startswith(("game", "catch"))) <= 80


def test_the_time_left_includes_the_compilations_still_to_come(capsys):
    with progress.Bar(num_runs=2, steps_per_run=100) as bar:
        bar.compiled(100.0)
        bar.compiled(140.0)
        bar.training(0)
        for programs, words in ((3, "6 min left"), (0, "0 s left")):
            bar.programs_left(programs)
            bar._line_at = -1e9  # long ago
            bar.advance(50, np.array([1.0]))
            assert words in capsys.readouterr().err


def about(number):
    return {"game": ("catch", "cartpole")[number % 2], "algorithm": "DQN", "settings": {}, "seed": number}


@pytest.fixture
def folder(tmp_path):
    """Returns the folder of a study of ten runs: four done, two running in this process, one failed."""
    folder = tmp_path / "study"
    cells = {f"{number:016x}": about(number) for number in range(10)}
    (folder / "runs").mkdir(parents=True)
    manifest.write(folder, Manifest("study", 1_000, cells))
    for number, seconds in enumerate((10.0, 30.0, 10.0, 30.0)):
        facts = synthetic_runs.facts(seed=number)
        facts |= {"id": f"{number:016x}", "cost": facts["cost"] | {"wall_seconds": seconds, "runs_at_once": 2}}
        store.write(folder / "runs", facts, synthetic_runs.curves())
    failures.write(folder / "failures", f"{4:016x}", about(4), "Traceback\nValueError: it broke")
    return folder


def test_the_status_counts_runs_and_estimates_the_time_left(folder, capsys):
    with Claims(folder / "claims") as mine:
        mine.claim([f"{5:016x}", f"{6:016x}"], most=2)
        found = status.of(folder)
        assert [len(ids) for ids in (found.done, found.running, found.failed, found.missing)] == [4, 2, 1, 3]
        # Numbers 5 to 9: catch takes 5 s a run, cartpole 15; each has a program, compiled in 3 s.
        assert found.seconds_left == 5 + 15 + 5 + 15 + 15 + 2 * 3
        commands.main(["status", str(folder)])
    shown = capsys.readouterr().out
    assert "study: 4 of 10 runs done" in shown
    assert "0000000000000004 failed: ValueError: it broke" in shown
    assert "about 1 min left with compilation" in shown


NOTE = """
--------------------
For simplicity, JAX has removed its internal frames from the traceback of the following exception. Set \
JAX_TRACEBACK_FILTERING=off to include these."""
FIRST = 'Traceback (most recent call last):\n  File "a.py", line 3, in f\n    g()\n    ^^^\n'


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (FIRST + "ValueError: it broke\n", "ValueError: it broke"),
        (
            FIRST + "XlaRuntimeError: RESOURCE_EXHAUSTED: Out of memory" + NOTE,
            "XlaRuntimeError: RESOURCE_EXHAUSTED: Out of memory",
        ),
        (FIRST + "TypeError: scan carry\n  * is float32\nbut is float64." + NOTE, "TypeError: scan carry"),
        (FIRST + "KeyError: 1\n\nDuring handling of it, another:\n\n" + FIRST + "OSError: no file", "OSError: no file"),
        (FIRST + "RuntimeError: A run failed:\n" + FIRST + "MemoryError" + NOTE + "\n", "MemoryError"),
        ('ray::work() (pid=1)\n  File "a.py"\nOSError: no file' + NOTE, "OSError: no file"),
        ("", ""),
    ],
)
def test_the_reason_of_a_failure_is_the_line_of_the_error(text, line):
    assert failures.Failure("0", {}, text).reason == failures.error_line(text) == line


def test_an_error_of_jax_has_its_own_line():
    with pytest.raises(TypeError) as error:
        jax.jit(lambda x: jax.lax.scan(lambda carry, _: (carry + 1j, None), x, None, 2))(np.float32(1.0))
    assert failures.error_line("".join(traceback.format_exception(error.value))).startswith("TypeError: scan ")


def test_a_run_larger_than_the_memory_is_refused_before_anything_is_compiled(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(device_layout.devices, "memory", lambda: 1e6)
    command = ["train", "catch", "dqn", "--replay.capacity", "1000000", "--out", str(tmp_path)]
    with pytest.raises(SystemExit, match="2"):
        commands.main(command)
    said = capsys.readouterr().err
    assert re.fullmatch(
        r"error: A run on catch needs [\d,]+ bytes \([\d,]+ for replay, [\d,]+ for a batch\), and this machine has "
        r"1,000,000: .*\n",
        said,
    )
    with pytest.raises(SystemExit, match="2"):
        commands.main([*command, "--gpus-per-task", "1"])
    assert "--gpus-per-task 1 is for tasks of --executor ray or slurm" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        commands.main(
            [
                "search",
                "catch",
                "dqn",
                "--space",
                "learning_rate=1e-3,1e-2",
                "--set",
                "replay.capacity=1000000",
                "--out",
                str(tmp_path),
            ]
        )
    assert "and this machine has 1,000,000" in capsys.readouterr().err


def test_a_process_that_packs_the_study_runs_nothing(folder, capsys):
    with Claims(folder / "claims") as packing, Claims(folder / "claims") as running:
        packing.claim(["archive"], most=1)
        running.claim([f"{5:016x}"], most=1)
        (holder,) = status.of(folder).holders
        assert holder.cells == (f"{5:016x}",)
        commands.main(["status", str(folder)])
    assert "\n1 run active in process" in capsys.readouterr().out


def test_more_processes_share_the_time_left(folder):
    with Claims(folder / "claims") as one, Claims(folder / "claims") as two:
        one.claim([f"{5:016x}"], most=1)
        two.claim([f"{6:016x}"], most=1)
        assert len(claims.holders(folder / "claims")) == 2
        assert status.of(folder).seconds_left == (55 + 6) / 2


def test_the_status_of_ten_thousand_cells_takes_under_two_seconds(tmp_path):
    folder = tmp_path / "study"
    manifest.write(folder.parent, Manifest("study", 1_000, {}))
    (folder / "runs").mkdir(parents=True)
    manifest.write(folder, Manifest("study", 1_000, {f"{number:016x}": about(number) for number in range(10_000)}))
    record = json.dumps({"cost": {"wall_seconds": 1.0, "runs_at_once": 1}})
    for number in range(9_000):
        (folder / "runs" / f"{number:016x}.json").write_text(record)
    started = time.process_time()
    assert len(status.of(folder).missing) == 1_000
    assert time.process_time() - started < 2  # of this process alone, so a busy machine does no harm


@pytest.mark.parametrize("cells", [{"0" * 16: "catch"}, {"0" * 16: {}}, "none", [1]])
def test_a_damaged_manifest_ends_in_a_sentence(folder, cells):
    says = json.loads((folder / "study.json").read_text())
    (folder / "study.json").write_text(json.dumps(says | {"cells": cells}))
    with pytest.raises(ValueError, match="cannot be read"):
        manifest.read(folder)


@pytest.mark.parametrize("seconds", ["nan", "-1", "soon"])
def test_invalid_seconds_between_checkpoints_are_refused(capsys, seconds):
    parser = argparse.ArgumentParser()
    options.add_run_options(parser)
    with pytest.raises(SystemExit, match="2"):
        parser.parse_args(["--checkpoint", seconds])
    assert f"{seconds!r} must be a number of seconds of at least 0" in capsys.readouterr().err


def test_the_bar_counts_failed_runs_and_runs_of_other_processes_as_done(capsys):
    with progress.Bar(num_runs=10, steps_per_run=100) as bar:
        for num_left in (10, 6, 3):  # four are done elsewhere, and then three
            bar.left(num_left)
            assert bar._done == 1_000 - 100 * num_left
        bar.training(50)
        assert bar._done == 750


def test_the_error_for_a_study_without_a_manifest_gives_a_remedy(tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        commands.main(["status", str(tmp_path)])
    sentence = "is no folder of a study: it has no study.json. Give the script of the study, or run the study once."
    assert f"{tmp_path} {sentence}" in capsys.readouterr().err
    (tmp_path / "study.json").write_text('{"schema": 99}')
    with pytest.raises(SystemExit, match="2"):
        commands.main(["status", str(tmp_path)])
    assert "has schema 99: this version of jaxdqn reads schema 1" in capsys.readouterr().err
