"""`jaxdqn runs` and `jaxdqn export` on the command line."""

import csv
import io
import pathlib
import re
import shlex
import subprocess
import sys

import numpy as np
import pytest

from jaxdqn import commands
from jaxdqn.commands import export, runs, select_runs
from jaxdqn.export import package_versions, tensorboard
from jaxdqn.store import failures, store
from tests.helpers import exported, synthetic_runs


@pytest.fixture
def results(tmp_path, monkeypatch):
    """A folder `results` with two studies in the working directory; the score of a run is a tenth of its seed.

    The last run of `rates` diverged.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")  # of tables
    for study, game, seeds in (("rates", "catch", (0, 1, 2)), ("cartpole", "cartpole", (0,))):
        for seed in seeds:
            rate = {"learning_rate": 0.001 * (1 + seed)}
            configuration = {"type": "Config", **rate, "optimizer": {"type": "Adam", "eps": 1e-8}}
            facts = synthetic_runs.facts(
                study=study,
                game=game,
                seed=seed,
                settings=rate,
                configuration=configuration,
                diverged_at=1 if seed == 2 else None,
            )
            curves = {"steps": np.array([1, 2]), "evaluation_return": np.array([9, seed / 10])}
            store.write(tmp_path / "results" / study / "runs", facts, curves)
    return tmp_path / "results"


def run(line, capsys):
    commands.main(shlex.split(line))
    return capsys.readouterr()


def test_runs_are_listed_in_columns(results, capsys):
    out, err = run("runs", capsys)
    heading, first, *_, last = out.splitlines()
    assert heading.split() == list(runs.FIELDS)
    assert first.split()[1:] == shlex.split("cartpole cartpole DQN learning_rate 0.001 0 20000 0 finished")
    assert last.split()[1:9] == ["rates", "catch", "DQN", "learning_rate", "0.003", "2", "20000", "-"]
    assert "diverged" in last
    assert err == "4 of 4 runs\n"
    of_one_study = [name for name in runs.FIELDS if name != "study"]
    assert run("runs results/rates", capsys).out.split("\n")[0].split() == of_one_study
    assert run("runs results/rates --csv", capsys).out.split("\n")[0].split(",") == list(runs.FIELDS)


def test_failed_runs_are_counted_by_lists_and_exports(results, capsys):
    about = {"game": "catch", "algorithm": "DQN", "settings": {}, "seed": 7}
    failures.write(results / "rates" / "failures", "0" * 16, about, "ValueError: it broke")
    assert run("runs", capsys).err == "4 of 4 runs; 1 failed run without a record\n"
    assert run("runs results/cartpole", capsys).err == "1 of 1 run\n"
    assert (
        run("export results/rates --to csv --out rates.csv", capsys).err == "left out: 1 failed run, without a record\n"
    )


def test_runs_are_chosen_by_fields_and_shown_by_fields_as_csv(results, capsys):
    chosen = "--where learning_rate=2e-3 game=catch --where seed=1"
    line = f"runs results {chosen} --fields seed,optimizer.eps,score,study --csv"
    out, err = run(line, capsys)
    heading, (seed, eps, score, study) = csv.reader(io.StringIO(out))
    assert heading == ["seed", "optimizer.eps", "score", "study"]
    assert (seed, float(eps), float(score), study) == ("1", 1e-8, float(np.float32(0.1)), "rates")
    assert err == "1 of 4 runs\n"


def test_a_damaged_record_is_reported_and_left_out(results, capsys):
    (results / "rates" / "runs" / "0123456789abcdef.json").write_text("{}")
    out, err = run("runs results/rates", capsys)
    assert len(out.splitlines()) == 4
    assert err.startswith("left out: results/rates/runs/0123456789abcdef.json is not a complete record")


def test_control_characters_in_facts_do_not_reach_the_terminal(tmp_path, monkeypatch, capsys):
    store.write(tmp_path, synthetic_runs.facts(algorithm="a\x1b[2Jb"), synthetic_runs.curves())
    monkeypatch.setenv("COLUMNS", "200")
    assert "a\\x1b[2Jb" in run(f"runs {tmp_path}", capsys).out


def test_a_reader_that_stops_early_sees_no_traceback(results):
    line = f"{shlex.quote(sys.executable)} -m jaxdqn runs results | true"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr


def test_a_table_is_replaced_only_with_overwrite(results, capsys):
    first = run("export results --to csv --out new/curves.csv", capsys).out
    assert first == "new/curves.csv: curves of 4 runs\n"
    with open("new/curves.csv", newline="") as file:
        assert [row["evaluation_return"] for row in csv.DictReader(file)][:2] == ["9.0", "0.0"]
    with pytest.raises(SystemExit, match="2"):
        commands.main(shlex.split("export results --to csv --table facts --out new/curves.csv"))
    assert capsys.readouterr().err == (
        "error: new/curves.csv exists and is not overwritten: choose another name, or add --overwrite.\n"
    )
    run("export results --to csv --table facts --out new/curves.csv --overwrite", capsys)
    with open("new/curves.csv", newline="") as file:
        assert len(list(csv.DictReader(file))) == 4
    assert [path.name for path in (results.parent / "new").iterdir()] == ["curves.csv"]


def test_a_table_of_scores_of_some_runs(results, capsys):
    run("export results/rates --to csv --table scores --last 2 --where seed=0 --out scores.csv", capsys)
    with open("scores.csv", newline="") as file:
        assert [row["evaluation_return"] for row in csv.DictReader(file)] == ["4.5"]


def test_tensorboard_has_a_folder_for_each_run(results, capsys):
    out = run("export results --to tensorboard --out logs", capsys).out
    assert out == "logs: 4 runs; view them with: tensorboard --logdir logs\n"
    for study in ("rates", "cartpole"):
        for stored in store.read(results / study / "runs").runs:
            folder = results.parent / "logs" / tensorboard.name(stored.facts)
            assert exported.scalars(folder) == exported.expected(stored.curves)


def test_weights_and_biases_has_a_run_for_each_run(results, capsys):
    out = run("export results/rates --to wandb --out logs --project rates", capsys).out
    assert out == "logs: 3 runs of project rates; send them with: wandb sync logs/wandb/offline-run-*\n"
    for stored in store.read(results / "rates" / "runs").runs:
        assert exported.history(results.parent / "logs", stored.facts["id"]) == exported.expected(stored.curves)


def test_damaged_arrays_end_an_export_and_leave_no_file(results, capsys):
    next((results / "rates" / "runs").glob("*.npz")).write_bytes(b"")
    with pytest.raises(SystemExit, match="2"):
        commands.main(shlex.split("export results --to csv --out curves.csv"))
    assert "has changed since it was written" in capsys.readouterr().err
    assert [path.name for path in results.parent.iterdir()] == ["results"]


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("runs elsewhere", "elsewhere is no folder"),
        ("runs --where learning_rat=1", "no run has a field 'learning_rat'. Did you mean 'learning_rate'"),
        ("runs --fields seed,gam", "no run has a field 'gam'. Did you mean 'game'"),
        ("runs --where seed=1 results", "'results' is not a condition"),
        ("export results --to csv --out a.csv --where seed=77", "No run of 4 has seed=77"),
        ("export results --to csv --table episodes --out a.csv", "No run has a log of its training episodes"),
        ("export results --to csv --table scores --last 3 --out a.csv", "last = 3 is out of range"),
        ("export results --to csv --table scores --last 0 --out a.csv", "--last 0 is out of range"),
        ("export results --to csv --table scores --score loss --out a.csv", "has no curve 'loss'"),
        ("export results --to csv --last 3 --out a.csv", "--last has no effect on the table of curves"),
        ("export results --to csv --project p --out a.csv", "--project has no effect on --to csv"),
        ("export results --to wandb --table facts --out a", "--table has no effect on --to wandb"),
        ("export results --to wandb --project a/b --out a", "project = 'a/b'"),
        ("export results --to tensorboard --out file", "file"),
        ("export results --to wandb --out file", "file"),
        ("export elsewhere --to csv --out a.csv", "elsewhere is no folder"),
    ],
)
def test_invalid_commands_end_in_one_sentence_and_status_2(line, sentence, results, capsys):
    (results.parent / "file").touch()
    with pytest.raises(SystemExit, match="2"):
        commands.main(shlex.split(line))
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert sentence in err
    assert len(err.splitlines()) == 1
    assert {path.name for path in results.parent.iterdir()} == {"results", "file"}


def examples(epilog):
    lines = re.findall(r"^  jaxdqn (.+?)(?:   .*)?$", epilog, re.MULTILINE)
    return [shlex.split(line.split(" > ")[0]) for line in lines]


@pytest.mark.parametrize("example", examples(runs.COMMAND.epilog + export.COMMAND.epilog), ids=" ".join)
def test_an_example_of_the_help_parses(example, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)  # where there are no results
    with pytest.raises(SystemExit, match="2"):
        commands.main(example)
    assert capsys.readouterr().err.startswith("error: results")


def test_the_versions_of_runs_are_written_for_pip(results, capsys):
    out = run("export results --to requirements --out versions.lock", capsys).out
    assert out == "versions.lock: versions of 4 runs\n"
    first, second, *lines = pathlib.Path("versions.lock").read_text().splitlines()
    assert first.endswith("from their records: jaxdqn export results --to requirements")
    assert second.startswith("# To reproduce the runs bit for bit: pip install -r versions.lock, on the same processor")
    assert lines == ["jax==0.10.0", "numpy==2.4.6"]
    with pytest.raises(SystemExit, match="2"):
        commands.main(shlex.split("export results --to requirements --out versions.lock"))
    assert "versions.lock exists and is not overwritten" in capsys.readouterr().err
    run("export results --to requirements --out versions.lock --overwrite", capsys)


def test_versions_that_differ_are_the_most_frequent_and_the_others_are_listed(tmp_path):
    for seed, version in enumerate(("0.9", "0.10", "0.10")):
        versions = {"python": "3.12.1", "jax": version} | ({"optax": "1"} if seed else {})
        store.write(tmp_path, synthetic_runs.facts(seed=seed, versions=versions), synthetic_runs.curves())
    text = package_versions.requirements(store.read_facts(tmp_path).records, "here", "lock")
    assert text.splitlines()[2:] == [
        "# python 3.12.1",
        "jax==0.10",
        "# jax 0.9: 1 run",
        "optax==1",
        "# optax is not named by 1 run",
    ]


def test_the_committed_lock_file_agrees_with_the_committed_records(request):
    results = request.config.rootpath / "results"
    known = package_versions.requirements(select_runs.read(results).records, "results", "requirements.lock")
    assert (results / "requirements.lock").read_text() == known  # else: jaxdqn export results --to requirements
