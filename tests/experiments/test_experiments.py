"""Every experiment script at toy size, from game to figure."""

import json
import pathlib
import runpy
import subprocess
import sys
from unittest import mock

import jax
import numpy as np
import pytest

from jaxdqn import games
from jaxdqn.algorithms import munchausen
from jaxdqn.analysis import study_tables
from tests.helpers import synthetic_runs

pytestmark = pytest.mark.usefixtures("unoptimised")

EXPERIMENTS = pathlib.Path(__file__).parents[2] / "experiments"
NO_STUDIES = ("benchmark", "cliffwalk", "interval_coverage", "rerun", "search_comparison", "search_setup")
EMULATORS = {"atari": "ale_py", "doom": "vizdoom"}  # scripts that need an extra, and the package that it installs
STUDIES = sorted(path.stem for path in EXPERIMENTS.glob("*.py") if not path.stem.startswith(NO_STUDIES))


def script(name, *arguments):
    command = [sys.executable, str(EXPERIMENTS / f"{name}.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", STUDIES)
def test_a_script_runs_from_game_to_figure_and_draws_again_without_running(
    name, tmp_path, monkeypatch, capsys, request
):
    """Runs on host games are trained; those on games in JAX are traced, but for one script."""
    if name in EMULATORS:
        pytest.importorskip(EMULATORS[name], reason=f'needs pip install "jaxdqn[{name}]"')
    if name != "mountain_car":
        request.getfixturevalue("untrained")
    monkeypatch.syspath_prepend(EXPERIMENTS)

    def run(*options):
        monkeypatch.setattr(sys, "argv", [f"{name}.py", "--toy", *options, "--out", str(tmp_path)])
        with jax.numpy_rank_promotion("allow"):  # IQN's head promotes ranks when a study is checked
            runpy.run_path(str(EXPERIMENTS / f"{name}.py"), run_name="__main__")

    run()
    folder = tmp_path / f"{name}-toy"
    figure = folder / f"{name}-toy.png"
    assert str(figure) in capsys.readouterr().out
    first, runs = figure.read_bytes(), sorted((folder / "runs").iterdir())
    figure.unlink()
    run("--figure-only")
    assert figure.read_bytes() == first
    assert sorted((folder / "runs").iterdir()) == runs


def test_drawing_without_results_prints_an_error_of_one_sentence(tmp_path):
    done = script("catch", "--figure-only", "--out", str(tmp_path))
    assert done.returncode == 2
    assert "run the study first" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_table_of_host_games_works_with_runs_of_one_game_only(monkeypatch):
    monkeypatch.syspath_prepend(EXPERIMENTS)
    table = runpy.run_path(str(EXPERIMENTS / "host_games.py"))["table"]
    runs = [
        synthetic_runs.run(game=game, seed=seed) for game in ("cartpole", "gymnasium:CartPole-v1") for seed in (0, 1)
    ]
    num_points = len(runs[0].curves["steps"])
    assert "Mean of gymnasium's minus the one in JAX: " in table(runs)
    assert table(runs[:2]) == study_tables.table(runs[:2], last=num_points)


@pytest.mark.parametrize(
    ("game", "bias"),
    [("probe_action", 0.0), ("catch", -0.0122), ("catch_noisy", -0.0122)],  # catch: a NumPy loop written from the paper
)
def test_the_fixed_point_of_munchausen_is_below_the_optimum_if_actions_are_equally_good(game, bias):
    module = runpy.run_path(str(EXPERIMENTS / "overestimation.py"))
    found = module["munchausen_bias"](games.make(game), 0.99, munchausen.MunchausenDQN())
    assert found == pytest.approx(bias, abs=5e-5)


def test_bounds_of_distributions_equal_values_computed_by_hand():
    with jax.numpy_rank_promotion("allow"):  # IQN's head promotes ranks when the study is checked
        module = runpy.run_path(str(EXPERIMENTS / "distributions.py"))
    # All probabilities are multiples of 1/1024, so 1024 equally probable values are exact.
    assert module["_distance"](module["nearest_quantiles"](1024)) == pytest.approx(0.0, abs=1e-5)
    # A projection keeps the mean if the range of the atoms is large enough: with 5 atoms, mass beyond it is lost.
    for number in (11, 51):
        atoms = module["categorical_limit"](number)
        mean = 0.5 * sum(0.9**k for k in range(5))
        np.testing.assert_allclose(atoms.values @ atoms.probabilities, mean, rtol=1e-5)


def test_the_benchmark_writes_a_record(tmp_path):
    done = script("benchmark", "--toy", "--out", str(tmp_path))
    assert done.returncode == 0, done.stderr
    (record,) = (tmp_path / "benchmark-toy").glob("*.json")
    assert str(record) in done.stdout
    (frames,) = json.loads(record.read_text())["frames"]
    assert frames["contenders"]["jaxdqn"]["per_cpu_second"][1] > 0
    assert frames["contenders"]["other"] == {"missing": mock.ANY}
    assert frames["before"]["sgemm_gflops"] > 0
