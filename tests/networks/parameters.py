"""Initial parameters of networks, each array as its shape and one number; `test_parameters` holds them.

    python -m tests.networks.parameters    writes parameters.json anew, where the parameters change on purpose

Stored weights are found by these paths, and the same seed trains the same network only if its first values stay.
"""

import json
import pathlib

import jax
import numpy as np

from jaxdqn.networks.dueling import Dueling
from jaxdqn.networks.ensemble import Ensemble
from jaxdqn.networks.heads import Categorical, ImplicitQuantiles, ProposedFractions, Quantiles
from jaxdqn.networks.layers import LayerNorm
from jaxdqn.networks.memory import LSTM
from jaxdqn.networks.network import QNetwork
from jaxdqn.networks.noisy import Noisy
from jaxdqn.networks.torsos import Conv, Dense, Impala
from jaxdqn.store import weights

FILE = pathlib.Path(__file__).with_name("parameters.json")
TORSO = Dense((4,))
IMPLICIT = ImplicitQuantiles(num_cosines=3, hidden=(2,))
PROPOSED = ProposedFractions(num_quantiles=3, num_cosines=3, hidden=(2,))
NETWORKS = {
    "dense": QNetwork(Dense((4, 3))),
    "glorot": QNetwork(TORSO, initializer="glorot_uniform"),
    "noisy dueling": QNetwork(TORSO, noisy=Noisy(), dueling=Dueling((3,))),
    "normalised dueling": QNetwork(TORSO, normalisation=LayerNorm(), dueling=Dueling((3,))),
    "categorical": QNetwork(TORSO, head=Categorical(num_atoms=3)),
    "quantiles": QNetwork(TORSO, head=Quantiles(num_quantiles=3), dueling=Dueling((3,))),
    "implicit": QNetwork(TORSO, head=IMPLICIT, noisy=Noisy(), normalisation=LayerNorm()),
    "proposed": QNetwork(TORSO, head=PROPOSED, dueling=Dueling((3,))),
    "memory": QNetwork(TORSO, memory=LSTM(3), dueling=Dueling((3,)), normalisation=LayerNorm()),
    "memory proposed": QNetwork(TORSO, memory=LSTM(3), head=PROPOSED),
    "ensemble": Ensemble(QNetwork(TORSO), num_members=2, prior_scale=1.0),
    "conv": QNetwork(Conv((3, 2), (2, 2), (2, 1), hidden=(4,)), noisy=Noisy(), normalisation=LayerNorm()),
    "impala": QNetwork(Impala((1, 2), width=2, hidden=(3,))),
}
SHAPES = {"conv": (6, 6, 2), "impala": (4, 4, 1)}  # of observations; all others have (2, 3)


def initial(name, seed):
    """Returns for each parameter its path, its shape and the sum of its values, each times the number of its place."""
    network = NETWORKS[name].make(SHAPES.get(name, (2, 3)), num_actions=2)
    arrays = weights.flatten(network.init(jax.random.key(seed)))
    numbers = {path: float((np.ravel(x) * np.arange(1, x.size + 1)).sum()) for path, x in arrays.items()}
    return {path: [*x.shape, round(numbers[path], 4)] for path, x in arrays.items()}


if __name__ == "__main__":
    found = {name: {str(seed): initial(name, seed) for seed in (0, 7)} for name in NETWORKS}
    text = json.dumps(found, indent=1).replace("\n    ", " ").replace("\n   ]", "]").replace("[ ", "[")
    FILE.write_text(text + "\n")
