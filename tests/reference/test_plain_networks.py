"""The plain networks, losses and optimizers against numbers worked out by hand, and slopes against differences."""

import ast
import math
import pathlib

import numpy as np
import pytest

from plain import distributional, heads, initial, losses, networks, optimizers, sequence_losses, soft

PLAIN = pathlib.Path(__file__).parent / "plain"
MLP = {
    "type": "MLP",
    "hidden": [3],
    "activation": "tanh",
    "initializer": "lecun_normal",
    "head": None,
    "dueling": None,
    "noisy": None,
    "normalisation": None,
}
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


def test_nothing_of_the_reference_imports_what_it_judges():
    for path in PLAIN.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            for name in names:
                assert name.split(".")[0] not in ("jax", "jaxlib", "flax", "optax", "chex", "rlax", "jaxdqn"), path


# networks


def test_two_layers_by_hand():
    parameters = {
        "params/Dense_0/kernel": np.array([[1.0, -1.0], [2.0, 0.5]]),
        "params/Dense_0/bias": np.array([0.5, 0.0]),
        "params/Dense_1/kernel": np.array([[2.0, 1.0, 0.0], [5.0, 5.0, 5.0]]),
        "params/Dense_1/bias": np.array([0.0, 0.0, -1.0]),
    }
    settings = {**MLP, "hidden": [2], "activation": "relu"}
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
    settings = {**MLP, "hidden": [], "activation": "relu", "dueling": {"type": "Dueling", "hidden": [1]}}
    answer = networks.apply(settings, 2, parameters, [1.0], None)
    np.testing.assert_allclose(answer["q_values"], [6.0 - 2.0, 6.0 + 2.0])


def test_a_noisy_layer_moves_by_sigma_times_both_noises():
    parameters = {
        "params/NoisyDense_0/kernel": np.array([[1.0, 1.0], [1.0, 1.0]]),
        "params/NoisyDense_0/kernel_sigma": np.array([[0.1, 0.1], [0.1, 0.2]]),
        "params/NoisyDense_0/bias": np.zeros(2),
        "params/NoisyDense_0/bias_sigma": np.array([1.0, 10.0]),
    }
    settings = {**MLP, "hidden": [], "noisy": {"type": "Noisy", "scale": 0.5}}
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
    settings = {**MLP, "hidden": [2], "activation": "relu", "normalisation": normalisation}
    # mean 2, variance 1, root of variance + epsilon 2: [-1/2, 1/2], times 2 and moved: [-1, 2], cut off: [0, 2]
    np.testing.assert_allclose(networks.apply(settings, 2, parameters, [1.0, 3.0], None)["q_values"], [0.0, 2.0])


def test_a_table_takes_the_nearest_cell():
    settings = {"type": "Table", "bins": [2, 3], "low": [0.0, 0.0], "high": [1.0, 3.0]}
    parameters = {"params/values": np.arange(12.0).reshape(6, 2)}
    for observation, cell in (([0.1, 0.5], 0), ([0.4, 2.5], 2), ([0.6, 1.5], 4), ([9.0, 9.0], 5), ([-9.0, 1.1], 1)):
        answer = networks.apply(settings, 2, parameters, observation, None)
        np.testing.assert_allclose(answer["q_values"], [2.0 * cell, 2.0 * cell + 1.0])


def test_priors_are_added_to_the_members_and_their_slope_is_zero():
    linear = {**MLP, "hidden": []}
    settings = {"type": "Ensemble", "member": linear, "num_members": 2, "prior_scale": 10.0}
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
    settings = {"type": "Recurrent", "ends": {**MLP, "hidden": []}, "units": 1}
    memory = networks.initial_memory(settings)
    output, memory = networks.step(settings, 1, parameters, [0.0], memory)
    np.testing.assert_allclose(memory, [0.5, 0.5 * math.tanh(0.5)])
    np.testing.assert_allclose(output["q_values"], [math.tanh(0.5)])
    output, memory = networks.step(settings, 1, parameters, [0.0], memory)
    np.testing.assert_allclose(memory[0], 0.75)


# heads


def test_risk_measures_by_hand():
    fractions = [0.25, 0.5]
    np.testing.assert_allclose(heads.distort({"type": "Neutral"}, fractions), fractions)
    np.testing.assert_allclose(heads.distort({"type": "CVaR", "eta": 0.5}, fractions), [0.125, 0.25])
    np.testing.assert_allclose(heads.distort({"type": "Power", "eta": 1.0}, fractions), [0.5, math.sqrt(0.5)])
    np.testing.assert_allclose(heads.distort({"type": "Power", "eta": -1.0}, [0.75]), [0.5])
    np.testing.assert_allclose(heads.distort({"type": "Wang", "eta": 1.0}, [0.5]), [0.8413447460685429])


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


def test_implicit_quantiles_learn_from_the_first_fractions_and_act_by_the_others_distorted():
    rng = np.random.default_rng(0)
    settings = {**MLP, "head": IMPLICIT}
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
    settings = {**MLP, "head": PROPOSED}
    parameters = fresh(settings, 2, np.random.default_rng(0))
    parameters["params/proposal/kernel"] = np.zeros((3, 3))
    parameters["params/proposal/bias"] = 2.0 * np.log([1.0, 2.0, 1.0])  # times a pace of 1/2
    answer = networks.apply(settings, 2, parameters, [1.0, 2.0], None)
    np.testing.assert_allclose(answer["boundaries"], [0.0, 0.25, 0.75, 1.0])
    np.testing.assert_allclose(answer["fractions"], [0.125, 0.5, 0.875])
    np.testing.assert_allclose(answer["entropy"], 1.5 * math.log(2))
    np.testing.assert_allclose(answer["q_values"], answer["quantiles"] @ [0.25, 0.5, 0.25])


# distributions


def test_a_projection_shares_a_value_out_between_its_neighbours():
    out = distributional.project([0.25, -7.0, 1.0, 2.0], [0.4, 0.1, 0.2, 0.3], np.array([0.0, 1.0, 2.0]))
    np.testing.assert_allclose(out, [0.1 + 0.3, 0.1 + 0.2, 0.3])


def test_a_normal_distribution_in_bins():
    # edges -1/2, 1/2, 3/2, 5/2; deviation 1 around 1: the middle bin holds 0.3829249225 of 0.8663855975
    out = distributional.hl_gauss(1.0, np.array([0.0, 1.0, 2.0]), 1.0)
    np.testing.assert_allclose(out, [0.2789, 0.4422, 0.2789], atol=1e-3)
    np.testing.assert_allclose(out[1], 0.3829249225480263 / 0.8663855974622838)


def test_the_quantile_huber_loss_by_hand():
    # errors 3 and -0.5 at 1/4: |1/4| (2 (3 - 1)) and |1/4 - 1| (0.125), over kappa 2 and two targets
    loss = distributional.quantile_huber([0.0], [0.25], [3.0, -0.5], 2.0)
    np.testing.assert_allclose(loss, (0.25 * 4.0 + 0.75 * 0.125) / 2.0 / 2.0)
    np.testing.assert_allclose(distributional.quantile_huber([0.0], [0.25], [3.0, -0.5], 0), (0.75 + 0.375) / 2)


def test_the_divergence_is_the_cross_entropy_less_the_entropy():
    target, logits = np.array([0.5, 0.5, 0.0]), np.zeros(3)
    np.testing.assert_allclose(distributional.cross_entropy(target, logits), math.log(3))
    np.testing.assert_allclose(distributional.kl_divergence(target, logits), math.log(3) - math.log(2))


def test_the_slope_of_the_fraction_loss_is_that_of_the_distance():
    # Z(tau) = tau^2, so W1 of one inner fraction t is a known integral; at the best t its slope is 0
    def slope(t):
        boundaries, inner = np.array([0.0, t, 1.0]), np.array([t**2])
        middles = np.array([(t / 2) ** 2, ((1 + t) / 2) ** 2])
        step = 1e-6
        moved = distributional.fraction_loss(boundaries + np.array([0, step, 0]), inner, middles)
        return (moved - distributional.fraction_loss(boundaries, inner, middles)) / step

    def distance(t):
        grid = (np.arange(400_000) + 0.5) / 400_000
        return np.mean(np.abs(grid**2 - np.where(grid < t, (t / 2) ** 2, ((1 + t) / 2) ** 2)))

    for t in (0.3, 0.7):
        np.testing.assert_allclose(slope(t), (distance(t + 1e-3) - distance(t - 1e-3)) / 2e-3, atol=1e-3)


# targets


def test_soft_values_and_the_bonus_by_hand():
    # q = tau ln 3 and 0: pi = 3/4 and 1/4
    q_values = [2.0 * math.log(3), 0.0]
    np.testing.assert_allclose(soft.value([1.0, 5.0], q_values, 2.0), 2.0 + 2.0 * 0.5623351446188083)
    algorithm = {"temperature": 2.0, "scale": 0.5, "clip": -1.0}
    np.testing.assert_allclose(soft.bonus(q_values, 0, algorithm), math.log(0.75))
    np.testing.assert_allclose(soft.bonus(q_values, 1, algorithm), -0.5)


def test_the_rescaling_has_its_inverse():
    np.testing.assert_allclose(sequence_losses.rescaled(-3.0, 0.01), -1.03)
    for eps in (0.0, 0.001, 0.5):
        for x in (-7.0, 0.0, 0.3, 100.0):
            np.testing.assert_allclose(sequence_losses.unscaled(sequence_losses.rescaled(x, eps), eps), x, atol=1e-9)


def test_lambda_returns_by_hand():
    args = [1.0, 2.0, 3.0], [0.5, 0.5, 0.5], [False, True, False], [10.0, 20.0, 40.0]
    # the last: 3 + 20; the end of an episode: 2 + 10; the first: 1 + 0.5 (0.25 12 + 0.75 10)
    np.testing.assert_allclose(sequence_losses.lambda_returns(*args, 0.25), [6.25, 12.0, 23.0])


def test_the_mask_is_one_half_of_the_members_on_average_and_nested_in_its_share():
    for index in range(50):
        few, many = losses.mask(index, 4, 0.3), losses.mask(index, 4, 0.8)
        assert all(m or not f for f, m in zip(few, many, strict=True))
    assert abs(np.mean([losses.mask(index, 4, 0.5) for index in range(1000)]) - 0.5) < 0.03


# slopes

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


@pytest.mark.parametrize("name", sorted(ALGORITHMS))
def test_the_gradient_is_the_slope_of_the_loss(name):
    head, fields, num_passes = ALGORITHMS[name]
    rng = np.random.default_rng(3)
    settings = {"algorithm": {"type": name, **fields}, "network": {**MLP, "head": head}}
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
    settings = {"algorithm": algorithm, "network": {**MLP, "head": PROPOSED}}
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
    ensemble = {"type": "Ensemble", "member": {**MLP, "hidden": []}, "num_members": 3, "prior_scale": None}
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


def test_only_new_steps_of_a_sequence_count():
    rng = np.random.default_rng(0)
    settings = {"algorithm": {"type": "PQN", "error": SQUARED, "lambda_": 0.0}, "network": {**MLP, "hidden": []}}
    parameters = {"params/Dense_0/kernel": rng.normal(size=(2, 2)), "params/Dense_0/bias": rng.normal(size=2)}
    one = transitions(rng)
    steps = {name: one[name][None] for name in ("s_tm1", "a_tm1", "r_t", "discount_t", "s_t")}
    steps["ended"] = np.zeros((1, 3), bool)
    each = losses.loss({**settings, "algorithm": {"type": "DQN", "error": SQUARED}}, 2, parameters, parameters, one, [])
    for is_new in ([1, 1, 1], [0, 1, 1], [0, 0, 0]):
        batch = {**steps, "is_new": np.array([is_new], float)}
        out = losses.loss(settings, 2, parameters, parameters, batch, [])
        number = max(sum(is_new), 1)
        np.testing.assert_allclose(out["loss"], [np.dot(is_new, each["loss"]) / number])
        np.testing.assert_allclose(out["td_error"], [np.dot(is_new, np.abs(each["td_error"])) / number])


def test_the_burn_in_has_no_slope_but_moves_the_memory():
    rng = np.random.default_rng(0)
    recurrent = {"type": "Recurrent", "ends": {**MLP, "hidden": []}, "units": 2}
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


# optimizers


def test_first_steps_of_the_optimizers_by_hand():
    gradient = {"w": np.array([3.0, -4.0])}
    parameters = {"w": np.zeros(2)}
    np.testing.assert_allclose(optimizers.norm(gradient), 5.0)
    np.testing.assert_allclose(optimizers.clip(1.0, gradient)["w"], [0.6, -0.8])
    np.testing.assert_allclose(optimizers.clip(9.0, gradient)["w"], [3.0, -4.0])
    np.testing.assert_allclose(optimizers.clip(None, gradient)["w"], [3.0, -4.0])

    def first(settings):
        return optimizers.update(settings, gradient, optimizers.init(settings, parameters), 0.1)[0]["w"]

    numbers = {"b1": 0.9, "b2": 0.999, "eps": 1.0}
    np.testing.assert_allclose(first({"type": "SGD"}), [-0.3, 0.4])
    np.testing.assert_allclose(first({"type": "Adam", **numbers}), [-0.1 * 3 / 4, 0.1 * 4 / 5])
    np.testing.assert_allclose(first({"type": "RAdam", **numbers}), [-0.3, 0.4])
    rmsprop = {"type": "RMSProp", "decay": 0.75, "eps": 0.0, "centred": False}
    np.testing.assert_allclose(first(rmsprop), [-0.2, 0.2])
    centred = {**rmsprop, "centred": True}  # 9/4 - 9/16 = 27/16
    np.testing.assert_allclose(first(centred), [-0.1 * 4 / math.sqrt(3), 0.1 * 4 / math.sqrt(3)])


def test_second_step_of_adam_by_hand():
    settings = {"type": "Adam", "b1": 0.5, "b2": 0.75, "eps": 0.0}
    state = optimizers.init(settings, {"w": np.zeros(1)})
    _, state = optimizers.update(settings, {"w": np.array([2.0])}, state, 0.1)
    changes, _ = optimizers.update(settings, {"w": np.array([-4.0])}, state, 0.1)
    mean = (0.5 * 1.0 + 0.5 * -4.0) / 0.75
    square = (0.75 * 1.0 + 0.25 * 16.0) / (1 - 0.75**2)
    np.testing.assert_allclose(changes["w"], [-0.1 * mean / math.sqrt(square)])


def test_the_rectification_begins_at_the_sixth_step_and_tends_to_one():
    assert [optimizers.rectification(t, 0.999) is None for t in range(1, 8)] == [True] * 5 + [False] * 2
    # rho is the length of a plain mean with the same centre; the variance goes as rho / ((rho - 2) (rho - 4))
    weights = [0.001 * 0.999 ** (i - 1) for i in range(1, 7)]
    centre = sum(w * (7 - i) for i, w in enumerate(weights, 1)) / sum(weights)
    rho = 2 * 6 + 1 - 2 * centre
    variances = [length / ((length - 2) * (length - 4)) for length in (1999.0, rho)]
    np.testing.assert_allclose(optimizers.rectification(6, 0.999) ** 2, variances[0] / variances[1], rtol=1e-8)
    assert abs(optimizers.rectification(100_000, 0.999) - 1.0) < 1e-3


# fresh networks


def test_a_fresh_network_is_told_from_one_that_is_not():
    rng = np.random.default_rng(0)
    bound = 2.0 * math.sqrt(1 / 4) / 0.8796256610342398
    parameters = {
        "params/Dense_0/kernel": rng.uniform(-bound, bound, size=(4, 8)),
        "params/Dense_0/bias": np.zeros(8),
    }
    settings = {**MLP, "hidden": []}
    initial.check_initial(settings, parameters)
    wrong = [
        {"params/Dense_0/bias": np.full(8, 0.01)},
        {"params/Dense_0/kernel": 2.0 * parameters["params/Dense_0/kernel"]},
        {"params/Dense_0/kernel": np.zeros((4, 8))},
    ]
    for change in wrong:
        with pytest.raises(AssertionError):
            initial.check_initial(settings, {**parameters, **change})
    stacked = {"members/" + path: np.stack([array, array]) for path, array in parameters.items()}
    ensemble = {"type": "Ensemble", "member": settings, "num_members": 2, "prior_scale": None}
    with pytest.raises(AssertionError):
        initial.check_initial(ensemble, stacked)
