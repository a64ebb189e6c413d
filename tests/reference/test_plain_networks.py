"""The plain networks against numbers worked out by hand."""

import ast
import math
import pathlib

import numpy as np
import pytest

from tests.reference.plain import heads, initial, networks
from tests.reference.small_networks import IMPLICIT, LINEAR, PROPOSED, Q_NETWORK, dense, fresh

PLAIN = pathlib.Path(__file__).parent / "plain"


def test_the_reference_does_not_import_the_tested_code():
    for path in PLAIN.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            for name in names:
                assert name.split(".")[0] not in ("jax", "jaxlib", "flax", "optax", "chex", "rlax", "jaxdqn"), path


def test_two_layers_by_hand():
    parameters = {
        "params/Dense_0/kernel": np.array([[1.0, -1.0], [2.0, 0.5]]),
        "params/Dense_0/bias": np.array([0.5, 0.0]),
        "params/Dense_1/kernel": np.array([[2.0, 1.0, 0.0], [5.0, 5.0, 5.0]]),
        "params/Dense_1/bias": np.array([0.0, 0.0, -1.0]),
    }
    settings = {**Q_NETWORK, "torso": dense(2), "activation": "relu"}
    # hidden: relu([1 + 4 + 0.5, -1 + 1]) = [5.5, 0]
    answer = networks.apply(settings, 3, parameters, np.array([[1.0], [2.0]]), None)
    np.testing.assert_allclose(answer["q_values"], [11.0, 5.5, -1.0])


def test_two_streams_add_advantages_less_their_mean():
    parameters = {
        "params/Dense_0/kernel": np.array([[2.0]]),  # the value's hidden unit comes first
        "params/Dense_0/bias": np.zeros(1),
        "params/Dense_1/kernel": np.array([[3.0]]),
        "params/Dense_1/bias": np.zeros(1),
        "params/Dense_2/kernel": np.array([[1.0]]),
        "params/Dense_2/bias": np.zeros(1),
        "params/Dense_3/kernel": np.array([[1.0, 5.0]]),
        "params/Dense_3/bias": np.zeros(2),
    }
    settings = {**LINEAR, "activation": "relu", "dueling": {"type": "Dueling", "hidden": [1]}}
    answer = networks.apply(settings, 2, parameters, [1.0], None)
    np.testing.assert_allclose(answer["q_values"], [6.0 - 2.0, 6.0 + 2.0])


def test_a_noisy_layer_moves_by_sigma_times_both_noises():
    parameters = {
        "params/NoisyDense_0/kernel": np.array([[1.0, 1.0], [1.0, 1.0]]),
        "params/NoisyDense_0/kernel_sigma": np.array([[0.1, 0.1], [0.1, 0.2]]),
        "params/NoisyDense_0/bias": np.zeros(2),
        "params/NoisyDense_0/bias_sigma": np.array([1.0, 10.0]),
    }
    settings = {**LINEAR, "noisy": {"type": "Noisy", "scale": 0.5}}
    weights = {"NoisyDense_0/inputs": [2.0, -1.0], "NoisyDense_0/outputs": [1.0, 3.0]}
    still = networks.apply(settings, 2, parameters, [1.0, 1.0], None)["q_values"]
    moved = networks.apply(settings, 2, parameters, [1.0, 1.0], {"weights": weights, "fractions": None})["q_values"]
    np.testing.assert_allclose(still, [2.0, 2.0])
    np.testing.assert_allclose(moved, [2.0 + 0.1 * 2 - 0.1 + 1.0, 2.0 + 0.1 * 6 - 0.2 * 3 + 30.0])


def test_layer_normalisation_by_hand():
    parameters = {
        "params/Dense_0/kernel": np.eye(2),
        "params/Dense_0/bias": np.zeros(2),
        "params/LayerNorm_0/scale": np.array([2.0, 2.0]),
        "params/LayerNorm_0/bias": np.array([0.0, 1.0]),
        "params/Dense_1/kernel": np.eye(2),
        "params/Dense_1/bias": np.zeros(2),
    }
    normalisation = {"type": "LayerNorm", "epsilon": 3.0}
    settings = {**Q_NETWORK, "torso": dense(2), "activation": "relu", "normalisation": normalisation}
    # mean 2, variance 1, root of variance + epsilon 2: [-1/2, 1/2], times 2 and moved: [-1, 2], cut off: [0, 2]
    np.testing.assert_allclose(networks.apply(settings, 2, parameters, [1.0, 3.0], None)["q_values"], [0.0, 2.0])


def test_a_table_takes_the_nearest_cell():
    settings = {"type": "Table", "bins": [2, 3], "low": [0.0, 0.0], "high": [1.0, 3.0]}
    parameters = {"params/values": np.arange(12.0).reshape(6, 2)}
    for observation, cell in (([0.1, 0.5], 0), ([0.4, 2.5], 2), ([0.6, 1.5], 4), ([9.0, 9.0], 5), ([-9.0, 1.1], 1)):
        answer = networks.apply(settings, 2, parameters, observation, None)
        np.testing.assert_allclose(answer["q_values"], [2.0 * cell, 2.0 * cell + 1.0])


def test_priors_are_added_to_the_members_and_their_slope_is_zero():
    settings = {"type": "Ensemble", "member": LINEAR, "num_members": 2, "prior_scale": 10.0}
    parameters = {
        "members/params/Dense_0/kernel": np.array([[[1.0, 2.0]], [[3.0, 4.0]]]),
        "members/params/Dense_0/bias": np.zeros((2, 2)),
        "priors/params/Dense_0/kernel": np.array([[[1.0, 0.0]], [[0.0, 1.0]]]),
        "priors/params/Dense_0/bias": np.zeros((2, 2)),
    }
    answer = networks.apply(settings, 2, parameters, [1.0], None)
    np.testing.assert_allclose(answer["members"], [[11.0, 2.0], [3.0, 14.0]])
    np.testing.assert_allclose(answer["q_values"], [7.0, 8.0])


def test_the_memory_of_one_unit_by_hand():
    gates = {"i": 0.0, "f": 0.0, "g": 50.0, "o": 0.0}  # halves, and 1
    parameters = {"params/last/Dense_0/kernel": np.array([[2.0]]), "params/last/Dense_0/bias": np.zeros(1)}
    for gate, bias in gates.items():
        parameters[f"params/cell/i{gate}/kernel"] = np.zeros((1, 1))
        parameters[f"params/cell/h{gate}/kernel"] = np.zeros((1, 1))
        parameters[f"params/cell/h{gate}/bias"] = np.array([bias])
    settings = {**LINEAR, "memory": {"type": "LSTM", "units": 1}}
    memory = networks.initial_memory(settings)
    output, memory = networks.step(settings, 1, parameters, [0.0], memory)
    np.testing.assert_allclose(memory, [0.5, 0.5 * math.tanh(0.5)])
    np.testing.assert_allclose(output["q_values"], [math.tanh(0.5)])
    output, memory = networks.step(settings, 1, parameters, [0.0], memory)
    np.testing.assert_allclose(memory[0], 0.75)


def test_risk_measures_by_hand():
    fractions = [0.25, 0.5]
    np.testing.assert_allclose(heads.distort({"type": "Neutral"}, fractions), fractions)
    np.testing.assert_allclose(heads.distort({"type": "CVaR", "eta": 0.5}, fractions), [0.125, 0.25])
    np.testing.assert_allclose(heads.distort({"type": "Power", "eta": 1.0}, fractions), [0.5, math.sqrt(0.5)])
    np.testing.assert_allclose(heads.distort({"type": "Power", "eta": -1.0}, [0.75]), [0.5])
    np.testing.assert_allclose(heads.distort({"type": "Wang", "eta": 1.0}, [0.5]), [0.8413447460685429])


def test_implicit_quantiles_learn_from_the_first_fractions_and_act_by_the_others_distorted():
    rng = np.random.default_rng(0)
    settings = {**Q_NETWORK, "head": IMPLICIT}
    parameters = fresh(settings, 2, rng)
    numbers = [0.1, 0.2, 0.3, 0.4, 0.8]
    answer = networks.apply(settings, 2, parameters, [1.0, 2.0], {"weights": None, "fractions": numbers})
    neutral = {**settings, "head": {**IMPLICIT, "num_quantiles": 2, "risk": {"type": "Neutral"}}}
    halved = {"weights": None, "fractions": [0.2, 0.4, 0.2, 0.4]}
    policy = networks.apply(neutral, 2, parameters, [1.0, 2.0], halved)
    np.testing.assert_allclose(answer["fractions"], [0.1, 0.2, 0.3])
    np.testing.assert_allclose(answer["q_values"], np.mean(policy["quantiles"], axis=1))
    middles = networks.apply(settings, 2, parameters, [1.0, 2.0], None)["fractions"]
    np.testing.assert_allclose(middles, [1 / 6, 1 / 2, 5 / 6])


def test_proposed_fractions_are_the_middles_of_intervals_that_fill_the_unit():
    settings = {**Q_NETWORK, "head": PROPOSED}
    parameters = fresh(settings, 2, np.random.default_rng(0))
    parameters["params/proposal/kernel"] = np.zeros((3, 3))
    parameters["params/proposal/bias"] = 2.0 * np.log([1.0, 2.0, 1.0])  # times a pace of 1/2
    answer = networks.apply(settings, 2, parameters, [1.0, 2.0], None)
    np.testing.assert_allclose(answer["boundaries"], [0.0, 0.25, 0.75, 1.0])
    np.testing.assert_allclose(answer["fractions"], [0.125, 0.5, 0.875])
    np.testing.assert_allclose(answer["entropy"], 1.5 * math.log(2))
    np.testing.assert_allclose(answer["q_values"], answer["quantiles"] @ [0.25, 0.5, 0.25])


def test_a_fresh_network_differs_from_a_trained_one():
    rng = np.random.default_rng(0)
    bound = 2.0 * math.sqrt(1 / 4) / 0.8796256610342398
    parameters = {
        "params/Dense_0/kernel": rng.uniform(-bound, bound, size=(4, 8)),
        "params/Dense_0/bias": np.zeros(8),
    }
    settings = LINEAR
    initial.check_initial(settings, parameters)
    wrong = [
        {"params/Dense_0/bias": np.full(8, 0.01)},
        {"params/Dense_0/kernel": 2.0 * parameters["params/Dense_0/kernel"]},
        {"params/Dense_0/kernel": np.zeros((4, 8))},
        {"params/Dense_0/kernel": 0.05 * parameters["params/Dense_0/kernel"]},
    ]
    for change in wrong:
        with pytest.raises(AssertionError):
            initial.check_initial(settings, {**parameters, **change})
    stacked = {"members/" + path: np.stack([array, array]) for path, array in parameters.items()}
    ensemble = {"type": "Ensemble", "member": settings, "num_members": 2, "prior_scale": None}
    with pytest.raises(AssertionError):
        initial.check_initial(ensemble, stacked)
