"""Counts that are rounded up until they fit each other, worked out by hand."""

import dataclasses

import pytest

from jaxdqn import games
from jaxdqn.algorithms import ALGORITHMS, dqn
from jaxdqn.training import check_config, round_counts
from jaxdqn.training.evaluate import Evaluation


@pytest.mark.parametrize(
    ("steps", "unit", "every"),
    [
        (5_000, 10, 250),
        (100_000, 10, 5_000),
        (200, 10, 10),
        (90, 10, 10),  # 9 evaluations: the period cannot be shorter than the unit
        (1, 10, 10),
    ],
)
def test_a_period_gives_20_evaluations_if_they_divide_the_steps(steps, unit, every):
    assert round_counts.period(steps, unit) == every


@pytest.mark.parametrize("steps", [997, 1_001, 12_345, 99_991])
@pytest.mark.parametrize("unit", [1, 2, 10])
def test_any_steps_get_20_to_40_evaluations_and_are_hardly_exceeded(steps, unit):
    every = round_counts.period(steps, unit)
    points = -(-steps // every)
    assert every % unit == 0
    assert 20 <= points <= 40
    assert points * every - steps < every


def fitted(config=dqn.CONFIG, steps=10_000, every=500, **more):
    return round_counts.fitted([config], steps, Evaluation(every, 1), **({"derive_period": True} | more))


def test_counts_that_fit_stay():
    found = fitted()
    assert (found.configs, found.steps, found.evaluation.every, found.changes) == ((dqn.CONFIG,), 10_000, 500, ())


def test_a_period_of_too_few_or_too_many_evaluations_is_derived_and_a_given_one_stays():
    assert [fitted(every=every).evaluation.every for every in (10_000, 1_000, 500, 250, 200)] == [
        500,
        500,
        500,
        250,
        500,
    ]
    assert fitted(every=10_000, derive_period=False).evaluation.every == 10_000


def test_the_period_fits_the_trainings_of_every_arm():
    configs = [dataclasses.replace(dqn.CONFIG, train_every=number) for number in (40, 60)]
    found = round_counts.fitted(configs, 1_000, Evaluation(10, 1), derive_period=False)
    assert (found.evaluation.every, found.steps) == (120, 1_080)


@pytest.mark.parametrize("name", [name for name in ALGORITHMS if name != "tabular_q_learning"])
@pytest.mark.parametrize("number", [3, 7])
def test_any_number_of_environments_fits_every_algorithm(name, number):
    config = dataclasses.replace(ALGORITHMS[name].config, num_environments=number)
    found = fitted(config, steps=50_001)
    check_config.check(found.configs[0], games.make("catch"), found.evaluation, found.steps)
    assert found.changes[0].field == "train_every"


def test_a_batch_is_rounded_up_to_its_minibatches():
    config = dataclasses.replace(dqn.CONFIG, batch_size=100, num_minibatches=8)
    (change,) = fitted(config).changes
    assert (change.field, change.given, change.value, change.reason) == (
        "batch_size",
        100,
        104,
        "a multiple of num_minibatches 8",
    )


@pytest.mark.parametrize("field", ["num_environments", "train_every"])
def test_a_count_of_zero_is_left_to_the_check(field):
    assert getattr(fitted(dataclasses.replace(dqn.CONFIG, **{field: 0})).configs[0], field) == 0
