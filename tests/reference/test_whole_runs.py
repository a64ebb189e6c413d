"""Whole runs, iteration by iteration, against a plain reference in NumPy that was written from the papers.

The reference gets what a run drew at random and nothing else. Everything a run stores, samples, computes and reports is
compared, up to rounding: the project computes in float32, the reference in float64.
"""

import dataclasses
import importlib
import pkgutil

import numpy as np
import pytest

import jaxdqn
from configurations import TRIALS
from jaxdqn import configuration
from plain import networks, training
from plain.games import Corridor
from recording import record

TOLERANCE = 1e-4  # relative to the largest number of an array
NUM_UPDATES = 50


def close(ours, theirs, what):
    """Asserts that two nested records agree."""
    if isinstance(theirs, dict):
        assert set(theirs) <= set(ours), f"{what}: {set(theirs) - set(ours)} missing"
        for name, value in theirs.items():
            close(ours[name], value, f"{what}, {name}")
    elif isinstance(theirs, list) and not (theirs and np.isscalar(theirs[0])):
        assert len(ours) == len(theirs), f"{what}: {len(ours)} and {len(theirs)}"
        for number, pair in enumerate(zip(ours, theirs, strict=True)):
            close(*pair, f"{what} {number}")
    elif theirs is None:
        assert ours is None, what
    else:
        ours, theirs = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
        assert ours.shape == theirs.shape, f"{what}: shapes {ours.shape} and {theirs.shape}"
        scale = np.abs(theirs[np.isfinite(theirs)]).max(initial=1e-3)
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=TOLERANCE * scale, err_msg=what)


def periods_of(config):
    """Returns the iterations of an evaluation period, and how many periods give enough updates."""
    each = config.num_updates * config.num_minibatches
    num_learning = -(-NUM_UPDATES // each)
    if config.train_at == "episode_end":
        num_learning *= 2
    num_iterations = config.learning_starts // config.train_every + num_learning
    return 3, -(-num_iterations // 3)


@pytest.mark.parametrize("name", TRIALS)
def test_a_run_equals_the_reference(monkeypatch, name):
    trial = TRIALS[name]
    tape, ours = record(monkeypatch, trial, periods_of(trial.config))
    networks.check_initial(tape["settings"]["network"], tape["parameters"])
    theirs = training.run(tape, Corridor)
    for number, (our, their) in enumerate(zip(ours["iterations"], theirs["iterations"], strict=True)):
        rows = zip(our["rows"], their["rows"], strict=True)
        for v, (row, expected) in enumerate(rows):
            valid = np.asarray(expected["is_valid"])
            np.testing.assert_array_equal(row["is_valid"], valid)
            for field, values in expected.items():
                if values is not None and field != "is_valid":
                    close(
                        np.asarray(row[field])[valid],
                        np.asarray(values)[valid],
                        f"iteration {number}, row {v}, {field}",
                    )
        close(our["updates"], their["updates"], f"iteration {number}, batch")
        close(our["steps"], their["steps"], f"iteration {number}, step")
        if our["updates"]:
            close(our["priorities"], their["priorities"], f"iteration {number}, priorities")
    for number, (point, expected) in enumerate(zip(ours["curves"], theirs["curves"], strict=True)):
        close(point, expected, f"period {number}")
    close(ours["log"], theirs["log"], "log")
    close(ours["state"], theirs["state"], "state")
    assert ours["curves"][-1]["updates"] >= NUM_UPDATES
    assert_is_varied(tape, ours)


def assert_is_varied(tape, ours):
    """Asserts that the run was no special case: copies and episodes start apart, and choices differ."""
    starts = [position for of_copy in tape["starts"] for position in of_copy[:-1]]
    assert len(set(starts)) > 1
    if len(tape["starts"]) > 1:
        assert len({tuple(of_copy[:5]) for of_copy in tape["starts"]}) > 1
    assert len({int(a) for i in ours["iterations"] for row in i["rows"] for a in row["a_tm1"]}) == 3
    bits = np.stack([i["bits"] for i in tape["iterations"]])
    assert len(np.unique(bits)) == bits.size  # no batch is drawn like another


def fields_of(config):
    """Returns (type, field, value) of every field of a configuration and of its parts."""
    rows = [(type(config).__name__, field.name, getattr(config, field.name)) for field in dataclasses.fields(config)]
    parts = [value for *_, value in rows if dataclasses.is_dataclass(value)]
    return rows + [row for part in parts for row in fields_of(part)]


def declared():
    """Returns every configuration of the package by name."""
    found = {}
    for module in pkgutil.walk_packages(jaxdqn.__path__, "jaxdqn."):
        if module.name.endswith("__main__") or ".study." in module.name or ".figures" in module.name:
            continue
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, type) and dataclasses.is_dataclass(value):
                fields = dataclasses.fields(value)
                if fields and all("kind" in field.metadata for field in fields):
                    found[value.__name__] = value
    return found


def test_every_field_of_every_configuration_is_set_away_from_its_default():
    away, seen = set(), set()
    for trial in TRIALS.values():
        for kind, name, value in fields_of(trial.config):
            seen.add(kind)
            default = declared()[kind].__dataclass_fields__[name].default
            if default is dataclasses.MISSING or value != default:
                away.add((kind, name))
    expected = {(kind, field.name) for kind, cls in declared().items() for field in dataclasses.fields(cls)}
    assert not expected - away, f"no trial sets {sorted(expected - away)}"


def test_every_algorithm_and_every_part_is_in_a_trial():
    from jaxdqn.algorithms import ALGORITHMS

    seen = {kind for trial in TRIALS.values() for kind, *_ in fields_of(trial.config)}
    for entry in ALGORITHMS.values():
        assert type(entry.config.algorithm).__name__ in seen
    without_fields = {"SGD", "Online", "TabularQLearning", "Neutral"}
    assert set(declared()) | without_fields <= seen | {"Risk"}


def test_both_kinds_of_games_and_a_random_evaluation_are_in_a_trial():
    assert {trial.is_host for trial in TRIALS.values()} == {False, True}
    assert any(trial.epsilon > 0 for trial in TRIALS.values() if trial.is_host)
    assert any(trial.epsilon > 0 for trial in TRIALS.values() if not trial.is_host)
    assert {configuration.to_dict(trial.config)["train_at"] for trial in TRIALS.values()} == {"steps", "episode_end"}
