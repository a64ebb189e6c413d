"""Combinations of discrete actions as numbers."""

import numpy as np
import pytest
from gymnasium import spaces

from jaxdqn import games
from jaxdqn.games import action_spaces

SPACES = [
    spaces.Discrete(3, start=5),
    spaces.MultiDiscrete([2, 3]),
    spaces.MultiDiscrete([[2, 1], [3, 2]], start=[[1, 0], [-4, 2]]),
    spaces.MultiBinary(3),
    spaces.MultiBinary((2, 2)),
    spaces.Tuple((spaces.Discrete(2), spaces.MultiBinary(2), spaces.Discrete(2, start=1))),
    spaces.Dict({"a": spaces.Discrete(3), "b": spaces.Tuple((spaces.Discrete(2), spaces.Discrete(2)))}),
]


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_every_action_of_a_space_has_one_number(space):
    number = action_spaces.count(space)
    actions = [action_spaces.action(space, np.int64(one)) for one in range(number)]
    assert all(map(space.contains, actions))
    assert len({str(action) for action in actions}) == number
    for _ in range(50):
        assert str(space.sample()) in {str(action) for action in actions}


def test_the_last_action_of_a_space_changes_fastest():
    actions = [action_spaces.action(spaces.MultiDiscrete([2, 3]), number).tolist() for number in range(4)]
    assert actions == [[0, 0], [0, 1], [0, 2], [1, 0]]


@pytest.mark.parametrize(
    ("space", "word"),
    [
        (spaces.Box(-1, 1, (2,)), "actions that are not discrete, Box"),
        (spaces.Tuple((spaces.Discrete(2), spaces.Box(0, 1))), "actions that are not discrete, Tuple"),
        (spaces.MultiDiscrete([64, 65]), "4,160 combinations of actions, more than 4,096"),
        (spaces.MultiBinary(40), "1,099,511,627,776 combinations"),
    ],
    ids=str,
)
def test_other_actions_are_refused_with_a_remedy(space, word):
    with pytest.raises(ValueError, match=r"^[^\n]+--wrapper MODULE:CLASS\.$") as refusal:
        action_spaces.check("some_game", space)
    assert word in str(refusal.value)
    action_spaces.check("some_game", spaces.MultiDiscrete([64, 64]))
    action_spaces.check("some_game", spaces.Discrete(70_000))


def test_an_environment_with_several_actions_takes_numbers():
    game = games.make("gymnasium:tests.helpers.host_games:TwoActions-v0")
    assert game.num_actions == 6
    environments = game.make_vector(6)
    environments.reset(seed=list(range(6)))
    assert environments.step(np.arange(6))[1].tolist() == [0, 1, 2, 10, 11, 12]
    environments.close()
