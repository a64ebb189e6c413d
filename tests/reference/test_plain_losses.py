"""The gradients of the plain losses: slopes by differences, and where there is none."""

import numpy as np
import pytest

from tests.reference.plain import losses, networks, sequence_losses
from tests.reference.small_networks import (
    CATEGORICAL,
    IMPLICIT,
    LINEAR,
    PROPOSED,
    Q_NETWORK,
    SQUARED,
    fresh,
    transitions,
)

ALGORITHMS = {
    "DQN": (None, {"error": SQUARED}, 2),
    "DoubleDQN": (None, {"error": {"type": "Huber", "delta": 0.4}}, 3),
    "TabularQLearning": (None, {}, 0),
    "C51": (CATEGORICAL, {"selector": "online"}, 3),
    "HLGauss": (CATEGORICAL, {"smoothing": 0.75}, 2),
    "QuantileRegression": (IMPLICIT, {"kappa": 0.5, "selector": "target"}, 3),
    "MunchausenDQN": (None, {"error": SQUARED, "temperature": 0.3, "scale": 0.9, "clip": -1.0}, 3),
    "MunchausenIQN": (IMPLICIT, {"kappa": 0.5, "temperature": 0.3, "scale": 0.9, "clip": -1.0}, 3),
}


@pytest.mark.parametrize("name", sorted(ALGORITHMS))
def test_the_gradient_is_the_slope_of_the_loss(name):
    head, fields, num_passes = ALGORITHMS[name]
    rng = np.random.default_rng(3)
    settings = {"algorithm": {"type": name, **fields}, "network": {**Q_NETWORK, "head": head}}
    parameters, target = fresh(settings["network"], 2, rng), fresh(settings["network"], 2, rng)
    noises = [None] * num_passes
    if head is IMPLICIT:
        noises = [{"weights": None, "fractions": rng.random((3, 5))} for _ in range(num_passes)]
    batch, weight = transitions(rng), np.array([1.0, 0.5, 2.0])

    def mean_loss(parameters):
        out = losses.loss(settings, 2, parameters, target, batch, noises)["loss"]
        return sum(w * float(x) for w, x in zip(weight, out, strict=True)) / 3

    mean, examples, gradient = losses.gradient(settings, 2, parameters, target, batch, noises, weight)
    np.testing.assert_allclose(mean, mean_loss(parameters))
    np.testing.assert_allclose(np.sum(weight * examples["loss"]) / 3, mean)
    assert set(gradient) == set(parameters)
    for path, array in parameters.items():
        for place in np.ndindex(array.shape):
            moved = {p: a.copy() for p, a in parameters.items()}
            moved[path][place] += 1e-6
            above = mean_loss(moved)
            moved[path][place] -= 2e-6
            slope = (above - mean_loss(moved)) / 2e-6
            np.testing.assert_allclose(gradient[path][place], slope, atol=1e-6, err_msg=path)


def test_the_two_losses_of_proposed_fractions_do_not_meet():
    rng = np.random.default_rng(1)
    algorithm = {"type": "FQF", "kappa": 1.0, "entropy": 0.0}
    settings = {"algorithm": algorithm, "network": {**Q_NETWORK, "head": PROPOSED}}
    parameters, target = fresh(settings["network"], 2, rng), fresh(settings["network"], 2, rng)
    batch = transitions(rng)
    without, with_entropy = (
        losses.gradient(
            {**settings, "algorithm": {**algorithm, "entropy": c}}, 2, parameters, target, batch, [], np.ones(3)
        )[2]
        for c in (0.0, 1.0)
    )
    for path in parameters:
        same = np.array_equal(without[path], with_entropy[path])
        assert same == (not path.startswith("params/proposal/")), path


def test_a_member_that_does_not_learn_has_no_slope():
    rng = np.random.default_rng(0)
    ensemble = {"type": "Ensemble", "member": LINEAR, "num_members": 3, "prior_scale": None}
    settings = {"algorithm": {"type": "BootstrappedDQN", "error": SQUARED, "share": 0.5}, "network": ensemble}
    parameters = {
        "members/params/Dense_0/kernel": rng.normal(size=(3, 2, 2)),
        "members/params/Dense_0/bias": np.ones((3, 2)),
    }
    batch = {name: array[:1] for name, array in transitions(rng).items()}
    batch["indices"] = np.array([5])
    gradient = losses.gradient(settings, 2, parameters, parameters, batch, [], np.ones(1))[2]
    moves = [bool(np.any(gradient["members/params/Dense_0/kernel"][k] != 0)) for k in range(3)]
    assert moves == losses.mask(5, 3, 0.5)
    assert len(set(moves)) == 2


def test_the_burn_in_has_no_slope_but_moves_the_memory():
    rng = np.random.default_rng(0)
    recurrent = {**LINEAR, "memory": {"type": "LSTM", "units": 2}}
    parameters = {"params/last/Dense_0/kernel": rng.normal(size=(2, 2)), "params/last/Dense_0/bias": rng.normal(size=2)}
    for gate in "ifgo":
        parameters[f"params/cell/i{gate}/kernel"] = rng.normal(size=(2, 2))
        parameters[f"params/cell/h{gate}/kernel"] = rng.normal(size=(2, 2))
        parameters[f"params/cell/h{gate}/bias"] = rng.normal(size=2)
    steps = {name: array[None] for name, array in transitions(rng).items() if name != "indices"}
    steps |= {"last": np.array([[0, 1, 2]]), "memory": rng.normal(size=(1, 4)), "is_first": np.zeros((1, 3), bool)}
    algorithm = {"type": "R2D2", "error": SQUARED, "eps": 0.01, "eta": 0.9, "burn_in": 2}
    settings = {"algorithm": algorithm, "network": recurrent}
    out = losses.loss(settings, 2, parameters, parameters, steps, [])
    np.testing.assert_allclose(out["priority"], out["td_error"])  # one step is left
    gradient = losses.gradient(settings, 2, parameters, parameters, steps, [], np.ones(1))[2]
    # with a forget gate that is shut and no weights from h, nothing of the burn-in is left
    other = {**steps, "memory": steps["memory"] + 1.0}
    assert losses.loss(settings, 2, parameters, parameters, other, [])["loss"] != out["loss"]
    late = {name: array[:, 2:] for name, array in steps.items() if name != "memory"}
    constants = sequence_losses.unrolled(recurrent, 2, parameters, {n: a[0] for n, a in steps.items()}, 3)
    assert len(constants[0]) == 3
    memory = steps["memory"][0]
    for t in range(2):
        memory = networks.step(recurrent, 2, parameters, steps["s_tm1"][0, t], memory)[1]
    late |= {"memory": memory[None], "last": np.array([[0]])}
    no_burn_in = {**settings, "algorithm": {**algorithm, "burn_in": 0}}
    from_there = losses.gradient(no_burn_in, 2, parameters, parameters, late, [], np.ones(1))[2]
    for path in gradient:
        np.testing.assert_allclose(gradient[path], from_there[path], err_msg=path)
