import json
import re

import numpy as np
import pytest

from jaxdqn.play import rank_runs, select_weights
from jaxdqn.store import packing, store, weights
from tests.helpers import synthetic_runs

NAMED = {"params/kernel": np.zeros((2, 3))}


def write(folder, *, returns=(0.0,), has_weights=True, **described):
    """Writes a run with these evaluation returns, and returns the path of its record."""
    curves = {"steps": np.arange(1, len(returns) + 1), "evaluation_return": np.array(returns)}
    facts = synthetic_runs.facts(**described)
    return store.write(folder, facts, curves, {"weights": NAMED} if has_weights else None)


@pytest.fixture
def study(tmp_path):
    """A study of two arms and two seeds, and a run without weights."""
    folder = tmp_path / "results" / "catch"
    write(folder / "runs", algorithm="DQN", seed=0, returns=[0.0, 0.5])
    write(folder / "runs", algorithm="DQN", seed=1, returns=[0.9, 0.2])
    write(folder / "runs", algorithm="strong", seed=0, returns=[0.3, 0.8])
    write(folder / "runs", algorithm="strong", seed=1, returns=[0.1, 0.8])
    write(folder / "runs", algorithm="best without weights", seed=0, returns=[1.0, 1.0], has_weights=False)
    return folder


def selected(path, **options):
    facts = json.loads(select_weights.select(path, **options).read_text())
    return facts["algorithm"], facts["seed"]


def test_the_run_with_the_highest_last_evaluation_is_selected_and_ties_are_broken_by_the_mean(study):
    assert selected(study) == ("strong", 0)
    assert selected(study / "runs") == ("strong", 0)


def test_of_a_packed_study_the_same_weights_are_selected(study):
    def paths():
        best, of_arm = select_weights.select(study), select_weights.select(study, arm="DQN")
        return best, of_arm, select_weights.select(study / "runs", arm="DQN", typical=True)

    loose = paths()
    standing = rank_runs.standing(loose[0], weights.read(loose[0]))
    packing.pack(study / "runs")
    assert paths() == loose
    assert select_weights.select(loose[0]) == loose[0]
    assert rank_runs.standing(loose[0], weights.read(loose[0])) == standing
    with pytest.raises(ValueError, match=r"is no folder of runs: choose one of .*catch"):
        select_weights.select(study.parent)


def test_ties_are_broken_by_label_and_seed(tmp_path):
    for algorithm, seed in (("b", 0), ("a", 10), ("a", 2)):
        write(tmp_path, algorithm=algorithm, seed=seed, returns=[1.0])
    assert selected(tmp_path) == ("a", 2)


def test_a_run_without_a_finite_return_is_selected_last(tmp_path):
    write(tmp_path, algorithm="a", returns=[np.nan])
    write(tmp_path, algorithm="b", returns=[-500.0])
    assert selected(tmp_path) == ("b", 0)


def test_a_run_that_diverged_is_selected_last(tmp_path):
    write(tmp_path, algorithm="a", returns=[1.0, 500.0], diverged_at=2)
    write(tmp_path, algorithm="b", returns=[1.0, -500.0])
    assert selected(tmp_path) == ("b", 0)


def test_label_and_seed_filter_the_runs(study):
    assert selected(study, arm="DQN") == ("DQN", 0)
    assert selected(study, seed=1) == ("strong", 1)
    assert selected(study, arm="DQN", seed=1) == ("DQN", 1)


def test_several_games_need_a_name(study):
    write(study / "runs", game="cartpole", algorithm="DQN", returns=[500.0])
    assert selected(study, game="catch") == ("strong", 0)
    with pytest.raises(ValueError, match="has weights of several games: choose one with --game: cartpole, catch"):
        select_weights.select(study)


def test_the_typical_run_has_weights_and_the_score_nearest_to_the_median_of_its_arm(tmp_path):
    # The scores of all seeds are 0, 1, 4, 5, 9; the run with the median, 4, has no weights.
    for seed, (score, has_weights) in enumerate(((9.0, True), (0.0, True), (5.0, True), (4.0, False), (1.0, True))):
        write(tmp_path, algorithm="strong", seed=seed, returns=[99.0, score], has_weights=has_weights)
    write(tmp_path, algorithm="DQN", seed=0, returns=[4.0, 4.0])
    assert selected(tmp_path, arm="strong") == ("strong", 0)
    assert selected(tmp_path, arm="strong", typical=True) == ("strong", 2)
    assert selected(tmp_path, arm="strong", seed=4, typical=True) == ("strong", 4)
    with pytest.raises(
        ValueError, match=r"several arms or settings: choose one with --arm: (strong, DQN|DQN, strong)\."
    ):
        select_weights.select(tmp_path, typical=True)


def test_of_equally_typical_runs_the_first_by_seed_is_selected(tmp_path):
    for seed in (10, 2, 3):
        write(tmp_path, seed=seed, returns=[5.0])
    assert selected(tmp_path, typical=True) == ("DQN", 2)


def test_a_run_that_diverged_does_not_count_with_its_last_return(tmp_path):
    write(tmp_path, seed=0, returns=[0.0, 5.0], diverged_at=2)  # counts as -3, not as the median 5
    for seed, score in ((1, 4.0), (2, 6.0)):
        write(tmp_path, seed=seed, returns=[-3.0, score])
    assert selected(tmp_path, typical=True) == ("DQN", 1)


def test_a_path_of_a_record_or_of_its_weights_selects_them(study):
    path = select_weights.select(study, arm="DQN", seed=1)
    assert select_weights.select(path) == path
    assert select_weights.select(path.with_name(json.loads(path.read_text())["weights"]["file"])) == path


def test_weights_outside_of_a_study_are_ranked_by_their_score(tmp_path):
    facts = {"game": {"name": "catch", "version": 1}, "configuration": {}}
    for name, score in (("a", {}), ("b", {"score": 3}), ("c", {"score": -1.5})):
        weights.save(tmp_path / name, facts | score, NAMED)
    assert select_weights.select(tmp_path).name == "b.json"
    assert select_weights.select(tmp_path / "c.npz").name == "c.json"


@pytest.mark.parametrize(
    ("path", "options", "sentence"),
    [
        ("nothing", {}, "nothing does not exist: give the JSON of a run, an npz of weights, or a folder of runs."),
        ("catch", {"arm": "stong"}, "no weights with --arm 'stong'. Did you mean 'strong'? Use one of DQN, strong."),
        ("catch", {"seed": 7}, "no weights with --run-seed 7. Use one of 0, 1."),
        ("catch", {"arm": "strong", "seed": 7}, "no weights with --run-seed 7. Use one of 0, 1."),
        ("catch", {"game": "acrobot"}, "no weights with --game 'acrobot'. Use one of catch."),
        ("", {}, "is no folder of runs: choose one of"),
    ],
)
def test_error_for_an_empty_selection_lists_the_options(study, path, options, sentence):
    with pytest.raises((ValueError, FileNotFoundError), match=re.escape(sentence)):
        select_weights.select(study.parent / path, **options)


def test_error_for_a_run_without_weights_lists_runs_with_weights(study):
    path = next(path for path in (study / "runs").glob("*.json") if "weights" not in json.loads(path.read_text()))
    with pytest.raises(ValueError, match=r"has no weights: use [0-9a-f]{16}\.json, .* and 1 more in its folder\."):
        select_weights.select(path)


def test_a_folder_without_weights_raises_an_error(tmp_path):
    write(tmp_path / "runs", has_weights=False)
    with pytest.raises(ValueError, match="has 1 records, none of them with weights: add a seed to weights_of"):
        select_weights.select(tmp_path)


def test_a_file_that_no_record_names_raises_an_error(study):
    curves = next(path for path in (study / "runs").glob("*.npz") if "weights" not in path.name)
    with pytest.raises(ValueError, match="belongs to no JSON in its folder"):
        select_weights.select(curves)
    (study / "agent.pkl").write_bytes(b"")
    with pytest.raises(ValueError, match=r"agent\.pkl is no file of weights: give the JSON of a run"):
        select_weights.select(study / "agent.pkl")


def test_error_for_a_damaged_record_names_it(study):
    (study / "runs" / "0.json").write_text("{")
    with pytest.raises(ValueError, match=r"0\.json is damaged .*: delete it, or choose another"):
        select_weights.select(study)


def test_with_best_the_run_with_the_highest_evaluation_of_all_is_selected(study):
    assert selected(study, best=True) == ("DQN", 1)
