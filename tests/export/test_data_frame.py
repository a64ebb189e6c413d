"""Data frames of a study, packed or not, and its Parquet file in other tools."""

import importlib.util

import numpy as np
import pytest

from jaxdqn.export import data_frame
from jaxdqn.store import packing, store
from jaxdqn.store.record import DamagedResult
from tests.helpers import synthetic_runs


@pytest.fixture(params=[False, True], ids=["loose", "packed"])
def study(request, tmp_path):
    """Three runs of two learning rates; the second diverged, and only the third has the curve `loss`."""
    folder = tmp_path / "results" / "study"
    for seed, diverged_at in enumerate((None, 2, None)):
        facts = synthetic_runs.facts(
            seed=seed, settings={"learning_rate": 0.1 * (seed + 1)}, diverged_at=diverged_at, study="study"
        )
        curves = {"steps": np.array([1, 2]), "evaluation_return": np.array([9.0, seed])}
        store.write(folder / "runs", facts, curves | ({"loss": np.array([0.5, 0.25])} if seed == 2 else {}))
    if request.param:
        packing.pack(folder / "runs")
    return folder


def test_one_row_per_run(study):
    pytest.importorskip("pandas")
    runs = data_frame.runs(study)
    assert runs["seed"].tolist() == [0, 1, 2]
    assert runs["settings.learning_rate"].tolist() == [0.1, 0.2, 0.1 * 3]
    assert runs["configuration.network.widths"].tolist() == [[64, 64]] * 3
    np.testing.assert_array_equal(runs["score"], [0.0, np.nan, 2.0])
    assert not [name for name in runs.columns if name.startswith("curves.")]
    assert len(data_frame.runs(study.parent)) == 3


def test_one_row_per_run_and_evaluation_period(study):
    pytest.importorskip("pandas")
    curves = data_frame.curves(study)
    identity = ["study", "game", "algorithm", "settings.learning_rate", "seed", "id"]
    assert list(curves.columns) == [*identity, "steps", "evaluation_return", "loss"]
    assert curves["seed"].tolist() == [0, 0, 1, 1, 2, 2]
    assert curves["steps"].tolist() == [1, 2] * 3
    np.testing.assert_array_equal(curves["loss"], [np.nan] * 4 + [0.5, 0.25])
    assert (curves["seed"].dtype, curves["steps"].dtype, curves["loss"].dtype) == ("int64", "int64", "float32")
    means = curves.merge(data_frame.runs(study), on="id").groupby("configuration.discount")["evaluation_return"].mean()
    assert means.to_dict() == {0.99: pytest.approx(5.0)}


def test_the_error_without_pandas_contains_the_install_command(study, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r'pip install "jaxdqn\[pandas\]"'):
        data_frame.runs(study)


def test_missing_or_damaged_runs_are_an_error(study):
    pytest.importorskip("pandas")
    (study / "runs").mkdir(exist_ok=True)
    (study / "runs" / "0123456789abcdef.json").write_text("{")
    with pytest.raises(DamagedResult, match="is not a complete record"):
        data_frame.curves(study)
    (study.parent / "empty" / "runs").mkdir(parents=True)
    with pytest.raises(ValueError, match="holds no runs"):
        data_frame.runs(study.parent / "empty")


# The lines of results/README.md.


@pytest.fixture
def packed(study):
    if not (study / "runs.parquet").exists():
        packing.pack(study / "runs")
    return study / "runs.parquet"


def test_pandas_opens_a_packed_study(packed):
    pandas = pytest.importorskip("pandas")
    table = pandas.read_parquet(packed)
    assert table["curves.evaluation_return"].str[-1].tolist() == [0, 1, 2]


def test_polars_opens_a_packed_study(packed):
    polars = pytest.importorskip("polars")
    table = polars.read_parquet(packed)
    assert table.select(polars.col("curves.evaluation_return").list.last()).to_series().to_list() == [0, 1, 2]


def test_duckdb_opens_a_packed_study(packed):
    duckdb = pytest.importorskip("duckdb")
    found = duckdb.sql(f"""select seed, "curves.evaluation_return"[-1] from '{packed}' order by seed""").fetchall()
    assert found == [(0, 0), (1, 1), (2, 2)]
