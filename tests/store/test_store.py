"""The store: runs are read as written and never overwritten, and interruptions or damage change no other run."""

import hashlib
import io
import json
import os
import subprocess
import sys
import threading
import time
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxdqn.store import arrays, store
from jaxdqn.store.record import DamagedResult, Run
from tests.helpers import synthetic_runs


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "study" / "runs"


def write(folder, **described):
    facts = synthetic_runs.facts(**described)
    store.write(folder, facts, synthetic_runs.curves(seed=facts["seed"]))
    return facts["id"]


def names(folder):
    return sorted(os.listdir(folder))


# Write and read.


def test_a_run_is_read_as_it_was_written(folder):
    facts = synthetic_runs.facts(seed=3, settings={"learning_rate": 0.001, "widths": (64, 64)})
    curves = synthetic_runs.curves(seed=3)
    path = store.write(folder, facts, curves)
    run = store.find(folder, facts["id"])
    assert path == folder / f"{facts['id']}.json"
    described = run.facts.pop("curves")
    assert run.facts == facts | {"settings": {"learning_rate": 0.001, "widths": [64, 64]}}
    assert described["names"] == ["evaluation_return", "loss", "steps"]
    assert set(run.curves) == set(curves)
    np.testing.assert_allclose(run.curves["loss"], curves["loss"], rtol=1e-7)
    assert run.curves["loss"].dtype == np.float32


def test_counts_beyond_float32_stay_exact(folder):
    steps = np.array([50_000_001, 200_000_003])
    curves = {"steps": steps, "updates": steps // 4, "loss": np.zeros(2)}
    facts = synthetic_runs.facts()
    store.write(folder, facts, curves)
    read = store.find(folder, facts["id"]).curves
    assert read["steps"].tolist() == [50_000_001, 200_000_003]
    assert read["updates"].tolist() == [12_500_000, 50_000_000]


def test_a_missing_value_stays_nan(folder):
    curves = {"steps": np.array([1, 2]), "episode_return": np.array([np.nan, 1.0]), "loss": np.array([np.inf, 1e300])}
    facts = synthetic_runs.facts()
    store.write(folder, facts, curves)
    read = store.find(folder, facts["id"]).curves
    np.testing.assert_array_equal(read["episode_return"], [np.nan, 1.0])
    np.testing.assert_array_equal(read["loss"], [np.inf, np.inf])


def test_curves_of_a_record_cannot_be_changed(folder):
    run = store.find(folder, write(folder))
    with pytest.raises(ValueError, match="read-only"):
        run.curves["loss"][0] = 0.0


def test_facts_are_strict_json(folder):
    id = write(folder)
    text = (folder / f"{id}.json").read_text()
    record = json.loads(text, parse_constant=pytest.fail)
    assert text == json.dumps(record, indent=1) + "\n"
    content = (folder / record["curves"]["file"]).read_bytes()
    assert hashlib.sha256(content).hexdigest() == record["curves"]["sha256"]


def test_runs_are_read_in_order_of_game_algorithm_settings_and_seed(folder):
    cells = [
        ("breakout", "DQN", {"learning_rate": 0.001}, 0),
        ("catch", "DQN", {"learning_rate": 0.0003}, 2),
        ("catch", "DQN", {"learning_rate": 0.0003}, 10),
        ("catch", "DQN", {"learning_rate": 0.01}, 1),
        ("catch", "double DQN", {"learning_rate": 0.0001}, 0),
    ]
    for index in (3, 0, 4, 2, 1):
        game, algorithm, point, seed = cells[index]
        write(folder, game=game, algorithm=algorithm, settings=point, seed=seed)
    found = [
        (run.facts["game"]["name"], run.facts["algorithm"], run.facts["settings"], run.facts["seed"])
        for run in store.read(folder).runs
    ]
    assert found == cells


def test_find_returns_none_for_a_missing_run(folder):
    assert store.find(folder, "0" * 16) is None
    write(folder)
    assert store.find(folder, "0" * 16) is None


def test_a_missing_folder_is_an_error_and_an_empty_folder_is_not(folder):
    with pytest.raises(FileNotFoundError, match="run the study first"):
        store.read(folder)
    folder.mkdir(parents=True)
    assert store.read(folder) == ((), ())


# Attachments.

ATTACHED = {
    "episodes": {"episode_return": np.array([1.0, -1.0]), "end_step": np.array([9, 300])},
    "weights": {"torso/kernel": np.array([[0.1, 1e-40], [np.nan, -0.0]], np.float32), "file": np.float32(0.5)},
}


def attached(folder, attachments, **described):
    facts = synthetic_runs.facts(**described)
    store.write(folder, facts, synthetic_runs.curves(), attachments)
    return store.find(folder, facts["id"])


def test_attachments_are_read_by_kind(folder):
    run = attached(folder, ATTACHED)
    episodes, weights = store.attachment(run, "episodes"), store.attachment(run, "weights")
    assert list(episodes) == ["end_step", "episode_return"]
    assert episodes["episode_return"].tolist() == [1.0, -1.0]
    assert episodes["end_step"].tolist() == [9, 300]
    assert weights["torso/kernel"].tobytes() == ATTACHED["weights"]["torso/kernel"].tobytes()
    assert (weights["file"].shape, weights["file"].tolist()) == ((), 0.5)


def test_a_record_describes_its_attachments_and_their_files(folder):
    run = attached(folder, ATTACHED)
    described = run.facts["weights"]
    content = (folder / described["file"]).read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    assert described == {
        "file": f"{run.facts['id']}-{digest[:8]}.weights.npz",
        "sha256": digest,
        "shapes": {"file": [], "torso/kernel": [2, 2]},
    }
    assert names(folder) == sorted(
        [f"{run.facts['id']}.json", *(run.facts[key]["file"] for key in ("curves", "episodes", "weights"))]
    )


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([0, 255], np.uint8),
        ([-1, 127], np.int8),
        ([-1, 128], np.int16),
        ([0, 65_536], np.uint32),
        ([-(2**31), 2**31], np.int64),
        (np.array([2**64 - 1], np.uint64), np.uint64),
        (np.zeros((0, 3), np.int64), np.uint8),
        ([True, False], np.bool_),
        ([0.1, 1e300], np.float32),
        (np.array([1.5], np.float16), np.float32),
    ],
    ids=str,
)
def test_numbers_are_stored_in_the_smallest_type_that_holds_them_and_floats_as_float32(folder, values, dtype):
    read = store.attachment(attached(folder, {"some": {"x": values}}), "some")["x"]
    assert read.dtype == dtype
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(read, np.asarray(values).astype(dtype))


def test_equal_arrays_make_equal_files(folder, tmp_path):
    values = np.arange(6.0).reshape(2, 3)
    run = attached(folder, {"weights": {"a": values, "b": values[0]}})
    other = attached(tmp_path / "other", {"weights": {"b": values[0].copy(), "a": np.asfortranarray(values)}})
    assert run.facts["weights"] == other.facts["weights"]


def test_arrays_of_an_attachment_cannot_be_changed(folder):
    with pytest.raises(ValueError, match="read-only"):
        store.attachment(attached(folder, ATTACHED), "episodes")["end_step"][0] = 0


def test_read_does_not_open_attachments(folder):
    run = attached(folder, ATTACHED)
    for kind in ATTACHED:
        (folder / run.facts[kind]["file"]).write_bytes(b"")
    assert [found.facts for found in store.read(folder).runs] == [run.facts]
    assert store.read(folder).damaged == ()


def test_the_error_for_a_missing_attachment_names_the_attachments_of_the_run(folder):
    run = attached(folder, ATTACHED)
    for kind in ("videos", "curves", "game"):
        with pytest.raises(ValueError, match=f"no '{kind}' attached: it has episodes, weights"):
            store.attachment(run, kind)
    with pytest.raises(ValueError, match="no 'videos' attached: it has nothing"):
        store.attachment(attached(folder, None, seed=1), "videos")


def test_the_attachment_of_a_run_that_was_never_stored_is_an_error(folder):
    run = attached(folder, ATTACHED)
    with pytest.raises(ValueError, match="was never stored: read it from its folder to get its weights"):
        store.attachment(Run(run.facts, run.curves), "weights")


@pytest.mark.parametrize(
    ("attachments", "message"),
    [
        ({"Weights": {"x": np.zeros(1)}}, "'Weights' must consist of lower-case letters"),
        ({"../x": {"x": np.zeros(1)}}, r"'../x' must consist of lower-case letters"),
        ({"cost": {"x": np.zeros(1)}}, "'cost' is the name of a fact"),
        ({"curves": {"x": np.zeros(1)}}, "'curves' is the name of a fact"),
        ({"weights": {}}, "'weights' holds no arrays: leave it out"),
        ({"weights": {"": np.zeros(1)}}, "'' of 'weights' must have a name"),
        ({"weights": {"x": np.array(["a"])}}, "'x' of 'weights' has dtype <U1"),
        ({"weights": {"x": np.array([1j])}}, "'x' of 'weights' has dtype complex128"),
        ({"weights": {"x": [None]}}, "'x' of 'weights' has dtype object"),
    ],
)
def test_an_invalid_attachment_is_refused_and_nothing_is_written(folder, attachments, message):
    with pytest.raises(ValueError, match=message):
        store.write(folder, synthetic_runs.facts(), synthetic_runs.curves(), attachments)
    assert not folder.exists()


def test_curves_without_points_are_not_written(folder):
    with pytest.raises(ValueError, match="must be 1-D and as long as"):
        store.write(folder, synthetic_runs.facts(), {"steps": np.zeros(0), "loss": np.zeros(0)})
    assert not folder.exists()


# Identifiers.

plain = st.recursive(
    st.none() | st.booleans() | st.integers(-1000, 1000) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=50)
@given(st.dictionaries(st.text(), plain, min_size=2, max_size=4))
def test_identifiers_do_not_depend_on_the_order_of_keys(determinants):
    backwards = dict(reversed(determinants.items()))
    assert store.identifier(determinants) == store.identifier(backwards)


def test_an_identifier_is_the_hash_of_canonical_json():
    text = '{"discount":1,"seed":3,"widths":[64,64]}'
    expected = hashlib.sha256(text.encode()).hexdigest()[:16]
    assert store.identifier({"widths": (64, 64), "seed": 3, "discount": 1.0}) == expected


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [(1, 1.0, True), (0.0, -0.0, True), ((1, 2), [1, 2], True), (True, 1, False), ("1", 1, False), (0.1, 0.2, False)],
)
def test_equal_numbers_are_the_same_setting(one, other, equal):
    assert (store.identifier({"x": one}) == store.identifier({"x": other})) == equal


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (float("nan"), r"a\.b\[1\] = nan is not finite"),
        (float("inf"), "is not finite"),
        (np.float32(0.001), "is a float32: convert it"),
        (object, "is a type: convert it"),
        ({1: 2}, "has the key 1: keys are strings"),
    ],
    ids=str,
)
def test_a_value_that_is_not_plain_or_finite_has_no_identifier(value, message):
    with pytest.raises(ValueError, match=message):
        store.identifier({"a": {"b": [0, value]}})


# Invalid records are refused before anything is written.


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda facts: facts.pop("seed"), "seed is missing"),
        (lambda facts: facts["evaluation"].pop("episodes"), "evaluation.episodes is missing"),
        (lambda facts: facts.update(seed="3"), "seed = '3' must be int"),
        (lambda facts: facts.update(seed=True), "seed = True must be int"),
        (lambda facts: facts.update(schema=2), "schema = 2 is unknown"),
        (lambda facts: facts.update(id="../escape"), "must be 16 hex digits"),
        (lambda facts: facts.update(base_settings=True), "base_settings = True must be"),
        (lambda facts: facts["cost"].update(wall_seconds=float("nan")), "cost.wall_seconds = nan is not finite"),
    ],
)
def test_invalid_facts_are_not_written(folder, change, message):
    facts = synthetic_runs.facts()
    change(facts)
    with pytest.raises(ValueError, match=message):
        store.write(folder, facts, synthetic_runs.curves())
    assert not folder.exists()


@pytest.mark.parametrize(
    ("curves", "message"),
    [
        ({"loss": np.zeros(3)}, "lack 'steps'"),
        ({"steps": np.arange(3), "loss": np.zeros(2)}, r"'loss' has shape \(2,\)"),
        ({"steps": np.arange(3), "loss": np.zeros((3, 1))}, r"'loss' has shape \(3, 1\)"),
        ({"steps": np.zeros(0), "loss": np.zeros(0)}, r"has shape \(0,\)"),
        ({"steps": np.array([1, 1])}, "whole and increasing"),
        ({"steps": np.array([0.5, 1.0])}, "whole and increasing"),
        ({"steps": np.arange(2), "loss": np.array([None, 1])}, "'loss' has dtype object"),
        ({"steps": np.arange(2), "loss": np.array([1j, 1])}, "'loss' has dtype complex128"),
    ],
)
def test_invalid_curves_are_not_written(folder, curves, message):
    with pytest.raises(ValueError, match=message):
        store.write(folder, synthetic_runs.facts(), curves)
    assert not folder.exists()


# Nothing is overwritten.


def test_a_complete_run_is_never_overwritten(folder):
    id = write(folder)
    before = {name: (folder / name).read_bytes() for name in names(folder)}
    with pytest.raises(store.CompleteAlready, match=f"{id}.json is complete already"):
        store.write(folder, synthetic_runs.facts(), synthetic_runs.curves(seed=99))
    assert {name: (folder / name).read_bytes() for name in names(folder)} == before


def test_exactly_one_of_several_concurrent_writers_stores_its_run(folder):
    facts = synthetic_runs.facts()
    for _ in range(10):
        barrier, winners, losers = threading.Barrier(4), [], []

        def race(number, barrier=barrier, winners=winners, losers=losers):
            curves = {"steps": np.arange(100), "loss": np.full(100, number)}
            attachments = {"weights": {"kernel": np.full(100, number)}, "episodes": {"end_step": np.arange(5)}}
            barrier.wait()
            try:
                store.write(folder, facts | {"cost": facts["cost"] | {"wall_seconds": number}}, curves, attachments)
                winners.append(number)
            except FileExistsError:
                losers.append(number)

        threads = [threading.Thread(target=race, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(winners) == 1
        assert len(losers) == 3
        run = store.find(folder, facts["id"])
        assert run.facts["cost"]["wall_seconds"] == winners[0]
        assert set(run.curves["loss"]) == set(winners)
        assert set(store.attachment(run, "weights")["kernel"]) == set(winners)
        assert store.attachment(run, "episodes")["end_step"].tolist() == [0, 1, 2, 3, 4]
        assert len(names(folder)) == 4
        for name in names(folder):
            (folder / name).unlink()


@pytest.mark.parametrize("content", ["other arrays", "the same arrays"])
def test_a_writer_that_loses_the_race_leaves_the_other_run_complete(folder, monkeypatch, content):
    facts = synthetic_runs.facts()
    number = 2 if content == "other arrays" else 1
    mine, my_weights = synthetic_runs.curves(seed=1), {"weights": {"kernel": [1]}}
    theirs, their_weights = synthetic_runs.curves(seed=number), {"weights": {"kernel": [number]}}
    link = os.link

    def link_after_the_other(source, target):
        if str(target).endswith(".json"):
            monkeypatch.setattr(os, "link", link)
            store.write(folder, facts, theirs, their_weights)
        link(source, target)

    monkeypatch.setattr(os, "link", link_after_the_other)
    with pytest.raises(FileExistsError, match="is complete already"):
        store.write(folder, facts, mine, my_weights)
    run = store.find(folder, facts["id"])
    np.testing.assert_array_equal(run.curves["evaluation_return"], theirs["evaluation_return"].astype(np.float32))
    assert store.attachment(run, "weights")["kernel"].tolist() == [number]
    assert names(folder) == sorted([f"{facts['id']}.json", *(run.facts[key]["file"] for key in ("curves", "weights"))])


# Interruptions.


@pytest.mark.parametrize("call", range(9))
def test_a_write_interrupted_at_any_call_leaves_all_or_nothing_and_can_be_repeated(folder, monkeypatch, call):
    other = write(folder, seed=1)
    facts, curves, weights = synthetic_runs.facts(seed=2), synthetic_runs.curves(seed=2), {"weights": {"kernel": [3]}}
    calls = 0

    def interrupted(function):
        def call_or_stop(*arguments):
            nonlocal calls
            calls += 1
            if calls == call + 1:
                raise KeyboardInterrupt
            return function(*arguments)

        return call_or_stop

    with monkeypatch.context() as patch:  # the file, its name and the folder: for curves, for weights, for facts
        patch.setattr(os, "fsync", interrupted(os.fsync))
        patch.setattr(os, "link", interrupted(os.link))
        with pytest.raises(KeyboardInterrupt):
            store.write(folder, facts, curves, weights)

    complete = call == 8  # the facts have their name already
    results = store.read(folder)
    assert [run.facts["seed"] for run in results.runs] == ([1, 2] if complete else [1])
    assert results.damaged == ()
    assert store.find(folder, other) is not None
    if not complete:
        assert store.find(folder, facts["id"]) is None
        store.write(folder, facts, curves, weights)
    run = store.find(folder, facts["id"])
    assert run.curves["loss"].shape == (40,)
    assert store.attachment(run, "weights")["kernel"].tolist() == [3]
    assert len(names(folder)) == 5


def test_arrays_without_facts_are_no_run_and_are_replaced(folder):
    facts = synthetic_runs.facts()
    path = store.write(folder, facts, synthetic_runs.curves(seed=1), ATTACHED)
    path.unlink()
    assert store.read(folder) == ((), ())
    assert store.find(folder, facts["id"]) is None
    store.write(folder, facts, synthetic_runs.curves(seed=2))
    run = store.find(folder, facts["id"])
    assert names(folder) == sorted([path.name, run.facts["curves"]["file"]])
    np.testing.assert_allclose(
        run.curves["evaluation_return"], synthetic_runs.curves(seed=2)["evaluation_return"], rtol=1e-6
    )


def test_damaged_curves_without_facts_do_not_become_a_run(folder):
    facts, curves = synthetic_runs.facts(), synthetic_runs.curves()
    path = store.write(folder, facts, curves)
    curves_path = folder / json.loads(path.read_bytes())["curves"]["file"]
    path.unlink()
    curves_path.write_bytes(b"half")
    store.write(folder, facts, curves)
    assert store.find(folder, facts["id"]).curves["loss"].shape == (40,)


def test_temporary_files_are_ignored_and_removed_when_a_day_old(folder):
    write(folder, seed=1)
    old, new = folder / ".a.json.0.tmp", folder / ".b.json.0.tmp"
    for path in (old, new):
        path.write_text('{"half":')
    os.utime(old, (time.time() - 2 * 86_400,) * 2)
    assert len(store.read(folder).runs) == 1
    assert store.read(folder).damaged == ()
    write(folder, seed=2)
    assert not old.exists()
    assert new.exists()


# Damage.


def truncate(path):
    path.write_bytes(path.read_bytes()[:-20])


def change_facts(**changes):
    def damage(path):
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return damage


def forget(key):
    def damage(path):
        record = json.loads(path.read_text())
        del record[key]
        path.write_text(json.dumps(record))

    return damage


def curves_of(path):
    return path.parent / json.loads(path.read_text())["curves"]["file"]


def replace_curves(content):
    """Returns a function that replaces the arrays and their sha256, so that the hash does not show the damage."""

    def damage(path):
        record = json.loads(path.read_text())
        curves_of(path).write_bytes(content)
        record["curves"]["sha256"] = hashlib.sha256(content).hexdigest()
        path.write_text(json.dumps(record))

    return damage


def packed(**named):
    buffer = io.BytesIO()
    np.savez(buffer, **named)
    return buffer.getvalue()


def header(*shape):
    """Returns an npz of curves with a header of this shape and no data."""
    described = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}".encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("steps.npy", b"\x93NUMPY\x01\x00" + len(described).to_bytes(2, "little") + described)
    return buffer.getvalue()


DAMAGE = {
    "facts cut short": (truncate, "json", "is not a complete record"),
    "facts empty": (lambda path: path.write_text(""), "json", "is not a complete record"),
    "facts not text": (lambda path: path.write_bytes(b"\xff\xfe\x00"), "json", "is not a complete record"),
    "facts with NaN": (lambda path: path.write_text('{"schema": NaN}'), "json", "NaN is not JSON"),
    "facts not a dictionary": (lambda path: path.write_text("[]"), "json", "must be a dictionary"),
    "facts nested": (lambda path: path.write_text("[" * 100_000), "json", "maximum recursion depth"),
    "facts with a number that is none": (lambda path: path.write_text('{"schema": 1e999}'), "json", "is not finite"),
    "facts without seed": (forget("seed"), "json", "seed is missing"),
    "facts without curves": (forget("curves"), "json", "curves must name"),
    "schema of the future": (change_facts(schema=2), "json", "schema = 2 is unknown"),
    "facts of another run": (change_facts(id="0" * 16), "json", "holds the run 0000000000000000"),
    "curves elsewhere": (
        change_facts(curves={"file": "../../secret.npz", "sha256": "", "names": []}),
        "json",
        "is not the name of curves",
    ),
    "curves lost": (lambda path: curves_of(path).unlink(), "json", "has no file of curves"),
    "curves cut short": (lambda path: truncate(curves_of(path)), "npz", "sha256 differs"),
    "curves changed": (lambda path: curves_of(path).write_bytes(packed(steps=[1])), "npz", "sha256 differs"),
    "curves not an archive": (replace_curves(b"PK\x03\x04 no archive"), "npz", "holds no curves"),
    "curves of 400 TB": (replace_curves(header(10**14)), "npz", "holds no curves"),
    "curves of more than can be counted": (replace_curves(header(10**30)), "npz", "holds no curves"),
    "curves not arrays": (replace_curves(b"no archive"), "npz", "holds no curves"),
    "curves of other names": (replace_curves(packed(steps=[1], x=[1.0])), "npz", r"holds \['steps', 'x'\]"),
    "curves of other lengths": (replace_curves(packed(steps=[1, 2], loss=[1.0])), "npz", "holds no curves"),
}


@pytest.mark.parametrize(("damage", "suffix", "reason"), DAMAGE.values(), ids=DAMAGE)
def test_the_error_of_a_damaged_record_has_reason_and_remedy_and_other_runs_are_read(folder, damage, suffix, reason):
    good = write(folder, seed=1)
    bad = write(folder, seed=2)
    damage(folder / f"{bad}.json")
    results = store.read(folder)
    assert [run.facts["id"] for run in results.runs] == [good]
    (problem,) = results.damaged
    assert problem.file.name.startswith(bad)
    assert problem.file.suffix == f".{suffix}"
    with pytest.raises(DamagedResult, match=reason) as raised:
        store.find(folder, bad)
    assert str(raised.value) == str(problem)
    assert problem.remedy in str(problem)


@pytest.mark.parametrize("damage", ["facts cut short", "curves lost", "curves cut short"])
def test_following_the_remedy_repairs_the_store(folder, damage):
    facts, curves = synthetic_runs.facts(), synthetic_runs.curves()
    path = store.write(folder, facts, curves)
    DAMAGE[damage][0](path)
    (problem,) = store.read(folder).damaged
    assert f"Delete {path.name} and run the study again" in problem.remedy
    with pytest.raises(FileExistsError):
        store.write(folder, facts, curves)
    path.unlink()
    store.write(folder, facts, curves)
    assert len(store.read(folder).runs) == 1
    assert store.read(folder).damaged == ()
    assert len(names(folder)) == 2


def attached_to(path):
    return path.parent / json.loads(path.read_text())["weights"]["file"]


def replace_weights(content, **changes):
    """Returns a function that replaces the arrays and their sha256, so that the hash does not show the damage."""

    def damage(path):
        record = json.loads(path.read_text())
        attached_to(path).write_bytes(content)
        record["weights"] |= {"sha256": hashlib.sha256(content).hexdigest(), **changes}
        path.write_text(json.dumps(record))

    return damage


def describe_weights(**described):
    return change_facts(weights=described)


ATTACHMENT_DAMAGE = {
    "lost": (lambda path: attached_to(path).unlink(), "json", r"has no file of weights, \w+-\w+\.weights\.npz"),
    "cut short": (lambda path: truncate(attached_to(path)), "npz", "sha256 differs"),
    "not an archive": (replace_weights(b"PK\x03\x04 no archive"), "npz", "holds no weights"),
    "of other names": (replace_weights(packed(x=[1.0])), "npz", r"holds {'x': \[1\]}, not {'file': \[\], 'torso"),
    "elsewhere": (
        describe_weights(file="../a-b.weights.npz", sha256="", shapes={}),
        "json",
        "is not the name of weights",
    ),
    "of another kind": (describe_weights(file="a-b.episodes.npz", sha256="", shapes={}), "json", "is not the name of"),
    "the curves": (describe_weights(file="a-b.npz", sha256="", shapes={}), "json", "is not the name of weights"),
    "without hash": (describe_weights(file="a-b.weights.npz", shapes={}), "json", "must name file, sha256 and shapes"),
}


@pytest.mark.parametrize(("damage", "suffix", "reason"), ATTACHMENT_DAMAGE.values(), ids=ATTACHMENT_DAMAGE)
def test_a_damaged_attachment_is_an_error_only_when_it_is_read(folder, damage, suffix, reason):
    run = attached(folder, ATTACHED)
    damage(folder / f"{run.facts['id']}.json")
    (run,) = store.read(folder).runs
    with pytest.raises(DamagedResult, match=reason) as raised:
        store.attachment(run, "weights")
    assert raised.value.file.suffix == f".{suffix}"
    assert f"Delete {run.facts['id']}.json and run the study again" in raised.value.remedy
    assert store.attachment(run, "episodes")["end_step"].tolist() == [9, 300]


class _WritesFile:
    """Writes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_an_array_larger_than_described_is_not_unpacked(folder, monkeypatch):
    run = attached(folder, ATTACHED)
    replace_weights(packed(x=np.zeros((1000, 1000))))(folder / f"{run.facts['id']}.json")
    (run,) = store.read(folder).runs
    monkeypatch.setattr(arrays, "unpack", pytest.fail)
    with pytest.raises(DamagedResult, match=r"holds {'x': \[1000, 1000\]}, not {'file': \[\], 'torso"):
        store.attachment(run, "weights")


def test_a_setting_may_be_larger_than_any_float(folder):
    for rate in (10**400, 1.0, 10**300):
        write(folder, settings={"rate": rate})
    assert [run.facts["settings"]["rate"] for run in store.read(folder).runs] == [1.0, 10**300, 10**400]


def test_reading_never_unpickles(folder, tmp_path):
    sprung = tmp_path / "sprung"
    path = folder / f"{write(folder)}.json"
    for content in (
        packed(steps=np.array([1]), loss=np.array([_WritesFile(sprung)], dtype=object)),
        __import__("pickle").dumps(_WritesFile(sprung)),
    ):
        replace_curves(content)(path)
        (problem,) = store.read(folder).damaged
        assert "holds no curves" in str(problem)
    run = attached(folder, ATTACHED, seed=1)
    path = folder / f"{run.facts['id']}.json"
    replace_weights(packed(kernel=np.array([_WritesFile(sprung)], dtype=object)), shapes={"kernel": [1]})(path)
    with pytest.raises(DamagedResult, match="holds no weights"):
        store.attachment(store.find(folder, run.facts["id"]), "weights")
    assert not sprung.exists()


# Layers.


def test_results_are_read_and_drawn_without_jax(folder, tmp_path):
    write(folder)
    program = """
import sys
for name in ("jax", "jaxlib", "flax", "optax", "chex", "gymnasium"):
    sys.modules[name] = None  # importing it raises
from jaxdqn.figures import captions, learning_curves, sensitivity, style, training_episodes
from jaxdqn.analysis import by_arm, statistics, study_tables
from jaxdqn.store import store
assert "matplotlib" not in sys.modules, "matplotlib must be imported where it is used"
runs = store.read(sys.argv[1]).runs
assert len(runs) == 1
print(study_tables.table(runs))
style.save(learning_curves.learning_curves(runs), sys.argv[2], captions.provenance(runs))
assert "matplotlib.pyplot" not in sys.modules, "pyplot holds global state"
"""
    arguments = [sys.executable, "-W", "error", "-c", program, str(folder), str(tmp_path / "figure")]
    done = subprocess.run(arguments, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "figure.png").exists()


# Parts of a run.


def scored(folder, score, **more):
    facts = synthetic_runs.facts(**more)
    store.write(folder, facts, {"steps": np.array([1, 2]), "evaluation_return": np.array([7.0, score])})
    return facts["id"]


def test_facts_and_a_single_curve_equal_those_of_the_run(tmp_path):
    for seed in range(3):
        scored(tmp_path, seed / 3, seed=seed)
    (tmp_path / "0123456789abcdef.json").write_text("{")
    found, whole = store.read_facts(tmp_path), store.read(tmp_path)
    assert [one.facts for one in found.records] == [run.facts for run in whole.runs]
    assert [str(problem) for problem in found.damaged] == [str(problem) for problem in whole.damaged] != []
    for one, run in zip(found.records, whole.runs, strict=True):
        np.testing.assert_array_equal(store.curve(one, "evaluation_return"), run.curves["evaluation_return"])
        assert store.load(one).facts == run.facts
    with pytest.raises(ValueError, match="has no curve 'loss': it has evaluation_return, steps"):
        store.curve(found.records[0], "loss")


def test_a_single_curve_of_a_changed_file_is_an_error(tmp_path):
    name = scored(tmp_path, 1.0)
    path = next(tmp_path.glob(f"{name}-*.npz"))
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(DamagedResult, match="has changed since it was written"):
        store.curve(store.read_facts(tmp_path).records[0], "evaluation_return")
