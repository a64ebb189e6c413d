import json
import re

import numpy as np
import pytest

from jaxdqn.play import choice
from jaxdqn.store import packing, store, weights
from tests.helpers import synthetic_runs

NAMED = {"params/kernel": np.zeros((2, 3))}


def write(folder, *, returns=(0.0,), has_weights=True, **described):
    """Writes a run whose evaluations earned these returns, and returns the path of its facts."""
    curves = {"steps": np.arange(1, len(returns) + 1), "evaluation_return": np.array(returns)}
    facts = synthetic_runs.facts(**described)
    return store.write(folder, facts, curves, {"weights": NAMED} if has_weights else None)


@pytest.fixture
def study(tmp_path):
    """A study of two arms and two seeds, with a run that kept no weights."""
    folder = tmp_path / "results" / "catch"
    write(folder / "runs", algorithm="DQN", seed=0, returns=[0.0, 0.5])
    write(folder / "runs", algorithm="DQN", seed=1, returns=[0.9, 0.2])
    write(folder / "runs", algorithm="strong", seed=0, returns=[0.3, 0.8])
    write(folder / "runs", algorithm="strong", seed=1, returns=[0.1, 0.8])
    write(folder / "runs", algorithm="best without weights", seed=0, returns=[1.0, 1.0], has_weights=False)
    return folder


def chosen(path, **options):
    facts = json.loads(choice.choose(path, **options).read_text())
    return facts["algorithm"], facts["seed"]


def test_a_study_means_the_run_whose_last_evaluation_earned_most_and_of_equals_on_average(study):
    assert chosen(study) == ("strong", 0)
    assert chosen(study / "runs") == ("strong", 0)


def test_of_a_packed_study_the_same_weights_are_chosen(study):
    paths = [
        choice.choose(study),
        choice.choose(study, arm="DQN"),
        choice.choose(study / "runs", arm="DQN", typical=True),
    ]
    standing = choice.standing(paths[0], weights.read(paths[0]))
    packing.pack(study / "runs")
    assert paths == [
        choice.choose(study),
        choice.choose(study, arm="DQN"),
        choice.choose(study / "runs", arm="DQN", typical=True),
    ]
    assert choice.choose(paths[0]) == paths[0]
    assert choice.standing(paths[0], weights.read(paths[0])) == standing
    with pytest.raises(ValueError, match=r"is no folder of runs: choose one, of .*catch"):
        choice.choose(study.parent)


def test_of_runs_that_earned_the_same_the_first_by_label_and_seed_is_meant(tmp_path):
    for algorithm, seed in (("b", 0), ("a", 10), ("a", 2)):
        write(tmp_path, algorithm=algorithm, seed=seed, returns=[1.0])
    assert chosen(tmp_path) == ("a", 2)


def test_a_run_without_a_finite_return_is_meant_last(tmp_path):
    write(tmp_path, algorithm="a", returns=[np.nan])
    write(tmp_path, algorithm="b", returns=[-500.0])
    assert chosen(tmp_path) == ("b", 0)


def test_a_run_that_diverged_is_meant_last(tmp_path):
    write(tmp_path, algorithm="a", returns=[1.0, 500.0], diverged_at=2)
    write(tmp_path, algorithm="b", returns=[1.0, -500.0])
    assert chosen(tmp_path) == ("b", 0)


def test_label_and_seed_narrow_the_choice(study):
    assert chosen(study, arm="DQN") == ("DQN", 0)
    assert chosen(study, seed=1) == ("strong", 1)
    assert chosen(study, arm="DQN", seed=1) == ("DQN", 1)


def test_several_games_are_told_apart_by_name(study):
    write(study / "runs", game="cartpole", algorithm="DQN", returns=[500.0])
    assert chosen(study, game="catch") == ("strong", 0)
    with pytest.raises(ValueError, match="holds weights of several games: choose one by --game, of cartpole, catch"):
        choice.choose(study)


def test_a_typical_run_is_the_one_with_weights_that_is_nearest_to_the_median_of_its_arm(tmp_path):
    # The scores of all seeds are 0, 1, 4, 5, 9 and their median 4, of a run that kept no weights.
    for seed, (score, has_weights) in enumerate(((9.0, True), (0.0, True), (5.0, True), (4.0, False), (1.0, True))):
        write(tmp_path, algorithm="strong", seed=seed, returns=[99.0, score], has_weights=has_weights)
    write(tmp_path, algorithm="DQN", seed=0, returns=[4.0, 4.0])
    assert chosen(tmp_path, arm="strong") == ("strong", 0)
    assert chosen(tmp_path, arm="strong", typical=True) == ("strong", 2)
    assert chosen(tmp_path, arm="strong", seed=4, typical=True) == ("strong", 4)
    with pytest.raises(
        ValueError, match=r"several arms or settings: choose one by --arm, of (strong, DQN|DQN, strong)\."
    ):
        choice.choose(tmp_path, typical=True)


def test_of_equally_typical_runs_the_first_by_seed_is_meant(tmp_path):
    for seed in (10, 2, 3):
        write(tmp_path, seed=seed, returns=[5.0])
    assert chosen(tmp_path, typical=True) == ("DQN", 2)


def test_a_run_that_diverged_is_not_typical_for_what_its_parameters_score(tmp_path):
    write(tmp_path, seed=0, returns=[0.0, 5.0], diverged_at=2)  # counts as -3, not as the median 5
    for seed, score in ((1, 4.0), (2, 6.0)):
        write(tmp_path, seed=seed, returns=[-3.0, score])
    assert chosen(tmp_path, typical=True) == ("DQN", 1)


def test_a_run_stands_among_those_of_its_arm(tmp_path):
    added = [{}, {}, {"a_later_field": None}, {}]  # an option that is not used makes no other arm
    paths = [
        write(tmp_path, seed=seed, returns=[score], configuration={"type": "Config", **added[seed]})
        for seed, score in enumerate((3.0, 1.0, 3.0, 7.0))
    ]
    write(tmp_path, seed=0, algorithm="C51", returns=[100.0])
    write(tmp_path, seed=4, returns=[100.0], configuration={"type": "Config", "a_later_field": 1})
    stands = [choice.standing(path, json.loads(path.read_text())) for path in paths]
    assert stands[1] == (1.0, 4, 4, 3.0)
    assert [stand.rank for stand in stands] == [2, 4, 2, 1]
    (alone,) = (path for path in tmp_path.glob("*.json") if '"C51"' in path.read_text())
    assert choice.standing(alone, json.loads(alone.read_text())) is None


def test_a_record_or_its_weights_mean_themselves(study):
    path = choice.choose(study, arm="DQN", seed=1)
    assert choice.choose(path) == path
    assert choice.choose(path.with_name(json.loads(path.read_text())["weights"]["file"])) == path


def test_weights_apart_from_a_study_are_ranked_by_their_score(tmp_path):
    facts = {"game": {"name": "catch", "version": 1}, "configuration": {}}
    for name, score in (("a", {}), ("b", {"score": 3}), ("c", {"score": -1.5})):
        weights.save(tmp_path / name, facts | score, NAMED)
    assert choice.choose(tmp_path).name == "b.json"
    assert choice.choose(tmp_path / "c.npz").name == "c.json"


@pytest.mark.parametrize(
    ("path", "options", "sentence"),
    [
        ("nothing", {}, "nothing is not there: give a run's JSON, an npz of weights, or a folder of runs."),
        ("catch", {"arm": "stong"}, "no weights with --arm 'stong': did you mean 'strong'? there are DQN, strong."),
        ("catch", {"seed": 7}, "no weights with --run-seed 7: there are 0, 1."),
        ("catch", {"arm": "strong", "seed": 7}, "no weights with --run-seed 7: there are 0, 1."),
        ("catch", {"game": "acrobot"}, "no weights with --game 'acrobot': there are catch."),
        ("", {}, "is no folder of runs: choose one, of"),
    ],
)
def test_a_choice_that_leaves_none_says_what_there_is(study, path, options, sentence):
    with pytest.raises((ValueError, FileNotFoundError), match=re.escape(sentence)):
        choice.choose(study.parent / path, **options)


def test_a_run_without_weights_points_to_those_that_have_some(study):
    path = next(path for path in (study / "runs").glob("*.json") if "weights" not in json.loads(path.read_text()))
    with pytest.raises(ValueError, match=r"has no weights: [0-9a-f]{16}\.json, .* and 1 more in its folder has\."):
        choice.choose(path)


def test_a_folder_without_weights_is_refused(tmp_path):
    write(tmp_path / "runs", has_weights=False)
    with pytest.raises(ValueError, match="holds 1 records and none has weights: put the seed into the study's weights"):
        choice.choose(tmp_path)


def test_a_file_that_no_record_names_is_refused(study):
    curves = next(path for path in (study / "runs").glob("*.npz") if "weights" not in path.name)
    with pytest.raises(ValueError, match="is named as weights by no JSON in its folder"):
        choice.choose(curves)
    (study / "agent.pkl").write_bytes(b"")
    with pytest.raises(ValueError, match=r"agent\.pkl holds no weights: give a run's JSON"):
        choice.choose(study / "agent.pkl")


def test_a_damaged_record_is_named(study):
    (study / "runs" / "0.json").write_text("{")
    with pytest.raises(ValueError, match=r"0\.json is damaged .*: delete it, or choose another"):
        choice.choose(study)
