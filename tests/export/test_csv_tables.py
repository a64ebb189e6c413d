"""Tables of runs as CSV, read back by the csv module."""

import csv
import io
import json
import math

import numpy as np
import pytest

from jaxdqn.export import csv_tables
from jaxdqn.store import store
from tests.helpers import synthetic_runs


def write(folder, *, curves=None, attachments=None, **described):
    facts = synthetic_runs.facts(**described)
    store.write(folder, facts, curves or synthetic_runs.curves(seed=facts["seed"]), attachments)
    return facts["id"]


def read(table):
    """Returns the rows of a table as dictionaries of text."""
    return list(csv.DictReader(io.StringIO(b"".join(csv_tables.csv_of(table)).decode(), newline=""), strict=True))


def records(folder):
    return store.read_facts(folder).records


def test_curves_are_read_back_with_equal_numbers(tmp_path):
    for seed in range(2):
        write(tmp_path, seed=seed, settings={"learning_rate": 0.1 + 0.2})
    rows = read(csv_tables.curves(records(tmp_path)))
    assert list(rows[0])[:6] == ["study", "game", "algorithm", "settings.learning_rate", "seed", "id"]
    assert {float(row["settings.learning_rate"]) for row in rows} == {0.30000000000000004}
    for run in store.read(tmp_path).runs:
        mine = [row for row in rows if row["id"] == run.facts["id"]]
        assert [int(row["seed"]) for row in mine] == [run.facts["seed"]] * len(synthetic_runs.STEPS)
        for name, values in run.curves.items():
            assert [float(row[name]) for row in mine] == values.tolist()


def test_a_missing_value_is_an_empty_cell_and_infinity_is_a_number(tmp_path):
    write(tmp_path, curves={"steps": np.array([1, 2]), "loss": np.array([math.nan, math.inf])})
    write(tmp_path, seed=1, curves={"steps": np.array([1]), "max_q": np.array([3])}, settings={"a": True, "b": [1, 2]})
    rows = read(csv_tables.curves(records(tmp_path)))
    columns = ("settings.a", "settings.b", "seed", "steps", "loss", "max_q")
    assert [tuple(row[name] for name in columns) for row in rows] == [
        ("", "", "0", "1", "", ""),
        ("", "", "0", "2", "inf", ""),
        ("true", "[1, 2]", "1", "1", "", "3"),
    ]


def test_commas_quotes_and_line_breaks_are_read_back(tmp_path):
    label = 'DQN, "3 steps"\nand; more, µ'
    write(tmp_path, algorithm=label, note="Traceback:\r\n  1, 2")
    (row,) = read(csv_tables.facts(records(tmp_path)))
    assert (row["algorithm"], row["note"]) == (label, "Traceback:\r\n  1, 2")


def test_the_table_of_facts_has_all_facts_of_a_record(tmp_path):
    write(tmp_path)
    write(tmp_path, seed=1, configuration={"type": "DQN", "target": {"every": 10}}, diverged_at=7)
    first, second = read(csv_tables.facts(records(tmp_path)))
    assert first["configuration.network.widths"] == "[64, 64]"
    assert (first["configuration.target.every"], second["configuration.target.every"]) == ("", "10")
    assert (first["diverged_at"], second["diverged_at"]) == ("", "7")
    assert float(second["cost.wall_seconds"]) == 12.5
    said = json.loads((tmp_path / f"{first['id']}.json").read_text())
    assert first["curves.sha256"] == said["curves"]["sha256"]


def test_episodes_are_numbered_and_runs_without_a_log_have_no_rows(tmp_path):
    write(tmp_path, attachments={"episodes": synthetic_runs.episodes([1, -1, 0.1])})
    write(tmp_path, seed=1)
    rows = read(csv_tables.episodes(records(tmp_path)))
    assert [(row["seed"], row["episode"], row["end_step"]) for row in rows] == [
        ("0", "0", "10"),
        ("0", "1", "20"),
        ("0", "2", "30"),
    ]
    assert [float(row["episode_return"]) for row in rows] == [1, -1, float(np.float32(0.1))]


def test_a_table_of_episodes_without_any_log_is_an_error(tmp_path):
    write(tmp_path)
    with pytest.raises(ValueError, match="No run has a log"):
        csv_tables.episodes(records(tmp_path))


def test_scores_are_means_of_the_last_points_and_diverged_runs_have_none(tmp_path):
    steps = np.array([10, 20, 30])
    write(tmp_path, curves={"steps": steps, "evaluation_return": np.array([0, 1, 4])})
    write(tmp_path, seed=2, curves={"steps": steps, "evaluation_return": np.array([0, 1, 4])}, diverged_at=20)
    rows = read(csv_tables.scores(records(tmp_path), last=2))
    assert [(row["steps"], row["diverged_at"], row["evaluation_return"]) for row in rows] == [
        ("20000", "", "2.5"),
        ("20000", "20", ""),
    ]


def test_a_table_of_many_rows_is_written_completely_in_pieces(tmp_path):
    steps = np.arange(1, 2_502)
    write(tmp_path, curves={"steps": steps, "loss": steps / 3})
    pieces = list(csv_tables.csv_of(csv_tables.curves(records(tmp_path))))
    assert len(pieces) == 3
    assert [int(row["steps"]) for row in read(csv_tables.curves(records(tmp_path)))] == steps.tolist()


def test_equal_runs_give_equal_bytes_in_any_order_of_writing(tmp_path):
    for folder, seeds in (("a", (0, 1, 2)), ("b", (2, 0, 1))):
        for seed in seeds:
            write(tmp_path / folder, seed=seed, settings={"z": seed % 2, "a": 1})
    first, second = (b"".join(csv_tables.csv_of(csv_tables.curves(records(tmp_path / folder)))) for folder in "ab")
    assert first == second
