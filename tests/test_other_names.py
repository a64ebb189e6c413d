"""Names of other libraries: each suggestion exists here."""

import pytest

from jaxdqn import config_fields, games, other_names
from jaxdqn.algorithms import ALGORITHMS, dqn
from jaxdqn.commands import configuration_options


def test_every_name_means_an_option_or_an_algorithm():
    options = configuration_options._fields(dqn.CONFIG)
    assert set(other_names.MEANINGS.values()) <= {*options, *ALGORITHMS}
    assert not set(other_names.MEANINGS) & {*options, *ALGORITHMS}


@pytest.mark.parametrize("name", other_names.MEANINGS)
def test_names_are_in_the_form_in_which_they_are_compared(name):
    assert other_names.key(name) == name


@pytest.mark.parametrize(
    ("option", "part"),
    [("--seed", "--seeds 3"), ("--tau=1", "target-update:polyak --target-update.rate"), ("--ENV-ID", "jaxdqn train")],
)
def test_an_option_of_another_program_gets_a_sentence(option, part):
    assert part in other_names.option(option)


def test_the_target_network_of_the_sentence_about_tau_exists():
    words = ["target-update:polyak", "--target-update.rate", "0.005"]
    _, config = configuration_options.parse("catch", "dqn", words)
    assert config_fields.paths(config)["target_update.rate"] == 0.005


@pytest.mark.parametrize(
    ("name", "here"),
    [
        ("CartPole-v1", "cartpole"),
        ("cartpole-v0", "cartpole_200"),
        ("ALE/Pong-v5", "atari:pong"),
        ("ALE/SpaceInvaders-v5", "atari:space_invaders"),
        ("PongNoFrameskip-v4", "atari:pong"),
        ("MinAtar/SpaceInvaders-v1", "minatar_space_invaders"),
        ("LunarLander-v3", "gymnasium:LunarLander-v3"),
    ],
)
def test_a_game_of_another_library_gets_its_name_here(name, here):
    assert f" Did you mean '{here}'" in other_names.game(name)
    if ":" not in here:
        assert here in games.GAMES
    with pytest.raises(ValueError, match=f"no game is called '{name}'. Did you mean '{here}'"):
        games.make(name)


def test_other_names_of_games_get_none():
    assert other_names.game("catchh") == ""
    assert other_names.game("Pong") == ""
