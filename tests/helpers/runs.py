"""Small configurations and single runs for tests of training."""

import dataclasses
import functools
import json

import jax

from jaxdqn import config_fields, schedules, target_network
from jaxdqn.algorithms import dqn
from jaxdqn.exploration import EpsilonGreedy
from jaxdqn.networks.network import QNetwork
from jaxdqn.networks.torsos import Dense
from jaxdqn.replay.uniform import Uniform
from jaxdqn.training import loop
from jaxdqn.training.evaluate import Evaluation

SMALL = dataclasses.replace(
    dqn.CONFIG,
    learning_rate=0.01,
    discount=0.9,
    batch_size=16,
    train_every=4,
    num_environments=2,
    learning_starts=40,
    network=QNetwork(Dense((16,))),
    exploration=EpsilonGreedy(schedules.Constant(0.3)),
    target_update=target_network.Periodic(20),
    replay=Uniform(200),
)
EVALUATION = Evaluation(every=200, episodes=3)


TIMINGS = ("cost", "created", "hardware")


def results(folder):
    """Returns the contents of a study's folder of runs by file name, without timings."""
    found = {}
    for path in sorted((folder / "runs").iterdir()):
        if path.suffix == ".json":
            facts = json.loads(path.read_text())
            found[path.name] = {name: value for name, value in facts.items() if name not in TIMINGS}
        else:
            found[path.name] = path.read_bytes()
    return found


def advancing(game, evaluation=EVALUATION):
    """Returns `(config, state) -> (state, curves)`, compiled without donation: the input state stays valid."""
    return jax.jit(functools.partial(loop.advance, game=game, evaluation=evaluation))


def start(game, config, seed=0):
    """Returns the configuration with arrays as leaves, and the state of a run before its first step."""
    config = config_fields.to_arrays(config)
    return config, _init(game)(config, jax.random.key(seed))


_last = {}


def _init(game):
    """Returns the compiled start of a run; only the last game's is cached, because games cannot be hashed."""
    if game.step not in _last:
        _last.clear()
        _last[game.step] = jax.jit(functools.partial(loop.init, game=game))
    return _last[game.step]


def plain(tree):
    """Returns the tree with random keys as integers, which NumPy can compare."""

    def unwrap(leaf):
        return jax.random.key_data(leaf) if jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf

    return jax.device_get(jax.tree.map(unwrap, tree))
