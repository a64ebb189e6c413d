"""Normalised scores: where 0 and 1 are, and where references come from."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxdqn.analysis import atari_scores, normalise
from jaxdqn.analysis.normalise import Reference

REFERENCES = {"catch": Reference(-1.0, 1.0), "pong": Reference(-20.7, 14.6)}


def test_the_references_become_zero_and_one():
    transform = normalise.transform(REFERENCES)
    assert transform("catch", np.array([-1.0, 0.0, 1.0, 3.0])).tolist() == [0.0, 0.5, 1.0, 2.0]
    assert transform("pong", np.array([[-20.7], [14.6]])).tolist() == [[0.0], [1.0]]


numbers = st.floats(-1e6, 1e6)


@given(low=numbers, high=numbers, scores=st.lists(numbers, min_size=2, max_size=5), scale=st.floats(0.01, 100))
def test_the_unit_of_a_game_does_not_matter(low, high, scores, scale):
    if abs(high - low) < 1e-3:
        high = low + 1.0
    one = normalise.transform({"a": Reference(low, high)})("a", np.array(scores))
    other = normalise.transform({"a": Reference(low * scale, high * scale)})("a", np.array(scores) * scale)
    np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-6)


def test_a_game_without_references_is_refused():
    with pytest.raises(ValueError, match="no references to normalise acrobot: there are references for catch, pong"):
        normalise.transform(REFERENCES)("acrobot", np.zeros(2))


@pytest.mark.parametrize("ends", [(1.0, 1.0), (0.0, float("nan")), (float("-inf"), 0.0)])
def test_references_that_make_no_scale_are_refused(ends):
    with pytest.raises(ValueError, match=r"references of catch, .* two different finite numbers"):
        normalise.transform({"catch": Reference(*ends)})


def test_a_game_where_less_is_more_may_have_the_lower_number_as_its_one():
    assert normalise.transform({"a": Reference(10.0, 2.0)})("a", np.array([10.0, 6.0, 2.0])).tolist() == [0.0, 0.5, 1.0]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("r.csv", "game,low,high\ncatch,-1,1\npong,-20.7,14.6\n"),
        ("r.csv", "game, random, human, source\n\ncatch , -1, 1, a paper\npong,-20.7,14.6,another\n"),
        ("r.json", json.dumps({"catch": [-1, 1], "pong": [-20.7, 14.6]})),
    ],
    ids=["CSV", "CSV with more columns", "JSON"],
)
def test_references_are_read_from_a_file(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    assert normalise.read(tmp_path / name) == REFERENCES


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("r.csv", "", "no columns game, low and high"),
        ("r.csv", "catch,1,2\n", "no columns game, low and high"),
        ("r.csv", "game,low\ncatch,1\n", "no columns game, low and high"),
        ("r.csv", "game,low,high\ncatch,1,two\n", "could not convert string to float: 'two'"),
        ("r.csv", "game,low,high\ncatch,1,2\ncatch,1,3\n", "a game occurs twice"),
        ("r.csv", "game,low,high\ncatch,1,1\n", "two different finite numbers"),
        ("r.json", "{", "Expecting property name"),
        ("r.json", "[1, 2]", "no object of pairs"),
        ("r.json", '{"catch": {"low": 1}}', "no object of pairs"),
        ("r.json", '{"catch": [1, null]}', "float"),
    ],
)
def test_a_file_that_holds_no_references_is_refused_with_the_reason(tmp_path, name, text, reason):
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match="has no references") as caught:
        normalise.read(tmp_path / name)
    assert reason in str(caught.value)


def test_human_scores_are_those_of_the_57_games():
    games = ["gymnasium:ALE/Pong-v5", "ALE/SpaceInvaders-v5", "gymnasium:ALE/Qbert-v5"]
    found = normalise.human(games)
    assert found == {games[0]: (-20.7, 14.6), games[1]: (148.0, 1668.7), games[2]: (163.9, 13455.0)}
    named = normalise.human(["atari:space_invaders", "atari:pong,sticky=0"])
    assert list(named.values()) == [found[games[1]], found[games[0]]]
    assert len(atari_scores.RANDOM_AND_HUMAN) == 57
    assert all(low < high for low, high in atari_scores.RANDOM_AND_HUMAN.values())


@pytest.mark.parametrize(
    "game",
    ["breakout", "cartpole", "gymnasium:CartPole-v1", "ALE/Sokoban-v5", "atari:sokoban", "atari:", "minatar/ALE-v1"],
)
def test_other_games_have_no_human_score(game):
    with pytest.raises(ValueError, match="no human score of"):
        normalise.human([game])


def test_the_scale_is_told():
    assert normalise.reading(REFERENCES) == (
        "Scores are normalised: 0 and 1 stand for -1 and 1 on catch, -20.7 and 14.6 on pong."
    )
    many = {f"game {number}": Reference(0.0, 1.0) for number in range(7)}
    assert normalise.reading(many).endswith("of each of 7 games.")
