"""The points of searches are packed into one file and read as before."""

import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jaxdqn.store import claims, files, search_trials
from jaxdqn.store.search_trials import Importance, Point, Trials


def found(name):
    points = (Point(0, {"learning_rate": 1e-3}, ((0.5, 0.25),), (), "complete"),)
    return Trials(name, {"last": None}, (100,), points, ((100, 0, 0.375),), Importance(100, 1, {}), {"jaxdqn": "0"})


@pytest.fixture
def searches(tmp_path):
    folder = tmp_path / "search" / "searches"
    for name in ("b", "a"):
        (folder / name / "tuning").mkdir(parents=True)
        search_trials.write(folder / name / "tuning", found(name))
    return folder


def test_packed_searches_are_read_as_before(searches):
    assert search_trials.pack(searches) == 2
    assert [path.name for path in searches.parent.iterdir()] == ["searches.parquet"]
    assert [search_trials.read(searches / name / "tuning") for name in "ab"] == [found("a"), found("b")]
    with pytest.raises(ValueError, match="is missing: run the search first"):
        search_trials.read(searches / "c" / "tuning")


def test_a_continued_search_replaces_its_packed_points(searches):
    search_trials.pack(searches)
    (searches / "a" / "tuning").mkdir(parents=True)
    (searches / "a" / "tuning" / "journal.log").touch()
    longer = found("a")._replace(ends=(100, 200))
    search_trials.write(searches / "a" / "tuning", longer)
    assert search_trials.read(searches / "a" / "tuning") == longer
    assert search_trials.pack(searches) == 2
    assert [search_trials.read(searches / name / "tuning") for name in "ab"] == [longer, found("b")]
    assert (searches / "a" / "tuning" / "journal.log").exists()


def test_points_that_cannot_be_packed_stay(searches, monkeypatch):
    with claims.Claims(searches / "a" / "tuning" / "claims") as other:
        other.claim(["search"], 1)
        with pytest.raises(ValueError, match=f"is in use by process {os.getpid()}"):
            search_trials.pack(searches)
    replace = files.replace
    monkeypatch.setattr(files, "replace", lambda path, content, check: replace(path, b"noise", check))
    with pytest.raises(ValueError, match="cannot be read"):
        search_trials.pack(searches)
    assert search_trials.read(searches / "b" / "tuning") == found("b")


def test_a_search_cannot_start_while_its_points_are_packed(searches, monkeypatch):
    replace = files.replace

    def starting(path, content, check):
        for name in "ab":
            with claims.Claims(searches / name / "tuning" / "claims") as other:
                assert other.claim([search_trials.CLAIM], 1) == ()
        replace(path, content, check)

    monkeypatch.setattr(files, "replace", starting)
    assert search_trials.pack(searches) == 2
    assert [path.name for path in searches.parent.iterdir()] == ["searches.parquet"]


def test_damaged_points_name_their_file(searches):
    search_trials.pack(searches)
    packed = searches.with_name("searches.parquet")
    pq.write_table(pa.table({"name": ["a"], "trials": ["{}"]}), packed)
    with pytest.raises(ValueError, match=r"Search a of .*searches\.parquet cannot be read .*: restore the file"):
        search_trials.read(searches / "a" / "tuning")
    (searches / "a" / "tuning").mkdir(parents=True)
    (searches / "a" / "tuning" / "trials.json").write_bytes(b"\xff")
    with pytest.raises(ValueError, match=r"trials\.json cannot be read .*: run the search again"):
        search_trials.read(searches / "a" / "tuning")


def test_a_damaged_file_is_an_error_with_a_remedy(searches):
    search_trials.pack(searches)
    searches.with_name("searches.parquet").write_bytes(b"noise")
    with pytest.raises(ValueError, match=r"searches\.parquet cannot be read .*: restore it from a copy"):
        search_trials.read(searches / "a" / "tuning")
