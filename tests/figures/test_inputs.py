"""The runs and the scale of a figure, from a folder and the words of a user."""

import pytest

from jaxdqn.figures import inputs
from jaxdqn.store import store
from jaxdqn.store.manifest import Manifest
from tests.helpers import synthetic_runs


def runs_of(games=("catch", "pong"), arms=("DQN", "double DQN"), seeds=2):
    return [
        synthetic_runs.run(game=game, algorithm=arm, seed=seed)
        for game in games
        for arm in arms
        for seed in range(seeds)
    ]


def test_a_manifest_chooses_runs_and_names_their_arms(tmp_path):
    for seed in range(4):
        store.write(tmp_path / "runs", synthetic_runs.facts(seed=seed), synthetic_runs.curves(seed=seed))
    ids = [run.facts["id"] for run in store.read(tmp_path / "runs").runs]
    cell = {"game": "catch", "algorithm": "renamed", "settings": {"learning_rate": 0.1}, "seed": 0}
    requested = Manifest("arms", 1, dict.fromkeys((ids[2], ids[3], "f" * 16), cell))
    for path in (tmp_path, tmp_path / "runs"):
        folder, found = inputs.stored(path, requested)
        assert folder == tmp_path
        assert [run.facts["id"] for run in found.runs] == [ids[2], ids[3]]
        assert all(run.facts["algorithm"] == "renamed" for run in found.runs)
        assert all(run.facts["settings"] == {"learning_rate": 0.1} for run in found.runs)


def test_chosen_runs_are_in_the_order_of_the_arms():
    runs = inputs.chosen(runs_of(), ["pong"], ["double DQN", "DQN", "double DQN"])
    assert [run.facts["algorithm"] for run in runs] == ["double DQN"] * 2 + ["DQN"] * 2
    assert {run.facts["game"]["name"] for run in runs} == {"pong"}
    assert len(inputs.chosen(runs_of(), None, None)) == 8


def test_an_arm_without_the_game_leaves_no_run():
    runs = runs_of(["catch"], ["DQN"]) + runs_of(["pong"], ["C51"])
    with pytest.raises(ValueError, match="No run has both one of these games and one of these arms"):
        inputs.chosen(runs, ["catch"], ["C51"])


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["0:2"], {"catch": (0, 2), "pong": (0, 2)}),
        (["catch=-1:2", "pong=1e1:-3"], {"catch": (-1, 2), "pong": (10, -3)}),
        (["FILE.csv", "pong=0:1"], {"catch": (-5, 5), "pong": (0, 1)}),
    ],
)
def test_words_name_the_references_of_each_game(tmp_path, monkeypatch, words, expected):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "FILE.csv").write_text("game,low,high\ncatch,-5,5\nother,0,1\npong,-7,7\n")
    assert inputs.references(words, runs_of()) == expected
