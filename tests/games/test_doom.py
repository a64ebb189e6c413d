"""Doom scenarios, against ViZDoom's own environment for gymnasium."""

import pathlib
import sys

import numpy as np
import pytest
from PIL import Image

from jaxdqn import games

pytest.importorskip("vizdoom", reason='needs pip install "jaxdqn[doom]"')

from vizdoom.gymnasium_wrapper.gymnasium_env_defns import VizdoomScenarioEnv

from jaxdqn.games import doom


def test_steps_are_those_of_the_environment_for_gymnasium_but_for_the_end(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ours = games.make("doom:basic").make_rendered()
    seen, _ = ours.reset(seed=3)
    assert not list(pathlib.Path().iterdir())  # the engine leaves nothing here
    theirs = VizdoomScenarioEnv(
        "basic.cfg", 4, max_buttons_pressed=1, screen_resolution="RES_160X120", sound_enabled=False
    )
    expected, _ = theirs.reset(seed=3)
    assert (ours.action_space, theirs.action_space.n) == (theirs.action_space, 4)
    for action in (1, 2, 3, 0) * 20:
        np.testing.assert_array_equal(ours.render(), expected["screen"])
        grey = np.asarray(Image.fromarray(expected["screen"]).convert("L"), float)
        means = grey.repeat(7, axis=0).repeat(21, axis=1).reshape(84, 10, 84, 40).mean(axis=(1, 3))
        assert np.abs(seen[..., 0] - means).max() <= 1.5  # grey values and means are rounded
        last = seen
        seen, reward, terminated, truncated, _ = ours.step(action)
        expected, their_reward, their_end, their_time_out, _ = theirs.step(action)
        assert (reward, terminated, truncated) == (their_reward, their_end and not their_time_out, their_time_out)
        if terminated or truncated:
            break
    assert their_end
    assert not expected["screen"].any()
    np.testing.assert_array_equal(seen, last)
    ours.close()
    theirs.close()


def test_a_time_out_is_truncation_only_and_the_next_step_begins_an_episode():
    game = games.make("doom:basic")
    environments = game.make_vector(1)
    first, _ = environments.reset(seed=[2**32 - 1])
    steps = [environments.step(np.zeros(1, int)) for _ in range(game.max_steps + 1)]
    ends = [(bool(step[2][0]), bool(step[3][0])) for step in steps]
    assert ends == [(False, False)] * 74 + [(False, True), (False, False)]
    assert steps[-1][1] == 0
    assert (steps[-1][0] != first).any()  # another start
    assert first.shape == (1, 84, 84, 1)
    environments.close()


def test_a_scenario_has_the_actions_and_the_length_of_its_configuration():
    found = [(game.num_actions, game.max_steps) for game in map(games.make, map("doom:{}".format, doom.SCENARIOS))]
    assert found == [(4, 75), (8, 525), (4, 525), (4, None), (4, 525), (4, 525), (6, 525), (4, 75), (3, None)]
    assert games.make("doom:basic").packages == ("vizdoom",)


@pytest.mark.parametrize(
    ("name", "words"),
    [("doom:basik", ["'basik'", "Did you mean 'doom:basic'"]), ("doom:deathmatch", ["take_cover"])],
)
def test_a_name_that_is_no_scenario_raises_an_error_of_one_sentence(name, words):
    with pytest.raises(ValueError, match=r"^[^\n]+$") as refusal:
        games.make(name)
    for word in words:
        assert word in str(refusal.value)


def test_a_missing_engine_is_reported_with_the_extra_that_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "vizdoom", None)  # importing it raises ImportError
    monkeypatch.delitem(sys.modules, "jaxdqn.games.doom_environment", raising=False)
    with pytest.raises(ValueError, match=r'^doom:basic needs vizdoom, .*pip install "jaxdqn\[doom\]"\.$'):
        games.make("doom:basic")
