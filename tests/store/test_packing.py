"""Packed runs equal their loose records bit for bit, and interruptions or damage lose no run."""

import contextlib
import hashlib
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jaxdqn.store import archive, archive_columns, arrays, claims, files, packing, status, store, weights
from jaxdqn.store.manifest import Manifest
from jaxdqn.store.record import DamagedResult
from tests.helpers import synthetic_runs

WEIGHTS = {"params/Dense_0/kernel": np.arange(6, dtype=np.float32).reshape(2, 3), "params/scale": np.array(0.5)}
ODD = np.array([0x7FC00001, 0xFFC12345, 0x7F800000, 0x80000000], np.uint32).view(np.float32)  # NaNs with payloads, -0


@pytest.fixture
def folder(tmp_path):
    """Runs with only curves, with a log of episodes of several dtypes, with weights, and with one point."""
    folder = tmp_path / "study" / "runs"
    write(folder, seed=0)
    write(folder, seed=1, episodes={"end_step": np.array([1, 255]), "won": np.array([True, False])}, weights=WEIGHTS)
    write(folder, seed=2, episodes={"end_step": np.array([-1, 70_000]), "board": np.ones((2, 3, 1)) * 0.1})
    odd = {"steps": np.arange(1, 5), "evaluation_return": ODD, "updates": np.arange(4) + 2**60}
    write(folder, curves=odd, seed=3, settings={"learning_rate": 1}, notes={"a": [1, {"b": None}], "ü": True})
    write(folder, curves={"steps": np.ones(1)}, seed=4, note="Traceback ...", settings={"learning_rate": 0.1})
    return folder


def write(folder, curves=None, weights=None, episodes=None, **described):
    facts = synthetic_runs.facts(**described)
    attached = {"weights": weights, "episodes": episodes}
    attached = {kind: named for kind, named in attached.items() if named is not None}
    store.write(folder, facts, synthetic_runs.curves(seed=facts["seed"]) if curves is None else curves, attached)
    return facts["id"]


def bits(named):
    return {name: (values.dtype, values.shape, values.tobytes()) for name, values in named.items()}


def everything(folder):
    """Returns everything that the store reads from a folder: facts as text, and the bits of all arrays."""
    found = store.read(folder)
    assert found.damaged == ()
    assert [record.facts for record in store.read_facts(folder).records] == [run.facts for run in found.runs]
    for run in found.runs:
        assert store.find(folder, run.facts["id"]).facts == run.facts
    return [
        (
            json.dumps(run.facts),
            bits(run.curves),
            {kind: bits(store.attachment(run, kind)) for kind in ("episodes", "weights") if kind in run.facts},
        )
        for run in found.runs
    ]


def names(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_packed_runs_are_read_as_before_bit_for_bit(folder):
    before = everything(folder)
    assert packing.pack(folder) == packing.Packed(5, 5)
    assert sorted(path.name for path in folder.parent.iterdir()) == ["runs.parquet", "runs.weights.npz"]
    assert everything(folder) == before
    run = store.read(folder).runs[0]
    assert run.folder == folder
    assert not any(values.flags.writeable for values in run.curves.values())
    (record, *_) = store.read_facts(folder).records
    np.testing.assert_array_equal(store.curve(record, "loss"), run.curves["loss"])
    with pytest.raises(ValueError, match="has no curve 'returns': it has"):
        store.curve(record, "returns")
    assert store.load(record).facts == run.facts
    assert store.find(folder, "0" * 16) is None


def test_a_folder_without_a_name_is_read_too(folder, monkeypatch):
    before = everything(folder)
    monkeypatch.chdir(folder)
    assert everything(Path()) == before
    assert archive.files_of(Path()) == archive.files_of(Path("..", folder.name).resolve())


def test_equal_runs_give_equal_bytes(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "again" / "runs")
    packing.pack(folder)
    packing.pack(tmp_path / "again" / "runs")
    for one, other in zip(archive.files_of(folder), archive.files_of(tmp_path / "again" / "runs"), strict=True):
        assert one.read_bytes() == other.read_bytes()


def test_a_study_is_extended_and_packed_again(folder):
    before = everything(folder)
    packing.pack(folder)
    with pytest.raises(store.CompleteAlready, match=r"Run .* is complete already .* drop it"):
        write(folder, seed=0)
    new = write(folder, seed=9, weights=WEIGHTS)
    assert store.ids(folder) >= {new}
    both = everything(folder)
    assert [one for one in both if new not in one[0]] == before
    assert packing.pack(folder) == packing.Packed(6, 1)
    assert everything(folder) == both
    assert packing.pack(folder) == packing.Packed(6, 0)
    assert everything(folder) == both


STEPS = 19  # calls of the system that change files, until a study is packed


@pytest.mark.parametrize("step", range(STEPS + 1))
def test_a_process_that_ends_between_two_steps_loses_nothing(folder, monkeypatch, step):
    packing.pack(folder)
    write(folder, seed=8, weights=WEIGHTS)
    write(folder, seed=9)
    before, left = everything(folder), step

    def ending(call):
        def instead(what, *arguments, **more):
            nonlocal left
            left -= "claims" not in str(what)
            if left < 0:
                raise KeyboardInterrupt
            return call(what, *arguments, **more)

        return instead

    for name in ("unlink", "replace", "rmdir", "fsync"):
        monkeypatch.setattr(os, name, ending(getattr(os, name)))
    monkeypatch.setattr(packing, "_exclusive", lambda folder: contextlib.nullcontext(()))
    try:
        packing.pack(folder)
    except KeyboardInterrupt:
        assert step < STEPS
    else:
        assert step == STEPS
    monkeypatch.undo()
    assert everything(folder) == before
    packing.pack(folder)
    assert everything(folder) == before
    left_over = [name for name in names(folder.parent) if not name.endswith(".tmp")]
    assert left_over == ["runs.parquet", "runs.weights.npz"]


def test_an_archive_that_differs_when_it_is_read_back_is_not_kept(folder, monkeypatch):
    before, content = everything(folder), archive_columns.content
    monkeypatch.setattr(archive_columns, "content", lambda runs: content(runs[1:]))
    with pytest.raises(OSError, match="differs when it is read back: the archive stays as it was"):
        packing.pack(folder)
    monkeypatch.setattr(archive_columns, "content", lambda runs: content([runs[1]._replace(arrays=runs[0].arrays)]))
    with pytest.raises((OSError, DamagedResult)):
        packing.pack(folder)
    assert everything(folder) == before
    assert not archive.files_of(folder).runs.exists()


@pytest.mark.parametrize("change", [lambda packed: b"noise", lambda packed: arrays.pack({})])
def test_weights_that_differ_when_they_are_read_back_leave_the_archive_as_it_was(folder, monkeypatch, change):
    packing.pack(folder)
    write(folder, seed=8, weights=WEIGHTS)
    before, content = [path.read_bytes() for path in archive.files_of(folder)], archive_columns.content

    def damaged(runs):
        table, packed = content(runs)
        return table, change(packed)

    monkeypatch.setattr(archive_columns, "content", damaged)
    with pytest.raises(OSError, match=r"weights.npz.* when it is read back: the archive stays as it was"):
        packing.pack(folder)
    assert [path.read_bytes() for path in archive.files_of(folder)] == before
    assert sorted(path.name for path in folder.parent.iterdir()) == ["runs", "runs.parquet", "runs.weights.npz"]


def test_old_temporary_files_of_an_interrupted_packer_are_removed(folder):
    old, new = (folder.parent / f".runs.parquet.{name}.tmp" for name in ("old", "new"))
    for path in (old, new):
        path.touch()
    os.utime(old, (0, 0))
    packing.pack(folder)
    assert (old.exists(), new.exists()) == (False, True)


def test_a_study_that_starts_before_the_archive_is_claimed_is_not_packed(folder, monkeypatch):
    claim = claims.Claims.claim

    def late(self, cells, most):
        claim(other, ["a"], 1)
        return claim(self, cells, most)

    with claims.Claims(folder.parent / "claims") as other:
        monkeypatch.setattr(claims.Claims, "claim", late)
        with pytest.raises(ValueError, match=f"is in use by process {os.getpid()}"):
            packing.pack(folder)
    assert not archive.files_of(folder).runs.exists()


def test_a_running_study_is_not_packed(folder):
    with claims.Claims(folder.parent / "claims") as other:
        other.claim(["a"], 1)
        with pytest.raises(ValueError, match=f"is in use by process {os.getpid()}"):
            packing.pack(folder)


def test_a_damaged_loose_record_is_an_error_and_nothing_is_packed(folder):
    next(folder.glob("*.npz")).write_bytes(b"noise")
    with pytest.raises(DamagedResult, match="has changed since it was written"):
        packing.pack(folder)
    assert not archive.files_of(folder).runs.exists()


def test_two_different_runs_with_one_identifier_are_not_packed(folder):
    packing.pack(folder)
    elsewhere = folder.parent / "elsewhere"
    id = write(elsewhere, curves={"steps": np.array([1])}, seed=0)
    elsewhere.rename(folder)
    with pytest.raises(ValueError, match=f"Run {id} is in .* and in its archive with different content"):
        packing.pack(folder)


def test_dropped_runs_can_be_written_again(folder):
    packing.pack(folder)
    first, *others = [run.facts["id"] for run in store.read(folder).runs]
    packing.drop(folder, [first])
    assert store.ids(folder) == set(others)
    assert write(folder, seed=0) == first
    assert store.ids(folder) == {first, *others}
    with pytest.raises(ValueError, match="has no run '0"):
        packing.drop(folder, ["0" * 16])
    packing.drop(folder, others)
    assert not any(path.exists() for path in archive.files_of(folder))
    assert store.ids(folder) == {first}


# What is damaged.


def rewrite(folder, name, change):
    """Changes the values of a column and nothing else."""
    path = archive.files_of(folder).runs
    table = pq.read_table(path)
    index = table.schema.get_field_index(name)
    values = change(table[name].to_pylist())
    pq.write_table(table.set_column(index, name, pa.array(values, table.schema.field(name).type)), path)


def change_at(row, value):
    return lambda values: [value if number == row else each for number, each in enumerate(values)]


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("curves.loss", [0.5] * 40, "the sha256 of its curves differs"),
        ("curves.loss", None, "its curves cannot be read: an array is missing"),
        ("sha256.curves", None, "the sha256 of its curves differs"),
        ("dtypes", '{"curves.loss": "no such type"}', "its curves cannot be read"),
        ("facts", "{}", "the sha256 of its facts differs"),
        ("facts", None, "the sha256 of its facts differs"),
    ],
)
def test_the_error_of_a_damaged_row_names_its_run_and_the_others_are_read(folder, column, value, reason):
    before = everything(folder)
    packing.pack(folder)
    rewrite(folder, column, change_at(1, value))
    found = store.read(folder)
    (problem,) = found.damaged
    id = json.loads(before[1][0])["id"]
    assert f"runs.parquet is damaged at run {id} ({reason}" in str(problem)
    assert f"jaxdqn pack STUDY --drop {id}" in str(problem)
    assert [run.facts["id"] for run in found.runs] == [json.loads(one[0])["id"] for one in before if id not in one[0]]
    with pytest.raises(DamagedResult):
        packing.drop(folder, [found.runs[0].facts["id"]])
    packing.drop(folder, [id])
    assert everything(folder) == [one for one in before if id not in one[0]]


def test_facts_of_another_schema_or_run_with_the_right_hash_are_refused(folder):
    packing.pack(folder)
    for number, change in enumerate(({"schema": 99}, {"id": "0" * 16})):
        facts = store.read_facts(folder).records[0].facts | change
        text = json.dumps(facts)
        rewrite(folder, "facts", change_at(number, text))
        rewrite(folder, "sha256", change_at(number, hashlib.sha256(text.encode()).digest()))
    assert [reason for reason in map(str, store.read_facts(folder).damaged) if "schema = 99" in reason]
    assert [reason for reason in map(str, store.read_facts(folder).damaged) if f"those of {'0' * 16}" in reason]


@pytest.mark.parametrize("content", [b"", b"PAR1 noise PAR1", None])
def test_a_damaged_archive_is_one_error_and_loose_records_are_read(folder, content):
    packing.pack(folder)
    path = archive.files_of(folder).runs
    path.write_bytes(path.read_bytes()[:-100] if content is None else content)
    new = write_beside(folder)
    found = store.read(folder)
    (problem,) = found.damaged
    assert str(problem).startswith(f"{path} is no archive of runs, or is damaged (")
    assert "\n" not in str(problem)
    assert [run.facts["id"] for run in found.runs] == [new]
    with pytest.raises(OSError, match="is no archive of runs"):  # else all its runs would be made again
        store.ids(folder)
    with pytest.raises(OSError, match="is no archive of runs"):
        write(folder, seed=10)


def write_beside(folder):
    id = write(folder.parent / "other", seed=9)
    (folder.parent / "other").rename(folder)
    return id


def test_the_errors_of_undecodable_bytes_name_the_runs(folder):
    before = everything(folder)
    packing.pack(folder)
    path = archive.files_of(folder).runs
    chunk = next(
        chunk
        for chunk in map(pq.ParquetFile(path).metadata.row_group(0).column, range(200))
        if chunk.path_in_schema.startswith("curves.loss")
    )
    content = bytearray(path.read_bytes())
    start = chunk.data_page_offset
    content[start : start + chunk.total_compressed_size] = b"\xff" * chunk.total_compressed_size
    path.write_bytes(content)
    found = store.read(folder)
    assert (len(found.runs), len(found.damaged)) == (0, len(before))
    assert all("runs.parquet is damaged at run" in str(problem) for problem in found.damaged)
    assert len(store.read_facts(folder).records) == len(before)


# Readers.


def test_packed_weights_are_loaded_by_the_earlier_path_of_the_facts(folder):
    (path,) = [path for path in folder.glob("*.json") if "weights" in json.loads(path.read_text())]
    before = weights.load(path)
    (without, *_) = [path for path in folder.glob("*.json") if "weights" not in json.loads(path.read_text())]
    packing.pack(folder)
    after = weights.load(path)
    assert (after.facts, after.path, bits(after.arrays)) == (before.facts, path, bits(before.arrays))
    assert path in weights.facts_in(folder)
    with pytest.raises(ValueError, match="has no weights"):
        weights.load(without)
    archive.files_of(folder).weights.write_bytes(b"noise")
    with pytest.raises(
        ValueError, match=rf"/runs\.weights\.npz is damaged at run {path.stem} \(its weights cannot be read"
    ):
        weights.load(path)
    archive.files_of(folder).weights.unlink()
    with pytest.raises(
        ValueError, match=rf"/runs\.weights\.npz is damaged at run {path.stem} \(its weights cannot be read"
    ):
        weights.load(path)


def test_the_status_of_a_packed_study_counts_its_runs(folder):
    about = {"game": "catch", "algorithm": "DQN", "settings": {}, "seed": 0}
    requested = Manifest("study", 20_000, dict.fromkeys([*store.ids(folder), "f" * 16], about))
    before = status.of(folder.parent, requested)
    assert (len(before.done), len(before.missing), before.seconds_left) == (
        5,
        1,
        9.25,
    )  # training 12.5 s for 2 runs, and compiling 3 s
    packing.pack(folder)
    assert status.of(folder.parent, requested) == before


def test_folders_of_packed_studies_are_found(folder, tmp_path):
    packing.pack(folder)
    assert store.folders(tmp_path) == store.folders(tmp_path / "study") == store.folders(folder) == (folder,)
    with pytest.raises(FileNotFoundError, match="is no folder"):
        store.folders(tmp_path / "elsewhere")


def test_columns_of_facts_have_types_that_tools_can_compare(folder):
    packing.pack(folder)
    table = pq.read_table(archive.files_of(folder).runs)
    assert table["seed"].to_pylist() == [run.facts["seed"] for run in store.read(folder).runs]
    types = {name: str(table.schema.field(name).type) for name in table.column_names}
    assert types["seed"] == types["game.version"] == "int64"
    assert types["settings.learning_rate"] == types["configuration.discount"] == "double"
    assert types["game.name"] == "string"
    assert types["curves.steps"] == "list<element: int64 not null>"
    assert types["curves.loss"] == "list<element: float not null>"
    assert set(table["configuration.network.widths"].to_pylist()) == {"[64, 64]"}
    assert "curves.sha256" not in types


def test_a_file_that_fails_its_check_does_not_replace_the_earlier_one(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"before")

    def refuse(temporary):
        assert temporary.read_bytes() == b"after"
        raise OSError("no")

    with pytest.raises(OSError, match="no"):
        files.replace(path, b"after", refuse)
    assert path.read_bytes() == b"before"
    assert names(tmp_path) == ["file"]
