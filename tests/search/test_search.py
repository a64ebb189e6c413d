"""Searches for settings: invalid input, promotion, and resuming without loss or change."""

import contextlib
import dataclasses
import functools
import json
import shlex
import shutil
import subprocess
import sys
import types

import numpy as np
import optuna
import pytest

from jaxdqn import commands, optimizers
from jaxdqn.algorithms import dqn
from jaxdqn.commands import search_options
from jaxdqn.figures import search as figures
from jaxdqn.search import halving, run_search, samplers, waiting_runs
from jaxdqn.search import spec as searches
from jaxdqn.search.halving import Ask, Plan, ScoredWave, Train
from jaxdqn.search.spec import Search
from jaxdqn.settings import FAMILIES
from jaxdqn.store import failures, schema, search_trials, store
from jaxdqn.study import execute, grids, provenance, spec, stop_signals
from jaxdqn.training.evaluate import Evaluation
from tests.helpers.runs import EVALUATION, SMALL

SPACE = {"learning_rate": grids.LogUniform(1e-4, 1e-1), "target_update.every": grids.LogUniform(5, 500)}
SEARCH = Search(
    name="small",
    game="catch",
    config=SMALL,
    space=SPACE,
    tuning_seeds=(0, 1),
    test_seeds=(10, 11),
    steps=600,
    evaluation=EVALUATION,
    budget=2 * 600 * 6,
    rungs=(200,),
    share=0.5,
    batch=4,
)
PLAN = Plan(ends=(2, 6, 10), share=0.5, batch=4, num_seeds=3, rule=halving.best)


@pytest.fixture(scope="module")
def programs():
    with waiting_runs.programs() as made:
        yield made


@pytest.fixture(scope="module")
def finished(tmp_path_factory, programs):
    """Returns the folder of a search that was run in one go, and its outcome."""
    out = tmp_path_factory.mktemp("finished")
    return out, run_search.run(SEARCH, out, programs=programs)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"test_seeds": (1, 10)}, r"Seeds \[1\] are among tuning_seeds and test_seeds"),
        ({"final_seeds": (5, 1)}, r"Seeds \[1\] are among tuning_seeds and final_seeds"),
        ({"final_seeds": (11,)}, r"Seeds \[11\] are among final_seeds and test_seeds"),
        ({"final_seeds": (5, 5)}, "seeds names 5 more than once"),
        ({"final_seeds": (5,), "finalists": 0}, "finalists = 0 must be a whole number of at least 1"),
        ({"final_seeds": (5, 6), "budget": 5_999}, "at least 6_000 .* with 2 seeds and 4_800 of the final"),
        ({"space": {}}, "space is empty"),
        ({"space": {"learning_rat": grids.Uniform(0.1, 0.2)}}, "'learning_rat' is not a field .* 'learning_rate'"),
        ({"space": {"learning_rat": grids.Choice((0.1, 0.2))}}, "'learning_rat' is not a field .* 'learning_rate'"),
        ({"space": SPACE | {"n_stp": grids.Choice((1, 3))}}, "'n_stp' is not a field .* 'n_step'"),
        ({"space": {"discount": grids.Uniform(0.5, 1.5)}}, "discount = 1.5 is out of range"),
        ({"space": {"n_step": grids.Choice((1, 0))}}, "n_step = 0 is out of range"),
        ({"space": {"batch_size": grids.LogUniform(8, 64)}}, "range over structure: list its values with Choice"),
        ({"space": {"target_update.every": grids.Uniform(0.5, 9)}}, "must be between whole numbers"),
        ({"rungs": (300,)}, "must be multiples of 200 that grow"),
        ({"rungs": (400, 200)}, "must be multiples of 200 that grow"),
        ({"share": 1.0}, "share = 1.0 is out of range"),
        ({"last": 2}, "last = 2 must be .* at most 1, the evaluations until the first rung"),
        ({"budget": 100}, "budget = 100 must be a whole number of at least 1_200"),
        ({"budget": 1_199}, "budget = 1199 must be a whole number of at least 1_200 .* for one point with 2 seeds.$"),
        ({"budget": 7_200.5}, "budget = 7200.5 must be a whole number"),
        ({"final_seeds": (5,), "finalists": 2.5}, "finalists = 2.5 must be a whole number"),
        ({"space": {"target_update.every": grids.Uniform(5, 9.5)}}, "must be between whole numbers"),
        ({"space": {"target_update": grids.Uniform(1, 2)}}, "range over a part: list its values with Choice"),
        ({"space": {"discount": grids.Uniform(-0.5, 0.5)}}, "discount = -0.5 is out of range"),
        ({"rungs": (600,)}, "must be multiples of 200 that grow, below 600"),
        ({"rungs": (0,)}, "must be multiples of 200"),
        ({"rungs": (200.5,)}, "must be multiples of 200"),
        ({"share": 0.0}, "share = 0.0 is out of range"),
        ({"batch": 0}, "batch = 0 must be a whole number of at least 1"),
        ({"batch": 4.5}, "batch = 4.5 must be a whole number of at least 1"),
        ({"last": 0}, "last = 0 must be None or a whole number of at least 1"),
        ({"last": True}, "last = True must be None or a whole number"),
        ({"seed": -1}, "seed = -1 must be a whole number of at least 0"),
        ({"seed": 2**31}, "seed = 2147483648 must be .* below 2\\^31"),
        ({"seed": 0.5}, "seed = 0.5 must be a whole number"),
    ],
)
def test_a_search_that_makes_no_sense_is_refused_in_a_sentence(change, sentence):
    with pytest.raises(ValueError, match=sentence):
        dataclasses.replace(SEARCH, **change)


@pytest.mark.parametrize(
    "change",
    [
        {"budget": 1_200},
        {"batch": 1},
        {"seed": 2**31 - 1},
        {"rungs": (400,), "last": 2},
        {"rungs": (), "last": 3},
        {"rungs": (200, 400)},
        {"last": None},
        {"final_seeds": (5, 6), "finalists": 1, "budget": 1_200 + 1_200},
        {"finalists": 1},
        {"space": {"n_step": grids.Choice((1, 100))}},
        {"space": {"discount": grids.Uniform(0.0, 1.0)}},
    ],
    ids=str,
)
def test_a_search_at_the_limits_is_accepted(change):
    dataclasses.replace(SEARCH, **change)


FINAL = dataclasses.replace(
    SEARCH, rungs=(200, 400), share=0.25, batch=3, final_seeds=(5, 6, 7), finalists=2, budget=99_000, seed=9, last=None
)


def test_a_plan_agrees_with_its_search():
    expected = Plan((200, 400, 600), 0.25, 3, num_seeds=2, rule=halving.best, finalists=2, num_final_seeds=3)
    assert searches.plan(FINAL) == expected
    undecided = dataclasses.replace(FINAL, rule=halving.best_or_undecided)
    assert searches.plan(undecided).rule is halving.best_or_undecided
    fields = {field.name: field.default for field in dataclasses.fields(Search)}
    assert [fields[name] for name in ("rungs", "share", "batch", "final_seeds", "finalists", "last", "seed")] == [
        (), 1 / 3, 8, (), 4, 1, 0,
    ]  # fmt: skip
    assert (fields["sampler"], fields["rule"]) == (samplers.tpe, halving.best)
    assert (Plan((1,), 0.5, 1, 1, halving.best).finalists, Plan((1,), 0.5, 1, 1, halving.best).num_final_seeds) == (
        0,
        0,
    )


def test_a_point_is_trained_on_tuning_seeds_its_final_on_others_and_its_test_beside_the_default():
    settings = {"learning_rate": 0.02, "target_update.every": 7}
    for rung, seeds in ((0, (0, 1)), (2, (0, 1)), (3, (5, 6, 7))):
        study = searches.tuning_study(FINAL, settings, rung)
        assert (tuple(study.seeds), study.steps, study.evaluation) == (seeds, 600, EVALUATION)
        (cell, *_) = spec.cells(study)
        assert (cell.game, cell.config.learning_rate, cell.config.target_update.every) == ("catch", 0.02, 7)
    study = searches.test_study(FINAL, settings)
    assert (study.name, study.games, study.seeds, study.steps) == ("small", ("catch",), (10, 11), 600)
    assert study.algorithms == {"default": SMALL, "tuned": searches.config_at(FINAL, settings)}
    assert study.evaluation == EVALUATION
    assert list(searches.test_study(FINAL, {"learning_rate": SMALL.learning_rate}).algorithms) == ["default"]


def test_the_stored_description_of_a_search_is_complete():
    space = {"n_step": grids.Choice((1, 3)), "learning_rate": grids.LogUniform(1e-4, 1e-1)}
    about = searches.about(dataclasses.replace(FINAL, space=space, sampler=samplers.cma_es))
    configuration, evaluation, game = (about.pop(name) for name in ("configuration", "evaluation", "game"))
    assert configuration["learning_rate"] == SMALL.learning_rate
    assert evaluation == {"every": 200, "episodes": 3, "epsilon": 0.0, "exact_values": False}
    assert game["name"] == "catch"
    assert about == {
        "space": {
            "n_step": {"type": "Choice", "values": [1, 3]},
            "learning_rate": {"type": "LogUniform", "low": 1e-4, "high": 1e-1},
        },
        "tuning_seeds": [0, 1],
        "steps": 600,
        "sampler": "cma_es",
        "rungs": [200, 400],
        "share": 0.25,
        "rule": "best",
        "batch": 3,
        "final_seeds": [5, 6, 7],
        "finalists": 2,
        "last": None,
        "seed": 9,
    }


def test_a_search_of_a_part_that_trains_otherwise_than_it_did_is_another(tmp_path, programs):
    space = {"optimizer": grids.Choice((optimizers.SGD(), optimizers.RAdam()))}
    one = dataclasses.replace(SEARCH, space=space)
    about = searches.about(one)
    assert about.pop("part_versions") == {"RAdam": 2}
    about["configuration"] = schema.without_none(about["configuration"])  # without fields that were added since
    (tmp_path / "small" / "tuning").mkdir(parents=True)
    (tmp_path / "small" / "tuning" / "search.json").write_text(json.dumps(about))  # as an earlier version recorded it
    with pytest.raises(ValueError, match="holds a search with another part_versions: give"):
        run_search.run(one, tmp_path, programs=programs)


def test_points_that_differ_in_numbers_share_a_program_and_points_that_differ_in_structure_do_not():
    one, other, longer = {"learning_rate": 0.1}, {"learning_rate": 0.2}, {"n_step": 3}
    assert searches.group(SEARCH, one) == searches.group(SEARCH, other) != searches.group(SEARCH, longer)
    assert searches.whole_numbers(SEARCH) == ["target_update.every"]


@pytest.mark.parametrize(("environments", "expected"), [(1, ["first"]), (None, [])])
def test_a_program_ends_before_the_next_where_only_one_environment_can_exist(environments, expected, monkeypatch):
    names, closed = iter(("first", "second")), []

    def make(*arguments):
        return types.SimpleNamespace(close=functools.partial(closed.append, next(names)))

    monkeypatch.setattr(waiting_runs.program, "make", make)
    monkeypatch.setattr(waiting_runs.device_layout, "choose", lambda *arguments: None)
    arms = {str(size): dataclasses.replace(SMALL, num_environments=1, batch_size=size) for size in (8, 16)}
    study = spec.Study("one", ("catch",), arms, range(1), 200, Evaluation(200, 1, environments=environments))
    runs = types.SimpleNamespace(programs={}, memory=None)
    for cell in spec.cells(study):
        waiting_runs._program(runs, study, cell, 1)
    assert closed == expected
    assert len(runs.programs) == 2 - len(expected)


def test_distributions_have_bounds_logarithms_and_whole_numbers():
    space = {
        "a": grids.Uniform(0.5, 2.0),
        "b": grids.LogUniform(0.25, 4.0),
        "c": grids.Uniform(1, 9),
        "d": grids.LogUniform(2, 64),
        "e": grids.Choice(("x", "y", "z")),
    }
    distributions = optuna.distributions
    assert samplers.distributions(space, whole=("c", "d")) == {
        "a": distributions.FloatDistribution(0.5, 2.0, log=False),
        "b": distributions.FloatDistribution(0.25, 4.0, log=True),
        "c": distributions.IntDistribution(1, 9, log=False),
        "d": distributions.IntDistribution(2, 64, log=True),
        "e": distributions.CategoricalDistribution((0, 1, 2)),
    }
    assert samplers.settings(space, {"a": 1.0, "b": 0.5, "c": 3, "d": 8, "e": 2})["e"] == "z"


def test_the_last_step_of_a_point_is_reported_to_optuna_once():
    space = samplers.distributions({"a": grids.Uniform(-1.0, 1.0)}, whole=())
    study = optuna.create_study(direction="maximize")
    for _ in range(4):
        samplers.ask(study, samplers.random, 0, space)
    running, ends, dropped, failed = samplers.complete_trials(study, space)
    samplers.tell(study, running, 200, 0.5, None)
    # A restarted search reports a score again.
    samplers.tell(study, samplers.complete_trials(study, space)[0], 200, 0.75, None)
    samplers.tell(study, ends, 200, 0.5, None)
    samplers.tell(study, samplers.complete_trials(study, space)[1], 600, 0.25, "complete")
    samplers.tell(study, dropped, 200, -0.5, "dropped")
    samplers.tell(study, failed, 200, float("nan"), "complete")
    states = optuna.trial.TrialState
    trials = study.get_trials()
    assert [trial.state for trial in trials] == [states.RUNNING, states.COMPLETE, states.PRUNED, states.FAIL]
    assert [trial.intermediate_values for trial in trials] == [{200: 0.5}, {200: 0.5, 600: 0.25}, {200: -0.5}, {}]
    assert trials[1].value == 0.25
    samplers.tell(study, samplers.complete_trials(study, space)[1], 600, 9.0, "complete")
    assert study.best_value == 0.25


def test_the_estimators_begin_with_eight_random_points():
    space, studies = samplers.distributions(SPACE, whole=("target_update.every",)), []
    for sampler in (samplers.tpe, samplers.random):
        studies.append(optuna.create_study(direction="maximize"))
        for number in range(10):
            point = samplers.ask(studies[-1], sampler, number, space)
            samplers.tell(
                studies[-1], samplers.complete_trials(studies[-1], space)[-1], 1, -point["learning_rate"], "complete"
            )
    ours, random = ([trial.params for trial in study.get_trials()] for study in studies)
    assert ours[:8] == random[:8]
    assert ours[8] != random[8]


def test_of_fewer_than_eight_points_or_equal_ones_no_importance_is_said():
    space = samplers.distributions({"a": grids.Uniform(-1.0, 1.0)}, whole=())
    points = [{"a": value} for value in np.linspace(-1, 1, 8).tolist()]
    scores = [float(number) for number in range(8)]
    assert samplers.importance(space, points[:7], scores[:7]) == {}
    assert samplers.importance(space, points, [1.0] * 8) == {}
    assert samplers.importance(space, points, scores) == {"a": 1.0}


def test_importance_is_of_being_among_the_best_quarter():
    generator = np.random.default_rng(0)
    space = samplers.distributions({name: grids.Uniform(-1.0, 1.0) for name in "ab"}, whole=())
    points = [dict(zip("ab", generator.uniform(-1, 1, 2).tolist(), strict=True)) for _ in range(200)]
    # In the best quarter are those with a large a; which of them are the best tenth, b alone says.
    shares = samplers.importance(space, points, [10.0 * (p["a"] > 0.5) + p["b"] for p in points])
    assert shares["a"] > 0.9


def test_the_steps_of_a_plan_in_a_case_worked_by_hand():
    plan = PLAN._replace(finalists=2, num_final_seeds=5)  # three seeds, rungs at 2, 6 and 10 steps
    assert [halving.cost(plan, rung) for rung in range(4)] == [3 * 2, 3 * 4, 3 * 4, 5 * 10]
    assert [halving.expected(plan, rung) for rung in range(3)] == [6 + 12 / 2 + 12 / 4, 12 + 12 / 2, 12]
    assert halving.spent(plan, [wave(0, (0, 1, 2), ()), wave(1, (0,), ()), wave(3, (0, 1), ())]) == 18 + 12 + 100
    assert [halving._part(1 / 3, number) for number in range(7)] == [0, 0, 0, 1, 1, 1, 2]


def test_points_go_on_from_every_rung_but_the_last_by_comparison_with_earlier_waves_of_that_rung():
    scores = np.array([[1.0] * 3, [4.0] * 3, [3.0] * 3, [2.0] * 3])
    done = [wave(0, (8, 9), ()), ScoredWave(1, (0, 1), ((9.0,) * 3, (3.5,) * 3), ())]
    assert halving.promoted(PLAN, 0, (10, 11, 12, 13), scores, done) == [11, 12]
    assert halving.promoted(PLAN, 1, (10, 11, 12, 13), scores, done) == [11]  # the best three of six: 9, 4 and 3.5
    assert halving.promoted(PLAN, 2, (10, 11, 12, 13), scores, done) == []


def test_at_most_as_many_undecided_points_go_on_as_points_that_are_kept():
    same = np.array([[9.0, 1.0], [8.0, 1.5], [1.0, 8.0], [7.5, 1.7]])  # nobody can tell
    assert halving.best_or_undecided(same, 0.25) == [0, 1]
    assert sorted(halving.best_or_undecided(same, 0.5)) == [0, 1, 2, 3]


def test_the_best_share_of_a_wave_is_promoted_if_it_is_among_the_best_share_of_all():
    scores = np.array([[3.0, 1.0], [9.0, -9.0], [1.0, 2.0], [5.0, 0.0]])  # means 2, 0, 1.5, 2.5
    assert halving.best(scores, 0.5) == [3, 0]
    assert halving.best(scores, 0.3) == [3]  # 1.2 points, but one at least
    assert halving.best(scores, 0.5, earlier=[9.0, 9.0, 2.2, 1.0]) == [3]  # the best four of eight: 9, 9, 2.5, 2.2
    assert halving.best(scores, 0.5, earlier=[9.0] * 4) == []
    assert halving.best(scores - 5.0, 0.5, earlier=[-9.0] * 4) == [3, 0]


def test_a_point_that_does_not_differ_significantly_from_the_last_promoted_is_promoted_too():
    kept, always_worse, undecided = [4.0, 5.0, 6.0], [2.0, 3.0, 4.0], [9.0, 3.0, 2.9]
    scores = np.array([kept, always_worse, undecided])
    assert halving.best(scores, 1 / 3) == [0]
    assert halving.best_or_undecided(scores, 1 / 3) == [0, 2]
    assert halving.best_or_undecided(np.array([kept, always_worse]), 0.5) == [0]
    assert halving.best_or_undecided(np.array([kept, [3.5, 4.5, 5.5]]), 0.5) == [0]  # worse by a half each time
    two_seeds = np.array([kept, always_worse])[:, :2]  # have no interval, so that nothing is decided
    assert halving.best_or_undecided(two_seeds, 0.5) == [0, 1]


def wave(rung, points, kept):
    """Returns a wave in which points with larger numbers are worse."""
    return ScoredWave(rung, points, tuple((-float(point),) * 3 for point in points), kept)


def following(num_points, done, budget=10_000, groups=None):
    return halving.following(PLAN, groups or [0] * num_points, done, budget)


def test_a_point_that_could_not_be_trained_is_worse_than_any_other():
    nothing = [np.nan, np.nan]
    for rule in (halving.best, halving.best_or_undecided):
        assert rule(np.array([nothing, [1.0, 1.0], nothing, [-9.0, -9.0]]), 0.5)[0] == 1
        assert set(rule(np.array([nothing, [1.0, 1.0], nothing, nothing]), 0.5)) == {1}
        assert rule(np.array([nothing, nothing]), 0.5) == []
    assert halving.best(np.array([[1.0], [2.0]]), 0.5, earlier=[np.nan, np.nan]) == [1]
    assert halving.best(np.array([[-np.inf, 1.0], [-1e9, -1e9]]), 0.99) == [1]
    lost = ScoredWave(0, (0,), ((np.nan,),), ())
    assert halving.incumbents([lost, wave(0, (1,), ()), lost]) == [None, (1, -1.0), (1, -1.0)]


def test_a_point_with_a_diverged_run_is_worse_than_any_without_one():
    diverged = [900.0, -np.inf]
    for rule in (halving.best, halving.best_or_undecided):
        assert rule(np.array([diverged, [1.0, 1.0], diverged, [-9.0, -9.0]]), 0.5)[0] == 1
        assert set(rule(np.array([diverged, [1.0, 1.0], diverged, diverged]), 0.5)) == {1}
        assert rule(np.array([diverged, diverged]), 0.5) == []
    assert halving.best(np.array([[1.0], [2.0]]), 0.5, earlier=[-np.inf, -np.inf]) == [1]
    lost = ScoredWave(1, (0,), (tuple(diverged),), ())  # at a higher rung than the other one
    assert halving.incumbents([wave(0, (0,), (0,)), wave(0, (1,), ()), lost])[1:] == [(0, 0.0), (1, -1.0)]


def test_a_winner_that_diverges_in_the_final_is_not_chosen_even_if_all_finalists_do():
    points = (0, 1, 2)
    waves = [
        ScoredWave(0, points, ((3.0,), (2.0,), (1.0,)), ()),
        ScoredWave(1, (0, 1), ((-np.inf, 9.0), (9.0, -np.inf)), ()),
    ]
    assert halving.incumbents(waves) == [(0, 3.0), (2, 1.0)]
    assert halving.diverged(waves) == {0, 1}
    assert halving.incumbents([ScoredWave(0, (0,), ((3.0,),), ()), ScoredWave(1, (0,), ((-np.inf,),), ())]) == [
        (0, 3.0),
        None,
    ]


def test_a_diverged_point_does_not_win_a_search_and_its_sampler_gets_the_worst_score(tmp_path, programs):
    space = {"learning_rate": grids.Choice((0.01, 1e30))}
    one = dataclasses.replace(SEARCH, name="diverging", space=space, rungs=(), budget=2 * 600 * 8)
    shown = []
    outcome = run_search.run(one, tmp_path, programs=programs, advanced=lambda steps, scores: shown.append(scores))
    is_large = [settings["learning_rate"] == 1e30 for settings in outcome.settings]
    assert 0 < sum(is_large) < len(is_large)
    assert np.isnan(np.concatenate(shown)).any()  # a diverged run has no score on the progress bar
    assert not np.isnan(np.concatenate(shown)).all()
    folder = tmp_path / "diverging" / "tuning"
    found = search_trials.read(folder)
    assert [point.state == "diverged" for point in found.points] == is_large
    assert [point.scores == () for point in found.points] == is_large
    assert run_search.best(outcome)["learning_rate"] == 0.01
    assert not is_large[found.progress[-1][1]]
    values = [trial.value for trial in samplers.opened(folder / "journal.log", "diverging").trials]
    worst = min(point.score for point in found.points if point.scores)
    assert [value for value, large in zip(values, is_large, strict=True) if large] == [worst] * sum(is_large)
    assert f"Not drawn: {sum(is_large)} diverged points" in figures.parallel_coordinates(found).get_label()
    assert len(figures.parallel_coordinates(found).axes[0].get_lines()) - 2 == len(is_large) - sum(is_large)
    stored = store.read(folder / "runs").runs
    diverged = [run.facts["configuration"]["learning_rate"] for run in stored if run.facts["diverged_at"] is not None]
    assert diverged == [1e30] * len(searches.tuning_study(one, {}).seeds)  # a repeated setting is known


def test_a_search_of_which_all_points_diverge_reports_it_and_records_no_best_point(tmp_path, capsys, monkeypatch):
    line = (
        "search catch dqn --space learning_rate=log:1e25:1e30 --steps 400 --every 200 --episodes 2 --tuning-seeds 1 "
        "--test-seeds 1 --final-seeds 0 --rungs --budget 1200 --batch 3 --name lost --set learning_starts=100"
    )
    with pytest.raises(SystemExit) as stopped:
        commands.main(shlex.split(f"{line} --out {tmp_path}"))
    assert stopped.value.code == 2
    out, err = capsys.readouterr()
    assert "error: All 3 points diverged, so none is chosen" in err
    assert "chosen  " not in out
    found = search_trials.read(tmp_path / "lost" / "tuning")
    assert found.progress == ()
    assert {point.state for point in found.points} == {"diverged"}
    with pytest.raises(ValueError, match="lost has no best point"):
        figures.progress_of(found)
    assert not (tmp_path / "lost" / "runs").exists()  # nothing ran on test seeds


def test_the_next_steps_agree_with_a_case_by_hand():
    assert following(3, []) == Ask()
    assert following(4, []) == Train(0, (0, 1, 2, 3))
    first = [wave(0, (0, 1, 2, 3), (0, 1))]
    assert halving.waiting(4, first) == {0: 1, 1: 1}
    assert following(4, first) == Ask()  # two wait for the second rung, where four fill a wave
    two = [*first, wave(0, (4, 5, 6, 7), (4, 5))]
    assert following(8, two) == Train(1, (0, 1, 4, 5))
    assert following(12, two) == Train(1, (0, 1, 4, 5))  # and not the four that wait for the first rung
    three = [*two, wave(1, (0, 1, 4, 5), (0, 1))]
    assert halving.spent(PLAN, three) == 3 * (8 * 2 + 4 * 4)
    assert halving.waiting(8, three) == {0: 2, 1: 2}
    # The two that wait take 3 (10 - 6) = 12 steps each, and a new one takes 30 if it comes to its end.
    assert following(8, three, budget=96 + 24 + 30) == Ask()
    assert following(8, three, budget=96 + 24 + 29) == Train(2, (0, 1))
    assert following(8, three, budget=96 + 12) == Train(2, (0,))  # the better one
    assert following(8, three, budget=96 + 11) is None


def test_the_final_is_held_once_between_the_best_and_its_winner_is_the_choice():
    plan = PLAN._replace(finalists=2, num_final_seeds=5)
    assert halving.cost_of_final(plan) == 2 * 5 * 10
    ends = ScoredWave(2, (0, 1, 2, 3), tuple((score,) * 3 for score in (0.5, 0.9, np.nan, 0.7)), ())
    points, zeros = (0, 1, 2, 3), ((0.0,) * 3,) * 4
    waves = [ScoredWave(0, points, zeros, points), ScoredWave(1, points, zeros, points), ends]
    budget = halving.spent(plan, waves) + 100
    assert halving.following(plan, [0] * 4, waves, budget) == Train(3, (1, 3))
    assert halving.following(PLAN, [0] * 4, waves, halving.spent(PLAN, waves)) is None  # no final without its seeds
    final = ScoredWave(3, (1, 3), ((0.2,) * 5, (0.6,) * 5), ())
    assert halving.promoted(plan, 3, final.points, np.array(final.scores), waves) == []
    waves.append(final)
    assert halving.spent(plan, waves) == budget
    assert halving.following(plan, [0] * 4, waves, budget) is None
    assert halving.incumbents(waves)[-2:] == [(1, 0.9), (3, 0.6)]
    assert halving.waiting(4, waves) == {}


def test_finalists_of_several_programs_are_run_apart_and_once():
    plan = PLAN._replace(ends=(10,), finalists=3, num_final_seeds=5)
    waves = [ScoredWave(0, (0, 1, 2, 3), tuple((score,) * 3 for score in (0.5, 0.9, 0.1, 0.7)), ())]
    budget = halving.spent(plan, waves) + 150
    first = halving.following(plan, "ABAB", waves, budget)
    assert first == Train(1, (1, 3))
    waves.append(ScoredWave(1, first.points, ((0.9,) * 5, (0.7,) * 5), ()))
    assert halving.following(plan, "ABAB", waves, budget) == Train(1, (0,))
    assert halving.following(plan, "ABAB", waves, budget - 1) is None  # it can no longer be paid for
    waves.append(ScoredWave(1, (0,), ((0.5,) * 5,), ()))
    assert halving.following(plan, "ABAB", waves, budget) is None
    grown = budget + 30 + 150
    assert halving.following(plan, "ABAB", waves, grown) == Ask()
    waves.append(ScoredWave(0, (4,), ((0.8,) * 3,), ()))
    assert halving.following(plan, "ABABA", waves, grown) == Train(1, (4,))  # the others were in the final before


def test_points_that_wait_at_the_end_of_the_budget_still_wait_after_the_final():
    plan = PLAN._replace(finalists=1, num_final_seeds=2)
    rows = ((0.0,) * 3,) * 2
    waves = [
        ScoredWave(0, (0, 1), rows, (0, 1)),
        ScoredWave(1, (0, 1), rows, (0, 1)),
        ScoredWave(2, (0,), rows[:1], ()),
    ]
    waves.append(ScoredWave(3, (0,), ((0.0,) * 2,), ()))
    for budget in (halving.spent(plan, waves), halving.spent(plan, waves) + 11, 1):
        assert halving.following(plan, [0, 0], waves, budget) is None
    both_ended = [*waves[:2], ScoredWave(2, (0, 1), rows, ())]
    assert halving.following(plan._replace(finalists=2), [0, 0], both_ended, 1) is None  # overspent


def test_a_search_with_a_final_ends_with_its_winner(tmp_path, programs):
    seeds = (20, 21, 22)
    one = dataclasses.replace(SEARCH, name="final", final_seeds=seeds, finalists=3, budget=SEARCH.budget + 9 * 600)
    outcome = run_search.run(one, tmp_path, programs=programs)
    final = outcome.waves[-1]
    assert (final.rung, len(final.points), np.shape(final.scores)) == (2, 3, (3, 3))
    whole: dict[int, float] = {}
    for wave in outcome.waves:
        whole |= dict(zip(wave.points, halving.means(wave), strict=True)) if wave.rung == 1 else {}
    assert set(final.points) == set(sorted(whole, key=lambda point: (-whole[point], point))[:3])
    winner = final.points[int(np.argmax(halving.means(final)))]
    assert run_search.best(outcome) == outcome.settings[winner]
    assert outcome.spent <= one.budget
    found = search_trials.read(tmp_path / "final" / "tuning")
    assert {point.number: point.final for point in found.points if point.final} == dict(
        zip(final.points, final.scores, strict=True)
    )
    assert found.progress[-1][:2] == (outcome.spent, winner)
    stored = store.read(tmp_path / "final" / "tuning" / "runs").runs
    assert sum(run.facts["seed"] in seeds for run in stored) == 9
    assert run_search.run(one, tmp_path, programs=programs)[:3] == outcome[:3]  # it is held once
    grown = dataclasses.replace(one, budget=one.budget + 9 * 600 + 4_800)
    more = run_search.run(grown, tmp_path, programs=programs)
    assert more.waves[: len(outcome.waves)] == outcome.waves
    assert len(more.settings) > len(outcome.settings)
    assert outcome.spent < more.spent <= grown.budget
    held = [point for wave in more.waves if wave.rung == 2 for point in wave.points]
    assert len(held) == len(set(held))


def test_a_wave_holds_points_of_one_program():
    assert following(5, [], groups=["a", "b", "a", "b", "a"]) == Ask()
    assert following(6, [], groups=["a", "b", "a", "b", "a", "a"]) == Train(0, (0, 2, 4, 5))
    assert following(3, [], groups=["a", "b", "b"], budget=3 * 2 * 3) == Train(0, (0,))


def test_the_best_point_is_one_of_the_points_with_the_most_steps():
    done = [wave(0, (5, 6), (5,)), wave(1, (5,), ()), wave(0, (0, 1), (0,))]
    assert halving.incumbents(done) == [(5, -5.0), (5, -5.0), (5, -5.0)]
    equal = [ScoredWave(0, (4, 7), ((1.0,), (1.0,)), ()), ScoredWave(0, (2,), ((1.0,),), ())]
    assert halving.incumbents(equal) == [(4, 1.0), (2, 1.0)]  # of equal points the first


def test_the_budget_is_kept_and_every_point_has_an_end(finished):
    _, outcome = finished
    num_seeds = len(SEARCH.tuning_seeds)
    steps = sum(len(one.points) * num_seeds * (200, 400)[one.rung] for one in outcome.waves)
    assert outcome.spent == steps <= SEARCH.budget
    assert SEARCH.budget - steps < num_seeds * SEARCH.steps
    assert halving.waiting(len(outcome.settings), outcome.waves) == {}
    assert len(outcome.settings) > 6  # more than whole runs would have paid for


def test_promoted_runs_equal_the_runs_of_a_study_bit_for_bit(finished, tmp_path):
    out, outcome = finished
    last = [point for one in outcome.waves if one.rung == 1 for point in one.points]
    stored = {run.facts["id"]: run for run in store.read(out / "small" / "tuning" / "runs").runs}
    assert len(stored) == 2 * len(last)
    study = searches.tuning_study(SEARCH, outcome.settings[last[-1]])
    execute.run(study, tmp_path)
    plain = store.read(tmp_path / study.name / "runs").runs
    assert len(plain) == 2
    for run in plain:
        for name, values in run.curves.items():
            np.testing.assert_array_equal(values, stored[run.facts["id"]].curves[name])


def test_trials_are_read_without_optuna_and_agree_with_the_waves(finished):
    out, outcome = finished
    found = search_trials.read(out / "small" / "tuning")
    assert [point.settings for point in found.points] == list(outcome.settings)
    scores = {(one.rung, p): s for one in outcome.waves for p, s in zip(one.points, one.scores, strict=True)}
    assert {(r, p.number): s for p in found.points for r, s in enumerate(p.scores)} == scores
    assert found.progress[-1][0] == outcome.spent
    assert outcome.settings[found.progress[-1][1]] == run_search.best(outcome)
    assert {point.state for point in found.points} == {"complete", "dropped"}
    assert found.importance.num_points == len(found.points)


class Killed(BaseException):
    pass


@pytest.mark.parametrize("moment", [1, 2, 4])
def test_a_killed_search_continues_with_the_same_points_and_scores(moment, finished, tmp_path, programs, monkeypatch):
    """The search is killed after a wave is in the journal and before Optuna has its scores: the worst moment."""
    calls, tell = [], samplers.tell

    def die(*arguments):
        calls.append(arguments)
        if len(calls) == 3 * moment:
            raise Killed
        tell(*arguments)

    monkeypatch.setattr(samplers, "tell", die)
    with pytest.raises(Killed):
        run_search.run(SEARCH, tmp_path, programs=programs)
    monkeypatch.undo()
    outcome = run_search.run(SEARCH, tmp_path, programs=programs)
    assert outcome._replace(seconds=0) == finished[1]._replace(seconds=0)
    assert run_search.run(SEARCH, tmp_path, programs=programs)[:3] == outcome[:3]  # done: nothing is added


def test_a_finalist_whose_final_breaks_has_no_place_in_it_and_is_no_failed_point(tmp_path, programs, monkeypatch):
    search = dataclasses.replace(SEARCH, final_seeds=(20, 21), finalists=2, budget=SEARCH.budget + 2 * 2 * 600)
    train, broken = waiting_runs.train, []

    def break_down(runs, members, *rest):
        in_final = [cell.config.learning_rate for _, cell in members if cell.seed in search.final_seeds]
        broken.extend(in_final[:1] if not broken else [])
        if set(in_final) & set(broken):
            raise RuntimeError("it broke")
        return train(runs, members, *rest)

    monkeypatch.setattr(waiting_runs, "train", break_down)
    outcome = run_search.run(search, tmp_path, programs=programs)
    assert broken
    assert run_search.best(outcome)["learning_rate"] not in broken
    points = search_trials.read(tmp_path / "small" / "tuning").points
    assert "failed" not in {point.state for point in points}


def test_a_point_that_cannot_be_trained_fails_alone_and_the_search_continues(finished, tmp_path, programs, monkeypatch):
    broken = finished[1].settings[2]["learning_rate"]
    train = waiting_runs.train

    def break_down(runs, members, *rest):
        if any(cell.config.learning_rate == broken for _, cell in members):
            raise RuntimeError("it broke")
        return train(runs, members, *rest)

    monkeypatch.setattr(waiting_runs, "train", break_down)
    outcome = run_search.run(SEARCH, tmp_path, programs=programs)
    first, whole = outcome.waves[0], finished[1].waves[0]
    assert first.points == (0, 1, 2, 3)
    assert np.isnan(first.scores[2]).all()
    assert [first.scores[row] for row in (0, 1, 3)] == [whole.scores[row] for row in (0, 1, 3)]
    folder = tmp_path / "small" / "tuning"
    assert [failure.reason for failure in failures.read(folder / "failures")] == ["RuntimeError: it broke"] * 2
    assert [point.number for point in search_trials.read(folder).points if point.state == "failed"] == [2]
    assert run_search.best(outcome)["learning_rate"] != broken
    again = run_search.run(SEARCH, tmp_path, programs=programs)
    assert again.settings == outcome.settings
    assert len(again.waves) == len(outcome.waves)


def test_a_search_whose_points_all_fail_reports_it(tmp_path, programs, monkeypatch):
    def break_down(*arguments):
        raise RuntimeError("it broke")

    monkeypatch.setattr(waiting_runs, "train", break_down)
    with pytest.raises(ValueError, match=r"No point is left to choose: of \d+ points 0 diverged"):
        run_search.best(run_search.run(SEARCH, tmp_path, programs=programs))


def test_a_point_whose_suggestion_was_interrupted_is_suggested_again(finished, tmp_path, programs):
    folder = tmp_path / "small" / "tuning"
    folder.mkdir(parents=True)
    journal = (finished[0] / "small" / "tuning" / "journal.log").read_text().splitlines(keepends=True)
    of_parameters = [place for place, line in enumerate(journal) if '"param_name"' in line]
    (folder / "journal.log").write_text("".join(journal[: of_parameters[2] + 1]))  # one of two of the second point
    outcome = run_search.run(SEARCH, tmp_path, programs=programs)
    assert outcome.settings == finished[1].settings


@pytest.mark.parametrize(("period", "has_checkpoint"), [(1, True), (3, True), (4, False)])
def test_after_a_request_to_stop_nothing_is_trained_twice(
    period, has_checkpoint, finished, tmp_path, programs, monkeypatch
):
    """The fourth period ends the first wave of the last rung, after which no run waits."""
    stop = stop_signals.StopRequest()
    calls = []

    def advanced(steps, scores):
        calls.append(steps)
        stop.is_requested = len(calls) == period

    monkeypatch.setattr(stop_signals, "watched", lambda: contextlib.nullcontext(stop))
    with pytest.raises(KeyboardInterrupt):
        run_search.run(SEARCH, tmp_path, programs=programs, advanced=advanced)
    assert any((tmp_path / "small" / "tuning" / "checkpoints").glob("*.json")) == has_checkpoint
    stop.is_requested = False
    outcome = run_search.run(SEARCH, tmp_path, programs=programs, advanced=advanced)
    assert outcome[:3] == finished[1][:3]
    assert sum(calls) == outcome.spent


def test_another_search_in_the_folder_is_refused_but_a_larger_budget_continues_it(finished, tmp_path, programs):
    shutil.copytree(finished[0] / "small", tmp_path / "small")
    with pytest.raises(ValueError, match="holds a search with another tuning_seeds, seed: give this one another name"):
        run_search.run(dataclasses.replace(SEARCH, seed=1, tuning_seeds=(3, 4)), tmp_path, programs=programs)
    more = run_search.run(dataclasses.replace(SEARCH, budget=SEARCH.budget + 8_000), tmp_path, programs=programs)
    assert more.settings[: len(finished[1].settings)] == finished[1].settings
    assert more.waves[: len(finished[1].waves)] == finished[1].waves
    assert len(more.waves) > len(finished[1].waves)


def test_points_keep_the_commit_that_they_were_trained_by(finished, tmp_path, programs):
    shutil.copytree(finished[0] / "small", tmp_path / "small")
    folder = tmp_path / "small" / "tuning"
    before = search_trials.read(folder)._replace(code={"commit": "another"})
    search_trials.write(folder, before)
    run_search.run(SEARCH, tmp_path, programs=programs)
    assert search_trials.read(folder) == before
    (folder / "trials.json").unlink()
    run_search.run(SEARCH, tmp_path, programs=programs)
    assert search_trials.read(folder).points == before.points


@pytest.mark.parametrize("is_given", [False, True])
def test_points_and_runs_name_the_script_as_it_was_when_the_search_began(is_given, tmp_path, programs, monkeypatch):
    before, after = (provenance.Script("asks.py", commit, commit == "before") for commit in ("before", "after"))
    monkeypatch.setattr(provenance, "script", lambda: after if is_given else before)

    def commit_it(steps, scores):
        monkeypatch.setattr(provenance, "script", lambda: after)

    run_search.run(
        dataclasses.replace(SEARCH, budget=2_400),
        tmp_path,
        programs=programs,
        advanced=commit_it,
        script=before if is_given else None,
    )
    folder = tmp_path / "small" / "tuning"
    recorded = [run.facts["code"] for run in store.read(folder / "runs").runs]
    assert recorded
    for code in (*recorded, search_trials.read(folder).code):
        assert (code["script"], code["script_commit"], code["modified"]) == ("asks.py", "before", True)


def test_another_seed_of_a_search_draws_other_points(finished, tmp_path, programs):
    one = dataclasses.replace(SEARCH, seed=1, budget=2_400)
    settings = run_search.run(one, tmp_path, programs=programs, is_stored=False).settings
    rates = {point["learning_rate"] for point in finished[1].settings}
    assert not rates & {point["learning_rate"] for point in settings}


def test_points_with_listed_structure_keep_their_commit_too(tmp_path, programs):
    space = {"learning_rate": SPACE["learning_rate"], "network.torso.hidden": grids.Choice(((8,), (8, 8)))}
    one = dataclasses.replace(SEARCH, space=space, budget=2_400)
    for commit in (None, "another"):
        run_search.run(one, tmp_path, programs=programs, is_stored=False)
        before = search_trials.read(tmp_path / "small" / "tuning")
        if commit is None:
            search_trials.write(tmp_path / "small" / "tuning", before._replace(code={"commit": "another"}))
    assert before.code == {"commit": "another"}


@pytest.mark.parametrize("last", [None, 1])
def test_the_score_of_a_run_is_the_mean_of_its_last_evaluations_or_of_all(tmp_path, programs, last):
    outcome = run_search.run(dataclasses.replace(SEARCH, last=last), tmp_path, programs=programs)
    returns = {  # by learning rate and seed
        (run.facts["configuration"]["learning_rate"], run.facts["seed"]): run.curves["evaluation_return"].tolist()
        for run in store.read(tmp_path / "small" / "tuning" / "runs").runs
    }
    whole = [wave for wave in outcome.waves if wave.rung == len(SEARCH.rungs)]
    assert whole
    for wave in whole:
        for number, scores in zip(wave.points, wave.scores, strict=True):
            rate = float(np.float32(outcome.settings[number]["learning_rate"]))
            for seed, score in zip(SEARCH.tuning_seeds, scores, strict=True):
                (values,) = (
                    v for (known, s), v in returns.items() if s == seed and np.float32(known) == np.float32(rate)
                )
                assert score == pytest.approx(np.mean(values[-(last or len(values)) :]), rel=1e-6)


def test_checkpoints_are_written_as_often_as_asked(tmp_path, programs, monkeypatch):
    save, saves = waiting_runs.save, []
    monkeypatch.setattr(waiting_runs, "save", lambda runs: saves.append(runs) or save(runs))
    for seconds in (0.0, 1e9):
        run_search.run(SEARCH, tmp_path / str(seconds), programs=programs, checkpoint_seconds=seconds)
        saves.append(seconds)
    often, rarely = saves.index(0.0), len(saves) - saves.index(0.0) - 2
    assert rarely == 1 < often  # once at the end


def test_a_search_killed_between_waves_continues_with_the_waiting_runs(tmp_path, programs, monkeypatch):
    trained, train = [], waiting_runs.train

    def die_at_the_last_rung(runs, members, stop, width):
        if stop == SEARCH.steps:
            raise Killed
        return train(runs, members, stop, width)

    def search():
        return run_search.run(
            SEARCH, tmp_path, programs=programs, advanced=lambda steps, _: trained.append(steps), checkpoint_seconds=0
        )

    monkeypatch.setattr(waiting_runs, "train", die_at_the_last_rung)
    with pytest.raises(Killed):
        search()
    monkeypatch.undo()
    outcome = search()
    assert sum(trained) == outcome.spent  # nothing was trained twice
    assert list((tmp_path / "small" / "tuning" / "checkpoints").iterdir()) == []


def test_a_checkpoint_that_cannot_be_written_is_the_fault_of_no_point(tmp_path, programs, monkeypatch):
    def full(*arguments):
        raise RuntimeError("no room, says a library")

    monkeypatch.setattr(waiting_runs.checkpoints, "write", full)
    with pytest.raises(OSError, match="no checkpoint could be written: no room"):
        run_search.run(SEARCH, tmp_path, programs=programs, checkpoint_seconds=0)
    monkeypatch.undo()
    assert not list((tmp_path / "small" / "tuning").glob("failures/*"))
    assert not np.isnan(run_search.run(SEARCH, tmp_path, programs=programs).waves[0].scores).any()


def test_structure_is_listed_and_every_sampler_fills_a_budget(tmp_path, programs):
    for sampler in samplers.SAMPLERS.values():
        space = {"learning_rate": SPACE["learning_rate"], "n_step": grids.Choice((1, 3))}
        one = dataclasses.replace(SEARCH, name=sampler.__name__, space=space, sampler=sampler, budget=9_600)
        outcome = run_search.run(one, tmp_path, programs=programs, is_stored=False)
        assert {settings["n_step"] for settings in outcome.settings} == {1, 3}
        for done in outcome.waves:
            assert len({outcome.settings[point]["n_step"] for point in done.points}) == 1
        assert not list((tmp_path / one.name / "tuning" / "runs").glob("*.json"))


def test_the_field_that_decides_is_the_most_important():
    generator = np.random.default_rng(0)
    space = samplers.distributions({name: grids.Uniform(-1.0, 1.0) for name in "abc"}, whole=())
    points = [dict(zip("abc", generator.uniform(-1, 1, 3).tolist(), strict=True)) for _ in range(60)]
    shares = samplers.importance(space, points, [-((p["b"] - 0.3) ** 2) - 0.01 * p["c"] ** 2 for p in points])
    assert max(shares, key=shares.get) == "b"
    assert sum(shares.values()) == pytest.approx(1.0)
    assert shares["b"] > 0.6
    assert samplers.importance(space, points[:3], [1.0, 2.0, 3.0]) == {}


def test_a_sampler_finds_the_top_of_a_quadratic_better_than_random_search():
    def best_of(sampler, seed):
        space = samplers.distributions({name: grids.Uniform(-1.0, 1.0) for name in "abcd"}, whole=())
        study = optuna.create_study(direction="maximize")
        scores = []
        for number in range(40):
            point = samplers.ask(study, sampler, run_search._seed(seed, number), space)
            scores.append(-sum((value - 0.4) ** 2 for value in point.values()))
            samplers.tell(study, samplers.complete_trials(study, space)[-1], 1, scores[-1], "complete")
        return max(scores)

    by_sampler = {
        name: np.mean([best_of(sampler, seed) for seed in range(3)]) for name, sampler in samplers.SAMPLERS.items()
    }
    assert by_sampler["tpe"] > by_sampler["random"]
    assert by_sampler["cma_es"] > by_sampler["random"]


def test_figures_are_drawn_from_the_file(finished, tmp_path):
    found = search_trials.read(finished[0] / "small" / "tuning")
    axes = figures.parallel_coordinates(found).axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["learning_rate", "target_update.\nevery", "score"]
    lines = [line for line in axes.get_lines() if len(line.get_xdata()) == 3]
    assert len(lines) == len(found.points)
    for drawn in (figures.parallel_coordinates(found), figures.importance(found)):
        assert drawn.get_label().count("The score of a run is its last evaluation.") == 1
    bars = figures.importance(found).axes[0]
    shares = sorted(found.importance.shares, key=found.importance.shares.get, reverse=True)
    assert [label.get_text() for label in bars.get_yticklabels()] == shares
    progress = figures.progress_of(found)
    drawn = figures.best_so_far({"catch": {"tpe": progress}}, score=search_trials.score_definition({"last": None}))
    assert drawn.get_label().endswith("The score of a run is the mean of all its evaluations until then.")
    assert search_trials.score_definition({"last": 3}) == "The score of a run is the mean of its last 3 evaluations."
    (panel,) = drawn.axes
    assert list(panel.get_lines()[0].get_ydata()) == [score for _, _, score in found.progress]
    with pytest.raises(ValueError, match="too few points"):
        figures.importance(found._replace(importance=found.importance._replace(shares={})))
    with pytest.raises(ValueError, match="run the search first"):
        search_trials.read(tmp_path)


@pytest.mark.parametrize(
    ("text", "range_"),
    [
        ("log:1e-5:1e-2", grids.LogUniform(1e-5, 1e-2)),
        ("0.9:0.999", grids.Uniform(0.9, 0.999)),
        ("1,3,5", grids.Choice((1, 3, 5))),
        ("(64,64),(32,)", grids.Choice(((64, 64), (32,)))),
        ("relu,tanh", grids.Choice(("relu", "tanh"))),
    ],
)
def test_a_range_as_it_is_typed(text, range_):
    assert search_options.range_of("field", text) == range_


def typed(arguments):
    return search_options.parsed(commands._parser().parse_args(shlex.split(arguments)))


def test_the_defaults_of_the_command_agree_with_its_help():
    found = typed("search catch dqn --space discount=0.9:0.99")
    assert (list(found.tuning_seeds), list(found.test_seeds)) == ([100, 101, 102, 103], list(range(10_000, 10_010)))
    assert list(found.final_seeds) == [5_000, 5_001, 5_002, 5_003]
    assert (found.steps, found.evaluation) == (20_000, Evaluation(every=1_000, episodes=20))
    assert found.budget == 20_000 * (20 * 4 + 4 * 4)  # twenty points trained to the end, and the final
    assert (found.sampler, found.rule, found.rungs) == (samplers.tpe, halving.best, (5_000,))
    assert (found.share, found.batch, found.finalists, found.last, found.seed) == (1 / 3, 8, 4, 3, 0)
    assert found.name == "catch-dqn-search"
    assert typed("search catch dqn --space discount=0.9:0.99 --rungs 2000 9000").last == 2  # no more until there
    assert typed("search catch dqn --space discount=0.9:0.99 --steps 2000 --every 1000 --rungs").last == 2


def test_the_period_of_a_search_follows_from_the_steps_and_counts_are_rounded_up(capsys):
    line = "search catch dqn --space discount=0.9:0.99"
    found = typed(f"{line} --steps 1e5 --rungs 7000 40001")
    assert (found.steps, found.evaluation.every, found.rungs) == (100_000, 5_000, (10_000, 45_000))
    assert capsys.readouterr().err.splitlines() == [
        "note: --every 5_000 instead of 1_000: for 20 evaluations",
        "note: --rungs 10_000 instead of 7_000: a multiple of --every 5_000",
        "note: --rungs 45_000 instead of 40_001: a multiple of --every 5_000",
    ]
    found = typed(f"{line} --steps 4000 --every 300 --set train_every=3")
    assert (found.steps, found.evaluation.every, found.rungs, found.budget) == (4_200, 300, (900,), 4_200 * 96)
    assert (found.config.train_every, found.config.learning_starts) == (3, 201)
    assert capsys.readouterr().err.splitlines() == [
        "note: learning_starts 201 instead of 200: a multiple of train_every 3",
        "note: --steps 4_200 instead of 4_000: a multiple of --every 300",
    ]


def test_the_derived_period_of_a_search_is_a_multiple_of_every_listed_value():
    every = "search catch dqn --space train_every=8,16,48 --set learning_starts=240 --steps 1e5"
    assert typed(every).evaluation.every % 48 == 0
    assert typed(f"{every} --every 5000").evaluation.every == 5_040


def test_a_search_starts_from_the_settings_of_the_game_or_from_those_that_are_named():
    line = "search cartpole dqn --space discount=0.9:0.99"
    assert typed(line).config == FAMILIES["cartpole"].apply("dqn", dqn.CONFIG)
    assert typed(f"{line} --settings catch").config == FAMILIES["catch"].apply("dqn", dqn.CONFIG)
    assert typed(f"{line} --settings default").config == dqn.CONFIG


def test_all_of_a_search_can_be_typed():
    found = typed(
        "search catch dqn --space discount=0.9:0.99 --tuning-seeds 3 --test-seeds 2 --final-seeds 2 --finalists 3 "
        "--steps 4000 --every 200 --episodes 7 --sampler random --rungs 400 2000 --share 0.25 --keep-undecided "
        "--evaluation-environments 1 "
        "--batch 6 --last 2 --seed 4 --name mine --budget 99000 --set learning_rate=0.5 network.activation=tanh"
    )
    assert (list(found.tuning_seeds), list(found.test_seeds)) == ([100, 101, 102], [10_000, 10_001])
    assert list(found.final_seeds) == [5_000, 5_001]
    assert (found.steps, found.evaluation, found.budget) == (4_000, Evaluation(200, 7, environments=1), 99_000)
    assert (found.sampler, found.rule, found.rungs) == (samplers.random, halving.best_or_undecided, (400, 2_000))
    assert (found.share, found.batch, found.finalists, found.last, found.seed) == (0.25, 6, 3, 2, 4)
    assert (found.name, found.config.learning_rate, found.config.network.activation) == ("mine", 0.5, "tanh")
    assert typed("search catch dqn --space discount=0.9:0.99 --last 0").last is None


def test_a_search_as_it_is_typed():
    found = typed("search catch dqn --space learning_rate=log:1e-5:1e-1 n-step=1,3 --steps 8000 --set batch_size=32")
    assert found.space == {"learning_rate": grids.LogUniform(1e-5, 1e-1), "n_step": grids.Choice((1, 3))}
    assert (found.name, found.rungs, found.budget, found.config.batch_size) == (
        "catch-dqn-search",
        (2000,),
        768_000,
        32,
    )
    assert not set(found.tuning_seeds) & set(found.test_seeds)
    assert typed("search catch dqn --space discount=0.9:0.99 --rungs").rungs == ()
    assert typed(
        "search catch dqn --space discount=0.9:0.99 --set network.torso.hidden=(8,)"
    ).config.network.torso.hidden == (8,)
    for wrong in ("network.torso.hidden=(64,64", "learning_rate=1,2"):
        with pytest.raises(ValueError, match=wrong.partition("=")[0]):
            typed(f"search catch dqn --space discount=0.9:0.99 --set {wrong}")
    assert (list(found.final_seeds), found.finalists) == ([5000, 5001, 5002, 5003], 4)
    assert list(typed("search catch dqn --space discount=0.9:0.99 --final-seeds 0").final_seeds) == []
    with pytest.raises(ValueError, match="--final-seeds 6000 is out of range: it must be at most 5_000"):
        typed("search catch dqn --space discount=0.9:0.99 --final-seeds 6000")
    with pytest.raises(ValueError, match="budget = 0 must be"):
        typed("search catch dqn --space discount=0.9:0.99 --budget 0")
    with pytest.raises(ValueError, match=r"'discount' must be of the form FIELD=VALUE"):
        typed("search catch dqn --space discount")
    with pytest.raises(ValueError, match="Did you mean 'dqn'"):
        typed("search catch dqm --space discount=0.9:0.99")
    with pytest.raises(ValueError, match=r"--space discount=0\.9:0\.8: Uniform"):
        typed("search catch dqn --space discount=0.9:0.8")


def test_help_and_figures_need_neither_optuna_nor_jax():
    code = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("jax", "optuna", "cmaes"):
            raise ImportError(f"{name} must not be imported")
sys.meta_path.insert(0, Refuse())
import jaxdqn.figures.search, jaxdqn.store.search_trials
from jaxdqn import commands
commands.main(["search", "--help"])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "FIELD=RANGE" in done.stdout


def test_a_missing_extra_is_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ValueError, match=r'pip install "jaxdqn\[search\]"'):
        samplers.check()
