"""Settings and parameters of networks small enough to check by hand or by differences."""

import numpy as np


def dense(*hidden):
    """Returns the settings of a torso."""
    return {"type": "Dense", "hidden": list(hidden)}


Q_NETWORK = {
    "type": "QNetwork",
    "torso": dense(3),
    "memory": None,
    "head": None,
    "dueling": None,
    "noisy": None,
    "normalisation": None,
    "activation": "tanh",
    "initializer": "lecun_normal",
}
LINEAR = {**Q_NETWORK, "torso": dense()}
SQUARED = {"type": "SquaredError", "blend": 1.0}
CATEGORICAL = {"type": "Categorical", "num_atoms": 4, "v_min": -1.0, "v_max": 2.0}
IMPLICIT = {
    "type": "ImplicitQuantiles",
    "num_quantiles": 3,
    "num_policy_quantiles": 2,
    "num_cosines": 4,
    "hidden": [2],
    "risk": {"type": "CVaR", "eta": 0.5},
}
PROPOSED = {"type": "ProposedFractions", "num_quantiles": 3, "num_cosines": 4, "hidden": [2], "pace": 0.5}


def fresh(settings, num_actions, rng):
    """Returns random parameters of a small network of one hidden layer of 3 units, for 2 numbers a state."""
    head, kinds = settings["head"], {}
    width = {"Categorical": 4, "Quantiles": 3}.get(head["type"] if head else "", 1)
    kinds["Dense_0"], features = (2, 3), 3
    number = 1
    if head and head["type"] in ("ImplicitQuantiles", "ProposedFractions"):
        kinds["fractions"], kinds["Dense_1"], features, number = (4, 3), (3, 2), 2, 2
        if head["type"] == "ProposedFractions":
            kinds["proposal"] = (3, 3)
    kinds[f"Dense_{number}"] = (features, num_actions * width)
    parameters = {}
    for layer, shape in kinds.items():
        parameters[f"params/{layer}/kernel"] = rng.normal(size=shape)
        parameters[f"params/{layer}/bias"] = rng.normal(size=shape[1])
    return parameters


def transitions(rng):
    """Returns three random transitions of states of two numbers; the second ends its episode."""
    return {
        "s_tm1": rng.normal(size=(3, 2)),
        "a_tm1": np.array([0, 1, 1]),
        "r_t": rng.normal(size=3),
        "discount_t": np.array([0.9, 0.0, 0.9]),
        "s_t": rng.normal(size=(3, 2)),
        "indices": np.array([0, 1, 2]),
    }
