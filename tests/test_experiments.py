"""Every experiment script at toy size, from game to figure."""

import pathlib
import runpy
import subprocess
import sys

import pytest

from jaxdqn.results import summary

sys.path.insert(0, str(pathlib.Path(__file__).parent / "results"))
import synthetic_runs

EXPERIMENTS = pathlib.Path(__file__).parent.parent / "experiments"
NO_STUDIES = ("benchmark", "cliffwalk")
STUDIES = sorted(path.stem for path in EXPERIMENTS.glob("*.py") if not path.stem.startswith(NO_STUDIES))


def script(name, *arguments):
    command = [sys.executable, str(EXPERIMENTS / f"{name}.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", STUDIES)
def test_a_script_goes_from_game_to_figure_and_draws_again_without_running(name, tmp_path):
    done = script(name, "--toy", "--out", str(tmp_path))
    assert done.returncode == 0, done.stderr
    folder = tmp_path / f"{name}-toy"
    figure = folder / f"{name}-toy.png"
    assert str(figure) in done.stdout
    first, runs = figure.read_bytes(), sorted((folder / "runs").iterdir())
    figure.unlink()
    done = script(name, "--toy", "--figure-only", "--out", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert figure.read_bytes() == first
    assert sorted((folder / "runs").iterdir()) == runs


def test_drawing_without_results_ends_in_a_sentence(tmp_path):
    done = script("catch", "--figure-only", "--out", str(tmp_path))
    assert done.returncode == 2
    assert "run the study first" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_table_of_both_loops_needs_completed_runs_of_one_only():
    table = runpy.run_path(str(EXPERIMENTS / "host_games.py"))["table"]
    runs = [
        synthetic_runs.run(game=game, seed=seed) for game in ("cartpole", "gymnasium:CartPole-v1") for seed in (0, 1)
    ]
    assert "overlap at" in table(runs)
    for run in runs[2:]:
        run.facts["crash"] = "Traceback ..."
    assert table(runs) == summary.table(runs)


def test_the_benchmark_writes_a_record(tmp_path):
    done = script("benchmark", "--toy", "--out", str(tmp_path))
    assert done.returncode == 0, done.stderr
    (record,) = (tmp_path / "benchmark-toy").glob("*.json")
    assert str(record) in done.stdout
