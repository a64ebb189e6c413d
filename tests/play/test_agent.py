import json
import pathlib
import re

import jax
import numpy as np
import pytest

from jaxdqn import games
from jaxdqn.networks.network import QNetwork
from jaxdqn.networks.torsos import Dense
from jaxdqn.networks.value_table import Table
from jaxdqn.play import agent, episodes, select_weights
from jaxdqn.store import weights
from tests.helpers import trained

NETWORKS = [
    QNetwork(Dense((8,))),
    QNetwork(Dense(()), activation="tanh"),
    QNetwork(Dense((4, 4, 4))),
    Table((3, 5), (-1.2, -0.07), (0.6, 0.07)),
]


KEPT = pathlib.Path(__file__).parents[2] / "results"


@pytest.mark.parametrize("runs", sorted({path.parent for path in KEPT.glob("*/runs/*.weights.npz")}), ids=str)
def test_committed_weights_can_be_played(runs):
    folder = runs.parent
    records = [json.loads(path.read_text()) for path in runs.glob("*.json")]
    for game in sorted({record["game"]["name"] for record in records if "weights" in record}):
        made = agent.make(weights.load(select_weights.select(folder, game=game)))
        assert made.game.name == game


@pytest.mark.parametrize("network", NETWORKS, ids=str)
def test_the_agent_has_the_action_values_of_the_saved_network(tmp_path, network):
    path = trained.save(tmp_path / "weights", "mountain_car", network, seed=7)
    made = agent.make(weights.load(path))
    game = games.make("mountain_car")
    observations = np.random.default_rng(0).uniform(-1, 1, (5, 2)).astype(np.float32)
    parameters = trained.parameters("mountain_car", network, seed=7)
    expected = network.make(game.observation_shape, game.num_actions).apply
    for observation in observations:
        q_values = made.network.apply(made.parameters, observation).q_values
        np.testing.assert_array_equal(q_values, expected(parameters, observation).q_values)
    assert made.game.name == "mountain_car"
    assert jax.tree.structure(made.parameters) == jax.tree.structure(parameters)


@pytest.mark.parametrize(
    ("name", "dtype", "num_steps"),
    [("catch", np.float32, 10), ("gymnasium:tests.helpers.host_games:Image-v0", np.uint8, 9)],
)
def test_an_agent_that_stacks_frames_plays_whole_episodes(tmp_path, name, dtype, num_steps):
    path = trained.save(tmp_path / "weights", name, QNetwork(Dense((8,)), frames=3))
    made = agent.make(weights.load(path), trusted=games.modules(name))
    assert made.network.memory.frames.dtype == dtype
    with episodes.player(made, seed=0, epsilon=0.0, rendered=False) as player:
        moments = list(player.play(0))
    assert (moments[-1].steps, moments[-1].ended) == (num_steps, True)


def changed(path, **changes):
    record = json.loads(path.read_text())
    path.write_text(json.dumps(record | changes))
    return weights.load(path)


def configured(**network):
    return {"configuration": {"type": "Config", "network": {"type": "QNetwork"} | network}}


def of_torso(*hidden):
    return configured(torso={"type": "Dense", "hidden": list(hidden)})


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"game": {"name": "cartpole", "version": 1}},
            "do not fit their network on cartpole (observations of shape [4], 2 actions): params/Dense_0/kernel is "
            "[100, 8] in the file and [4, 8] in the network.",
        ),
        (of_torso(16), "params/Dense_0/bias is [8] in the file and [16] in the network."),
        (of_torso(8, 3), "params/Dense_2/bias is absent in the file and [3] in the network."),
        (of_torso(), "params/Dense_0/bias is [8] in the file and [3] in the network."),
        (
            {"game": {"name": "catch", "version": 99}},
            "was trained on version 99 of catch, and the current version is 1",
        ),
        ({"game": {"name": "katch", "version": 1}}, "no game is called 'katch'. Did you mean 'catch'?"),
        (configured(type="Transformer"), "describes no network for catch: The configuration is of type 'Transformer'"),
        (of_torso(10**400), "describes no network for catch: "),
        (configured(activation="os.system"), "activation = 'os.system' is out of range: it must be one of 'relu'"),
        (configured(type="Table", bins=[2], low=[0.0]), "describes no network for catch: "),
        ({"configuration": {"type": "Config"}}, "describes no network for catch: The configuration = None must be"),
    ],
    ids=lambda value: value[:60] if isinstance(value, str) else "",
)
def test_weights_that_do_not_fit_raise_an_error_of_one_sentence(tmp_path, changes, sentence):
    path = trained.save(tmp_path / "weights")
    with pytest.raises(ValueError, match=re.escape(sentence)):
        agent.make(changed(path, **changes))
