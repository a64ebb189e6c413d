import hashlib
import io
import json
import os
import re
import zipfile

import numpy as np
import pytest

from jaxdqn.store import files, store, weights
from tests.helpers import synthetic_runs

FACTS = {"game": {"name": "catch", "version": 1}, "configuration": {"type": "Config"}, "seed": 3}
NAMED = {"params/Dense_0/kernel": np.arange(6, dtype=np.float32).reshape(2, 3), "params/Dense_0/bias": np.zeros(3)}


@pytest.fixture
def saved(tmp_path):
    return weights.save(tmp_path / "agent", FACTS, NAMED)


def rewrite(path, **changes):
    """Replaces keys of a JSON file."""
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def replace_arrays(path, content, shapes=None):
    """Replaces the bytes of the arrays, and the sha256 in the facts."""
    path.with_suffix(".npz").write_bytes(content)
    described = json.loads(path.read_text())["weights"] | {"sha256": hashlib.sha256(content).hexdigest()}
    rewrite(path, weights=described | ({"shapes": shapes} if shapes else {}))


def npz(**named):
    buffer = io.BytesIO()
    np.savez(buffer, **named)
    return buffer.getvalue()


def test_weights_are_loaded_as_they_were_saved(saved):
    loaded = weights.load(saved)
    assert saved.name == "agent.json"
    assert sorted(path.name for path in saved.parent.iterdir()) == ["agent.json", "agent.npz"]
    assert {key: loaded.facts[key] for key in FACTS} == FACTS
    assert loaded.facts["weights"]["shapes"] == {"params/Dense_0/bias": [3], "params/Dense_0/kernel": [2, 3]}
    assert loaded.path == saved
    for name, values in NAMED.items():
        np.testing.assert_array_equal(loaded.arrays[name], values.astype(np.float32), strict=True)
        assert not loaded.arrays[name].flags.writeable


def test_weights_of_a_stored_run_are_loaded_from_its_record(tmp_path):
    path = store.write(tmp_path, synthetic_runs.facts(), synthetic_runs.curves(), {"weights": NAMED})
    loaded = weights.load(path)
    np.testing.assert_array_equal(loaded.arrays["params/Dense_0/kernel"], NAMED["params/Dense_0/kernel"])
    assert loaded.facts["algorithm"] == "DQN"


def test_paths_join_the_keys_of_nested_dictionaries():
    nested = {"params": {"Dense_0": {"bias": 1, "kernel": 2}, "scale": 3}, "stats": 4}
    flat = {"params/Dense_0/bias": 1, "params/Dense_0/kernel": 2, "params/scale": 3, "stats": 4}
    assert weights.flatten(nested) == flat
    assert weights.unflatten(flat) == nested


@pytest.mark.parametrize("taken", ["agent.json", "agent.npz"])
def test_weights_are_never_overwritten(tmp_path, taken):
    (tmp_path / taken).write_text("mine")
    with pytest.raises(FileExistsError, match=f"{taken} exists and weights are never overwritten"):
        weights.save(tmp_path / "agent", FACTS, NAMED)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [(taken, "mine")]


def test_an_interrupted_save_leaves_nothing(tmp_path, monkeypatch):
    write_new = files.write_new

    def interrupted(path, content):
        if path.suffix == ".json":
            raise KeyboardInterrupt
        write_new(path, content)

    monkeypatch.setattr(files, "write_new", interrupted)
    with pytest.raises(KeyboardInterrupt):
        weights.save(tmp_path / "agent", FACTS, NAMED)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "facts", "named", "sentence"),
    [
        ("agent.npz", FACTS, NAMED, "has a suffix: give the path without it"),
        ("agent", FACTS | {"configuration": None}, NAMED, "lacks configuration"),
        ("agent", FACTS | {"game": {"name": "catch"}}, NAMED, "lacks game.version"),
        ("agent", FACTS | {"seed": np.int64(3)}, NAMED, "seed = np.int64(3) is a int64"),
        ("agent", FACTS, {}, "holds no arrays"),
    ],
)
def test_save_refuses_unusable_weights_and_writes_nothing(tmp_path, name, facts, named, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        weights.save(tmp_path / name, facts, named)
    assert list(tmp_path.iterdir()) == []


def lose_arrays(path):
    path.with_suffix(".npz").unlink()


def change_a_byte(path):
    content = bytearray(path.with_suffix(".npz").read_bytes())
    content[len(content) // 2] ^= 1
    path.with_suffix(".npz").write_bytes(bytes(content))


def cut_short(path):
    replace_arrays(path, path.with_suffix(".npz").read_bytes()[:-40])


def forge_a_huge_header(path):
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000000,), }"
    member = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("params/Dense_0/kernel.npy", member)
    replace_arrays(path, buffer.getvalue())


def describe(**changes):
    return lambda path: rewrite(path, weights=json.loads(path.read_text())["weights"] | changes)


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lose_arrays, "agent.json has no file of weights, agent.npz: copy it into the same folder."),
        (change_a_byte, "agent.npz has changed since it was written (its sha256 differs)"),
        (cut_short, "agent.npz holds no arrays (File is not a zip file)"),
        (lambda path: replace_arrays(path, b""), "agent.npz holds no arrays (No data left in file)"),
        (
            lambda path: replace_arrays(path, npz(x=np.zeros(2))),
            "agent.npz has shapes {'x': [2]}, but agent.json has {'par",
        ),
        (
            lambda path: replace_arrays(path, npz(x=np.zeros(2, int)), {"x": [2]}),
            "has dtype int64 for x: weights must be real",
        ),
        (forge_a_huge_header, "agent.npz holds no arrays ("),
        (describe(file="../agent.npz"), "has weights.file = '../agent.npz': it must be the name of an npz in the"),
        (describe(file="/agent.npz"), "has weights.file = '/agent.npz'"),
        (describe(file="agent.json"), "has weights.file = 'agent.json'"),
        (describe(file=["agent.npz"]), "has weights.file = ['agent.npz']"),
        (describe(sha256=None), "agent.npz has changed since it was written"),
        (describe(shapes=None), "but agent.json has None:"),
        (lambda path: rewrite(path, weights=3), "agent.json has no weights: add seed 3 to weights_of"),
        (lambda path: path.write_text("[]"), "agent.json has no weights"),
        (
            lambda path: rewrite(path, configuration="QNetwork"),
            "agent.json lacks configuration: weights need",
        ),
        (lambda path: rewrite(path, game={"version": 1}), "agent.json lacks game.name"),
        (lambda path: path.write_text("{"), "agent.json is damaged (Expecting property name"),
        (lambda path: path.write_text('{"score": NaN}'), "agent.json is damaged (NaN is not JSON)"),
        (lambda path: path.write_bytes(b"\xff"), "agent.json is damaged ('utf-8' codec"),
        (lambda path: path.write_text("[" * 100_000), "agent.json is damaged (maximum recursion depth"),
        (lambda path: path.unlink(), "No such file"),
    ],
    ids=lambda value: re.sub("[^a-z]+", " ", value)[:60] if isinstance(value, str) else "",
)
def test_damaged_or_foreign_weights_raise_an_error_of_one_sentence(saved, damage, sentence):
    damage(saved)
    with pytest.raises((ValueError, FileNotFoundError), match=re.escape(sentence)):
        weights.load(saved)


def test_loading_runs_no_code(saved, tmp_path):
    class Trap:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "sprung"),))

    content = npz(x=np.array([Trap()], object))
    replace_arrays(saved, content, {"x": [1]})
    with pytest.raises(ValueError, match=r"agent\.npz holds no arrays"):
        weights.load(saved)
    assert not (tmp_path / "sprung").exists()
    np.load(io.BytesIO(content), allow_pickle=True)["x"]  # the trap itself works
    assert (tmp_path / "sprung").exists()


def test_the_best_weights_are_those_of_an_earlier_step_or_the_last_ones(tmp_path):
    last, earlier = {"params/bias": np.zeros(2)}, {"best/params/bias": np.ones(2)}
    paths = [
        store.write(tmp_path, synthetic_runs.facts(seed=seed) | facts, synthetic_runs.curves(), {"weights": named})
        for seed, (facts, named) in enumerate(
            [({"best_step": 40}, last | earlier), ({"best_step": 100}, last), ({}, last)]
        )
    ]
    found = [weights.load(path, best=True) for path in paths[:2]]
    assert [(list(one.arrays), one.arrays["params/bias"].tolist(), one.step) for one in found] == [
        (["params/bias"], [1.0, 1.0], 40),
        (["params/bias"], [0.0, 0.0], 100),
    ]
    for path in paths:
        assert {name: values.tolist() for name, values in weights.load(path).arrays.items()} == {
            "params/bias": [0.0, 0.0]
        }
    with pytest.raises(ValueError, match="does not say which weights are the best: leave out --best, or train again"):
        weights.load(paths[2], best=True)
