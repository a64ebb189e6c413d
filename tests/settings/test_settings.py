"""The table of settings: its rows fit their games and algorithms, and say where they come from."""

import dataclasses
import pathlib

import jax
import pytest

from jaxdqn import config_fields, games, settings
from jaxdqn.algorithms import ALGORITHMS, rainbow
from jaxdqn.networks import torsos
from jaxdqn.networks.dueling import Dueling
from jaxdqn.networks.heads import Categorical
from jaxdqn.networks.memory import LSTM
from jaxdqn.networks.torsos import Dense
from jaxdqn.settings import FAMILIES
from jaxdqn.settings.family import Family
from jaxdqn.target_network import LastCopies, Online, Periodic
from jaxdqn.training import check_config
from jaxdqn.training.evaluate import Evaluation

LIKE_NATURE = "atari:breakout,sticky=0,noops=30,life_loss=true"
GAMES = {  # of each family, with pictures of every shape
    "catch": ("catch", "catch_noisy"),
    "cartpole": ("cartpole", "cartpole_200", "gymnasium:CartPole-v1"),
    "acrobot": ("acrobot", "gymnasium:Acrobot-v1"),
    "mountain_car": ("mountain_car", "gymnasium:MountainCar-v0"),
    "lunar_lander": ("gymnasium:LunarLander-v3",),
    "minatar": ("minatar_breakout", "minatar_seaquest_full"),
    "atari": ("atari:pong",),
    "atari_nature": (LIKE_NATURE,),
    "atari_100k": (LIKE_NATURE,),
    "doom": ("doom:basic",),
    "gymnasium": ("gymnasium:CliffWalking-v1",),
    "default": ("probe_both",),
}
NEEDS = {"atari:": "ale_py", "doom:": "vizdoom", "gymnasium:Lunar": "Box2D"}


def configuration(name, algorithm):
    return FAMILIES[name].apply(algorithm, ALGORITHMS[algorithm].config)


def refusal(name, algorithm):
    """Returns the sentence with which an algorithm is refused in a family, or None if it fits."""
    if algorithm == "tabular_q_learning" and name != "mountain_car":
        return "network.bins, low and high have 2, 2 and 2 numbers: observations of shape"
    if (name, algorithm) == ("default", "pqn"):
        return "evaluation.every = 5_000 must be a multiple of train_every = 2_048"
    return None


@pytest.mark.parametrize("name", FAMILIES)
def test_every_algorithm_has_a_configuration_that_fits_the_games_of_the_family(name):
    family = FAMILIES[name]
    family.evaluation.check()
    for title in GAMES[name]:
        for prefix, package in NEEDS.items():
            if title.startswith(prefix):
                pytest.importorskip(package)
        game = games.make(title)
        assert family.holds(title)
        for algorithm in ALGORITHMS:
            config = configuration(name, algorithm)
            config_fields.check(config)
            sentence = refusal(name, algorithm)
            with jax.numpy_rank_promotion("allow"):  # IQN's head promotes ranks
                if sentence is None:
                    check_config.check(config, game, family.evaluation, family.steps)
                    continue
                with pytest.raises(ValueError, match=sentence):
                    check_config.check(config, game, family.evaluation, family.steps)


@pytest.mark.parametrize("name", FAMILIES)
def test_every_shared_value_is_the_value_of_a_field_of_some_algorithm(name):
    found = [config_fields.paths(configuration(name, algorithm)) for algorithm in ALGORITHMS]
    for path, value in FAMILIES[name].shared.items():
        assert value in [fields[path] for fields in found if path in fields], path


@pytest.mark.parametrize("name", FAMILIES)
def test_an_algorithm_keeps_its_loss_its_kind_of_replay_and_its_part_of_the_network(name):
    for algorithm, entry in ALGORITHMS.items():
        config = configuration(name, algorithm)
        assert type(config.algorithm) is type(entry.config.algorithm)
        assert type(config.replay) is type(entry.config.replay)
        assert type(config.network) is type(entry.config.network)
        for field in ("head", "dueling", "memory", "noisy"):
            before, after = (getattr(one.network, field, None) for one in (entry.config, config))
            assert type(before) is type(after)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_default_settings_and_a_torso_that_is_dqns_own_change_nothing(algorithm):
    config = ALGORITHMS[algorithm].config
    assert FAMILIES["default"].apply(algorithm, config) == config
    family = FAMILIES["default"]._replace(shared={"network.torso": Dense((64, 64))})
    assert family.apply(algorithm, config) == config


def made(shared, algorithm, own=None):
    family = Family(("*",), shared, {algorithm: own or {}}, 100, Evaluation(100, 1), "", None)
    return family.apply(algorithm, ALGORITHMS[algorithm].config)


def test_the_last_hidden_layer_belongs_to_the_part_behind_the_torso():
    shared = {"network.torso": torsos.NATURE}
    shorter = dataclasses.replace(torsos.NATURE, hidden=())
    assert made(shared, "dqn").network.torso == torsos.NATURE
    assert made(shared, "bootstrapped_dqn").network.member.torso == torsos.NATURE
    for algorithm in ("rainbow", "dueling_dqn", "r2d2", "iqn", "munchausen_iqn", "fqf"):
        assert made(shared, algorithm).network.torso == shorter
    assert made(shared, "rainbow").network.dueling == Dueling((512,))
    assert made(shared, "r2d2").network.memory == LSTM(512)
    for algorithm in ("iqn", "fqf"):
        assert made(shared, algorithm).network.head.hidden == (512,)


def test_a_difference_from_dqn_stays_and_an_own_value_replaces_it():
    shared = {"target_update.every": 7, "n_step": 5, "num_updates": 3, "discount": 0.9, "network.activation": "tanh"}
    assert made(shared, "dqn").target_update == Periodic(7)
    assert made(shared, "averaged_dqn").target_update == LastCopies(7)
    assert made({"target_update": Periodic(7)}, "averaged_dqn").target_update == LastCopies()
    assert made(shared, "pqn").target_update == Online()
    assert made(shared, "clipped_double_dqn").network.member.activation == "tanh"
    assert [made(shared, name).n_step for name in ("dqn", "n_step_dqn", "naive_deep_q_learning")] == [5, 3, 1]
    assert [made(shared, name).num_updates for name in ("dqn", "pqn", "tabular_q_learning")] == [3, 4, 1]
    assert made(shared, "n_step_dqn", {"n_step": 4}).n_step == 4
    assert {made(shared, name).discount for name in ALGORITHMS} == {0.9}
    with pytest.raises(ValueError, match=r"'replay.capacty' is not a field .* Did you mean 'replay.capacity'"):
        made({}, "dqn", {"replay.capacty": 1})


@pytest.mark.parametrize(
    ("algorithm", "part"),
    [
        ("double_dqn", "double"),
        ("dueling_dqn", "dueling"),
        ("n_step_dqn", "n_step"),
        ("c51", "distributional"),
        ("noisy_dqn", "noisy"),
        ("rainbow", None),
    ],
)
def test_rainbow_and_its_parts_are_those_of_the_ablation(algorithm, part):
    parts = rainbow.PARTS if part is None else [part]
    head = Categorical(num_atoms=51, v_min=-100.0, v_max=100.0)
    composed = rainbow.compose(parts, configuration("mountain_car", "dqn"), head=head)
    found = configuration("mountain_car", algorithm)
    if algorithm == "rainbow":
        composed = config_fields.replace_at(composed, "replay.importance.steps", FAMILIES["mountain_car"].steps)
    assert found == composed


def test_values_of_dopamine_and_dqn_zoo_reach_the_configurations():
    def values(name, algorithm, *paths):
        found = config_fields.paths(configuration(name, algorithm))
        return tuple(found[path] for path in paths)

    fields = ("learning_rate", "optimizer.eps", "train_every", "learning_starts", "target_update.every", "n_step")
    assert values("atari", "dqn", *fields) == (6.25e-5, 1.5e-4, 4, 20_000, 8_000, 1)
    assert values("atari", "rainbow", *fields) == (6.25e-5, 1.5e-4, 4, 20_000, 8_000, 3)
    assert values("atari", "iqn", *fields) == (5e-5, 3.125e-4, 4, 20_000, 8_000, 3)
    assert values("atari_nature", "dqn", *fields) == (2.5e-4, 0.01 / 1024, 4, 50_000, 10_000, 1)
    assert values("atari_nature", "double_dqn", *fields) == (2.5e-4, 0.01 / 1024, 4, 50_000, 30_000, 1)
    assert values("atari_nature", "dqn", "exploration.epsilon.end", "exploration.epsilon.steps") == (0.1, 1e6)
    assert values("atari_100k", "rainbow", *fields) == (1e-4, 1.5e-4, 1, 1_600, 2_000, 20)
    assert values("atari_100k", "dqn", *fields) == (1e-4, 1.5e-4, 1, 1_600, 2_000, 10)
    for name in ("atari", "atari_nature", "atari_100k"):
        assert values(name, "dqn", "network.frames") == values(name, "r2d2", "network.frames") == (4,)
        assert values(name, "bootstrapped_dqn", "network.member.frames") == (4,)


@pytest.mark.parametrize(
    ("game", "name"),
    [
        ("catch_noisy", "catch"),
        ("cartpole_200", "cartpole"),
        ("gymnasium:CartPole-v1", "cartpole"),
        ("acrobot", "acrobot"),
        ("mountain_car", "mountain_car"),
        ("gymnasium:LunarLander-v3", "lunar_lander"),
        ("gymnasium:my_module:MyEnv-v0", "gymnasium"),
        ("minatar_asterix_full", "minatar"),
        ("atari:pong", "atari"),
        ("atari:pong,actions=full", "atari"),
        ("doom:basic", "doom"),
        ("deep_sea_10", "default"),
        ("probe_memory", "default"),
    ],
)
def test_a_game_has_the_settings_of_its_family(game, name):
    assert settings.name_for(game) == name


def test_the_protocol_of_the_nature_paper_fits_the_settings_that_have_its_values():
    for name in ("atari_nature", "atari_100k"):
        assert FAMILIES[name].holds("atari:pong,sticky=0,noops=30,life_loss=true")
        assert FAMILIES[name].holds("atari:pong,sticky=0,noops=30,life_loss=true,engine=threads")
        assert not FAMILIES[name].holds("atari:pong")


def test_an_unknown_name_gets_a_suggestion():
    with pytest.raises(ValueError, match=r"no settings are called 'montain_car'\. Did you mean 'mountain_car'"):
        settings.named("montain_car")


def test_every_row_names_its_source_and_a_committed_result(request):
    results = pathlib.Path(request.config.rootpath) / "results"
    assert all(family.source for family in FAMILIES.values())
    named = {name: family.result for name, family in FAMILIES.items()}
    missing = {name for name, result in named.items() if result is None or not (results / result).is_dir()}
    assert missing == {"default", "atari", "atari_nature", "atari_100k", "minatar"}
