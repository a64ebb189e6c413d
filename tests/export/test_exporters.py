"""TensorBoard and Weights & Biases get exactly the points of the stored runs."""

import importlib.util
import math
import os
import shutil
import subprocess
import time

import numpy as np
import pytest

from jaxdqn.export import exporter, tensorboard, weights_and_biases
from jaxdqn.export.exporter import Exporter
from jaxdqn.store import store
from tests.helpers import exported, synthetic_runs

STEPS = np.array([500, 1000, 16_777_217])  # float32 cannot represent the last one


def stored(folder, *, seed=0, values=(0.1, 0.25, -3.0), **described):
    """Returns a run after writing and reading it."""
    curves = {"steps": STEPS, "evaluation_return": np.array(values), "loss": np.array([math.nan, 0.5, math.inf])}
    facts = synthetic_runs.facts(seed=seed, **described)
    store.write(folder, facts, curves)
    return store.find(folder, facts["id"])


def recorded():
    """Returns an exporter that records its calls, and the list of calls."""
    told = []
    return Exporter(
        lambda facts: told.append(("begin", facts["id"])) or facts["id"],
        lambda handle, step, values: told.append(("point", handle, step, exporter.known(values))),
        lambda handle, facts: told.append(("end", handle, facts["diverged_at"])),
    ), told


def test_a_stored_run_is_sent_from_begin_to_end(tmp_path):
    run = stored(tmp_path, diverged_at=1000)
    receiver, told = recorded()
    exporter.send(receiver, run)
    value = float(np.float32(0.1))
    assert told == [
        ("begin", run.facts["id"]),
        ("point", run.facts["id"], 500, {"evaluation_return": value}),
        ("point", run.facts["id"], 1000, {"evaluation_return": 0.25, "loss": 0.5}),
        ("point", run.facts["id"], 16_777_217, {"evaluation_return": -3.0, "loss": math.inf}),
        ("end", run.facts["id"], 1000),
    ]


def send_live(receiver, runs):
    """Sends runs as a study does, one period of all runs at a time; the wave has more members than runs."""
    handles = [receiver.begin({key: run.facts[key] for key in exporter.IDENTITY}) for run in runs]
    for period in range(len(STEPS)):
        columns = {name: [run.curves[name][period] for run in runs] for name in runs[0].curves}
        exporter.advance(receiver, handles, {name: np.array([*values, 7]) for name, values in columns.items()})
    for handle, run in zip(handles, runs, strict=True):
        receiver.end(handle, run.facts)


def test_a_run_has_no_points_after_a_failure():
    receiver, told = recorded()
    exporter.advance(receiver, ["a", "b"], {"steps": np.array([500, 0]), "loss": np.array([1.0, 0.0])})
    assert told == [("point", "a", 500, {"loss": 1.0})]


def test_tensorboard_holds_the_curves_of_a_run_in_its_folder(tmp_path):
    run = stored(tmp_path / "runs", settings={"learning_rate": 0.001})
    with tensorboard.opened(tmp_path / "logs") as receiver:
        exporter.send(receiver, run)
    folder = tmp_path / "logs" / "catch" / "DQN" / "learning_rate-0.001" / f"seed-0-{run.facts['id']}"
    assert exported.scalars(folder) == exported.expected(run.curves)


def test_tensorboard_contains_the_configuration_and_the_end_of_the_run(tmp_path):
    run = stored(tmp_path / "runs")
    with tensorboard.opened(tmp_path / "logs") as receiver:
        exporter.send(receiver, run)
        receiver.begin(stored(tmp_path / "runs", seed=1).facts)
    from tensorboardX.proto.plugin_hparams_pb2 import HParamsPluginData

    def told(folder):
        values = {v.tag: v for event in exported.events(folder) for v in event.summary.value}
        contents = {tag: value.metadata.plugin_data.content for tag, value in values.items() if "hparams" in tag}
        return {tag.rpartition("/")[2]: HParamsPluginData.FromString(content) for tag, content in contents.items()}

    ended, left = sorted((tmp_path / "logs" / "catch" / "DQN").iterdir())
    given = told(ended)["session_start_info"].session_start_info.hparams
    assert given["discount"].number_value == 0.99
    assert given["network.widths"].string_value == "[64, 64]"
    assert [metric.name.tag for metric in told(ended)["experiment"].experiment.metric_infos] == ["evaluation_return"]
    assert "session_end_info" in told(ended)
    assert "session_end_info" not in told(left)


def test_a_restarted_run_is_in_tensorboard_once(tmp_path):
    run = stored(tmp_path / "runs")
    folder = tmp_path / tensorboard.name(run.facts)
    with tensorboard.opened(tmp_path) as receiver:  # interrupted after a point
        receiver.point(receiver.begin(run.facts), 500, {"loss": 9.0})
    (earlier,) = folder.glob("events.*")
    earlier.rename(folder / "events.out.tfevents.1600000000.elsewhere")  # the name contains time and machine
    for _ in range(2):
        with tensorboard.opened(tmp_path) as receiver:
            exporter.send(receiver, run)
    assert exported.scalars(folder) == exported.expected(run.curves)


@pytest.mark.parametrize(
    ("described", "folder"),
    [
        ({"game": "gymnasium:LunarLander-v3"}, "gymnasium-LunarLander-v3/DQN/seed-0"),
        ({"game": "../..", "algorithm": "/etc"}, "-/etc/seed-0"),
        ({"settings": {"b": 2, "a": {"type": "Huber", "delta": 1.0}}}, "catch/DQN/a-Huber-b-2/seed-0"),
        ({"algorithm": "x" * 300}, f"catch/{'x' * 80}/seed-0"),
    ],
    ids=["colon", "no way out", "settings", "long"],
)
def test_names_of_folders_are_safe(described, folder):
    facts = synthetic_runs.facts(**described)
    assert tensorboard.name(facts) == f"{folder}-{facts['id']}"


def test_weights_and_biases_holds_the_curves_of_a_run_under_its_identifier(tmp_path):
    run = stored(tmp_path / "runs", settings={"learning_rate": 0.001}, study="widths")
    with weights_and_biases.opened(tmp_path, project="chess") as receiver:
        exporter.send(receiver, run)
    name = run.facts["id"]
    assert exported.history(tmp_path, name) == exported.expected(run.curves)
    (told,) = [record.run for record in exported.records(tmp_path, name) if record.WhichOneof("record_type") == "run"]
    assert (told.run_id, told.project, list(told.tags)) == (name, "chess", ["widths"])
    assert told.display_name == "catch, DQN, learning_rate 0.001, seed 0"
    assert told.run_group == "catch, DQN, learning_rate 0.001"


def test_weights_and_biases_contains_the_facts_and_the_outcome_of_the_run(tmp_path):
    run = stored(tmp_path / "runs", diverged_at=1000)
    with weights_and_biases.opened(tmp_path) as receiver:
        exporter.send(receiver, run)
    stated = exported.config(tmp_path, run.facts["id"])
    assert stated["configuration"] == run.facts["configuration"]
    assert stated["code"] == run.facts["code"]
    assert "curves" not in stated
    found = exported.records(tmp_path, run.facts["id"])
    summary = {item.key: item.value_json for record in found for item in record.summary.update}
    assert (summary["diverged_at"], summary["cost.wall_seconds"]) == ("1000", "12.5")
    assert [record.exit.exit_code for record in found if record.WhichOneof("record_type") == "exit"] == [0]


def test_a_failed_run_without_points_fails_in_weights_and_biases(tmp_path):
    facts = synthetic_runs.facts()
    with weights_and_biases.opened(tmp_path) as receiver:
        receiver.end(receiver.begin(facts), facts | {"failure": "Traceback ..."})
    found = exported.records(tmp_path, facts["id"])
    assert [record.exit.exit_code for record in found if record.WhichOneof("record_type") == "exit"] == [1]
    assert exported.history(tmp_path, facts["id"]) == {}


def test_a_restarted_run_is_in_weights_and_biases_once(tmp_path):
    run = stored(tmp_path / "runs")
    with weights_and_biases.opened(tmp_path) as receiver:  # interrupted after a point
        receiver.point(receiver.begin(run.facts), 500, {"loss": 9.0})
    for _ in range(2):
        with weights_and_biases.opened(tmp_path) as receiver:
            exporter.send(receiver, run)
    assert exported.history(tmp_path, run.facts["id"]) == exported.expected(run.curves)


def children():
    own = str(os.getpid())
    listed = subprocess.run(["ps", "-eo", "ppid=,args="], capture_output=True, text=True, check=True).stdout
    return [line for line in listed.splitlines() if line.split()[0] == own and "wandb" in line]


@pytest.mark.skipif(shutil.which("ps") is None, reason="processes are listed by ps")
def test_the_process_of_weights_and_biases_ends_with_the_export(tmp_path):
    with weights_and_biases.opened(tmp_path) as receiver:
        receiver.begin(synthetic_runs.facts())
        assert children()
    deadline = time.monotonic() + 10
    while children() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not children()


def test_live_export_and_later_export_write_the_same_points(tmp_path):
    runs = [stored(tmp_path / "runs", seed=seed, values=(seed, 0.1, math.nan)) for seed in range(3)]
    for opened in (tensorboard.opened, weights_and_biases.opened):
        with opened(tmp_path / "live") as receiver:
            send_live(receiver, runs)
        with opened(tmp_path / "afterwards") as receiver:
            for run in runs:
                exporter.send(receiver, run)
    for run in runs:
        name, folder = run.facts["id"], tensorboard.name(run.facts)
        for when in (tmp_path / "live", tmp_path / "afterwards"):
            assert exported.scalars(when / folder) == exported.expected(run.curves)
            assert exported.history(when, name) == exported.expected(run.curves)


@pytest.mark.parametrize("opened", [tensorboard.opened, weights_and_biases.opened])
def test_error_for_a_missing_package_contains_the_command_that_installs_it(opened, tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r'pip install "jaxdqn\[(tensorboard|wandb)\]"'), opened(tmp_path / "out"):
        pass
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["", "a/b", "x" * 129])
def test_an_invalid_project_name_raises_an_error(name, tmp_path):
    with pytest.raises(ValueError, match="project = "), weights_and_biases.opened(tmp_path, project=name):
        pass


@pytest.mark.parametrize("opened", [tensorboard.opened, weights_and_biases.opened])
@pytest.mark.parametrize(
    ("changed", "sentence"),
    [({"id": "../*"}, "must be 16 hex digits"), ({"settings": {"a": math.nan}}, r"settings.a = nan is not finite")],
    ids=["id", "settings"],
)
def test_a_run_with_invalid_facts_raises_an_error(opened, changed, sentence, tmp_path):
    with opened(tmp_path) as receiver, pytest.raises(ValueError, match=sentence):
        receiver.begin(synthetic_runs.facts() | changed)


def test_error_for_missing_facts_names_them():
    with pytest.raises(ValueError, match="lack study, seed: add them"):
        exporter.identity({key: value for key, value in synthetic_runs.facts().items() if key not in ("study", "seed")})
