"""The selection of runs for a command: folders, fields by name, and conditions."""

import pytest

from jaxdqn.commands import select_runs
from jaxdqn.store import packing, store
from jaxdqn.store.record import Record
from tests.helpers import synthetic_runs


def record(**more):
    return Record(synthetic_runs.facts(**more), None)


def kept(records, *conditions):
    """Returns the seeds of the selected runs."""
    return [one.facts["seed"] for one in select_runs.select(records, conditions)]


CONFIGURATION = {
    "type": "Config",
    "learning_rate": 0.001,
    "clip": None,
    "double": True,
    "network": {"type": "MLP", "hidden": [64, 32]},
    "optimizer": {"type": "Adam", "eps": 1e-8},
    "label": "1e3",
}


@pytest.mark.parametrize(
    ("condition", "is_met"),
    [
        ("learning_rate=1e-3", True),
        ("learning_rate=0.0010", True),
        ("learning_rate=0.0011", False),
        ("learning_rate = 0.001", True),
        ("configuration.learning_rate=0.001", True),
        ("seed=3.0", True),
        ("seed=three", False),
        ("steps=2e4", True),
        ("steps=20_000", True),
        ("clip=null", True),
        ("clip=0", False),
        ("double=true", True),
        ("double=1", False),
        ("network.hidden=[64,32]", True),
        ("network.hidden=[64]", False),
        ("label=1e3", True),
        ("label=1000", False),  # text is no number
        ("optimizer=Adam", True),
        ("optimizer=SGD", False),
        ("optimizer.eps=1e-8", True),
        ("game=catch", True),
        ("game.version=1", True),
        ("ended=finished", True),
        ("settings=learning_rate 0.1", True),
    ],
)
def test_a_condition_compares_numbers_as_numbers_and_text_as_text(condition, is_met):
    runs = [record(seed=3, configuration=CONFIGURATION, settings={"learning_rate": 0.1})]
    assert kept(runs, condition) == ([3] if is_met else [])


def test_all_conditions_must_hold_and_a_run_without_the_field_is_not_selected():
    other = {"type": "Config", "learning_rate": 0.1}
    runs = [record(seed=seed, configuration=CONFIGURATION) for seed in (1, 2)]
    runs.append(record(seed=3, configuration=other))
    assert kept(runs, "learning_rate=0.001") == [1, 2]
    assert kept(runs, "seed=2", "learning_rate=0.001") == [2]
    assert kept(runs, "clip=null") == [1, 2]
    assert kept([], "seed=1") == []


def test_how_a_run_ended_is_a_field():
    runs = [record(seed=0), record(seed=1, diverged_at=500)]
    assert [fields["ended"] for fields in select_runs.fields(runs)] == ["finished", "diverged"]


@pytest.mark.parametrize(
    ("typed", "similar"),
    [
        ("learning_rat=1", "Did you mean 'learning_rate'"),
        ("eps=1", "Did you mean 'optimizer.eps'?"),
        ("xyzzy=1", "Fields are the facts of a run's JSON"),
    ],
)
def test_the_error_for_an_unknown_field_suggests_similar_fields(typed, similar):
    with pytest.raises(ValueError, match=f"no run has a field .*{similar}"):
        kept([record(configuration=CONFIGURATION)], typed)


@pytest.mark.parametrize("text", ["seed", "=3", "", "results/catch"])
def test_a_malformed_condition_is_refused(text):
    with pytest.raises(ValueError, match="is not a condition: write FIELD=VALUE"):
        kept([record()], text)


@pytest.mark.parametrize("is_packed", [False, True])
def test_a_path_is_a_study_several_studies_or_a_folder_of_runs(tmp_path, is_packed):
    for study in ("b", "a"):
        store.write(tmp_path / study / "runs", synthetic_runs.facts(study=study), synthetic_runs.curves())
        if is_packed:
            packing.pack(tmp_path / study / "runs")
    (tmp_path / "figures").mkdir()
    assert store.folders(tmp_path) == (tmp_path / "a" / "runs", tmp_path / "b" / "runs")
    assert store.folders(tmp_path / "a") == (tmp_path / "a" / "runs",)
    assert store.folders(tmp_path / "a" / "runs") == (tmp_path / "a" / "runs",)
    assert [one.facts["study"] for one in select_runs.read(tmp_path).records] == ["a", "b"]
    with pytest.raises(ValueError, match="holds no runs"):
        store.folders(tmp_path / "figures")
    with pytest.raises(FileNotFoundError, match="is no folder"):
        store.folders(tmp_path / "c")


def test_fields_in_which_the_runs_of_a_folder_differ_are_their_settings():
    rates = [0.1, 0.01, 0.01, 0.1]
    folders = ["one", "one", "two", "three"]
    runs = [
        Record(synthetic_runs.facts(seed=3, configuration=CONFIGURATION | {"learning_rate": rate}), folder)
        for rate, folder in zip(rates, folders, strict=True)
    ]
    texts = [fields["settings"] for fields in select_runs.fields(runs)]
    assert texts == ["learning_rate 0.1", "learning_rate 0.01", "", ""]
    assert select_runs.select(runs, ["settings=learning_rate 0.01"]) == [runs[1]]
