"""Which runs are meant: fields by name, conditions, and folders."""

import math

import numpy as np
import pytest

from jaxdqn.commands import query
from jaxdqn.store import store
from jaxdqn.store.record import DamagedResult, Record
from tests.helpers import synthetic_runs


def described(**more):
    return query.describe(Record(synthetic_runs.facts(**more), None))


def kept(runs, *conditions):
    """Returns the seeds of the runs that meet conditions."""
    return [one.fields["seed"] for one in query.select(runs, [query.condition(text) for text in conditions])]


CONFIGURATION = {
    "type": "Config",
    "learning_rate": 0.001,
    "clip": None,
    "double": True,
    "network": {"type": "QNetwork", "torso": {"type": "Dense", "hidden": [64, 32]}},
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
        ("learning_rate!=0.001", False),
        ("learning_rate<=0.001", True),
        ("learning_rate<0.001", False),
        ("learning_rate>5e-4", True),
        ("seed>=10", False),  # as text "3" is more than "10"
        ("seed=3.0", True),
        ("seed=three", False),
        ("steps=20_000", True),
        ("clip=null", True),
        ("clip=None", True),
        ("clip!=None", False),
        ("clip<1", False),
        ("double=true", True),
        ("double=1", False),
        ("hidden=[64,32]", True),
        ("hidden=[64]", False),
        ("hidden=64", False),
        ("label=1e3", True),
        ("label=1000", False),  # text is no number
        ("optimizer=Adam", True),
        ("optimizer=SGD", False),
        ("game=catch", True),
        ("game.version=1", True),
        ("created>2024-12-31", True),
        ("created>2025-06-01", False),
        ("ended=finished", True),
        ("crash=Traceback", False),
    ],
)
def test_a_condition_compares_numbers_as_numbers_and_the_rest_as_text(condition, is_met):
    runs = [described(seed=3, configuration=CONFIGURATION, crash=None)]
    assert kept(runs, condition) == ([3] if is_met else [])


def test_all_conditions_must_hold_and_a_run_without_the_field_meets_none():
    other = {"type": "Config", "learning_rate": 0.1}
    runs = [described(seed=seed, configuration=CONFIGURATION) for seed in (1, 2)]
    runs.append(described(seed=3, configuration=other))
    assert kept(runs, "seed>1") == [2, 3]
    assert kept(runs, "seed>1", "learning_rate<0.01") == [2]
    assert kept(runs, "eps!=5") == [1, 2]


def test_an_integer_beyond_what_a_float_holds_is_compared_whole():
    assert kept([described(seed=2**53 + 1)], f"seed={2**53 + 1}") == [2**53 + 1]


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("steps", "steps"),
        ("learning_rate", "configuration.learning_rate"),
        ("optimizer", "configuration.optimizer"),
        ("eps", "configuration.optimizer.eps"),
        ("optimizer.eps", "configuration.optimizer.eps"),
        ("every", "evaluation.every"),
        ("version", "game.version"),
        ("settings.learning_rate", "settings.learning_rate"),
        ("curves.sha256", "curves.sha256"),
        ("score", "score"),
    ],
)
def test_a_field_is_known_by_the_end_of_its_path(name, path):
    settings = {"learning_rate": 0.001, "optimizer.eps": 1e-8}
    facts = synthetic_runs.facts(configuration=CONFIGURATION, settings=settings)
    facts["curves"] = {"file": "f", "sha256": "0", "names": []}
    assert query.resolve(name, query.paths([query.describe(Record(facts, None))])) == path


def test_a_field_of_several_places_is_ambiguous():
    configuration = {"type": "Config", "a": {"rate": 1}, "b": {"rate": 2}}
    with pytest.raises(
        ValueError, match=r"'rate' is ambiguous: choose one of configuration.a.rate, configuration.b.rat"
    ):
        kept([described(configuration=configuration)], "rate=1")


@pytest.mark.parametrize("typed", ["learning_rat=1", "learningrate=1", "config.learning_rate>1"])
def test_an_unknown_field_is_told_with_those_of_similar_names(typed):
    with pytest.raises(ValueError, match=r"no run has a field .*did you mean .*learning_rate"):
        kept([described(configuration=CONFIGURATION)], typed)


@pytest.mark.parametrize("text", ["seed", "=3", "", "seed~3", "results/catch"])
def test_what_is_no_condition_is_refused(text):
    with pytest.raises(ValueError, match="is no condition: write FIELD=VALUE"):
        query.condition(text)


def test_a_number_is_not_more_than_a_word():
    with pytest.raises(ValueError, match="seed>many compares numbers: 'many' is none"):
        kept([described()], "seed>many")


def record(folder, score, **more):
    facts = synthetic_runs.facts(**more)
    store.write(folder, facts, {"steps": np.array([1, 2]), "evaluation_return": np.array([7.0, score])})
    return facts["id"]


def test_the_score_is_the_last_evaluation_of_a_run_that_did_not_crash(tmp_path):
    record(tmp_path, 0.5, seed=0)
    record(tmp_path, math.nan, seed=1)
    record(tmp_path, 0.75, seed=2, crash="Traceback ...")
    lost = record(tmp_path, 0.75, seed=3)
    next(tmp_path.glob(f"{lost}-*.npz")).unlink()
    runs = [query.with_score(query.describe(one)) for one in store.read_facts(tmp_path).records]
    assert [(run.fields["score"], run.fields["ended"]) for run in runs] == [
        (0.5, "finished"),
        (None, "finished"),
        (None, "crashed"),
        (None, "damaged"),
    ]
    assert kept([query.describe(one) for one in store.read_facts(tmp_path).records], "score>0.1", "seed<9") == [0]


def test_no_arrays_are_opened_for_runs_that_other_conditions_leave_out(tmp_path, monkeypatch):
    for seed in range(3):
        record(tmp_path, 1.0, seed=seed)
    opened = []
    curve = store.curve
    monkeypatch.setattr(store, "curve", lambda one, name: opened.append(one.facts["seed"]) or curve(one, name))
    runs = [query.describe(one) for one in store.read_facts(tmp_path).records]
    assert kept(runs, "score=1", "seed=2") == [2]
    assert opened == [2]


def test_folders_are_of_a_study_of_several_or_of_runs_themselves(tmp_path):
    for study in ("b", "a"):
        record(tmp_path / study / "runs", 1.0)
    (tmp_path / "figures").mkdir()
    assert query.folders(tmp_path) == (tmp_path / "a" / "runs", tmp_path / "b" / "runs")
    assert query.folders(tmp_path / "a") == (tmp_path / "a" / "runs",)
    assert query.folders(tmp_path / "a" / "runs") == (tmp_path / "a" / "runs",)
    with pytest.raises(ValueError, match="holds no runs"):
        query.folders(tmp_path / "figures")
    with pytest.raises(FileNotFoundError, match="is no folder"):
        query.folders(tmp_path / "c")


def test_facts_and_one_curve_are_those_of_the_whole_run(tmp_path):
    for seed in range(3):
        record(tmp_path, seed / 3, seed=seed)
    (tmp_path / "0123456789abcdef.json").write_text("{")
    found, whole = store.read_facts(tmp_path), store.read(tmp_path)
    assert [one.facts for one in found.records] == [run.facts for run in whole.runs]
    assert [str(problem) for problem in found.damaged] == [str(problem) for problem in whole.damaged] != []
    for one, run in zip(found.records, whole.runs, strict=True):
        np.testing.assert_array_equal(store.curve(one, "evaluation_return"), run.curves["evaluation_return"])
        assert store.load(one).facts == run.facts
    with pytest.raises(ValueError, match="has no curve 'loss': it has evaluation_return, steps"):
        store.curve(found.records[0], "loss")


def test_one_curve_of_a_file_that_was_changed_is_not_given(tmp_path):
    name = record(tmp_path, 1.0)
    path = next(tmp_path.glob(f"{name}-*.npz"))
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(DamagedResult, match="is not what was written"):
        store.curve(store.read_facts(tmp_path).records[0], "evaluation_return")
