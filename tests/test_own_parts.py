"""Parts in modules of the user: named on the command line and in records, and found again."""

import dataclasses
import importlib
import json
import sys

import jax
import pytest

from jaxdqn import algorithms, commands, config_dicts, games, own_parts
from jaxdqn.algorithms import dqn
from jaxdqn.commands import configuration_options, script
from jaxdqn.config import Config
from jaxdqn.exploration import EpsilonGreedy
from jaxdqn.networks.network import QNetwork
from jaxdqn.play import agent
from jaxdqn.store import weights
from jaxdqn.study import spec
from tests.helpers import trained

MODULE = """
import dataclasses
from jaxdqn.algorithms import c51, dqn
from jaxdqn.config_fields import configuration, number, static
from jaxdqn.exploration import EpsilonGreedy
from jaxdqn.games import catch
from jaxdqn.networks.network import QNetwork
from jaxdqn.networks.torsos import Dense

corridor = catch.make()
whole = dataclasses.replace(c51.CONFIG, discount=0.5)
NUMBER = 3

@configuration
class Loss(dqn.DQN):
    weight: float = number(2.0)

@configuration
class Network:
    width: int = static(8)
    output = QNetwork().output
    def make(self, *arguments):
        return QNetwork(Dense((self.width,))).make(*arguments)

@configuration
class Rule(EpsilonGreedy):
    pass

@configuration
class Torso:
    def __call__(self, layers, observation, observation_shape):
        return observation.reshape((*observation.shape[: observation.ndim - len(observation_shape)], -1))

@configuration
class Half:
    x: float = number(1.0)

def needs(argument):
    return argument
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Returns the name of a module with parts of the user."""
    monkeypatch.syspath_prepend(tmp_path)
    name = f"own_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(MODULE)
    importlib.invalidate_caches()
    yield name
    sys.modules.pop(name, None)


def parsed(*arguments, algorithm="dqn"):
    return configuration_options.parse("catch", algorithm, ["--settings", "default", *arguments])[1]


def test_an_algorithm_is_a_whole_configuration_or_a_loss(own):
    assert algorithms.configuration_of(f"{own}:whole").discount == 0.5
    loss = algorithms.configuration_of(f"{own}:Loss")
    assert type(loss.algorithm).__name__ == "Loss"
    assert dataclasses.replace(loss, algorithm=dqn.CONFIG.algorithm) == dqn.CONFIG
    assert parsed("--algorithm.weight", "3", algorithm=f"{own}:Loss").algorithm.weight == 3.0
    for wrong, words in (
        ("Half", "must be a Config, or have a method `loss`"),
        ("NUMBER", "is a int: it must be"),
        ("needs", "calling it without arguments raised TypeError"),
        ("nothing", "has no 'nothing'"),
    ):
        with pytest.raises(ValueError, match=words):
            algorithms.configuration_of(f"{own}:{wrong}")


def test_any_part_is_an_option_with_its_own_fields(own):
    config = parsed(
        "--network", f"{own}:Network", "--network.width", "5", f"--exploration={own}:Rule", "--discount", "0.5"
    )
    assert (type(config.network).__name__, config.network.width, config.discount) == ("Network", 5, 0.5)
    assert type(config.exploration).__name__ == "Rule"
    inner = parsed("--network.torso", f"{own}:Torso", "--network.activation", "tanh")
    assert (type(inner.network.torso).__name__, inner.network.activation) == ("Torso", "tanh")
    assert isinstance(parsed("optimizer:rms-prop").exploration, EpsilonGreedy)
    with pytest.raises(ValueError, match="--network mlp must name a part of your own, such as my_module:MyClass"):
        parsed("--network", "mlp")


def test_a_part_that_lacks_what_training_uses_is_refused(own):
    config = parsed("--network", f"{own}:Half")
    with pytest.raises(ValueError, match=r"network = Half has no make: a part of your own needs"):
        spec.Study("own", ("catch",), {"own": config}, range(1), 5_000, spec.Evaluation(5_000, 1))


def test_the_command_trains_parts_of_the_user_and_the_record_names_them(own, monkeypatch):
    studies = []
    monkeypatch.setattr(script, "run_and_show", lambda study, *rest, **options: studies.append(study))
    commands.main(["train", f"{own}:corridor", f"{own}:Loss", "--network", f"{own}:Network"])
    (study,) = studies
    assert study.games == (f"{own}:corridor",)
    facts = next(iter(spec.cells(study))).determinants
    assert facts["configuration"]["algorithm"]["type"] == f"{own}:Loss"
    assert facts["configuration"]["network"] == {"type": f"{own}:Network", "width": 8}
    assert set(facts["game"]["sources"]) == set(facts["part_sources"]) == {own}


def test_a_configuration_is_rebuilt_from_a_record(own):
    config = parsed("--network.torso", f"{own}:Torso", "--exploration", f"{own}:Rule", algorithm=f"{own}:Loss")
    facts = json.loads(json.dumps(config_dicts.to_dict(config)))
    assert own_parts.modules(facts) == {own}
    rebuilt = config_dicts.from_dict((Config, dqn.DQN), facts, own_parts.types(facts))
    assert rebuilt == config
    with pytest.raises(ValueError, match=f"is of type '{own}:Loss'"):
        config_dicts.from_dict((Config, dqn.DQN), facts)


def test_play_finds_game_and_network_again_if_the_user_trusts_their_module(own, tmp_path):
    made = games.make(f"{own}:corridor")
    for network in (parsed("--network", f"{own}:Network").network, parsed("--network.torso", f"{own}:Torso").network):
        parameters = network.make(made.observation_shape, made.num_actions).init(jax.random.key(0))
        facts = trained.facts(f"{own}:corridor", network)
        path = weights.save(tmp_path / type(network).__name__, facts, weights.flatten(jax.device_get(parameters)))
        loaded = weights.load(path)
        with pytest.raises(ValueError, match=f"needs code of {own} to run: if you trust it, add --trust {own}"):
            agent.make(loaded)
        assert agent.make(loaded, trusted=[own]).game.name == f"{own}:corridor"


def test_types_of_this_package_have_short_names():
    assert own_parts.type_name(QNetwork) == "QNetwork"
    assert own_parts.type_name(trained.Agent) == "Agent"
    assert own_parts.modules(config_dicts.to_dict(dqn.CONFIG)) == set()
