"""From runs to arrays: runs are pooled only where they differ by seed, and points stay what they were."""

import re

import numpy as np
import pytest

from jaxdqn.analysis import by_arm
from jaxdqn.commands import select_runs
from jaxdqn.store.record import Run
from tests.helpers import synthetic_runs


def literal(values, *, name="evaluation_return", steps=None, **described):
    values = np.asarray(values, np.float32)
    steps = np.arange(1, len(values) + 1) * 10 if steps is None else np.asarray(steps)
    return Run(synthetic_runs.facts(**described), {"steps": steps, name: values})


def test_a_curve_has_a_row_a_run_and_a_column_a_point():
    steps, values = by_arm.curve([literal([1, 2, 3], seed=0), literal([4, 5, 6], seed=1)], "evaluation_return")
    assert steps.tolist() == [10, 20, 30]
    assert values.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert values.dtype == np.float64


def test_an_unknown_curve_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="no curve 'lost': it has evaluation_return, steps"):
        by_arm.curve([literal([1.0])], "lost")


@pytest.mark.parametrize("steps", [[10, 20], [10, 20, 40]], ids=["fewer points", "other points"])
def test_runs_evaluated_at_different_steps_are_refused(steps):
    runs = [literal([1, 2, 3], seed=0), literal([1] * len(steps), seed=1, steps=steps)]
    with pytest.raises(ValueError, match=f"different steps .*3 points from 10 to 30; {len(steps)} points"):
        by_arm.curve(runs, "evaluation_return")


def test_no_runs_are_refused():
    with pytest.raises(ValueError, match="No runs to take 'loss' from"):
        by_arm.curve([], "loss")


@pytest.mark.parametrize(("last", "expected"), [(1, [4, 8]), (2, [3, 7]), (4, [2.5, 5])])
def test_the_final_score_is_the_mean_of_the_last_points_of_each_run(last, expected):
    runs = [literal([1, 3, 2, 4], seed=0), literal([0, 6, 6, 8], seed=1)]
    assert by_arm.final(runs, "evaluation_return", last).tolist() == expected


@pytest.mark.parametrize("last", [0, -1, 5])
def test_a_window_that_is_no_part_of_the_curve_is_refused(last):
    with pytest.raises(ValueError, match=f"last = {last} is out of range: the curves have 1 to 4 points"):
        by_arm.final([literal([1, 2, 3, 4])], "evaluation_return", last)


@pytest.mark.parametrize(
    ("points", "most", "kept"),
    [
        (3, 5, [0, 1, 2]),
        (5, 5, [0, 1, 2, 3, 4]),
        (6, 5, [1, 3, 5]),
        (10, 4, [0, 3, 6, 9]),
        (7, 1, [6]),
    ],
)
def test_thinning_keeps_even_spacing_and_the_last_point(points, most, kept):
    thinned = by_arm.thin({"steps": np.arange(points), "loss": np.arange(points) * 2.0}, most)
    assert thinned["steps"].tolist() == kept
    assert thinned["loss"].tolist() == [2.0 * index for index in kept]


def test_thinning_never_keeps_more_than_asked():
    for points in range(1, 60):
        for most in range(1, 20):
            (kept,) = by_arm.thin({"steps": np.arange(points)}, most).values()
            assert 1 <= len(kept) <= most
            assert kept[-1] == points - 1
            assert len(set(np.diff(kept))) <= 1


def test_curves_without_points_are_thin():
    assert by_arm.thin({"steps": np.zeros(0, np.int64)}, 5)["steps"].shape == (0,)


def test_groups_are_by_tuples_of_values_in_order_of_appearance():
    runs = [
        literal([1], game="catch", algorithm="double DQN", settings={"optimizer.learning_rate": 0.1}),
        literal([1], game="catch", algorithm="DQN", settings={"optimizer.learning_rate": 0.1}),
        literal([1], game="breakout", algorithm="DQN", settings={"optimizer.learning_rate": 0.2}),
    ]
    assert list(by_arm.group(runs, "game")) == [("catch",), ("breakout",)]
    assert by_arm.group(runs, "algorithm", "optimizer.learning_rate") == {
        ("double DQN", 0.1): (runs[0],),
        ("DQN", 0.1): (runs[1],),
        ("DQN", 0.2): (runs[2],),
    }


def test_grouping_by_an_unknown_setting_names_the_known_ones():
    with pytest.raises(ValueError, match="no setting 'rate': group by game, algorithm, seed, learning_rate"):
        by_arm.group([literal([1], settings={"learning_rate": 0.1})], "rate")


def test_runs_of_an_arm_are_those_that_differ_by_seed_only():
    runs = [literal([1], algorithm=algorithm, seed=seed) for seed in (2, 0) for algorithm in ("double DQN", "DQN")]
    arms = by_arm.arms(runs)
    assert [arm.algorithm for arm in arms] == ["double DQN", "DQN"]
    assert [[run.facts["seed"] for run in members] for members in arms.values()] == [[0, 2], [0, 2]]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"game": {"name": "catch", "version": 2}}, "the version of the game"),
        ({"steps": 40_000}, "steps"),
        ({"algorithm_version": 2}, "algorithm_version"),
        ({"part_versions": {"RAdam": 2}}, "part_versions"),
        ({"evaluation": {"every": 500, "episodes": 10, "epsilon": 0.0}}, "evaluation"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_runs_that_differ_by_more_than_their_seed_are_not_pooled(change, named):
    other = literal([1], seed=1)
    other.facts.update(change)
    with pytest.raises(ValueError, match=f"of DQN on catch differ in {named} and cannot be pooled"):
        by_arm.arms([literal([1], seed=0), other])


def of_two_trainings(**changes):
    """Returns runs of two seeds with one configuration, and of two seeds with another, without a grid."""
    runs = [literal([1, 2], seed=seed) for seed in (0, 1, 0, 1)]
    for run in runs[2:]:
        run.facts["configuration"] = run.facts["configuration"] | changes
    return runs


def test_two_trainings_with_two_values_of_a_field_are_two_arms_with_the_field_as_label():
    arms = by_arm.compared(of_two_trainings(discount=0.9))
    assert list(by_arm.labels(arms).values()) == ["DQN, discount 0.99", "DQN, discount 0.9"]
    assert [[run.facts["seed"] for run in members] for members in arms.values()] == [[0, 1], [0, 1]]


@pytest.mark.parametrize(
    ("changes", "labels"),
    [
        ({"network": {"type": "QNetwork", "widths": [8]}}, [("network.widths", (64, 64)), ("network.widths", (8,))]),
        (
            {"network": {"type": "Conv", "channels": [8]}},
            [("network", "QNetwork(widths=(64, 64))"), ("network", "Conv(channels=(8,))")],
        ),
        ({"discount": None}, [("discount", 0.99), ("discount", None)]),
        ({"frames": 4}, [("frames", "default"), ("frames", 4)]),
    ],
    ids=["structure", "part", "none", "added later"],
)
def test_the_settings_of_two_trainings_are_what_differs(changes, labels):
    assert [arm.settings for arm in by_arm.arms(of_two_trainings(**changes))] == [(pair,) for pair in labels]


def test_a_part_that_differs_is_named_once_and_not_with_its_fields():
    runs = of_two_trainings(network={"type": "QNetwork", "widths": [8]})
    other = literal([1], seed=0)
    other.facts["configuration"] = other.facts["configuration"] | {"network": {"type": "Table"}}
    assert {field for arm in by_arm.arms([*runs, other]) for field, _ in arm.settings} == {"network"}


def test_a_differing_field_is_a_setting_of_other_games_and_algorithms_that_have_it():
    others = [literal([1], game="pong"), literal([1], algorithm="C51")]
    others[1].facts["configuration"] = {"type": "C51"}
    arms = by_arm.arms([*of_two_trainings(discount=0.9), *others])
    assert [arm.settings for arm in arms][2:] == [(("discount", 0.99),), ()]
    assert list(by_arm.labels(arms).values())[2:] == ["DQN, discount 0.99", "C51"]


def test_runs_of_one_configuration_and_two_versions_are_not_two_arms():
    runs = of_two_trainings(discount=0.9)
    runs[1].facts["algorithm_version"] = 2
    with pytest.raises(
        ValueError, match=r"differ in algorithm_version and cannot be pooled: choose .* --where algorithm_version=2\)"
    ):
        by_arm.arms(runs)


def test_a_feature_that_was_added_later_and_is_not_used_keeps_no_runs_apart():
    before, later = literal([1], seed=0), literal([1], seed=1)
    later.facts["configuration"] = before.facts["configuration"] | {"network": {"type": "QNetwork", "noisy": None}}
    before.facts["configuration"] = before.facts["configuration"] | {"network": {"type": "QNetwork"}}
    ((_, members),) = by_arm.arms([before, later]).items()
    assert len(members) == 2


def test_a_seed_counts_once():
    code = {"jaxdqn": "0.1.0", "commit": "another"}
    with pytest.raises(ValueError, match="both have seed 3 and would count twice"):
        by_arm.arms([literal([1], seed=3), literal([1], seed=4), literal([1], seed=3, code=code)])


def test_labels_name_settings_only_where_those_tell_arms_apart():
    arms = by_arm.arms(
        [
            literal([1], game="catch", algorithm="DQN", settings={"rate": 0.1, "n": 1}),
            literal([1], game="breakout", algorithm="DQN", settings={"rate": 0.2, "n": 1}),  # tuned for each game
            literal([1], game="catch", algorithm="Rainbow", settings={"rate": 0.1, "n": 1}),
            literal([1], game="catch", algorithm="Rainbow", settings={"rate": 0.1, "n": 3}),
        ]
    )
    assert list(by_arm.labels(arms).values()) == ["DQN", "DQN", "Rainbow, n 1, rate 0.1", "Rainbow, n 3, rate 0.1"]
    assert list(by_arm.labels(arms, without="n").values()) == ["DQN", "DQN", "Rainbow", "Rainbow"]


def test_a_part_is_a_setting_too():
    huber, mse = {"type": "Huber", "delta": 1.0}, {"type": "SquaredError"}
    runs = [literal([1], settings={"widths": [64, 64], "error": error}) for error in (huber, mse)]
    assert list(by_arm.labels(by_arm.arms(runs), without="widths").values()) == [
        "DQN, error Huber(delta=1.0)",
        "DQN, error SquaredError()",
    ]
    assert list(by_arm.group(runs, "widths")) == [((64, 64),)]


def of_two_arms():
    return [literal([1, 2], algorithm="DQN"), literal([1, 2], algorithm="double DQN")]


EVALUATION = {"every": 500, "episodes": 100, "epsilon": 0.0}


@pytest.mark.parametrize(
    ("other", "difference"),
    [
        ({"steps": 30_000}, r"steps \(20000 and 30000\)"),
        ({"evaluation": EVALUATION | {"every": 250}}, r"evaluation.every \(500 and 250\)"),
        ({"evaluation": EVALUATION | {"episodes": 5}}, r"evaluation.episodes \(100 and 5\)"),
        ({"evaluation": EVALUATION | {"epsilon": 0.05}}, r"evaluation.epsilon \(0.0 and 0.05\)"),
        ({"training_version": 7}, r"training_version \(None and 7\)"),
        ({"game": {"name": "catch", "version": 2}}, r"game.version \(1 and 2\)"),
    ],
)
def test_arms_of_several_protocols_are_refused_with_what_differs(other, difference):
    runs = of_two_arms()
    runs[1].facts.update(other)
    assert len(by_arm.arms(runs)) == 2
    with pytest.raises(ValueError, match=f"^DQN on catch and double DQN on catch differ in {difference} and cannot"):
        by_arm.compared(runs)


def test_arms_that_differ_in_what_they_ask_are_compared():
    runs = of_two_arms()
    runs[1].facts.update(
        {
            "configuration": {"type": "DQN", "discount": 0.9},
            "algorithm_version": 2,
            "evaluation": EVALUATION | {"exact_values": True},
            "settings": {"learning_rate": 0.1},
        }
    )
    assert by_arm.compared(runs) == by_arm.arms(runs)


@pytest.mark.parametrize("is_first_later", [True, False])
def test_the_error_names_the_option_that_selects_the_later_of_two_versions(is_first_later):
    old, new = (of_code(seed, sources={"my.maze": version}) for seed, version in ((0, "0a1b"), (1, "2c3d")))
    old.facts["created"], new.facts["created"] = "2026-01-01T00:00:00", "2026-01-02T00:00:00"
    runs = [new, old] if is_first_later else [old, new]
    with pytest.raises(ValueError, match=r"choose runs that agree \(on the command line, --where (\S+)\)") as error:
        by_arm.arms(runs)
    condition = re.search(r"--where (\S+)\)", str(error.value))[1]
    assert select_runs.select(runs, [condition]) == [new]


def test_games_have_versions_of_their_own():
    runs = [literal([1], game="catch"), literal([1], game="pong")]
    runs[1].facts["game"]["version"] = 3
    assert by_arm.compared(runs) == by_arm.arms(runs)


def test_games_of_several_budgets_are_refused():
    runs = [literal([1], game="catch"), literal([1], game="pong")]
    runs[1].facts["steps"] = 30_000
    with pytest.raises(ValueError, match="DQN on catch and DQN on pong differ in steps"):
        by_arm.compared(runs)


def test_without_a_word_on_it_the_last_evaluation_is_the_final_score():
    assert by_arm.final([literal([1, 2, 3, 9])], "evaluation_return").tolist() == [9]


def of_code(seed=0, algorithm="DQN", sources=None, packages=None, **more):
    outside = {name: value for name, value in (("sources", sources), ("packages", packages)) if value}
    run = literal([1, 2], seed=seed, algorithm=algorithm, **more)
    run.facts["game"] = {"name": "mine", "version": 1, **outside}
    return run


def test_runs_on_two_versions_of_an_environment_are_neither_pooled_nor_compared():
    for old, new, words in (
        ({"sources": {"a": "1", "b": "2"}}, {"sources": {"a": "1", "b": "3"}}, "the source of b"),
        ({"packages": {"maze": "1.0"}}, {"packages": {"maze": "1.1"}}, "the version of maze"),
        ({}, {"sources": {"a": "1"}}, "the source of a"),
    ):
        with pytest.raises(ValueError, match=f"of DQN on mine differ in {words} and cannot be pooled"):
            by_arm.arms([of_code(0, **old), of_code(1, **new)])
        with pytest.raises(
            ValueError, match=f"on two versions of mine, which differ in {words}, and cannot be compared"
        ):
            by_arm.compared([of_code(0, **old), of_code(0, "C51", **new)])
        assert len(by_arm.compared([of_code(0, **old), of_code(0, "C51", **old)])) == 2


def test_parts_of_two_versions_are_compared_but_not_pooled():
    old, new = {"part_sources": {"nets": "1"}}, {"part_sources": {"nets": "2"}}
    with pytest.raises(ValueError, match="differ in the source of nets and cannot be pooled"):
        by_arm.arms([of_code(0, **old), of_code(1, **new)])
    assert len(by_arm.compared([of_code(0, "old", **old), of_code(0, "new", **new)])) == 2


def test_runs_with_other_switches_of_jax_are_neither_pooled_nor_compared():
    other = {"switches": {"jax_default_matmul_precision": "highest"}}
    with pytest.raises(ValueError, match="differ in switches and cannot be pooled"):
        by_arm.arms([of_code(0), of_code(1, **other)])
    with pytest.raises(ValueError, match=r"differ in switches .*highest.* and cannot be compared"):
        by_arm.compared([of_code(0), of_code(0, "C51", **other)])
