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
from tests.reference.configurations import TRIALS
from tests.reference.plain import networks, training
from tests.reference.plain.games import Corridor, CorridorInPictures
from tests.reference.recording import record

pytestmark = pytest.mark.usefixtures("unoptimised")

TOLERANCE = 1e-4  # relative to the largest number of an array, or of all parameters or gradients together
NUM_UPDATES = 50


def largest(array):
    """Returns the size of the largest finite number of an array."""
    array = np.abs(np.asarray(array, np.float64))
    return array[np.isfinite(array)].max(initial=1e-3)


def close(ours, theirs, what, scale=None):
    """Asserts that two nested records agree."""
    if isinstance(theirs, dict):
        assert set(theirs) <= set(ours), f"{what}: {set(theirs) - set(ours)} missing"
        is_by_path = all("/" in name for name in theirs)
        scale = max(map(largest, theirs.values())) if is_by_path else None
        for name, value in theirs.items():
            close(ours[name], value, f"{what}, {name}", scale)
    elif isinstance(theirs, list) and not (theirs and np.isscalar(theirs[0])):
        assert len(ours) == len(theirs), f"{what}: {len(ours)} and {len(theirs)}"
        for number, pair in enumerate(zip(ours, theirs, strict=True)):
            close(*pair, f"{what} {number}")
    elif theirs is None:
        assert ours is None, what
    else:
        ours, theirs = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
        assert ours.shape == theirs.shape, f"{what}: shapes {ours.shape} and {theirs.shape}"
        atol = TOLERANCE * (scale or largest(theirs))
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=atol, err_msg=what)


def periods_of(config):
    """Returns the iterations of an evaluation period, and how many periods give enough updates."""
    each = config.num_updates * config.num_minibatches
    num_learning = -(-NUM_UPDATES // each)
    if config.train_at == "episode_end":
        num_learning *= 2
    rows = config.train_every // config.num_environments
    num_waiting = getattr(config.replay, "length", 0) // rows
    num_iterations = max(config.learning_starts // config.train_every, num_waiting) + num_learning
    return 3, -(-num_iterations // 3)


@pytest.mark.parametrize("name", TRIALS)
def test_a_run_equals_the_reference(monkeypatch, name):
    trial = TRIALS[name]
    tape, ours = record(monkeypatch, trial, periods_of(trial.config))
    networks.check_initial(tape["settings"]["network"], tape["parameters"])
    theirs = training.run(tape, CorridorInPictures if trial.is_in_pictures else Corridor)
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
            close(our["max_priority"], their["max_priority"], f"iteration {number}, largest priority")
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


def parts_of(config):
    """Returns a configuration and all its parts."""
    values = [getattr(config, field.name) for field in dataclasses.fields(config)]
    return [config, *(part for value in values if dataclasses.is_dataclass(value) for part in parts_of(value))]


def declared():
    """Returns every type of configuration that the package declares."""
    found = set()
    for module in pkgutil.walk_packages(jaxdqn.__path__, "jaxdqn."):
        if not module.name.endswith("__main__"):
            found |= {x for x in vars(importlib.import_module(module.name)).values() if isinstance(x, type)}
    return {
        x for x in found if dataclasses.is_dataclass(x) and all("kind" in f.metadata for f in dataclasses.fields(x))
    }


PARTS = [part for trial in TRIALS.values() for part in parts_of(trial.config)]


def test_every_configuration_is_in_a_trial():
    assert {kind.__name__ for kind in declared()} == {type(part).__name__ for part in PARTS}


def test_every_field_of_every_configuration_is_set_away_from_its_default():
    fields = {(kind.__name__, field.name) for kind in declared() for field in dataclasses.fields(kind)}
    away = {
        (type(part).__name__, field.name)
        for part in PARTS
        for field in dataclasses.fields(part)
        if getattr(part, field.name) != field.default
    }
    assert not fields - away, f"no trial sets {sorted(fields - away)}"


def test_both_kinds_of_games_and_a_random_evaluation_are_in_a_trial():
    assert {trial.is_host for trial in TRIALS.values()} == {False, True}
    assert any(trial.epsilon > 0 for trial in TRIALS.values() if trial.is_host)
    assert any(trial.epsilon > 0 for trial in TRIALS.values() if not trial.is_host)
