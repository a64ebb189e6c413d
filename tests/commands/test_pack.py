"""`jaxdqn pack` on the command line, and the other commands on a packed study."""

import shlex

import numpy as np
import pytest

from jaxdqn import commands
from jaxdqn.store import manifest, store
from jaxdqn.store.manifest import Manifest
from tests.helpers import synthetic_runs


@pytest.fixture
def study(tmp_path, monkeypatch):
    """The study `results/catch` of two runs in the working directory, with its manifest."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "results" / "catch"
    for seed in range(2):
        facts = synthetic_runs.facts(study="catch", seed=seed)
        store.write(folder / "runs", facts, {"steps": np.array([1, 2]), "evaluation_return": np.array([9, seed / 10])})
    write_manifest(folder, store.ids(folder / "runs"))
    return folder


def write_manifest(folder, ids):
    about = {"game": "catch", "algorithm": "DQN", "settings": {}, "seed": 0}
    manifest.write(folder, Manifest("catch", 20_000, dict.fromkeys(sorted(ids), about)))


def run(line, capsys):
    commands.main(shlex.split(line))
    return capsys.readouterr()


def refused(line, capsys):
    with pytest.raises(SystemExit, match="2"):
        commands.main(shlex.split(line))
    out, err = capsys.readouterr()
    assert (out, len(err.splitlines())) == ("", 1)
    return err


def test_a_study_is_packed_and_the_commands_print_the_same(study, capsys):
    lines = (
        "runs results",
        "runs results/catch --where seed=1",
        "status results/catch",
        "export results/catch --to csv --out curves.csv --overwrite",
    )
    before = [run(line, capsys) for line in lines]
    csv = (study.parents[1] / "curves.csv").read_bytes()
    out = run("pack results/catch", capsys).out
    assert out.startswith("results/catch: 2 runs; 5 files of 0.0")
    assert " MB before, 2 files of 0.0" in out
    assert sorted(path.name for path in study.iterdir()) == ["runs.parquet", "study.json"]
    assert [run(line, capsys) for line in lines] == before
    assert (study.parents[1] / "curves.csv").read_bytes() == csv


def test_a_study_that_lacks_runs_is_packed_only_with_partial(study, capsys):
    write_manifest(study, [*store.ids(study / "runs"), "f" * 16])
    assert refused("pack results/catch", capsys) == (
        "error: results/catch lacks 1 run of its study: run them first, or add --partial.\n"
    )
    assert "2 runs" in run("pack results/catch --partial", capsys).out


def test_a_run_can_be_dropped(study, capsys):
    run("pack results/catch", capsys)
    first, second = sorted(store.ids(study / "runs"))
    assert run(f"pack results/catch --drop {first}", capsys).out == "results/catch: 1 run dropped\n"
    assert store.ids(study / "runs") == {second}
    assert "has no packed run" in refused(f"pack results/catch --drop {first}", capsys)


def test_a_run_is_dropped_from_the_archive_that_holds_it(study, capsys):
    facts = synthetic_runs.facts(study="catch", seed=9)
    store.write(study / "tuning" / "runs", facts, {"steps": np.array([1])})
    run("pack results/catch", capsys)
    before = store.ids(study / "runs")
    run(f"pack results/catch --drop {facts['id']}", capsys)
    assert (store.ids(study / "runs"), store.ids(study / "tuning" / "runs")) == (before, set())


def test_runs_are_dropped_from_one_existing_study(study, capsys):
    assert "give only its folder" in refused("pack results/catch results/catch --drop x", capsys)
    assert "results/typo does not exist" in refused("pack results/typo --drop x", capsys)
    assert not (study.parent / "typo").exists()


def test_of_several_folders_those_without_runs_are_left_out(study, capsys):
    (study.parent / "benchmark").mkdir()
    out = run("pack results/benchmark results/catch", capsys).out
    assert out.startswith("results/benchmark: no runs\nresults/catch: 2 runs; ")
    with pytest.raises(SystemExit, match="2"):
        run("pack results/catch results/typo", capsys)
    assert "results/typo does not exist" in capsys.readouterr().err


def test_a_folder_that_cannot_be_packed_ends_in_one_sentence(study, capsys):
    assert "results holds no runs" in refused("pack results", capsys)
    assert "results/nothing does not exist" in refused("pack results/nothing", capsys)
    next((study / "runs").glob("*.npz")).write_bytes(b"noise")
    assert "has changed since it was written" in refused("pack results/catch", capsys)


def test_a_damaged_archive_ends_in_one_sentence(study, capsys):
    run("pack results/catch", capsys)
    (study / "runs.parquet").write_bytes(b"noise")
    sentence = "results/catch/runs.parquet is no archive of runs, or is damaged"
    for line in ("status results/catch", "pack results/catch"):
        assert sentence in refused(line, capsys)
    assert sentence in run("runs results/catch", capsys).err
