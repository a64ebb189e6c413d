"""From runs to scores: each under its label, game and seed, and what is missing is said."""

import numpy as np
import pytest

from jaxdqn.analysis import scores
from jaxdqn.store.record import Run
from tests.helpers import synthetic_runs


def of(values, **described):
    steps = np.arange(1, len(values) + 1) * 10
    curves = {"steps": steps, "evaluation_return": np.asarray(values, np.float32)}
    return Run(synthetic_runs.facts(**described), curves)


def study():
    """Returns runs of two arms on two games, two seeds each; the score says which run it is."""
    return [
        of([0.0, 100 * game + 10 * arm + seed], game=f"game {game}", algorithm=f"arm {arm}", seed=seed)
        for game in (0, 1)
        for arm in (1, 2)
        for seed in (4, 1)
    ]


def double(game, values):
    return 2 * values if game == "game 1" else values


def test_scores_are_indexed_by_label_game_and_seed():
    found = scores.final(study())
    assert found.games == ("game 0", "game 1")
    assert {label: {game: list(v) for game, v in by.items()} for label, by in found.values.items()} == {
        "arm 1": {"game 0": [11, 14], "game 1": [111, 114]},
        "arm 2": {"game 0": [21, 24], "game 1": [121, 124]},
    }
    assert found.seeds["arm 2"]["game 1"] == (1, 4)
    assert scores.by_seed(found, "arm 2")["game 1"] == {1: 121, 4: 124}
    assert found.left_out == ""


def test_the_last_points_are_averaged_and_then_transformed_by_game():
    found = scores.final(study(), last=2, transform=double)
    assert found.values["arm 1"]["game 0"].tolist() == [5.5, 7.0]
    assert found.values["arm 1"]["game 1"].tolist() == [111.0, 114.0]


def test_curves_keep_their_points():
    steps, found = scores.along(study(), transform=double)
    assert steps.tolist() == [10, 20]
    assert found.values["arm 1"]["game 1"].tolist() == [[0, 222], [0, 228]]


def test_games_evaluated_at_other_steps_have_no_common_axis():
    with pytest.raises(ValueError, match="evaluated at different steps"):
        scores.along([*study(), of([1.0], game="game 2", algorithm="arm 1")])


def test_games_without_a_common_scale_are_not_pooled():
    with pytest.raises(ValueError, match=r"2 games \(game 0, game 1\) have no common scale: normalise"):
        scores.pooled(scores.final(study()))
    one_game = [run for run in study() if run.facts["game"]["name"] == "game 0"]
    kept = scores.pooled(scores.final(one_game))
    assert {label: by["game 0"].tolist() for label, by in kept.values.items()} == {"arm 1": [11, 14], "arm 2": [21, 24]}


@pytest.mark.parametrize("missing", [1, 2], ids=["a run", "a game"])
def test_an_arm_with_unequal_games_is_left_out_and_told(missing):
    found = scores.pooled(scores.final(study()[:-missing], transform=double))
    assert list(found.values) == list(found.seeds) == ["arm 1"]
    assert found.left_out == "Not shown, with different numbers of runs on the games: arm 2."


def test_no_arm_to_pool_is_refused():
    runs = [of([1.0], game="game 0"), of([1.0], game="game 1", algorithm="other")]
    with pytest.raises(ValueError, match="No arm has the same number of runs on game 0, game 1"):
        scores.pooled(scores.final(runs, transform=double))


def test_references_are_numbers_or_means_of_arms():
    assert scores.references(study(), 0.0, "arm 2") == {"game 0": (0.0, 22.5), "game 1": (0.0, 122.5)}
    assert scores.references(study(), "arm 1", 7.0, last=2)["game 1"] == (56.25, 7.0)


def test_a_reference_that_is_no_arm_or_not_everywhere_is_refused():
    with pytest.raises(ValueError, match="no arm 'arm 3': there are 'arm 1', 'arm 2'"):
        scores.references(study(), 0.0, "arm 3")
    with pytest.raises(ValueError, match="arm 2 has no run on game 1"):
        scores.references(study()[:-2], "arm 2", 1.0)


def test_no_runs_are_refused():
    with pytest.raises(ValueError, match="No runs to compare"):
        scores.final([])
