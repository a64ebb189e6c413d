"""The caption says how the numbers came about, and says so where runs disagree."""

import pytest

from jaxdqn.figures import captions
from jaxdqn.store.search_trials import Trials
from tests.helpers import synthetic_runs


def runs_of(seeds=range(3), **described):
    return [synthetic_runs.run(seed=seed, **described) for seed in seeds]


def test_the_provenance_of_runs_that_agree_is_one_sentence_a_fact():
    runs = runs_of(range(10)) + runs_of(range(10), algorithm="double DQN")
    assert captions.provenance(runs) == (
        "Study example: 20 runs, 10 seeds each (0-9). "
        "Evaluated every 500 steps over 100 episodes with epsilon 0. "
        "jaxdqn 0.1.0, commit 0123456789. "
        "jax 0.10.0 on cpu."
    )


@pytest.mark.parametrize(
    ("seeds", "text"),
    [
        ([0], "1 run, 1 seed each (0)"),
        ([2, 0, 1, 7], "4 runs, 4 seeds each (0-2, 7)"),
        ([1, 3, 4], "3 runs, 3 seeds each (1, 3-4)"),
    ],
)
def test_seeds_are_counted_and_named(seeds, text):
    assert text in captions.provenance(runs_of(seeds))


def test_arms_with_other_seeds_are_said_to_have_them():
    fewer = captions.provenance(runs_of(range(5)) + runs_of(range(3), game="breakout"))
    assert "8 runs, 3 to 5 seeds each, different in some arms (0-4 in all)" in fewer
    others = captions.provenance(runs_of([0, 1]) + runs_of([2, 3], game="breakout"))
    assert "4 runs, 2 seeds each, different in some arms (0-3 in all)" in others


def test_a_single_game_among_several_protocols_does_not_hide_the_other():
    other = {"every": 10_000, "episodes": 1, "epsilon": 0.05}
    text = captions.provenance(runs_of() + runs_of([0], game="breakout", evaluation=other))
    assert (
        "Evaluated differs: every 500 steps over 100 episodes with epsilon 0 (3 runs); "
        "every 10,000 steps over 1 episode with epsilon 0.05 (1 run)." in text
    )


def code(commit):
    return {"jaxdqn": "0.1.0", "commit": commit}


def test_two_commits_are_both_named():
    text = captions.provenance(runs_of([0, 1], code=code("a" * 40)) + runs_of([2], code=code("b" * 40)))
    assert "jaxdqn differs: 0.1.0, commit aaaaaaaaaa (2 runs); 0.1.0, commit bbbbbbbbbb (1 run)." in text


def test_of_many_commits_the_two_with_most_runs_are_named_and_the_others_counted():
    commits = {"a": [0, 1], "b": [2], "c": [3, 4, 5], "d": [6]}
    runs = [run for letter, seeds in commits.items() for run in runs_of(seeds, code=code(letter * 40))]
    assert (
        "jaxdqn differs: 0.1.0, commit cccccccccc (3 runs); 0.1.0, commit aaaaaaaaaa (2 runs); "
        "2 others (2 runs), named in the records." in captions.provenance(runs)
    )


@pytest.mark.parametrize(
    ("commit", "modified", "text"),
    [
        (None, None, "jaxdqn 0.1.0, no commit."),
        ("abc1234", False, "commit abc1234."),
        ("0123456789abcdef", True, "commit 0123456789 with changes."),
    ],
)
def test_a_commit_is_cut_to_ten_digits_and_changes_are_told(commit, modified, text):
    assert text in captions.provenance(runs_of(code=code(commit) | {"modified": modified}))


def test_machines_and_versions_that_differ_are_named():
    runs = runs_of([0]) + runs_of([1], versions={"jax": "0.11.0"}, hardware={"platform": "gpu", "device": "H200"})
    text = captions.provenance(runs)
    assert "jax differs: 0.10.0 on cpu (1 run); 0.11.0 on gpu, H200 (1 run)." in text
    assert "jax 0.10.0 on cpu." in captions.provenance(runs_of(hardware={"platform": "cpu", "device": "cpu"}))
    assert "jax of unknown version on an unknown machine." in captions.provenance(runs_of(versions={}, hardware={}))


def test_diverged_runs_are_counted():
    runs = runs_of([0, 1]) + runs_of([2], diverged_at=5000)
    assert captions.provenance(runs).endswith("1 of 3 runs diverged.")
    assert "diverged" not in captions.provenance(runs_of())


def test_no_runs_are_refused():
    with pytest.raises(ValueError, match="No runs to describe"):
        captions.provenance([])


def test_the_provenance_of_a_search_names_its_points_seeds_and_code():
    trials = Trials(
        name="cartpole-tpe-10",
        facts={
            "tuning_seeds": [40, 41, 42, 43],
            "seed": 10,
            "evaluation": {"every": 500, "episodes": 10, "epsilon": 0.0},
        },
        ends=(1000,),
        points=(None,) * 48,
        progress=(),
        importance=None,
        code={"jaxdqn": "0.1.0", "commit": "0123456789abcdef", "modified": False},
    )
    assert captions.of_search(trials) == (
        "Search cartpole-tpe-10: 48 points, 4 tuning seeds (40-43), sampler seed 10. Evaluated every 500 steps over "
        "10 episodes with epsilon 0. jaxdqn 0.1.0, commit 0123456789."
    )
